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
    IF core.parse_amount(p_payload ->> 'amount') = 0 THEN
      RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'The amount of an intent is above zero';
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

-- Writes intents of one kind, as an array of payloads. CREATED is new, REPEATED is the same key with the same body (no
-- second effect), CONFLICT is the same key with another body (nothing written).
CREATE FUNCTION api.submit_intents(p_kind text, p_payloads jsonb)
RETURNS TABLE (item integer, id uuid, idempotency_key text, outcome text, state text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  platform core.machines := core.require_machine('platform');
  program core.programs;
BEGIN
  IF p_kind IS NULL OR p_kind NOT IN ('REGISTER', 'COMMERCE', 'CLAIM') THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('A platform writes REGISTER, COMMERCE and CLAIM intents, not %L', p_kind);
  END IF;
  IF jsonb_typeof(p_payloads) IS DISTINCT FROM 'array' OR jsonb_array_length(p_payloads) > 10000 THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'Intents are sent as a list of at most 10,000 payloads';
  END IF;
  SELECT * INTO program FROM core.programs p WHERE p.id = platform.program_id FOR SHARE;
  IF program.status <> 'ACTIVE' THEN
    RAISE EXCEPTION USING ERRCODE = 'CS423', MESSAGE = format('The program %s is %s and accepts no new intents', program.slug, program.status);
  END IF;
  PERFORM core.refuse_frozen(program.id, NULL, NULL);
  RETURN QUERY
  WITH given AS (
    SELECT (x.ordinality - 1)::integer AS item, x.payload, core.intent_key(program.id, p_kind, x.payload) AS key,
           sha256(convert_to(p_kind || x.payload::text, 'UTF8')) AS fingerprint
    FROM jsonb_array_elements(p_payloads) WITH ORDINALITY AS x(payload, ordinality)),
  firsts AS (SELECT DISTINCT ON (g.key) g.* FROM given g ORDER BY g.key, g.item),
  written AS (
    INSERT INTO core.intents AS i (program_id, kind, idempotency_key, fingerprint, payload)
    SELECT program.id, p_kind, f.key, f.fingerprint, f.payload FROM firsts f ORDER BY f.item
    ON CONFLICT ON CONSTRAINT intents_program_id_idempotency_key_key DO NOTHING
    RETURNING i.id, i.idempotency_key AS key, i.state, i.fingerprint)
  SELECT g.item, coalesce(w.id, i.id), g.key,
         CASE WHEN w.id IS NOT NULL AND f.item = g.item THEN 'CREATED'
              WHEN coalesce(w.fingerprint, i.fingerprint) = g.fingerprint THEN 'REPEATED' ELSE 'CONFLICT' END,
         coalesce(w.state, i.state)
  FROM given g
  LEFT JOIN firsts f ON f.key = g.key
  LEFT JOIN written w ON w.key = g.key
  LEFT JOIN core.intents i ON i.program_id = program.id AND i.idempotency_key = g.key
  ORDER BY g.item;
END $$;

-- A settlement without a transaction of its own is confirmed by its platform.
CREATE FUNCTION api.confirm_settlements(p_intents uuid[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  platform core.machines := core.require_machine('platform');
  confirmed integer;
BEGIN
  UPDATE core.settlements s SET state = 'PROCESSING'
  WHERE s.program_id = platform.program_id AND s.intent_id = ANY (p_intents) AND s.tx_hash IS NULL AND s.state = 'PENDING';
  UPDATE core.settlements s SET state = 'CONFIRMED', confirmed_at = clock_timestamp()
  WHERE s.program_id = platform.program_id AND s.intent_id = ANY (p_intents) AND s.tx_hash IS NULL AND s.state = 'PROCESSING';
  GET DIAGNOSTICS confirmed = ROW_COUNT;
  RETURN confirmed;
END $$;

-- Claims up to p_max intents for p_lease; 0 when there are none. The token fences off whoever held them before.
CREATE FUNCTION api.claim_intents(p_max integer, p_lease interval) RETURNS TABLE (token bigint, claimed integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM core.require_machine('worker');
  IF (p_max BETWEEN 1 AND 10000 AND p_lease BETWEEN interval '1 second' AND interval '1 hour') IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'A worker claims 1 to 10,000 intents for one second to one hour';
  END IF;
  token := nextval('core.fencing_tokens');
  -- Rows that another worker holds are left to it: nobody waits, and no two workers wait for each other.
  WITH ended AS (
    SELECT i.program_id, i.id FROM core.intents i WHERE i.state = 'LOCKED' AND i.lease_expires_at < clock_timestamp() FOR UPDATE SKIP LOCKED)
  UPDATE core.intents i SET state = CASE WHEN i.attempts < 6 THEN 'PENDING' ELSE 'FAILED' END, lease_expires_at = NULL, fencing_token = NULL,
    error = CASE WHEN i.attempts < 6 THEN i.error ELSE 'Six workers claimed this and none came back' END
  FROM ended e WHERE i.program_id = e.program_id AND i.id = e.id;
  UPDATE core.intents i SET state = 'DEAD' WHERE i.state = 'FAILED' AND i.attempts >= 6;
  WITH due AS (
    SELECT i.program_id, i.id FROM core.intents i WHERE i.state = 'FAILED' AND i.next_attempt_at <= clock_timestamp() FOR UPDATE SKIP LOCKED)
  UPDATE core.intents i SET state = 'PENDING' FROM due d WHERE i.program_id = d.program_id AND i.id = d.id;
  WITH next AS (
    SELECT i.program_id, i.id FROM core.intents i
    WHERE i.state = 'PENDING' AND i.kind <> 'PAYOUT' AND i.next_attempt_at <= clock_timestamp()
      AND NOT EXISTS (SELECT FROM core.freezes f WHERE f.program_id = i.program_id AND f.noun_id = i.program_id AND f.lifted_at IS NULL)
    ORDER BY i.next_attempt_at, i.id LIMIT p_max FOR UPDATE OF i SKIP LOCKED)
  UPDATE core.intents i SET state = 'LOCKED', attempts = i.attempts + 1, lease_expires_at = clock_timestamp() + p_lease, fencing_token = token
  FROM next WHERE i.program_id = next.program_id AND i.id = next.id;
  GET DIAGNOSTICS claimed = ROW_COUNT;
  RETURN NEXT;
END $$;

-- Why an intent cannot be settled now, or NULL.
CREATE FUNCTION core.intent_obstacle(p_program uuid, p_kind text, p_payload jsonb) RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE
    WHEN p_kind = 'REGISTER' THEN
      CASE WHEN p_payload ->> 'referral_code' IS NOT NULL
                AND NOT EXISTS (SELECT FROM core.affiliates a WHERE a.program_id = p_program AND a.referral_code = p_payload ->> 'referral_code')
           THEN format('No affiliate has the referral code %s', p_payload ->> 'referral_code')
           WHEN EXISTS (SELECT FROM core.affiliates a WHERE a.program_id = p_program AND a.referral_code = p_payload ->> 'referral_code'
                          AND a.wallet = core.parse_address(p_payload ->> 'wallet'))
           THEN 'An affiliate cannot refer itself' END
    WHEN NOT EXISTS (SELECT FROM core.users u WHERE u.program_id = p_program AND u.wallet = core.parse_address(p_payload ->> 'wallet'))
      THEN format('The user %s is not registered', p_payload ->> 'wallet')
    WHEN NOT EXISTS (SELECT FROM core.assets a WHERE a.program_id = p_program AND a.chain_id = (p_payload ->> 'chain_id')::bigint
                       AND a.token IS NOT DISTINCT FROM CASE WHEN p_payload ->> 'token' IS NOT NULL THEN core.parse_address(p_payload ->> 'token') END)
      THEN format('The program has no asset %s on chain %s', coalesce(p_payload ->> 'token', 'native'), p_payload ->> 'chain_id')
    WHEN p_kind = 'COMMERCE' AND NOT EXISTS (SELECT FROM core.commission_rules r WHERE r.program_id = p_program AND r.effective_from <= (p_payload ->> 'at')::timestamptz)
      THEN format('No commission rule was in force at %s', p_payload ->> 'at')
  END
$$;

-- Effects and completion of everything that this token still holds, in one transaction. What cannot be settled becomes
-- FAILED with its reason and is tried again later; one intent that breaks the set fails alone.
CREATE FUNCTION api.process_intents(p_token bigint) RETURNS TABLE (completed integer, failed integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  held uuid[];
  programs uuid[];
  one record;
BEGIN
  PERFORM core.require_machine('worker');
  SELECT array_agg(h.id), array_agg(DISTINCT h.program_id) INTO held, programs FROM (
    SELECT i.program_id, i.id FROM core.intents i WHERE i.state = 'LOCKED' AND i.fencing_token = p_token AND i.lease_expires_at > clock_timestamp()
    ORDER BY i.program_id, i.id FOR UPDATE) h;
  BEGIN
    PERFORM core.settle_set(programs, held);
  EXCEPTION WHEN data_exception OR integrity_constraint_violation OR SQLSTATE 'CS409' OR SQLSTATE 'CS422' THEN
    FOR one IN SELECT i.program_id, i.id FROM core.intents i WHERE i.program_id = ANY (programs) AND i.id = ANY (held)
               ORDER BY (i.kind <> 'REGISTER'), i.program_id, i.id LOOP
      BEGIN
        PERFORM core.settle_set(ARRAY[one.program_id], ARRAY[one.id]);
      EXCEPTION WHEN data_exception OR integrity_constraint_violation OR SQLSTATE 'CS409' OR SQLSTATE 'CS422' THEN
        UPDATE core.intents i SET state = 'FAILED', error = SQLERRM, next_attempt_at = core.next_attempt(i.attempts)
        WHERE i.program_id = one.program_id AND i.id = one.id;
      END;
    END LOOP;
  END;
  SELECT count(*) FILTER (WHERE i.state = 'COMPLETED'), count(*) FILTER (WHERE i.state = 'FAILED') INTO completed, failed
  FROM core.intents i WHERE i.program_id = ANY (programs) AND i.id = ANY (held);
  UPDATE core.intents i SET state = 'DEAD' WHERE i.program_id = ANY (programs) AND i.id = ANY (held) AND i.state = 'FAILED' AND i.attempts >= 6;
  RETURN NEXT;
END $$;

CREATE FUNCTION core.next_attempt(p_attempts integer) RETURNS timestamptz LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS
$$ SELECT clock_timestamp() + (ARRAY[interval '0', '1 min', '5 min', '20 min', '1 h', '6 h'])[least(greatest(p_attempts, 1), 6)] $$;

-- Users, then everything that money does, then completion, for the locked intents among p_held.
CREATE FUNCTION core.settle_set(p_programs uuid[], p_held uuid[]) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO core.users (program_id, wallet, affiliate_id, registered_at)
  SELECT i.program_id, core.parse_address(i.payload ->> 'wallet'), a.id, (i.payload ->> 'at')::timestamptz
  FROM core.intents i LEFT JOIN core.affiliates a ON a.program_id = i.program_id AND a.referral_code = i.payload ->> 'referral_code'
  WHERE i.program_id = ANY (p_programs) AND i.id = ANY (p_held) AND i.kind = 'REGISTER' AND core.intent_obstacle(i.program_id, i.kind, i.payload) IS NULL
  ON CONFLICT (program_id, wallet) DO NOTHING;

  UPDATE core.intents i SET state = 'FAILED', error = o.obstacle, next_attempt_at = core.next_attempt(i.attempts)
  FROM (SELECT x.program_id, x.id, core.intent_obstacle(x.program_id, x.kind, x.payload) AS obstacle FROM core.intents x
        WHERE x.program_id = ANY (p_programs) AND x.id = ANY (p_held)) o
  WHERE i.program_id = o.program_id AND i.id = o.id AND o.obstacle IS NOT NULL;

  PERFORM core.settle(p_programs, p_held);

  UPDATE core.intents i SET state = 'COMPLETED', completed_at = clock_timestamp(), lease_expires_at = NULL, error = NULL
  WHERE i.program_id = ANY (p_programs) AND i.id = ANY (p_held) AND i.state = 'LOCKED';
END $$;

-- Settlements, commissions and transfers of the locked intents among p_held.
CREATE FUNCTION core.settle(p_programs uuid[], p_held uuid[]) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO core.settlements (program_id, intent_id, user_id, asset_id, amount, rail, tx_hash, occurred_at)
  SELECT i.program_id, i.id, u.id, a.id, core.parse_amount(i.payload ->> 'amount'), i.payload ->> 'rail',
         decode(substr(i.payload ->> 'tx_hash', 3), 'hex'), (i.payload ->> 'at')::timestamptz
  FROM core.intents i
  JOIN core.users u ON u.program_id = i.program_id AND u.wallet = core.parse_address(i.payload ->> 'wallet')
  JOIN core.assets a ON a.program_id = i.program_id AND a.chain_id = (i.payload ->> 'chain_id')::bigint
    AND a.token IS NOT DISTINCT FROM CASE WHEN i.payload ->> 'token' IS NOT NULL THEN core.parse_address(i.payload ->> 'token') END
  WHERE i.program_id = ANY (p_programs) AND i.id = ANY (p_held) AND i.state = 'LOCKED' AND i.kind IN ('COMMERCE', 'CLAIM');

  -- The rule in force when the sale happened; a tier's rate replaces the base rate; each part rounds half to even at the
  -- asset's base unit, an override takes at most what the direct share left, and the program keeps the rest.
  INSERT INTO core.commissions (program_id, settlement_id, kind, affiliate_id, rule_id, rate, asset_id, amount, payable_from)
  SELECT s.program_id, s.id, c.kind, c.affiliate_id, r.id, c.rate, s.asset_id, c.amount,
         s.occurred_at + make_interval(days => r.holding_days)
  FROM core.settlements s
  JOIN core.intents i ON i.program_id = s.program_id AND i.id = s.intent_id AND i.kind = 'COMMERCE'
  JOIN core.users u ON u.program_id = s.program_id AND u.id = s.user_id
  JOIN core.affiliates f ON f.program_id = s.program_id AND f.id = u.affiliate_id
  CROSS JOIN LATERAL (SELECT * FROM core.commission_rules r WHERE r.program_id = s.program_id AND r.effective_from <= s.occurred_at
                      ORDER BY r.effective_from DESC LIMIT 1) r
  LEFT JOIN core.commission_rule_tiers t ON t.program_id = r.program_id AND t.rule_id = r.id AND t.tier = f.tier
  CROSS JOIN LATERAL (SELECT core.share_half_even(s.amount, coalesce(t.rate, r.base_rate)) AS amount) d
  CROSS JOIN LATERAL (VALUES ('DIRECT', f.id, coalesce(t.rate, r.base_rate), d.amount),
    ('OVERRIDE', f.parent_id, r.override_rate, least(core.share_half_even(s.amount, r.override_rate), s.amount - d.amount))) AS c(kind, affiliate_id, rate, amount)
  WHERE s.program_id = ANY (p_programs) AND s.intent_id = ANY (p_held) AND i.state = 'LOCKED' AND c.affiliate_id IS NOT NULL AND c.amount > 0;

  -- Materialised, or the accounts would be looked up again for every row.
  WITH a AS MATERIALIZED (
    SELECT p.program_id, p.asset_id, core.program_account(p.program_id, 'settlements', p.asset_id) AS settlements,
           core.program_account(p.program_id, 'revenue', p.asset_id) AS revenue
    FROM (SELECT DISTINCT program_id, asset_id FROM core.settlements WHERE program_id = ANY (p_programs) AND intent_id = ANY (p_held)) p)
  INSERT INTO core.transfers (program_id, debit_account, credit_account, asset_id, amount, reason, cause_id, narration, occurred_at)
  SELECT s.program_id, a.settlements, a.revenue, s.asset_id, s.amount, 'settlement', s.id, i.kind || ' ' || coalesce(i.payload ->> 'charge', i.payload ->> 'claim'), s.occurred_at
  FROM core.settlements s
  JOIN core.intents i ON i.program_id = s.program_id AND i.id = s.intent_id
  JOIN a ON a.program_id = s.program_id AND a.asset_id = s.asset_id
  WHERE s.program_id = ANY (p_programs) AND s.intent_id = ANY (p_held) AND i.state = 'LOCKED';

  WITH a AS MATERIALIZED (
    SELECT p.program_id, p.asset_id, p.affiliate_id, core.program_account(p.program_id, 'expense', p.asset_id) AS expense,
           core.affiliate_account(p.program_id, p.affiliate_id, p.asset_id) AS liability
    FROM (SELECT DISTINCT x.program_id, x.asset_id, x.affiliate_id FROM core.commissions x
          JOIN core.settlements y ON y.program_id = x.program_id AND y.id = x.settlement_id WHERE y.program_id = ANY (p_programs) AND y.intent_id = ANY (p_held)) p)
  INSERT INTO core.transfers (program_id, debit_account, credit_account, asset_id, amount, reason, cause_id, narration, occurred_at)
  SELECT c.program_id, a.expense, a.liability, c.asset_id, c.amount, 'accrual', c.id, c.kind || ' commission of ' || coalesce(i.payload ->> 'charge', ''), s.occurred_at
  FROM core.commissions c
  JOIN core.settlements s ON s.program_id = c.program_id AND s.id = c.settlement_id
  JOIN core.intents i ON i.program_id = s.program_id AND i.id = s.intent_id
  JOIN a ON a.program_id = c.program_id AND a.asset_id = c.asset_id AND a.affiliate_id = c.affiliate_id
  WHERE s.program_id = ANY (p_programs) AND s.intent_id = ANY (p_held) AND i.state = 'LOCKED';
END $$;

CREATE FUNCTION core.affiliate_account(p_program uuid, p_affiliate uuid, p_asset uuid) RETURNS uuid LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  SELECT core.account(p_program, 'liability', 'affiliate:' || a.id || ':liability', 'Owed to ' || a.name, p_asset)
  FROM core.affiliates a WHERE a.program_id = p_program AND a.id = p_affiliate
$$;

-- Commissions whose holding period ended and whose settlement is confirmed become payable.
CREATE FUNCTION api.mature_commissions() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  matured integer;
BEGIN
  PERFORM core.require_machine('worker');
  UPDATE core.commissions c SET state = 'PAYABLE'
  FROM core.settlements s
  WHERE s.program_id = c.program_id AND s.id = c.settlement_id AND s.state = 'CONFIRMED' AND c.state = 'ACCRUED' AND c.payable_from <= clock_timestamp();
  GET DIAGNOSTICS matured = ROW_COUNT;
  RETURN matured;
END $$;

CREATE FUNCTION api.heartbeat(p_job text, p_worker text, p_detail json) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM core.machines m WHERE m.login = session_user AND m.kind <> 'platform' AND m.revoked_at IS NULL) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS403', MESSAGE = format('%s is not a registered machine login', session_user);
  END IF;
  INSERT INTO core.heartbeats (job, worker, detail) VALUES (p_job, p_worker, p_detail)
  ON CONFLICT (job, worker) DO UPDATE SET at = clock_timestamp(), detail = excluded.detail;
  -- Each process beats under a name of its own; what has been silent for a day is gone.
  DELETE FROM core.heartbeats WHERE at < clock_timestamp() - interval '1 day';
END $$;
