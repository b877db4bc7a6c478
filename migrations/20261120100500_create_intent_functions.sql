-- Intents: written by platforms, claimed in sets with a lease and a fencing token, settled in sets.

-- Checks the shape of one payload and answers its business key.
CREATE FUNCTION core.intent_key(p_program uuid, p_kind text, p_payload jsonb) RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  field_name text;
BEGIN
  IF jsonb_typeof(p_payload) IS DISTINCT FROM 'object' OR octet_length(p_payload::text) > 8192 THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'The payload of an intent is a JSON object of at most 8,192 bytes';
  END IF;
  FOREACH field_name IN ARRAY CASE p_kind
    WHEN 'REGISTER' THEN ARRAY['wallet', 'at']
    WHEN 'COMMERCE' THEN ARRAY['charge', 'wallet', 'chain_id', 'amount', 'at', 'rail']
    WHEN 'CLAIM' THEN ARRAY['claim', 'wallet', 'chain_id', 'amount', 'at', 'rail'] END LOOP
    IF p_payload ->> field_name IS NULL THEN
      RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('The payload of a %s intent lacks %L', p_kind, field_name);
    END IF;
  END LOOP;
  -- PostgreSQL also reads now, tomorrow and infinity as times: what is stored must mean the same for ever.
  IF p_payload ->> 'at' !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})$' THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('%L is not a time: RFC 3339 is expected', p_payload ->> 'at');
  END IF;
  PERFORM core.parse_address(p_payload ->> 'wallet'), (p_payload ->> 'at')::timestamptz;
  IF p_kind <> 'REGISTER' THEN
    IF p_payload ->> 'chain_id' !~ '^[1-9][0-9]{0,17}$' THEN
      RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('%L is not a chain id', p_payload ->> 'chain_id');
    END IF;
    IF length(coalesce(p_payload ->> 'charge', p_payload ->> 'claim')) NOT BETWEEN 1 AND 200 OR length(p_payload ->> 'rail') NOT BETWEEN 1 AND 40 THEN
      RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'A charge or claim has 1 to 200 characters and a rail 1 to 40';
    END IF;
    -- Far below what an account holds (10^38): no single sale fills one.
    IF core.parse_amount(p_payload ->> 'amount') NOT BETWEEN 1 AND 10::numeric ^ 30 THEN
      RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'The amount of an intent is above zero and at most 10^30 base units';
    END IF;
    IF p_payload ->> 'token' IS NOT NULL THEN
      PERFORM core.parse_address(p_payload ->> 'token');
    END IF;
    IF p_payload ->> 'tx_hash' IS NOT NULL AND p_payload ->> 'tx_hash' !~ '^0x[0-9a-f]{64}$' THEN
      RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'tx_hash is 0x and 64 lower-case hex digits';
    END IF;
  END IF;
  RETURN CASE p_kind
    WHEN 'REGISTER' THEN format('REGISTER:%s:%s', p_program, lower(p_payload ->> 'wallet'))
    WHEN 'COMMERCE' THEN format('COMMERCE:%s:%s', p_program, p_payload ->> 'charge')
    WHEN 'CLAIM' THEN format('CLAIM:%s:%s:%s', p_program, lower(p_payload ->> 'wallet'), p_payload ->> 'claim') END;
EXCEPTION WHEN invalid_datetime_format OR datetime_field_overflow THEN
  RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('%L is not a time: RFC 3339 is expected', p_payload ->> 'at');
END $$;

-- One payload of a list as it was sent.
CREATE TYPE core.given_intent AS (item integer, id uuid, key text, fingerprint bytea, payload jsonb);

-- Writes intents of one kind, as an array of payloads. CREATED is new, REPEATED is the same key with the same body (no second
-- effect), CONFLICT is the same key with another body (nothing written). Each answers what became of the intent that holds
-- the key: its state, its error, and the settlement or user that it made.
CREATE FUNCTION api.submit_intents(p_kind text, p_payloads jsonb)
RETURNS TABLE (item integer, id uuid, idempotency_key text, outcome text, state text, error text, settlement_id uuid, user_id uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  platform core.machines := core.require_machine('platform');
  program core.programs;
  given core.given_intent[];
BEGIN
  IF p_kind IS NULL OR p_kind NOT IN ('REGISTER', 'COMMERCE', 'CLAIM') THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('A platform writes REGISTER, COMMERCE and CLAIM intents, not %L', p_kind);
  END IF;
  IF jsonb_typeof(p_payloads) IS DISTINCT FROM 'array' OR jsonb_array_length(p_payloads) > 10000 THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'Intents are sent as a list of at most 10,000 payloads';
  END IF;
  SELECT * INTO program FROM core.programs p WHERE p.id = platform.program_id FOR KEY SHARE;
  IF program.status <> 'ACTIVE' THEN
    RAISE EXCEPTION USING ERRCODE = 'CS423', MESSAGE = format('The program %s is %s and accepts no new intents', program.slug, program.status);
  END IF;
  PERFORM core.refuse_frozen(program.id, NULL, NULL);
  SELECT array_agg(ROW(x.ordinality - 1, core.uuid_v7(), core.intent_key(program.id, p_kind, x.payload), sha256(convert_to(p_kind || x.payload::text, 'UTF8')), x.payload)::core.given_intent
                   ORDER BY x.ordinality)
  INTO given FROM jsonb_array_elements(p_payloads) WITH ORDINALITY AS x(payload, ordinality);
  -- In the order of their keys: two lists with the same keys wait for each other in a line, not in a circle.
  INSERT INTO core.intents (program_id, id, kind, idempotency_key, fingerprint, payload)
  SELECT program.id, g.id, p_kind, g.key, g.fingerprint, g.payload FROM (SELECT DISTINCT ON (u.key) u.* FROM unnest(given) u ORDER BY u.key, u.item) g
  ON CONFLICT (program_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING;
  -- A statement of its own, so that it sees what another list wrote under the same key a moment ago.
  RETURN QUERY
  SELECT g.item, i.id, g.key, CASE WHEN i.id = g.id THEN 'CREATED' WHEN i.fingerprint = g.fingerprint THEN 'REPEATED' ELSE 'CONFLICT' END,
         i.state, i.error, s.id, coalesce(s.user_id, u.id)
  FROM unnest(given) g
  JOIN LATERAL (SELECT * FROM core.intents x WHERE x.program_id = program.id AND x.idempotency_key = g.key OFFSET 0) i ON true
  LEFT JOIN LATERAL (SELECT x.id, x.user_id FROM core.settlements x WHERE x.program_id = program.id AND x.intent_id = i.id AND i.state = 'COMPLETED' OFFSET 0) s ON true
  LEFT JOIN LATERAL (SELECT x.id FROM core.users x WHERE x.program_id = program.id AND p_kind = 'REGISTER' AND i.state = 'COMPLETED'
    AND x.wallet = core.parse_address(g.payload ->> 'wallet') OFFSET 0) u ON true
  ORDER BY g.item;
END $$;

-- A settlement without a transaction of its own is confirmed by its platform.
CREATE FUNCTION api.confirm_settlements(p_intents uuid[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  platform core.machines := core.require_machine('platform');
  confirmed integer;
BEGIN
  -- As maturing does: a paused program pays what is owed, a closed or frozen one does nothing.
  IF NOT core.settles_now(platform.program_id) THEN
    PERFORM core.refuse_frozen(platform.program_id, NULL, NULL);
    RAISE EXCEPTION USING ERRCODE = 'CS423', MESSAGE = 'The program is closed: nothing is confirmed any more';
  END IF;
  UPDATE core.settlements s SET state = 'PROCESSING'
  WHERE s.program_id = platform.program_id AND s.intent_id = ANY (p_intents) AND s.tx_hash IS NULL AND s.state = 'PENDING';
  UPDATE core.settlements s SET state = 'CONFIRMED', confirmed_at = clock_timestamp()
  WHERE s.program_id = platform.program_id AND s.intent_id = ANY (p_intents) AND s.tx_hash IS NULL AND s.state = 'PROCESSING';
  GET DIAGNOSTICS confirmed = ROW_COUNT;
  RETURN confirmed;
END $$;

-- Claiming ------------------------------------------------------------------------------------------------------------
-- Everything below works in sets and by index, whatever the tables hold and whether or not they were ever analysed. A plan that
-- a session makes while a table is empty may read all of it when it is large, so: what looks things up is planned for each set
-- (force_custom_plan; it has no triggers below it, which would be planned for each row too), what writes joins nothing, and
-- neither reads a whole table (enable_seqscan; what it costs to avoid one must not start the compiler: jit). docs/benchmarks.md has what that is worth.

-- The wait before the next attempt after p_attempts of them: at once, 1 min, 5 min, 20 min, 1 h, 6 h; then NULL, and no more.
CREATE FUNCTION core.retry_wait(p_attempts integer) RETURNS interval LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT (ARRAY[interval '0', '1 min', '5 min', '20 min', '1 h', '6 h'])[greatest(p_attempts, 1)] $$;

-- Whether intents of this program are taken up and settled now: a paused one still pays what is owed, a closed or frozen one
-- does nothing.
CREATE FUNCTION core.settles_now(p_program uuid) RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT EXISTS (SELECT FROM core.programs p WHERE p.id = p_program AND p.status <> 'CLOSED')
     AND NOT EXISTS (SELECT FROM core.freezes f WHERE f.program_id = p_program AND f.noun_id = p_program AND f.lifted_at IS NULL)
$$;

-- Leases that ended: whoever held these died or stalls, and its token is worth nothing any more. Answers how many intents.
CREATE FUNCTION core.reap_leases() RETURNS integer LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan SET jit = off SET enable_seqscan = off AS $$
DECLARE
  reaped integer;
BEGIN
  -- Rows that another worker holds are left to it: nobody waits, and no two workers wait for each other.
  WITH ended AS (
    SELECT i.program_id, i.id FROM core.intents i WHERE i.state = 'LOCKED' AND i.lease_expires_at < clock_timestamp()
    ORDER BY i.lease_expires_at LIMIT 10000 FOR NO KEY UPDATE SKIP LOCKED)
  UPDATE core.intents i SET state = CASE WHEN core.retry_wait(i.attempts) IS NULL THEN 'FAILED' ELSE 'PENDING' END,
    lease_expires_at = NULL, fencing_token = NULL, next_attempt_at = clock_timestamp(), error_class = 'INTERRUPTED',
    error = format('%s workers claimed this one after the other and none came back in time', i.attempts), changed_xid = pg_current_xact_id()
  FROM ended e WHERE i.program_id = e.program_id AND i.id = e.id;
  GET DIAGNOSTICS reaped = ROW_COUNT;
  IF reaped > 0 THEN
    UPDATE core.intents i SET state = 'DEAD' WHERE i.state = 'FAILED' AND i.error_class = 'INTERRUPTED' AND core.retry_wait(i.attempts) IS NULL;
  END IF;
  RETURN reaped;
END $$;

CREATE FUNCTION api.reap_leases() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM core.require_machine('worker');
  RETURN core.reap_leases();
END $$;

-- Failed intents whose time has come wait to be claimed again. Answers how many.
CREATE FUNCTION core.retry_intents() RETURNS integer LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan SET jit = off SET enable_seqscan = off AS $$
DECLARE
  retried integer;
BEGIN
  WITH due AS (
    SELECT i.program_id, i.id FROM core.intents i WHERE i.state = 'FAILED' AND i.next_attempt_at <= clock_timestamp()
    ORDER BY i.next_attempt_at LIMIT 10000 FOR NO KEY UPDATE SKIP LOCKED)
  UPDATE core.intents i SET state = 'PENDING' FROM due d WHERE i.program_id = d.program_id AND i.id = d.id;
  GET DIAGNOSTICS retried = ROW_COUNT;
  RETURN retried;
END $$;

CREATE FUNCTION api.retry_intents() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM core.require_machine('worker');
  RETURN core.retry_intents();
END $$;

-- Claims up to p_max intents for p_lease; 0 when there are none. The token fences off whoever held them before. Programs take
-- turns by lot, so that none waits behind the backlog of another.
CREATE FUNCTION api.claim_intents(p_max integer, p_lease interval) RETURNS TABLE (token bigint, claimed integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan SET jit = off SET enable_seqscan = off AS $$
DECLARE
  program uuid;
  taken integer;
BEGIN
  PERFORM core.require_machine('worker');
  IF (p_max BETWEEN 1 AND 10000 AND p_lease BETWEEN interval '1 second' AND interval '1 hour') IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'A worker claims 1 to 10,000 intents for one second to one hour';
  END IF;
  token := nextval('core.fencing_tokens');
  claimed := 0;
  PERFORM core.reap_leases(), core.retry_intents();
  FOR program IN SELECT p.id FROM core.programs p WHERE core.settles_now(p.id) ORDER BY random() LOOP
    WITH next AS (
      SELECT i.id FROM core.intents i
      WHERE i.program_id = program AND i.state = 'PENDING' AND i.kind <> 'PAYOUT' AND i.next_attempt_at <= clock_timestamp()
      ORDER BY i.next_attempt_at, i.id LIMIT p_max - claimed FOR NO KEY UPDATE SKIP LOCKED)
    UPDATE core.intents i SET state = 'LOCKED', attempts = i.attempts + 1, lease_expires_at = clock_timestamp() + p_lease, fencing_token = token,
      changed_xid = pg_current_xact_id()
    FROM next WHERE i.program_id = program AND i.id = next.id;
    GET DIAGNOSTICS taken = ROW_COUNT;
    claimed := claimed + taken;
    EXIT WHEN claimed >= p_max;
  END LOOP;
  RETURN NEXT;
END $$;

-- Settling ------------------------------------------------------------------------------------------------------------
-- One intent of a set with all that its effects need, read and looked up once; the statements after that join nothing.
CREATE TYPE core.intent_case AS (
  id uuid, kind text, wallet bytea, referral_code text, chain_id bigint, token bytea, amount numeric, rail text, tx_hash bytea, label text, occurred_at timestamptz, written_at timestamptz,
  obstacle text, user_id uuid, asset_id uuid, settlement_id uuid);

-- One share of a settlement, with what its row and its transfer need.
CREATE TYPE core.commission_share AS (
  id uuid, settlement_id uuid, kind text, affiliate_id uuid, rule_id uuid, rate numeric, asset_id uuid, amount numeric, payable_from timestamptz,
  label text, occurred_at timestamptz);

-- One transfer of a set.
CREATE TYPE core.posting AS (debit_account uuid, credit_account uuid, asset_id uuid, amount numeric, reason text, cause_id uuid, narration text, occurred_at timestamptz);

-- What keeps a user from being tied to an affiliate: there is none with this code, or the wallet belongs to it or to one above
-- it, who would be paid for their own sales.
CREATE FUNCTION core.referral_obstacle(p_program uuid, p_code text, p_wallet bytea) RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  WITH RECURSIVE above AS (
    SELECT a.wallet, a.parent_id FROM core.affiliates a WHERE a.program_id = p_program AND a.referral_code = p_code
    UNION ALL
    SELECT a.wallet, a.parent_id FROM above b JOIN core.affiliates a ON a.program_id = p_program AND a.id = b.parent_id)
  SELECT CASE WHEN p_code IS NULL THEN NULL WHEN count(*) = 0 THEN 'UNKNOWN_REFERRAL' WHEN bool_or(wallet = p_wallet) THEN 'SELF_REFERRAL' END FROM above
$$;

-- The sentence for an obstacle.
CREATE FUNCTION core.obstacle_text(p_class text, p_payload jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE p_class
    WHEN 'UNKNOWN_REFERRAL' THEN format('No affiliate has the referral code %s', p_payload ->> 'referral_code')
    WHEN 'SELF_REFERRAL' THEN format('The wallet %s belongs to the affiliate %s or to one above it: an affiliate cannot refer itself', p_payload ->> 'wallet', p_payload ->> 'referral_code')
    WHEN 'UNKNOWN_USER' THEN format('The user %s is not registered', p_payload ->> 'wallet')
    WHEN 'UNKNOWN_ASSET' THEN format('The program has no asset %s on chain %s', coalesce(p_payload ->> 'token', 'native'), p_payload ->> 'chain_id')
    WHEN 'NO_RULE' THEN format('No commission rule was in force at %s', p_payload ->> 'at') END
$$;

-- What this token still holds among p_ids, locked, with its payload as typed values.
CREATE FUNCTION core.held_cases(p_program uuid, p_token bigint, p_ids uuid[]) RETURNS core.intent_case[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan SET enable_seqscan = off AS $$
DECLARE
  held core.intent_case[];
BEGIN
  SELECT array_agg(ROW(h.id, h.kind, decode(substr(h.payload ->> 'wallet', 3), 'hex'), h.payload ->> 'referral_code', (h.payload ->> 'chain_id')::bigint,
           decode(substr(h.payload ->> 'token', 3), 'hex'), (h.payload ->> 'amount')::numeric, h.payload ->> 'rail', decode(substr(h.payload ->> 'tx_hash', 3), 'hex'),
           coalesce(h.payload ->> 'charge', h.payload ->> 'claim'), (h.payload ->> 'at')::timestamptz, h.created_at,
           NULL, NULL, NULL, NULL)::core.intent_case)
  INTO held
  FROM (
    SELECT i.id, i.kind, i.payload, i.created_at FROM core.intents i
    WHERE i.program_id = p_program AND i.id = ANY (p_ids) AND i.state = 'LOCKED' AND i.fencing_token = p_token AND i.lease_expires_at > clock_timestamp()
    ORDER BY i.id FOR NO KEY UPDATE) h;
  RETURN held;
END $$;

-- The same with user and asset looked up, and what stands in the way.
CREATE FUNCTION core.looked_up(p_program uuid, p_cases core.intent_case[]) RETURNS core.intent_case[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan SET enable_seqscan = off AS $$
DECLARE
  found core.intent_case[];
BEGIN
  SELECT array_agg(ROW(c.id, c.kind, c.wallet, c.referral_code, c.chain_id, c.token, c.amount, c.rail, c.tx_hash, c.label, c.occurred_at, c.written_at,
           CASE
             WHEN c.kind = 'REGISTER' THEN core.referral_obstacle(p_program, c.referral_code, c.wallet)
             WHEN u.id IS NULL THEN 'UNKNOWN_USER'
             WHEN a.id IS NULL THEN 'UNKNOWN_ASSET'
             WHEN c.kind = 'COMMERCE' AND NOT EXISTS (SELECT FROM core.commission_rules r WHERE r.program_id = p_program AND r.effective_from <= c.occurred_at) THEN 'NO_RULE' END,
           u.id, a.id, CASE WHEN c.kind <> 'REGISTER' THEN core.uuid_v7() END)::core.intent_case)
  INTO found
  FROM unnest(p_cases) c
  LEFT JOIN LATERAL (SELECT x.id FROM core.users x WHERE x.program_id = p_program AND x.wallet = c.wallet OFFSET 0) u ON true
  LEFT JOIN LATERAL (SELECT x.id FROM core.assets x WHERE x.program_id = p_program AND x.chain_id = c.chain_id
    AND (x.token = c.token OR (x.token IS NULL AND c.token IS NULL)) OFFSET 0) a ON true;
  RETURN found;
END $$;

-- The shares of settled sales. The rule in force when the sale happened; a tier's rate replaces the base rate; each part rounds
-- half to even at the asset's base unit, an override takes at most what the direct share left, and the program keeps the rest. A
-- holding period is time in which a sale can be looked at: it begins with the sale, but not before the sale was written here.
CREATE FUNCTION core.commission_shares(p_program uuid, p_cases core.intent_case[]) RETURNS core.commission_share[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan SET enable_seqscan = off AS $$
DECLARE
  shares core.commission_share[];
BEGIN
  SELECT array_agg(ROW(core.uuid_v7(), s.settlement_id, c.kind, c.affiliate_id, r.id, c.rate, s.asset_id, c.amount,
           CASE WHEN r.holding_days = 0 THEN s.occurred_at ELSE greatest(s.occurred_at, s.written_at) + make_interval(hours => 24 * r.holding_days) END, s.label, s.occurred_at)::core.commission_share)
  INTO shares
  FROM unnest(p_cases) s
  JOIN core.users u ON u.program_id = p_program AND u.id = s.user_id
  JOIN core.affiliates f ON f.program_id = p_program AND f.id = u.affiliate_id
  CROSS JOIN LATERAL (SELECT * FROM core.commission_rules r WHERE r.program_id = p_program AND r.effective_from <= s.occurred_at
                      ORDER BY r.effective_from DESC, r.version DESC LIMIT 1) r
  CROSS JOIN LATERAL (SELECT * FROM core.affiliate_terms x WHERE x.program_id = p_program AND x.affiliate_id = f.id AND x.effective_from <= s.occurred_at
                      ORDER BY x.effective_from DESC, x.version DESC LIMIT 1) own
  LEFT JOIN LATERAL (SELECT * FROM core.affiliate_terms x WHERE x.program_id = p_program AND x.affiliate_id = f.parent_id AND x.effective_from <= s.occurred_at
                     ORDER BY x.effective_from DESC, x.version DESC LIMIT 1) parents ON true
  LEFT JOIN core.commission_rule_tiers t ON t.program_id = p_program AND t.rule_id = r.id AND t.tier = own.tier
  LEFT JOIN core.commission_rule_assets m ON m.program_id = p_program AND m.rule_id = r.id AND m.asset_id = s.asset_id
  CROSS JOIN LATERAL core.commissions_of(s.amount, s.occurred_at, u.registered_at, coalesce(t.rate, r.base_rate), r.override_rate, r.earning_days,
    m.minimum_settlement, f.id, own.active, f.parent_id, parents.active) c
  WHERE s.kind = 'COMMERCE' AND s.obstacle IS NULL;
  RETURN shares;
END $$;

-- An account that a set moves: its id, or NULL while it is not open.
CREATE TYPE core.used_account AS (kind text, affiliate_id uuid, asset_id uuid, code text, id uuid);

-- The accounts that a set moves, in the one order in which every set opens what is missing: two sets that open the same ones
-- wait for each other in a line, not in a circle.
CREATE FUNCTION core.used_accounts(p_program uuid, p_cases core.intent_case[], p_shares core.commission_share[]) RETURNS core.used_account[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan SET enable_seqscan = off AS $$
DECLARE
  used core.used_account[];
  codes text[];
BEGIN
  SELECT array_agg(ROW(u.kind, u.affiliate_id, u.asset_id, u.code, NULL)::core.used_account), array_agg(u.code) INTO used, codes FROM (
    SELECT DISTINCT k.kind, NULL::uuid AS affiliate_id, c.asset_id, core.program_account_code(p_program, k.kind) AS code
    FROM unnest(p_cases) c, (VALUES ('settlements'), ('revenue')) AS k(kind) WHERE c.obstacle IS NULL AND c.kind <> 'REGISTER'
    UNION
    SELECT DISTINCT 'expense', NULL::uuid, s.asset_id, core.program_account_code(p_program, 'expense') FROM unnest(p_shares) s
    UNION
    SELECT DISTINCT 'liability', s.affiliate_id, s.asset_id, 'affiliate:' || s.affiliate_id || ':liability' FROM unnest(p_shares) s) u;
  -- One pass over an index for all of them: a look-up for each could take another index while there are few accounts.
  SELECT array_agg(ROW(u.kind, u.affiliate_id, u.asset_id, u.code, a.id)::core.used_account ORDER BY u.code, u.asset_id) INTO used
  FROM unnest(used) u
  LEFT JOIN (SELECT x.id, x.code, x.asset_id FROM core.accounts x WHERE x.program_id = p_program AND x.code = ANY (codes) OFFSET 0) a
    ON a.code = u.code AND a.asset_id = u.asset_id;
  RETURN used;
END $$;

CREATE FUNCTION core.open_accounts(p_program uuid, p_used core.used_account[]) RETURNS core.used_account[] LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  FOR n IN 1 .. coalesce(cardinality(p_used), 0) LOOP
    IF p_used[n].id IS NULL THEN
      p_used[n].id := CASE WHEN p_used[n].affiliate_id IS NULL THEN core.program_account(p_program, p_used[n].kind, p_used[n].asset_id)
        ELSE core.affiliate_account(p_program, p_used[n].affiliate_id, p_used[n].asset_id) END;
    END IF;
  END LOOP;
  RETURN p_used;
END $$;

-- The transfers of a set: each settlement from settlements to revenue, each share from expense to what the affiliate is owed.
CREATE FUNCTION core.postings(p_cases core.intent_case[], p_shares core.commission_share[], p_used core.used_account[]) RETURNS core.posting[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  postings core.posting[];
BEGIN
  SELECT array_agg(ROW(t.debit, t.credit, t.asset_id, t.amount, t.reason, t.cause_id, t.narration, t.occurred_at)::core.posting) INTO postings FROM (
    SELECT d.id AS debit, r.id AS credit, c.asset_id, c.amount, 'settlement' AS reason, c.settlement_id AS cause_id, c.kind || ' ' || c.label AS narration, c.occurred_at
    FROM unnest(p_cases) c
    JOIN unnest(p_used) d ON d.kind = 'settlements' AND d.asset_id = c.asset_id
    JOIN unnest(p_used) r ON r.kind = 'revenue' AND r.asset_id = c.asset_id
    WHERE c.obstacle IS NULL AND c.kind <> 'REGISTER'
    UNION ALL
    SELECT d.id, l.id, s.asset_id, s.amount, 'accrual', s.id, s.kind || ' commission of ' || s.label, s.occurred_at
    FROM unnest(p_shares) s
    JOIN unnest(p_used) d ON d.kind = 'expense' AND d.asset_id = s.asset_id
    JOIN unnest(p_used) l ON l.affiliate_id = s.affiliate_id AND l.asset_id = s.asset_id) t;
  RETURN postings;
END $$;

-- Effects and completion of what the token holds among p_ids; what has an obstacle becomes FAILED with its class.
CREATE FUNCTION core.settle_set(p_program uuid, p_token bigint, p_ids uuid[], OUT completed integer, OUT failed integer)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
  cases core.intent_case[] := core.held_cases(p_program, p_token, p_ids);
  shares core.commission_share[];
  transfers core.posting[];
BEGIN
  INSERT INTO core.users (program_id, wallet, affiliate_id, registered_at)
  SELECT p_program, c.wallet, (SELECT a.id FROM core.affiliates a WHERE a.program_id = p_program AND a.referral_code = c.referral_code), c.occurred_at
  FROM unnest(cases) c
  WHERE c.kind = 'REGISTER' AND core.referral_obstacle(p_program, c.referral_code, c.wallet) IS NULL
  ORDER BY c.wallet
  ON CONFLICT (program_id, wallet) WHERE wallet IS NOT NULL DO NOTHING;

  cases := core.looked_up(p_program, cases);
  SELECT count(core.fail_intent(p_program, p_token, c.id, c.obstacle, NULL)) INTO failed FROM unnest(cases) c WHERE c.obstacle IS NOT NULL;

  shares := core.commission_shares(p_program, cases);
  PERFORM core.settle(p_program, cases, shares);

  UPDATE core.intents i SET state = 'COMPLETED', completed_at = clock_timestamp(), lease_expires_at = NULL, error_class = NULL, error = NULL, changed_xid = pg_current_xact_id()
  WHERE i.program_id = p_program AND i.id = ANY (ARRAY(SELECT c.id FROM unnest(cases) c WHERE c.obstacle IS NULL)) AND i.fencing_token = p_token;
  GET DIAGNOSTICS completed = ROW_COUNT;
  IF completed + failed <> coalesce(cardinality(cases), 0) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'Another token holds a part of this set: nothing was settled';
  END IF;

  transfers := core.postings(cases, shares, core.open_accounts(p_program, core.used_accounts(p_program, cases, shares)));
  -- In one statement and last of all: from here to the commit the accounts are locked against other sets.
  INSERT INTO core.transfers (program_id, debit_account, credit_account, asset_id, amount, reason, cause_id, narration, occurred_at)
  SELECT p_program, t.debit_account, t.credit_account, t.asset_id, t.amount, t.reason, t.cause_id, t.narration, t.occurred_at
  FROM unnest(transfers) t;
END $$;

-- Settlements and commissions.
CREATE FUNCTION core.settle(p_program uuid, p_cases core.intent_case[], p_shares core.commission_share[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
  INSERT INTO core.settlements (program_id, id, intent_id, user_id, asset_id, amount, rail, tx_hash, occurred_at)
  SELECT p_program, c.settlement_id, c.id, c.user_id, c.asset_id, c.amount, c.rail, c.tx_hash, c.occurred_at
  FROM unnest(p_cases) c WHERE c.obstacle IS NULL AND c.kind <> 'REGISTER';

  INSERT INTO core.commissions (program_id, id, settlement_id, kind, affiliate_id, rule_id, rate, asset_id, amount, payable_from)
  SELECT p_program, s.id, s.settlement_id, s.kind, s.affiliate_id, s.rule_id, s.rate, s.asset_id, s.amount, s.payable_from FROM unnest(p_shares) s;
END $$;

-- One intent fails: it is tried again after its wait if its class allows, else it is DEAD with its reason.
CREATE FUNCTION core.fail_intent(p_program uuid, p_token bigint, p_id uuid, p_class text, p_error text) RETURNS uuid
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
  intent core.intents;
BEGIN
  UPDATE core.intents i SET state = 'FAILED', error_class = p_class, error = coalesce(p_error, core.obstacle_text(p_class, i.payload)), lease_expires_at = NULL,
    next_attempt_at = clock_timestamp() + coalesce(core.retry_wait(i.attempts), interval '0'), changed_xid = pg_current_xact_id()
  WHERE i.program_id = p_program AND i.id = p_id AND i.state = 'LOCKED' AND i.fencing_token = p_token RETURNING * INTO intent;
  IF intent.id IS NOT NULL AND (core.retry_wait(intent.attempts) IS NULL OR NOT (SELECT e.is_retried FROM core.intent_errors e WHERE e.class = p_class)) THEN
    UPDATE core.intents i SET state = 'DEAD' WHERE i.program_id = p_program AND i.id = p_id;
  END IF;
  RETURN intent.id;
END $$;

-- A set, or when something in it breaks the set, its halves: one intent fails alone, and the others pay a few tries for it.
CREATE FUNCTION core.settle_or_split(p_program uuid, p_token bigint, p_ids uuid[], OUT completed integer, OUT failed integer)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  half integer := cardinality(p_ids) / 2;
  rest record;
BEGIN
  SELECT s.completed, s.failed INTO completed, failed FROM core.settle_set(p_program, p_token, p_ids) s;
EXCEPTION WHEN data_exception OR integrity_constraint_violation OR SQLSTATE 'CS409' OR SQLSTATE 'CS422' THEN
  IF cardinality(p_ids) = 1 THEN
    -- Out of range (22003) is an account that is full, perhaps with what others sold: the payload itself may be fine.
    PERFORM core.fail_intent(p_program, p_token, p_ids[1],
      CASE WHEN (SQLSTATE LIKE '22%' AND SQLSTATE <> '22003') OR SQLSTATE = 'CS422' THEN 'MALFORMED' ELSE 'REFUSED' END, SQLERRM);
    completed := 0;
    failed := 1;
  ELSE
    SELECT s.completed, s.failed INTO completed, failed FROM core.settle_or_split(p_program, p_token, p_ids[:half]) s;
    SELECT s.completed, s.failed INTO rest FROM core.settle_or_split(p_program, p_token, p_ids[half + 1:]) s;
    completed := completed + rest.completed;
    failed := failed + rest.failed;
  END IF;
END $$;

-- Effects and completion of everything that this token still holds, in one transaction. Programs that were closed or frozen
-- since get theirs back untouched, and so does one whose accounts somebody holds for longer than anybody may (api.end_stalling):
-- the others go on.
CREATE FUNCTION api.process_intents(p_token bigint) RETURNS TABLE (completed integer, failed integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET lock_timeout = '12s' AS $$
DECLARE
  held record;
  done record;
BEGIN
  PERFORM core.require_machine('worker');
  completed := 0;
  failed := 0;
  FOR held IN
    -- Registrations first: sales of the same set find their users.
    SELECT i.program_id, array_agg(i.id ORDER BY (i.kind <> 'REGISTER'), i.id) AS ids FROM core.intents i
    WHERE i.state = 'LOCKED' AND i.fencing_token = p_token AND i.lease_expires_at > clock_timestamp() GROUP BY i.program_id ORDER BY i.program_id LOOP
    IF core.settles_now(held.program_id) THEN
      BEGIN
        SELECT s.completed, s.failed INTO done FROM core.settle_or_split(held.program_id, p_token, held.ids) s;
        -- Asked again behind the effects: what was frozen or closed meanwhile is undone.
        IF NOT core.settles_now(held.program_id) THEN
          RAISE EXCEPTION USING ERRCODE = 'CS423', MESSAGE = 'The program was frozen or closed while its intents were settled';
        END IF;
        completed := completed + done.completed;
        failed := failed + done.failed;
        CONTINUE;
      EXCEPTION WHEN SQLSTATE 'CS423' OR lock_not_available THEN
        NULL;
      END;
    END IF;
    UPDATE core.intents i SET state = 'PENDING', attempts = i.attempts - 1, lease_expires_at = NULL, fencing_token = NULL
    WHERE i.program_id = held.program_id AND i.id = ANY (held.ids) AND i.state = 'LOCKED' AND i.fencing_token = p_token;
  END LOOP;
  RETURN NEXT;
END $$;

-- A person sends intents that are DEAD through again, from their first attempt on: all of those named, or none.
CREATE FUNCTION api.revive_intent(p_program uuid, p_intents uuid[], p_reason text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  given uuid[] := ARRAY(SELECT DISTINCT x FROM unnest(p_intents) x);
  revived integer;
BEGIN
  PERFORM core.require(p_program, 'operate');
  PERFORM core.require_reason(p_reason);
  IF (cardinality(given) BETWEEN 1 AND 1000) IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'Name 1 to 1,000 intents to revive';
  END IF;
  IF EXISTS (SELECT FROM core.programs p WHERE p.id = p_program AND p.status = 'CLOSED') THEN
    RAISE EXCEPTION USING ERRCODE = 'CS423', MESSAGE = 'The program is closed';
  END IF;
  PERFORM core.refuse_frozen(p_program, NULL, NULL);
  PERFORM 1 FROM core.intents i WHERE i.program_id = p_program AND i.id = ANY (given) AND i.state = 'DEAD' AND i.kind <> 'PAYOUT' ORDER BY i.id FOR NO KEY UPDATE;
  GET DIAGNOSTICS revived = ROW_COUNT;
  IF revived <> cardinality(given) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409',
      MESSAGE = format('%s of these %s intents are dead intents of this program that a person can revive: look at the list again. None was revived', revived, cardinality(given));
  END IF;
  INSERT INTO core.audit_entries (program_id, action, noun_id, detail)
  SELECT p_program, 'intent.revived', i.id, json_build_object('key', i.idempotency_key, 'attempts', i.attempts, 'error', i.error, 'reason', p_reason)
  FROM core.intents i WHERE i.program_id = p_program AND i.id = ANY (given) ORDER BY i.id;
  UPDATE core.intents i SET state = 'PENDING', attempts = 0, next_attempt_at = clock_timestamp(), error_class = NULL, error = NULL
  WHERE i.program_id = p_program AND i.id = ANY (given);
  RETURN revived;
END $$;

CREATE FUNCTION core.affiliate_account(p_program uuid, p_affiliate uuid, p_asset uuid) RETURNS uuid LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  SELECT core.account(p_program, 'liability', 'affiliate:' || a.id || ':liability', 'Owed to ' || a.name, p_asset)
  FROM core.affiliates a WHERE a.program_id = p_program AND a.id = p_affiliate
$$;

-- Commissions whose holding period ended and whose settlement is confirmed become payable, in one program or in all.
CREATE FUNCTION api.mature_commissions(p_program uuid DEFAULT NULL) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  matured integer;
BEGIN
  PERFORM core.require_machine('worker');
  UPDATE core.commissions c SET state = 'PAYABLE'
  FROM core.settlements s
  WHERE s.program_id = c.program_id AND s.id = c.settlement_id AND s.state = 'CONFIRMED' AND c.state = 'ACCRUED' AND c.payable_from <= clock_timestamp()
    AND c.program_id = coalesce(p_program, c.program_id) AND core.settles_now(c.program_id);
  GET DIAGNOSTICS matured = ROW_COUNT;
  RETURN matured;
END $$;

-- Which machine does which job: a stolen login gives no sign of life for the others.
CREATE TABLE core.jobs (
  job text PRIMARY KEY CHECK (job ~ '^[a-z]{3,20}$'),
  machine text NOT NULL CHECK (machine IN ('worker', 'watcher', 'executor')),
  UNIQUE (job, machine)
);
INSERT INTO core.jobs (job, machine) VALUES
  ('intents', 'worker'), ('mature', 'worker'), ('propose', 'worker'), ('reap', 'worker'), ('retry', 'worker'), ('inflows', 'worker'), ('seal', 'worker'), ('notify', 'worker'),
  ('watch', 'watcher'), ('reconcile', 'watcher'), ('execute', 'executor');
CALL core.make_catalogue('jobs');

CREATE FUNCTION api.heartbeat(p_job text, p_worker text, p_detail json) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM core.jobs j JOIN core.machines m ON m.kind = j.machine AND m.login = session_user AND m.revoked_at IS NULL WHERE j.job = p_job) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS403', MESSAGE = format('%s is no machine login that does the job %s', session_user, coalesce(p_job, 'NULL'));
  END IF;
  IF (octet_length(p_detail::text) <= 65536 AND length(p_worker) BETWEEN 1 AND 200) IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'A sign of life has at most 65,536 bytes, and its process a name of 1 to 200 characters';
  END IF;
  INSERT INTO core.heartbeats (job, worker, detail) VALUES (p_job, p_worker, p_detail)
  ON CONFLICT (job, worker) DO UPDATE SET at = clock_timestamp(), detail = excluded.detail;
  -- Each process beats under a name of its own; what has been silent for a day is gone.
  DELETE FROM core.heartbeats WHERE at < clock_timestamp() - interval '1 day';
END $$;
