-- Safes, policies, batches and their approval: two people, bound to content (laws 3, 5, 6, 7).

CREATE TABLE core.safes (
  program_id uuid NOT NULL REFERENCES core.programs,
  id uuid NOT NULL DEFAULT core.uuid_v7(),
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
  chain_id bigint NOT NULL REFERENCES core.chains,
  address bytea NOT NULL CHECK (length(address) = 20),
  -- Pinned copy of the account, compared with the chain before each signature.
  version text NOT NULL CHECK (version IN ('1.0.0', '1.1.1', '1.2.0', '1.3.0', '1.4.1', '1.5.0')),
  singleton bytea NOT NULL CHECK (length(singleton) = 20),
  fallback_handler bytea NOT NULL CHECK (length(fallback_handler) = 20),
  threshold integer NOT NULL CHECK (threshold >= 2),
  -- Observed by the watcher.
  observed_owners bytea[], observed_nonce bigint,
  observed_block bigint,
  observed_at timestamptz,
  observed_by name,
  -- The last of these in which the owners were the pinned ones.
  agreed_block bigint,
  agreed_at timestamptz,
  -- What came in is in the ledger up to this block.
  inflows_read_to bigint,
  inflows_read_by name,
  PRIMARY KEY (program_id, id),
  UNIQUE (chain_id, address),
  UNIQUE (program_id, id, address)
);
CREATE TABLE core.safe_owners (
  program_id uuid NOT NULL,
  safe_id uuid NOT NULL,
  owner bytea NOT NULL CHECK (length(owner) = 20),
  PRIMARY KEY (program_id, safe_id, owner),
  FOREIGN KEY (program_id, safe_id) REFERENCES core.safes
);
CALL core.make_fixed('safes', 'name', 'observed_owners', 'observed_nonce', 'observed_block', 'observed_at', 'observed_by', 'agreed_block', 'agreed_at', 'inflows_read_to', 'inflows_read_by');
CALL core.make_append_only('safe_owners');
CALL core.make_two_signed('safes', 'id', '', 'safe.add');
CALL core.make_two_signed('safe_owners', 'safe_id', '', 'safe.add');
-- What the chain says a Safe holds, at a named block.
CREATE TABLE core.safe_balances (
  program_id uuid NOT NULL,
  safe_id uuid NOT NULL,
  asset_id uuid NOT NULL,
  amount numeric(38,0) NOT NULL CHECK (amount >= 0),
  block_number bigint NOT NULL,
  observed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (program_id, safe_id, asset_id),
  FOREIGN KEY (program_id, safe_id) REFERENCES core.safes,
  FOREIGN KEY (program_id, asset_id) REFERENCES core.assets
);

-- From at_least (base units of the asset) on, this many approvers. Summed per payee and per preparer over 24 hours.
CREATE TABLE core.policies (
  program_id uuid NOT NULL REFERENCES core.programs,
  id uuid NOT NULL DEFAULT core.uuid_v7(),
  asset_id uuid NOT NULL,
  at_least numeric(38,0) NOT NULL CHECK (at_least >= 0),
  approvers integer NOT NULL CHECK (approvers >= 1),
  -- From here on one of the approvers holds approve_high_value.
  high_value boolean NOT NULL DEFAULT false,
  software_keys boolean NOT NULL DEFAULT false,
  -- Accepts that more people are asked for than the Safe has signatures: the rest is not enforced on chain.
  beyond_chain boolean NOT NULL DEFAULT false,
  replaced_at timestamptz,
  PRIMARY KEY (program_id, id),
  FOREIGN KEY (program_id, asset_id) REFERENCES core.assets
);
CALL core.make_fixed('policies', 'replaced_at');
-- An asset begins with the defaults of its currency.
CALL core.make_two_signed('policies', '', 'replaced_at', 'policy.set', 'asset.add');
CREATE UNIQUE INDEX policies_one_in_force ON core.policies (program_id, asset_id, at_least) WHERE replaced_at IS NULL;

CREATE TABLE core.batches (
  program_id uuid NOT NULL REFERENCES core.programs,
  id uuid NOT NULL DEFAULT core.uuid_v7(),
  number integer NOT NULL,
  title text NOT NULL CHECK (length(title) BETWEEN 1 AND 80),
  safe_id uuid NOT NULL,
  source text NOT NULL CHECK (source IN ('COMMISSIONS', 'FILE')),
  file_name text CHECK (length(file_name) BETWEEN 1 AND 255),
  file_sha256 bytea CHECK (length(file_sha256) = 32),
  period text CHECK (length(period) BETWEEN 1 AND 40 AND period = btrim(period)),
  state text NOT NULL DEFAULT 'DRAFT',
  revision integer NOT NULL DEFAULT 1 CHECK (revision >= 1),
  created_by uuid NOT NULL REFERENCES core.staff,
  creators_part text NOT NULL DEFAULT 'EDITOR' CHECK (creators_part = 'EDITOR'),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  submitted_by uuid REFERENCES core.staff,
  submitted_at timestamptz,
  content_hash bytea CHECK (length(content_hash) = 32),
  executed_by uuid REFERENCES core.staff,
  last_reason text,
  PRIMARY KEY (program_id, id),
  UNIQUE (program_id, number),
  UNIQUE (program_id, id, created_by),
  FOREIGN KEY (program_id, safe_id) REFERENCES core.safes,
  CHECK ((source = 'FILE') = (file_sha256 IS NOT NULL AND file_name IS NOT NULL AND period IS NOT NULL)),
  CHECK (state IN ('DRAFT', 'CANCELLED') OR (content_hash IS NOT NULL AND submitted_by IS NOT NULL)),
  CHECK (state NOT IN ('EXECUTING', 'EXECUTED', 'PARTIALLY_EXECUTED', 'FAILED') OR executed_by IS NOT NULL)
);
-- The same file for the same period is one batch, unless that one came to nothing.
CREATE UNIQUE INDEX batches_one_per_file ON core.batches (program_id, file_sha256, period)
  WHERE state NOT IN ('REJECTED', 'CANCELLED', 'FAILED');

-- Each person has one part in a batch: the primary key is what keeps an editor from approving.
CREATE TABLE core.batch_participants (
  program_id uuid NOT NULL,
  batch_id uuid NOT NULL,
  staff_id uuid NOT NULL REFERENCES core.staff,
  part text NOT NULL CHECK (part IN ('EDITOR', 'APPROVER')),
  CONSTRAINT an_editor_cannot_approve PRIMARY KEY (program_id, batch_id, staff_id),
  UNIQUE (program_id, batch_id, staff_id, part),
  FOREIGN KEY (program_id, batch_id) REFERENCES core.batches
);
CALL core.make_append_only('batch_participants');
-- Whoever creates a batch is one of its editors when the transaction ends, however the row came to be.
ALTER TABLE core.batches ADD CONSTRAINT its_creator_is_an_editor FOREIGN KEY (program_id, id, created_by, creators_part)
  REFERENCES core.batch_participants (program_id, batch_id, staff_id, part) DEFERRABLE INITIALLY DEFERRED;

CREATE TABLE core.batch_revisions (
  program_id uuid NOT NULL,
  batch_id uuid NOT NULL,
  revision integer NOT NULL,
  staff_id uuid NOT NULL,
  part text NOT NULL DEFAULT 'EDITOR' CHECK (part = 'EDITOR'),
  content_hash bytea NOT NULL CHECK (length(content_hash) = 32),
  identity_key_id uuid NOT NULL,
  signature bytea NOT NULL CHECK (length(signature) = 64),
  submitted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (program_id, batch_id, revision),
  UNIQUE (program_id, batch_id, content_hash),
  FOREIGN KEY (program_id, batch_id, staff_id, part) REFERENCES core.batch_participants (program_id, batch_id, staff_id, part),
  FOREIGN KEY (identity_key_id, staff_id) REFERENCES core.identity_keys (id, staff_id)
);
CALL core.make_append_only('batch_revisions');

-- An approval names the content it saw; an edit makes a new revision, to which no approval belongs yet.
CREATE TABLE core.approvals (
  program_id uuid NOT NULL,
  batch_id uuid NOT NULL,
  staff_id uuid NOT NULL,
  part text NOT NULL DEFAULT 'APPROVER' CHECK (part = 'APPROVER'),
  content_hash bytea NOT NULL,
  identity_key_id uuid NOT NULL,
  signature bytea NOT NULL CHECK (length(signature) = 64),
  approved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  made_in xid8 NOT NULL,
  made_seeing pg_snapshot NOT NULL,
  PRIMARY KEY (program_id, batch_id, staff_id, content_hash),
  FOREIGN KEY (program_id, batch_id, staff_id, part) REFERENCES core.batch_participants (program_id, batch_id, staff_id, part),
  FOREIGN KEY (program_id, batch_id, content_hash) REFERENCES core.batch_revisions (program_id, batch_id, content_hash),
  FOREIGN KEY (identity_key_id, staff_id) REFERENCES core.identity_keys (id, staff_id)
);
CALL core.make_append_only('approvals');
CREATE TRIGGER is_stamped BEFORE INSERT ON core.approvals FOR EACH ROW EXECUTE FUNCTION core.stamp_made();

CREATE TABLE core.payouts (
  program_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT core.uuid_v7(),
  batch_id uuid NOT NULL,
  line_no integer NOT NULL CHECK (line_no BETWEEN 1 AND 1000),
  asset_id uuid NOT NULL,
  recipient bytea NOT NULL CHECK (length(recipient) = 20 AND recipient <> '\x0000000000000000000000000000000000000000'),
  amount numeric(38,0) NOT NULL CHECK (amount > 0),
  reference text NOT NULL CHECK (length(reference) <= 140),
  payee_name text CHECK (length(payee_name) <= 80),
  affiliate_id uuid,
  leg_index integer CHECK (leg_index >= 1),
  state text NOT NULL DEFAULT 'PENDING',
  PRIMARY KEY (program_id, id),
  UNIQUE (program_id, batch_id, line_no),
  UNIQUE (program_id, id, asset_id, recipient, amount),
  FOREIGN KEY (program_id, batch_id) REFERENCES core.batches,
  FOREIGN KEY (program_id, asset_id) REFERENCES core.assets,
  FOREIGN KEY (program_id, affiliate_id) REFERENCES core.affiliates
);

-- Who else gets what a line pays, and under which reference: asked about every line of a batch.
CREATE INDEX payouts_by_recipient ON core.payouts (program_id, recipient);
CREATE INDEX payouts_by_reference ON core.payouts (program_id, reference) WHERE reference <> '';

-- What an approver found wrong with lines of a revision that went back to its preparer.
CREATE TABLE core.line_marks (
  program_id uuid NOT NULL,
  batch_id uuid NOT NULL,
  revision integer NOT NULL,
  line_no integer NOT NULL CHECK (line_no BETWEEN 1 AND 1000),
  reason text NOT NULL CHECK (length(reason) BETWEEN 3 AND 280),
  marked_by uuid NOT NULL REFERENCES core.staff,
  marked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (program_id, batch_id, revision, line_no),
  FOREIGN KEY (program_id, batch_id, revision) REFERENCES core.batch_revisions
);
CALL core.make_append_only('line_marks');

-- A commission or a line of a file belongs to at most one live payout (law 7).
CREATE TABLE core.payout_sources (
  program_id uuid NOT NULL,
  payout_id uuid NOT NULL,
  source_key text NOT NULL,
  commission_id uuid,
  live boolean NOT NULL DEFAULT true,
  PRIMARY KEY (program_id, payout_id, source_key),
  FOREIGN KEY (program_id, payout_id) REFERENCES core.payouts ON DELETE CASCADE,
  FOREIGN KEY (program_id, commission_id) REFERENCES core.commissions
);
CREATE UNIQUE INDEX payout_sources_one_live ON core.payout_sources (program_id, source_key) WHERE live;

-- The published MultiSendCallOnly contracts (1.3.0 canonical, eip155, zksync; 1.4.1 canonical, zksync; 1.5.0), as the safe
-- crate knows them: a delegate call to anything else could change the Safe itself.
CREATE FUNCTION core.is_multi_send_call_only(p_address bytea) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT p_address IN (
    '\x40a2accbd92bca938b02010e17a5b8929b49130d', '\xa1dabef33b3b82c7814b6d82a79e50f4ac44102b', '\xf220d3b4dfb23c4ade8c88e526c1353abacbc38f',
    '\x9641d764fc13c8b624c04430c7356c1c7c8102e2', '\x0408ef011960d02349d50286d20531229bcef773', '\xa83c336b20401af773b6219ba5027174338d1836')
$$;

-- One leg of a batch. Refund fields are zero, as constraints: a payout never pays for its own gas.
CREATE TABLE core.safe_transactions (
  program_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT core.uuid_v7(),
  batch_id uuid NOT NULL,
  leg_index integer NOT NULL CHECK (leg_index >= 1),
  safe_id uuid NOT NULL,
  to_address bytea NOT NULL CONSTRAINT a_leg_calls_multi_send_call_only CHECK (core.is_multi_send_call_only(to_address)),
  value numeric(38,0) NOT NULL CHECK (value = 0),
  operation smallint NOT NULL CHECK (operation = 1),
  safe_tx_gas numeric(38,0) NOT NULL DEFAULT 0 CHECK (safe_tx_gas = 0),
  base_gas numeric(38,0) NOT NULL DEFAULT 0 CHECK (base_gas = 0),
  gas_price numeric(38,0) NOT NULL DEFAULT 0 CHECK (gas_price = 0),
  gas_token bytea NOT NULL DEFAULT '\x0000000000000000000000000000000000000000' CHECK (gas_token = '\x0000000000000000000000000000000000000000'),
  refund_receiver bytea NOT NULL DEFAULT '\x0000000000000000000000000000000000000000' CHECK (refund_receiver = '\x0000000000000000000000000000000000000000'),
  nonce bigint CHECK (nonce >= 0),
  safe_tx_hash bytea CHECK (length(safe_tx_hash) = 32),
  state text NOT NULL DEFAULT 'PROPOSED',
  ethereum_tx_hash bytea CHECK (length(ethereum_tx_hash) = 32),
  submitted_at timestamptz,
  block_number bigint,
  block_hash bytea CHECK (length(block_hash) = 32),
  confirmed_at timestamptz,
  -- The Safe transaction that used the nonce instead.
  consumed_by bytea CHECK (length(consumed_by) = 32),
  PRIMARY KEY (program_id, id),
  UNIQUE (program_id, batch_id, leg_index),
  UNIQUE (program_id, id, batch_id, safe_id),
  UNIQUE (safe_tx_hash),
  FOREIGN KEY (program_id, batch_id) REFERENCES core.batches,
  FOREIGN KEY (program_id, safe_id) REFERENCES core.safes,
  CHECK (safe_tx_hash IS NULL OR nonce IS NOT NULL),
  CHECK (state = 'PROPOSED' OR safe_tx_hash IS NOT NULL),
  CHECK (state NOT IN ('SUBMITTED', 'MINED', 'CONFIRMED', 'FAILED') OR (ethereum_tx_hash IS NOT NULL AND submitted_at IS NOT NULL)),
  CHECK ((state IN ('REPLACED', 'REJECTED')) = (consumed_by IS NOT NULL)),
  CONSTRAINT a_nonce_is_gone_for_another_hash CHECK (consumed_by <> safe_tx_hash),
  CHECK (state NOT IN ('MINED', 'CONFIRMED', 'FAILED') OR (block_number IS NOT NULL AND block_hash IS NOT NULL))
);
CREATE UNIQUE INDEX safe_transactions_one_live_nonce ON core.safe_transactions (program_id, safe_id, nonce)
  WHERE nonce IS NOT NULL AND state NOT IN ('REPLACED', 'REJECTED');

-- A bearer cheque: no staff login reads this table; api.execution_package hands it to who may execute and is on record for it.
CREATE TABLE core.signatures (
  program_id uuid NOT NULL,
  safe_transaction_id uuid NOT NULL,
  batch_id uuid NOT NULL,
  safe_id uuid NOT NULL,
  owner bytea NOT NULL,
  -- Whose owner signed: the Safe that pays; or a Safe that is pinned too and owns it, at the address child, which consents by a message
  -- that as many of its own owners sign as its threshold says.
  owner_safe_id uuid NOT NULL,
  child bytea,
  staff_id uuid NOT NULL,
  content_hash bytea NOT NULL,
  safe_tx_hash bytea NOT NULL,
  key_kind text NOT NULL CHECK (key_kind IN ('SOFTWARE', 'LEDGER')),
  signature bytea NOT NULL CHECK (length(signature) = 65),
  signed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (program_id, safe_transaction_id, owner_safe_id, owner),
  CHECK ((child IS NULL) = (owner_safe_id = safe_id)),
  FOREIGN KEY (program_id, safe_transaction_id, batch_id, safe_id) REFERENCES core.safe_transactions (program_id, id, batch_id, safe_id),
  FOREIGN KEY (program_id, owner_safe_id, owner) REFERENCES core.safe_owners,
  FOREIGN KEY (program_id, safe_id, child) REFERENCES core.safe_owners (program_id, safe_id, owner),
  FOREIGN KEY (program_id, owner_safe_id, child) REFERENCES core.safes (program_id, id, address),
  FOREIGN KEY (program_id, batch_id, staff_id, content_hash) REFERENCES core.approvals
);
CALL core.make_append_only('signatures');

-- The one nonce of the one executor that sends a leg, and the one that sends its rejection. The sender is the person who sends it with a key
-- of their own; nobody is a machine. What a person says to have sent takes nothing from the machines: neither a nonce nor, for long, a leg.
-- The next attempt is made only when the one before failed in its block (core.guard_submission).
CREATE TABLE core.submissions (
  program_id uuid NOT NULL,
  safe_transaction_id uuid NOT NULL,
  is_rejection boolean NOT NULL DEFAULT false,
  sender uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
  attempt smallint NOT NULL DEFAULT 1 CHECK (attempt >= 1),
  chain_id bigint NOT NULL REFERENCES core.chains,
  executor bytea NOT NULL CHECK (length(executor) = 20),
  executor_nonce bigint NOT NULL CHECK (executor_nonce >= 0),
  submitted_by name NOT NULL DEFAULT session_user,
  submitted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (program_id, safe_transaction_id, is_rejection, sender, attempt),
  -- How often its nonce was given out: anew only after what had it came to nothing.
  nonce_use smallint NOT NULL DEFAULT 1 CHECK (nonce_use >= 1),
  -- Of two transactions with one nonce the chain takes one, and the other leg would wait for ever.
  UNIQUE (chain_id, executor, executor_nonce, sender, nonce_use),
  FOREIGN KEY (program_id, safe_transaction_id) REFERENCES core.safe_transactions
);
CALL core.make_append_only('submissions');

-- Stored before they are sent, so that a resend is the same bytes. What is stuck is replaced by the same call at the same nonce
-- of the executor with a higher fee: the chain takes one of them. Holds signatures, so no staff login reads it.
CREATE TABLE core.broadcasts (
  program_id uuid NOT NULL,
  safe_transaction_id uuid NOT NULL,
  is_rejection boolean NOT NULL DEFAULT false,
  sender uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
  attempt smallint NOT NULL DEFAULT 1,
  ethereum_tx_hash bytea NOT NULL UNIQUE CHECK (length(ethereum_tx_hash) = 32),
  raw_transaction bytea NOT NULL,
  recorded_by name NOT NULL DEFAULT session_user,
  recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (program_id, safe_transaction_id, ethereum_tx_hash),
  FOREIGN KEY (program_id, safe_transaction_id, is_rejection, sender, attempt) REFERENCES core.submissions
);
CALL core.make_append_only('broadcasts');

-- What was sent and failed in its block as a whole, at the chain's depth: the Safe took nothing of it, its nonce is open, and gas was paid.
-- The executor's nonce is used, so those bytes can never be executed.
CREATE TABLE core.reverted_broadcasts (
  program_id uuid NOT NULL,
  safe_transaction_id uuid NOT NULL,
  ethereum_tx_hash bytea NOT NULL CHECK (length(ethereum_tx_hash) = 32),
  block_number bigint NOT NULL CHECK (block_number >= 0),
  block_hash bytea NOT NULL CHECK (length(block_hash) = 32),
  recorded_by name NOT NULL DEFAULT session_user,
  recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (program_id, safe_transaction_id, ethereum_tx_hash),
  FOREIGN KEY (program_id, safe_transaction_id, ethereum_tx_hash) REFERENCES core.broadcasts
);
CALL core.make_append_only('reverted_broadcasts');

-- Whether a submission came to nothing: one of its transactions, which share a nonce, failed in its block.
CREATE FUNCTION core.is_reverted(p_sent core.submissions) RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT EXISTS (SELECT FROM core.reverted_broadcasts r JOIN core.broadcasts o USING (program_id, safe_transaction_id, ethereum_tx_hash)
    WHERE o.program_id = p_sent.program_id AND o.safe_transaction_id = p_sent.safe_transaction_id AND o.is_rejection = p_sent.is_rejection AND o.sender = p_sent.sender AND o.attempt = p_sent.attempt)
$$;

-- Which attempt of a sender is the next: after those that came to nothing.
CREATE FUNCTION core.next_attempt(p_program uuid, p_leg uuid, p_is_rejection boolean, p_sender uuid) RETURNS smallint LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT (1 + count(*))::smallint FROM core.submissions u
  WHERE u.program_id = p_program AND u.safe_transaction_id = p_leg AND u.is_rejection = p_is_rejection AND u.sender = p_sender AND core.is_reverted(u)
$$;

CREATE FUNCTION core.is_broadcast(p_leg core.safe_transactions) RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT EXISTS (SELECT FROM core.broadcasts o WHERE o.program_id = p_leg.program_id AND o.safe_transaction_id = p_leg.id AND NOT o.is_rejection AND o.ethereum_tx_hash = p_leg.ethereum_tx_hash)
$$;

-- Whether a leg is being sent by somebody: by our executor, which sends it again until the chain has it, or by a person who said so less
-- than ten minutes ago. After that it is sent by the executor too; the Safe takes one of them.
CREATE FUNCTION core.is_being_sent(p_leg core.safe_transactions) RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT EXISTS (SELECT FROM core.submissions u WHERE u.program_id = p_leg.program_id AND u.safe_transaction_id = p_leg.id AND NOT u.is_rejection AND NOT core.is_reverted(u)
    AND (u.sender = '00000000-0000-0000-0000-000000000000' OR u.submitted_at > clock_timestamp() - interval '10 minutes'))
$$;

-- Legs that somebody else's transaction executed: whoever saw the signatures in a public mempool can send them first. The
-- Safe's nonce is what keeps that to once; here it is only recognised.
CREATE TABLE core.foreign_executions (
  program_id uuid NOT NULL,
  safe_transaction_id uuid NOT NULL,
  ethereum_tx_hash bytea NOT NULL CHECK (length(ethereum_tx_hash) = 32),
  recorded_by name NOT NULL DEFAULT session_user,
  recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (program_id, safe_transaction_id, ethereum_tx_hash),
  FOREIGN KEY (program_id, safe_transaction_id) REFERENCES core.safe_transactions
);
CALL core.make_append_only('foreign_executions');

-- What proves a line: its own log, or its own native leg, of a succeeded Safe transaction (law 8). The foreign key makes
-- recipient, asset and amount those of the line; the unique keys keep one log from proving two lines. What a reorganisation
-- takes away stays on record, retracted.
CREATE TABLE core.evidence (
  program_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT core.uuid_v7(),
  payout_id uuid NOT NULL,
  safe_transaction_id uuid NOT NULL,
  chain_id bigint NOT NULL REFERENCES core.chains,
  ethereum_tx_hash bytea NOT NULL CHECK (length(ethereum_tx_hash) = 32),
  kind text NOT NULL CHECK (kind IN ('LOG', 'NATIVE_LEG')),
  position bigint NOT NULL CHECK (position >= 0),
  asset_id uuid NOT NULL,
  recipient bytea NOT NULL,
  amount numeric(38,0) NOT NULL,
  block_number bigint NOT NULL,
  block_hash bytea NOT NULL CHECK (length(block_hash) = 32),
  block_time timestamptz NOT NULL,
  recorded_by name NOT NULL DEFAULT session_user,
  recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  retracted_at timestamptz,
  PRIMARY KEY (program_id, id),
  FOREIGN KEY (program_id, payout_id, asset_id, recipient, amount) REFERENCES core.payouts (program_id, id, asset_id, recipient, amount),
  FOREIGN KEY (program_id, safe_transaction_id) REFERENCES core.safe_transactions
);
-- A position among calls counts within its own leg: one transaction of somebody else may execute two legs.
CREATE UNIQUE INDEX evidence_one_per_line ON core.evidence (program_id, payout_id) WHERE retracted_at IS NULL;
CREATE UNIQUE INDEX evidence_one_line_per_log ON core.evidence (chain_id, ethereum_tx_hash, position) WHERE kind = 'LOG' AND retracted_at IS NULL;
CREATE UNIQUE INDEX evidence_one_line_per_native_call ON core.evidence (program_id, safe_transaction_id, position) WHERE kind = 'NATIVE_LEG' AND retracted_at IS NULL;
CREATE INDEX evidence_by_recipient ON core.evidence (program_id, recipient) WHERE retracted_at IS NULL;
-- Addresses that begin or end as another one: how look-alikes are found.
CREATE INDEX evidence_by_head ON core.evidence (program_id, substr(recipient, 1, 2)) WHERE retracted_at IS NULL;
CREATE INDEX evidence_by_tail ON core.evidence (program_id, substr(recipient, 19, 2)) WHERE retracted_at IS NULL;
CREATE INDEX payee_addresses_by_head ON core.payee_addresses (program_id, substr(address, 1, 2));
CREATE INDEX payee_addresses_by_tail ON core.payee_addresses (program_id, substr(address, 19, 2));
CALL core.make_fixed('evidence', 'retracted_at');

-- Content hash (law 3): length-prefixed fields, byte for byte as domain::content writes them. What a line or leg lacks is
-- an empty field: one NULL among the fields would drop the whole line or leg from what is hashed.
CREATE FUNCTION core.batch_content_hash(p_program uuid, p_batch uuid) RETURNS bytea LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT sha256(
    core.field('countersign/batch/1'::text) || core.field(uuid_send(b.program_id)) || core.field(uuid_send(b.id)) || core.field(int4send(b.revision))
    || core.field(int8send(s.chain_id)) || core.field(s.address)
    || (SELECT core.field(int4send(count(*)::integer)) || coalesce(string_agg(
          core.field(int4send(p.line_no)) || core.field(coalesce(a.token, ''::bytea)) || core.field(p.recipient) || core.field(p.amount::text)
          || core.field(p.reference)
          || core.field(coalesce((SELECT string_agg(ps.source_key, ',' ORDER BY ps.source_key COLLATE "C") FROM core.payout_sources ps
                                  WHERE ps.program_id = p.program_id AND ps.payout_id = p.id), '')), ''::bytea ORDER BY p.line_no), ''::bytea)
        FROM core.payouts p JOIN core.assets a ON a.program_id = p.program_id AND a.id = p.asset_id
        WHERE p.program_id = b.program_id AND p.batch_id = b.id)
    || (SELECT core.field(int4send(count(*)::integer)) || coalesce(string_agg(
          core.field(int4send(t.leg_index))
          || core.field(coalesce((SELECT string_agg(int4send(p.line_no), ''::bytea ORDER BY (a.token IS NULL), a.token, p.line_no)
                                  FROM core.payouts p JOIN core.assets a ON a.program_id = p.program_id AND a.id = p.asset_id
                                  WHERE p.program_id = t.program_id AND p.batch_id = t.batch_id AND p.leg_index = t.leg_index), ''::bytea))
          || core.field(t.to_address) || core.field(t.value::text) || core.field(int4send(t.operation)) || core.field(t.safe_tx_gas::text)
          || core.field(t.base_gas::text) || core.field(t.gas_price::text) || core.field(t.gas_token) || core.field(t.refund_receiver),
          ''::bytea ORDER BY t.leg_index), ''::bytea)
        FROM core.safe_transactions t WHERE t.program_id = b.program_id AND t.batch_id = b.id))
  FROM core.batches b JOIN core.safes s ON s.program_id = b.program_id AND s.id = b.safe_id
  WHERE b.program_id = p_program AND b.id = p_batch
$$;

-- What is at stake in a batch, per asset: the largest of the sums over what the same preparers submitted and over what each
-- payee of the batch gets within 24 hours before or after its submission (not before now: waiting a day would undo the sum),
-- so that splitting gains nothing.
CREATE FUNCTION core.stakes(p_program uuid, p_batch uuid) RETURNS TABLE (asset_id uuid, amount numeric) LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  WITH batch AS (SELECT * FROM core.batches WHERE program_id = p_program AND id = p_batch),
  recent AS (
    SELECT p.asset_id, p.recipient, p.amount, b.id = p_batch AS this,
      b.created_by IN (this.created_by, this.submitted_by) OR b.submitted_by IN (this.created_by, this.submitted_by) AS same_preparer
    FROM batch this
    JOIN core.batches b ON b.program_id = this.program_id AND (b.id = this.id
      OR (b.state NOT IN ('DRAFT', 'REJECTED', 'CANCELLED', 'FAILED')
          AND b.submitted_at > coalesce(this.submitted_at, clock_timestamp()) - interval '24 hours'
          AND b.submitted_at < coalesce(this.submitted_at, clock_timestamp()) + interval '24 hours'))
    JOIN core.payouts p ON p.program_id = b.program_id AND p.batch_id = b.id),
  sums AS (
    SELECT asset_id, sum(amount) AS amount FROM recent WHERE (same_preparer OR this) AND asset_id IN (SELECT asset_id FROM recent WHERE this) GROUP BY asset_id
    UNION ALL
    SELECT asset_id, sum(amount) FROM recent WHERE (asset_id, recipient) IN (SELECT asset_id, recipient FROM recent WHERE this) GROUP BY asset_id, recipient)
  SELECT asset_id, max(amount) FROM sums GROUP BY asset_id
$$;

-- The most approvers that any policy in play asks for. None if an asset has no policy.
CREATE FUNCTION core.required_approvers(p_program uuid, p_batch uuid) RETURNS integer LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE WHEN bool_and(approvers IS NOT NULL) THEN max(approvers) END
  FROM (SELECT (SELECT max(o.approvers) FROM core.policies o WHERE o.program_id = p_program AND o.asset_id = s.asset_id AND o.replaced_at IS NULL AND o.at_least <= s.amount) AS approvers
        FROM core.stakes(p_program, p_batch) s) asked
$$;

-- Whether a policy in play asks that one of the approvers holds approve_high_value.
CREATE FUNCTION core.is_high_value(p_program uuid, p_batch uuid) RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT EXISTS (SELECT FROM core.stakes(p_program, p_batch) s
    JOIN core.policies o ON o.program_id = p_program AND o.asset_id = s.asset_id AND o.replaced_at IS NULL AND o.high_value AND o.at_least <= s.amount)
$$;

-- Approvals of a content that count now: by people who are still here and may still approve. One that was given while a freeze was
-- set, so that neither saw the other, counts neither under that freeze nor after it: a client can have core.guard_frozen_meanwhile
-- asked too early, and what it then commits is in no order that people decided. One that the freeze saw was there before; one that
-- saw the freeze saw it lifted.
CREATE FUNCTION core.approvals_that_count(p_program uuid, p_batch uuid, p_content_hash bytea) RETURNS TABLE (staff_id uuid, is_high_value boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT a.staff_id, bool_or(rp.permission = 'approve_high_value')
  FROM core.approvals a
  JOIN core.staff s ON s.id = a.staff_id AND s.revoked_at IS NULL
  JOIN core.grants g ON g.staff_id = a.staff_id AND g.revoked_at IS NULL AND (g.program_id IS NULL OR g.program_id = p_program)
  JOIN core.role_permissions rp ON rp.role = g.role AND rp.permission IN ('approve', 'approve_high_value')
  WHERE a.program_id = p_program AND a.batch_id = p_batch AND a.content_hash = p_content_hash
    AND NOT EXISTS (
      SELECT FROM core.freezes f JOIN core.batches b ON b.program_id = p_program AND b.id = p_batch
      WHERE f.program_id = p_program AND f.noun_id IN (p_program, b.safe_id, p_batch)
        AND NOT pg_visible_in_snapshot(a.made_in, f.made_seeing) AND NOT pg_visible_in_snapshot(f.made_in, a.made_seeing))
  GROUP BY a.staff_id HAVING bool_or(rp.permission = 'approve')
$$;

-- Holds of lines that are neither posted nor voided: at most one a line.
CREATE FUNCTION core.live_holds(p_program uuid, p_payouts uuid[]) RETURNS SETOF core.transfers LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT h.* FROM core.transfers h
  WHERE h.program_id = p_program AND h.reason = 'payout_hold' AND h.phase = 'PENDING' AND h.cause_id = ANY (p_payouts)
    AND NOT EXISTS (SELECT FROM core.transfers r WHERE r.program_id = h.program_id AND r.pending_id = h.id)
$$;

-- Guards that hold against the owner's own statements ----------------------------------------------------------------
CREATE TRIGGER batches_follow_their_states BEFORE INSERT OR UPDATE OF state ON core.batches FOR EACH ROW EXECUTE FUNCTION core.guard_state('batch');
CALL core.make_stateful('payouts', 'payout');
CREATE TRIGGER safe_transactions_follow_their_states BEFORE INSERT OR UPDATE OF state ON core.safe_transactions FOR EACH ROW EXECUTE FUNCTION core.guard_state('safe_transaction');

-- What the approval of this content lacks by the policy of now, as a sentence; none when it lacks nothing.
CREATE FUNCTION core.missing_approval(p_batch core.batches) RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  needed integer := core.required_approvers(p_batch.program_id, p_batch.id);
  given integer;
  has_high_value boolean;
BEGIN
  SELECT count(*), coalesce(bool_or(a.is_high_value), false) INTO given, has_high_value FROM core.approvals_that_count(p_batch.program_id, p_batch.id, p_batch.content_hash) a;
  IF needed IS NULL OR given < needed THEN
    RETURN format('The policy asks for %s approvers of this content and %s approved it', coalesce(needed::text, 'a policy and its'), given);
  END IF;
  IF NOT has_high_value AND core.is_high_value(p_batch.program_id, p_batch.id) THEN
    RETURN 'This batch is of high value: one of its approvers must hold approve_high_value';
  END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION core.refuse_unapproved(p_batch core.batches) RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  missing text := core.missing_approval(p_batch);
BEGIN
  IF missing IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = missing;
  END IF;
END $$;

-- Whether a signature may be out that the chain may still accept: for one leg, or for any leg of a batch (law 6). A leg has a hash from
-- its first signature on, or from when it was carried away in a file to be signed where nobody sees it.
CREATE FUNCTION core.is_signed(p_program uuid, p_batch uuid, p_leg integer) RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT EXISTS (
    SELECT FROM core.safe_transactions t
    WHERE t.program_id = p_program AND t.batch_id = p_batch AND (p_leg IS NULL OR t.leg_index = p_leg) AND t.safe_tx_hash IS NOT NULL AND t.state NOT IN ('FAILED', 'REPLACED', 'REJECTED'))
$$;

CREATE FUNCTION core.guard_batch() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  is_unpaid boolean;
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A batch is cancelled, never deleted';
  END IF;
  IF (NEW.program_id, NEW.id, NEW.number, NEW.safe_id, NEW.source, NEW.file_name, NEW.file_sha256, NEW.period, NEW.created_by, NEW.created_at)
     IS DISTINCT FROM (OLD.program_id, OLD.id, OLD.number, OLD.safe_id, OLD.source, OLD.file_name, OLD.file_sha256, OLD.period, OLD.created_by, OLD.created_at) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A batch keeps its Safe, its source and its preparer';
  END IF;
  IF OLD.state <> 'DRAFT' AND NEW.state <> 'DRAFT' AND (NEW.content_hash, NEW.revision, NEW.submitted_by, NEW.submitted_at)
     IS DISTINCT FROM (OLD.content_hash, OLD.revision, OLD.submitted_by, OLD.submitted_at) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'The content of a submitted batch is frozen: return it to its preparer';
  END IF;
  -- What a reorganisation takes away has happened, frozen or not.
  is_unpaid := NEW.state = 'EXECUTING' AND OLD.state IN ('EXECUTED', 'PARTIALLY_EXECUTED');
  IF is_unpaid AND NOT EXISTS (
    SELECT FROM core.payouts p WHERE p.program_id = NEW.program_id AND p.batch_id = NEW.id AND p.state IN ('SENT', 'UNKNOWN')) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A batch is on its way again when one of its lines is';
  END IF;
  IF NEW.state IN ('PENDING_APPROVAL', 'APPROVED', 'EXECUTING') AND NEW.state <> OLD.state AND NOT is_unpaid THEN
    PERFORM core.refuse_frozen(NEW.program_id, NEW.safe_id, NEW.id);
    PERFORM core.refuse_sanctioned(NEW.program_id, NEW.id, NULL);
    IF NEW.state <> 'EXECUTING' THEN
      PERFORM core.refuse_unpayable(NEW.program_id, NEW.id, NULL);
    END IF;
    IF NEW.content_hash IS DISTINCT FROM core.batch_content_hash(NEW.program_id, NEW.id) THEN
      RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'The lines or legs of this batch are not what its content hash says: open it again';
    END IF;
  END IF;
  IF NEW.state IN ('APPROVED', 'EXECUTING') AND NEW.state <> OLD.state AND NOT is_unpaid THEN
    PERFORM core.refuse_unapproved(NEW);
  END IF;
  IF NEW.state = 'EXECUTING' AND OLD.state = 'APPROVED' AND EXISTS (
    SELECT FROM core.safe_transactions t WHERE t.program_id = NEW.program_id AND t.batch_id = NEW.id AND t.state = 'PROPOSED') THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'Every leg needs its signatures before the batch is sent';
  END IF;
  IF NEW.state IN ('CANCELLED', 'REJECTED') AND NEW.state <> OLD.state AND core.is_signed(NEW.program_id, NEW.id, NULL) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A signed batch is not free before its nonces are used';
  END IF;
  IF NEW.state IN ('FAILED', 'PARTIALLY_EXECUTED') AND NEW.state <> OLD.state AND EXISTS (
    SELECT FROM core.payouts p WHERE p.program_id = NEW.program_id AND p.batch_id = NEW.id AND p.state NOT IN ('FAILED', 'CANCELLED') AND (NEW.state = 'FAILED' OR p.state <> 'SETTLED')) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A batch has failed when each of its lines has ended and the chain paid none of them, or not all';
  END IF;
  IF OLD.state = 'PENDING_APPROVAL' AND NEW.state = 'DRAFT' AND (NEW.content_hash IS NOT NULL OR NEW.revision <> OLD.revision + 1) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A returned batch begins its next revision';
  END IF;
  IF NEW.state = 'EXECUTED' AND EXISTS (
    SELECT FROM core.payouts p WHERE p.program_id = NEW.program_id AND p.batch_id = NEW.id AND p.state <> 'SETTLED') THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A batch is executed when each of its lines is paid by its own evidence';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER batches_hold_their_rules BEFORE UPDATE OR DELETE ON core.batches FOR EACH ROW EXECUTE FUNCTION core.guard_batch();

CREATE FUNCTION core.guard_payout() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  line core.payouts;
  batch_state text;
BEGIN
  line := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
  IF TG_OP = 'UPDATE' AND (NEW.program_id, NEW.id, NEW.batch_id, NEW.line_no, NEW.asset_id, NEW.recipient, NEW.amount, NEW.reference, NEW.payee_name, NEW.affiliate_id, NEW.leg_index)
     IS NOT DISTINCT FROM (OLD.program_id, OLD.id, OLD.batch_id, OLD.line_no, OLD.asset_id, OLD.recipient, OLD.amount, OLD.reference, OLD.payee_name, OLD.affiliate_id, OLD.leg_index) THEN
    IF NEW.state = 'SETTLED' AND NOT EXISTS (
      SELECT FROM core.evidence e JOIN core.safe_transactions t ON t.program_id = e.program_id AND t.id = e.safe_transaction_id
      WHERE e.program_id = NEW.program_id AND e.payout_id = NEW.id AND e.retracted_at IS NULL AND t.state = 'CONFIRMED' AND t.batch_id = NEW.batch_id AND t.leg_index = NEW.leg_index) THEN
      RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A line is paid only by its own evidence';
    END IF;
    IF OLD.state = 'SETTLED' AND NEW.state = 'SENT' AND EXISTS (
      SELECT FROM core.safe_transactions t
      WHERE t.program_id = NEW.program_id AND t.batch_id = NEW.batch_id AND t.leg_index = NEW.leg_index AND t.state = 'CONFIRMED') THEN
      RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A paid line is un-paid only with its leg';
    END IF;
    IF OLD.state = 'SENT' AND NEW.state = 'PROCESSING' AND NOT EXISTS (
      SELECT FROM core.safe_transactions t WHERE t.program_id = NEW.program_id AND t.batch_id = NEW.batch_id AND t.leg_index = NEW.leg_index AND t.state = 'SIGNED') THEN
      RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A line that was sent waits to be sent again only with its leg';
    END IF;
    IF NEW.state IN ('CANCELLED', 'FAILED') AND NEW.state <> OLD.state AND core.is_signed(NEW.program_id, NEW.batch_id, NEW.leg_index) THEN
      RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A signed line is not free before its nonce is used';
    END IF;
    RETURN NEW;
  END IF;
  SELECT b.state INTO batch_state FROM core.batches b WHERE b.program_id = line.program_id AND b.id = line.batch_id FOR SHARE;
  IF batch_state IS DISTINCT FROM 'DRAFT' THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'The lines of a submitted batch are frozen: return it to its preparer';
  END IF;
  RETURN line;
END $$;
CREATE TRIGGER payouts_hold_their_rules BEFORE UPDATE OR DELETE ON core.payouts FOR EACH ROW EXECUTE FUNCTION core.guard_payout();

-- New lines, a whole file at once, belong to drafts.
CREATE FUNCTION core.guard_new_payouts() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (
    SELECT FROM (SELECT DISTINCT n.program_id, n.batch_id FROM new_rows n) n
    LEFT JOIN LATERAL (SELECT b.state FROM core.batches b WHERE b.program_id = n.program_id AND b.id = n.batch_id FOR SHARE) b ON true
    WHERE b.state IS DISTINCT FROM 'DRAFT') THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'The lines of a submitted batch are frozen: return it to its preparer';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER new_payouts_belong_to_drafts AFTER INSERT ON core.payouts REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION core.guard_new_payouts();

-- Sources are part of the content: bound while the batch is a draft, and only ever let go of afterwards.
CREATE FUNCTION core.guard_payout_source() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  line core.payout_sources;
  payout core.payouts;
  batch_state text;
BEGIN
  line := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
  SELECT * INTO payout FROM core.payouts p WHERE p.program_id = line.program_id AND p.id = line.payout_id;
  SELECT b.state INTO batch_state FROM core.batches b WHERE b.program_id = payout.program_id AND b.id = payout.batch_id;
  IF TG_OP = 'UPDATE' AND OLD.live AND NOT NEW.live AND payout.state IN ('CANCELLED', 'FAILED') AND batch_state <> 'DRAFT'
     AND NOT core.is_signed(payout.program_id, payout.batch_id, payout.leg_index)
     AND (NEW.program_id, NEW.payout_id, NEW.source_key, NEW.commission_id) IS NOT DISTINCT FROM (OLD.program_id, OLD.payout_id, OLD.source_key, OLD.commission_id) THEN
    RETURN NEW;
  END IF;
  IF TG_OP = 'UPDATE' OR batch_state IS DISTINCT FROM 'DRAFT' THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'What a line pays is frozen with it';
  END IF;
  RETURN line;
END $$;
CREATE TRIGGER payout_sources_hold_their_rules BEFORE UPDATE OR DELETE ON core.payout_sources FOR EACH ROW EXECUTE FUNCTION core.guard_payout_source();

CREATE FUNCTION core.guard_new_payout_sources() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (
    SELECT FROM new_rows n JOIN core.payouts p ON p.program_id = n.program_id AND p.id = n.payout_id JOIN core.batches b ON b.program_id = p.program_id AND b.id = p.batch_id
    WHERE b.state <> 'DRAFT') THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'What a line pays is frozen with it';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER new_payout_sources_belong_to_drafts AFTER INSERT ON core.payout_sources
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION core.guard_new_payout_sources();

-- Owners whose consent to a leg is stored: those who signed it, and each Safe among the owners for which as many of its own signed as its
-- pinned threshold says.
CREATE FUNCTION core.owners_signed(p_program uuid, p_leg uuid, p_safe_tx_hash bytea) RETURNS bigint LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT count(*) FROM (
    SELECT g.child, CASE WHEN g.child IS NULL THEN g.owner END
    FROM core.signatures g JOIN core.safes s ON s.program_id = g.program_id AND s.id = g.owner_safe_id
    WHERE g.program_id = p_program AND g.safe_transaction_id = p_leg AND g.safe_tx_hash = p_safe_tx_hash
    GROUP BY 1, 2, s.threshold HAVING g.child IS NULL OR count(*) >= s.threshold) consenting
$$;

CREATE FUNCTION core.guard_safe_transaction() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  leg core.safe_transactions;
  batch_state text;
  signed integer;
  threshold integer;
  is_foreign boolean;
BEGIN
  leg := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
  IF TG_OP IN ('INSERT', 'DELETE') THEN
    SELECT b.state INTO batch_state FROM core.batches b WHERE b.program_id = leg.program_id AND b.id = leg.batch_id FOR SHARE;
    IF batch_state IS DISTINCT FROM 'DRAFT' OR leg.nonce IS NOT NULL THEN
      RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'The plan of a submitted batch is frozen';
    END IF;
    RETURN leg;
  END IF;
  IF (NEW.program_id, NEW.id, NEW.batch_id, NEW.leg_index, NEW.safe_id, NEW.to_address, NEW.value, NEW.operation, NEW.safe_tx_gas, NEW.base_gas, NEW.gas_price, NEW.gas_token, NEW.refund_receiver)
     IS DISTINCT FROM (OLD.program_id, OLD.id, OLD.batch_id, OLD.leg_index, OLD.safe_id, OLD.to_address, OLD.value, OLD.operation, OLD.safe_tx_gas, OLD.base_gas, OLD.gas_price, OLD.gas_token, OLD.refund_receiver)
     OR (OLD.nonce IS NOT NULL AND NEW.nonce IS DISTINCT FROM OLD.nonce AND (NEW.nonce IS NOT NULL OR OLD.safe_tx_hash IS NOT NULL))
     OR (OLD.safe_tx_hash IS NOT NULL AND NEW.safe_tx_hash IS DISTINCT FROM OLD.safe_tx_hash) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A Safe transaction keeps its fields, its nonce and its hash';
  END IF;
  is_foreign := EXISTS (SELECT FROM core.foreign_executions x WHERE x.program_id = NEW.program_id AND x.safe_transaction_id = NEW.id AND x.ethereum_tx_hash = NEW.ethereum_tx_hash);
  -- What the chain executed was signed, wherever that was.
  IF NEW.state = 'SIGNED' AND OLD.state <> 'SIGNED' AND NOT is_foreign THEN
    signed := core.owners_signed(NEW.program_id, NEW.id, NEW.safe_tx_hash);
    SELECT s.threshold INTO threshold FROM core.safes s WHERE s.program_id = NEW.program_id AND s.id = NEW.safe_id;
    IF signed < threshold THEN
      RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('This leg has %s of %s signatures', signed, threshold);
    END IF;
  END IF;
  -- What somebody else executed has happened, frozen or not.
  IF NEW.state = 'SUBMITTED' AND OLD.state = 'SIGNED' AND NOT is_foreign THEN
    PERFORM core.refuse_frozen(NEW.program_id, NEW.safe_id, NEW.batch_id);
    PERFORM core.refuse_sanctioned(NEW.program_id, NEW.batch_id, NEW.leg_index);
    PERFORM core.refuse_unapproved(b) FROM core.batches b WHERE b.program_id = NEW.program_id AND b.id = NEW.batch_id;
    IF NOT core.is_broadcast(NEW) THEN
      RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'What is sent is stored first';
    END IF;
  END IF;
  -- Another transaction for the same Safe transaction: one of ours, whichever the chain took or was sent last, or somebody
  -- else's that is in a block. Nothing that is in a block is exchanged for something that is not.
  IF OLD.ethereum_tx_hash IS NOT NULL AND NEW.ethereum_tx_hash IS DISTINCT FROM OLD.ethereum_tx_hash AND NOT (is_foreign AND NEW.state = 'MINED')
     AND NOT (OLD.state = 'SUBMITTED' AND NEW.state IN ('SUBMITTED', 'MINED') AND core.is_broadcast(NEW)) AND NOT (OLD.state = 'MINED' AND NEW.state = 'SIGNED') THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'What is sent again is stored first';
  END IF;
  -- What failed in its block as a whole waits to be sent like the first time: whatever would stop that stops this.
  IF OLD.state = 'MINED' AND NEW.state = 'SIGNED' AND (NEW.ethereum_tx_hash IS NOT NULL OR NOT EXISTS (
    SELECT FROM core.reverted_broadcasts r WHERE r.program_id = OLD.program_id AND r.safe_transaction_id = OLD.id AND r.ethereum_tx_hash = OLD.ethereum_tx_hash)) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A leg in a block waits to be sent again only when its transaction failed there';
  END IF;
  -- Failed and replaced legs free their lines: only once the chain has gone past their nonce.
  IF NEW.state IN ('FAILED', 'REPLACED', 'REJECTED') AND NEW.state <> OLD.state AND NOT EXISTS (
    SELECT FROM core.safes s WHERE s.program_id = NEW.program_id AND s.id = NEW.safe_id AND s.observed_nonce > NEW.nonce) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('Nonce %s is not used as far as the watcher has read this Safe: read the Safe first', NEW.nonce);
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER safe_transactions_hold_their_rules BEFORE INSERT OR UPDATE OR DELETE ON core.safe_transactions FOR EACH ROW EXECUTE FUNCTION core.guard_safe_transaction();

-- A signature is stored only under approved content, while its policy still holds, for the person's own owner key, over the
-- leg's own hash, and with every line of the leg held on the treasury.
CREATE FUNCTION core.guard_signature() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  batch core.batches;
  leg core.safe_transactions;
BEGIN
  SELECT * INTO batch FROM core.batches b WHERE b.program_id = NEW.program_id AND b.id = NEW.batch_id FOR SHARE;
  SELECT * INTO leg FROM core.safe_transactions t WHERE t.program_id = NEW.program_id AND t.id = NEW.safe_transaction_id;
  IF batch.state IS DISTINCT FROM 'APPROVED' OR batch.content_hash IS DISTINCT FROM NEW.content_hash
     OR core.batch_content_hash(batch.program_id, batch.id) IS DISTINCT FROM NEW.content_hash THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'Only the approved content of a batch is signed';
  END IF;
  PERFORM core.refuse_frozen(batch.program_id, batch.safe_id, batch.id);
  PERFORM core.refuse_sanctioned(batch.program_id, batch.id, leg.leg_index);
  PERFORM core.refuse_unpayable(batch.program_id, batch.id, leg.leg_index);
  PERFORM core.refuse_unapproved(batch);
  IF leg.nonce IS NULL OR leg.safe_tx_hash IS DISTINCT FROM NEW.safe_tx_hash THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A signature is over the hash of its leg, at its nonce';
  END IF;
  IF NOT EXISTS (SELECT FROM core.staff s WHERE s.id = NEW.staff_id AND s.safe_owner = NEW.owner AND s.revoked_at IS NULL) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A person signs with the owner key that is registered as theirs';
  END IF;
  IF (SELECT count(DISTINCT s.chain_id) FROM core.safes s WHERE s.program_id = NEW.program_id AND s.id IN (NEW.safe_id, NEW.owner_safe_id)) <> 1 THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A Safe consents to what a Safe of its own chain pays';
  END IF;
  IF EXISTS (
    SELECT FROM core.payouts p WHERE p.program_id = leg.program_id AND p.batch_id = leg.batch_id AND p.leg_index = leg.leg_index
      AND NOT EXISTS (SELECT FROM core.live_holds(p.program_id, ARRAY[p.id]))) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'Every line of this leg must be held on the treasury before it is signed';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER signatures_hold_their_rules BEFORE INSERT ON core.signatures FOR EACH ROW EXECUTE FUNCTION core.guard_signature();

-- A freeze waits for nobody, so what began before it is asked again when it ends: whatever was submitted, approved, signed, handed over
-- or sent meanwhile is undone. As its owner, for deferred triggers run as the session's login. A session that has this asked too
-- early is ended instead (api.end_stalling).
CREATE FUNCTION core.guard_frozen_meanwhile() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  own_id uuid := to_jsonb(NEW) ->> 'id';
  batch uuid := coalesce(to_jsonb(NEW) ->> 'batch_id', own_id::text);
BEGIN
  -- What somebody else executed has happened, frozen or not.
  IF EXISTS (SELECT FROM core.foreign_executions x WHERE x.program_id = NEW.program_id AND x.safe_transaction_id = own_id) THEN
    RETURN NULL;
  END IF;
  PERFORM core.refuse_frozen(b.program_id, b.safe_id, b.id) FROM core.batches b WHERE b.program_id = NEW.program_id AND b.id = batch;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER not_frozen_meanwhile AFTER UPDATE OF state ON core.batches DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (NEW.state IN ('PENDING_APPROVAL', 'APPROVED', 'EXECUTING') AND OLD.state IN ('DRAFT', 'PENDING_APPROVAL', 'APPROVED') AND NEW.state <> OLD.state) EXECUTE FUNCTION core.guard_frozen_meanwhile();
CREATE CONSTRAINT TRIGGER not_frozen_meanwhile AFTER INSERT ON core.approvals DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION core.guard_frozen_meanwhile();
CREATE CONSTRAINT TRIGGER not_frozen_meanwhile AFTER INSERT ON core.signatures DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION core.guard_frozen_meanwhile();
CREATE CONSTRAINT TRIGGER not_frozen_meanwhile AFTER UPDATE OF state ON core.safe_transactions DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (NEW.state = 'SUBMITTED' AND OLD.state = 'SIGNED') EXECUTE FUNCTION core.guard_frozen_meanwhile();

-- Nobody approves what must not be paid.
CREATE FUNCTION core.guard_approval() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM core.refuse_sanctioned(NEW.program_id, NEW.batch_id, NULL);
  PERFORM core.refuse_unpayable(NEW.program_id, NEW.batch_id, NULL);
  RETURN NEW;
END $$;
CREATE TRIGGER approvals_hold_their_rules BEFORE INSERT ON core.approvals FOR EACH ROW EXECUTE FUNCTION core.guard_approval();

-- Holds follow the chain: voided only when nothing signed can pay the line any more, posted only when it is paid.
CREATE FUNCTION core.guard_payout_transfer() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  payout core.payouts;
BEGIN
  SELECT * INTO payout FROM core.payouts p WHERE p.program_id = NEW.program_id AND p.id = NEW.cause_id;
  IF NEW.phase = 'VOID' AND core.is_signed(payout.program_id, payout.batch_id, payout.leg_index) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'The hold of a signed line is not released before its nonce is used';
  END IF;
  IF NEW.reason IN ('payout_reversal', 'payout_hold_reversal') AND (payout.state IN ('SENT', 'UNKNOWN')) IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'Money comes back to the treasury in the ledger when the chain has taken the payment of the line away';
  END IF;
  IF NEW.reason IN ('payout', 'payout_hold') AND NEW.phase <> 'VOID' AND payout.state IS DISTINCT FROM 'SETTLED' THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'Money leaves the treasury in the ledger when the chain has paid the line';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER payout_transfers_follow_the_chain BEFORE INSERT ON core.transfers FOR EACH ROW
  WHEN (NEW.reason IN ('payout', 'payout_hold', 'payout_reversal', 'payout_hold_reversal') AND NEW.phase <> 'PENDING') EXECUTE FUNCTION core.guard_payout_transfer();

-- A commission is payable from a confirmed settlement, paid with its line, and free again only with its line.
CREATE FUNCTION core.guard_commission() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  line_state text;
  line_is_signed boolean;
BEGIN
  IF OLD.state = 'ACCRUED' AND NEW.state = 'PAYABLE' THEN
    IF NOT EXISTS (SELECT FROM core.settlements s WHERE s.program_id = NEW.program_id AND s.id = NEW.settlement_id
                     AND CASE WHEN NEW.kind = 'CLAW_BACK' THEN s.state IN ('REVERSED', 'FAILED') ELSE s.state = 'CONFIRMED' END) THEN
      RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A commission is payable only from a confirmed settlement';
    END IF;
    RETURN NEW;
  END IF;
  IF NEW.state = 'CLAWED_BACK' AND (NEW.kind = 'CLAW_BACK' OR NOT EXISTS (
    SELECT FROM core.settlements s WHERE s.program_id = NEW.program_id AND s.id = NEW.settlement_id AND s.state IN ('REVERSED', 'FAILED'))) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A commission is clawed back only when its settlement is taken back';
  END IF;
  SELECT p.state, core.is_signed(p.program_id, p.batch_id, p.leg_index) INTO line_state, line_is_signed
  FROM core.payout_sources ps JOIN core.payouts p ON p.program_id = ps.program_id AND p.id = ps.payout_id
  WHERE ps.program_id = NEW.program_id AND ps.source_key = 'commission:' || NEW.id AND ps.live;
  IF (NEW.state = 'PAID' AND line_state IS DISTINCT FROM 'SETTLED')
     OR (NEW.state IN ('PAYABLE', 'CLAWED_BACK') AND (line_is_signed IS TRUE OR line_state = 'SETTLED'))
     OR (OLD.state = 'PAID' AND line_state = 'SETTLED')
     OR (NEW.state = 'PENDING_APPROVAL' AND line_state IS NULL) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('A commission follows its line: it cannot become %s while the line is %s', NEW.state, coalesce(line_state, 'missing'));
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER commissions_follow_their_lines BEFORE UPDATE OF state ON core.commissions FOR EACH ROW
  WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION core.guard_commission();

-- Evidence belongs to the confirmed leg that pays the line, in that leg's own transaction and block.
CREATE FUNCTION core.guard_evidence() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (
    SELECT FROM core.payouts p
    JOIN core.safe_transactions t ON t.program_id = p.program_id AND t.batch_id = p.batch_id AND t.leg_index = p.leg_index
    JOIN core.safes s ON s.program_id = t.program_id AND s.id = t.safe_id
    WHERE p.program_id = NEW.program_id AND p.id = NEW.payout_id AND t.id = NEW.safe_transaction_id AND t.state = 'CONFIRMED'
      AND (t.ethereum_tx_hash, t.block_number, t.block_hash, s.chain_id) = (NEW.ethereum_tx_hash, NEW.block_number, NEW.block_hash, NEW.chain_id)) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'Evidence is from the confirmed transaction of the leg that pays the line';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER evidence_is_of_its_leg BEFORE INSERT ON core.evidence FOR EACH ROW EXECUTE FUNCTION core.guard_evidence();

-- What proves a line that is paid stays.
CREATE FUNCTION core.guard_retraction() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM core.payouts p WHERE p.program_id = NEW.program_id AND p.id = NEW.payout_id AND p.state IN ('SETTLED', 'RETURNED')) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'Evidence is retracted when its line is un-paid, not before';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER evidence_is_retracted_with_its_line BEFORE UPDATE OF retracted_at ON core.evidence FOR EACH ROW EXECUTE FUNCTION core.guard_retraction();
