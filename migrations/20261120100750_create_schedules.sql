-- Schedules: which job is due when, and who runs it. A due time is run once, whatever the number of workers; every clock
-- here is the database's.

-- at: a time of day in the time zone of each program. every: counted from midnight UTC, once for the whole house.
CREATE TABLE core.schedules (
  job text PRIMARY KEY CHECK (job ~ '^[a-z]{3,20}$'),
  machine text NOT NULL CHECK (machine IN ('worker', 'watcher')),
  at time,
  every interval CHECK (every BETWEEN interval '1 second' AND interval '1 day'),
  CHECK ((at IS NULL) <> (every IS NULL))
);
INSERT INTO core.schedules (job, machine, at, every) VALUES
  ('mature', 'worker', '00:10', NULL), ('reconcile', 'watcher', '02:00', NULL),
  ('retry', 'worker', NULL, interval '5 minutes');

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
  WHEN 'retry' THEN done := api.retry_intents();
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

-- How far each program has come, for the notifier alone: the newest ids of what consoles show, each one step in an index.
CREATE FUNCTION api.change_horizon() RETURNS TABLE (program_id uuid, horizon text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM core.require_machine('worker');
  RETURN QUERY
  SELECT p.id, concat_ws(' ',
    (SELECT a.id FROM core.audit_entries a WHERE a.program_id = p.id ORDER BY a.id DESC LIMIT 1),
    (SELECT i.id FROM core.intents i WHERE i.program_id = p.id ORDER BY i.id DESC LIMIT 1),
    (SELECT t.id FROM core.transfers t WHERE t.program_id = p.id ORDER BY t.id DESC LIMIT 1),
    (SELECT s.id FROM core.settlements s WHERE s.program_id = p.id ORDER BY s.id DESC LIMIT 1),
    (SELECT s.seq FROM core.seals s WHERE s.program_id = p.id ORDER BY s.seq DESC LIMIT 1))
  FROM core.programs p;
END $$;
