-- Affiliates, users, intents, settlements, commissions.

CREATE TABLE core.affiliates (
  program_id uuid NOT NULL REFERENCES core.programs,
  id uuid NOT NULL DEFAULT core.uuid_v7(),
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
  wallet bytea NOT NULL CHECK (length(wallet) = 20 AND wallet <> '\x0000000000000000000000000000000000000000'),
  referral_code text NOT NULL CHECK (referral_code ~ '^[A-Za-z0-9-]{3,32}$'),
  parent_id uuid,
  PRIMARY KEY (program_id, id),
  UNIQUE (program_id, wallet),
  UNIQUE (program_id, referral_code),
  FOREIGN KEY (program_id, parent_id) REFERENCES core.affiliates,
  CHECK (parent_id <> id)
);

-- A parent exists before its child and never changes, so that a circle cannot be closed.
CREATE FUNCTION core.guard_affiliate() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NEW.parent_id IS DISTINCT FROM OLD.parent_id OR (NEW.program_id, NEW.id, NEW.wallet) IS DISTINCT FROM (OLD.program_id, OLD.id, OLD.wallet) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'An affiliate keeps its parent and its registered wallet';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER affiliates_keep_their_tree BEFORE UPDATE ON core.affiliates FOR EACH ROW EXECUTE FUNCTION core.guard_affiliate();

-- On what terms an affiliate earns, from when on: the newest row that has begun. The first covers everything before it.
CREATE TABLE core.affiliate_terms (
  program_id uuid NOT NULL,
  affiliate_id uuid NOT NULL,
  version integer NOT NULL CHECK (version >= 1),
  tier text NOT NULL CHECK (length(tier) BETWEEN 1 AND 40 AND tier = btrim(tier)),
  -- Who is not active earns nothing from sales of that time, and neither does the parent from them.
  active boolean NOT NULL,
  effective_from timestamptz NOT NULL,
  PRIMARY KEY (program_id, affiliate_id, version),
  FOREIGN KEY (program_id, affiliate_id) REFERENCES core.affiliates,
  CHECK ((version = 1) = (effective_from = '-infinity') AND effective_from <> 'infinity')
);
CREATE INDEX affiliate_terms_in_force ON core.affiliate_terms (program_id, affiliate_id, effective_from DESC, version DESC);
CALL core.make_append_only('affiliate_terms');

-- What was earned stays as it was: a new version begins now or later, and follows the one before without a gap.
CREATE FUNCTION core.guard_affiliate_terms() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NEW.version <> (SELECT coalesce(max(t.version), 0) + 1 FROM core.affiliate_terms t WHERE t.program_id = NEW.program_id AND t.affiliate_id = NEW.affiliate_id)
     OR (NEW.version > 1 AND NEW.effective_from < clock_timestamp()) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('Terms of an affiliate begin now or later, not at %s: what was earned stays as it was', NEW.effective_from);
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER affiliate_terms_begin_later BEFORE INSERT ON core.affiliate_terms FOR EACH ROW EXECUTE FUNCTION core.guard_affiliate_terms();

-- Who is paid and where. Version 1 of an affiliate is its registered wallet.
CREATE TABLE core.payees (
  program_id uuid NOT NULL REFERENCES core.programs,
  id uuid NOT NULL DEFAULT core.uuid_v7(),
  name text NOT NULL,
  affiliate_id uuid,
  PRIMARY KEY (program_id, id),
  UNIQUE (program_id, affiliate_id),
  FOREIGN KEY (program_id, affiliate_id) REFERENCES core.affiliates
);
CREATE TABLE core.payee_addresses (
  program_id uuid NOT NULL,
  payee_id uuid NOT NULL,
  version integer NOT NULL CHECK (version >= 1),
  address bytea NOT NULL CHECK (length(address) = 20 AND address <> '\x0000000000000000000000000000000000000000'),
  payable_from timestamptz NOT NULL,
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- Who proposed and confirmed it.
  change_id uuid NOT NULL REFERENCES core.change_requests,
  PRIMARY KEY (program_id, payee_id, version),
  FOREIGN KEY (program_id, payee_id) REFERENCES core.payees
);
CREATE INDEX payee_addresses_by_address ON core.payee_addresses (program_id, address);
CALL core.make_append_only('payee_addresses');
CALL core.make_two_signed('payees', 'id', '', 'payee.add', 'affiliate.add');
CALL core.make_two_signed('payee_addresses', 'change_id', '', 'payee.add', 'payee.address', 'affiliate.add');
CALL core.make_two_signed('affiliates', 'id', '', 'affiliate.add');
CALL core.make_two_signed('affiliate_terms', '', '', 'affiliate.add', 'affiliate.set');

-- A first address can be paid at once (it is a first payment, which everybody is told). A changed one cools down first, and so does
-- one that the book has under another name: who gave it up, or waits for it there, would be paid under a new name at once.
CREATE FUNCTION core.guard_payee_address() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NEW.version <> (SELECT coalesce(max(a.version), 0) + 1 FROM core.payee_addresses a WHERE a.program_id = NEW.program_id AND a.payee_id = NEW.payee_id) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'The address of this payee was changed meanwhile: look at it again';
  END IF;
  IF NEW.version > 1 OR EXISTS (SELECT FROM core.payee_addresses a WHERE a.program_id = NEW.program_id AND a.address = NEW.address AND a.payee_id <> NEW.payee_id) THEN
    NEW.payable_from := clock_timestamp() + make_interval(hours => (SELECT p.payee_cooling_hours FROM core.programs p WHERE p.id = NEW.program_id));
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER payee_addresses_cool_down BEFORE INSERT ON core.payee_addresses FOR EACH ROW EXECUTE FUNCTION core.guard_payee_address();

CREATE TABLE core.users (
  program_id uuid NOT NULL REFERENCES core.programs,
  id uuid NOT NULL DEFAULT core.uuid_v7(),
  wallet bytea NOT NULL CHECK (length(wallet) = 20),
  -- None: nobody referred this user, and nobody earns a commission.
  affiliate_id uuid,
  registered_at timestamptz NOT NULL,
  PRIMARY KEY (program_id, id),
  FOREIGN KEY (program_id, affiliate_id) REFERENCES core.affiliates
);
CREATE UNIQUE INDEX users_once_per_wallet ON core.users (program_id, wallet) WHERE wallet IS NOT NULL;

CALL core.make_fixed('payees', 'name');
CALL core.make_append_only('users');

-- The rule in force at a time is the one that began last, of two that begin at once the newer.
CREATE TABLE core.commission_rules (
  program_id uuid NOT NULL REFERENCES core.programs,
  id uuid NOT NULL DEFAULT core.uuid_v7(),
  version integer NOT NULL CHECK (version >= 1),
  base_rate numeric(9,8) NOT NULL CHECK (base_rate BETWEEN 0 AND 1),
  override_rate numeric(9,8) NOT NULL CHECK (override_rate BETWEEN 0 AND 1),
  holding_days integer NOT NULL CHECK (holding_days BETWEEN 0 AND 365),
  -- How often affiliates are paid: what became payable before this week or month began.
  frequency text NOT NULL CHECK (frequency IN ('WEEKLY', 'MONTHLY')),
  -- Days after the user's registration within which a sale earns; none: always.
  earning_days integer CHECK (earning_days BETWEEN 1 AND 36500),
  effective_from timestamptz NOT NULL CHECK (isfinite(effective_from)),
  made_in xid8 NOT NULL DEFAULT pg_current_xact_id(),
  PRIMARY KEY (program_id, id),
  UNIQUE (program_id, version),
  CHECK (base_rate + override_rate <= 1)
);
CREATE INDEX commission_rules_in_force ON core.commission_rules (program_id, effective_from DESC, version DESC);
-- A tier's rate replaces the base rate.
CREATE TABLE core.commission_rule_tiers (
  program_id uuid NOT NULL,
  rule_id uuid NOT NULL,
  tier text NOT NULL CHECK (length(tier) BETWEEN 1 AND 40 AND tier = btrim(tier)),
  rate numeric(9,8) NOT NULL CHECK (rate BETWEEN 0 AND 1),
  PRIMARY KEY (program_id, rule_id, tier),
  FOREIGN KEY (program_id, rule_id) REFERENCES core.commission_rules
);
-- Amounts are in base units, so a rule says them per asset: below the first a sale earns nothing, below the second what is
-- payable waits.
CREATE TABLE core.commission_rule_assets (
  program_id uuid NOT NULL,
  rule_id uuid NOT NULL,
  asset_id uuid NOT NULL,
  minimum_settlement numeric(38,0) NOT NULL DEFAULT 0 CHECK (minimum_settlement >= 0),
  minimum_payout numeric(38,0) NOT NULL DEFAULT 0 CHECK (minimum_payout >= 0),
  PRIMARY KEY (program_id, rule_id, asset_id),
  FOREIGN KEY (program_id, rule_id) REFERENCES core.commission_rules,
  FOREIGN KEY (program_id, asset_id) REFERENCES core.assets
);
CALL core.make_two_signed('commission_rules', 'id', '', 'rule.set');
CALL core.make_append_only('commission_rules');
CALL core.make_append_only('commission_rule_tiers');
CALL core.make_append_only('commission_rule_assets');

-- What was accrued stays as it was: a rule after the first begins now or later.
CREATE FUNCTION core.guard_commission_rule() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NEW.version <> (SELECT coalesce(max(r.version), 0) + 1 FROM core.commission_rules r WHERE r.program_id = NEW.program_id)
     OR (NEW.version > 1 AND NEW.effective_from < clock_timestamp()) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('A rule begins now or later, not at %s: what was accrued stays as it was', NEW.effective_from);
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER commission_rules_begin_later BEFORE INSERT ON core.commission_rules FOR EACH ROW EXECUTE FUNCTION core.guard_commission_rule();

-- A rule is whole when its transaction ends: a tier or an amount that came later would change what was accrued.
CREATE FUNCTION core.guard_rule_part() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  rule core.commission_rules;
BEGIN
  SELECT * INTO rule FROM core.commission_rules r WHERE r.program_id = NEW.program_id AND r.id = NEW.rule_id;
  IF rule.made_in IS DISTINCT FROM pg_current_xact_id() THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A rule in force keeps its tiers and amounts: set a new rule';
  END IF;
  IF TG_TABLE_NAME = 'commission_rule_tiers' AND (to_jsonb(NEW) ->> 'rate')::numeric + rule.override_rate > 1 THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('The rate of the tier %s and the override rate together exceed 1: lower one of them', to_jsonb(NEW) ->> 'tier');
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER commission_rule_tiers_come_with_their_rule BEFORE INSERT ON core.commission_rule_tiers FOR EACH ROW EXECUTE FUNCTION core.guard_rule_part();
CREATE TRIGGER commission_rule_assets_come_with_their_rule BEFORE INSERT ON core.commission_rule_assets FOR EACH ROW EXECUTE FUNCTION core.guard_rule_part();

-- What one sale earns, DIRECT and OVERRIDE: each rounds half to even at the base unit, an override takes at most what the
-- direct share left, and the program keeps the rest. Without a fixed search path, so that it is inlined into the sets that
-- use it (settling, and what a rule would have paid); every caller has one. Days are 24 hours, whatever zone a session is in.
CREATE FUNCTION core.commissions_of(p_amount numeric, p_at timestamptz, p_registered_at timestamptz, p_direct_rate numeric, p_override_rate numeric, p_earning_days integer,
  p_minimum numeric, p_affiliate uuid, p_is_active boolean, p_parent uuid, p_parent_is_active boolean)
RETURNS TABLE (kind text, affiliate_id uuid, rate numeric, amount numeric) LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT c.kind, c.affiliate_id, c.rate, c.amount
  FROM (SELECT core.share_half_even(p_amount, p_direct_rate) AS amount) d
  CROSS JOIN LATERAL (VALUES ('DIRECT', p_affiliate, p_direct_rate, d.amount),
    ('OVERRIDE', CASE WHEN p_parent_is_active THEN p_parent END, p_override_rate, least(core.share_half_even(p_amount, p_override_rate), p_amount - d.amount)))
    AS c(kind, affiliate_id, rate, amount)
  WHERE c.affiliate_id IS NOT NULL AND c.amount > 0 AND p_is_active AND p_amount >= coalesce(p_minimum, 0)
    AND (p_earning_days IS NULL OR (p_at >= p_registered_at AND p_at < p_registered_at + make_interval(hours => 24 * p_earning_days)))
$$;

-- Why an intent fails, and whether trying again can help.
CREATE TABLE core.intent_errors (
  class text PRIMARY KEY,
  is_retried boolean NOT NULL,
  meaning text NOT NULL
);
INSERT INTO core.intent_errors VALUES
  ('UNKNOWN_USER', true, 'The user is not registered yet'),
  ('UNKNOWN_REFERRAL', true, 'No affiliate has the referral code yet'),
  ('UNKNOWN_ASSET', true, 'The program has no such asset yet'),
  ('NO_RULE', true, 'No commission rule was in force at that time'),
  ('SELF_REFERRAL', false, 'The wallet belongs to the affiliate that refers it, or to one above'),
  ('MALFORMED', false, 'The payload cannot be used'),
  ('REFUSED', true, 'A constraint refused the effects'),
  ('INTERRUPTED', true, 'Workers claimed it and did not come back in time'),
  ('NOT_PAID', false, 'The line of a payout was not paid');
CALL core.make_catalogue('intent_errors');

-- Business keys live for ever; the fingerprint tells a repeat from a conflict.
CREATE TABLE core.intents (
  program_id uuid NOT NULL REFERENCES core.programs,
  id uuid NOT NULL DEFAULT core.uuid_v7(),
  kind text NOT NULL CHECK (kind IN ('REGISTER', 'CLAIM', 'COMMERCE', 'PAYOUT')),
  idempotency_key text NOT NULL,
  fingerprint bytea NOT NULL CHECK (length(fingerprint) = 32),
  payload jsonb NOT NULL,
  state text NOT NULL DEFAULT 'PENDING',
  attempts integer NOT NULL DEFAULT 0,
  next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  lease_expires_at timestamptz,
  fencing_token bigint,
  error_class text REFERENCES core.intent_errors,
  error text,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  completed_at timestamptz,
  PRIMARY KEY (program_id, id),
  CHECK (state <> 'LOCKED' OR (lease_expires_at IS NOT NULL AND fencing_token IS NOT NULL)),
  CHECK ((state = 'COMPLETED') = (completed_at IS NOT NULL))
);
-- Indexes of another column are partial on that column being there: a query that only knows the program and the id cannot take
-- one of them by mistake while the table is empty, and keep that plan when it is large.
CREATE UNIQUE INDEX intents_once_per_key ON core.intents (program_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX intents_to_claim ON core.intents (program_id, next_attempt_at, id) WHERE state = 'PENDING' AND kind <> 'PAYOUT';
-- Of its own: among a million that wait, the few that failed are found at once.
CREATE INDEX intents_to_try_again ON core.intents (next_attempt_at) WHERE state = 'FAILED';
CREATE INDEX intents_locked ON core.intents (fencing_token) WHERE state = 'LOCKED';
CREATE INDEX intents_leased ON core.intents (lease_expires_at) WHERE state = 'LOCKED';
CALL core.make_stateful('intents', 'intent');
CREATE SEQUENCE core.fencing_tokens;

CREATE FUNCTION core.guard_intent() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF (NEW.program_id, NEW.id, NEW.kind, NEW.idempotency_key, NEW.fingerprint, NEW.payload)
     IS DISTINCT FROM (OLD.program_id, OLD.id, OLD.kind, OLD.idempotency_key, OLD.fingerprint, OLD.payload) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'An intent keeps its key and its body';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER intents_keep_their_body BEFORE UPDATE OF program_id, id, kind, idempotency_key, fingerprint, payload ON core.intents
  FOR EACH ROW EXECUTE FUNCTION core.guard_intent();
CREATE TRIGGER intents_stay BEFORE DELETE ON core.intents FOR EACH ROW EXECUTE FUNCTION core.refuse_change();
CREATE TRIGGER intents_stay_table BEFORE TRUNCATE ON core.intents FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change();

CREATE TABLE core.settlements (
  program_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT core.uuid_v7(),
  intent_id uuid NOT NULL,
  user_id uuid NOT NULL,
  asset_id uuid NOT NULL,
  amount numeric(38,0) NOT NULL CHECK (amount > 0),
  rail text NOT NULL,
  tx_hash bytea CHECK (length(tx_hash) = 32),
  state text NOT NULL DEFAULT 'PENDING',
  occurred_at timestamptz NOT NULL,
  confirmed_at timestamptz,
  PRIMARY KEY (program_id, id),
  FOREIGN KEY (program_id, intent_id) REFERENCES core.intents,
  FOREIGN KEY (program_id, user_id) REFERENCES core.users,
  FOREIGN KEY (program_id, asset_id) REFERENCES core.assets
);
CREATE UNIQUE INDEX settlements_one_per_intent ON core.settlements (program_id, intent_id) WHERE intent_id IS NOT NULL;
CALL core.make_stateful('settlements', 'settlement');

CREATE TABLE core.commissions (
  program_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT core.uuid_v7(),
  settlement_id uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN ('DIRECT', 'OVERRIDE', 'CLAW_BACK')),
  affiliate_id uuid NOT NULL,
  rule_id uuid NOT NULL,
  rate numeric(9,8) NOT NULL,
  asset_id uuid NOT NULL,
  -- Below zero is what an affiliate owes back: the commission that it takes back was paid or is being paid. It is netted
  -- against what the affiliate earns next, so a line of a batch is never below zero.
  amount numeric(38,0) NOT NULL CHECK (amount <> 0 AND (amount < 0) = (kind = 'CLAW_BACK')),
  takes_back uuid,
  state text NOT NULL DEFAULT 'ACCRUED',
  payable_from timestamptz NOT NULL,
  PRIMARY KEY (program_id, id),
  CHECK ((kind = 'CLAW_BACK') = (takes_back IS NOT NULL)),
  FOREIGN KEY (program_id, takes_back) REFERENCES core.commissions,
  FOREIGN KEY (program_id, settlement_id) REFERENCES core.settlements,
  FOREIGN KEY (program_id, affiliate_id) REFERENCES core.affiliates,
  FOREIGN KEY (program_id, rule_id) REFERENCES core.commission_rules,
  FOREIGN KEY (program_id, asset_id) REFERENCES core.assets
);
CREATE UNIQUE INDEX commissions_once_per_settlement ON core.commissions (program_id, settlement_id, kind) WHERE kind <> 'CLAW_BACK';
CREATE UNIQUE INDEX commissions_taken_back_once ON core.commissions (program_id, takes_back) WHERE takes_back IS NOT NULL;
CREATE INDEX commissions_open ON core.commissions (program_id, state, payable_from) WHERE state IN ('ACCRUED', 'PAYABLE');
CALL core.make_stateful('commissions', 'commission');

-- Named columns only, so that a set of rows that changes its state pays nothing for this.
CREATE TRIGGER settlements_keep_their_money BEFORE UPDATE OF program_id, id, intent_id, user_id, asset_id, amount, rail, tx_hash, occurred_at OR DELETE
  ON core.settlements FOR EACH ROW EXECUTE FUNCTION core.keep_fixed('state', 'confirmed_at');
CREATE TRIGGER commissions_keep_their_money BEFORE UPDATE OF program_id, id, settlement_id, kind, affiliate_id, rule_id, rate, asset_id, amount, takes_back, payable_from OR DELETE
  ON core.commissions FOR EACH ROW EXECUTE FUNCTION core.keep_fixed('state');
