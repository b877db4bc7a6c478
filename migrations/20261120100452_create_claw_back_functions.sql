-- What is taken back: a reversed settlement leaves revenue, and its commissions leave what is owed, or become a debt.

-- A claw-back is the exact opposite of one commission that was paid or is being paid, of a settlement that was taken back.
CREATE FUNCTION core.guard_claw_back() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (
    SELECT FROM core.commissions c JOIN core.settlements s ON s.program_id = c.program_id AND s.id = c.settlement_id
    WHERE c.program_id = NEW.program_id AND c.id = NEW.takes_back AND c.kind <> 'CLAW_BACK' AND c.state IN ('PENDING_APPROVAL', 'PAID') AND s.state IN ('REVERSED', 'FAILED')
      AND (c.settlement_id, c.affiliate_id, c.rule_id, c.rate, c.asset_id, -c.amount) = (NEW.settlement_id, NEW.affiliate_id, NEW.rule_id, NEW.rate, NEW.asset_id, NEW.amount)) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A claw-back is the exact opposite of a commission in a batch or paid, and its settlement is reversed';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER claw_backs_are_opposites BEFORE INSERT ON core.commissions FOR EACH ROW WHEN (NEW.kind = 'CLAW_BACK') EXECUTE FUNCTION core.guard_claw_back();

-- When a transaction ends that took a settlement back, its revenue and each of its commissions are taken back too. Deferred
-- triggers run as the session's login, which may not read these tables, so this one runs as its owner.
CREATE FUNCTION core.guard_reversal() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM core.transfers t WHERE t.program_id = NEW.program_id AND t.reason = 'settlement_reversal' AND t.cause_id = NEW.id)
     OR EXISTS (SELECT FROM core.commissions c WHERE c.program_id = NEW.program_id AND c.settlement_id = NEW.id AND c.kind <> 'CLAW_BACK' AND NOT (
          (c.state = 'CLAWED_BACK' AND EXISTS (SELECT FROM core.transfers t WHERE t.program_id = c.program_id AND t.reason = 'claw_back' AND t.cause_id = c.id))
          OR EXISTS (SELECT FROM core.commissions b JOIN core.transfers t ON t.program_id = b.program_id AND t.reason = 'claw_back' AND t.cause_id = b.id
                     WHERE b.program_id = c.program_id AND b.takes_back = c.id))) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A settlement is reversed together with its revenue and its commissions';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER reversals_are_whole AFTER UPDATE OF state ON core.settlements DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW WHEN (NEW.state IN ('REVERSED', 'FAILED')) EXECUTE FUNCTION core.guard_reversal();

-- Revenue and commissions of settlements that are REVERSED or FAILED in this transaction: what is not in a batch yet is
-- clawed back at once, what is in one or paid is owed back and netted against what the affiliate earns next.
CREATE FUNCTION core.take_back(p_program uuid, p_settlements uuid[], p_reason text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  -- Batches take commissions under the same lock: each is either in one or not.
  PERFORM 1 FROM core.commissions c WHERE c.program_id = p_program AND c.settlement_id = ANY (p_settlements) ORDER BY c.id FOR UPDATE;
  INSERT INTO core.transfers (program_id, debit_account, credit_account, asset_id, amount, reason, cause_id, narration, occurred_at)
  SELECT t.program_id, t.credit_account, t.debit_account, t.asset_id, t.amount, 'settlement_reversal', t.cause_id, format('Reversed %s: %s', t.narration, p_reason), clock_timestamp()
  FROM core.transfers t WHERE t.program_id = p_program AND t.reason = 'settlement' AND t.cause_id = ANY (p_settlements);
  INSERT INTO core.commissions (program_id, settlement_id, kind, affiliate_id, rule_id, rate, asset_id, amount, takes_back, payable_from)
  SELECT c.program_id, c.settlement_id, 'CLAW_BACK', c.affiliate_id, c.rule_id, c.rate, c.asset_id, -c.amount, c.id, clock_timestamp()
  FROM core.commissions c WHERE c.program_id = p_program AND c.settlement_id = ANY (p_settlements) AND c.kind <> 'CLAW_BACK' AND c.state IN ('PENDING_APPROVAL', 'PAID');
  UPDATE core.commissions c SET state = 'PAYABLE' WHERE c.program_id = p_program AND c.settlement_id = ANY (p_settlements) AND c.kind = 'CLAW_BACK';
  UPDATE core.commissions c SET state = 'CLAWED_BACK' WHERE c.program_id = p_program AND c.settlement_id = ANY (p_settlements) AND c.kind <> 'CLAW_BACK' AND c.state IN ('ACCRUED', 'PAYABLE');
  INSERT INTO core.transfers (program_id, debit_account, credit_account, asset_id, amount, reason, cause_id, narration, occurred_at)
  SELECT a.program_id, a.credit_account, a.debit_account, a.asset_id, a.amount, 'claw_back', c.id, format('Clawed back %s: %s', a.narration, p_reason), clock_timestamp()
  FROM core.commissions c JOIN core.transfers a ON a.program_id = c.program_id AND a.reason = 'accrual' AND a.cause_id = coalesce(c.takes_back, c.id)
  WHERE c.program_id = p_program AND c.settlement_id = ANY (p_settlements) AND (c.kind = 'CLAW_BACK' OR c.state = 'CLAWED_BACK');
END $$;

-- Takes settlements back, named by their intents: a confirmed one is REVERSED, one that nothing confirmed (its transaction paid
-- somebody else, or nobody) has FAILED. What is taken back already has no second effect; answers how many were taken back now.
CREATE FUNCTION core.reverse_settlements(p_program uuid, p_intents uuid[], p_reason text) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  wrong record;
  reversed uuid[];
BEGIN
  PERFORM core.require_reason(p_reason);
  PERFORM core.refuse_frozen(p_program, NULL, NULL);
  IF coalesce(cardinality(p_intents), 0) NOT BETWEEN 1 AND 10000 THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'Name 1 to 10,000 intents whose settlements are reversed';
  END IF;
  PERFORM 1 FROM core.settlements s WHERE s.program_id = p_program AND s.intent_id = ANY (p_intents) ORDER BY s.id FOR UPDATE;
  SELECT n.intent INTO wrong FROM unnest(p_intents) AS n(intent)
  WHERE NOT EXISTS (SELECT FROM core.settlements s WHERE s.program_id = p_program AND s.intent_id = n.intent) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('Intent %s has no settlement here to take back. Nothing was reversed', coalesce(wrong.intent::text, 'NULL'));
  END IF;
  WITH done AS (
    UPDATE core.settlements s SET state = CASE s.state WHEN 'CONFIRMED' THEN 'REVERSED' ELSE 'FAILED' END
    WHERE s.program_id = p_program AND s.intent_id = ANY (p_intents) AND s.state IN ('PENDING', 'PROCESSING', 'CONFIRMED') RETURNING s.id)
  SELECT array_agg(id) INTO reversed FROM done;
  IF reversed IS NULL THEN
    RETURN 0;
  END IF;
  PERFORM core.take_back(p_program, reversed, p_reason);
  PERFORM core.audit(p_program, 'settlements.reversed', NULL, json_build_object('settlements', reversed, 'reason', p_reason));
  RETURN cardinality(reversed);
END $$;

-- A platform says what was refunded or charged back, as it says what was sold: sales of its own program, by itself.
CREATE FUNCTION api.reverse_settlements(p_program uuid, p_intents uuid[], p_reason text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF (core.require_machine('platform')).program_id IS DISTINCT FROM p_program THEN
    RAISE EXCEPTION USING ERRCODE = 'CS403', MESSAGE = format('%s is the platform of another program', session_user);
  END IF;
  RETURN core.reverse_settlements(p_program, p_intents, p_reason);
END $$;
GRANT EXECUTE ON FUNCTION api.reverse_settlements(uuid, uuid[], text) TO countersign_platform;

-- {intents, reason}: what people take back takes two of them, for it is final and takes from affiliates what they earned.
CREATE FUNCTION core.apply_settlements_reverse(p_request core.change_requests) RETURNS uuid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM core.reverse_settlements(p_request.program_id, ARRAY(SELECT i.id::uuid FROM json_array_elements_text(p_request.payload -> 'intents') AS i(id)), p_request.payload ->> 'reason');
  RETURN NULL;
END $$;
