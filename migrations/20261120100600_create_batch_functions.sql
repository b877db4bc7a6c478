-- What staff do with batches. Every function: who may, lock, state, effect, audit, in one transaction.

CREATE FUNCTION core.lock_batch(p_program uuid, p_batch uuid) RETURNS core.batches LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  batch core.batches;
BEGIN
  SELECT * INTO batch FROM core.batches WHERE program_id = p_program AND id = p_batch FOR UPDATE;
  IF batch.id IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'There is no such batch in this program';
  END IF;
  RETURN batch;
END $$;

CREATE FUNCTION core.require_state(p_batch core.batches, p_state text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF p_batch.state <> p_state THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('Batch %s is %s now; this needs %s. Open it again', p_batch.number, p_batch.state, p_state);
  END IF;
END $$;

-- A person takes a part in a batch; taking the other part as well is what the primary key refuses.
CREATE FUNCTION core.take_part(p_batch core.batches, p_staff uuid, p_part text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM core.batch_participants p WHERE p.program_id = p_batch.program_id AND p.batch_id = p_batch.id AND p.staff_id = p_staff AND p.part = p_part) THEN
    INSERT INTO core.batch_participants (program_id, batch_id, staff_id, part) VALUES (p_batch.program_id, p_batch.id, p_staff, p_part);
  END IF;
END $$;

CREATE FUNCTION core.new_batch(p_program uuid, p_safe uuid, p_title text, p_source text, p_file_name text, p_file_sha256 bytea, p_period text) RETURNS core.batches
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  person uuid := core.require(p_program, 'create_batch');
  batch core.batches;
BEGIN
  IF (SELECT status FROM core.programs WHERE id = p_program) = 'CLOSED' THEN
    RAISE EXCEPTION USING ERRCODE = 'CS423', MESSAGE = 'The program is closed';
  END IF;
  PERFORM core.refuse_frozen(p_program, p_safe, NULL);
  IF length(p_title) BETWEEN 1 AND 80 IS NOT TRUE OR NOT EXISTS (SELECT FROM core.safes WHERE program_id = p_program AND id = p_safe) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'A batch has a title of 1 to 80 characters and a Safe of its program';
  END IF;
  -- Numbers are counted under a lock on the program, so that they have no gaps.
  PERFORM 1 FROM core.programs WHERE id = p_program FOR NO KEY UPDATE;
  INSERT INTO core.batches (program_id, number, title, safe_id, source, file_name, file_sha256, period, created_by)
  VALUES (p_program, (SELECT coalesce(max(number), 0) + 1 FROM core.batches WHERE program_id = p_program), p_title, p_safe, p_source, p_file_name, p_file_sha256, p_period, person)
  RETURNING * INTO batch;
  PERFORM core.take_part(batch, person, 'EDITOR');
  RETURN batch;
END $$;

-- p_lines: [{line_no, asset_id, recipient, amount, reference, payee_name, source_key}]; all or nothing.
CREATE FUNCTION api.import_batch(p_program uuid, p_safe uuid, p_title text, p_file_name text, p_file_sha256 bytea, p_period text, p_lines jsonb) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  batch core.batches;
  existing core.batches;
BEGIN
  PERFORM core.require(p_program, 'create_batch');
  IF jsonb_typeof(p_lines) IS DISTINCT FROM 'array' THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'The lines of a file are a list';
  END IF;
  IF jsonb_array_length(p_lines) NOT BETWEEN 1 AND 1000 THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('A batch has 1 to 1,000 lines; this file has %s', jsonb_array_length(p_lines));
  END IF;
  IF p_file_name IS NULL OR p_file_sha256 IS NULL OR p_period ~ '^[0-9A-Za-z]([0-9A-Za-z ._/-]{0,38}[0-9A-Za-z])?$' IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'A file is known by its name, its SHA-256 and its period: 1 to 40 letters, digits, spaces, dots, slashes and hyphens, without spaces around it';
  END IF;
  -- Under the lock that counts numbers: the same file imported twice at once is recognised by the second.
  PERFORM 1 FROM core.programs WHERE id = p_program FOR NO KEY UPDATE;
  SELECT * INTO existing FROM core.batches b
  WHERE b.program_id = p_program AND b.file_sha256 = p_file_sha256 AND b.period = p_period AND b.state NOT IN ('REJECTED', 'CANCELLED', 'FAILED');
  IF existing.id IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('This file is batch %s already (%s), for the same period. Nothing was created', existing.number, existing.state);
  END IF;
  batch := core.new_batch(p_program, p_safe, p_title, 'FILE', p_file_name, p_file_sha256, p_period);
  INSERT INTO core.payouts (program_id, batch_id, line_no, asset_id, recipient, amount, reference, payee_name)
  SELECT p_program, batch.id, l.line_no, l.asset_id, core.parse_address(l.recipient), core.parse_amount(l.amount), coalesce(l.reference, ''), l.payee_name
  FROM jsonb_to_recordset(p_lines) AS l(line_no integer, asset_id uuid, recipient text, amount text, reference text, payee_name text)
  ORDER BY l.line_no;
  -- A line of a file is known by the file, the period and its line: the database derives the key itself.
  INSERT INTO core.payout_sources (program_id, payout_id, source_key)
  SELECT p_program, p.id, format('file:%s:%s:%s', encode(p_file_sha256, 'hex'), p_period, p.line_no)
  FROM core.payouts p WHERE p.program_id = p_program AND p.batch_id = batch.id;
  PERFORM core.refuse_foreign_assets(p_program, batch.id);
  PERFORM core.audit(p_program, 'batch.imported', batch.id, json_build_object('number', batch.number, 'file', p_file_name, 'sha256', encode(p_file_sha256, 'hex'), 'period', p_period, 'lines', jsonb_array_length(p_lines)));
  RETURN batch.id;
EXCEPTION
  WHEN unique_violation THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'Two lines of the file have the same number. Nothing was created';
  WHEN foreign_key_violation THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'The Safe or an asset of a line does not belong to this program. Nothing was created';
  WHEN check_violation OR not_null_violation THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'Each line has a number from 1 to 1,000, an asset, a recipient other than zero, an amount above zero and a reference of at most 140 characters. Nothing was created';
END $$;

-- Every line pays an asset of the chain that the Safe lives on, and never the Safe itself or the token contract.
CREATE FUNCTION core.refuse_foreign_assets(p_program uuid, p_batch uuid) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  wrong record;
BEGIN
  SELECT p.line_no, a.symbol, (a.chain_id <> s.chain_id) AS foreign_chain INTO wrong
  FROM core.payouts p JOIN core.batches b ON b.program_id = p.program_id AND b.id = p.batch_id
  JOIN core.safes s ON s.program_id = b.program_id AND s.id = b.safe_id JOIN core.assets a ON a.program_id = p.program_id AND a.id = p.asset_id
  WHERE p.program_id = p_program AND p.batch_id = p_batch AND (a.chain_id <> s.chain_id OR p.recipient = s.address OR p.recipient = a.token)
  ORDER BY p.line_no LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = CASE WHEN wrong.foreign_chain
      THEN format('Line %s pays %s, which is not on the chain of this Safe', wrong.line_no, wrong.symbol)
      ELSE format('Line %s pays the Safe itself or the token contract', wrong.line_no) END;
  END IF;
END $$;

-- The rule in force at a time.
CREATE FUNCTION core.rule_at(p_program uuid, p_at timestamptz) RETURNS SETOF core.commission_rules LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT * FROM core.commission_rules r WHERE r.program_id = p_program AND r.effective_from <= p_at ORDER BY r.effective_from DESC, r.version DESC LIMIT 1
$$;

-- When the current week or month of the program began, by the rule in force; none without a rule.
CREATE FUNCTION core.period_start(p_program uuid, p_at timestamptz) RETURNS timestamptz LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT date_trunc(CASE r.frequency WHEN 'WEEKLY' THEN 'week' ELSE 'month' END, p_at AT TIME ZONE g.time_zone) AT TIME ZONE g.time_zone
  FROM core.programs g CROSS JOIN LATERAL core.rule_at(g.id, p_at) r WHERE g.id = p_program
$$;

-- Commissions that no live payout has and that are due: payable before the current week or month began. What is owed back
-- is due at once.
CREATE FUNCTION core.due_commissions(p_program uuid, p_at timestamptz) RETURNS SETOF core.commissions LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT c.* FROM core.commissions c
  WHERE c.program_id = p_program AND c.state = 'PAYABLE' AND (c.kind = 'CLAW_BACK' OR c.payable_from < core.period_start(p_program, p_at))
    AND NOT EXISTS (SELECT FROM core.payout_sources ps WHERE ps.program_id = c.program_id AND ps.source_key = 'commission:' || c.id AND ps.live)
    -- A reorganisation may have taken away what paid the sale: it waits until that is there again.
    AND NOT EXISTS (SELECT FROM core.settlements s WHERE s.program_id = c.program_id AND s.id = c.settlement_id AND s.state = 'PROCESSING')
$$;

-- What is due, netted per affiliate and asset, with the address that would be paid and why nothing is paid now, if so. What
-- is below the minimum payout, or less than nothing, is carried forward.
CREATE FUNCTION core.due(p_program uuid, p_at timestamptz)
RETURNS TABLE (affiliate_id uuid, asset_id uuid, commissions bigint, direct numeric, over numeric, owed_back numeric, amount numeric, first_sale timestamptz, last_sale timestamptz, address bytea, obstacle text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT n.affiliate_id, n.asset_id, n.commissions, n.direct, n.over, n.owed_back, n.amount, n.first_sale, n.last_sale, w.address,
    CASE WHEN n.amount <= 0 THEN 'OWES_BACK' WHEN n.amount < coalesce(m.minimum_payout, 0) THEN 'BELOW_MINIMUM' WHEN w.payable_from > p_at THEN 'ADDRESS_COOLS_DOWN'
      WHEN EXISTS (SELECT FROM core.sanctions_on(p_program, w.address)) THEN 'SANCTIONED' END
  FROM (
    SELECT c.affiliate_id, c.asset_id, count(*) AS commissions, coalesce(sum(c.amount) FILTER (WHERE c.kind = 'DIRECT'), 0) AS direct, coalesce(sum(c.amount) FILTER (WHERE c.kind = 'OVERRIDE'), 0) AS over,
      coalesce(-sum(c.amount) FILTER (WHERE c.kind = 'CLAW_BACK'), 0) AS owed_back, sum(c.amount) AS amount, min(s.occurred_at) AS first_sale, max(s.occurred_at) AS last_sale
    FROM core.due_commissions(p_program, p_at) c JOIN core.settlements s ON s.program_id = c.program_id AND s.id = c.settlement_id GROUP BY c.affiliate_id, c.asset_id) n
  JOIN core.payees y ON y.program_id = p_program AND y.affiliate_id = n.affiliate_id
  CROSS JOIN LATERAL (SELECT pa.address, pa.payable_from FROM core.payee_addresses pa WHERE pa.program_id = p_program AND pa.payee_id = y.id ORDER BY pa.version DESC LIMIT 1) w
  LEFT JOIN core.rule_at(p_program, p_at) r ON true
  LEFT JOIN core.commission_rule_assets m ON m.program_id = p_program AND m.rule_id = r.id AND m.asset_id = n.asset_id
$$;

-- What is due now: a row without an obstacle is a line of a batch made at this time.
CREATE FUNCTION api.due(p_program uuid)
RETURNS TABLE (affiliate_id uuid, asset_id uuid, commissions bigint, direct numeric, over numeric, owed_back numeric, amount numeric, first_sale timestamptz, last_sale timestamptz, address bytea, obstacle text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM core.require(p_program, 'view');
  RETURN QUERY SELECT * FROM core.due(p_program, clock_timestamp());
END $$;
GRANT EXECUTE ON FUNCTION api.due(uuid) TO countersign_staff;

-- One line per affiliate and asset over everything that is due on the chain of the Safe, the largest first.
CREATE FUNCTION core.new_commission_batch(p_program uuid, p_safe uuid, p_title text) RETURNS core.batches LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  batch core.batches := core.new_batch(p_program, p_safe, p_title, 'COMMISSIONS', NULL, NULL, NULL);
  at timestamptz := clock_timestamp();
  lines integer;
BEGIN
  -- Taking settlements back waits for this lock, or this for that.
  PERFORM 1 FROM core.commissions c WHERE c.program_id = p_program AND c.id IN (SELECT d.id FROM core.due_commissions(p_program, at) d) ORDER BY c.id FOR UPDATE;
  INSERT INTO core.payouts (program_id, batch_id, line_no, asset_id, recipient, amount, reference, payee_name, affiliate_id)
  SELECT p_program, batch.id, n.line_no, n.asset_id, n.address, n.amount, format('%s-%s', a.referral_code, batch.number), a.name, a.id
  FROM (SELECT d.*, row_number() OVER (ORDER BY d.amount DESC, d.asset_id, d.affiliate_id) AS line_no
        FROM core.due(p_program, at) d JOIN core.assets x ON x.program_id = p_program AND x.id = d.asset_id JOIN core.safes s ON s.program_id = p_program AND s.id = p_safe AND s.chain_id = x.chain_id
        WHERE d.obstacle IS NULL) n
  JOIN core.affiliates a ON a.program_id = p_program AND a.id = n.affiliate_id WHERE n.line_no <= 1000;
  GET DIAGNOSTICS lines = ROW_COUNT;
  IF lines = 0 THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'No commission is payable now. Nothing was created';
  END IF;
  INSERT INTO core.payout_sources (program_id, payout_id, source_key, commission_id)
  SELECT p_program, p.id, 'commission:' || c.id, c.id
  FROM core.payouts p JOIN core.due_commissions(p_program, at) c ON c.asset_id = p.asset_id AND c.affiliate_id = p.affiliate_id WHERE p.program_id = p_program AND p.batch_id = batch.id;
  PERFORM core.refuse_foreign_assets(p_program, batch.id);
  PERFORM core.audit(p_program, 'batch.created', batch.id, json_build_object('number', batch.number, 'lines', lines));
  RETURN batch;
END $$;

CREATE FUNCTION api.create_commission_batch(p_program uuid, p_safe uuid, p_title text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN (core.new_commission_batch(p_program, p_safe, p_title)).id;
END $$;

-- Liability that a line pays off: the affiliate's, or for a line of a file one per recipient.
CREATE FUNCTION core.line_liability(p_payout core.payouts) RETURNS uuid LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE WHEN p_payout.affiliate_id IS NOT NULL THEN core.affiliate_account(p_payout.program_id, p_payout.affiliate_id, p_payout.asset_id)
    ELSE core.account(p_payout.program_id, 'liability', 'payee:' || core.hex_address(p_payout.recipient) || ':liability',
                      'Owed to ' || core.hex_address(p_payout.recipient), p_payout.asset_id) END
$$;

-- What may be committed: the smaller of ledger and chain, less live holds (law 9).
CREATE FUNCTION core.refuse_overcommitment(p_batch core.batches) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  short record;
BEGIN
  SELECT a.symbol, a.decimals, n.needed, least(coalesce(acc.debits_posted - acc.credits_posted, 0), coalesce(sb.amount, 0)) - coalesce(acc.credits_pending, 0) AS available,
         sb.block_number INTO short
  FROM (SELECT asset_id, sum(amount) AS needed FROM core.payouts WHERE program_id = p_batch.program_id AND batch_id = p_batch.id GROUP BY asset_id) n
  JOIN core.assets a ON a.program_id = p_batch.program_id AND a.id = n.asset_id
  JOIN core.safes s ON s.program_id = p_batch.program_id AND s.id = p_batch.safe_id
  LEFT JOIN core.accounts acc ON acc.program_id = p_batch.program_id AND acc.code = 'treasury:' || core.hex_address(s.address) AND acc.asset_id = n.asset_id
  LEFT JOIN core.safe_balances sb ON sb.program_id = p_batch.program_id AND sb.safe_id = s.id AND sb.asset_id = n.asset_id
  WHERE least(coalesce(acc.debits_posted - acc.credits_posted, 0), coalesce(sb.amount, 0)) - coalesce(acc.credits_pending, 0) < n.needed LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409',
      MESSAGE = format('The batch needs %s base units of %s and %s are available (the smaller of ledger and chain at block %s, less what is committed)',
                       short.needed, short.symbol, greatest(short.available, 0), coalesce(short.block_number::text, 'none yet'));
  END IF;
END $$;

-- A plan is a list of legs, numbered from 1 without gaps (their nonces follow the numbers), each with lines of its own.
CREATE FUNCTION core.refuse_bad_plan(p_plan jsonb) RETURNS void LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF jsonb_typeof(p_plan) IS DISTINCT FROM 'array' OR jsonb_array_length(p_plan) NOT BETWEEN 1 AND 1000 THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'The plan is a list of 1 to 1,000 legs';
  END IF;
  IF EXISTS (
    SELECT FROM jsonb_array_elements(p_plan) WITH ORDINALITY AS l(leg, position)
    WHERE leg ->> 'leg_index' IS DISTINCT FROM position::text OR jsonb_typeof(leg -> 'line_nos') IS DISTINCT FROM 'array') THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'The legs of the plan are numbered 1, 2, 3 in this order, each with its list of lines';
  END IF;
  IF EXISTS (
    SELECT FROM jsonb_array_elements(p_plan) AS l(leg)
    WHERE jsonb_array_length(leg -> 'line_nos') = 0
       OR EXISTS (SELECT FROM jsonb_array_elements(leg -> 'line_nos') AS n(line_no) WHERE n.line_no::text !~ '^[1-9][0-9]{0,3}$')) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'Each leg of the plan pays at least one line, by its number';
  END IF;
END $$;

-- p_plan: [{leg_index, line_nos, to}]; value, operation and refund fields are what the table's constraints say.
CREATE FUNCTION api.submit_batch(p_program uuid, p_batch uuid, p_plan jsonb, p_content_hash bytea, p_signature bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  person uuid := core.require(p_program, 'submit_batch');
  identity_key uuid := core.require_signature(person, p_signature);
  batch core.batches := core.lock_batch(p_program, p_batch);
  missing text;
  stale record;
BEGIN
  PERFORM core.require_state(batch, 'DRAFT');
  PERFORM core.refuse_bad_plan(p_plan);
  PERFORM core.take_part(batch, person, 'EDITOR');
  -- The Safe's row orders everything that competes for its money and its nonces.
  PERFORM 1 FROM core.safes WHERE program_id = p_program AND id = batch.safe_id FOR NO KEY UPDATE;
  PERFORM core.refuse_overcommitment(batch);
  INSERT INTO core.safe_transactions (program_id, batch_id, leg_index, safe_id, to_address, value, operation)
  SELECT p_program, p_batch, l.leg_index, batch.safe_id, core.parse_address(l."to"), 0, 1 FROM jsonb_to_recordset(p_plan) AS l(leg_index integer, "to" text);
  UPDATE core.payouts p SET leg_index = l.leg_index
  FROM (SELECT x.leg_index, n.line_no::integer FROM jsonb_to_recordset(p_plan) AS x(leg_index integer, line_nos jsonb), jsonb_array_elements_text(x.line_nos) AS n(line_no)) l
  WHERE p.program_id = p_program AND p.batch_id = p_batch AND p.line_no = l.line_no;
  IF NOT EXISTS (SELECT FROM core.payouts WHERE program_id = p_program AND batch_id = p_batch)
     OR EXISTS (SELECT FROM core.payouts WHERE program_id = p_program AND batch_id = p_batch AND leg_index IS NULL)
     OR (SELECT count(*) FROM jsonb_to_recordset(p_plan) AS x(line_nos jsonb), jsonb_array_elements_text(x.line_nos))
        <> (SELECT count(*) FROM core.payouts WHERE program_id = p_program AND batch_id = p_batch) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'The plan pays each line exactly once; this one does not';
  END IF;
  UPDATE core.batches SET submitted_by = person, submitted_at = clock_timestamp() WHERE program_id = p_program AND id = p_batch;
  SELECT string_agg(DISTINCT a.symbol, ', ') INTO missing FROM core.payouts p JOIN core.assets a ON a.program_id = p.program_id AND a.id = p.asset_id
  WHERE p.program_id = p_program AND p.batch_id = p_batch
    AND NOT EXISTS (SELECT FROM core.policies o WHERE o.program_id = p_program AND o.asset_id = p.asset_id AND o.replaced_at IS NULL AND o.at_least = 0);
  IF missing IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('No policy covers %s from zero on: an administrator sets one first', missing);
  END IF;
  IF core.batch_content_hash(p_program, p_batch) IS DISTINCT FROM p_content_hash THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'The content hash is not that of the stored lines and plan: open the batch again';
  END IF;
  INSERT INTO core.batch_revisions (program_id, batch_id, revision, staff_id, content_hash, identity_key_id, signature)
  VALUES (p_program, p_batch, batch.revision, person, p_content_hash, identity_key, p_signature);
  UPDATE core.batches SET state = 'PENDING_APPROVAL', content_hash = p_content_hash, last_reason = NULL WHERE program_id = p_program AND id = p_batch;
  SELECT p.line_no, x.state INTO stale FROM core.payouts p JOIN core.payout_sources ps ON ps.program_id = p.program_id AND ps.payout_id = p.id
  JOIN core.commissions x ON x.program_id = ps.program_id AND x.id = ps.commission_id
  WHERE p.program_id = p_program AND p.batch_id = p_batch AND x.state <> 'PAYABLE' ORDER BY p.line_no LIMIT 1 FOR UPDATE OF x;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('Line %s pays a commission that is %s now: cancel this draft and make it again', stale.line_no, stale.state);
  END IF;
  UPDATE core.commissions c SET state = 'PENDING_APPROVAL' FROM core.payout_sources ps JOIN core.payouts p ON p.program_id = ps.program_id AND p.id = ps.payout_id
  WHERE p.program_id = p_program AND p.batch_id = p_batch AND c.program_id = p_program AND c.id = ps.commission_id;
  -- Lines of a file accrue now; commissions accrued with their settlement. Then everything is held on the treasury.
  INSERT INTO core.transfers (program_id, debit_account, credit_account, asset_id, amount, reason, cause_id, occurrence, narration, occurred_at)
  SELECT p_program, core.program_account(p_program, 'expense', p.asset_id), core.line_liability(p), p.asset_id, p.amount, 'file_accrual', p.id, batch.revision,
         format('Batch %s, line %s', batch.number, p.line_no), clock_timestamp()
  FROM core.payouts p WHERE p.program_id = p_program AND p.batch_id = p_batch AND batch.source = 'FILE';
  PERFORM core.hold_lines(batch, (SELECT array_agg(id) FROM core.payouts WHERE program_id = p_program AND batch_id = p_batch));
  PERFORM core.audit(p_program, 'batch.submitted', p_batch, json_build_object('number', batch.number, 'revision', batch.revision, 'content_hash', encode(p_content_hash, 'hex')));
END $$;

-- Holds lines on the treasury: at submission, and again when what paid them is taken away.
CREATE FUNCTION core.hold_lines(p_batch core.batches, p_payouts uuid[]) RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO core.transfers (program_id, debit_account, credit_account, asset_id, amount, phase, reason, cause_id, occurrence, narration, occurred_at)
  SELECT p.program_id, core.program_account(p.program_id, 'payouts', p.asset_id), core.treasury_account(p.program_id, p_batch.safe_id, p.asset_id), p.asset_id, p.amount, 'PENDING', 'payout_hold',
         p.id, (SELECT count(*) FROM core.transfers e WHERE e.program_id = p.program_id AND e.reason = 'payout_hold' AND e.phase = 'PENDING' AND e.cause_id = p.id),
         format('Hold for batch %s, line %s', p_batch.number, p.line_no), clock_timestamp()
  FROM core.payouts p WHERE p.program_id = p_batch.program_id AND p.id = ANY (p_payouts)
$$;

-- Lets go of what a submission held: holds are voided, accruals of file lines reversed, commissions payable again.
CREATE FUNCTION core.release_lines(p_batch core.batches, p_payouts uuid[], p_let_sources_go boolean) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO core.transfers (program_id, debit_account, credit_account, asset_id, amount, phase, pending_id, reason, cause_id, occurrence, narration, occurred_at)
  SELECT h.program_id, h.debit_account, h.credit_account, h.asset_id, h.amount, 'VOID', h.id, h.reason, h.cause_id, h.occurrence, 'Released: ' || h.narration, clock_timestamp()
  FROM core.live_holds(p_batch.program_id, p_payouts) h;
  INSERT INTO core.transfers (program_id, debit_account, credit_account, asset_id, amount, reason, cause_id, occurrence, narration, occurred_at)
  SELECT h.program_id, h.credit_account, h.debit_account, h.asset_id, h.amount, 'file_accrual_reversal', h.cause_id, h.occurrence, 'Reversed: ' || h.narration, clock_timestamp()
  FROM core.transfers h WHERE h.program_id = p_batch.program_id AND h.reason = 'file_accrual' AND h.cause_id = ANY (p_payouts) AND h.occurrence = p_batch.revision;
  UPDATE core.commissions c SET state = 'PAYABLE' FROM core.payout_sources ps
  WHERE ps.program_id = p_batch.program_id AND ps.payout_id = ANY (p_payouts) AND c.program_id = p_batch.program_id AND c.id = ps.commission_id AND c.state = 'PENDING_APPROVAL';
  IF p_let_sources_go THEN
    UPDATE core.payout_sources SET live = false WHERE program_id = p_batch.program_id AND payout_id = ANY (p_payouts) AND live;
  END IF;
END $$;

-- Approves exactly the content that was shown. When the policy is satisfied, signing opens: nonces are allocated.
CREATE FUNCTION api.approve_batch(p_program uuid, p_batch uuid, p_content_hash bytea, p_signature bytea) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  person uuid := core.require(p_program, 'approve');
  identity_key uuid := core.require_signature(person, p_signature);
  batch core.batches := core.lock_batch(p_program, p_batch);
  broken text;
BEGIN
  IF batch.state NOT IN ('PENDING_APPROVAL', 'APPROVED') OR batch.content_hash IS DISTINCT FROM p_content_hash THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('Batch %s changed since it was shown, or is not waiting for approval: open it again', batch.number);
  END IF;
  PERFORM core.refuse_frozen(p_program, batch.safe_id, p_batch);
  PERFORM core.take_part(batch, person, 'APPROVER');
  INSERT INTO core.approvals (program_id, batch_id, staff_id, content_hash, identity_key_id, signature) VALUES (p_program, p_batch, person, p_content_hash, identity_key, p_signature);
  PERFORM core.audit(p_program, 'batch.approved', p_batch, json_build_object('number', batch.number, 'revision', batch.revision, 'content_hash', encode(p_content_hash, 'hex')));
  IF batch.state = 'PENDING_APPROVAL' AND core.missing_approval(batch) IS NULL THEN
    UPDATE core.batches SET state = 'APPROVED' WHERE program_id = p_program AND id = p_batch RETURNING * INTO batch;
    UPDATE core.payouts SET state = 'QUEUED' WHERE program_id = p_program AND batch_id = p_batch;
    PERFORM core.open_signing(batch);
  END IF;
  RETURN batch.state;
EXCEPTION
  WHEN unique_violation THEN
    GET STACKED DIAGNOSTICS broken = CONSTRAINT_NAME;
    IF broken = 'an_editor_cannot_approve' THEN
      RAISE EXCEPTION USING ERRCODE = 'CS403', MESSAGE = 'You prepared or edited this batch: somebody else approves it', CONSTRAINT = broken;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'CS409', CONSTRAINT = broken, MESSAGE = CASE broken
      WHEN 'approvals_pkey' THEN CASE WHEN person IN (SELECT a.staff_id FROM core.approvals_that_count(p_program, p_batch, p_content_hash) a) THEN 'You approved this content already'
        ELSE 'You approved this content while it was being frozen, which does not count: somebody else approves it, or it goes back to its preparer and is approved anew' END
      ELSE format('Signing cannot open: %s is taken already', broken) END;
END $$;

-- The one function that allocates nonces: contiguous, behind what is signed or known to be used, under a lock on the Safe.
CREATE FUNCTION core.open_signing(p_batch core.batches) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  safe core.safes;
  next_nonce bigint;
BEGIN
  SELECT * INTO safe FROM core.safes WHERE program_id = p_batch.program_id AND id = p_batch.safe_id FOR NO KEY UPDATE;
  IF safe.observed_nonce IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'The watcher has not read this Safe yet: its nonce is unknown';
  END IF;
  SELECT greatest(safe.observed_nonce, coalesce(max(t.nonce) + 1, 0)) INTO next_nonce FROM core.safe_transactions t
  WHERE t.program_id = p_batch.program_id AND t.safe_id = p_batch.safe_id AND t.nonce IS NOT NULL AND t.state NOT IN ('REPLACED', 'REJECTED');
  UPDATE core.safe_transactions t SET nonce = next_nonce + t.leg_index - 1 WHERE t.program_id = p_batch.program_id AND t.batch_id = p_batch.id;
  -- PAYOUT intents: written when the policy is satisfied, complete when their line settles.
  INSERT INTO core.intents (program_id, kind, idempotency_key, fingerprint, payload)
  SELECT p.program_id, 'PAYOUT',
    CASE WHEN p.affiliate_id IS NOT NULL THEN format('PAYOUT:%s:%s:%s', p.batch_id, p.affiliate_id, p.asset_id) ELSE format('PAYOUT:%s:%s', p.batch_id, p.line_no) END,
    sha256(convert_to(x.body::text, 'UTF8')), x.body
  FROM core.payouts p CROSS JOIN LATERAL (SELECT jsonb_build_object('payout', p.id, 'recipient', core.hex_address(p.recipient), 'asset', p.asset_id, 'amount', p.amount::text) AS body) x
  WHERE p.program_id = p_batch.program_id AND p.batch_id = p_batch.id;
  PERFORM core.audit(p_batch.program_id, 'signing.opened', p_batch.id, json_build_object('number', p_batch.number, 'first_nonce', next_nonce));
END $$;

-- PAYOUT intents end with their lines: COMPLETED without an error, else DEAD with it.
CREATE FUNCTION core.finish_payout_intents(p_program uuid, p_payouts uuid[], p_error text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  ids uuid[];
BEGIN
  SELECT array_agg(i.id) INTO ids FROM core.intents i
  JOIN core.payouts p ON p.program_id = i.program_id AND p.id = ANY (p_payouts)
    AND i.idempotency_key = CASE WHEN p.affiliate_id IS NOT NULL THEN format('PAYOUT:%s:%s:%s', p.batch_id, p.affiliate_id, p.asset_id) ELSE format('PAYOUT:%s:%s', p.batch_id, p.line_no) END
  WHERE i.program_id = p_program AND i.state = 'PENDING';
  UPDATE core.intents SET state = 'LOCKED', attempts = attempts + 1, fencing_token = nextval('core.fencing_tokens'), lease_expires_at = clock_timestamp() WHERE program_id = p_program AND id = ANY (ids);
  IF p_error IS NULL THEN
    UPDATE core.intents SET state = 'COMPLETED', completed_at = clock_timestamp(), lease_expires_at = NULL WHERE program_id = p_program AND id = ANY (ids);
  ELSE
    UPDATE core.intents SET state = 'FAILED', error_class = 'NOT_PAID', error = p_error WHERE program_id = p_program AND id = ANY (ids);
    UPDATE core.intents SET state = 'DEAD' WHERE program_id = p_program AND id = ANY (ids);
  END IF;
END $$;

CREATE FUNCTION core.require_reason(p_reason text) RETURNS void LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF length(coalesce(trim(p_reason), '')) < 10 OR length(p_reason) > 1000 THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'Say in at least ten characters why, and at most 1,000; it stays in the audit trail';
  END IF;
END $$;

-- p_marks: [{line_no, reason}], the lines that must not be paid as they are, if that is what is wrong.
CREATE FUNCTION api.return_batch(p_program uuid, p_batch uuid, p_reason text, p_marks jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  person uuid := core.require(p_program, 'approve');
  batch core.batches := core.lock_batch(p_program, p_batch);
  unknown integer;
BEGIN
  PERFORM core.require_reason(p_reason);
  PERFORM core.require_state(batch, 'PENDING_APPROVAL');
  IF jsonb_typeof(p_marks) IS DISTINCT FROM 'array' OR jsonb_array_length(p_marks) > 1000 OR EXISTS (
    SELECT FROM jsonb_to_recordset(p_marks) AS m(line_no text, reason text) WHERE (m.line_no ~ '^[1-9][0-9]{0,3}$' AND length(m.reason) BETWEEN 3 AND 280) IS NOT TRUE) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'Lines are marked by their numbers, each with a reason of 3 to 280 characters';
  END IF;
  SELECT m.line_no INTO unknown FROM jsonb_to_recordset(p_marks) AS m(line_no integer)
  WHERE NOT EXISTS (SELECT FROM core.payouts p WHERE p.program_id = p_program AND p.batch_id = p_batch AND p.line_no = m.line_no) ORDER BY m.line_no LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('Batch %s has no line %s to mark', batch.number, unknown);
  END IF;
  INSERT INTO core.line_marks (program_id, batch_id, revision, line_no, reason, marked_by)
  SELECT p_program, p_batch, batch.revision, m.line_no, m.reason, person FROM jsonb_to_recordset(p_marks) AS m(line_no integer, reason text);
  PERFORM core.release_lines(batch, (SELECT array_agg(id) FROM core.payouts WHERE program_id = p_program AND batch_id = p_batch), false);
  UPDATE core.batches SET state = 'DRAFT', content_hash = NULL, revision = revision + 1, last_reason = p_reason WHERE program_id = p_program AND id = p_batch;
  UPDATE core.payouts SET leg_index = NULL WHERE program_id = p_program AND batch_id = p_batch;
  DELETE FROM core.safe_transactions WHERE program_id = p_program AND batch_id = p_batch;
  PERFORM core.audit(p_program, 'batch.returned', p_batch, json_build_object('number', batch.number, 'revision', batch.revision, 'by', person, 'reason', p_reason,
    'marks', (SELECT coalesce(json_agg(json_build_object('line_no', m.line_no, 'reason', m.reason) ORDER BY m.line_no), '[]') FROM jsonb_to_recordset(p_marks) AS m(line_no integer, reason text))));
EXCEPTION WHEN unique_violation THEN
  RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'Each line is marked once';
END $$;

-- Takes lines out of a draft, all in one step: nothing was signed for them, and what they pay is free for another batch. Who does
-- it is an editor and approves no revision of this batch.
CREATE FUNCTION api.take_out_lines(p_program uuid, p_batch uuid, p_line_nos integer[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  person uuid := core.require(p_program, 'edit_batch');
  batch core.batches := core.lock_batch(p_program, p_batch);
  unknown integer;
  taken uuid[];
  what json;
  broken text;
BEGIN
  PERFORM core.require_state(batch, 'DRAFT');
  PERFORM core.refuse_frozen(p_program, batch.safe_id, p_batch);
  IF (cardinality(p_line_nos) BETWEEN 1 AND 1000) IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'Name 1 to 1,000 lines to take out';
  END IF;
  SELECT n.line_no INTO unknown FROM unnest(p_line_nos) AS n(line_no)
  WHERE NOT EXISTS (SELECT FROM core.payouts p WHERE p.program_id = p_program AND p.batch_id = p_batch AND p.line_no = n.line_no) ORDER BY n.line_no LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('Batch %s has no line %s: open it again', batch.number, coalesce(unknown::text, 'without a number'));
  END IF;
  IF NOT EXISTS (SELECT FROM core.payouts p WHERE p.program_id = p_program AND p.batch_id = p_batch AND p.line_no <> ALL (p_line_nos)) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'No line would be left: cancel the batch instead';
  END IF;
  PERFORM core.take_part(batch, person, 'EDITOR');
  SELECT array_agg(p.id), json_agg(json_build_object('line', p.line_no, 'recipient', core.hex_address(p.recipient), 'asset', p.asset_id, 'amount', p.amount::text,
           'reference', p.reference, 'sources', (SELECT json_agg(s.source_key) FROM core.payout_sources s WHERE s.program_id = p.program_id AND s.payout_id = p.id)) ORDER BY p.line_no)
  INTO taken, what FROM core.payouts p WHERE p.program_id = p_program AND p.batch_id = p_batch AND p.line_no = ANY (p_line_nos);
  DELETE FROM core.payout_sources WHERE program_id = p_program AND payout_id = ANY (taken);
  DELETE FROM core.payouts WHERE program_id = p_program AND id = ANY (taken);
  UPDATE core.batches SET revision = revision + 1 WHERE program_id = p_program AND id = p_batch;
  PERFORM core.audit(p_program, 'batch.lines_taken_out', p_batch, json_build_object('number', batch.number, 'revision', batch.revision + 1, 'by', person, 'lines', what));
  RETURN cardinality(taken);
EXCEPTION WHEN unique_violation THEN
  GET STACKED DIAGNOSTICS broken = CONSTRAINT_NAME;
  RAISE EXCEPTION USING ERRCODE = 'CS403', CONSTRAINT = broken, MESSAGE = 'You approved a revision of this batch: somebody else edits it';
END $$;

CREATE FUNCTION api.reject_batch(p_program uuid, p_batch uuid, p_reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  person uuid := core.require(p_program, 'approve');
  batch core.batches := core.lock_batch(p_program, p_batch);
BEGIN
  PERFORM core.require_reason(p_reason);
  PERFORM core.require_state(batch, 'PENDING_APPROVAL');
  UPDATE core.batches SET state = 'REJECTED', last_reason = p_reason WHERE program_id = p_program AND id = p_batch;
  UPDATE core.payouts SET state = 'CANCELLED' WHERE program_id = p_program AND batch_id = p_batch;
  PERFORM core.release_lines(batch, (SELECT array_agg(id) FROM core.payouts WHERE program_id = p_program AND batch_id = p_batch), true);
  PERFORM core.audit(p_program, 'batch.rejected', p_batch, json_build_object('number', batch.number, 'by', person, 'reason', p_reason));
END $$;

-- A batch that leaves in a file may be signed where nobody sees it: from here on each of its legs counts as signed. p_hashes: of the
-- legs in their order.
CREATE FUNCTION api.carry_batch(p_program uuid, p_batch uuid, p_hashes bytea[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  person uuid := core.require(p_program, 'approve');
  batch core.batches := core.lock_batch(p_program, p_batch);
BEGIN
  PERFORM core.require_state(batch, 'APPROVED');
  PERFORM core.refuse_frozen(p_program, batch.safe_id, p_batch);
  UPDATE core.safe_transactions SET safe_tx_hash = p_hashes[leg_index] WHERE program_id = p_program AND batch_id = p_batch AND safe_tx_hash IS NULL;
  IF EXISTS (SELECT FROM core.safe_transactions t WHERE t.program_id = p_program AND t.batch_id = p_batch AND t.safe_tx_hash IS DISTINCT FROM p_hashes[t.leg_index]) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'The legs of this batch have other hashes, or not so many: open the batch again';
  END IF;
  PERFORM core.audit(p_program, 'batch.carried', p_batch, json_build_object('number', batch.number, 'by', person, 'legs', cardinality(p_hashes)));
EXCEPTION WHEN unique_violation OR check_violation THEN
  RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'Signing of this batch is not open, or a hash is another leg''s: open the batch again';
END $$;

-- Before anything is signed a batch can be cancelled. Once a signature exists it is a bearer cheque (law 6).
CREATE FUNCTION api.cancel_batch(p_program uuid, p_batch uuid, p_reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  person uuid := core.require(p_program, 'view');
  batch core.batches := core.lock_batch(p_program, p_batch);
  lines uuid[];
BEGIN
  IF person IS DISTINCT FROM batch.created_by OR NOT core.can(p_program, 'edit_batch') THEN
    person := core.require(p_program, 'operate');
  END IF;
  PERFORM core.require_reason(p_reason);
  IF batch.state NOT IN ('DRAFT', 'PENDING_APPROVAL', 'APPROVED') THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('Batch %s is %s now and cannot be cancelled', batch.number, batch.state);
  END IF;
  -- Before anything is looked at: nonces are given out under this lock, and a later batch may be taking the next one.
  PERFORM 1 FROM core.safes WHERE program_id = p_program AND id = batch.safe_id FOR NO KEY UPDATE;
  IF core.is_signed(p_program, p_batch, NULL) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'This batch is signed, or was carried away in a file to be signed, and a signature stays valid until its nonce is used: it is freed only when the nonce is consumed by another transaction. Freeze it to stop the executor';
  END IF;
  IF EXISTS (SELECT FROM core.safe_transactions t JOIN core.safe_transactions later ON later.program_id = t.program_id AND later.safe_id = t.safe_id AND later.nonce > t.nonce AND later.batch_id <> t.batch_id
             WHERE t.program_id = p_program AND t.batch_id = p_batch AND t.state = 'PROPOSED' AND later.state NOT IN ('REPLACED', 'REJECTED')) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A later batch waits behind the nonces of this one: cancel that batch first';
  END IF;
  IF EXISTS (SELECT FROM core.payouts WHERE program_id = p_program AND batch_id = p_batch AND state = 'SETTLED') THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'The chain has paid lines of this batch already: hand it over, so that it ends as what it is';
  END IF;
  UPDATE core.safe_transactions SET nonce = NULL WHERE program_id = p_program AND batch_id = p_batch AND nonce IS NOT NULL AND safe_tx_hash IS NULL;
  -- Lines whose leg was replaced are free already.
  SELECT array_agg(id) INTO lines FROM core.payouts WHERE program_id = p_program AND batch_id = p_batch AND state <> 'CANCELLED';
  UPDATE core.payouts SET state = 'CANCELLED' WHERE program_id = p_program AND id = ANY (lines);
  UPDATE core.batches SET state = 'CANCELLED', last_reason = p_reason WHERE program_id = p_program AND id = p_batch;
  PERFORM core.release_lines(batch, lines, true);
  PERFORM core.finish_payout_intents(p_program, lines, 'The batch was cancelled: ' || p_reason);
  PERFORM core.audit(p_program, 'batch.cancelled', p_batch, json_build_object('number', batch.number, 'by', person, 'reason', p_reason));
END $$;

-- Stores one owner's signature. The signer approved this very content, holds this owner key, and signs the hash that
-- colleagues signed. Clients recover the signature before they store it and again before they use it. What was sent to a Ledger, two
-- hashes or all fields, is for the audit trail: it says what its person could read.
CREATE FUNCTION api.sign_leg(p_program uuid, p_batch uuid, p_leg integer, p_safe_tx_hash bytea, p_key_kind text, p_signature bytea, p_flow text DEFAULT NULL, p_child bytea DEFAULT NULL) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  signer uuid := core.require(p_program, 'approve');
  batch core.batches := core.lock_batch(p_program, p_batch);
  leg core.safe_transactions;
  safe core.safes;
  signs_for core.safes;
  owner_key bytea;
  signed integer;
  broken text;
BEGIN
  PERFORM core.require_state(batch, 'APPROVED');
  PERFORM core.refuse_frozen(p_program, batch.safe_id, p_batch);
  SELECT * INTO leg FROM core.safe_transactions WHERE program_id = p_program AND batch_id = p_batch AND leg_index = p_leg FOR UPDATE;
  IF leg.id IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('Batch %s has no leg %s', batch.number, p_leg);
  END IF;
  IF length(p_safe_tx_hash) IS DISTINCT FROM 32 OR length(p_signature) IS DISTINCT FROM 65 OR p_key_kind IN ('SOFTWARE', 'LEDGER') IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'A leg is signed with a hash of 32 bytes, a signature of 65 bytes and the kind of key, SOFTWARE or LEDGER';
  END IF;
  IF p_flow NOT IN ('HASHED', 'FULL') THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'What was sent to the device is HASHED or FULL, or nothing where no device was asked';
  END IF;
  IF leg.safe_tx_hash IS NOT NULL AND leg.safe_tx_hash <> p_safe_tx_hash THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A colleague signed another hash for this leg. Sign nothing; freeze the Safe and compare machines';
  END IF;
  IF NOT EXISTS (SELECT FROM core.approvals a WHERE a.program_id = p_program AND a.batch_id = p_batch AND a.staff_id = signer AND a.content_hash = batch.content_hash) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS403', MESSAGE = 'Approve this content first, then sign it';
  END IF;
  SELECT s.safe_owner INTO owner_key FROM core.staff s WHERE s.id = signer;
  SELECT * INTO safe FROM core.safes WHERE program_id = p_program AND id = leg.safe_id;
  signs_for := safe;
  IF p_child IS NOT NULL THEN
    SELECT c.* INTO signs_for FROM core.safes c JOIN core.safe_owners o ON o.program_id = c.program_id AND o.safe_id = safe.id AND o.owner = c.address
    WHERE c.program_id = p_program AND c.chain_id = safe.chain_id AND c.address = p_child;
    IF signs_for.id IS NULL THEN
      RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('%s is no Safe that two people pinned and that owns the Safe %s', core.hex_address(p_child), safe.name);
    END IF;
  END IF;
  IF owner_key IS NULL OR NOT EXISTS (SELECT FROM core.safe_owners o WHERE o.program_id = p_program AND o.safe_id = signs_for.id AND o.owner = owner_key) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS403', MESSAGE = format('You hold no owner key of the Safe %s', signs_for.name);
  END IF;
  -- Software keys complete a threshold only on test chains, or where every policy in play says so.
  IF p_key_kind = 'SOFTWARE' AND NOT core.is_test_chain(safe.chain_id) AND EXISTS (
    SELECT FROM core.payouts p JOIN core.policies o ON o.program_id = p.program_id AND o.asset_id = p.asset_id AND o.replaced_at IS NULL
    WHERE p.program_id = p_program AND p.batch_id = p_batch AND p.leg_index = p_leg AND NOT o.software_keys) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS403', MESSAGE = 'On this chain the policy asks for a hardware key';
  END IF;
  UPDATE core.safe_transactions SET safe_tx_hash = p_safe_tx_hash WHERE program_id = p_program AND id = leg.id AND safe_tx_hash IS NULL;
  INSERT INTO core.signatures (program_id, safe_transaction_id, batch_id, safe_id, owner, owner_safe_id, child, staff_id, content_hash, safe_tx_hash, key_kind, signature)
  VALUES (p_program, leg.id, p_batch, leg.safe_id, owner_key, signs_for.id, p_child, signer, batch.content_hash, p_safe_tx_hash, p_key_kind, p_signature);
  signed := core.owners_signed(p_program, leg.id, p_safe_tx_hash);
  IF leg.state = 'PROPOSED' AND signed >= safe.threshold THEN
    UPDATE core.safe_transactions SET state = 'SIGNED' WHERE program_id = p_program AND id = leg.id;
  END IF;
  PERFORM core.audit(p_program, 'leg.signed', leg.id, json_build_object('batch', batch.number, 'leg', p_leg, 'nonce', leg.nonce, 'safe_tx_hash', encode(p_safe_tx_hash, 'hex'), 'owner', core.hex_address(owner_key), 'child', core.hex_address(p_child), 'key', p_key_kind, 'flow', p_flow));
  RETURN signed;
EXCEPTION WHEN unique_violation THEN
  GET STACKED DIAGNOSTICS broken = CONSTRAINT_NAME;
  RAISE EXCEPTION USING ERRCODE = 'CS409', CONSTRAINT = broken, MESSAGE = CASE broken
    WHEN 'signatures_pkey' THEN 'You signed this leg already'
    ELSE 'This hash belongs to another leg already. Sign nothing; freeze the Safe and compare machines' END;
END $$;

-- Hands the signed legs to the executor.
CREATE FUNCTION api.execute_batch(p_program uuid, p_batch uuid, p_content_hash bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  person uuid := core.require(p_program, 'execute');
  batch core.batches := core.lock_batch(p_program, p_batch);
BEGIN
  PERFORM core.require_state(batch, 'APPROVED');
  IF batch.content_hash IS DISTINCT FROM p_content_hash THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('Batch %s is not the content that was confirmed: open it again', batch.number);
  END IF;
  UPDATE core.batches SET state = 'EXECUTING', executed_by = person WHERE program_id = p_program AND id = p_batch;
  -- Lines of a leg that somebody else executed before are further on already.
  UPDATE core.payouts SET state = 'PROCESSING' WHERE program_id = p_program AND batch_id = p_batch AND state = 'QUEUED';
  PERFORM core.audit(p_program, 'batch.sent', p_batch, json_build_object('number', batch.number));
  PERFORM core.close_batch(p_program, p_batch);
END $$;
