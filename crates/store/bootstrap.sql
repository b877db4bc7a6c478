-- What only an administrator of the database may make: group roles and schemas. Re-runnable.
-- Logins are made by the administrator too, each a member of exactly one group role; no role of the
-- product can create roles or reset passwords.
DO $$
DECLARE
  group_role text;
BEGIN
  -- Roles belong to the cluster, and no lock of one database keeps another one's bootstrap away: of two that make the same role at once
  -- one fails and begins again (store::migrate).
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
-- What only a superuser, or who was given it, may give: a server without one is migrated all the same, and says what it lacks.
DO $$
DECLARE
  routine regprocedure;
BEGIN
  BEGIN
    -- To end sessions that hold others up (api.end_stalling). Nobody but the functions acts as this role.
    IF NOT (pg_has_role('countersign_owner', 'pg_signal_backend', 'USAGE') AND pg_has_role('countersign_owner', 'pg_read_all_stats', 'USAGE')) THEN
      ALTER ROLE countersign_owner INHERIT;
      GRANT pg_signal_backend, pg_read_all_stats TO countersign_owner;
    END IF;
  EXCEPTION WHEN insufficient_privilege THEN
    RAISE WARNING 'countersign_owner lacks pg_signal_backend and pg_read_all_stats: sessions that hold others up are not ended until somebody grants them';
  END;
  BEGIN
    -- Large objects fill the disk beside every table, and an advisory lock that anybody may take is nobody's.
    FOR routine IN SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace
      AND (p.proname ~ '^lo_' OR p.proname IN ('loread', 'lowrite') OR p.proname ~ '^pg_(try_)?advisory_') LOOP
      EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', routine);
      IF routine::text LIKE 'pg_%' THEN
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO countersign_owner, countersign_worker', routine);
      END IF;
    END LOOP;
  EXCEPTION WHEN insufficient_privilege THEN
    RAISE WARNING 'Every login of this database can make large objects and take advisory locks: a superuser revokes EXECUTE on lo_* and pg_advisory_* from PUBLIC';
  END;
END $$;
-- core holds tables and internal functions; api holds what clients may call.
CREATE SCHEMA IF NOT EXISTS core AUTHORIZATION countersign_owner;
CREATE SCHEMA IF NOT EXISTS api AUTHORIZATION countersign_owner;
GRANT USAGE ON SCHEMA core TO countersign_staff;
GRANT USAGE ON SCHEMA api TO countersign_staff, countersign_platform, countersign_worker, countersign_watcher, countersign_executor;
ALTER DEFAULT PRIVILEGES FOR ROLE countersign_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
