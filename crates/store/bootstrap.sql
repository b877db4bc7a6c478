-- What only an administrator of the database may make: group roles and schemas. Re-runnable.
-- Logins are made by the administrator too, each a member of exactly one group role; no role of the
-- product can create roles or reset passwords.
DO $$
DECLARE
  group_role text;
BEGIN
  -- Roles belong to the cluster: two databases that are set up at once must not race.
  PERFORM pg_advisory_xact_lock(4027182);
  FOREACH group_role IN ARRAY ARRAY['countersign_owner', 'countersign_staff', 'countersign_platform',
                                    'countersign_worker', 'countersign_watcher', 'countersign_executor'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = group_role) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN NOINHERIT', group_role);
    END IF;
  END LOOP;
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO countersign_staff, countersign_platform, countersign_worker, countersign_watcher, countersign_executor', current_database());
END $$;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
-- core holds tables and internal functions; api holds what clients may call.
CREATE SCHEMA IF NOT EXISTS core AUTHORIZATION countersign_owner;
CREATE SCHEMA IF NOT EXISTS api AUTHORIZATION countersign_owner;
GRANT USAGE ON SCHEMA core TO countersign_staff;
GRANT USAGE ON SCHEMA api TO countersign_staff, countersign_platform, countersign_worker, countersign_watcher, countersign_executor;
ALTER DEFAULT PRIVILEGES FOR ROLE countersign_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
