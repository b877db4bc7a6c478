-- Two-person changes: one proposes, another confirms, and only then does anything change.

-- Signatures are Ed25519 over domain::statement; SQL cannot check them, clients do. It does insist that they are there.
CREATE FUNCTION core.active_identity_key(p_staff uuid) RETURNS uuid LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS
$$ SELECT id FROM core.identity_keys WHERE staff_id = p_staff AND revoked_at IS NULL $$;

CREATE FUNCTION core.require_signature(p_staff uuid, p_signature bytea) RETURNS uuid LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  identity_key uuid := core.active_identity_key(p_staff);
BEGIN
  IF identity_key IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'CS403', MESSAGE = 'Your identity key is not registered yet: another person with manage_staff confirms it';
  END IF;
  IF p_signature IS NULL OR length(p_signature) <> 64 THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'An Ed25519 signature of 64 bytes by your identity key is missing';
  END IF;
  RETURN identity_key;
END $$;

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
    INSERT INTO core.staff (login, person) VALUES (founder_row.login, founder_row.person) RETURNING id INTO founder;
    INSERT INTO core.grants (staff_id, role) VALUES (founder, 'super_admin');
    PERFORM core.audit(NULL, 'staff.founded', founder, json_build_object('login', founder_row.login, 'person', founder_row.person));
  END LOOP;
END $$;

CREATE FUNCTION core.apply_change(p_request core.change_requests) RETURNS uuid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  body jsonb := p_request.payload::jsonb;
  program uuid := p_request.program_id;
  made uuid;
  owner_text text;
BEGIN
  CASE p_request.kind
  WHEN 'program.add' THEN
    PERFORM 1 FROM pg_timezone_names WHERE name = coalesce(body ->> 'time_zone', 'UTC');
    IF NOT FOUND THEN
      RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('%L is not an IANA time zone', body ->> 'time_zone');
    END IF;
    INSERT INTO core.programs (slug, name, time_zone) VALUES (body ->> 'slug', body ->> 'name', coalesce(body ->> 'time_zone', 'UTC')) RETURNING id INTO made;
  WHEN 'chain.add' THEN
    INSERT INTO core.chains (id, name, confirmation_depth, gas_max)
    VALUES ((body ->> 'chain_id')::bigint, body ->> 'name', (body ->> 'confirmation_depth')::integer, (body ->> 'gas_max')::bigint);
  WHEN 'asset.add' THEN
    INSERT INTO core.assets (program_id, chain_id, token, symbol, decimals, pegged_to)
    VALUES (program, (body ->> 'chain_id')::bigint, CASE WHEN body ->> 'token' IS NOT NULL THEN core.parse_address(body ->> 'token') END,
            body ->> 'symbol', (body ->> 'decimals')::smallint, body ->> 'pegged_to') RETURNING id INTO made;
    PERFORM core.apply_policy_defaults(program, made);
  WHEN 'safe.add' THEN
    INSERT INTO core.safes (program_id, name, chain_id, address, version, singleton, fallback_handler, threshold)
    VALUES (program, body ->> 'name', (body ->> 'chain_id')::bigint, core.parse_address(body ->> 'address'), body ->> 'version',
            core.parse_address(body ->> 'singleton'), core.parse_address(body ->> 'fallback_handler'), (body ->> 'threshold')::integer) RETURNING id INTO made;
    IF jsonb_typeof(body -> 'owners') IS DISTINCT FROM 'array' THEN
      RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'The owners of a Safe are a list of addresses';
    END IF;
    FOR owner_text IN SELECT jsonb_array_elements_text(body -> 'owners') LOOP
      INSERT INTO core.safe_owners (program_id, safe_id, owner) VALUES (program, made, core.parse_address(owner_text));
    END LOOP;
    IF (SELECT count(*) FROM core.safe_owners WHERE program_id = program AND safe_id = made) < (body ->> 'threshold')::integer THEN
      RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'The threshold of a Safe is at most the number of its owners';
    END IF;
  WHEN 'policy.set' THEN
    made := core.set_policy(program, body);
  WHEN 'rule.set' THEN
    made := core.set_rule(program, body);
  WHEN 'opening_balance.add' THEN
    made := core.add_opening_balance(program, p_request.id, body);
  WHEN 'staff.add' THEN
    IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = body ->> 'login' AND r.rolcanlogin AND pg_has_role(r.oid, 'countersign_staff', 'MEMBER')) THEN
      RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('%s is not a login in countersign_staff: the administrator of the database makes it first', body ->> 'login');
    END IF;
    INSERT INTO core.staff (login, person, safe_owner)
    VALUES (body ->> 'login', body ->> 'person', CASE WHEN body ->> 'safe_owner' IS NOT NULL THEN core.parse_address(body ->> 'safe_owner') END) RETURNING id INTO made;
  WHEN 'machine.add' THEN
    INSERT INTO core.machines (login, kind, program_id) VALUES (body ->> 'login', body ->> 'kind', (body ->> 'program_id')::uuid);
  WHEN 'grant.add' THEN
    IF (body ->> 'staff_id')::uuid = core.me() THEN
      RAISE EXCEPTION USING ERRCODE = 'CS403', MESSAGE = 'No one confirms a grant to themselves';
    END IF;
    INSERT INTO core.grants (staff_id, program_id, role) VALUES ((body ->> 'staff_id')::uuid, program, body ->> 'role') RETURNING id INTO made;
  WHEN 'grant.revoke' THEN
    UPDATE core.grants SET revoked_at = clock_timestamp()
    WHERE id = (body ->> 'grant_id')::uuid AND program_id IS NOT DISTINCT FROM program AND revoked_at IS NULL RETURNING id INTO made;
    IF made IS NULL THEN
      RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'There is no such grant in force where this change was proposed';
    END IF;
  WHEN 'identity_key.add' THEN
    UPDATE core.identity_keys SET revoked_at = clock_timestamp() WHERE staff_id = p_request.proposed_by AND revoked_at IS NULL;
    INSERT INTO core.identity_keys (staff_id, public_key, confirmed_by)
    VALUES (p_request.proposed_by, decode(body ->> 'public_key', 'hex'), core.me()) RETURNING id INTO made;
  WHEN 'affiliate.add' THEN
    INSERT INTO core.affiliates (program_id, name, wallet, referral_code, parent_id)
    VALUES (program, body ->> 'name', core.parse_address(body ->> 'wallet'), body ->> 'referral_code', (body ->> 'parent_id')::uuid)
    RETURNING id INTO made;
    INSERT INTO core.affiliate_terms (program_id, affiliate_id, version, tier, active, effective_from)
    VALUES (program, made, 1, coalesce(body ->> 'tier', 'standard'), true, '-infinity');
    WITH payee AS (INSERT INTO core.payees (program_id, name, affiliate_id) VALUES (program, body ->> 'name', made) RETURNING id)
    INSERT INTO core.payee_addresses (program_id, payee_id, version, address, payable_from, change_id)
    SELECT program, payee.id, 1, core.parse_address(body ->> 'wallet'), clock_timestamp(), p_request.id FROM payee;
  WHEN 'payee.add' THEN
    made := core.add_payee(program, p_request.id, body);
  WHEN 'payee.address' THEN
    made := core.change_payee_address(program, p_request.id, body);
  WHEN 'payee_cooling.set' THEN
    IF (body ->> 'hours') ~ '^[0-9]{1,3}$' IS NOT TRUE OR (body ->> 'hours')::integer > 720 THEN
      RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'A changed address cools down for 0 to 720 hours';
    END IF;
    UPDATE core.programs SET payee_cooling_hours = (body ->> 'hours')::integer WHERE id = program;
  WHEN 'policy_default.set' THEN
    PERFORM core.set_policy_default(body);
  WHEN 'affiliate.set' THEN
    made := core.set_affiliate_terms(program, body);
  WHEN 'freeze.lift' THEN
    UPDATE core.freezes SET lifted_at = clock_timestamp()
    WHERE program_id = program AND id = (body ->> 'freeze_id')::uuid AND lifted_at IS NULL RETURNING id INTO made;
    IF made IS NULL THEN
      RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'This freeze is lifted already';
    END IF;
  END CASE;
  RETURN made;
END $$;

CREATE FUNCTION core.treasury_account(p_program uuid, p_safe uuid, p_asset uuid) RETURNS uuid LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  SELECT core.account(p_program, 'treasury', 'treasury:' || core.hex_address(s.address), 'Treasury, ' || s.name, p_asset)
  FROM core.safes s WHERE s.program_id = p_program AND s.id = p_safe
$$;

-- One text, one meaning: a key that occurs twice would show one value to a person and apply another.
CREATE FUNCTION core.refuse_ambiguous(p_payload json) RETURNS void LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF json_typeof(p_payload) IS DISTINCT FROM 'object' THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'The payload of a change is a JSON object';
  END IF;
  IF EXISTS (SELECT FROM json_object_keys(p_payload) AS k(name) GROUP BY name HAVING count(*) > 1)
     OR EXISTS (SELECT FROM json_each(p_payload) AS part(name, body), json_object_keys(CASE WHEN json_typeof(part.body) = 'object' THEN part.body ELSE '{}' END) AS k(name)
                GROUP BY part.name, k.name HAVING count(*) > 1) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'The payload of a change names each field once';
  END IF;
END $$;

-- The proposer names the request, so that the signature can name it too.
CREATE FUNCTION api.propose_change(p_request uuid, p_program uuid, p_kind text, p_payload json, p_signature bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  needed core.change_kinds;
  proposer uuid := core.me();
BEGIN
  SELECT * INTO needed FROM core.change_kinds WHERE kind = p_kind;
  IF needed.kind IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('%L is not a kind of change', p_kind);
  END IF;
  IF needed.reach <> 'EITHER' AND (needed.reach = 'PROGRAM') IS DISTINCT FROM (p_program IS NOT NULL) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format(
      CASE needed.reach WHEN 'HOUSE' THEN '%s changes what all programs share: propose it without a program' ELSE '%s changes one program: name it' END, p_kind);
  END IF;
  -- Everybody proposes their own identity key; somebody else confirms it.
  IF p_kind = 'identity_key.add' AND proposer IS NOT NULL THEN
    NULL;
  ELSE
    proposer := core.require(p_program, needed.permission);
  END IF;
  -- Unsigned is only the key with which a person begins to sign.
  IF p_kind <> 'identity_key.add' OR core.active_identity_key(proposer) IS NOT NULL THEN
    PERFORM core.require_signature(proposer, p_signature);
  END IF;
  PERFORM core.refuse_ambiguous(p_payload);
  INSERT INTO core.change_requests (id, program_id, kind, payload, payload_hash, proposed_by, proposed_signature)
  VALUES (p_request, p_program, p_kind, p_payload, sha256(convert_to(p_payload::text, 'UTF8')), proposer, p_signature);
  PERFORM core.audit(p_program, 'change.proposed', p_request, json_build_object('kind', p_kind, 'payload', p_payload));
END $$;

CREATE FUNCTION api.confirm_change(p_request uuid, p_payload_hash bytea, p_signature bytea) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  request core.change_requests;
  confirmer uuid;
  made uuid;
BEGIN
  SELECT * INTO request FROM core.change_requests WHERE id = p_request FOR UPDATE;
  IF request.id IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'There is no such change to confirm';
  END IF;
  confirmer := core.require(request.program_id, (SELECT permission FROM core.change_kinds WHERE kind = request.kind));
  IF request.confirmed_by IS NOT NULL OR request.payload_hash IS DISTINCT FROM p_payload_hash THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'This change is confirmed already, or is not the one you saw';
  END IF;
  IF confirmer = request.proposed_by THEN
    RAISE EXCEPTION USING ERRCODE = 'CS403', MESSAGE = 'You proposed this change: somebody else confirms it';
  END IF;
  -- Unsigned is only the confirmation of the first key of all: nobody has one to sign it with.
  IF request.kind <> 'identity_key.add' OR EXISTS (SELECT FROM core.identity_keys) THEN
    PERFORM core.require_signature(confirmer, p_signature);
  END IF;
  made := core.apply_change(request);
  UPDATE core.change_requests SET confirmed_by = confirmer, confirmed_at = clock_timestamp(), confirmed_signature = p_signature WHERE id = p_request;
  PERFORM core.audit(coalesce(request.program_id, CASE WHEN request.kind = 'program.add' THEN made END), 'change.confirmed', p_request,
                     json_build_object('kind', request.kind, 'made', made));
  RETURN made;
END $$;

CREATE FUNCTION core.guard_change_request() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'DELETE' OR OLD.confirmed_by IS NOT NULL
     OR (NEW.id, NEW.program_id, NEW.kind, NEW.payload::text, NEW.payload_hash, NEW.proposed_by, NEW.proposed_signature)
        IS DISTINCT FROM (OLD.id, OLD.program_id, OLD.kind, OLD.payload::text, OLD.payload_hash, OLD.proposed_by, OLD.proposed_signature) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A proposed change is confirmed as it stands, once';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER change_requests_stand BEFORE UPDATE OR DELETE ON core.change_requests FOR EACH ROW EXECUTE FUNCTION core.guard_change_request();

CREATE FUNCTION api.freeze(p_program uuid, p_scope text, p_noun uuid, p_reason text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
  person uuid := core.require(p_program, 'operate');
  made uuid;
  exists_here boolean;
BEGIN
  exists_here := CASE p_scope
    WHEN 'PROGRAM' THEN p_noun = p_program
    WHEN 'SAFE' THEN EXISTS (SELECT FROM core.safes WHERE program_id = p_program AND id = p_noun)
    WHEN 'BATCH' THEN EXISTS (SELECT FROM core.batches WHERE program_id = p_program AND id = p_noun)
  END;
  IF exists_here IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('There is no %s with this id in the program', lower(coalesce(p_scope, 'scope')));
  END IF;
  IF length(coalesce(trim(p_reason), '')) < 10 THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'Say in at least ten characters why this is frozen';
  END IF;
  -- Once this is committed nothing more is settled: sets that are under way end first. One that hangs does not keep anybody from
  -- freezing, and holds no intent beyond its lease.
  BEGIN
    LOCK TABLE core.freezes IN EXCLUSIVE MODE;
  EXCEPTION WHEN lock_not_available THEN
    NULL;
  END;
  INSERT INTO core.freezes (program_id, scope, noun_id, reason, frozen_by) VALUES (p_program, p_scope, p_noun, p_reason, person) RETURNING id INTO made;
  PERFORM core.audit(p_program, 'freeze.created', made, json_build_object('scope', p_scope, 'noun', p_noun, 'reason', p_reason));
  RETURN made;
END $$;
