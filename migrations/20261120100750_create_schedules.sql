-- Schedules: which job is due when, and who runs it. A due time is run once, whatever the number of workers; every clock
-- here is the database's.

-- at: a time of day in the time zone of each program. every: counted from midnight UTC, once for the whole house.
CREATE TABLE core.schedules (
  job text PRIMARY KEY,
  machine text NOT NULL,
  at time,
  every interval CHECK (every BETWEEN interval '1 second' AND interval '1 day'),
  FOREIGN KEY (job, machine) REFERENCES core.jobs (job, machine),
  CHECK ((at IS NULL) <> (every IS NULL))
);
INSERT INTO core.schedules (job, machine, at, every) VALUES
  ('mature', 'worker', '00:10', NULL), ('propose', 'worker', '06:00', NULL), ('reconcile', 'watcher', '02:00', NULL),
  ('retry', 'worker', NULL, interval '5 minutes'), ('inflows', 'worker', NULL, interval '5 minutes');

-- One row a due time: the primary key is what lets it fire once. The nil id stands for the whole house. A row without
-- completed_at is held until its lease ends, then the next worker takes it over under a new token.
CREATE TABLE core.schedule_runs (
  program_id uuid NOT NULL,
  job text NOT NULL REFERENCES core.schedules,
  due_at timestamptz NOT NULL,
  token bigint NOT NULL,
  worker text NOT NULL CHECK (length(worker) BETWEEN 1 AND 200),
  attempts integer NOT NULL DEFAULT 1 CHECK (attempts >= 1),
  lease_expires_at timestamptz NOT NULL,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  completed_at timestamptz,
  result text,
  error text,
  PRIMARY KEY (program_id, job, due_at)
);

CREATE FUNCTION core.guard_run() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'DELETE' OR OLD.completed_at IS NOT NULL OR NEW.token < OLD.token
     OR (NEW.program_id, NEW.job, NEW.due_at) IS DISTINCT FROM (OLD.program_id, OLD.job, OLD.due_at) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A run that ended stays as it is, and no run is removed: its due time would fire again';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER runs_fire_once BEFORE UPDATE OR DELETE ON core.schedule_runs FOR EACH ROW EXECUTE FUNCTION core.guard_run();

-- The newest due time that is not after p_now. A day has exactly one: a time that a change of the clocks skips falls as
-- much later as was skipped, and one that happens twice is the second.
CREATE FUNCTION core.last_due(p_at time, p_every interval, p_zone text, p_now timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE WHEN p_at IS NULL THEN date_bin(p_every, p_now, timestamptz '1970-01-01 00:00:00Z')
    ELSE (SELECT max(d.due) FROM (SELECT ((p_now AT TIME ZONE p_zone)::date - ago + p_at) AT TIME ZONE p_zone AS due FROM generate_series(0, 1) AS ago) d
          WHERE d.due <= p_now) END
$$;

-- Who a schedule runs for: every program that is not closed, in its time zone; the house when it has no time of day. What
-- was due before a program existed is not; a freeze holds back what workers change.
CREATE FUNCTION core.due_runs(p_schedule core.schedules) RETURNS TABLE (program_id uuid, due_at timestamptz)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT p.id, core.last_due(p_schedule.at, NULL, p.time_zone, clock_timestamp()) FROM core.programs p
  WHERE p_schedule.at IS NOT NULL AND p.status <> 'CLOSED'
    AND core.last_due(p_schedule.at, NULL, p.time_zone, clock_timestamp()) > p.created_at
    AND (p_schedule.machine <> 'worker' OR NOT EXISTS (SELECT FROM core.freezes f WHERE f.program_id = p.id AND f.noun_id = p.id AND f.lifted_at IS NULL))
  UNION ALL
  SELECT '00000000-0000-0000-0000-000000000000', core.last_due(NULL, p_schedule.every, NULL, clock_timestamp()) WHERE p_schedule.every IS NOT NULL
$$;

-- Takes one run of a job that is due and that nobody holds, or no row. Due times that nobody ran are caught up by the newest.
CREATE FUNCTION api.claim_run(p_job text, p_worker text, p_lease interval) RETURNS TABLE (program_id uuid, due_at timestamptz, token bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  schedule core.schedules;
  due record;
  found_run core.schedule_runs;
BEGIN
  SELECT * INTO schedule FROM core.schedules s WHERE s.job = p_job;
  IF schedule.job IS NULL OR (p_lease BETWEEN interval '1 second' AND interval '1 hour') IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('%L is not a job with a schedule, or its lease is not one second to one hour', p_job);
  END IF;
  PERFORM core.require_machine(schedule.machine);
  FOR due IN SELECT d.* FROM core.due_runs(schedule) d ORDER BY d.due_at, d.program_id LOOP
    -- Held, or done.
    CONTINUE WHEN EXISTS (SELECT FROM core.schedule_runs r WHERE r.program_id = due.program_id AND r.job = p_job
      AND ((r.due_at >= due.due_at AND r.completed_at IS NOT NULL) OR (r.completed_at IS NULL AND r.lease_expires_at > clock_timestamp())));
    INSERT INTO core.schedule_runs AS r (program_id, job, due_at, token, worker, lease_expires_at)
    VALUES (due.program_id, p_job, due.due_at, nextval('core.fencing_tokens'), p_worker, clock_timestamp() + p_lease)
    ON CONFLICT ON CONSTRAINT schedule_runs_pkey DO UPDATE SET token = excluded.token, worker = excluded.worker, attempts = r.attempts + 1,
      lease_expires_at = excluded.lease_expires_at, started_at = clock_timestamp()
      WHERE r.completed_at IS NULL AND r.lease_expires_at <= clock_timestamp()
    RETURNING * INTO found_run;
    CONTINUE WHEN found_run.token IS NULL;
    UPDATE core.schedule_runs r SET completed_at = clock_timestamp(), error = coalesce(r.error || '. ', '') || 'A later run did its work'
    WHERE r.program_id = due.program_id AND r.job = p_job AND r.due_at < due.due_at AND r.completed_at IS NULL;
    program_id := found_run.program_id; due_at := found_run.due_at; token := found_run.token;
    RETURN NEXT;
    RETURN;
  END LOOP;
END $$;

-- The run that this token still holds, locked until the end of the transaction; whoever was taken over is refused.
CREATE FUNCTION core.hold_run(p_job text, p_program uuid, p_due timestamptz, p_token bigint) RETURNS core.schedule_runs
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  run core.schedule_runs;
BEGIN
  PERFORM core.require_machine((SELECT s.machine FROM core.schedules s WHERE s.job = p_job));
  SELECT * INTO run FROM core.schedule_runs r
  WHERE r.program_id = p_program AND r.job = p_job AND r.due_at = p_due AND r.token = p_token AND r.completed_at IS NULL FOR NO KEY UPDATE;
  IF run.token IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('This run of %s ended, or another worker took it over: nothing was done', p_job);
  END IF;
  RETURN run;
END $$;

CREATE FUNCTION core.complete_run(p_run core.schedule_runs, p_result text) RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  UPDATE core.schedule_runs SET completed_at = clock_timestamp(), result = p_result, error = NULL
  WHERE program_id = p_run.program_id AND job = p_run.job AND due_at = p_run.due_at
$$;

-- Does what the job is for and completes the run, both or neither; answers how many rows became what the job makes of them.
CREATE FUNCTION api.do_run(p_job text, p_program uuid, p_due timestamptz, p_token bigint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  run core.schedule_runs := core.hold_run(p_job, p_program, p_due, p_token);
  done integer;
BEGIN
  CASE p_job
  WHEN 'mature' THEN done := api.mature_commissions(p_program);
  WHEN 'propose' THEN done := api.propose_batches();
  WHEN 'retry' THEN done := api.retry_intents();
  WHEN 'inflows' THEN done := api.match_inflows();
  ELSE
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('%s is not done by a function of the database', p_job);
  END CASE;
  PERFORM core.complete_run(run, done::text);
  RETURN done;
END $$;

-- Keeps a run that takes long.
CREATE FUNCTION api.renew_run(p_job text, p_program uuid, p_due timestamptz, p_token bigint, p_lease interval) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF (p_lease BETWEEN interval '1 second' AND interval '1 hour') IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'A lease is one second to one hour';
  END IF;
  PERFORM core.hold_run(p_job, p_program, p_due, p_token);
  UPDATE core.schedule_runs r SET lease_expires_at = clock_timestamp() + p_lease WHERE r.program_id = p_program AND r.job = p_job AND r.due_at = p_due;
END $$;

-- Gives a run back that failed or was stopped, with the reason: after a failure it waits 1, 2, 4 … minutes, at most an hour.
CREATE FUNCTION api.release_run(p_job text, p_program uuid, p_due timestamptz, p_token bigint, p_error text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  run core.schedule_runs := core.hold_run(p_job, p_program, p_due, p_token);
BEGIN
  UPDATE core.schedule_runs r SET error = left(p_error, 500),
    lease_expires_at = clock_timestamp() + CASE WHEN p_error IS NULL THEN interval '0' ELSE least(interval '1 minute' * 2 ^ least(run.attempts - 1, 10), interval '1 hour') END
  WHERE r.program_id = p_program AND r.job = p_job AND r.due_at = p_due;
END $$;

-- How far each program has come, for the notifier alone: the transaction that changed each table last, one step in an index. A
-- transaction that began earlier and ends later is not seen here, and a change that two people sign is told to every program; whoever is told looks at the tables, and now and then unasked.
CREATE FUNCTION api.change_horizon() RETURNS TABLE (program_id uuid, horizon text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
BEGIN
  PERFORM core.require_machine('worker');
  RETURN QUERY
  SELECT p.id, concat_ws(' ',
    (SELECT x.changed_xid FROM core.intents x WHERE x.program_id = p.id AND x.changed_xid IS NOT NULL ORDER BY x.changed_xid DESC LIMIT 1),
    (SELECT x.changed_xid FROM core.settlements x WHERE x.program_id = p.id AND x.changed_xid IS NOT NULL ORDER BY x.changed_xid DESC LIMIT 1),
    (SELECT x.changed_xid FROM core.commissions x WHERE x.program_id = p.id AND x.changed_xid IS NOT NULL ORDER BY x.changed_xid DESC LIMIT 1),
    (SELECT x.changed_xid FROM core.transfers x WHERE x.program_id = p.id AND x.changed_xid IS NOT NULL ORDER BY x.changed_xid DESC LIMIT 1),
    (SELECT x.changed_xid FROM core.accounts x WHERE x.program_id = p.id AND x.changed_xid IS NOT NULL ORDER BY x.changed_xid DESC LIMIT 1),
    (SELECT x.changed_xid FROM core.batches x WHERE x.program_id = p.id AND x.changed_xid IS NOT NULL ORDER BY x.changed_xid DESC LIMIT 1),
    (SELECT x.changed_xid FROM core.batch_proposals x WHERE x.program_id = p.id AND x.changed_xid IS NOT NULL ORDER BY x.changed_xid DESC LIMIT 1),
    (SELECT x.changed_xid FROM core.payouts x WHERE x.program_id = p.id AND x.changed_xid IS NOT NULL ORDER BY x.changed_xid DESC LIMIT 1),
    (SELECT x.changed_xid FROM core.approvals x WHERE x.program_id = p.id AND x.changed_xid IS NOT NULL ORDER BY x.changed_xid DESC LIMIT 1),
    (SELECT x.changed_xid FROM core.safe_transactions x WHERE x.program_id = p.id AND x.changed_xid IS NOT NULL ORDER BY x.changed_xid DESC LIMIT 1),
    (SELECT x.changed_xid FROM core.evidence x WHERE x.program_id = p.id AND x.changed_xid IS NOT NULL ORDER BY x.changed_xid DESC LIMIT 1),
    (SELECT x.changed_xid FROM core.safe_balances x WHERE x.program_id = p.id AND x.changed_xid IS NOT NULL ORDER BY x.changed_xid DESC LIMIT 1),
    (SELECT x.changed_xid FROM core.payees x WHERE x.program_id = p.id AND x.changed_xid IS NOT NULL ORDER BY x.changed_xid DESC LIMIT 1),
    (SELECT x.changed_xid FROM core.freezes x WHERE x.program_id = p.id AND x.changed_xid IS NOT NULL ORDER BY x.changed_xid DESC LIMIT 1),
    (SELECT x.changed_xid FROM core.discrepancies x WHERE x.program_id = p.id AND x.changed_xid IS NOT NULL ORDER BY x.changed_xid DESC LIMIT 1),
    (SELECT x.changed_xid FROM core.change_requests x WHERE x.changed_xid IS NOT NULL ORDER BY x.changed_xid DESC LIMIT 1))
  FROM core.programs p;
END $$;

-- Sessions that hold others up ----------------------------------------------------------------------------------------
-- A person who begins a transaction, calls a function that locks rows and does not end it would stall machines and colleagues for as
-- long as they like, and no setting of a session binds its own client. So a worker ends, about every second:
--   whatever session of a person or a platform is in a transaction for 10 seconds while another one waits for it, busy or idle, and
--   does not wait itself (one that waits is held up, not holding up, until it has done so for 30 seconds);
--   a session of another machine in the same case when it is idle, or after a minute;
--   a person's session that wrote approvals, signatures or batches in a transaction that began before a freeze in force: what it
--   wrote is asked again when it ends (core.guard_frozen_meanwhile), but SET CONSTRAINTS lets a client have that asked early.
--   a machine's session in a transaction from before its login was revoked.
-- Whoever administers the server is not ended. Needs pg_signal_backend and pg_read_all_stats (bootstrap.sql). Answers how many.
CREATE FUNCTION api.end_stalling() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  stalling record;
  ended integer := 0;
BEGIN
  PERFORM core.require_machine('worker');
  FOR stalling IN
    WITH sessions AS MATERIALIZED (
      SELECT a.pid, r.rolsuper, a.usename, a.xact_start, a.state, a.wait_event_type,
        -- By rows, or by membership before there is one: never by what a role could give itself.
        core.is_login_of(a.usename, 'countersign_staff') OR EXISTS (SELECT FROM core.staff p WHERE p.login = a.usename) AS is_person,
        core.is_login_of(a.usename, 'countersign_platform') OR EXISTS (SELECT FROM core.machines m WHERE m.login = a.usename AND m.kind = 'platform') AS is_platform
      FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid
      WHERE a.datname = current_database() AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()),
    waited_for AS MATERIALIZED (SELECT DISTINCT b.pid FROM sessions w CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS b(pid) WHERE w.wait_event_type = 'Lock')
    SELECT s.pid, s.usename, s.xact_start,
      CASE WHEN EXISTS (SELECT FROM core.machines m WHERE m.login = s.usename AND m.revoked_at > s.xact_start) THEN 'its login was revoked' WHEN s.pid IN (SELECT pid FROM waited_for) THEN 'others waited for it' ELSE 'it began before a freeze' END AS why
    FROM sessions s
    WHERE NOT s.rolsuper AND ((s.xact_start < clock_timestamp() - interval '10 seconds' AND s.pid IN (SELECT pid FROM waited_for)
        AND (s.wait_event_type IS DISTINCT FROM 'Lock' OR s.xact_start < clock_timestamp() - interval '30 seconds')
        AND (s.is_person OR s.is_platform OR ((s.state LIKE 'idle in transaction%' OR s.xact_start < clock_timestamp() - interval '60 seconds') AND EXISTS (SELECT FROM core.machines m WHERE m.login = s.usename))))
      OR (s.is_person AND s.xact_start < clock_timestamp() - interval '2 seconds' AND EXISTS (SELECT FROM core.freezes f WHERE f.lifted_at IS NULL AND f.frozen_at > s.xact_start
          AND EXISTS (SELECT FROM core.staff p JOIN core.grants g ON g.staff_id = p.id WHERE p.login = s.usename AND (g.program_id IS NULL OR g.program_id = f.program_id)))
        AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = s.pid AND l.locktype = 'relation' AND l.mode = 'RowExclusiveLock' AND l.granted
                      AND l.relation IN ('core.batches'::regclass, 'core.approvals'::regclass, 'core.signatures'::regclass)))
      OR EXISTS (SELECT FROM core.machines m WHERE m.login = s.usename AND m.revoked_at > s.xact_start)) LOOP
    IF pg_terminate_backend(stalling.pid) THEN
      ended := ended + 1;
      PERFORM core.audit(NULL, 'session.ended', NULL, json_build_object('login', stalling.usename, 'in_transaction_since', stalling.xact_start, 'why', stalling.why));
    END IF;
  END LOOP;
  RETURN ended;
END $$;
GRANT EXECUTE ON FUNCTION api.end_stalling() TO countersign_worker;

-- Metrics -------------------------------------------------------------------------------------------------------------
CREATE INDEX intents_dead ON core.intents (program_id) WHERE state = 'DEAD';
CREATE INDEX schedule_runs_open ON core.schedule_runs (job) WHERE completed_at IS NULL;

-- What monitoring reads of a machine, cheap whatever the tables hold: what waits is found by partial indexes and counted up to
-- 20,000 in the house (an equal share of that in each program, at least 1,000); what is completed is counted by the workers that
-- complete it. Times are in milliseconds.
CREATE FUNCTION api.metrics() RETURNS TABLE (program text, metric text, label text, value bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
DECLARE
  newest_sealed bigint := (SELECT max(s.audit_entry_id) FROM core.seals s);
  counted_max CONSTANT integer := 20000;
  share integer := greatest(1000, counted_max / greatest(1, (SELECT count(*) FROM core.programs)));
BEGIN
  IF NOT EXISTS (SELECT FROM core.machines m WHERE m.login = session_user AND m.kind <> 'platform' AND m.revoked_at IS NULL) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS403', MESSAGE = format('%s is not a registered machine login', session_user);
  END IF;
  RETURN QUERY
  SELECT p.slug, 'intents', c.state, c.n FROM core.programs p CROSS JOIN LATERAL (
    SELECT 'PENDING' AS state, count(*) AS n FROM (SELECT FROM core.intents i WHERE i.program_id = p.id AND i.state = 'PENDING' AND i.kind <> 'PAYOUT' LIMIT share) x
    UNION ALL SELECT 'DEAD', count(*) FROM (SELECT FROM core.intents i WHERE i.program_id = p.id AND i.state = 'DEAD' LIMIT share) x) c;
  -- In one look each: their indexes are the house's, for a worker takes them up whatever program they are of.
  RETURN QUERY
  WITH open AS MATERIALIZED (
    (SELECT i.program_id, i.state FROM core.intents i WHERE i.state = 'LOCKED' LIMIT counted_max) UNION ALL (SELECT i.program_id, i.state FROM core.intents i WHERE i.state = 'FAILED' LIMIT counted_max))
  SELECT p.slug, 'intents', s.state, count(x.state) FROM core.programs p CROSS JOIN (VALUES ('LOCKED'), ('FAILED')) AS s(state)
  LEFT JOIN open x ON x.program_id = p.id AND x.state = s.state GROUP BY p.slug, s.state;
  RETURN QUERY
  SELECT p.slug, 'oldest_pending', '', greatest(0, (extract(epoch FROM clock_timestamp() - (
    SELECT i.next_attempt_at FROM core.intents i WHERE i.program_id = p.id AND i.state = 'PENDING' AND i.kind <> 'PAYOUT' ORDER BY i.next_attempt_at LIMIT 1)) * 1000)::bigint)
  FROM core.programs p;
  RETURN QUERY
  SELECT p.slug, 'unbalanced_assets', '', (SELECT count(*) FROM (SELECT FROM core.accounts a WHERE a.program_id = p.id GROUP BY a.asset_id
    HAVING sum(a.debits_posted - a.credits_posted) <> 0 OR sum(a.debits_pending - a.credits_pending) <> 0) x)
  FROM core.programs p;
  RETURN QUERY SELECT '', 'unsealed', '', count(*) FROM (SELECT FROM core.audit_entries a WHERE a.id > coalesce(newest_sealed, 0) LIMIT 100000) x;
  RETURN QUERY SELECT '', 'oldest_unsealed', '', coalesce((extract(epoch FROM clock_timestamp() - (
    SELECT a.at FROM core.audit_entries a WHERE a.id > coalesce(newest_sealed, 0) ORDER BY a.id LIMIT 1)) * 1000)::bigint, 0);
  RETURN QUERY SELECT '', 'failing_runs', s.job, (SELECT count(*) FROM core.schedule_runs r WHERE r.job = s.job AND r.completed_at IS NULL AND r.error IS NOT NULL) FROM core.schedules s;
  RETURN QUERY SELECT '', 'silence', h.job, (extract(epoch FROM clock_timestamp() - max(h.at)) * 1000)::bigint FROM core.heartbeats h GROUP BY h.job;
END $$;
