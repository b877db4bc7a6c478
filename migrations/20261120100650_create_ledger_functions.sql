-- The rest of the ledger: what a Safe holds when the books open, what comes in, gas, and the check of every balance.

CREATE TABLE core.opening_balances (
  program_id uuid NOT NULL,
  safe_id uuid NOT NULL,
  asset_id uuid NOT NULL,
  amount numeric(38,0) NOT NULL CHECK (amount >= 0),
  -- What came in up to this block is part of it.
  block_number bigint NOT NULL CHECK (block_number >= 0),
  change_id uuid NOT NULL REFERENCES core.change_requests,
  PRIMARY KEY (program_id, safe_id, asset_id),
  FOREIGN KEY (program_id, safe_id) REFERENCES core.safes,
  FOREIGN KEY (program_id, asset_id) REFERENCES core.assets
);
CALL core.make_append_only('opening_balances');
CALL core.make_two_signed('opening_balances', 'change_id', '', 'opening_balance.add');

-- {safe_id, asset_id, amount, block}: once per Safe and asset.
CREATE FUNCTION core.apply_opening_balance_add(p_request core.change_requests) RETURNS uuid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  program uuid := p_request.program_id;
  body jsonb := p_request.payload::jsonb;
  safe core.safes;
  asset uuid := (body ->> 'asset_id')::uuid;
  amount numeric := core.parse_amount(body ->> 'amount');
  made uuid := core.uuid_v7();
BEGIN
  SELECT * INTO safe FROM core.safes s WHERE s.program_id = program AND s.id = (body ->> 'safe_id')::uuid;
  IF safe.id IS NULL OR NOT EXISTS (SELECT FROM core.assets a WHERE a.program_id = program AND a.id = asset AND a.chain_id = safe.chain_id) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'The opening balance names no Safe of this program and an asset of its chain';
  END IF;
  INSERT INTO core.opening_balances (program_id, safe_id, asset_id, amount, block_number, change_id) VALUES (program, safe.id, asset, amount, (body ->> 'block')::bigint, p_request.id);
  -- What came in after this block may have been read already and left out: it is read again, and nothing is recorded twice.
  UPDATE core.safes s SET inflows_read_to = (body ->> 'block')::bigint WHERE s.program_id = program AND s.id = safe.id AND s.inflows_read_to > (body ->> 'block')::bigint;
  IF amount > 0 THEN
    INSERT INTO core.transfers (program_id, id, debit_account, credit_account, asset_id, amount, reason, cause_id, narration, occurred_at)
    VALUES (program, made, core.treasury_account(program, safe.id, asset), core.program_account(program, 'equity', asset), asset, amount, 'opening_balance', p_request.id,
            format('Opening balance of %s at block %s', safe.name, body ->> 'block'), clock_timestamp());
  END IF;
  RETURN made;
EXCEPTION WHEN unique_violation THEN
  RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('The opening balance of %s in this asset is in the ledger already', safe.name);
END $$;

-- What came into a Safe, as the watcher read it at the chain's depth. A log is one inflow; what a reorganisation takes away stays on
-- record, retracted, and comes in again as a new one.
CREATE TABLE core.inflows (
  program_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT core.uuid_v7(),
  safe_id uuid NOT NULL,
  asset_id uuid NOT NULL,
  chain_id bigint NOT NULL REFERENCES core.chains,
  ethereum_tx_hash bytea NOT NULL CHECK (length(ethereum_tx_hash) = 32),
  log_index bigint NOT NULL CHECK (log_index >= 0),
  sender bytea NOT NULL CHECK (length(sender) = 20),
  amount numeric(38,0) NOT NULL CHECK (amount > 0),
  block_number bigint NOT NULL CHECK (block_number >= 0),
  block_hash bytea NOT NULL CHECK (length(block_hash) = 32),
  block_time timestamptz NOT NULL,
  recorded_by name NOT NULL DEFAULT session_user,
  recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  retracted_at timestamptz,
  PRIMARY KEY (program_id, id),
  FOREIGN KEY (program_id, safe_id) REFERENCES core.safes,
  FOREIGN KEY (program_id, asset_id) REFERENCES core.assets
);
CREATE UNIQUE INDEX inflows_once_per_log ON core.inflows (chain_id, ethereum_tx_hash, log_index) WHERE retracted_at IS NULL;
CREATE INDEX inflows_by_block ON core.inflows (chain_id, block_number) WHERE retracted_at IS NULL;
CALL core.make_fixed('inflows', 'retracted_at');
CREATE TABLE core.inflow_matches (
  program_id uuid NOT NULL,
  inflow_id uuid NOT NULL,
  settlement_id uuid NOT NULL,
  matched_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  retracted_at timestamptz,
  PRIMARY KEY (program_id, inflow_id),
  FOREIGN KEY (program_id, inflow_id) REFERENCES core.inflows,
  FOREIGN KEY (program_id, settlement_id) REFERENCES core.settlements
);
CREATE UNIQUE INDEX inflow_matches_one_per_settlement ON core.inflow_matches (program_id, settlement_id) WHERE retracted_at IS NULL;
CALL core.make_fixed('inflow_matches', 'retracted_at');
CREATE INDEX settlements_by_transaction ON core.settlements (program_id, tx_hash) WHERE tx_hash IS NOT NULL;

-- An inflow and the settlement that it pays are one transaction, one asset and one amount.
CREATE FUNCTION core.guard_inflow_match() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (
    SELECT FROM core.inflows i JOIN core.settlements s ON s.program_id = i.program_id AND s.tx_hash = i.ethereum_tx_hash AND s.asset_id = i.asset_id AND s.amount = i.amount
    WHERE i.program_id = NEW.program_id AND i.id = NEW.inflow_id AND s.id = NEW.settlement_id) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'An inflow pays a settlement of the same transaction, asset and amount';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER inflow_matches_agree BEFORE INSERT ON core.inflow_matches FOR EACH ROW EXECUTE FUNCTION core.guard_inflow_match();

-- Answers SETTLEMENTS or SUSPENSE, which the inflow credits, REPEATED for one that is recorded, or OPENING for one that the
-- opening balance contains, be it there already or to come; the last two change nothing.
CREATE FUNCTION api.record_inflow(p_program uuid, p_safe uuid, p_asset uuid, p_tx_hash bytea, p_log_index bigint, p_sender bytea, p_amount text,
  p_block bigint, p_block_hash bytea, p_block_time timestamptz) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  safe core.safes;
  inflow core.inflows;
  known core.inflows;
  settlement uuid;
BEGIN
  PERFORM core.require_machine('watcher');
  SELECT * INTO safe FROM core.safes s WHERE s.program_id = p_program AND s.id = p_safe;
  IF safe.id IS NULL OR NOT EXISTS (SELECT FROM core.assets a WHERE a.program_id = p_program AND a.id = p_asset AND a.chain_id = safe.chain_id) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'An inflow names a Safe of the program and an asset of its chain';
  END IF;
  IF (length(p_tx_hash) = 32 AND length(p_block_hash) = 32 AND length(p_sender) = 20 AND p_log_index >= 0 AND p_block >= 0 AND isfinite(p_block_time) AND core.parse_amount(p_amount) BETWEEN 1 AND 10::numeric ^ 30) IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'An inflow is a log with its transaction, its sender, an amount above zero and at most 10^30 base units, and its block';
  END IF;
  INSERT INTO core.inflows (program_id, safe_id, asset_id, chain_id, ethereum_tx_hash, log_index, sender, amount, block_number, block_hash, block_time)
  SELECT p_program, p_safe, p_asset, safe.chain_id, p_tx_hash, p_log_index, p_sender, core.parse_amount(p_amount), p_block, p_block_hash, p_block_time
  WHERE EXISTS (SELECT FROM core.opening_balances o WHERE o.program_id = p_program AND o.safe_id = p_safe AND o.asset_id = p_asset AND o.block_number < p_block)
  ON CONFLICT (chain_id, ethereum_tx_hash, log_index) WHERE retracted_at IS NULL DO NOTHING RETURNING * INTO inflow;
  IF inflow.id IS NULL THEN
    SELECT * INTO known FROM core.inflows i WHERE i.chain_id = safe.chain_id AND i.ethereum_tx_hash = p_tx_hash AND i.log_index = p_log_index AND i.retracted_at IS NULL;
    IF known.id IS NULL THEN
      RETURN 'OPENING';
    END IF;
    IF (known.program_id, known.safe_id, known.asset_id, known.sender, known.amount) IS DISTINCT FROM (p_program, p_safe, p_asset, p_sender, core.parse_amount(p_amount)) THEN
      RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('Log %s of 0x%s is recorded with another Safe, asset, sender or amount', p_log_index, encode(p_tx_hash, 'hex'));
    END IF;
    RETURN 'REPEATED';
  END IF;
  settlement := core.match_inflow(inflow);
  INSERT INTO core.transfers (program_id, debit_account, credit_account, asset_id, amount, reason, cause_id, narration, occurred_at)
  VALUES (p_program, core.treasury_account(p_program, p_safe, p_asset), core.program_account(p_program, CASE WHEN settlement IS NULL THEN 'suspense' ELSE 'settlements' END, p_asset),
          p_asset, inflow.amount, 'inflow', inflow.id, format('Received from %s in 0x%s', core.hex_address(p_sender), encode(p_tx_hash, 'hex')), p_block_time);
  PERFORM core.audit(p_program, 'inflow.recorded', inflow.id, json_build_object('safe', safe.name, 'tx', encode(p_tx_hash, 'hex'), 'log', p_log_index, 'amount', inflow.amount::text, 'settlement', settlement));
  RETURN CASE WHEN settlement IS NULL THEN 'SUSPENSE' ELSE 'SETTLEMENTS' END;
END $$;

-- The settlement that an inflow pays, recorded; none when there is none, or each has its inflow. The chain has shown it at its
-- depth, so it is confirmed.
CREATE FUNCTION core.match_inflow(p_inflow core.inflows) RETURNS uuid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  settlement uuid;
BEGIN
  INSERT INTO core.inflow_matches (program_id, inflow_id, settlement_id)
  SELECT s.program_id, p_inflow.id, s.id FROM core.settlements s
  WHERE s.program_id = p_inflow.program_id AND s.tx_hash = p_inflow.ethereum_tx_hash AND s.asset_id = p_inflow.asset_id AND s.amount = p_inflow.amount AND s.state <> 'FAILED'
    AND NOT EXISTS (SELECT FROM core.inflow_matches m WHERE m.program_id = s.program_id AND m.settlement_id = s.id AND m.retracted_at IS NULL)
  ORDER BY s.id LIMIT 1
  ON CONFLICT DO NOTHING RETURNING settlement_id INTO settlement;
  UPDATE core.settlements SET state = 'PROCESSING' WHERE program_id = p_inflow.program_id AND id = settlement AND state = 'PENDING';
  UPDATE core.settlements SET state = 'CONFIRMED', confirmed_at = clock_timestamp() WHERE program_id = p_inflow.program_id AND id = settlement AND state = 'PROCESSING';
  RETURN settlement;
END $$;

-- Blocks of the last 30 days that inflows are in, newest first: a reorganisation may still take them away.
CREATE FUNCTION api.watcher_inflow_blocks(p_chain bigint) RETURNS TABLE (block_number bigint, block_hash bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM core.require_machine('watcher');
  RETURN QUERY SELECT DISTINCT i.block_number, i.block_hash FROM core.inflows i
  WHERE i.chain_id = p_chain AND i.retracted_at IS NULL AND i.recorded_at > clock_timestamp() - interval '30 days' ORDER BY i.block_number DESC LIMIT 100;
END $$;

-- A reorganisation took a block away (law 8): what came in with it is booked back by new transfers, a settlement that it paid waits for
-- its payment again, and the blocks from there on are read again. Answers how many inflows are gone.
CREATE FUNCTION api.record_inflows_gone(p_chain bigint, p_block bigint, p_block_hash bytea) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  inflow core.inflows;
  settlement uuid;
  gone integer := 0;
  safe text;
BEGIN
  PERFORM core.require_machine('watcher');
  FOR inflow IN
    SELECT i.* FROM core.inflows i WHERE i.chain_id = p_chain AND i.block_number = p_block AND i.block_hash = p_block_hash AND i.retracted_at IS NULL ORDER BY i.program_id, i.id FOR UPDATE LOOP
    SELECT s.name INTO safe FROM core.safes s WHERE s.program_id = inflow.program_id AND s.id = inflow.safe_id;
    UPDATE core.inflows SET retracted_at = clock_timestamp() WHERE program_id = inflow.program_id AND id = inflow.id;
    settlement := NULL;
    UPDATE core.inflow_matches SET retracted_at = clock_timestamp() WHERE program_id = inflow.program_id AND inflow_id = inflow.id AND retracted_at IS NULL RETURNING settlement_id INTO settlement;
    UPDATE core.settlements SET state = 'PROCESSING', confirmed_at = NULL WHERE program_id = inflow.program_id AND id = settlement AND state = 'CONFIRMED';
    INSERT INTO core.transfers (program_id, debit_account, credit_account, asset_id, amount, reason, cause_id, narration, occurred_at)
    SELECT t.program_id, t.credit_account, t.debit_account, t.asset_id, t.amount, t.reason || '_reversal', t.cause_id, format('Reorganised: %s', t.narration), clock_timestamp()
    FROM core.transfers t WHERE t.program_id = inflow.program_id AND t.reason IN ('inflow', 'inflow_match') AND t.cause_id = inflow.id;
    UPDATE core.safes s SET inflows_read_to = p_block - 1 WHERE s.program_id = inflow.program_id AND s.id = inflow.safe_id AND s.inflows_read_to >= p_block;
    PERFORM core.audit(inflow.program_id, 'inflow.gone', inflow.id, json_build_object('safe', safe, 'tx', encode(inflow.ethereum_tx_hash, 'hex'), 'block', p_block, 'block_hash', encode(p_block_hash, 'hex'),
      'amount', inflow.amount::text, 'settlement', settlement));
    gone := gone + 1;
  END LOOP;
  RETURN gone;
EXCEPTION WHEN check_violation THEN
  RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('A reorganisation took money away that the Safe %s has committed already: nothing was changed, and it is tried again. Freeze the Safe and cancel what is not signed; what is signed fails on the chain', safe);
END $$;

-- Money goes back in the ledger only with what a reorganisation took away, and that only with its money. Deferred triggers run as the
-- session's login, which may not read these tables, so this one runs as its owner.
CREATE FUNCTION core.guard_taken_away() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  row_is jsonb := to_jsonb(NEW);
  is_whole boolean;
BEGIN
  is_whole := CASE TG_TABLE_NAME
    WHEN 'transfers' THEN EXISTS (SELECT FROM core.inflows i WHERE i.program_id = NEW.program_id AND i.id::text = row_is ->> 'cause_id' AND i.retracted_at IS NOT NULL)
      OR EXISTS (SELECT FROM core.gas_payments g WHERE g.program_id = NEW.program_id AND g.id::text = row_is ->> 'cause_id' AND g.retracted_at IS NOT NULL)
    ELSE NOT EXISTS (
      SELECT FROM core.transfers t WHERE t.program_id = NEW.program_id AND t.cause_id::text = row_is ->> 'id' AND t.reason IN ('inflow', 'inflow_match', 'gas')
        AND NOT EXISTS (SELECT FROM core.transfers r WHERE r.program_id = t.program_id AND r.cause_id = t.cause_id AND r.reason = t.reason || '_reversal'))
      AND NOT EXISTS (SELECT FROM core.inflow_matches m WHERE m.program_id = NEW.program_id AND m.inflow_id::text = row_is ->> 'id' AND m.retracted_at IS NULL) END;
  IF NOT is_whole THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'What a reorganisation takes away leaves the ledger and its settlement in the same transaction, and nothing else does';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER goes_with_its_money AFTER UPDATE OF retracted_at ON core.inflows DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION core.guard_taken_away();
CREATE CONSTRAINT TRIGGER goes_with_what_was_taken_away AFTER INSERT ON core.transfers DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (NEW.reason IN ('inflow_reversal', 'inflow_match_reversal', 'gas_reversal')) EXECUTE FUNCTION core.guard_taken_away();

-- A confirmed settlement waits again only when the inflow that paid it is gone.
CREATE FUNCTION core.guard_unconfirmed() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM core.inflow_matches m WHERE m.program_id = NEW.program_id AND m.settlement_id = NEW.id AND m.retracted_at IS NOT NULL)
     OR EXISTS (SELECT FROM core.inflow_matches m WHERE m.program_id = NEW.program_id AND m.settlement_id = NEW.id AND m.retracted_at IS NULL) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A confirmed settlement waits for its payment again only when a reorganisation took that away';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER settlements_follow_their_inflows BEFORE UPDATE OF state ON core.settlements FOR EACH ROW
  WHEN (OLD.state = 'CONFIRMED' AND NEW.state = 'PROCESSING') EXECUTE FUNCTION core.guard_unconfirmed();
CREATE INDEX inflow_matches_retracted ON core.inflow_matches (program_id, settlement_id) WHERE retracted_at IS NOT NULL;

-- Safes with a ledger to write to, and the first block whose inflows are not in it.
CREATE FUNCTION api.inflow_cursors(p_chain bigint) RETURNS TABLE (program_id uuid, safe_id uuid, from_block bigint, confirmation_depth integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM core.require_machine('watcher');
  RETURN QUERY SELECT s.program_id, s.id, coalesce(s.inflows_read_to, min(o.block_number)) + 1, c.confirmation_depth
  FROM core.safes s JOIN core.chains c ON c.id = s.chain_id JOIN core.opening_balances o ON o.program_id = s.program_id AND o.safe_id = s.id
  WHERE s.chain_id = p_chain GROUP BY s.program_id, s.id, s.inflows_read_to, c.confirmation_depth;
END $$;

-- Everything from p_from to p_block is in the ledger. Nothing changes when the books were opened for another asset meanwhile: then
-- what is to be read begins earlier than this was read from.
CREATE FUNCTION api.record_inflows_read(p_program uuid, p_safe uuid, p_from bigint, p_block bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM core.require_machine('watcher');
  UPDATE core.safes s SET inflows_read_to = p_block, inflows_read_by = session_user
  WHERE s.program_id = p_program AND s.id = p_safe AND p_from <= p_block AND p_block <= s.observed_block
    AND p_from = 1 + coalesce(s.inflows_read_to, (SELECT min(o.block_number) FROM core.opening_balances o WHERE o.program_id = p_program AND o.safe_id = p_safe));
END $$;

-- Settlements that came after their inflow take it out of suspense; answers how many did.
CREATE FUNCTION api.match_inflows() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  inflow core.inflows;
  matched integer := 0;
BEGIN
  PERFORM core.require_machine('worker');
  FOR inflow IN
    SELECT i.* FROM core.inflows i
    WHERE i.retracted_at IS NULL AND NOT EXISTS (SELECT FROM core.inflow_matches m WHERE m.program_id = i.program_id AND m.inflow_id = i.id)
      AND EXISTS (SELECT FROM core.settlements s WHERE s.program_id = i.program_id AND s.tx_hash = i.ethereum_tx_hash AND s.asset_id = i.asset_id AND s.amount = i.amount AND s.state <> 'FAILED'
                    AND NOT EXISTS (SELECT FROM core.inflow_matches m WHERE m.program_id = s.program_id AND m.settlement_id = s.id AND m.retracted_at IS NULL))
    ORDER BY i.id LIMIT 1000 FOR UPDATE SKIP LOCKED LOOP
    CONTINUE WHEN core.match_inflow(inflow) IS NULL;
    INSERT INTO core.transfers (program_id, debit_account, credit_account, asset_id, amount, reason, cause_id, narration, occurred_at)
    VALUES (inflow.program_id, core.program_account(inflow.program_id, 'suspense', inflow.asset_id), core.program_account(inflow.program_id, 'settlements', inflow.asset_id), inflow.asset_id,
            inflow.amount, 'inflow_match', inflow.id, format('Recognised 0x%s', encode(inflow.ethereum_tx_hash, 'hex')), clock_timestamp());
    PERFORM core.audit(inflow.program_id, 'inflow.matched', inflow.id, json_build_object('tx', encode(inflow.ethereum_tx_hash, 'hex')));
    matched := matched + 1;
  END LOOP;
  RETURN matched;
END $$;

-- What executing a leg cost, paid by the executor that sent it.
CREATE TABLE core.gas_payments (
  program_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT core.uuid_v7(),
  safe_transaction_id uuid NOT NULL,
  chain_id bigint NOT NULL REFERENCES core.chains,
  ethereum_tx_hash bytea NOT NULL CHECK (length(ethereum_tx_hash) = 32),
  asset_id uuid NOT NULL,
  executor bytea NOT NULL CHECK (length(executor) = 20),
  amount numeric(38,0) NOT NULL CHECK (amount > 0),
  block_number bigint NOT NULL CHECK (block_number >= 0),
  block_time timestamptz NOT NULL,
  recorded_by name NOT NULL DEFAULT session_user,
  recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- When a reorganisation took the transaction away; in another block it costs something else.
  retracted_at timestamptz,
  PRIMARY KEY (program_id, id),
  FOREIGN KEY (program_id, safe_transaction_id) REFERENCES core.safe_transactions,
  FOREIGN KEY (program_id, asset_id) REFERENCES core.assets
);
CREATE UNIQUE INDEX gas_payments_once ON core.gas_payments (chain_id, ethereum_tx_hash) WHERE retracted_at IS NULL;
CREATE INDEX gas_payments_by_leg ON core.gas_payments (program_id, safe_transaction_id) WHERE retracted_at IS NULL;
CALL core.make_fixed('gas_payments', 'retracted_at');
CREATE CONSTRAINT TRIGGER goes_with_its_money AFTER UPDATE OF retracted_at ON core.gas_payments DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION core.guard_taken_away();

-- Books the gas of a leg back whose transaction a reorganisation took away.
CREATE FUNCTION core.take_gas_back(p_program uuid, p_leg uuid, p_tx_hash bytea) RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  WITH gone AS (
    UPDATE core.gas_payments SET retracted_at = clock_timestamp() WHERE program_id = p_program AND safe_transaction_id = p_leg AND ethereum_tx_hash = p_tx_hash AND retracted_at IS NULL RETURNING program_id, id)
  INSERT INTO core.transfers (program_id, debit_account, credit_account, asset_id, amount, reason, cause_id, narration, occurred_at)
  SELECT t.program_id, t.credit_account, t.debit_account, t.asset_id, t.amount, 'gas_reversal', t.cause_id, format('Reorganised: %s', t.narration), clock_timestamp()
  FROM gone JOIN core.transfers t ON t.program_id = gone.program_id AND t.reason = 'gas' AND t.cause_id = gone.id
$$;

-- p_amount in base units of the chain's native coin: gas used times effective price. Only of a transaction that our own
-- executor sent; true when it is recorded now, false when it was before.
CREATE FUNCTION api.record_gas(p_program uuid, p_leg uuid, p_tx_hash bytea, p_amount text, p_block bigint, p_block_time timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  sent core.submissions;
  coin uuid;
  paid core.gas_payments;
BEGIN
  PERFORM core.require_machine('watcher');
  SELECT u.* INTO sent FROM core.submissions u JOIN core.broadcasts o USING (program_id, safe_transaction_id, is_rejection, sender, attempt)
  WHERE u.program_id = p_program AND u.safe_transaction_id = p_leg AND o.ethereum_tx_hash = p_tx_hash;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'This leg was not sent in that transaction by an executor of ours: its gas is not ours';
  END IF;
  IF (core.parse_amount(p_amount) > 0 AND p_block >= 0 AND isfinite(p_block_time)) IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'Gas is recorded with an amount above zero, its block and the block''s time';
  END IF;
  SELECT a.id INTO coin FROM core.assets a WHERE a.program_id = p_program AND a.chain_id = sent.chain_id AND a.token IS NULL;
  IF coin IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('The program has no native asset of chain %s: two people add it first, then its gas is recorded', sent.chain_id);
  END IF;
  INSERT INTO core.gas_payments (program_id, safe_transaction_id, chain_id, ethereum_tx_hash, asset_id, executor, amount, block_number, block_time)
  VALUES (p_program, p_leg, sent.chain_id, p_tx_hash, coin, sent.executor, core.parse_amount(p_amount), p_block, p_block_time)
  ON CONFLICT (chain_id, ethereum_tx_hash) WHERE retracted_at IS NULL DO NOTHING RETURNING * INTO paid;
  IF paid.id IS NULL THEN
    IF NOT EXISTS (SELECT FROM core.gas_payments g WHERE g.chain_id = sent.chain_id AND g.ethereum_tx_hash = p_tx_hash AND g.amount = core.parse_amount(p_amount) AND g.retracted_at IS NULL) THEN
      RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('The gas of 0x%s is recorded with another amount', encode(p_tx_hash, 'hex'));
    END IF;
    RETURN false;
  END IF;
  INSERT INTO core.transfers (program_id, debit_account, credit_account, asset_id, amount, reason, cause_id, narration, occurred_at)
  VALUES (p_program, core.program_account(p_program, 'gas', coin), core.account(p_program, 'executor', 'executor:' || core.hex_address(sent.executor), 'Executor ' || core.hex_address(sent.executor), coin),
          coin, paid.amount, 'gas', paid.id, format('Gas of 0x%s', encode(p_tx_hash, 'hex')), p_block_time);
  PERFORM core.audit(p_program, 'gas.recorded', paid.id, json_build_object('tx', encode(p_tx_hash, 'hex'), 'amount', paid.amount::text));
  RETURN true;
END $$;

-- Every balance again, from transfers alone, in one pass: names each account whose kept balance differs, and each affiliate
-- whose liability is not the sum of its open commissions less what it owes back. Nothing when the books are right.
CREATE FUNCTION api.check_ledger(p_program uuid) RETURNS TABLE (account_id uuid, code text, name text, symbol text, decimals smallint, finding text, kept numeric, recomputed numeric)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM core.machines m WHERE m.login = session_user) THEN
    PERFORM core.require_machine('worker');
  ELSE
    PERFORM core.require(p_program, 'view');
  END IF;
  RETURN QUERY
  WITH sides AS (
    SELECT t.debit_account AS account, t.phase, t.amount AS debit, 0::numeric AS credit FROM core.transfers t WHERE t.program_id = p_program
    UNION ALL SELECT t.credit_account, t.phase, 0, t.amount FROM core.transfers t WHERE t.program_id = p_program),
  sums AS (
    SELECT s.account, coalesce(sum(s.debit) FILTER (WHERE s.phase IN ('POSTED', 'POST')), 0) AS debits_posted, coalesce(sum(s.credit) FILTER (WHERE s.phase IN ('POSTED', 'POST')), 0) AS credits_posted,
      coalesce(sum(CASE s.phase WHEN 'PENDING' THEN s.debit WHEN 'POSTED' THEN 0 ELSE -s.debit END), 0) AS debits_pending,
      coalesce(sum(CASE s.phase WHEN 'PENDING' THEN s.credit WHEN 'POSTED' THEN 0 ELSE -s.credit END), 0) AS credits_pending
    FROM sides s GROUP BY s.account),
  owed AS (
    SELECT 'affiliate:' || c.affiliate_id || ':liability' AS code, c.asset_id, sum(c.amount) AS amount
    FROM core.commissions c WHERE c.program_id = p_program AND c.state IN ('ACCRUED', 'PAYABLE', 'PENDING_APPROVAL') GROUP BY c.affiliate_id, c.asset_id),
  findings AS (
    SELECT a.id, f.finding, f.kept, f.recomputed FROM core.accounts a LEFT JOIN sums s ON s.account = a.id
    CROSS JOIN LATERAL (VALUES ('debits_posted', a.debits_posted, coalesce(s.debits_posted, 0)), ('credits_posted', a.credits_posted, coalesce(s.credits_posted, 0)),
      ('debits_pending', a.debits_pending, coalesce(s.debits_pending, 0)), ('credits_pending', a.credits_pending, coalesce(s.credits_pending, 0))) AS f(finding, kept, recomputed)
    WHERE a.program_id = p_program AND f.kept <> f.recomputed
    UNION ALL
    SELECT a.id, 'open_commissions', a.credits_posted - a.debits_posted, coalesce(o.amount, 0) FROM core.accounts a LEFT JOIN owed o ON o.code = a.code AND o.asset_id = a.asset_id
    WHERE a.program_id = p_program AND a.kind = 'liability' AND a.code LIKE 'affiliate:%' AND a.credits_posted - a.debits_posted <> coalesce(o.amount, 0))
  SELECT a.id, a.code, a.name, x.symbol, x.decimals, f.finding, f.kept, f.recomputed
  FROM findings f JOIN core.accounts a ON a.program_id = p_program AND a.id = f.id JOIN core.assets x ON x.program_id = a.program_id AND x.id = a.asset_id
  ORDER BY a.code, x.symbol, f.finding;
END $$;

GRANT EXECUTE ON FUNCTION api.record_inflow(uuid, uuid, uuid, bytea, bigint, bytea, text, bigint, bytea, timestamptz), api.record_gas(uuid, uuid, bytea, text, bigint, timestamptz) TO countersign_watcher;
GRANT EXECUTE ON FUNCTION api.match_inflows(), api.check_ledger(uuid) TO countersign_worker;
GRANT EXECUTE ON FUNCTION api.check_ledger(uuid) TO countersign_staff;
