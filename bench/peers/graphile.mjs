// graphile-worker doing the work of `countersign bench intents`: one job per intent, whose task settles it with the very
// function that the worker uses. Started by the bench; prints one line of JSON.
//
// MODE single: a task settles its own intent, in a transaction of its own.
// MODE batch: jobs are fetched and completed in batches (localQueue, completeJobBatchDelay), and tasks that run at the same
// time settle their intents as one set.

import { Logger, run, runMigrations } from "graphile-worker";
import pg from "pg";

const { DATABASE_URL: connectionString, MODE, PROGRAM, TOKEN, CONCURRENCY, SET } = process.env;
const concurrency = Number(CONCURRENCY);
const setSize = Number(SET);
const settle = "SELECT completed, failed FROM core.settle_set($1, $2, $3)";

const pool = new pg.Pool({ connectionString, max: 12 });
pool.on("error", (error) => {
  throw error;
});
pool.on("connect", (client) => client.on("error", () => {}));
await runMigrations({ pgPool: pool });
const added = await pool.query(
  "SELECT count(graphile_worker.add_job('settle', json_build_object('id', i.id))) AS jobs FROM core.intents i WHERE i.program_id = $1 AND i.state = 'LOCKED' AND i.fencing_token = $2",
  [PROGRAM, TOKEN],
);
const jobs = Number(added.rows[0].jobs);
await pool.query("ANALYZE graphile_worker._private_jobs");
await pool.query("CHECKPOINT");

let left = jobs;
let finish;
const finished = new Promise((resolve) => {
  finish = resolve;
});
const done = (count) => {
  left -= count;
  if (left === 0) finish();
};

async function settleSet(ids) {
  const { rows } = await pool.query(settle, [PROGRAM, TOKEN, ids]);
  if (rows[0].completed !== ids.length) throw new Error(`${rows[0].completed} of ${ids.length} intents were settled`);
}

let waiting = [];
let timer;
function flush() {
  clearTimeout(timer);
  timer = undefined;
  const set = waiting;
  waiting = [];
  settleSet(set.map((task) => task.id)).then(
    () => {
      for (const task of set) task.resolve();
      done(set.length);
    },
    (error) => {
      for (const task of set) task.reject(error);
    },
  );
}
function settleTogether(id) {
  return new Promise((resolve, reject) => {
    waiting.push({ id, resolve, reject });
    if (waiting.length >= setSize) flush();
    else timer ??= setTimeout(flush, 5);
  });
}

const tasks = {
  single: async ({ id }) => {
    await settleSet([id]);
    done(1);
  },
  batch: ({ id }) => settleTogether(id),
};

const started = process.hrtime.bigint();
const runner = await run({
  pgPool: pool,
  taskList: { settle: tasks[MODE] },
  noHandleSignals: true,
  parsedCronItems: [],
  logger: new Logger(() => (level, message) => {
    if (level === "error") console.error(message);
  }),
  preset: {
    worker: {
      concurrentJobs: concurrency,
      pollInterval: 100,
      ...(MODE === "batch"
        ? { localQueue: { size: 2 * concurrency }, completeJobBatchDelay: 0, failJobBatchDelay: 0 }
        : {}),
    },
  },
});
await finished;
// The last completions are on their way: done is what the queue says is done.
let rest = jobs;
while (rest > 0) {
  const { rows } = await pool.query("SELECT count(*) AS jobs FROM graphile_worker._private_jobs");
  rest = Number(rows[0].jobs);
}
const micros = Number((process.hrtime.bigint() - started) / 1000n);
await runner.stop();
await pool.end();
process.stdout.write(`${JSON.stringify({ jobs, micros })}\n`);
