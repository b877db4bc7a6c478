-- A rejection: the Safe calls itself with nothing at the nonce of a leg that must not be paid, so that the nonce is gone and the
-- leg's signatures with it (law 6). It is asked for with a reason, signed by the Safe's owners and sent by the executor like a leg;
-- that its nonce is used for good is seen by the watcher, which frees the lines (api.record_replaced). It has no state of its own: what was
-- asked, signed and sent are rows, and how it ended is the state of its leg.
--
-- A freeze stops payments, never a rejection: otherwise one would have to lift it, and let the payment go, to reject the payment.

CREATE TABLE core.rejections (
  program_id uuid NOT NULL,
  safe_transaction_id uuid NOT NULL,
  nonce bigint NOT NULL CHECK (nonce >= 0),
  reason text NOT NULL CHECK (length(reason) BETWEEN 10 AND 1000),
  asked_by uuid NOT NULL REFERENCES core.staff,
  asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (program_id, safe_transaction_id),
  FOREIGN KEY (program_id, safe_transaction_id) REFERENCES core.safe_transactions
);
CALL core.make_append_only('rejections');

-- A bearer cheque too: whoever holds enough of them can use the nonce. Each names the hash it is over, which the executor makes itself:
-- one over another hash counts for nothing and keeps nobody else's from counting.
CREATE TABLE core.rejection_signatures (
  program_id uuid NOT NULL,
  safe_transaction_id uuid NOT NULL,
  safe_id uuid NOT NULL,
  owner bytea NOT NULL,
  staff_id uuid NOT NULL REFERENCES core.staff,
  safe_tx_hash bytea NOT NULL CHECK (length(safe_tx_hash) = 32),
  key_kind text NOT NULL CHECK (key_kind IN ('SOFTWARE', 'LEDGER')),
  signature bytea NOT NULL CHECK (length(signature) = 65),
  signed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (program_id, safe_transaction_id, owner),
  FOREIGN KEY (program_id, safe_transaction_id) REFERENCES core.rejections,
  FOREIGN KEY (program_id, safe_id, owner) REFERENCES core.safe_owners
);
CALL core.make_append_only('rejection_signatures');
ALTER TABLE core.submissions ADD COLUMN rejected_id uuid GENERATED ALWAYS AS (CASE WHEN is_rejection THEN safe_transaction_id END) STORED,
  ADD CONSTRAINT only_what_was_asked_for_is_rejected FOREIGN KEY (program_id, rejected_id) REFERENCES core.rejections;

-- The most owners who signed one hash for the rejection of a leg.
CREATE FUNCTION core.rejection_signers(p_program uuid, p_leg uuid) RETURNS integer LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(max(n), 0)::integer FROM (
    SELECT count(*) AS n FROM core.rejection_signatures g WHERE g.program_id = p_program AND g.safe_transaction_id = p_leg GROUP BY g.safe_tx_hash) one
$$;

-- Whether enough owners signed the rejection of a leg for the Safe to take it.
CREATE FUNCTION core.is_rejection_signed(p_leg core.safe_transactions) RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT core.rejection_signers(p_leg.program_id, p_leg.id) >= s.threshold FROM core.safes s WHERE s.program_id = p_leg.program_id AND s.id = p_leg.safe_id
$$;

-- Whether the nonce of a leg can still be rejected; a sentence when it cannot.
CREATE FUNCTION core.refuse_unrejectable(p_leg core.safe_transactions) RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF p_leg.nonce IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('Leg %s has no nonce: nothing of it was signed, and its batch can be cancelled', p_leg.leg_index);
  END IF;
  -- One in a block may have failed there: then its nonce is open, and its signatures are good.
  IF p_leg.state NOT IN ('PROPOSED', 'SIGNED', 'SUBMITTED', 'MINED')
     OR EXISTS (SELECT FROM core.safes s WHERE s.program_id = p_leg.program_id AND s.id = p_leg.safe_id AND s.observed_nonce > p_leg.nonce) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('Nonce %s of leg %s is used already: there is nothing left to reject', p_leg.nonce, p_leg.leg_index);
  END IF;
END $$;

-- Signed by a person with the owner key that is registered as theirs, while there is something to reject, and only once the leg
-- counts as signed, so that its nonce is given to no other batch.
CREATE FUNCTION core.guard_rejection_signature() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  leg core.safe_transactions;
BEGIN
  SELECT * INTO leg FROM core.safe_transactions t WHERE t.program_id = NEW.program_id AND t.id = NEW.safe_transaction_id;
  PERFORM core.refuse_unrejectable(leg);
  IF leg.safe_tx_hash IS NULL OR leg.safe_id <> NEW.safe_id OR leg.safe_tx_hash = NEW.safe_tx_hash THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A rejection is signed for its own leg, and is not the leg itself';
  END IF;
  IF NOT EXISTS (SELECT FROM core.staff s WHERE s.id = NEW.staff_id AND s.safe_owner = NEW.owner AND s.revoked_at IS NULL) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A person signs with the owner key that is registered as theirs';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER rejection_signatures_hold_their_rules BEFORE INSERT ON core.rejection_signatures FOR EACH ROW EXECUTE FUNCTION core.guard_rejection_signature();

-- A rejection is sent when enough owners signed it, and from then on our executor does not send the payment that they reject.
CREATE FUNCTION core.guard_submission() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  leg core.safe_transactions;
BEGIN
  SELECT * INTO leg FROM core.safe_transactions t WHERE t.program_id = NEW.program_id AND t.id = NEW.safe_transaction_id;
  -- What failed in its block used its nonce up, unless the block went or never was: then the chain still asks for this nonce.
  NEW.nonce_use := 1 + (SELECT count(*) FROM core.submissions u WHERE u.chain_id = NEW.chain_id AND u.executor = NEW.executor AND u.executor_nonce = NEW.executor_nonce
    AND u.sender = NEW.sender AND core.is_reverted(u));
  IF NEW.attempt > core.next_attempt(NEW.program_id, NEW.safe_transaction_id, NEW.is_rejection, NEW.sender) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A leg is sent again only when what was sent before failed in its block';
  END IF;
  -- Each time costs gas, and what fails three times fails a fourth time: a person looks. A rejection goes on, for nobody else sends it.
  IF NEW.attempt > 3 AND NOT NEW.is_rejection AND NEW.sender = '00000000-0000-0000-0000-000000000000' THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('What was sent for leg %s failed in its block three times, so the executor sends it no more: look at these transactions, then send it with a key of your own (countersign batch execute), or ask for its rejection', leg.leg_index);
  END IF;
  IF NEW.is_rejection THEN
    PERFORM core.refuse_unrejectable(leg);
    IF NOT core.is_rejection_signed(leg) THEN
      RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'This rejection needs more signatures before it is sent';
    END IF;
  ELSIF core.is_rejection_signed(leg) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('Enough owners signed the rejection of leg %s: it is not paid', leg.leg_index);
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER submissions_hold_their_rules BEFORE INSERT ON core.submissions FOR EACH ROW EXECUTE FUNCTION core.guard_submission();

-- Asks the owners to use up the nonces of legs, by somebody who operates: to stop a payment needs fewer people than to make one.
CREATE FUNCTION api.ask_rejection(p_program uuid, p_batch uuid, p_legs integer[], p_reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  person uuid := core.require(p_program, 'operate');
  batch core.batches := core.lock_batch(p_program, p_batch);
  leg core.safe_transactions;
  asked integer;
BEGIN
  PERFORM core.require_reason(p_reason);
  IF (cardinality(p_legs) BETWEEN 1 AND 1000 AND array_position(p_legs, NULL) IS NULL) IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'Name the legs whose nonces are to be rejected';
  END IF;
  FOREACH asked IN ARRAY p_legs LOOP
    SELECT * INTO leg FROM core.safe_transactions t WHERE t.program_id = p_program AND t.batch_id = p_batch AND t.leg_index = asked;
    IF leg.id IS NULL THEN
      RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('Batch %s has no leg %s', batch.number, asked);
    END IF;
    PERFORM core.refuse_unrejectable(leg);
    INSERT INTO core.rejections (program_id, safe_transaction_id, nonce, reason, asked_by) VALUES (p_program, leg.id, leg.nonce, p_reason, person);
    PERFORM core.audit(p_program, 'rejection.asked', leg.id, json_build_object('batch', batch.number, 'leg', asked, 'nonce', leg.nonce, 'by', person, 'reason', p_reason));
  END LOOP;
EXCEPTION WHEN unique_violation THEN
  RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('The rejection of leg %s was asked for already: the owners sign it', asked);
END $$;

-- Stores one owner's signature over a rejection; answers how many there are over that hash. Whoever signs it needs not have approved the
-- batch, and may have prepared it: nothing is paid by it. p_leg_hash is the leg's own hash, which is fixed with the first
-- signature of either, so that the nonce is given to no other batch.
CREATE FUNCTION api.sign_rejection(p_program uuid, p_batch uuid, p_leg integer, p_leg_hash bytea, p_safe_tx_hash bytea, p_key_kind text, p_signature bytea) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  signer uuid := core.require(p_program, 'approve');
  batch core.batches := core.lock_batch(p_program, p_batch);
  leg core.safe_transactions;
  owner_key bytea;
  broken text;
BEGIN
  SELECT * INTO leg FROM core.safe_transactions WHERE program_id = p_program AND batch_id = p_batch AND leg_index = p_leg FOR UPDATE;
  IF leg.id IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('Batch %s has no leg %s', batch.number, p_leg);
  END IF;
  IF length(p_leg_hash) IS DISTINCT FROM 32 OR length(p_safe_tx_hash) IS DISTINCT FROM 32 OR length(p_signature) IS DISTINCT FROM 65 OR p_key_kind IN ('SOFTWARE', 'LEDGER') IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'A rejection is signed with two hashes of 32 bytes, a signature of 65 bytes and the kind of key, SOFTWARE or LEDGER';
  END IF;
  IF NOT EXISTS (SELECT FROM core.rejections r WHERE r.program_id = p_program AND r.safe_transaction_id = leg.id) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('Nobody asked for the rejection of leg %s', p_leg);
  END IF;
  PERFORM core.refuse_unrejectable(leg);
  IF leg.safe_tx_hash IS NOT NULL AND leg.safe_tx_hash <> p_leg_hash THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'This leg has another hash here. Sign nothing; freeze the Safe and compare machines';
  END IF;
  SELECT s.safe_owner INTO owner_key FROM core.staff s WHERE s.id = signer;
  IF owner_key IS NULL OR NOT EXISTS (SELECT FROM core.safe_owners o WHERE o.program_id = p_program AND o.safe_id = leg.safe_id AND o.owner = owner_key) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS403', MESSAGE = 'You hold no owner key of this Safe';
  END IF;
  UPDATE core.safe_transactions SET safe_tx_hash = p_leg_hash WHERE program_id = p_program AND id = leg.id AND safe_tx_hash IS NULL;
  INSERT INTO core.rejection_signatures (program_id, safe_transaction_id, safe_id, owner, staff_id, safe_tx_hash, key_kind, signature)
  VALUES (p_program, leg.id, leg.safe_id, owner_key, signer, p_safe_tx_hash, p_key_kind, p_signature);
  PERFORM core.audit(p_program, 'rejection.signed', leg.id, json_build_object('batch', batch.number, 'leg', p_leg, 'nonce', leg.nonce, 'safe_tx_hash', encode(p_safe_tx_hash, 'hex'), 'owner', core.hex_address(owner_key), 'key', p_key_kind));
  RETURN (SELECT count(*) FROM core.rejection_signatures g WHERE g.program_id = p_program AND g.safe_transaction_id = leg.id AND g.safe_tx_hash = p_safe_tx_hash);
EXCEPTION WHEN unique_violation THEN
  GET STACKED DIAGNOSTICS broken = CONSTRAINT_NAME;
  RAISE EXCEPTION USING ERRCODE = 'CS409', CONSTRAINT = broken, MESSAGE = CASE broken
    WHEN 'rejection_signatures_pkey' THEN 'You signed this rejection already'
    ELSE 'This hash belongs to another leg already. Sign nothing; freeze the Safe and compare machines' END;
END $$;

-- Rejections that are signed, as work of the executor: those that were sent before (for a day after their leg ended, whose nonce of the
-- executor has to be used before its later ones count), and those that are to be sent. Frozen or not. Signatures only for who may execute.
CREATE FUNCTION core.rejection_work(p_chain bigint, p_with_signatures boolean) RETURNS SETOF core.leg_work LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT w.program_id, w.leg_id, w.batch_id, w.leg_index, CASE WHEN t.state NOT IN ('PROPOSED', 'SIGNED', 'SUBMITTED', 'MINED') THEN t.state WHEN u.executor IS NULL THEN 'SIGNED' ELSE 'SUBMITTED' END,
    w.chain_id, w.confirmation_depth, w.safe_id, w.safe_address, w.safe_version, w.threshold, w.safe_address, w.nonce,
    (SELECT mode() WITHIN GROUP (ORDER BY g.safe_tx_hash) FROM core.rejection_signatures g WHERE g.program_id = t.program_id AND g.safe_transaction_id = t.id),
    sent.hashes[1], CASE WHEN p_with_signatures THEN sent.newest END, NULL::bigint, NULL::bytea, '[]'::jsonb,
    CASE WHEN p_with_signatures THEN (SELECT jsonb_agg(jsonb_build_object('owner', core.hex_address(g.owner), 'signature', '0x' || encode(g.signature, 'hex')) ORDER BY g.owner)
     FROM core.rejection_signatures g WHERE g.program_id = t.program_id AND g.safe_transaction_id = t.id) END,
    w.gas_max, (SELECT min(g.signed_at) FROM core.rejection_signatures g WHERE g.program_id = t.program_id AND g.safe_transaction_id = t.id),
    false, coalesce(sent.hashes, '{}'), extract(epoch FROM clock_timestamp() - sent.at)::bigint, true, u.executor_nonce
  FROM core.rejections r JOIN core.safe_transactions t ON t.program_id = r.program_id AND t.id = r.safe_transaction_id
  CROSS JOIN LATERAL core.leg_work(t, false) w
  LEFT JOIN core.submissions u ON u.program_id = t.program_id AND u.safe_transaction_id = t.id AND u.is_rejection AND NOT core.is_reverted(u)
  CROSS JOIN LATERAL (SELECT array_agg(o.ethereum_tx_hash ORDER BY o.recorded_at DESC) AS hashes, (array_agg(o.raw_transaction ORDER BY o.recorded_at DESC))[1] AS newest, max(o.recorded_at) AS at
    FROM core.broadcasts o WHERE o.program_id = t.program_id AND o.safe_transaction_id = t.id AND o.is_rejection AND o.attempt = u.attempt) sent
  WHERE w.chain_id = p_chain AND core.is_rejection_signed(t)
    AND (t.state IN ('PROPOSED', 'SIGNED', 'SUBMITTED', 'MINED') OR u.submitted_at > clock_timestamp() - interval '1 day')
$$;

-- Recorded before it is sent, like a leg: whoever records it first is the one who sends it.
CREATE FUNCTION api.record_rejection(p_program uuid, p_leg uuid, p_tx_hash bytea, p_raw bytea, p_executor bytea, p_executor_nonce bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  leg core.safe_transactions;
  attempt smallint;
  broken text;
BEGIN
  PERFORM core.require_machine('executor');
  leg := core.lock_leg(p_program, p_leg);
  attempt := core.next_attempt(p_program, p_leg, true, '00000000-0000-0000-0000-000000000000');
  INSERT INTO core.submissions (program_id, safe_transaction_id, is_rejection, attempt, chain_id, executor, executor_nonce)
  SELECT p_program, p_leg, true, attempt, s.chain_id, p_executor, p_executor_nonce FROM core.safes s WHERE s.program_id = p_program AND s.id = leg.safe_id;
  INSERT INTO core.broadcasts (program_id, safe_transaction_id, is_rejection, attempt, ethereum_tx_hash, raw_transaction) VALUES (p_program, p_leg, true, attempt, p_tx_hash, p_raw);
  PERFORM core.audit(p_program, 'rejection.submitted', p_leg, json_build_object('nonce', leg.nonce, 'tx', encode(p_tx_hash, 'hex'), 'executor', core.hex_address(p_executor), 'attempt', attempt));
EXCEPTION
  WHEN unique_violation THEN
    GET STACKED DIAGNOSTICS broken = CONSTRAINT_NAME;
    RAISE EXCEPTION USING ERRCODE = 'CS409', CONSTRAINT = broken, MESSAGE = CASE broken WHEN 'submissions_pkey' THEN 'This rejection was sent already'
      ELSE format('Nonce %s of this executor is taken: nothing is sent, and this rejection is prepared again', p_executor_nonce) END;
  WHEN foreign_key_violation OR not_null_violation THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'There is no such rejection to send';
END $$;

-- The same at the same nonce of the executor with a higher fee.
CREATE FUNCTION api.record_rejection_replacement(p_program uuid, p_leg uuid, p_tx_hash bytea, p_raw bytea, p_executor bytea, p_executor_nonce bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  leg core.safe_transactions;
  sent core.submissions;
BEGIN
  PERFORM core.require_machine('executor');
  leg := core.lock_leg(p_program, p_leg);
  SELECT * INTO sent FROM core.submissions u WHERE u.program_id = p_program AND u.safe_transaction_id = p_leg AND u.is_rejection AND u.executor = p_executor AND u.executor_nonce = p_executor_nonce;
  IF sent.attempt IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'Only what this executor sent at this nonce is replaced';
  END IF;
  PERFORM core.refuse_unrejectable(leg);
  INSERT INTO core.broadcasts (program_id, safe_transaction_id, is_rejection, attempt, ethereum_tx_hash, raw_transaction) VALUES (p_program, p_leg, true, sent.attempt, p_tx_hash, p_raw);
  PERFORM core.audit(p_program, 'rejection.fee_raised', p_leg, json_build_object('nonce', leg.nonce, 'tx', encode(p_tx_hash, 'hex')));
EXCEPTION WHEN unique_violation THEN
  RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'These bytes were recorded before';
END $$;
