-- People: founding, provisioning, grants, identity keys, removal.

-- One-time passwords that countersign staff provision gave out: of each login's password verifier only the SHA-256, so that the
-- administrator's program can tell whether the person has set one of their own. Nobody but the owner reads or writes it.
CREATE TABLE core.one_time_passwords (
  login name PRIMARY KEY,
  verifier_sha256 bytea NOT NULL CHECK (length(verifier_sha256) = 32),
  expires_at timestamptz NOT NULL,
  provisioned_by name NOT NULL DEFAULT session_user
);

-- Founds an empty database with its first two super_admins. Only the owner of the database may call it, once.
CREATE FUNCTION core.found(p_login_1 name, p_person_1 text, p_login_2 name, p_person_2 text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  founder uuid;
  founder_row record;
BEGIN
  IF EXISTS (SELECT FROM core.staff) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'This database has its founders already';
  END IF;
  FOR founder_row IN SELECT * FROM (VALUES (p_login_1, p_person_1), (p_login_2, p_person_2)) v(login, person) LOOP
    PERFORM core.refuse_foreign_login(founder_row.login);
    INSERT INTO core.staff (login, person) VALUES (founder_row.login, founder_row.person) RETURNING id INTO founder;
    -- Nobody signed this grant; with the founder's own id it can be named by who revokes it.
    INSERT INTO core.grants (id, staff_id, role) VALUES (founder, founder, 'super_admin');
    PERFORM core.audit(NULL, 'staff.founded', founder, json_build_object('login', founder_row.login, 'person', founder_row.person));
  END LOOP;
END $$;

CREATE FUNCTION core.refuse_foreign_login(p_login text) RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles r WHERE r.rolname = p_login AND (r.rolsuper OR r.rolcreaterole OR r.rolbypassrls OR r.rolreplication)) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('%s administers the database server, so it cannot be a person''s login here', p_login);
  END IF;
  IF NOT core.is_login_of(p_login::name, 'countersign_staff') THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('%s is not a login in countersign_staff: the administrator of the database makes it first with countersign staff provision', p_login);
  END IF;
END $$;

CREATE FUNCTION core.apply_staff_add(p_request core.change_requests) RETURNS uuid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  body jsonb := p_request.payload::jsonb;
BEGIN
  PERFORM core.refuse_foreign_login(body ->> 'login');
  INSERT INTO core.staff (id, login, person, safe_owner)
  VALUES (p_request.id, body ->> 'login', body ->> 'person', CASE WHEN body ->> 'safe_owner' IS NOT NULL THEN core.parse_address(body ->> 'safe_owner') END);
  RETURN p_request.id;
END $$;

-- Two removals at once would each leave two administrators and together one: the second waits, and then sees the first. Nobody
-- else waits, and it waits for nobody who adds people.
CREATE FUNCTION core.lock_administrators() RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM 1 FROM core.staff s WHERE core.holds(s.id, NULL, 'manage_staff') ORDER BY s.id FOR NO KEY UPDATE;
END $$;

-- Ends everything that the person may do: grants and identity keys end, open sessions see it with their next statement (core.me),
-- and approvals and proposals of theirs count no longer. Row and name stay, for what they did stays theirs.
CREATE FUNCTION core.apply_staff_revoke(p_request core.change_requests) RETURNS uuid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  removed uuid := (p_request.payload ->> 'staff_id')::uuid;
BEGIN
  PERFORM core.lock_administrators();
  UPDATE core.staff SET revoked_at = clock_timestamp() WHERE id = removed AND revoked_at IS NULL;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'There is no such person to remove, or they are removed already';
  END IF;
  UPDATE core.grants SET revoked_at = clock_timestamp() WHERE staff_id = removed AND revoked_at IS NULL;
  UPDATE core.identity_keys SET revoked_at = clock_timestamp() WHERE staff_id = removed AND revoked_at IS NULL;
  RETURN removed;
END $$;

CREATE FUNCTION core.apply_machine_add(p_request core.change_requests) RETURNS uuid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  body jsonb := p_request.payload::jsonb;
BEGIN
  IF NOT core.is_login_of((body ->> 'login')::name, 'countersign_' || (body ->> 'kind'))
     OR EXISTS (SELECT FROM core.staff s WHERE s.login = body ->> 'login') THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('%s is no login of a %s: the administrator of the database makes it first, and it is nobody''s own', body ->> 'login', body ->> 'kind');
  END IF;
  INSERT INTO core.machines (id, login, kind, program_id) VALUES (p_request.id, body ->> 'login', body ->> 'kind', (body ->> 'program_id')::uuid);
  RETURN p_request.id;
END $$;

-- Its functions refuse with the next call (core.require_machine), and its sessions end now, so that what they are at is undone; one that
-- begins before this is committed is ended by api.end_stalling. What a watcher said of the chain is forgotten with it and read again:
-- whoever stole its login may have said anything.
CREATE FUNCTION core.apply_machine_revoke(p_request core.change_requests) RETURNS uuid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  gone core.machines;
BEGIN
  UPDATE core.machines SET revoked_at = clock_timestamp() WHERE login = p_request.payload ->> 'login' AND revoked_at IS NULL RETURNING * INTO gone;
  IF gone.login IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('There is no machine with the login %s to revoke, or it is revoked already', p_request.payload ->> 'login');
  END IF;
  BEGIN
    PERFORM pg_terminate_backend(a.pid) FROM pg_stat_activity a WHERE a.usename = gone.login AND a.datname = current_database();
  EXCEPTION WHEN insufficient_privilege THEN
    NULL; -- A server without pg_signal_backend for countersign_owner: they end by themselves, and do nothing more.
  END;
  UPDATE core.safe_balances b SET block_number = 0 FROM core.safes s WHERE b.program_id = s.program_id AND b.safe_id = s.id AND s.observed_by = gone.login;
  UPDATE core.safes SET observed_owners = NULL, observed_nonce = NULL, observed_block = NULL, observed_at = NULL, observed_by = NULL WHERE observed_by = gone.login;
  UPDATE core.safes SET inflows_read_to = NULL, inflows_read_by = NULL WHERE inflows_read_by = gone.login;
  RETURN NULL;
END $$;

CREATE FUNCTION core.apply_grant_add(p_request core.change_requests) RETURNS uuid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  body jsonb := p_request.payload::jsonb;
BEGIN
  INSERT INTO core.grants (id, staff_id, program_id, role) VALUES (p_request.id, (body ->> 'staff_id')::uuid, p_request.program_id, body ->> 'role');
  RETURN p_request.id;
END $$;

CREATE FUNCTION core.apply_grant_revoke(p_request core.change_requests) RETURNS uuid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  made uuid;
BEGIN
  PERFORM core.lock_administrators();
  UPDATE core.grants SET revoked_at = clock_timestamp()
  WHERE id = (p_request.payload ->> 'grant_id')::uuid AND program_id IS NOT DISTINCT FROM p_request.program_id AND revoked_at IS NULL RETURNING id INTO made;
  IF made IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'There is no such grant in force where this change was proposed';
  END IF;
  RETURN made;
END $$;

CREATE FUNCTION core.apply_identity_key_add(p_request core.change_requests) RETURNS uuid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE core.identity_keys SET revoked_at = clock_timestamp() WHERE staff_id = p_request.proposed_by AND revoked_at IS NULL;
  INSERT INTO core.identity_keys (id, staff_id, public_key, confirmed_by)
  VALUES (p_request.id, p_request.proposed_by, decode(p_request.payload ->> 'public_key', 'hex'), p_request.confirmed_by);
  RETURN p_request.id;
END $$;

-- The payload names the person, so that the signature does too, and the signature is there. Clients verify that it is the key's own.
CREATE FUNCTION core.refuse_foreign_key(p_staff uuid, p_payload json, p_signature bytea) RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF p_payload ->> 'staff_id' IS DISTINCT FROM p_staff::text THEN
    RAISE EXCEPTION USING ERRCODE = 'CS403', MESSAGE = 'An identity key is proposed by the person whose it is, who names themselves in staff_id';
  END IF;
  IF p_payload ->> 'public_key' IS NULL OR p_payload ->> 'public_key' !~ '^[0-9a-f]{64}$' THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'An identity key is 64 hex digits in small letters';
  END IF;
  IF length(p_signature) IS DISTINCT FROM 64 THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'A signature of 64 bytes by the new identity key itself is missing';
  END IF;
END $$;

-- Whoever hands out power over money holds none: in no program may one person have manage_staff beside these.
CREATE FUNCTION core.moves_money(p_permission text) RETURNS boolean LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT p_permission IN ('create_batch', 'edit_batch', 'submit_batch', 'approve', 'approve_high_value', 'execute', 'manage_payees')
$$;

-- Why these rules are what "nobody grants more than they hold" means here: docs/decisions/0004-grants.md.
CREATE FUNCTION core.guard_grant() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  request core.change_requests;
BEGIN
  -- Of two grants at once the second waits, and then sees the first.
  PERFORM 1 FROM core.staff s WHERE s.id = NEW.staff_id FOR NO KEY UPDATE;
  IF NOT EXISTS (SELECT FROM core.staff s WHERE s.id = NEW.staff_id AND s.revoked_at IS NULL) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'There is no such person to grant a role to, or they were removed';
  END IF;
  SELECT * INTO request FROM core.change_requests WHERE id = NEW.id;
  IF NEW.staff_id IN (request.proposed_by, request.confirmed_by) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS403', MESSAGE = 'No one grants anything to themselves: two others propose and confirm it';
  END IF;
  IF EXISTS (
    SELECT FROM core.role_permissions gets
    JOIN core.grants g ON g.staff_id = NEW.staff_id AND g.revoked_at IS NULL AND (g.program_id IS NULL OR NEW.program_id IS NULL OR g.program_id = NEW.program_id)
    JOIN core.role_permissions has ON has.role = g.role
    WHERE gets.role = NEW.role AND ((gets.permission = 'manage_staff' AND core.moves_money(has.permission)) OR (has.permission = 'manage_staff' AND core.moves_money(gets.permission)))) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'One person may not both hand out roles and move money in the same program: grant this to somebody else, or revoke the other grant first';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER grants_hold_their_rules BEFORE INSERT ON core.grants FOR EACH ROW EXECUTE FUNCTION core.guard_grant();

-- Every change takes two people. With fewer than two who can administer the whole house, nothing in it could be changed again.
CREATE FUNCTION core.guard_administrators() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF (SELECT count(*) FROM core.staff s WHERE core.holds(s.id, NULL, 'manage_staff')
        AND (core.active_identity_key(s.id) IS NOT NULL OR NOT EXISTS (SELECT FROM core.identity_keys))) < 2 THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'At least two super_admins of the whole house with an identity key remain, for everything takes two: grant the role to somebody else first';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER two_administrators_remain AFTER UPDATE ON core.grants FOR EACH STATEMENT EXECUTE FUNCTION core.guard_administrators();
CREATE TRIGGER two_administrators_remain AFTER UPDATE ON core.staff FOR EACH STATEMENT EXECUTE FUNCTION core.guard_administrators();

-- Removed people whose owner key still opens a Safe: as the watcher last read its owners, or as pinned while it has not. Two people
-- take the owner out on chain; until then the key signs.
CREATE VIEW core.removed_owners WITH (security_invoker = true) AS
SELECT f.program_id, f.id AS safe_id, f.name AS safe, f.chain_id, f.address, s.id AS staff_id, s.person, s.safe_owner AS owner, s.revoked_at, f.observed_owners IS NOT NULL AS observed
FROM core.staff s JOIN core.safes f
  ON s.safe_owner = ANY (coalesce(f.observed_owners, ARRAY(SELECT o.owner FROM core.safe_owners o WHERE o.program_id = f.program_id AND o.safe_id = f.id)))
WHERE s.revoked_at IS NOT NULL;
