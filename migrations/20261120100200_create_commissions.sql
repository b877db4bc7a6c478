-- Affiliates, users, intents, settlements, commissions.

CREATE TABLE core.affiliates (
  program_id uuid NOT NULL REFERENCES core.programs,
  id uuid NOT NULL DEFAULT core.uuid_v7(),
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
  wallet bytea NOT NULL CHECK (length(wallet) = 20 AND wallet <> '\x0000000000000000000000000000000000000000'),
  tier text NOT NULL DEFAULT 'standard',
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
  address bytea NOT NULL CHECK (length(address) = 20),
  payable_from timestamptz NOT NULL,
  PRIMARY KEY (program_id, payee_id, version),
  FOREIGN KEY (program_id, payee_id) REFERENCES core.payees
);
CREATE INDEX payee_addresses_by_address ON core.payee_addresses (program_id, address);
CALL core.make_append_only('payee_addresses');

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

CREATE TABLE core.commission_rules (
  program_id uuid NOT NULL REFERENCES core.programs,
  id uuid NOT NULL DEFAULT core.uuid_v7(),
  base_rate numeric(9,8) NOT NULL CHECK (base_rate BETWEEN 0 AND 1),
  override_rate numeric(9,8) NOT NULL CHECK (override_rate BETWEEN 0 AND 1),
  holding_days integer NOT NULL DEFAULT 30 CHECK (holding_days BETWEEN 0 AND 365),
  effective_from timestamptz NOT NULL,
  PRIMARY KEY (program_id, id),
  UNIQUE (program_id, effective_from),
  CHECK (base_rate + override_rate <= 1)
);
-- A tier's rate replaces the base rate.
CREATE TABLE core.commission_rule_tiers (
  program_id uuid NOT NULL,
  rule_id uuid NOT NULL,
  tier text NOT NULL,
  rate numeric(9,8) NOT NULL CHECK (rate BETWEEN 0 AND 1),
  PRIMARY KEY (program_id, rule_id, tier),
  FOREIGN KEY (program_id, rule_id) REFERENCES core.commission_rules
);
CALL core.make_append_only('commission_rules');
CALL core.make_append_only('commission_rule_tiers');

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
CALL core.make_append_only('intent_errors');

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
  kind text NOT NULL CHECK (kind IN ('DIRECT', 'OVERRIDE')),
  affiliate_id uuid NOT NULL,
  rule_id uuid NOT NULL,
  rate numeric(9,8) NOT NULL,
  asset_id uuid NOT NULL,
  amount numeric(38,0) NOT NULL CHECK (amount > 0),
  state text NOT NULL DEFAULT 'ACCRUED',
  payable_from timestamptz NOT NULL,
  PRIMARY KEY (program_id, id),
  UNIQUE (program_id, settlement_id, kind),
  FOREIGN KEY (program_id, settlement_id) REFERENCES core.settlements,
  FOREIGN KEY (program_id, affiliate_id) REFERENCES core.affiliates,
  FOREIGN KEY (program_id, rule_id) REFERENCES core.commission_rules,
  FOREIGN KEY (program_id, asset_id) REFERENCES core.assets
);
CREATE INDEX commissions_open ON core.commissions (program_id, state, payable_from) WHERE state IN ('ACCRUED', 'PAYABLE');
CALL core.make_stateful('commissions', 'commission');

-- Named columns only, so that a set of rows that changes its state pays nothing for this.
CREATE TRIGGER settlements_keep_their_money BEFORE UPDATE OF program_id, id, intent_id, user_id, asset_id, amount, rail, tx_hash, occurred_at OR DELETE
  ON core.settlements FOR EACH ROW EXECUTE FUNCTION core.keep_fixed('state', 'confirmed_at');
CREATE TRIGGER commissions_keep_their_money BEFORE UPDATE OF program_id, id, settlement_id, kind, affiliate_id, rule_id, rate, asset_id, amount, payable_from OR DELETE
  ON core.commissions FOR EACH ROW EXECUTE FUNCTION core.keep_fixed('state');
