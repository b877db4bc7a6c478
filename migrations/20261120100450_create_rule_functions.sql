-- Commission rules and affiliates' terms: read from a change, and tried over a past period before they are put in force.

-- A time that means the same for ever: PostgreSQL also reads now, tomorrow and infinity.
CREATE FUNCTION core.parse_time(p_text text) RETURNS timestamptz LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF p_text IS NULL OR p_text !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})$' THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('%L is not a time: RFC 3339 is expected', p_text);
  END IF;
  RETURN p_text::timestamptz;
EXCEPTION WHEN invalid_datetime_format OR datetime_field_overflow THEN
  RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('%L is not a time: RFC 3339 is expected', p_text);
END $$;

-- Refuses a rule with a field that it does not have, a rate that would be rounded, or an amount of a foreign asset.
-- {base_rate, override_rate, tiers: {tier: rate}, holding_days, frequency, earning_days, minimum_settlements: {asset: amount},
--  minimum_payouts: {asset: amount}, effective_from}
CREATE FUNCTION core.refuse_bad_rule(p_program uuid, p_body jsonb) RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  wrong text;
BEGIN
  -- What is only tried begins at no time.
  PERFORM core.refuse_bad_fields('rule.set', '{"effective_from": "2000-01-01T00:00:00Z"}' || p_body);
  -- numeric(9,8) would round a ninth digit away without a word.
  SELECT t.key INTO wrong FROM jsonb_each(core.object_or_empty(p_body -> 'tiers')) t WHERE core.has_form('rate', t.value) IS NOT TRUE LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('The rate of the tier %s is a number from 0 to 1 with at most 8 decimals, as a string', wrong);
  END IF;
  SELECT t.tier INTO wrong
  FROM (SELECT 'base' AS tier, p_body ->> 'base_rate' AS rate UNION ALL SELECT e.key, e.value FROM jsonb_each_text(core.object_or_empty(p_body -> 'tiers')) e) t
  WHERE t.rate::numeric + (p_body ->> 'override_rate')::numeric > 1 LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('The %s rate and the override rate together exceed 1: lower one of them', wrong);
  END IF;
  IF coalesce(p_body ->> 'holding_days', '30') !~ '^[0-9]{1,3}$' OR (coalesce(p_body ->> 'holding_days', '30'))::integer > 365 OR coalesce(p_body ->> 'frequency', 'WEEKLY') NOT IN ('WEEKLY', 'MONTHLY')
     OR (p_body ->> 'earning_days' IS NOT NULL AND (p_body ->> 'earning_days' !~ '^[1-9][0-9]{0,4}$' OR (p_body ->> 'earning_days')::integer > 36500)) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'A rule holds for 0 to 365 days, pays WEEKLY or MONTHLY, and lets a user''s sales earn for 1 to 36,500 days or always';
  END IF;
  SELECT a.value #>> '{}' INTO wrong FROM (
    SELECT * FROM jsonb_each(core.object_or_empty(p_body -> 'minimum_settlements')) UNION ALL SELECT * FROM jsonb_each(core.object_or_empty(p_body -> 'minimum_payouts'))) a
  WHERE core.has_form('amount', a.value) IS NOT TRUE LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('%L is not an amount: a rule says whole base units as a string of digits', wrong);
  END IF;
  SELECT a.key INTO wrong FROM (
    SELECT * FROM jsonb_each(core.object_or_empty(p_body -> 'minimum_settlements')) UNION ALL SELECT * FROM jsonb_each(core.object_or_empty(p_body -> 'minimum_payouts'))) a
  WHERE NOT EXISTS (SELECT FROM core.assets x WHERE x.program_id = p_program AND x.id::text = a.key) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('The rule names an amount of %L, which is no asset of this program', wrong);
  END IF;
END $$;

CREATE FUNCTION core.object_or_empty(p_body jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS
$$ SELECT CASE WHEN jsonb_typeof(p_body) = 'object' THEN p_body ELSE '{}' END $$;

CREATE FUNCTION core.apply_rule_set(p_request core.change_requests) RETURNS uuid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  program uuid := p_request.program_id;
  body jsonb := p_request.payload::jsonb;
BEGIN
  PERFORM core.refuse_bad_rule(program, body);
  -- Versions are counted under a lock on the program.
  PERFORM 1 FROM core.programs WHERE id = program FOR NO KEY UPDATE;
  INSERT INTO core.commission_rules (program_id, id, version, base_rate, override_rate, holding_days, frequency, earning_days, effective_from)
  VALUES (program, p_request.id, (SELECT coalesce(max(r.version), 0) + 1 FROM core.commission_rules r WHERE r.program_id = program), (body ->> 'base_rate')::numeric, (body ->> 'override_rate')::numeric,
          coalesce((body ->> 'holding_days')::integer, 30), coalesce(body ->> 'frequency', 'WEEKLY'), (body ->> 'earning_days')::integer, core.parse_time(body ->> 'effective_from'));
  INSERT INTO core.commission_rule_tiers (program_id, rule_id, tier, rate)
  SELECT program, p_request.id, t.key, t.value::numeric FROM jsonb_each_text(core.object_or_empty(body -> 'tiers')) t;
  INSERT INTO core.commission_rule_assets (program_id, rule_id, asset_id, minimum_settlement, minimum_payout)
  SELECT program, p_request.id, a.id, core.parse_amount(coalesce(body -> 'minimum_settlements' ->> a.id::text, '0')), core.parse_amount(coalesce(body -> 'minimum_payouts' ->> a.id::text, '0'))
  FROM core.assets a WHERE a.program_id = program
    AND (core.object_or_empty(body -> 'minimum_settlements') ? a.id::text OR core.object_or_empty(body -> 'minimum_payouts') ? a.id::text);
  RETURN p_request.id;
END $$;

-- {affiliate_id, tier, active, effective_from}; what is not named stays as it is.
CREATE FUNCTION core.apply_affiliate_set(p_request core.change_requests) RETURNS uuid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  program uuid := p_request.program_id;
  body jsonb := p_request.payload::jsonb;
  affiliate core.affiliates;
  last_terms core.affiliate_terms;
BEGIN
  SELECT * INTO affiliate FROM core.affiliates a WHERE a.program_id = program AND a.id = (body ->> 'affiliate_id')::uuid FOR NO KEY UPDATE;
  IF affiliate.id IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'New terms name an affiliate of this program';
  END IF;
  SELECT * INTO last_terms FROM core.affiliate_terms t WHERE t.program_id = program AND t.affiliate_id = affiliate.id ORDER BY t.version DESC LIMIT 1;
  INSERT INTO core.affiliate_terms (program_id, affiliate_id, version, tier, active, effective_from)
  VALUES (program, affiliate.id, last_terms.version + 1, coalesce(body ->> 'tier', last_terms.tier), coalesce((body ->> 'active')::boolean, last_terms.active), core.parse_time(body ->> 'effective_from'));
  RETURN affiliate.id;
END $$;

-- What a rule would have paid over the days from p_from to p_to (both included, in the program's time zone), per affiliate
-- and asset, beside what was accrued. Sales that failed or were taken back count on neither side. Changes nothing.
CREATE FUNCTION api.what_if_rule(p_program uuid, p_rule json, p_from date, p_to date)
RETURNS TABLE (affiliate_id uuid, affiliate text, asset_id uuid, symbol text, decimals smallint, settlements bigint, accrued numeric, would_accrue numeric)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  body jsonb := p_rule::jsonb;
BEGIN
  PERFORM core.require(p_program, 'view');
  PERFORM core.refuse_ambiguous(p_rule);
  PERFORM core.refuse_bad_rule(p_program, body);
  IF (p_from <= p_to AND isfinite(p_from) AND isfinite(p_to)) IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'A period has a first and a last day, in this order';
  END IF;
  RETURN QUERY
  WITH sales AS (
    SELECT s.id, s.asset_id, s.amount, s.occurred_at, u.registered_at, f.id AS referrer, f.parent_id, own.tier, own.active, parents.active AS parent_is_active
    FROM core.settlements s
    JOIN core.programs g ON g.id = s.program_id
    JOIN core.intents i ON i.program_id = s.program_id AND i.id = s.intent_id AND i.kind = 'COMMERCE'
    JOIN core.users u ON u.program_id = s.program_id AND u.id = s.user_id
    JOIN core.affiliates f ON f.program_id = s.program_id AND f.id = u.affiliate_id
    CROSS JOIN LATERAL (SELECT * FROM core.affiliate_terms x WHERE x.program_id = s.program_id AND x.affiliate_id = f.id AND x.effective_from <= s.occurred_at
                        ORDER BY x.effective_from DESC, x.version DESC LIMIT 1) own
    LEFT JOIN LATERAL (SELECT * FROM core.affiliate_terms x WHERE x.program_id = s.program_id AND x.affiliate_id = f.parent_id AND x.effective_from <= s.occurred_at
                       ORDER BY x.effective_from DESC, x.version DESC LIMIT 1) parents ON true
    WHERE s.program_id = p_program AND s.state NOT IN ('FAILED', 'REVERSED')
      AND s.occurred_at >= (p_from::timestamp AT TIME ZONE g.time_zone) AND s.occurred_at < ((p_to + 1)::timestamp AT TIME ZONE g.time_zone)),
  lines AS (
    SELECT c.affiliate_id, sales.asset_id, sales.id AS settlement_id, 0::numeric AS accrued, c.amount AS would_accrue
    FROM sales CROSS JOIN LATERAL core.commissions_of(sales.amount, sales.occurred_at, sales.registered_at,
      coalesce((core.object_or_empty(body -> 'tiers') ->> sales.tier)::numeric, (body ->> 'base_rate')::numeric), (body ->> 'override_rate')::numeric, (body ->> 'earning_days')::integer,
      (core.object_or_empty(body -> 'minimum_settlements') ->> sales.asset_id::text)::numeric, sales.referrer, sales.active, sales.parent_id, sales.parent_is_active) c
    UNION ALL
    SELECT c.affiliate_id, c.asset_id, c.settlement_id, c.amount, 0
    FROM sales JOIN core.commissions c ON c.program_id = p_program AND c.settlement_id = sales.id)
  SELECT a.id, a.name, x.id, x.symbol, x.decimals, count(DISTINCT l.settlement_id), sum(l.accrued), sum(l.would_accrue)
  FROM lines l JOIN core.affiliates a ON a.program_id = p_program AND a.id = l.affiliate_id JOIN core.assets x ON x.program_id = p_program AND x.id = l.asset_id
  GROUP BY a.id, a.name, x.id, x.symbol, x.decimals ORDER BY x.symbol, sum(l.would_accrue) DESC, a.name;
END $$;
GRANT EXECUTE ON FUNCTION api.what_if_rule(uuid, json, date, date) TO countersign_staff;
