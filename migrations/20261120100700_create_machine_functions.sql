-- The executor sends what is signed, once; the watcher writes what the chain says (laws 7 and 8).

-- Lines of a leg in the order in which the plan pays them.
CREATE FUNCTION core.leg_lines(p_program uuid, p_batch uuid, p_leg integer) RETURNS jsonb LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT jsonb_agg(jsonb_build_object('payout_id', p.id, 'line_no', p.line_no, 'asset_id', p.asset_id,
      'token', CASE WHEN a.token IS NOT NULL THEN core.hex_address(a.token) END, 'recipient', core.hex_address(p.recipient), 'amount', p.amount::text)
    ORDER BY (a.token IS NULL), a.token, p.line_no)
  FROM core.payouts p JOIN core.assets a ON a.program_id = p.program_id AND a.id = p.asset_id
  WHERE p.program_id = p_program AND p.batch_id = p_batch AND p.leg_index = p_leg
$$;

-- A leg as who executes or watches needs it. Signatures, and the newest bytes with them, only for who may execute. Overdue is what
-- was handed to the chain ten minutes ago and is in no block. The hashes are of everything that our
-- executor sent for it and that did not fail in its block, newest first, and the seconds are since it made the newest. A rejection is work of the same shape, without lines.
CREATE TYPE core.leg_work AS (
  program_id uuid, leg_id uuid, batch_id uuid, leg_index integer, state text, chain_id bigint, confirmation_depth integer, safe_id uuid,
  safe_address bytea, safe_version text, threshold integer, to_address bytea, nonce bigint, safe_tx_hash bytea, ethereum_tx_hash bytea,
  raw_transaction bytea, block_number bigint, block_hash bytea, lines jsonb, signatures jsonb, gas_max bigint, first_signed_at timestamptz, is_overdue boolean,
  sent_hashes bytea[], sent_secs_ago bigint, is_rejection boolean, executor_nonce bigint);

CREATE FUNCTION core.leg_work(p_leg core.safe_transactions, p_with_signatures boolean) RETURNS core.leg_work LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT p_leg.program_id, p_leg.id, p_leg.batch_id, p_leg.leg_index, p_leg.state, s.chain_id, c.confirmation_depth, s.id, s.address, s.version, s.threshold,
    p_leg.to_address, p_leg.nonce, p_leg.safe_tx_hash, p_leg.ethereum_tx_hash,
    CASE WHEN p_with_signatures THEN sent.newest END,
    p_leg.block_number, p_leg.block_hash, core.leg_lines(p_leg.program_id, p_leg.batch_id, p_leg.leg_index),
    CASE WHEN p_with_signatures THEN (SELECT jsonb_agg(jsonb_build_object('owner', core.hex_address(g.owner), 'signature', '0x' || encode(g.signature, 'hex'), 'child', core.hex_address(g.child), 'child_threshold', o.threshold) ORDER BY g.owner)
      FROM core.signatures g LEFT JOIN core.safes o ON g.child IS NOT NULL AND o.program_id = g.program_id AND o.id = g.owner_safe_id WHERE g.program_id = p_leg.program_id AND g.safe_transaction_id = p_leg.id) END,
    c.gas_max, (SELECT min(g.signed_at) FROM core.signatures g WHERE g.program_id = p_leg.program_id AND g.safe_transaction_id = p_leg.id),
    coalesce(p_leg.state = 'SUBMITTED' AND p_leg.submitted_at < clock_timestamp() - interval '10 minutes', false),
    coalesce(sent.hashes, '{}'), extract(epoch FROM clock_timestamp() - sent.at)::bigint, false, sent.executor_nonce
  FROM core.safes s JOIN core.chains c ON c.id = s.chain_id
  CROSS JOIN LATERAL (SELECT array_agg(o.ethereum_tx_hash ORDER BY o.recorded_at DESC) AS hashes, (array_agg(o.raw_transaction ORDER BY o.recorded_at DESC) FILTER (WHERE sender = '00000000-0000-0000-0000-000000000000'))[1] AS newest,
      max(o.recorded_at) FILTER (WHERE sender = '00000000-0000-0000-0000-000000000000') AS at, max(u.executor_nonce) FILTER (WHERE sender = '00000000-0000-0000-0000-000000000000') AS executor_nonce
    FROM core.submissions u JOIN core.broadcasts o USING (program_id, safe_transaction_id, is_rejection, sender, attempt)
    WHERE u.program_id = p_leg.program_id AND u.safe_transaction_id = p_leg.id AND NOT u.is_rejection AND NOT core.is_reverted(u)) sent
  WHERE s.program_id = p_leg.program_id AND s.id = p_leg.safe_id
$$;

-- What the executor has to send: first what it sent before, in the order of its own nonces, then SIGNED legs of batches
-- handed to it, in the order of the Safe's. What it sent for a leg that somebody else executed or replaced is sent on for a day:
-- its nonce has to be used before later ones count. A leg that enough owners reject waits for its rejection, which is sent instead, and one
-- that a person is sending waits for ten minutes.
CREATE FUNCTION api.executor_work(p_chain bigint) RETURNS SETOF core.leg_work LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM core.require_machine('executor');
  RETURN QUERY
  SELECT w.* FROM (
    SELECT l.* FROM core.safe_transactions t
    JOIN core.batches b ON b.program_id = t.program_id AND b.id = t.batch_id
    JOIN core.safes s ON s.program_id = t.program_id AND s.id = t.safe_id AND s.chain_id = p_chain
    LEFT JOIN core.submissions u ON u.program_id = t.program_id AND u.safe_transaction_id = t.id AND NOT u.is_rejection AND u.sender = '00000000-0000-0000-0000-000000000000' AND NOT core.is_reverted(u)
    CROSS JOIN LATERAL core.leg_work(t, true) l
    WHERE ((t.state IN ('SIGNED', 'SUBMITTED') AND b.state = 'EXECUTING' AND (u.executor IS NOT NULL OR NOT (core.is_rejection_signed(t) OR core.is_being_sent(t))))
        OR (t.state IN ('MINED', 'CONFIRMED', 'FAILED', 'REPLACED', 'REJECTED') AND (NOT core.is_broadcast(t) OR t.consumed_by IS NOT NULL) AND u.submitted_at > clock_timestamp() - interval '1 day'))
      AND NOT EXISTS (SELECT FROM core.freezes f WHERE f.program_id = t.program_id AND f.lifted_at IS NULL AND f.noun_id IN (t.program_id, t.safe_id, t.batch_id))
    UNION ALL SELECT r.* FROM core.rejection_work(p_chain, true) r) w
  ORDER BY w.executor_nonce IS NULL, w.executor_nonce, w.safe_id, w.nonce;
END $$;

-- What a batch that is being sent stands on, for an executor that verifies it from a root of its own before it sends: in the layout of
-- a batch file (app::offline), without whoever carries it. Approvers are counted by the policies that two people signed; what payments of
-- 24 hours sum to this database alone knows, and it asked at every step before.
CREATE FUNCTION api.batch_proof(p_program uuid, p_batch uuid) RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  batch core.batches;
  paid uuid[];
  involved uuid[];
BEGIN
  PERFORM core.require_machine('executor');
  SELECT * INTO batch FROM core.batches b WHERE b.program_id = p_program AND b.id = p_batch AND b.state = 'EXECUTING';
  IF batch.id IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'This batch is not being sent';
  END IF;
  paid := ARRAY(SELECT DISTINCT p.asset_id FROM core.payouts p WHERE p.program_id = p_program AND p.batch_id = p_batch);
  involved := ARRAY(
    SELECT p.affiliate_id FROM core.payouts p WHERE p.program_id = p_program AND p.batch_id = p_batch AND p.affiliate_id IS NOT NULL
    UNION SELECT x.id FROM core.payouts p JOIN core.payout_sources ps ON ps.program_id = p.program_id AND ps.payout_id = p.id
      JOIN core.commissions c ON c.program_id = p.program_id AND c.id = ps.commission_id JOIN core.settlements s ON s.program_id = c.program_id AND s.id = c.settlement_id
      JOIN core.users u ON u.program_id = s.program_id AND u.id = s.user_id CROSS JOIN LATERAL (VALUES (c.affiliate_id), (u.affiliate_id)) AS x(id)
      WHERE p.program_id = p_program AND p.batch_id = p_batch AND x.id IS NOT NULL);
  RETURN (SELECT json_build_object(
    'format', 'countersign/batch-file/1', 'program_name', g.name, 'number', batch.number, 'title', batch.title, 'required_approvers', 0,
    'content', json_build_object('program_id', p_program, 'batch_id', p_batch, 'revision', batch.revision, 'chain_id', s.chain_id, 'safe', core.hex_address(s.address),
      'lines', (SELECT json_agg(json_build_object('line_no', p.line_no, 'token', CASE WHEN a.token IS NOT NULL THEN core.hex_address(a.token) END, 'recipient', core.hex_address(p.recipient),
          'amount', p.amount::text, 'reference', p.reference, 'source', coalesce((SELECT string_agg(ps.source_key, ',' ORDER BY ps.source_key COLLATE "C") FROM core.payout_sources ps
            WHERE ps.program_id = p.program_id AND ps.payout_id = p.id), '')) ORDER BY p.line_no)
        FROM core.payouts p JOIN core.assets a ON a.program_id = p.program_id AND a.id = p.asset_id WHERE p.program_id = p_program AND p.batch_id = p_batch),
      'legs', (SELECT json_agg(json_build_object('index', t.leg_index, 'line_nos', (SELECT json_agg(l.line -> 'line_no' ORDER BY l.position) FROM jsonb_array_elements(core.leg_lines(p_program, p_batch, t.leg_index)) WITH ORDINALITY AS l(line, position)),
          'to', core.hex_address(t.to_address), 'value', t.value::text, 'operation', t.operation, 'safe_tx_gas', t.safe_tx_gas::text, 'base_gas', t.base_gas::text, 'gas_price', t.gas_price::text,
          'gas_token', core.hex_address(t.gas_token), 'refund_receiver', core.hex_address(t.refund_receiver)) ORDER BY t.leg_index)
        FROM core.safe_transactions t WHERE t.program_id = p_program AND t.batch_id = p_batch)),
    'nonces', (SELECT json_agg(t.nonce ORDER BY t.leg_index) FROM core.safe_transactions t WHERE t.program_id = p_program AND t.batch_id = p_batch),
    'safe', json_build_object('id', s.id, 'name', s.name, 'version', s.version, 'singleton', core.hex_address(s.singleton), 'fallback_handler', core.hex_address(s.fallback_handler), 'threshold', s.threshold,
      'owners', (SELECT json_agg(core.hex_address(o.owner)) FROM core.safe_owners o WHERE o.program_id = p_program AND o.safe_id = s.id)),
    'assets', (SELECT json_agg(json_build_object('id', a.id, 'chain_id', a.chain_id, 'token', CASE WHEN a.token IS NOT NULL THEN core.hex_address(a.token) END, 'symbol', a.symbol, 'decimals', a.decimals))
      FROM core.assets a WHERE a.program_id = p_program AND a.id = ANY (paid)),
    'lines', (SELECT json_agg(json_build_object('line_no', p.line_no, 'asset', p.asset_id, 'affiliate', p.affiliate_id, 'payee_name', p.payee_name)) FROM core.payouts p WHERE p.program_id = p_program AND p.batch_id = p_batch),
    'policies', (SELECT coalesce(json_agg(json_build_object('id', o.id, 'asset', o.asset_id, 'at_least', o.at_least::text, 'approvers', o.approvers, 'high_value', o.high_value, 'software_keys', o.software_keys)), '[]')
      FROM core.policies o WHERE o.program_id = p_program AND o.asset_id = ANY (paid) AND o.replaced_at IS NULL),
    'commissions', json_build_object(
      'rules', (SELECT coalesce(json_agg(json_build_array(r.id, json_build_object('base_rate', r.base_rate::text, 'override_rate', r.override_rate::text, 'holding_days', r.holding_days, 'frequency', r.frequency,
          'earning_days', r.earning_days, 'effective_from', r.effective_from,
          'tiers', (SELECT coalesce(json_object_agg(x.tier, x.rate::text), '{}') FROM core.commission_rule_tiers x WHERE x.program_id = p_program AND x.rule_id = r.id),
          'minimums', (SELECT coalesce(json_object_agg(x.asset_id, json_build_array(x.minimum_settlement::text, x.minimum_payout::text)), '{}') FROM core.commission_rule_assets x WHERE x.program_id = p_program AND x.rule_id = r.id)))
          ORDER BY r.version), '[]') FROM core.commission_rules r WHERE r.program_id = p_program AND cardinality(involved) > 0),
      'terms', (SELECT coalesce(json_object_agg(f.affiliate_id, f.terms), '{}') FROM (
          SELECT x.affiliate_id, json_agg(json_build_object('tier', x.tier, 'active', x.active, 'effective_from', nullif(x.effective_from, '-infinity')) ORDER BY x.version) AS terms
          FROM core.affiliate_terms x WHERE x.program_id = p_program AND x.affiliate_id = ANY (involved) GROUP BY x.affiliate_id) f),
      'commissions', (SELECT coalesce(json_agg(json_build_object('id', c.id, 'affiliate', c.affiliate_id, 'asset', c.asset_id, 'amount', abs(c.amount)::text, 'share', coalesce(t.kind, c.kind), 'is_taken_back', c.takes_back IS NOT NULL,
          -- The millisecond in the id ends a millisecond later.
          'written_at', to_timestamp(0) + interval '1 millisecond' * (1 + ('x' || left(replace(coalesce(t.id, c.id)::text, '-', ''), 12))::bit(48)::bigint),
          'settlement', s.id, 'sold_for', s.amount::text, 'sold_at', s.occurred_at, 'registered_at', u.registered_at, 'referrer', u.affiliate_id)), '[]')
        FROM core.payouts p JOIN core.payout_sources ps ON ps.program_id = p.program_id AND ps.payout_id = p.id JOIN core.commissions c ON c.program_id = p.program_id AND c.id = ps.commission_id
        LEFT JOIN core.commissions t ON t.program_id = c.program_id AND t.id = c.takes_back
        JOIN core.settlements s ON s.program_id = c.program_id AND s.id = c.settlement_id AND s.asset_id = c.asset_id JOIN core.users u ON u.program_id = s.program_id AND u.id = s.user_id
        WHERE p.program_id = p_program AND p.batch_id = p_batch AND u.affiliate_id IS NOT NULL)),
    'openings', json_build_object(
      'balances', (SELECT coalesce(json_agg(json_build_array(o.change_id, json_build_object('safe', o.safe_id, 'asset', o.asset_id, 'amount', o.amount::text, 'block', o.block_number)) ORDER BY o.change_id), '[]')
        FROM core.opening_balances o WHERE o.program_id = p_program),
      'transfers', (SELECT coalesce(json_agg(json_build_object('change', t.cause_id, 'asset', t.asset_id, 'amount', t.amount::text, 'phase', t.phase, 'debit', d.code, 'credit', c.code) ORDER BY t.cause_id, t.id), '[]')
        FROM core.transfers t JOIN core.accounts d ON d.program_id = t.program_id AND d.id = t.debit_account JOIN core.accounts c ON c.program_id = t.program_id AND c.id = t.credit_account
        WHERE t.program_id = p_program AND t.reason = 'opening_balance')),
    'machines', (SELECT coalesce(json_agg(json_build_object('id', m.id, 'login', m.login, 'kind', m.kind, 'program', m.program_id, 'is_revoked', m.revoked_at IS NOT NULL) ORDER BY m.id), '[]')
      FROM core.machines m WHERE m.program_id IS NULL OR m.program_id = p_program),
    'revisions', (SELECT json_agg(json_build_object('staff', r.staff_id, 'name', x.person, 'at', r.submitted_at, 'content_hash', '0x' || encode(r.content_hash, 'hex'), 'signature', '0x' || encode(r.signature, 'hex')) ORDER BY r.revision)
      FROM core.batch_revisions r JOIN core.staff x ON x.id = r.staff_id WHERE r.program_id = p_program AND r.batch_id = p_batch),
    'approvals', (SELECT coalesce(json_agg(json_build_object('staff', v.staff_id, 'name', x.person, 'at', v.approved_at, 'content_hash', '0x' || encode(v.content_hash, 'hex'), 'signature', '0x' || encode(v.signature, 'hex')) ORDER BY v.approved_at), '[]')
      FROM core.approvals v JOIN core.staff x ON x.id = v.staff_id WHERE v.program_id = p_program AND v.batch_id = p_batch),
    'people', (SELECT coalesce(json_agg(json_build_object('id', x.id, 'name', x.person, 'safe_owner', CASE WHEN x.safe_owner IS NOT NULL THEN core.hex_address(x.safe_owner) END,
        'grants', (SELECT coalesce(json_agg(json_build_array(n.id, n.program_id, n.role)), '[]') FROM core.grants n WHERE n.staff_id = x.id AND n.revoked_at IS NULL AND (n.program_id IS NULL OR n.program_id = p_program)))), '[]')
      FROM core.staff x WHERE x.revoked_at IS NULL AND x.id IN (SELECT v.staff_id FROM core.approvals v WHERE v.program_id = p_program AND v.batch_id = p_batch
        UNION SELECT r.staff_id FROM core.batch_revisions r WHERE r.program_id = p_program AND r.batch_id = p_batch)),
    'changes', (SELECT json_agg(json_build_object('id', r.id, 'program', r.program_id, 'kind', r.kind, 'payload', r.payload::text, 'proposed_by', r.proposed_by, 'proposed_at', r.proposed_at,
        'proposed_signature', '0x' || encode(r.proposed_signature, 'hex'), 'confirmed_by', r.confirmed_by, 'confirmed_at', r.confirmed_at, 'confirmed_signature', '0x' || encode(r.confirmed_signature, 'hex')) ORDER BY r.confirmed_at, r.id)
      FROM core.change_requests r WHERE r.confirmed_at IS NOT NULL AND (r.program_id IS NULL OR r.program_id = p_program)
        AND (r.kind IN ('staff.add', 'staff.revoke', 'grant.add', 'grant.revoke', 'identity_key.add', 'safe.add', 'asset.add', 'policy.set', 'policy_default.set', 'opening_balance.add')
          OR (r.kind IN ('machine.add', 'machine.revoke') AND EXISTS (SELECT FROM core.machines m WHERE m.login = r.payload ->> 'login' AND (m.program_id IS NULL OR m.program_id = p_program)))
          OR (r.kind = 'rule.set' AND cardinality(involved) > 0) OR (r.kind = 'affiliate.add' AND r.id = ANY (involved))
          OR (r.kind IN ('affiliate.set', 'payee.address') AND lower(coalesce(r.payload ->> 'affiliate_id', r.payload ->> 'payee_id')) = ANY (involved::text[])))))
    FROM core.programs g JOIN core.safes s ON s.program_id = g.id AND s.id = batch.safe_id WHERE g.id = p_program);
END $$;

-- Who may read the signatures of a batch. Signatures of what is frozen stay inside: whoever reads them can send them without us.
CREATE FUNCTION core.require_reader(p_program uuid, p_batch uuid) RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM core.require(p_program, 'execute');
  PERFORM core.refuse_frozen(p_program, (SELECT b.safe_id FROM core.batches b WHERE b.program_id = p_program AND b.id = p_batch), p_batch);
END $$;

-- The same for a person who may execute, in two steps, what a console needs to check or send a leg itself. A reader who rolls back takes
-- the signatures along and would leave nothing behind: so asking is written down first, and only what is committed opens the package.
CREATE FUNCTION api.ask_for_package(p_program uuid, p_batch uuid) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM core.require_reader(p_program, p_batch);
  PERFORM core.audit(p_program, 'signatures.read', p_batch, '{}');
END $$;
CREATE INDEX audit_entries_of_readers ON core.audit_entries (noun_id, login) WHERE action = 'signatures.read';

CREATE FUNCTION api.execution_package(p_program uuid, p_batch uuid) RETURNS SETOF core.leg_work LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM core.require_reader(p_program, p_batch);
  -- What is seen here and is not of this transaction, savepoints included, is committed.
  IF NOT EXISTS (
    SELECT FROM core.audit_entries e WHERE e.action = 'signatures.read' AND e.noun_id = p_batch AND e.login = session_user AND e.program_id = p_program
      AND e.at > clock_timestamp() - interval '1 minute' AND e.changed_xid IS DISTINCT FROM pg_current_xact_id_if_assigned()) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'Who reads signatures stays on record: ask for the package in a transaction of its own (api.ask_for_package), and read it within a minute';
  END IF;
  RETURN QUERY SELECT w.* FROM core.safe_transactions t CROSS JOIN LATERAL core.leg_work(t, true) w
  WHERE t.program_id = p_program AND t.batch_id = p_batch AND t.state <> 'PROPOSED' ORDER BY t.leg_index;
END $$;

-- A leg with its batch, the batch first: in the order in which staff lock them, so that nobody waits in a circle.
CREATE FUNCTION core.lock_leg(p_program uuid, p_leg uuid) RETURNS core.safe_transactions LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  leg core.safe_transactions;
BEGIN
  PERFORM FROM core.batches b JOIN core.safe_transactions t ON t.program_id = b.program_id AND t.batch_id = b.id
  WHERE t.program_id = p_program AND t.id = p_leg FOR UPDATE OF b;
  SELECT * INTO leg FROM core.safe_transactions WHERE program_id = p_program AND id = p_leg FOR UPDATE;
  RETURN leg;
END $$;

-- Recorded before anything is sent: whoever records a leg first is the one who sends it.
CREATE FUNCTION core.record_submission(p_program uuid, p_leg uuid, p_sender uuid, p_tx_hash bytea, p_raw bytea, p_executor bytea, p_executor_nonce bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  leg core.safe_transactions := core.lock_leg(p_program, p_leg);
  attempt smallint := core.next_attempt(p_program, p_leg, false, p_sender);
BEGIN
  -- Signed; or executed by somebody else's transaction that left the chain again; or said to be sent by a person long ago.
  IF (leg.state = 'SIGNED' OR (leg.state = 'SUBMITTED' AND NOT core.is_being_sent(leg))) IS NOT TRUE
     OR NOT EXISTS (SELECT FROM core.batches b WHERE b.program_id = p_program AND b.id = leg.batch_id AND b.state = 'EXECUTING') THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'This leg is not waiting to be sent';
  END IF;
  PERFORM core.refuse_frozen(p_program, leg.safe_id, leg.batch_id);
  INSERT INTO core.submissions (program_id, safe_transaction_id, sender, attempt, chain_id, executor, executor_nonce)
  SELECT p_program, p_leg, p_sender, attempt, s.chain_id, p_executor, p_executor_nonce FROM core.safes s WHERE s.program_id = p_program AND s.id = leg.safe_id;
  INSERT INTO core.broadcasts (program_id, safe_transaction_id, sender, attempt, ethereum_tx_hash, raw_transaction) VALUES (p_program, p_leg, p_sender, attempt, p_tx_hash, p_raw);
  UPDATE core.safe_transactions SET state = 'SUBMITTED', ethereum_tx_hash = p_tx_hash, submitted_at = clock_timestamp() WHERE program_id = p_program AND id = p_leg;
  UPDATE core.payouts SET state = 'SENT' WHERE program_id = p_program AND batch_id = leg.batch_id AND leg_index = leg.leg_index AND state IN ('PROCESSING', 'UNKNOWN');
  PERFORM core.audit(p_program, 'leg.submitted', p_leg, json_build_object('nonce', leg.nonce, 'tx', encode(p_tx_hash, 'hex'), 'executor', core.hex_address(p_executor), 'attempt', attempt));
EXCEPTION WHEN unique_violation THEN
  RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('Nonce %s of this executor is taken by another leg: nothing is sent, and this leg is prepared again', p_executor_nonce);
END $$;

CREATE FUNCTION api.record_submission(p_program uuid, p_leg uuid, p_tx_hash bytea, p_raw bytea, p_executor bytea, p_executor_nonce bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM core.require_machine('executor');
  PERFORM core.record_submission(p_program, p_leg, '00000000-0000-0000-0000-000000000000', p_tx_hash, p_raw, p_executor, p_executor_nonce);
END $$;

-- The same by a person who may execute, with a key of their own.
CREATE FUNCTION api.send_leg(p_program uuid, p_leg uuid, p_tx_hash bytea, p_raw bytea, p_executor bytea, p_executor_nonce bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  person uuid := core.require(p_program, 'execute');
BEGIN
  IF (length(p_tx_hash) = 32 AND length(p_raw) BETWEEN 1 AND 131072 AND length(p_executor) = 20 AND p_executor_nonce >= 0) IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'A leg is sent as a signed transaction with its hash, its sender and the sender''s nonce';
  END IF;
  PERFORM core.record_submission(p_program, p_leg, person, p_tx_hash, p_raw, p_executor, p_executor_nonce);
END $$;

-- The same call at the same nonce of the executor with a higher fee, because the chain does not take the one before. Recorded before
-- it is sent; which of them the chain took is for the watcher to see.
CREATE FUNCTION api.record_replacement(p_program uuid, p_leg uuid, p_tx_hash bytea, p_raw bytea, p_executor bytea, p_executor_nonce bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  leg core.safe_transactions;
  sent core.submissions;
BEGIN
  PERFORM core.require_machine('executor');
  leg := core.lock_leg(p_program, p_leg);
  SELECT * INTO sent FROM core.submissions u WHERE u.program_id = p_program AND u.safe_transaction_id = p_leg AND NOT u.is_rejection
    AND u.sender = '00000000-0000-0000-0000-000000000000' AND u.executor = p_executor AND u.executor_nonce = p_executor_nonce;
  IF leg.state IS DISTINCT FROM 'SUBMITTED' OR sent.attempt IS NULL
     OR NOT EXISTS (SELECT FROM core.batches b WHERE b.program_id = p_program AND b.id = leg.batch_id AND b.state = 'EXECUTING') THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'Only what this executor sent at this nonce, and is in no block, is replaced';
  END IF;
  PERFORM core.refuse_frozen(p_program, leg.safe_id, leg.batch_id);
  INSERT INTO core.broadcasts (program_id, safe_transaction_id, attempt, ethereum_tx_hash, raw_transaction) VALUES (p_program, p_leg, sent.attempt, p_tx_hash, p_raw);
  UPDATE core.safe_transactions SET ethereum_tx_hash = p_tx_hash WHERE program_id = p_program AND id = p_leg;
  PERFORM core.audit(p_program, 'leg.fee_raised', p_leg, json_build_object('nonce', leg.nonce, 'tx', encode(p_tx_hash, 'hex'), 'instead_of', encode(leg.ethereum_tx_hash, 'hex')));
EXCEPTION WHEN unique_violation THEN
  RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'These bytes were recorded before';
END $$;

-- Watcher -------------------------------------------------------------------------------------------------------------
CREATE FUNCTION api.watcher_work(p_chain bigint) RETURNS SETOF core.leg_work LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM core.require_machine('watcher');
  RETURN QUERY SELECT w.* FROM core.safe_transactions t
  JOIN core.safes s ON s.program_id = t.program_id AND s.id = t.safe_id AND s.chain_id = p_chain
  CROSS JOIN LATERAL core.leg_work(t, false) w
  -- One signature is enough to wait for what becomes of its nonce.
  WHERE t.state IN ('SIGNED', 'SUBMITTED', 'MINED') OR (t.state = 'PROPOSED' AND t.safe_tx_hash IS NOT NULL)
  UNION ALL
  -- Rejections that were sent, without their signatures: whether they failed in their block. That they did not is seen by the leg's nonce.
  SELECT r.* FROM core.rejection_work(p_chain, false) r WHERE r.state = 'SUBMITTED'
  ORDER BY safe_id, nonce;
END $$;

-- Legs that were confirmed in the last 30 days, newest block first: a reorganisation may still take them away.
CREATE FUNCTION api.watcher_confirmed(p_chain bigint) RETURNS TABLE (program_id uuid, leg_id uuid, batch_id uuid, leg_index integer, block_number bigint, block_hash bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM core.require_machine('watcher');
  RETURN QUERY SELECT t.program_id, t.id, t.batch_id, t.leg_index, t.block_number, t.block_hash FROM core.safe_transactions t
  JOIN core.safes s ON s.program_id = t.program_id AND s.id = t.safe_id AND s.chain_id = p_chain
  WHERE t.state = 'CONFIRMED' AND t.confirmed_at > clock_timestamp() - interval '30 days' ORDER BY t.block_number DESC;
END $$;

CREATE FUNCTION api.watcher_safes(p_chain bigint) RETURNS TABLE (program_id uuid, safe_id uuid, address bytea, asset_ids uuid[], tokens bytea[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM core.require_machine('watcher');
  RETURN QUERY SELECT s.program_id, s.id, s.address, array_agg(a.id ORDER BY a.id), array_agg(coalesce(a.token, ''::bytea) ORDER BY a.id)
  FROM core.safes s JOIN core.assets a ON a.program_id = s.program_id AND a.chain_id = s.chain_id WHERE s.chain_id = p_chain GROUP BY s.program_id, s.id, s.address;
END $$;

-- Nonce, owners and balances as read at one block; an older reading never replaces a newer one.
CREATE FUNCTION api.observe_safe(p_program uuid, p_safe uuid, p_nonce bigint, p_block bigint, p_owners bytea[], p_balances jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  safe core.safes;
  newest record;
  nonces_known bigint;
  agrees boolean;
BEGIN
  PERFORM core.require_machine('watcher');
  IF (p_nonce >= 0 AND p_block >= 0 AND cardinality(p_owners) >= 1 AND 20 = ALL (SELECT length(o) FROM unnest(p_owners) o) AND jsonb_typeof(p_balances) = 'array') IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'A Safe is observed with its nonce, the block it was read at, its owners and a list of balances';
  END IF;
  SELECT * INTO safe FROM core.safes s WHERE s.program_id = p_program AND s.id = p_safe;
  -- What a watcher says of the chain cannot be proved here, but it is held to what a chain can do, so that one lie neither shuts out
  -- the truth that comes after it nor makes us sign for a nonce that never comes. Every Safe of a chain is read at the same height: the
  -- first reading of one is held to those of the others. No chain makes 100 blocks a second (a test chain makes them on demand), and
  -- nonces beyond those that we gave out ourselves are used at most a thousand between two readings.
  SELECT s.name, s.observed_block AS block, s.observed_at AS at INTO newest FROM core.safes s
  WHERE s.chain_id = safe.chain_id AND s.observed_block IS NOT NULL ORDER BY s.observed_block DESC LIMIT 1;
  IF p_block > newest.block + (100 * extract(epoch FROM clock_timestamp() - newest.at))::bigint + (CASE WHEN core.is_test_chain(safe.chain_id) THEN 1000000 ELSE 0 END) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409',
      MESSAGE = format('The Safe %s was read at block %s a moment ago and no chain is at %s so soon: compare the endpoints', newest.name, newest.block, p_block);
  END IF;
  -- An endpoint may be a little behind another one. Further behind, one of two watchers is wrong or lies, and lies of any size add up
  -- to this: it is said each time, and nothing is written, until people have looked.
  IF p_block < newest.block - 1000 THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('The chain %s is at block %s by this watcher, and the Safe %s was read at block %s already: one of the two readings is wrong. Compare the endpoints of all watchers, and revoke a login that lies', safe.chain_id, p_block, newest.name, newest.block);
  END IF;
  SELECT coalesce(greatest(safe.observed_nonce, max(t.nonce) + 1), 1000000) INTO nonces_known FROM core.safe_transactions t WHERE t.program_id = p_program AND t.safe_id = p_safe;
  IF p_nonce > nonces_known + 100 * least(greatest(p_block - safe.observed_block, 0), 10) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409',
      MESSAGE = format('The Safe %s was at nonce %s as far as is known and cannot be at %s so soon: compare the endpoints', safe.name, nonces_known, p_nonce);
  END IF;
  -- A reorganisation can take a nonce back, and so can the truth after a lie: it is taken, and stays on record.
  IF p_nonce < safe.observed_nonce AND p_block >= safe.observed_block THEN
    PERFORM core.audit(p_program, 'safe.nonce_fell', p_safe, json_build_object('from', safe.observed_nonce, 'at_block', safe.observed_block, 'to', p_nonce, 'block', p_block));
  END IF;
  agrees := ARRAY(SELECT DISTINCT o FROM unnest(p_owners) o ORDER BY o)
    = ARRAY(SELECT o.owner FROM core.safe_owners o WHERE o.program_id = p_program AND o.safe_id = p_safe ORDER BY o.owner);
  UPDATE core.safes SET observed_nonce = p_nonce, observed_block = p_block, observed_owners = p_owners, observed_at = clock_timestamp(), observed_by = session_user,
    agreed_block = CASE WHEN agrees THEN p_block ELSE agreed_block END, agreed_at = CASE WHEN agrees THEN clock_timestamp() ELSE agreed_at END
  WHERE program_id = p_program AND id = p_safe AND coalesce(observed_block, 0) <= p_block;
  INSERT INTO core.safe_balances (program_id, safe_id, asset_id, amount, block_number)
  SELECT p_program, p_safe, b.asset_id, core.parse_amount(b.amount), p_block FROM jsonb_to_recordset(p_balances) AS b(asset_id uuid, amount text)
  ON CONFLICT (program_id, safe_id, asset_id) DO UPDATE SET amount = excluded.amount, block_number = excluded.block_number, observed_at = clock_timestamp()
  WHERE core.safe_balances.block_number <= excluded.block_number;
END $$;

-- p_tx_hash: which of the transactions that our executor sent for the leg is in the block.
CREATE FUNCTION api.record_mined(p_program uuid, p_leg uuid, p_tx_hash bytea, p_block bigint, p_block_hash bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  leg core.safe_transactions;
BEGIN
  PERFORM core.require_machine('watcher');
  UPDATE core.safe_transactions SET state = 'MINED', ethereum_tx_hash = p_tx_hash, block_number = p_block, block_hash = p_block_hash WHERE program_id = p_program AND id = p_leg AND state = 'SUBMITTED'
  RETURNING * INTO leg;
  IF FOUND THEN
    UPDATE core.payouts SET state = 'SENT' WHERE program_id = p_program AND batch_id = leg.batch_id AND leg_index = leg.leg_index AND state = 'UNKNOWN';
    PERFORM core.audit(p_program, 'leg.mined', p_leg, json_build_object('tx', encode(p_tx_hash, 'hex'), 'block', p_block, 'block_hash', encode(p_block_hash, 'hex')));
  END IF;
END $$;

-- Somebody else's transaction executed this very leg. It is followed from here on like our own: lines are paid by its logs.
-- Also before the batch is handed over, and while it is frozen: it has happened.
CREATE FUNCTION api.record_executed_by(p_program uuid, p_leg uuid, p_tx_hash bytea, p_block bigint, p_block_hash bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  leg core.safe_transactions;
BEGIN
  PERFORM core.require_machine('watcher');
  IF (length(p_tx_hash) = 32 AND length(p_block_hash) = 32 AND p_block >= 0) IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'An execution is recorded with its transaction and block hashes of 32 bytes and its block';
  END IF;
  leg := core.lock_leg(p_program, p_leg);
  IF (leg.state IN ('SIGNED', 'SUBMITTED', 'MINED') OR (leg.state = 'PROPOSED' AND leg.safe_tx_hash IS NOT NULL)) IS NOT TRUE OR leg.ethereum_tx_hash = p_tx_hash
     OR EXISTS (SELECT FROM core.broadcasts o JOIN core.submissions u USING (program_id, safe_transaction_id, is_rejection, sender, attempt)
       WHERE o.program_id = p_program AND o.safe_transaction_id = p_leg AND o.ethereum_tx_hash = p_tx_hash
       -- What we sent and was said to have failed, and did not after all, is found like somebody else's, whichever of its fees it paid.
       AND NOT core.is_reverted(u)) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'This leg is not waiting for a transaction of somebody else';
  END IF;
  -- The reading of the nonce is the watcher's own, but it is another statement: one lie alone moves nothing.
  IF NOT EXISTS (SELECT FROM core.safes s WHERE s.program_id = p_program AND s.id = leg.safe_id AND s.observed_nonce > leg.nonce) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('Nonce %s is not used as far as the watcher has read this Safe: read the Safe first', leg.nonce);
  END IF;
  INSERT INTO core.foreign_executions (program_id, safe_transaction_id, ethereum_tx_hash) VALUES (p_program, p_leg, p_tx_hash) ON CONFLICT DO NOTHING;
  -- Its signatures were made where nobody saw them.
  IF leg.state = 'PROPOSED' THEN
    UPDATE core.safe_transactions SET state = 'SIGNED', ethereum_tx_hash = p_tx_hash WHERE program_id = p_program AND id = p_leg RETURNING * INTO leg;
  END IF;
  IF leg.state = 'SIGNED' THEN
    UPDATE core.safe_transactions SET state = 'SUBMITTED', ethereum_tx_hash = p_tx_hash, submitted_at = clock_timestamp() WHERE program_id = p_program AND id = p_leg;
    UPDATE core.payouts SET state = 'PROCESSING' WHERE program_id = p_program AND batch_id = leg.batch_id AND leg_index = leg.leg_index AND state = 'QUEUED';
    UPDATE core.payouts SET state = 'SENT' WHERE program_id = p_program AND batch_id = leg.batch_id AND leg_index = leg.leg_index AND state = 'PROCESSING';
  ELSIF leg.state = 'MINED' THEN
    UPDATE core.safe_transactions SET state = 'SUBMITTED', block_number = NULL, block_hash = NULL WHERE program_id = p_program AND id = p_leg;
  END IF;
  UPDATE core.safe_transactions SET state = 'MINED', ethereum_tx_hash = p_tx_hash, block_number = p_block, block_hash = p_block_hash WHERE program_id = p_program AND id = p_leg;
  UPDATE core.payouts SET state = 'SENT' WHERE program_id = p_program AND batch_id = leg.batch_id AND leg_index = leg.leg_index AND state = 'UNKNOWN';
  PERFORM core.audit(p_program, 'leg.executed_by_other', p_leg, json_build_object('nonce', leg.nonce, 'tx', encode(p_tx_hash, 'hex'), 'block', p_block,
    'own_tx', encode(leg.ethereum_tx_hash, 'hex')));
END $$;

-- A reorganisation took the block away before it was deep enough: the same transaction is tracked again.
CREATE FUNCTION api.record_unmined(p_program uuid, p_leg uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM core.require_machine('watcher');
  UPDATE core.safe_transactions SET state = 'SUBMITTED', block_number = NULL, block_hash = NULL WHERE program_id = p_program AND id = p_leg AND state = 'MINED';
  IF FOUND THEN
    PERFORM core.audit(p_program, 'leg.reorganised', p_leg, '{}');
  END IF;
END $$;

-- What our executor or a person sent failed in its block as a whole (status 0): the Safe took nothing, so its nonce is open and the same
-- Safe transaction is sent again, in a new transaction of the executor. That it pays once is the Safe's nonce's doing, whatever is said
-- here: a watcher who lies about this makes us pay for gas, three times at most.
CREATE FUNCTION api.record_reverted(p_program uuid, p_leg uuid, p_tx_hash bytea, p_block bigint, p_block_hash bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  leg core.safe_transactions;
  sent core.broadcasts;
BEGIN
  PERFORM core.require_machine('watcher');
  IF (length(p_tx_hash) = 32 AND length(p_block_hash) = 32 AND p_block >= 0) IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'A transaction that failed is recorded with its and its block''s hashes of 32 bytes and its block';
  END IF;
  leg := core.lock_leg(p_program, p_leg);
  SELECT * INTO sent FROM core.broadcasts o WHERE o.program_id = p_program AND o.safe_transaction_id = p_leg AND o.ethereum_tx_hash = p_tx_hash;
  IF sent.attempt IS NULL OR NOT (sent.is_rejection OR (leg.state = 'MINED' AND leg.ethereum_tx_hash = p_tx_hash AND leg.block_number = p_block AND leg.block_hash = p_block_hash)) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'This leg is not in that block by a transaction that we sent';
  END IF;
  IF EXISTS (SELECT FROM core.safes s WHERE s.program_id = p_program AND s.id = leg.safe_id AND s.observed_nonce > leg.nonce) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('Nonce %s of the Safe is used: nothing is sent with it again', leg.nonce);
  END IF;
  INSERT INTO core.reverted_broadcasts (program_id, safe_transaction_id, ethereum_tx_hash, block_number, block_hash) VALUES (p_program, p_leg, p_tx_hash, p_block, p_block_hash);
  IF NOT sent.is_rejection THEN
    UPDATE core.safe_transactions SET state = 'SIGNED', ethereum_tx_hash = NULL, submitted_at = NULL, block_number = NULL, block_hash = NULL WHERE program_id = p_program AND id = p_leg;
    UPDATE core.payouts SET state = 'PROCESSING' WHERE program_id = p_program AND batch_id = leg.batch_id AND leg_index = leg.leg_index AND state = 'SENT';
  END IF;
  PERFORM core.audit(p_program, CASE WHEN sent.is_rejection THEN 'rejection.reverted' ELSE 'leg.reverted' END, p_leg, json_build_object('nonce', leg.nonce,
    'tx', encode(p_tx_hash, 'hex'), 'block', p_block, 'block_hash', encode(p_block_hash, 'hex'), 'attempt', sent.attempt));
EXCEPTION WHEN unique_violation THEN
  RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'That this transaction failed is recorded already';
END $$;

-- A time-out is no failure: what was handed to the chain long ago and is in no block is UNKNOWN until the chain is asked
-- again and answers (law 7). The leg stays where it is, and a resend is the same bytes.
CREATE FUNCTION api.record_unknown(p_program uuid, p_leg uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM core.require_machine('watcher');
  UPDATE core.payouts p SET state = 'UNKNOWN'
  FROM core.safe_transactions t CROSS JOIN LATERAL core.leg_work(t, false) w
  WHERE t.program_id = p_program AND t.id = p_leg AND w.is_overdue
    AND p.program_id = t.program_id AND p.batch_id = t.batch_id AND p.leg_index = t.leg_index AND p.state = 'SENT';
  IF FOUND THEN
    PERFORM core.audit(p_program, 'leg.unknown', p_leg, '{}');
  END IF;
END $$;

-- A reorganisation took away what had paid (law 8): lines are on their way again, their evidence is retracted, the postings
-- are reversed, and the money is held again for the same Safe transaction, which is tracked on. Nothing new is signed.
CREATE FUNCTION api.record_unpaid(p_program uuid, p_leg uuid, p_block bigint, p_block_hash bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  leg core.safe_transactions;
  batch core.batches;
  lines uuid[];
BEGIN
  PERFORM core.require_machine('watcher');
  leg := core.lock_leg(p_program, p_leg);
  SELECT * INTO batch FROM core.batches WHERE program_id = p_program AND id = leg.batch_id;
  IF leg.state IS DISTINCT FROM 'CONFIRMED' OR leg.block_number IS DISTINCT FROM p_block OR leg.block_hash IS DISTINCT FROM p_block_hash THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'This leg is not confirmed in that block';
  END IF;
  UPDATE core.safe_transactions SET state = 'SUBMITTED', submitted_at = clock_timestamp(), block_number = NULL, block_hash = NULL, confirmed_at = NULL
  WHERE program_id = p_program AND id = p_leg;
  SELECT array_agg(id) INTO lines FROM core.payouts WHERE program_id = p_program AND batch_id = leg.batch_id AND leg_index = leg.leg_index AND state = 'SETTLED';
  UPDATE core.payouts SET state = 'SENT' WHERE program_id = p_program AND id = ANY (lines);
  UPDATE core.evidence SET retracted_at = clock_timestamp() WHERE program_id = p_program AND payout_id = ANY (lines) AND retracted_at IS NULL;
  -- What the last confirmation posted goes the other way: the newest posting of each line and reason.
  INSERT INTO core.transfers (program_id, debit_account, credit_account, asset_id, amount, reason, cause_id, occurrence, narration, occurred_at)
  SELECT p.program_id, p.credit_account, p.debit_account, p.asset_id, p.amount, p.reason || '_reversal', p.cause_id, p.occurrence,
         format('Reorganised: %s', p.narration), clock_timestamp()
  FROM (SELECT DISTINCT ON (t.cause_id, t.reason) t.* FROM core.transfers t
        WHERE t.program_id = p_program AND t.cause_id = ANY (lines) AND ((t.reason = 'payout' AND t.phase = 'POSTED') OR (t.reason = 'payout_hold' AND t.phase = 'POST'))
        ORDER BY t.cause_id, t.reason, t.occurrence DESC) p;
  PERFORM core.hold_lines(batch, lines);
  PERFORM core.take_gas_back(p_program, p_leg, leg.ethereum_tx_hash);
  UPDATE core.commissions c SET state = 'PENDING_APPROVAL' FROM core.payout_sources ps
  WHERE ps.program_id = p_program AND ps.payout_id = ANY (lines) AND ps.live AND c.program_id = p_program AND c.id = ps.commission_id AND c.state = 'PAID';
  UPDATE core.batches SET state = 'EXECUTING' WHERE program_id = p_program AND id = leg.batch_id AND state IN ('EXECUTED', 'PARTIALLY_EXECUTED');
  PERFORM core.audit(p_program, 'leg.unpaid', p_leg, json_build_object('block', p_block, 'block_hash', encode(p_block_hash, 'hex'),
    'tx', encode(leg.ethereum_tx_hash, 'hex'), 'lines', cardinality(lines)));
END $$;

-- What paid once, by evidence, is not freed by the word of a watcher: people look at the chain first.
CREATE FUNCTION core.refuse_once_paid(p_program uuid, p_leg uuid) RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM core.evidence e WHERE e.program_id = p_program AND e.safe_transaction_id = p_leg) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'This leg has paid once, and a reorganisation took that away: its lines are not freed. Compare the endpoints, and freeze the Safe';
  END IF;
END $$;

-- The nonce of a signed leg is finally gone for another Safe transaction (law 6): its signatures are worthless, and its lines
-- are free again. REJECTED when that transaction paid nothing on purpose.
CREATE FUNCTION api.record_replaced(p_program uuid, p_leg uuid, p_consumed_by bytea, p_is_rejection boolean, p_tx_hash bytea, p_block bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  leg core.safe_transactions;
  batch core.batches;
  lines uuid[];
  ended text := CASE WHEN p_is_rejection THEN 'REJECTED' ELSE 'REPLACED' END;
  reason text;
BEGIN
  PERFORM core.require_machine('watcher');
  IF (length(p_consumed_by) = 32 AND length(p_tx_hash) = 32 AND p_block >= 0 AND p_is_rejection IS NOT NULL) IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'A replacement is recorded with the Safe transaction that used the nonce, its transaction and its block';
  END IF;
  leg := core.lock_leg(p_program, p_leg);
  SELECT * INTO batch FROM core.batches WHERE program_id = p_program AND id = leg.batch_id;
  IF leg.state = 'MINED' THEN
    UPDATE core.safe_transactions SET state = 'SUBMITTED', block_number = NULL, block_hash = NULL WHERE program_id = p_program AND id = p_leg RETURNING * INTO leg;
  END IF;
  IF leg.state IN ('PROPOSED', 'SIGNED', 'SUBMITTED') IS NOT TRUE OR leg.safe_tx_hash IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'This leg is not waiting for its nonce';
  END IF;
  PERFORM core.refuse_once_paid(p_program, p_leg);
  IF leg.safe_tx_hash = p_consumed_by THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'This leg was executed, not replaced';
  END IF;
  reason := format('Nonce %s of the Safe was used by %s', leg.nonce, CASE WHEN p_is_rejection THEN 'a rejection' ELSE 'another Safe transaction' END);
  UPDATE core.safe_transactions SET state = ended, consumed_by = p_consumed_by WHERE program_id = p_program AND id = p_leg;
  SELECT array_agg(id) INTO lines FROM core.payouts WHERE program_id = p_program AND batch_id = leg.batch_id AND leg_index = leg.leg_index;
  UPDATE core.payouts SET state = CASE WHEN state = 'QUEUED' THEN 'CANCELLED' ELSE 'FAILED' END WHERE program_id = p_program AND id = ANY (lines);
  PERFORM core.release_lines(batch, lines, true);
  PERFORM core.finish_payout_intents(p_program, lines, reason);
  PERFORM core.audit(p_program, 'leg.' || lower(ended), p_leg, json_build_object('nonce', leg.nonce, 'safe_tx_hash', encode(leg.safe_tx_hash, 'hex'),
    'consumed_by', encode(p_consumed_by, 'hex'), 'tx', encode(p_tx_hash, 'hex'), 'block', p_block));
  PERFORM core.close_batch(p_program, leg.batch_id);
END $$;

-- Evidence of every line of a leg at the chain's depth: lines settle, holds post, liabilities clear, commissions are paid.
-- p_evidence: [{payout_id, kind, position, recipient, amount}]; the foreign keys make it equal the lines.
CREATE FUNCTION api.record_confirmed(p_program uuid, p_leg uuid, p_block bigint, p_block_hash bytea, p_block_time timestamptz, p_evidence jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  leg core.safe_transactions;
  batch core.batches;
  settled uuid[];
BEGIN
  PERFORM core.require_machine('watcher');
  leg := core.lock_leg(p_program, p_leg);
  SELECT * INTO batch FROM core.batches WHERE program_id = p_program AND id = leg.batch_id;
  IF leg.state IS DISTINCT FROM 'MINED' OR leg.block_number IS DISTINCT FROM p_block OR leg.block_hash IS DISTINCT FROM p_block_hash THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'This leg is not mined in that block';
  END IF;
  IF jsonb_typeof(p_evidence) IS DISTINCT FROM 'array' OR isfinite(p_block_time) IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'A leg is confirmed with the time of its block and a list of evidence';
  END IF;
  UPDATE core.safe_transactions SET state = 'CONFIRMED', confirmed_at = clock_timestamp() WHERE program_id = p_program AND id = p_leg;
  INSERT INTO core.evidence (program_id, payout_id, safe_transaction_id, chain_id, ethereum_tx_hash, kind, position, asset_id, recipient, amount, block_number, block_hash, block_time)
  SELECT p_program, e.payout_id, p_leg, s.chain_id, leg.ethereum_tx_hash, e.kind, e.position, p.asset_id, core.parse_address(e.recipient), core.parse_amount(e.amount), p_block, p_block_hash, p_block_time
  FROM jsonb_to_recordset(p_evidence) AS e(payout_id uuid, kind text, position bigint, recipient text, amount text)
  JOIN core.payouts p ON p.program_id = p_program AND p.id = e.payout_id AND p.batch_id = leg.batch_id AND p.leg_index = leg.leg_index
  JOIN core.safes s ON s.program_id = p_program AND s.id = leg.safe_id;
  UPDATE core.payouts SET state = 'SETTLED' WHERE program_id = p_program AND batch_id = leg.batch_id AND leg_index = leg.leg_index;
  SELECT array_agg(id) INTO settled FROM core.payouts WHERE program_id = p_program AND batch_id = leg.batch_id AND leg_index = leg.leg_index;
  INSERT INTO core.transfers (program_id, debit_account, credit_account, asset_id, amount, reason, cause_id, occurrence, narration, occurred_at)
  SELECT p_program, core.line_liability(p), core.program_account(p_program, 'payouts', p.asset_id), p.asset_id, p.amount, 'payout', p.id,
         (SELECT count(*) FROM core.transfers e WHERE e.program_id = p_program AND e.reason = 'payout' AND e.cause_id = p.id),
         format('Paid batch %s, line %s', batch.number, p.line_no), p_block_time
  FROM core.payouts p WHERE p.program_id = p_program AND p.id = ANY (settled);
  INSERT INTO core.transfers (program_id, debit_account, credit_account, asset_id, amount, phase, pending_id, reason, cause_id, occurrence, narration, occurred_at)
  SELECT h.program_id, h.debit_account, h.credit_account, h.asset_id, h.amount, 'POST', h.id, h.reason, h.cause_id, h.occurrence,
         format('Left the treasury for batch %s, line %s', batch.number, p.line_no), p_block_time
  FROM core.live_holds(p_program, settled) h JOIN core.payouts p ON p.program_id = h.program_id AND p.id = h.cause_id;
  UPDATE core.commissions c SET state = 'PAID' FROM core.payout_sources ps
  WHERE ps.program_id = p_program AND ps.payout_id = ANY (settled) AND c.program_id = p_program AND c.id = ps.commission_id;
  PERFORM core.finish_payout_intents(p_program, settled, NULL);
  PERFORM core.audit(p_program, 'leg.confirmed', p_leg, json_build_object('block', p_block, 'lines', cardinality(settled)));
  PERFORM core.close_batch(p_program, leg.batch_id);
EXCEPTION
  WHEN foreign_key_violation THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'The chain paid another recipient or amount than the line says: nothing was marked paid. Freeze the Safe and compare';
  WHEN unique_violation THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'One log or native leg cannot prove two lines: nothing was marked paid';
END $$;

-- ExecutionFailure at the chain's depth consumed the nonce and paid nobody: the lines are free again.
CREATE FUNCTION api.record_failed(p_program uuid, p_leg uuid, p_block bigint, p_block_hash bytea, p_reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  leg core.safe_transactions;
  batch core.batches;
  lines uuid[];
BEGIN
  PERFORM core.require_machine('watcher');
  leg := core.lock_leg(p_program, p_leg);
  SELECT * INTO batch FROM core.batches WHERE program_id = p_program AND id = leg.batch_id;
  IF leg.state = 'MINED' THEN
    UPDATE core.safe_transactions SET state = 'SUBMITTED' WHERE program_id = p_program AND id = p_leg RETURNING * INTO leg;
  END IF;
  IF leg.state IS DISTINCT FROM 'SUBMITTED' THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'This leg is not on its way';
  END IF;
  PERFORM core.refuse_once_paid(p_program, p_leg);
  UPDATE core.safe_transactions SET state = 'FAILED', block_number = p_block, block_hash = p_block_hash WHERE program_id = p_program AND id = p_leg;
  SELECT array_agg(id) INTO lines FROM core.payouts WHERE program_id = p_program AND batch_id = leg.batch_id AND leg_index = leg.leg_index;
  UPDATE core.payouts SET state = 'FAILED' WHERE program_id = p_program AND id = ANY (lines);
  PERFORM core.release_lines(batch, lines, true);
  PERFORM core.finish_payout_intents(p_program, lines, p_reason);
  PERFORM core.audit(p_program, 'leg.failed', p_leg, json_build_object('block', p_block, 'reason', p_reason));
  PERFORM core.close_batch(p_program, leg.batch_id);
END $$;

-- A batch ends when each of its lines has: one that was handed over as what its lines are, one that was not as cancelled.
CREATE FUNCTION core.close_batch(p_program uuid, p_batch uuid) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  settled integer;
  failed integer;
  open integer;
BEGIN
  SELECT count(*) FILTER (WHERE state = 'SETTLED'), count(*) FILTER (WHERE state IN ('FAILED', 'CANCELLED')), count(*) FILTER (WHERE state NOT IN ('SETTLED', 'FAILED', 'CANCELLED'))
  INTO settled, failed, open FROM core.payouts WHERE program_id = p_program AND batch_id = p_batch;
  IF open = 0 THEN
    UPDATE core.batches SET state = CASE WHEN failed = 0 THEN 'EXECUTED' WHEN settled = 0 THEN 'FAILED' ELSE 'PARTIALLY_EXECUTED' END
    WHERE program_id = p_program AND id = p_batch AND state = 'EXECUTING';
    IF FOUND THEN
      PERFORM core.audit(p_program, 'batch.ended', p_batch, json_build_object('settled', settled, 'failed', failed));
    ELSIF settled = 0 THEN
      UPDATE core.batches SET state = 'CANCELLED', last_reason = 'The nonces that were signed for it were used by other Safe transactions'
      WHERE program_id = p_program AND id = p_batch AND state = 'APPROVED';
      IF FOUND THEN
        PERFORM core.audit(p_program, 'batch.cancelled', p_batch, json_build_object('failed', failed));
      END IF;
    END IF;
  END IF;
END $$;
