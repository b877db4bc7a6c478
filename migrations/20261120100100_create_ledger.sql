-- The ledger: transfers between two accounts of one asset (laws 9 and 10).

CREATE TABLE core.accounts (
  program_id uuid NOT NULL REFERENCES core.programs,
  id uuid NOT NULL DEFAULT core.uuid_v7(),
  kind text NOT NULL CHECK (kind IN ('revenue', 'expense', 'liability', 'settlements', 'payouts', 'equity', 'suspense', 'gas', 'executor', 'treasury')),
  code text NOT NULL,
  name text NOT NULL,
  asset_id uuid NOT NULL,
  -- Kept by the trigger on transfers, so that a balance is read without summing history.
  debits_posted numeric(38,0) NOT NULL DEFAULT 0 CHECK (debits_posted >= 0),
  credits_posted numeric(38,0) NOT NULL DEFAULT 0 CHECK (credits_posted >= 0),
  debits_pending numeric(38,0) NOT NULL DEFAULT 0 CHECK (debits_pending >= 0),
  credits_pending numeric(38,0) NOT NULL DEFAULT 0 CHECK (credits_pending >= 0),
  PRIMARY KEY (program_id, id),
  UNIQUE (program_id, id, asset_id),
  FOREIGN KEY (program_id, asset_id) REFERENCES core.assets,
  CONSTRAINT holds_never_exceed_what_is_available CHECK (kind <> 'treasury' OR debits_posted - credits_posted - credits_pending >= 0)
);

-- Partial like this, no query by id takes it while the table is small and keeps that plan.
CREATE UNIQUE INDEX accounts_once_per_code ON core.accounts (program_id, code, asset_id) WHERE code IS NOT NULL;

-- POSTED moves now; PENDING holds; POST and VOID resolve the hold named by pending_id, once.
CREATE TABLE core.transfers (
  program_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT core.uuid_v7(),
  debit_account uuid NOT NULL,
  credit_account uuid NOT NULL,
  asset_id uuid NOT NULL,
  amount numeric(38,0) NOT NULL CHECK (amount > 0),
  phase text NOT NULL DEFAULT 'POSTED' CHECK (phase IN ('POSTED', 'PENDING', 'POST', 'VOID')),
  pending_id uuid,
  -- Cause: why, of which row, and which time (a line that is submitted again holds again).
  reason text NOT NULL CHECK (reason IN ('settlement', 'settlement_reversal', 'accrual', 'claw_back', 'file_accrual', 'file_accrual_reversal', 'payout_hold', 'payout', 'payout_hold_reversal', 'payout_reversal',
    'opening_balance', 'inflow', 'inflow_reversal', 'inflow_match', 'inflow_match_reversal', 'gas', 'gas_reversal', 'correction')),
  cause_id uuid NOT NULL,
  occurrence integer NOT NULL DEFAULT 0,
  narration text NOT NULL,
  occurred_at timestamptz NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (program_id, id),
  UNIQUE (program_id, reason, cause_id, phase, occurrence),
  FOREIGN KEY (program_id, debit_account, asset_id) REFERENCES core.accounts (program_id, id, asset_id),
  FOREIGN KEY (program_id, credit_account, asset_id) REFERENCES core.accounts (program_id, id, asset_id),
  FOREIGN KEY (program_id, pending_id) REFERENCES core.transfers (program_id, id),
  CHECK (debit_account <> credit_account),
  CHECK ((phase IN ('POST', 'VOID')) = (pending_id IS NOT NULL))
);
CREATE UNIQUE INDEX transfers_resolve_once ON core.transfers (program_id, pending_id) WHERE pending_id IS NOT NULL;
CREATE INDEX transfers_by_time ON core.transfers (program_id, occurred_at, id);
CALL core.make_append_only('transfers');

-- A resolution repeats its hold exactly.
CREATE FUNCTION core.guard_resolution() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (
    SELECT FROM core.transfers h
    WHERE h.program_id = NEW.program_id AND h.id = NEW.pending_id AND h.phase = 'PENDING' AND h.debit_account = NEW.debit_account
      AND h.credit_account = NEW.credit_account AND h.asset_id = NEW.asset_id AND h.amount = NEW.amount) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A hold is posted or voided whole, between its own accounts';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER resolution_repeats_its_hold BEFORE INSERT ON core.transfers FOR EACH ROW
  WHEN (NEW.pending_id IS NOT NULL) EXECUTE FUNCTION core.guard_resolution();

CREATE FUNCTION core.apply_transfers() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
  WITH moves AS MATERIALIZED (
    SELECT s.program_id, s.account,
      coalesce(sum(s.debit) FILTER (WHERE s.phase IN ('POSTED', 'POST')), 0) AS debits_posted,
      coalesce(sum(s.credit) FILTER (WHERE s.phase IN ('POSTED', 'POST')), 0) AS credits_posted,
      coalesce(sum(s.debit) FILTER (WHERE s.phase = 'PENDING'), 0) - coalesce(sum(s.debit) FILTER (WHERE s.phase IN ('POST', 'VOID')), 0) AS debits_pending,
      coalesce(sum(s.credit) FILTER (WHERE s.phase = 'PENDING'), 0) - coalesce(sum(s.credit) FILTER (WHERE s.phase IN ('POST', 'VOID')), 0) AS credits_pending
    FROM (
      SELECT program_id, debit_account AS account, phase, amount AS debit, 0::numeric AS credit FROM inserted
      UNION ALL
      SELECT program_id, credit_account, phase, 0::numeric, amount FROM inserted) s
    GROUP BY s.program_id, s.account),
  -- Locked in id order, so that two sets never wait for each other in a circle.
  locked AS MATERIALIZED (
    SELECT a.program_id, a.id, m.debits_posted, m.credits_posted, m.debits_pending, m.credits_pending
    FROM (SELECT * FROM moves ORDER BY program_id, account) m
    JOIN LATERAL (SELECT x.program_id, x.id FROM core.accounts x WHERE x.program_id = m.program_id AND x.id = m.account FOR NO KEY UPDATE) a ON true)
  UPDATE core.accounts a SET
    debits_posted = a.debits_posted + m.debits_posted, credits_posted = a.credits_posted + m.credits_posted,
    debits_pending = a.debits_pending + m.debits_pending, credits_pending = a.credits_pending + m.credits_pending, changed_xid = pg_current_xact_id()
  FROM locked m WHERE a.program_id = m.program_id AND a.id = m.id;
  RETURN NULL;
END $$;
CREATE TRIGGER balances_follow_transfers AFTER INSERT ON core.transfers
  REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION core.apply_transfers();

-- Balances move only inside the trigger above; an account is never deleted and never changes its asset.
CREATE FUNCTION core.guard_account() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF (NEW.debits_posted, NEW.credits_posted, NEW.debits_pending, NEW.credits_pending) IS DISTINCT FROM (0::numeric, 0::numeric, 0::numeric, 0::numeric) THEN
      RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'An account opens at zero: write a transfer';
    END IF;
    RETURN NEW;
  END IF;
  IF TG_OP = 'DELETE' OR pg_trigger_depth() < 2
     OR (NEW.program_id, NEW.id, NEW.kind, NEW.code, NEW.asset_id) IS DISTINCT FROM (OLD.program_id, OLD.id, OLD.kind, OLD.code, OLD.asset_id) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'Balances follow transfers: write a transfer';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER balances_only_by_transfers BEFORE INSERT OR UPDATE OR DELETE ON core.accounts FOR EACH ROW EXECUTE FUNCTION core.guard_account();
CREATE TRIGGER append_only_table BEFORE TRUNCATE ON core.accounts FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change();

-- Opens an account on first use and answers its id.
CREATE FUNCTION core.account(p_program uuid, p_kind text, p_code text, p_name text, p_asset uuid) RETURNS uuid
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  account uuid;
BEGIN
  SELECT id INTO account FROM core.accounts WHERE program_id = p_program AND code = p_code AND asset_id = p_asset;
  IF account IS NULL THEN
    INSERT INTO core.accounts (program_id, kind, code, name, asset_id) VALUES (p_program, p_kind, p_code, p_name, p_asset)
    ON CONFLICT (program_id, code, asset_id) WHERE code IS NOT NULL DO NOTHING;
    SELECT id INTO account FROM core.accounts WHERE program_id = p_program AND code = p_code AND asset_id = p_asset;
  END IF;
  RETURN account;
END $$;

-- The accounts that a program has once per asset.
CREATE FUNCTION core.program_account_code(p_program uuid, p_kind text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT CASE WHEN p_kind IN ('settlements', 'payouts') THEN 'system:' || p_kind ELSE 'program:' || p_program || ':' || p_kind END $$;

CREATE FUNCTION core.program_account(p_program uuid, p_kind text, p_asset uuid) RETURNS uuid
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  SELECT core.account(p_program, p_kind, core.program_account_code(p_program, p_kind),
    CASE p_kind WHEN 'settlements' THEN 'Settlements' WHEN 'payouts' THEN 'Payouts on their way' WHEN 'revenue' THEN 'Revenue'
      WHEN 'expense' THEN 'Commission and payout expense' WHEN 'equity' THEN 'Opening equity' WHEN 'suspense' THEN 'Suspense'
      WHEN 'gas' THEN 'Gas' ELSE p_kind END,
    p_asset)
$$;
