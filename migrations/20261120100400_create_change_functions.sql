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

-- What a change does is one function per kind, in the file of its noun and named after the kind: safe.add is done by
-- core.apply_safe_add. A row that a change makes has the id of the change, which both people signed; so nobody can take what
-- was confirmed for one row to be about another.
CREATE FUNCTION core.apply_change(p_request core.change_requests) RETURNS uuid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  made uuid;
BEGIN
  EXECUTE format('SELECT core.%I($1)', 'apply_' || replace(p_request.kind, '.', '_')) INTO made USING p_request;
  RETURN made;
EXCEPTION WHEN integrity_constraint_violation OR data_exception THEN
  -- A constraint says which; its name is a sentence or names table and column.
  RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('This %s cannot be done: %s', p_request.kind, SQLERRM);
END $$;

CREATE FUNCTION core.apply_program_add(p_request core.change_requests) RETURNS uuid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  body jsonb := p_request.payload::jsonb;
  zone text := coalesce(body ->> 'time_zone', 'UTC');
BEGIN
  IF NOT EXISTS (SELECT FROM pg_timezone_names WHERE name = zone) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('%L is not an IANA time zone', zone);
  END IF;
  INSERT INTO core.programs (id, slug, name, time_zone) VALUES (p_request.id, body ->> 'slug', body ->> 'name', zone);
  RETURN p_request.id;
END $$;

-- ACTIVE, PAUSED (what is there is finished, nothing new is taken) or CLOSED (nothing is worked on).
CREATE FUNCTION core.apply_program_status_set(p_request core.change_requests) RETURNS uuid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE core.programs SET status = p_request.payload ->> 'status' WHERE id = p_request.program_id AND status <> p_request.payload ->> 'status';
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('The program is %s already', p_request.payload ->> 'status');
  END IF;
  RETURN p_request.program_id;
END $$;

CREATE FUNCTION core.apply_chain_add(p_request core.change_requests) RETURNS uuid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  body jsonb := p_request.payload::jsonb;
BEGIN
  INSERT INTO core.chains (id, name, confirmation_depth, gas_max)
  VALUES ((body ->> 'chain_id')::bigint, body ->> 'name', (body ->> 'confirmation_depth')::integer, (body ->> 'gas_max')::bigint);
  RETURN NULL;
END $$;

CREATE FUNCTION core.apply_asset_add(p_request core.change_requests) RETURNS uuid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  body jsonb := p_request.payload::jsonb;
BEGIN
  INSERT INTO core.assets (program_id, id, chain_id, token, symbol, decimals, pegged_to)
  VALUES (p_request.program_id, p_request.id, (body ->> 'chain_id')::bigint,
          CASE WHEN body ->> 'token' IS NOT NULL THEN core.parse_address(body ->> 'token') END,
          body ->> 'symbol', (body ->> 'decimals')::smallint, body ->> 'pegged_to');
  PERFORM core.give_default_policies(p_request.program_id, p_request.id);
  RETURN p_request.id;
END $$;

CREATE FUNCTION core.apply_safe_add(p_request core.change_requests) RETURNS uuid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  body jsonb := p_request.payload::jsonb;
  owner_text text;
BEGIN
  -- Its money is in one set of books. Two people of a program add it, as everything; what another program's two people added by
  -- mistake or on purpose holds no money there without an opening balance, and its owners decide who is paid.
  IF EXISTS (SELECT FROM core.safes s WHERE s.chain_id = (body ->> 'chain_id')::bigint AND s.address = core.parse_address(body ->> 'address')) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('The Safe %s belongs to a program already: a Safe pays for one program only', body ->> 'address');
  END IF;
  INSERT INTO core.safes (program_id, id, name, chain_id, address, version, singleton, fallback_handler, threshold)
  VALUES (p_request.program_id, p_request.id, body ->> 'name', (body ->> 'chain_id')::bigint, core.parse_address(body ->> 'address'), body ->> 'version',
          core.parse_address(body ->> 'singleton'), core.parse_address(body ->> 'fallback_handler'), (body ->> 'threshold')::integer);
  FOR owner_text IN SELECT jsonb_array_elements_text(body -> 'owners') LOOP
    INSERT INTO core.safe_owners (program_id, safe_id, owner) VALUES (p_request.program_id, p_request.id, core.parse_address(owner_text));
  END LOOP;
  IF (SELECT count(*) FROM core.safe_owners WHERE program_id = p_request.program_id AND safe_id = p_request.id) < (body ->> 'threshold')::integer THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'The threshold of a Safe is at most the number of its owners';
  END IF;
  RETURN p_request.id;
END $$;

CREATE FUNCTION core.treasury_account(p_program uuid, p_safe uuid, p_asset uuid) RETURNS uuid LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  SELECT core.account(p_program, 'treasury', 'treasury:' || core.hex_address(s.address), 'Treasury, ' || s.name, p_asset)
  FROM core.safes s WHERE s.program_id = p_program AND s.id = p_safe
$$;

CREATE FUNCTION core.apply_affiliate_add(p_request core.change_requests) RETURNS uuid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  body jsonb := p_request.payload::jsonb;
BEGIN
  INSERT INTO core.affiliates (program_id, id, name, wallet, referral_code, parent_id)
  VALUES (p_request.program_id, p_request.id, body ->> 'name', core.parse_address(body ->> 'wallet'), body ->> 'referral_code', (body ->> 'parent_id')::uuid);
  INSERT INTO core.affiliate_terms (program_id, affiliate_id, version, tier, active, effective_from)
  VALUES (p_request.program_id, p_request.id, 1, coalesce(body ->> 'tier', 'standard'), true, '-infinity');
  INSERT INTO core.payees (program_id, id, name, affiliate_id) VALUES (p_request.program_id, p_request.id, body ->> 'name', p_request.id);
  INSERT INTO core.payee_addresses (program_id, payee_id, version, address, payable_from, change_id)
  VALUES (p_request.program_id, p_request.id, 1, core.parse_address(body ->> 'wallet'), clock_timestamp(), p_request.id);
  RETURN p_request.id;
END $$;

CREATE FUNCTION core.apply_freeze_lift(p_request core.change_requests) RETURNS uuid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  made uuid;
BEGIN
  -- With it go all others that were there when this was proposed: one person alone must not make work for two without an end.
  SELECT f.id INTO made FROM core.freezes f
  WHERE f.program_id = p_request.program_id AND f.id = (p_request.payload ->> 'freeze_id')::uuid AND f.lifted_at IS NULL FOR NO KEY UPDATE;
  UPDATE core.freezes f SET lifted_at = clock_timestamp()
  FROM core.freezes named
  WHERE named.program_id = p_request.program_id AND named.id = made AND f.program_id = named.program_id AND f.noun_id = named.noun_id
    AND f.lifted_at IS NULL AND f.frozen_at <= p_request.proposed_at;
  IF made IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'This freeze is lifted already';
  END IF;
  RETURN made;
END $$;

-- One text, one meaning: a key that occurs twice would show one value to a person and apply another.
CREATE FUNCTION core.refuse_ambiguous(p_payload json) RETURNS void LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF json_typeof(p_payload) IS DISTINCT FROM 'object' OR octet_length(p_payload::text) > 65536 THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'The payload of a change is a JSON object of at most 65,536 bytes';
  END IF;
  IF EXISTS (SELECT FROM json_object_keys(p_payload) AS k(name) GROUP BY name HAVING count(*) > 1)
     OR EXISTS (SELECT FROM json_each(p_payload) AS part(name, body), json_object_keys(CASE WHEN json_typeof(part.body) = 'object' THEN part.body ELSE '{}' END) AS k(name)
                GROUP BY part.name, k.name HAVING count(*) > 1) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'The payload of a change names each field once';
  END IF;
END $$;

-- What both people sign: the kind and the exact text of a change, byte for byte as domain::change hashes it.
CREATE FUNCTION core.change_hash(p_kind text, p_payload json) RETURNS bytea LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS
$$ SELECT sha256(core.field('countersign/change/1'::text) || core.field(p_kind) || core.field(p_payload::text)) $$;

-- The proposer names the request, so that the signature can name it too.
CREATE FUNCTION api.propose_change(p_request uuid, p_program uuid, p_kind text, p_payload json, p_signature bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  needed core.change_kinds;
  proposer uuid := core.me();
BEGIN
  PERFORM core.refuse_old_snapshot();
  SELECT * INTO needed FROM core.change_kinds WHERE kind = p_kind;
  IF needed.kind IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('%L is not a kind of change', p_kind);
  END IF;
  IF needed.reach <> 'EITHER' AND (needed.reach = 'PROGRAM') IS DISTINCT FROM (p_program IS NOT NULL) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format(
      CASE needed.reach WHEN 'HOUSE' THEN '%s changes what all programs share: propose it without a program' ELSE '%s changes one program: name it' END, p_kind);
  END IF;
  -- Everybody proposes their own identity key, signed with that very key; somebody else confirms it.
  IF p_kind = 'identity_key.add' AND proposer IS NOT NULL THEN
    PERFORM core.refuse_foreign_key(proposer, p_payload, p_signature);
  ELSE
    proposer := core.require(p_program, needed.permission);
    PERFORM core.require_signature(proposer, p_signature);
  END IF;
  INSERT INTO core.change_requests (id, program_id, kind, payload, content_hash, proposed_by, proposed_signature)
  VALUES (p_request, p_program, p_kind, p_payload, core.change_hash(p_kind, p_payload), proposer, p_signature);
  PERFORM core.audit(p_program, 'change.proposed', p_request, json_build_object('kind', p_kind, 'payload', p_payload));
END $$;

CREATE FUNCTION api.confirm_change(p_request uuid, p_content_hash bytea, p_signature bytea) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  request core.change_requests;
  needed text;
  confirmer uuid;
  made uuid;
BEGIN
  SELECT * INTO request FROM core.change_requests WHERE id = p_request FOR UPDATE;
  IF request.id IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'There is no such change to confirm';
  END IF;
  SELECT permission INTO needed FROM core.change_kinds WHERE kind = request.kind;
  confirmer := core.require(request.program_id, needed);
  IF request.confirmed_by IS NOT NULL OR request.content_hash IS DISTINCT FROM p_content_hash THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'This change is confirmed already, or is not the one you saw';
  END IF;
  IF request.withdrawn_by IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('This change was withdrawn by %s: %s. Propose it again if it is wanted after all',
      (SELECT s.person FROM core.staff s WHERE s.id = request.withdrawn_by), request.withdrawn_reason);
  END IF;
  IF confirmer = request.proposed_by THEN
    RAISE EXCEPTION USING ERRCODE = 'CS403', MESSAGE = 'You proposed this change: somebody else confirms it';
  END IF;
  -- Unsigned is only the confirmation of the first key of all: nobody has one to sign it with.
  IF request.kind <> 'identity_key.add' OR EXISTS (SELECT FROM core.identity_keys) THEN
    PERFORM core.require_signature(confirmer, p_signature);
  END IF;
  -- What a person proposed ends with what they may do.
  IF NOT (core.holds(request.proposed_by, request.program_id, needed)
          OR (request.kind = 'identity_key.add' AND EXISTS (SELECT FROM core.staff s WHERE s.id = request.proposed_by AND s.revoked_at IS NULL))) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('Whoever proposed this change no longer has the permission %s here: somebody who has it proposes it again', needed);
  END IF;
  -- One after another, so that confirmed_at is the order in which they took effect: in it clients replay them.
  PERFORM 1 FROM core.programs p WHERE p.id = request.program_id FOR NO KEY UPDATE;
  UPDATE core.change_requests SET confirmed_by = confirmer, confirmed_at = clock_timestamp(), confirmed_in = pg_current_xact_id(), confirmed_signature = p_signature
  WHERE id = p_request RETURNING * INTO request;
  made := core.apply_change(request);
  PERFORM core.audit(coalesce(request.program_id, CASE WHEN request.kind = 'program.add' THEN made END), 'change.confirmed', p_request,
                     json_build_object('kind', request.kind, 'made', made));
  RETURN made;
END $$;

-- Whoever proposed a change takes it back; anybody else who could confirm it turns it down. What takes a power away or lifts a freeze
-- only its proposer withdraws: one person alone must not keep two others from removing them.
CREATE FUNCTION api.withdraw_change(p_request uuid, p_reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  request core.change_requests;
  person uuid := core.me();
BEGIN
  PERFORM core.refuse_old_snapshot();
  SELECT * INTO request FROM core.change_requests WHERE id = p_request FOR UPDATE;
  IF request.id IS NULL OR person IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'There is no such change to withdraw';
  END IF;
  IF person <> request.proposed_by THEN
    IF request.kind IN ('staff.revoke', 'grant.revoke', 'machine.revoke', 'freeze.lift') THEN
      RAISE EXCEPTION USING ERRCODE = 'CS403', MESSAGE = format('Only whoever proposed a %s withdraws it: nobody stops alone what takes a power or a freeze away', request.kind);
    END IF;
    person := core.require(request.program_id, (SELECT permission FROM core.change_kinds WHERE kind = request.kind));
  END IF;
  IF request.confirmed_by IS NOT NULL OR request.withdrawn_by IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'This change is confirmed or withdrawn already';
  END IF;
  IF length(coalesce(trim(p_reason), '')) NOT BETWEEN 10 AND 1000 THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'Say in ten to a thousand characters why this is withdrawn';
  END IF;
  UPDATE core.change_requests SET withdrawn_by = person, withdrawn_at = clock_timestamp(), withdrawn_reason = trim(p_reason) WHERE id = p_request;
  PERFORM core.audit(request.program_id, 'change.withdrawn', p_request, json_build_object('kind', request.kind, 'reason', trim(p_reason)));
END $$;

CREATE FUNCTION core.guard_change_request() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF num_nonnulls(NEW.confirmed_by, NEW.confirmed_at, NEW.confirmed_in, NEW.confirmed_signature, NEW.withdrawn_by, NEW.withdrawn_at, NEW.withdrawn_reason) > 0 OR NEW.content_hash <> core.change_hash(NEW.kind, NEW.payload) THEN
      RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A change is proposed with the hash of its own text, and confirmed later by somebody else';
    END IF;
    PERFORM core.refuse_ambiguous(NEW.payload);
    PERFORM core.refuse_bad_fields(NEW.kind, NEW.payload::jsonb);
    RETURN NEW;
  END IF;
  IF TG_OP = 'UPDATE' AND OLD.confirmed_by IS NULL AND NEW.confirmed_by IS NOT NULL AND (NEW.confirmed_in IS DISTINCT FROM pg_current_xact_id()
     OR (NEW.confirmed_signature IS NULL AND (NEW.kind <> 'identity_key.add' OR EXISTS (SELECT FROM core.identity_keys)))) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A change is confirmed with a signature, now';
  END IF;
  IF TG_OP = 'DELETE' OR OLD.confirmed_by IS NOT NULL OR OLD.withdrawn_by IS NOT NULL
     OR (NEW.id, NEW.program_id, NEW.kind, NEW.payload::text, NEW.content_hash, NEW.proposed_by, NEW.proposed_signature)
        IS DISTINCT FROM (OLD.id, OLD.program_id, OLD.kind, OLD.payload::text, OLD.content_hash, OLD.proposed_by, OLD.proposed_signature) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A proposed change is confirmed as it stands, once';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER change_requests_stand BEFORE INSERT OR UPDATE OR DELETE ON core.change_requests FOR EACH ROW EXECUTE FUNCTION core.guard_change_request();

CREATE FUNCTION api.freeze(p_program uuid, p_scope text, p_noun uuid, p_reason text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
  IF length(coalesce(trim(p_reason), '')) NOT BETWEEN 10 AND 1000 THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'Say in ten to a thousand characters why this is frozen';
  END IF;
  -- Waits for nobody, and nobody waits for it: who holds a lock in an open transaction must not keep others from freezing.
  INSERT INTO core.freezes (program_id, scope, noun_id, reason, frozen_by) VALUES (p_program, p_scope, p_noun, p_reason, person) RETURNING id INTO made;
  PERFORM core.audit(p_program, 'freeze.created', made, json_build_object('scope', p_scope, 'noun', p_noun, 'reason', p_reason));
  RETURN made;
END $$;
