-- Policies: set by two people, with defaults for assets that are pegged to a currency, and never beyond what a Safe enforces
-- unless the policy says so.

-- In whole units of a currency; an asset pegged to it begins with these.
CREATE TABLE core.policy_defaults (
  currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  at_least numeric(18,0) NOT NULL CHECK (at_least >= 0),
  approvers integer NOT NULL CHECK (approvers >= 1),
  high_value boolean NOT NULL,
  PRIMARY KEY (currency, at_least)
);
INSERT INTO core.policy_defaults VALUES
  ('USD', 0, 1, false), ('USD', 10000, 2, true),
  ('EUR', 0, 1, false), ('EUR', 10000, 2, false), ('EUR', 50000, 2, true);
CALL core.make_two_signed('policy_defaults', '', 'currency, at_least, approvers, high_value', 'policy_default.set');
CALL core.make_fixed('policy_defaults', 'approvers', 'high_value');

-- {currency, at_least, approvers, high_value}: for assets that are added from now on.
CREATE FUNCTION core.apply_policy_default_set(p_request core.change_requests) RETURNS uuid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  body jsonb := p_request.payload::jsonb;
BEGIN
  IF ((body ->> 'currency') ~ '^[A-Z]{3}$' AND (body ->> 'approvers')::integer BETWEEN 1 AND 99) IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'A default names a currency of three letters and 1 to 99 approvers';
  END IF;
  INSERT INTO core.policy_defaults (currency, at_least, approvers, high_value)
  VALUES (body ->> 'currency', (body ->> 'at_least')::numeric, (body ->> 'approvers')::integer, (body ->> 'high_value')::boolean)
  ON CONFLICT (currency, at_least) DO UPDATE SET approvers = excluded.approvers, high_value = excluded.high_value;
  RETURN NULL;
END $$;

-- An asset that is pegged to a currency with defaults and has no policy yet gets them in its base units.
CREATE FUNCTION core.give_default_policies(p_program uuid, p_asset uuid) RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO core.policies (program_id, asset_id, at_least, approvers, high_value)
  SELECT a.program_id, a.id, d.at_least * 10::numeric ^ a.decimals, d.approvers, d.high_value
  FROM core.assets a JOIN core.policy_defaults d ON d.currency = a.pegged_to
  WHERE a.program_id = p_program AND a.id = p_asset AND NOT EXISTS (SELECT FROM core.policies o WHERE o.program_id = a.program_id AND o.asset_id = a.id AND o.replaced_at IS NULL)
$$;

-- {asset_id, at_least, approvers, high_value, software_keys, beyond_chain}: replaces the policy from this amount on.
CREATE FUNCTION core.apply_policy_set(p_request core.change_requests) RETURNS uuid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  program uuid := p_request.program_id;
  body jsonb := p_request.payload::jsonb;
BEGIN
  UPDATE core.policies SET replaced_at = clock_timestamp()
  WHERE program_id = program AND asset_id = (body ->> 'asset_id')::uuid AND at_least = core.parse_amount(body ->> 'at_least') AND replaced_at IS NULL;
  INSERT INTO core.policies (program_id, id, asset_id, at_least, approvers, high_value, software_keys, beyond_chain)
  VALUES (program, p_request.id, (body ->> 'asset_id')::uuid, core.parse_amount(body ->> 'at_least'), (body ->> 'approvers')::integer, coalesce((body ->> 'high_value')::boolean, false),
          coalesce((body ->> 'software_keys')::boolean, false), coalesce((body ->> 'beyond_chain')::boolean, false));
  RETURN p_request.id;
END $$;

-- A Safe and the policies of its chain's assets, whichever came first.
CREATE FUNCTION core.guard_threshold() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  wrong record;
BEGIN
  -- One of two at once waits, and then sees the other.
  PERFORM 1 FROM core.programs p WHERE p.id = NEW.program_id FOR NO KEY UPDATE;
  SELECT o.approvers, a.symbol, s.name, s.threshold INTO wrong
  FROM core.policies o JOIN core.assets a ON a.program_id = o.program_id AND a.id = o.asset_id JOIN core.safes s ON s.program_id = a.program_id AND s.chain_id = a.chain_id
  WHERE o.program_id = NEW.program_id AND NEW.id IN (o.id, s.id) AND o.replaced_at IS NULL AND NOT o.beyond_chain AND o.approvers > s.threshold
  ORDER BY s.threshold LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = format('The policy asks for more approvers of %s (%s) than the Safe has signatures (%s: %s): say beyond_chain in the policy to accept that the rest is not enforced on chain',
      wrong.symbol, wrong.approvers, wrong.name, wrong.threshold);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER policies_are_enforced_on_chain AFTER INSERT ON core.policies FOR EACH ROW EXECUTE FUNCTION core.guard_threshold();
CREATE TRIGGER safes_enforce_their_policies AFTER INSERT ON core.safes FOR EACH ROW EXECUTE FUNCTION core.guard_threshold();
