-- Programs, people, permissions, two-person changes, the audit trail. Everything later leans on these.
--
-- Error codes that clients switch on (class CS is ours):
--   CS403 this login may not do this      CS409 state or content is not what the caller saw
--   CS422 what was sent cannot be used    CS423 frozen, paused or closed

-- Length-prefixed field: what makes hashed content unambiguous.
CREATE FUNCTION core.field(p_bytes bytea) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT int4send(length(p_bytes)) || p_bytes $$;

CREATE FUNCTION core.field(p_text text) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT core.field(convert_to(p_text, 'UTF8')) $$;

-- UUIDv7 (RFC 9562): a version 4 UUID with the first 48 bits replaced by milliseconds and the version bits set.
CREATE FUNCTION core.uuid_v7() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS
$$ SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
     PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
     52, 1), 53, 1), 'hex')::uuid $$;

CREATE FUNCTION core.hex_address(p_address bytea) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT '0x' || encode(p_address, 'hex') $$;

-- 0x and 40 hex digits, any case; the checksum is checked by clients, which know keccak.
CREATE FUNCTION core.parse_address(p_text text) RETURNS bytea LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  IF p_text IS NULL OR p_text !~ '^0x[0-9a-fA-F]{40}$' THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('%L is not an address: 0x and 40 hex digits are expected', p_text);
  END IF;
  RETURN decode(substr(lower(p_text), 3), 'hex');
END $$;

-- Base units: digits only, no sign, no leading zero, at most 38 digits.
CREATE FUNCTION core.parse_amount(p_text text) RETURNS numeric LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  IF p_text IS NULL OR p_text !~ '^(0|[1-9][0-9]{0,37})$' THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('%L is not an amount: whole base units as a string of digits are expected', p_text);
  END IF;
  RETURN p_text::numeric;
END $$;

-- Half to even at whole base units: the only rounding of shares. round() takes a half up; from an even number that is one too
-- many. One expression without a sub-select, so that it is inlined into the sets that call it.
CREATE FUNCTION core.share_half_even(p_amount numeric, p_rate numeric) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT round(p_amount * p_rate) - CASE WHEN mod(p_amount * p_rate, 2) = 0.5 THEN 1 ELSE 0 END $$;

-- Test chains are a compiled list, here and in the chain crate, never a row: only on them do
-- software keys complete a threshold and one endpoint suffices for finality.
CREATE FUNCTION core.is_test_chain(p_chain bigint) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT p_chain IN (31337, 11155111) $$;

-- States --------------------------------------------------------------------------------------------------------------
-- The one state table. An empty from_state is birth. Generated from domain::states; a test compares the two.
CREATE TABLE core.state_transitions (
  machine text NOT NULL,
  from_state text NOT NULL,
  to_state text NOT NULL,
  PRIMARY KEY (machine, from_state, to_state)
);

CREATE FUNCTION core.guard_state() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  previous text := '';
BEGIN
  IF TG_OP = 'UPDATE' THEN
    previous := OLD.state;
  END IF;
  IF previous IS DISTINCT FROM NEW.state AND NOT EXISTS (
    SELECT FROM core.state_transitions t
    WHERE t.machine = TG_ARGV[0] AND t.from_state = previous AND t.to_state = NEW.state) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409',
      MESSAGE = format('A %s cannot go from %s to %s', TG_ARGV[0], coalesce(nullif(previous, ''), 'nothing'), NEW.state);
  END IF;
  RETURN NEW;
END $$;

-- The same for a whole statement: of a set of thousands only the few different steps are looked up. Rows keep their key
-- (program_id, id). Old and new rows are hashed: a plan made for a statement of one row would compare each with each in the next.
CREATE FUNCTION core.guard_states() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_nestloop = off AS $$
DECLARE
  step record;
BEGIN
  IF TG_OP = 'INSERT' THEN
    SELECT '' AS from_state, n.state AS to_state INTO step FROM (SELECT DISTINCT state FROM new_rows) n
    WHERE NOT EXISTS (SELECT FROM core.state_transitions t WHERE t.machine = TG_ARGV[0] AND t.from_state = '' AND t.to_state = n.state) LIMIT 1;
  ELSE
    SELECT n.from_state, n.to_state INTO step FROM (
      SELECT DISTINCT coalesce(o.state, '') AS from_state, n.state AS to_state FROM new_rows n LEFT JOIN old_rows o ON o.program_id = n.program_id AND o.id = n.id
      WHERE o.state IS DISTINCT FROM n.state) n
    WHERE NOT EXISTS (SELECT FROM core.state_transitions t WHERE t.machine = TG_ARGV[0] AND t.from_state = n.from_state AND t.to_state = n.to_state) LIMIT 1;
  END IF;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409',
      MESSAGE = format('A %s cannot go from %s to %s', TG_ARGV[0], coalesce(nullif(step.from_state, ''), 'nothing'), step.to_state);
  END IF;
  RETURN NULL;
END $$;

CREATE PROCEDURE core.make_stateful(p_table text, p_machine text) LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  EXECUTE format('CREATE TRIGGER born_as_its_states_say AFTER INSERT ON core.%I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION core.guard_states(%L)', p_table, p_machine);
  EXECUTE format('CREATE TRIGGER follows_its_states AFTER UPDATE ON core.%I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION core.guard_states(%L)', p_table, p_machine);
END $$;

CREATE FUNCTION core.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('%I is append-only: write a new row instead', TG_TABLE_NAME);
END $$;

-- Makes a table append-only, for the owner's own statements too.
CREATE PROCEDURE core.make_append_only(p_table text) LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  EXECUTE format('CREATE TRIGGER append_only_rows BEFORE UPDATE OR DELETE ON core.%I FOR EACH ROW EXECUTE FUNCTION core.refuse_change()', p_table);
  EXECUTE format('CREATE TRIGGER append_only_table BEFORE TRUNCATE ON core.%I FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change()', p_table);
END $$;

-- What people approved stays as they approved it, for the owner's own statements too: only the named columns change, an end
-- (revoked, lifted, replaced, retracted) is final, and no row goes.
CREATE FUNCTION core.keep_fixed() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'DELETE' OR (to_jsonb(NEW) - TG_ARGV - 'changed_xid') IS DISTINCT FROM (to_jsonb(OLD) - TG_ARGV - 'changed_xid')
     OR coalesce(to_jsonb(OLD) ->> 'revoked_at', to_jsonb(OLD) ->> 'lifted_at', to_jsonb(OLD) ->> 'replaced_at', to_jsonb(OLD) ->> 'retracted_at') IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('A row of %I stays as it was approved: only %s may change', TG_TABLE_NAME, array_to_string(TG_ARGV, ', '));
  END IF;
  RETURN NEW;
END $$;

CREATE PROCEDURE core.make_fixed(p_table text, VARIADIC p_but text[]) LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  EXECUTE format('CREATE TRIGGER stays_as_approved BEFORE UPDATE OR DELETE ON core.%I FOR EACH ROW EXECUTE FUNCTION core.keep_fixed(%s)',
                 p_table, (SELECT string_agg(quote_literal(b), ', ') FROM unnest(p_but) AS b));
END $$;

-- What consoles replicate ---------------------------------------------------------------------------------------------
-- A console asks, per program, for the rows changed at or after its cursor; the cursor then moves to the xmin of the snapshot
-- that it read, so that whatever was still open is read again and nothing is missed. Deleted rows leave a tombstone.
CREATE FUNCTION core.mark_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  NEW.changed_xid := pg_current_xact_id();
  RETURN NEW;
END $$;

CREATE TABLE core.tombstones (
  program_id uuid NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  table_name name NOT NULL,
  -- The primary key of the row that went, column by column.
  row_key jsonb NOT NULL,
  changed_xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  PRIMARY KEY (program_id, id)
);
CREATE INDEX tombstones_changed ON core.tombstones (program_id, changed_xid) WHERE changed_xid IS NOT NULL;
CALL core.make_append_only('tombstones');

CREATE FUNCTION core.refuse_by_hand() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF pg_trigger_depth() < 2 THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('%I is written by what happens to other rows, never by hand', TG_TABLE_NAME);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER tombstones_are_of_rows BEFORE INSERT ON core.tombstones FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_by_hand();

CREATE FUNCTION core.bury() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO core.tombstones (program_id, table_name, row_key)
  SELECT OLD.program_id, TG_TABLE_NAME, jsonb_object_agg(k.name, to_jsonb(OLD) -> k.name) FROM unnest(TG_ARGV) AS k(name);
  RETURN NULL;
END $$;

-- Gives a table its marker, the index that finds what changed in a program (or in the house, where it takes more to read a row than
-- to see its program, for such a table is asked about all programs at once), and, where rows can change or go, the triggers. A statement that marks its rows itself pays for no trigger. Partial, so that no query by key takes that index.
CREATE PROCEDURE core.make_replicated(p_table text) LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  of_table regclass := format('core.%I', p_table)::regclass;
  is_of_a_program boolean := EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = of_table AND a.attname = 'program_id' AND NOT a.attisdropped);
  is_read_by_program boolean := EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = of_table AND pg_get_expr(p.polqual, p.polrelid) = '(program_id IN ( SELECT core.my_programs() AS my_programs))');
  is_fixed boolean := EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = of_table AND t.tgname = 'append_only_rows');
  key text := (SELECT string_agg(quote_literal(a.attname), ', ' ORDER BY k.place) FROM pg_index i, unnest(i.indkey::smallint[]) WITH ORDINALITY AS k(number, place)
               JOIN pg_attribute a ON a.attnum = k.number WHERE i.indrelid = of_table AND i.indisprimary AND a.attrelid = of_table);
BEGIN
  EXECUTE format('ALTER TABLE core.%I ADD COLUMN IF NOT EXISTS changed_xid xid8 NOT NULL DEFAULT pg_current_xact_id()', p_table);
  EXECUTE format('CREATE INDEX %I ON core.%I (%s changed_xid) WHERE changed_xid IS NOT NULL', p_table || '_changed', p_table, CASE WHEN is_read_by_program THEN 'program_id,' END);
  IF NOT is_fixed THEN
    EXECUTE format('CREATE TRIGGER changed_is_marked BEFORE UPDATE ON core.%I FOR EACH ROW WHEN (NEW.changed_xid IS DISTINCT FROM pg_current_xact_id()) EXECUTE FUNCTION core.mark_change()', p_table);
    IF is_of_a_program THEN
      EXECUTE format('CREATE TRIGGER gone_is_buried AFTER DELETE ON core.%I FOR EACH ROW EXECUTE FUNCTION core.bury(%s)', p_table, key);
    END IF;
  END IF;
END $$;

-- Programs and people -------------------------------------------------------------------------------------------------
CREATE TABLE core.programs (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  slug text NOT NULL UNIQUE CHECK (slug ~ '^[a-z][a-z0-9-]{1,40}$'),
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
  status text NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'PAUSED', 'CLOSED')),
  time_zone text NOT NULL DEFAULT 'UTC',
  -- How long a changed address of a payee waits before it is paid.
  payee_cooling_hours integer NOT NULL DEFAULT 24 CHECK (payee_cooling_hours BETWEEN 0 AND 720),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- One row a person: a second login or a shared owner key would make one person two.
CREATE TABLE core.staff (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  login name NOT NULL UNIQUE,
  person text NOT NULL UNIQUE CHECK (length(person) BETWEEN 1 AND 80),
  safe_owner bytea UNIQUE CHECK (length(safe_owner) = 20),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  revoked_at timestamptz
);

-- Machine logins; a platform is bound to one program, the others serve all. A machine has the id of the change that added it.
CREATE TABLE core.machines (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  login name NOT NULL UNIQUE,
  kind text NOT NULL CHECK (kind IN ('platform', 'worker', 'watcher', 'executor')),
  program_id uuid REFERENCES core.programs,
  revoked_at timestamptz,
  CHECK ((kind = 'platform') = (program_id IS NOT NULL))
);

CREATE TABLE core.identity_keys (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  staff_id uuid NOT NULL REFERENCES core.staff,
  public_key bytea NOT NULL UNIQUE CHECK (length(public_key) = 32),
  confirmed_by uuid NOT NULL REFERENCES core.staff,
  registered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  revoked_at timestamptz,
  UNIQUE (id, staff_id),
  CHECK (confirmed_by <> staff_id)
);
CREATE UNIQUE INDEX identity_keys_one_active ON core.identity_keys (staff_id) WHERE revoked_at IS NULL;

CREATE TABLE core.roles (role text PRIMARY KEY);
CREATE TABLE core.role_permissions (
  role text NOT NULL REFERENCES core.roles,
  permission text NOT NULL,
  PRIMARY KEY (role, permission)
);

INSERT INTO core.roles VALUES ('viewer'), ('operator'), ('processor'), ('manager'), ('admin'), ('super_admin'), ('accountant');
INSERT INTO core.role_permissions (role, permission)
SELECT r.role, p.permission FROM (VALUES
  ('viewer', 'view'),
  ('operator', 'view create_batch edit_batch submit_batch export'),
  ('processor', 'view create_batch edit_batch submit_batch export operate execute resolve_discrepancy manage_payees'),
  ('manager', 'view export operate execute resolve_discrepancy manage_payees approve view_audit'),
  ('admin', 'view export operate execute resolve_discrepancy manage_payees approve view_audit approve_high_value manage_rules close_period'),
  ('super_admin', 'view export operate view_audit manage_rules manage_staff'),
  ('accountant', 'view export view_audit close_period')
) AS r(role, permissions), unnest(string_to_array(r.permissions, ' ')) AS p(permission);

-- A grant without a program covers every program.
CREATE TABLE core.grants (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  staff_id uuid NOT NULL REFERENCES core.staff,
  program_id uuid REFERENCES core.programs,
  role text NOT NULL REFERENCES core.roles,
  granted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  revoked_at timestamptz
);
CREATE UNIQUE INDEX grants_once ON core.grants (staff_id, program_id, role) NULLS NOT DISTINCT WHERE revoked_at IS NULL;

-- Whether a login is a plain member of a group of the product. Whoever may make roles is none: since PostgreSQL 16 they are a member,
-- with the right to grant it on, of every role that they made, and pg_has_role says yes of them.
CREATE FUNCTION core.is_login_of(p_login name, p_group text) RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT EXISTS (
    SELECT FROM pg_roles r JOIN pg_auth_members m ON m.member = r.oid JOIN pg_roles g ON g.oid = m.roleid
    WHERE r.rolname = p_login AND g.rolname = p_group AND r.rolcanlogin AND NOT (r.rolsuper OR r.rolcreaterole OR r.rolbypassrls OR r.rolreplication)
      -- Columns of PostgreSQL 16: one of them is set where the membership is more than the right to grant it on.
      AND coalesce((to_jsonb(m) ->> 'inherit_option')::boolean OR (to_jsonb(m) ->> 'set_option')::boolean, true))
$$;

-- Identity is session_user: neither SET ROLE nor a setting changes it.
CREATE FUNCTION core.me() RETURNS uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$$ SELECT id FROM core.staff WHERE login = session_user AND revoked_at IS NULL $$;

-- Whether a person holds a permission in a program; without a program: in all of them.
CREATE FUNCTION core.holds(p_staff uuid, p_program uuid, p_permission text) RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT EXISTS (
    SELECT FROM core.grants g JOIN core.staff s ON s.id = g.staff_id AND s.revoked_at IS NULL JOIN core.role_permissions rp USING (role)
    WHERE g.staff_id = p_staff AND g.revoked_at IS NULL AND rp.permission = p_permission
      AND (g.program_id IS NULL OR g.program_id = p_program))
$$;

CREATE FUNCTION core.can(p_program uuid, p_permission text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$$ SELECT core.holds(core.me(), p_program, p_permission) $$;

CREATE FUNCTION core.my_programs() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT p.id FROM core.programs p WHERE EXISTS (
    SELECT FROM core.grants g JOIN core.role_permissions rp USING (role)
    WHERE g.staff_id = core.me() AND g.revoked_at IS NULL AND rp.permission = 'view'
      AND (g.program_id IS NULL OR g.program_id = p.id))
$$;

CREATE FUNCTION core.my_audit_programs() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$$ SELECT id FROM core.programs WHERE core.can(id, 'view_audit') $$;

-- A transaction that keeps an old snapshot would not see a freeze, a removal or another grant that came after it.
CREATE FUNCTION core.refuse_old_snapshot() RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('This is done in a transaction that is read committed, not %s: what was frozen or revoked meanwhile must count', current_setting('transaction_isolation'));
  END IF;
END $$;

-- The caller's staff id, or a refusal that names the permission.
CREATE FUNCTION core.require(p_program uuid, p_permission text) RETURNS uuid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM core.refuse_old_snapshot();
  IF core.me() IS NULL OR NOT core.can(p_program, p_permission) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS403',
      MESSAGE = format('%s may not do this: it needs the permission %s in this program', session_user, p_permission);
  END IF;
  RETURN core.me();
END $$;

CREATE FUNCTION core.require_machine(p_kind text) RETURNS core.machines
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  machine core.machines;
BEGIN
  PERFORM core.refuse_old_snapshot();
  SELECT * INTO machine FROM core.machines WHERE login = session_user AND kind = p_kind;
  IF machine.revoked_at IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'CS403', MESSAGE = format('The %s login %s was revoked by two people on %s and does nothing any more: run this job with another login that is registered (machine.add)',
      p_kind, session_user, to_char(machine.revoked_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'));
  END IF;
  IF machine.login IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'CS403', MESSAGE = format('%s is not a registered %s login', session_user, p_kind);
  END IF;
  RETURN machine;
END $$;

-- Audit ---------------------------------------------------------------------------------------------------------------
-- detail is json, not jsonb: the exact text is what gets hashed. changed_xid orders sealing behind open writers.
CREATE TABLE core.audit_entries (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  program_id uuid REFERENCES core.programs,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  login name NOT NULL DEFAULT session_user,
  action text NOT NULL,
  noun_id uuid,
  detail json NOT NULL,
  -- From where: none over a local socket. The application's name is the client's own claim.
  address inet DEFAULT inet_client_addr(),
  application text NOT NULL DEFAULT current_setting('application_name'),
  -- Columns that changed in a row.
  before json,
  after json,
  changed_xid xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX audit_entries_by_program ON core.audit_entries (program_id, id);
CREATE INDEX audit_entries_by_transaction ON core.audit_entries (changed_xid, id);
CALL core.make_append_only('audit_entries');

CREATE TABLE core.seals (
  program_id uuid NOT NULL,
  seq bigint NOT NULL CHECK (seq > 0),
  audit_entry_id bigint NOT NULL UNIQUE REFERENCES core.audit_entries,
  previous_hash bytea NOT NULL CHECK (length(previous_hash) = 32),
  hash bytea NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (program_id, seq)
);
CALL core.make_append_only('seals');

CREATE FUNCTION core.audit(p_program uuid, p_action text, p_noun_id uuid, p_detail json) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS
$$ INSERT INTO core.audit_entries (program_id, action, noun_id, detail) VALUES (p_program, p_action, p_noun_id, p_detail) $$;

-- What is sealed of an entry, byte for byte as domain::audit writes it. Without a fixed search path, so that it is inlined into
-- the set that is sealed; whoever calls it has one.
CREATE FUNCTION core.audit_bytes(p_entry core.audit_entries) RETURNS bytea LANGUAGE sql STABLE AS $$
  SELECT core.field('countersign/audit/2'::text) || core.field(int8send(p_entry.id)) || core.field(coalesce(uuid_send(p_entry.program_id), ''::bytea))
    || core.field(timestamptz_send(p_entry.at)) || core.field(p_entry.login::text) || core.field(coalesce(host(p_entry.address), ''))
    || core.field(p_entry.application) || core.field(p_entry.action) || core.field(coalesce(uuid_send(p_entry.noun_id), ''::bytea))
    || core.field(p_entry.detail::text) || core.field(coalesce(p_entry.before::text, '')) || core.field(coalesce(p_entry.after::text, ''))
$$;

-- Two-person changes --------------------------------------------------------------------------------------------------
-- Which permission proposes and confirms a kind of change, and whether it changes one program, the whole house or either.
-- What is shared by all programs needs the permission in all of them.
CREATE TABLE core.change_kinds (
  kind text PRIMARY KEY,
  permission text NOT NULL,
  reach text NOT NULL CHECK (reach IN ('PROGRAM', 'HOUSE', 'EITHER'))
);
INSERT INTO core.change_kinds VALUES
  ('program.add', 'manage_rules', 'HOUSE'), ('chain.add', 'manage_rules', 'HOUSE'),
  ('asset.add', 'manage_rules', 'PROGRAM'), ('safe.add', 'manage_rules', 'PROGRAM'), ('policy.set', 'manage_rules', 'PROGRAM'),
  ('rule.set', 'manage_rules', 'PROGRAM'), ('opening_balance.add', 'manage_rules', 'PROGRAM'),
  ('staff.add', 'manage_staff', 'HOUSE'), ('staff.revoke', 'manage_staff', 'HOUSE'), ('machine.add', 'manage_staff', 'HOUSE'), ('machine.revoke', 'manage_staff', 'HOUSE'), ('identity_key.add', 'manage_staff', 'HOUSE'),
  ('grant.add', 'manage_staff', 'EITHER'), ('grant.revoke', 'manage_staff', 'EITHER'),
  ('affiliate.add', 'manage_payees', 'PROGRAM'), ('affiliate.set', 'manage_payees', 'PROGRAM'),
  ('payee.add', 'manage_payees', 'PROGRAM'), ('payee.address', 'manage_payees', 'PROGRAM'), ('payee_cooling.set', 'manage_rules', 'PROGRAM'), ('program_status.set', 'manage_rules', 'PROGRAM'), ('policy_default.set', 'manage_rules', 'HOUSE'), ('freeze.lift', 'operate', 'PROGRAM'),
  ('settlements.reverse', 'operate', 'PROGRAM'), ('sanctions.replace', 'manage_rules', 'PROGRAM');

-- What the payload of each kind says, field by field: nothing else is accepted, nothing is read as something else, and what is not
-- required may be left out or null.
CREATE TABLE core.change_fields (
  kind text NOT NULL REFERENCES core.change_kinds,
  field text NOT NULL,
  form text NOT NULL CHECK (form IN ('text', 'id', 'address', 'addresses', 'amount', 'count', 'number', 'rate', 'flag', 'time', 'object', 'ids', 'key')),
  is_required boolean NOT NULL,
  PRIMARY KEY (kind, field)
);
-- kind, then field:form; a form with ? is not required.
INSERT INTO core.change_fields (kind, field, form, is_required)
SELECT k.kind, split_part(x.part, ':', 1), rtrim(split_part(x.part, ':', 2), '?'), x.part NOT LIKE '%?'
FROM (VALUES
  ('program.add', 'slug:text name:text time_zone:text?'),
  ('chain.add', 'chain_id:number name:text confirmation_depth:count gas_max:number'),
  ('asset.add', 'chain_id:number token:address? symbol:text decimals:count pegged_to:text?'),
  ('safe.add', 'name:text chain_id:number address:address version:text singleton:address fallback_handler:address threshold:count owners:addresses'),
  ('policy.set', 'asset_id:id at_least:amount approvers:count high_value:flag? software_keys:flag? beyond_chain:flag?'),
  ('policy_default.set', 'currency:text at_least:number approvers:count high_value:flag'),
  ('rule.set', 'base_rate:rate override_rate:rate tiers:object? holding_days:count? frequency:text? earning_days:number? minimum_settlements:object? minimum_payouts:object? effective_from:time'),
  ('opening_balance.add', 'safe_id:id asset_id:id amount:amount block:number'),
  ('staff.add', 'login:text person:text safe_owner:address?'),
  ('staff.revoke', 'staff_id:id'),
  ('machine.add', 'login:text kind:text program_id:id?'),
  ('machine.revoke', 'login:text'),
  ('identity_key.add', 'staff_id:id public_key:key'),
  ('grant.add', 'staff_id:id role:text'),
  ('grant.revoke', 'grant_id:id'),
  ('affiliate.add', 'name:text wallet:address referral_code:text parent_id:id? tier:text?'),
  ('affiliate.set', 'affiliate_id:id tier:text? active:flag? effective_from:time'),
  ('payee.add', 'name:text address:address'),
  ('payee.address', 'payee_id:id address:address'),
  ('payee_cooling.set', 'hours:count'),
  ('program_status.set', 'status:text'),
  ('settlements.reverse', 'intents:ids reason:text'),
  ('sanctions.replace', 'list_id:id'),
  ('freeze.lift', 'freeze_id:id')) AS k(kind, parts), unnest(string_to_array(k.parts, ' ')) AS x(part);

-- Whether a value has a form, by its JSON type and its text.
CREATE FUNCTION core.has_form(p_form text, p_value jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE p_form
    WHEN 'flag' THEN jsonb_typeof(p_value) = 'boolean'
    WHEN 'object' THEN jsonb_typeof(p_value) = 'object'
    WHEN 'addresses' THEN jsonb_typeof(p_value) = 'array' AND jsonb_array_length(p_value) > 0 AND NOT EXISTS (SELECT FROM jsonb_array_elements(p_value) AS e(item) WHERE NOT core.has_form('address', e.item))
    WHEN 'ids' THEN jsonb_typeof(p_value) = 'array' AND jsonb_array_length(p_value) > 0 AND NOT EXISTS (SELECT FROM jsonb_array_elements(p_value) AS e(item) WHERE NOT core.has_form('id', e.item))
    WHEN 'count' THEN jsonb_typeof(p_value) IN ('number', 'string') AND (p_value #>> '{}') ~ '^(0|[1-9][0-9]{0,3})$'
    WHEN 'number' THEN jsonb_typeof(p_value) IN ('number', 'string') AND (p_value #>> '{}') ~ '^(0|[1-9][0-9]{0,17})$'
    WHEN 'text' THEN jsonb_typeof(p_value) = 'string' AND length(p_value #>> '{}') BETWEEN 1 AND 1000
    ELSE jsonb_typeof(p_value) = 'string' AND (p_value #>> '{}') ~ CASE p_form
      WHEN 'id' THEN '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
      WHEN 'address' THEN '^0x[0-9a-fA-F]{40}$'
      WHEN 'amount' THEN '^(0|[1-9][0-9]{0,37})$'
      WHEN 'rate' THEN '^(0(\.[0-9]{1,8})?|1(\.0{1,8})?)$'
      WHEN 'key' THEN '^[0-9a-f]{64}$'
      -- To the microsecond, and with no hour 24: whoever reads it apart from this database reads the same time.
      WHEN 'time' THEN '^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?([Zz]|[+-][0-9]{2}:[0-9]{2})$' END END
$$;

CREATE FUNCTION core.refuse_bad_fields(p_kind text, p_body jsonb) RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  wrong record;
BEGIN
  SELECT g.name, c.field, c.form, c.is_required INTO wrong
  FROM (SELECT k.name FROM jsonb_object_keys(p_body) AS k(name) UNION SELECT f.field FROM core.change_fields f WHERE f.kind = p_kind AND f.is_required) g
  LEFT JOIN core.change_fields c ON c.kind = p_kind AND c.field = g.name
  WHERE c.field IS NULL OR NOT (CASE WHEN jsonb_typeof(coalesce(p_body -> g.name, 'null')) = 'null' THEN NOT c.is_required ELSE core.has_form(c.form, p_body -> g.name) END)
  ORDER BY c.field NULLS FIRST, g.name LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = CASE
      WHEN wrong.field IS NULL THEN format('%s has no field %L: it has %s', p_kind, wrong.name, (SELECT string_agg(f.field, ', ' ORDER BY f.field) FROM core.change_fields f WHERE f.kind = p_kind))
      ELSE format('The field %s of %s is %s%s, not %s', wrong.field, p_kind, CASE wrong.form
        WHEN 'text' THEN 'a text of 1 to 1,000 characters' WHEN 'id' THEN 'an id' WHEN 'ids' THEN 'a list of ids' WHEN 'address' THEN 'an address of 0x and 40 hex digits'
        WHEN 'addresses' THEN 'a list of addresses' WHEN 'amount' THEN 'whole base units as a string of digits' WHEN 'count' THEN 'a whole number from 0 to 9999'
        WHEN 'number' THEN 'a whole number of at most 18 digits' WHEN 'rate' THEN 'a number from 0 to 1 with at most 8 decimals, as a string' WHEN 'flag' THEN 'true or false'
        WHEN 'time' THEN 'a time as RFC 3339 writes it, to the microsecond at most' WHEN 'object' THEN 'a JSON object' WHEN 'key' THEN '64 hex digits in small letters' END,
        CASE WHEN wrong.is_required THEN '' ELSE ', or left out' END, left(coalesce((p_body -> wrong.name)::text, 'missing'), 100)) END;
  END IF;
END $$;

CREATE TABLE core.change_requests (
  id uuid PRIMARY KEY DEFAULT core.uuid_v7(),
  program_id uuid REFERENCES core.programs,
  kind text NOT NULL REFERENCES core.change_kinds,
  payload json NOT NULL,
  content_hash bytea NOT NULL CHECK (length(content_hash) = 32),
  proposed_by uuid NOT NULL REFERENCES core.staff,
  proposed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  proposed_signature bytea CHECK (length(proposed_signature) = 64),
  confirmed_by uuid REFERENCES core.staff,
  confirmed_at timestamptz,
  confirmed_signature bytea CHECK (length(confirmed_signature) = 64),
  -- The transaction that confirmed it: what it makes is made there and then.
  confirmed_in xid8,
  -- Whoever proposed it took it back, or somebody who could have confirmed it turned it down.
  withdrawn_by uuid REFERENCES core.staff,
  withdrawn_at timestamptz,
  withdrawn_reason text CHECK (length(withdrawn_reason) BETWEEN 10 AND 1000),
  CHECK (confirmed_by <> proposed_by),
  CHECK (num_nulls(confirmed_by, confirmed_at, confirmed_in) IN (0, 3)),
  CHECK (num_nulls(withdrawn_by, withdrawn_at, withdrawn_reason) IN (0, 3)),
  CHECK (withdrawn_by IS NULL OR confirmed_by IS NULL)
);
-- Confirmed changes of the transaction that asks, among all there ever were.
CREATE INDEX change_requests_confirmed_in ON core.change_requests (confirmed_in) WHERE confirmed_in IS NOT NULL;

-- A row of these is there because two people signed a change for it, and it is made in the transaction in which the second one did;
-- for the owner's own statements too. TG_ARGV: the column that has the change's id (none: any confirmed in this transaction will do),
-- then the kinds. Before the first change there are only the founders.
CREATE FUNCTION core.guard_has_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  is_now jsonb := to_jsonb(NEW);
BEGIN
  IF NOT EXISTS (
    SELECT FROM core.change_requests r
    WHERE r.confirmed_in = pg_current_xact_id() AND r.kind = ANY (TG_ARGV[1:])
      AND (TG_ARGV[0] = '' OR r.id::text = is_now ->> TG_ARGV[0])
      AND (r.program_id IS NULL OR r.program_id::text = CASE TG_TABLE_NAME WHEN 'programs' THEN is_now ->> 'id' ELSE is_now ->> 'program_id' END)
      AND (r.program_id IS NOT NULL OR is_now ->> 'program_id' IS NULL OR TG_TABLE_NAME = 'machines'))
     AND NOT (TG_TABLE_NAME IN ('staff', 'grants') AND NOT EXISTS (SELECT FROM core.change_requests)) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409',
      MESSAGE = format('A row of %I is made or changed together with the change that two people signed for it (%s); there is no such change', TG_TABLE_NAME, array_to_string(TG_ARGV[1:], ', '));
  END IF;
  RETURN NEW;
END $$;

-- p_columns: an UPDATE of these needs the change too; '' for none.
CREATE PROCEDURE core.make_two_signed(p_table text, p_id_column text, p_columns text, VARIADIC p_kinds text[]) LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  kinds text := (SELECT string_agg(quote_literal(k), ', ') FROM unnest(p_kinds) AS k);
BEGIN
  IF p_id_column IS NOT NULL THEN
    EXECUTE format('CREATE TRIGGER is_signed_by_two BEFORE INSERT ON core.%I FOR EACH ROW EXECUTE FUNCTION core.guard_has_change(%L, %s)', p_table, p_id_column, kinds);
  END IF;
  IF p_columns <> '' THEN
    EXECUTE format('CREATE TRIGGER is_changed_by_two BEFORE UPDATE OF %s ON core.%I FOR EACH ROW EXECUTE FUNCTION core.guard_has_change('''', %s)', p_columns, p_table, kinds);
  END IF;
END $$;
CALL core.make_two_signed('programs', 'id', '', 'program.add');
CALL core.make_two_signed('programs', NULL, 'payee_cooling_hours, status', 'payee_cooling.set', 'program_status.set');
CALL core.make_two_signed('staff', 'id', '', 'staff.add');
CALL core.make_two_signed('grants', 'id', '', 'grant.add');
CALL core.make_two_signed('identity_keys', 'id', '', 'identity_key.add');
CALL core.make_two_signed('machines', 'id', '', 'machine.add');
CALL core.make_two_signed('machines', NULL, 'revoked_at', 'machine.revoke');

-- What the product itself says, and nobody's data: only a migration changes it.
CREATE FUNCTION core.refuse_catalogue_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('%I is a part of the program: only a migration changes it', TG_TABLE_NAME);
END $$;

-- For tables that are full: a later migration disables is_of_the_program for its own statements.
CREATE PROCEDURE core.make_catalogue(p_table text) LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  EXECUTE format('CREATE TRIGGER is_of_the_program BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON core.%I FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_catalogue_change()', p_table);
END $$;
CALL core.make_catalogue('roles');
CALL core.make_catalogue('role_permissions');
CALL core.make_catalogue('change_kinds');
CALL core.make_catalogue('change_fields');

-- Freezes -------------------------------------------------------------------------------------------------------------
CREATE TABLE core.freezes (
  program_id uuid NOT NULL REFERENCES core.programs,
  id uuid NOT NULL DEFAULT core.uuid_v7(),
  scope text NOT NULL CHECK (scope IN ('PROGRAM', 'SAFE', 'BATCH')),
  noun_id uuid NOT NULL,
  reason text NOT NULL CHECK (length(reason) >= 10),
  frozen_by uuid NOT NULL REFERENCES core.staff,
  frozen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  lifted_at timestamptz,
  -- Of which transaction it is, and which others that one saw as ended: what neither saw the other.
  made_in xid8 NOT NULL,
  made_seeing pg_snapshot NOT NULL,
  PRIMARY KEY (program_id, id)
);

-- Says by which transaction a row was made and what that transaction saw, whoever writes and whatever they say.
CREATE FUNCTION core.stamp_made() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  NEW.made_in := pg_current_xact_id();
  NEW.made_seeing := pg_current_snapshot();
  RETURN NEW;
END $$;
CREATE TRIGGER is_stamped BEFORE INSERT ON core.freezes FOR EACH ROW EXECUTE FUNCTION core.stamp_made();

CREATE FUNCTION core.refuse_frozen(p_program uuid, p_safe uuid, p_batch uuid) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  frozen record;
BEGIN
  SELECT f.scope, f.reason, s.person INTO frozen FROM core.freezes f JOIN core.staff s ON s.id = f.frozen_by
  WHERE f.program_id = p_program AND f.lifted_at IS NULL
    AND f.noun_id IN (p_program, coalesce(p_safe, p_program), coalesce(p_batch, p_program)) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'CS423',
      MESSAGE = format('The %s is frozen by %s: %s. Two people can lift it', lower(frozen.scope), frozen.person, frozen.reason);
  END IF;
END $$;

-- Chains and assets ---------------------------------------------------------------------------------------------------
CREATE TABLE core.chains (
  id bigint PRIMARY KEY CHECK (id > 0),
  name text NOT NULL,
  confirmation_depth integer NOT NULL CHECK (confirmation_depth >= 1),
  gas_max bigint NOT NULL CHECK (gas_max > 0)
);

CREATE TABLE core.assets (
  program_id uuid NOT NULL REFERENCES core.programs,
  id uuid NOT NULL DEFAULT core.uuid_v7(),
  chain_id bigint NOT NULL REFERENCES core.chains,
  token bytea CHECK (length(token) = 20 AND token <> '\x0000000000000000000000000000000000000000'),
  symbol text NOT NULL CHECK (symbol ~ '^[A-Za-z0-9.$-]{1,16}$'),
  decimals smallint NOT NULL CHECK (decimals BETWEEN 0 AND 36),
  pegged_to text CHECK (pegged_to ~ '^[A-Z]{3}$'),
  PRIMARY KEY (program_id, id),
  UNIQUE NULLS NOT DISTINCT (program_id, chain_id, token),
  UNIQUE (program_id, symbol)
);

CALL core.make_fixed('programs', 'name', 'status', 'payee_cooling_hours');
CALL core.make_fixed('staff', 'revoked_at');
CALL core.make_fixed('machines', 'revoked_at');
CALL core.make_fixed('identity_keys', 'revoked_at');
CALL core.make_fixed('grants', 'revoked_at');
CALL core.make_fixed('freezes', 'lifted_at');
CALL core.make_fixed('chains', 'name');
CALL core.make_append_only('assets');
CALL core.make_two_signed('assets', 'id', '', 'asset.add');
CALL core.make_two_signed('chains', '', '', 'chain.add');
-- A freeze takes one person, lifting it two.
CALL core.make_two_signed('freezes', NULL, 'lifted_at', 'freeze.lift');

-- Heartbeats of the machines, for the status bar.
CREATE TABLE core.heartbeats (
  job text NOT NULL,
  worker text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  detail json NOT NULL DEFAULT '{}',
  PRIMARY KEY (job, worker)
);
