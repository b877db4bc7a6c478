-- The payee book: who is paid and where. Versions are added, never changed; a changed address cools down.

-- {name, address}: somebody who is paid and is no affiliate.
CREATE FUNCTION core.apply_payee_add(p_request core.change_requests) RETURNS uuid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  program uuid := p_request.program_id;
  body jsonb := p_request.payload::jsonb;
BEGIN
  IF length(body ->> 'name') BETWEEN 1 AND 80 IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'A payee has a name of 1 to 80 characters';
  END IF;
  INSERT INTO core.payees (program_id, id, name) VALUES (program, p_request.id, body ->> 'name');
  INSERT INTO core.payee_addresses (program_id, payee_id, version, address, payable_from, change_id)
  VALUES (program, p_request.id, 1, core.parse_address(body ->> 'address'), clock_timestamp(), p_request.id);
  RETURN p_request.id;
END $$;

-- {payee_id, address}: the next version of a payee's address.
CREATE FUNCTION core.apply_payee_address(p_request core.change_requests) RETURNS uuid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  program uuid := p_request.program_id;
  body jsonb := p_request.payload::jsonb;
  payee core.payees;
  last_address core.payee_addresses;
BEGIN
  SELECT * INTO payee FROM core.payees y WHERE y.program_id = program AND y.id = (body ->> 'payee_id')::uuid FOR NO KEY UPDATE;
  IF payee.id IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'There is no such payee in this program';
  END IF;
  SELECT * INTO last_address FROM core.payee_addresses a WHERE a.program_id = program AND a.payee_id = payee.id ORDER BY a.version DESC LIMIT 1;
  IF last_address.address = core.parse_address(body ->> 'address') THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('%s has this address already', payee.name);
  END IF;
  INSERT INTO core.payee_addresses (program_id, payee_id, version, address, payable_from, change_id)
  VALUES (program, payee.id, last_address.version + 1, core.parse_address(body ->> 'address'), clock_timestamp(), p_request.id);
  RETURN payee.id;
END $$;

-- {hours}: how long a changed address waits.
CREATE FUNCTION core.apply_payee_cooling_set(p_request core.change_requests) RETURNS uuid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  hours text := p_request.payload ->> 'hours';
BEGIN
  IF hours::integer > 720 THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'A changed address cools down for 0 to 720 hours';
  END IF;
  UPDATE core.programs SET payee_cooling_hours = hours::integer WHERE id = p_request.program_id;
  RETURN NULL;
END $$;

-- Lines to an address that a payee gave up, or that still cools down, or, for an affiliate, that is not its own; with the payee and,
-- for one that cools down, until when. Who is not in the book can be paid: the signers are told that it is a first payment.
CREATE FUNCTION core.unpayable_lines(p_program uuid, p_batch uuid) RETURNS TABLE (line_no integer, leg_index integer, name text, payable_from timestamptz)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  WITH book AS (
    SELECT y.id, y.name, y.affiliate_id, a.address, a.payable_from, a.version = max(a.version) OVER (PARTITION BY a.payee_id) AS is_newest
    FROM core.payees y JOIN core.payee_addresses a ON a.program_id = y.program_id AND a.payee_id = y.id
    WHERE y.program_id = p_program AND y.id IN (
      SELECT k.payee_id FROM core.payouts p JOIN core.payee_addresses k ON k.program_id = p.program_id AND k.address = p.recipient WHERE p.program_id = p_program AND p.batch_id = p_batch
      UNION SELECT k.id FROM core.payouts p JOIN core.payees k ON k.program_id = p.program_id AND k.affiliate_id = p.affiliate_id WHERE p.program_id = p_program AND p.batch_id = p_batch))
  SELECT p.line_no, p.leg_index, b.name, min(b.payable_from) FILTER (WHERE b.is_newest AND b.address = p.recipient)
  FROM core.payouts p JOIN book b ON CASE WHEN p.affiliate_id IS NULL THEN b.address = p.recipient ELSE b.affiliate_id = p.affiliate_id END
  WHERE p.program_id = p_program AND p.batch_id = p_batch
    AND NOT EXISTS (SELECT FROM book k WHERE k.is_newest AND k.address = p.recipient AND k.payable_from <= clock_timestamp() AND (p.affiliate_id IS NULL OR k.affiliate_id = p.affiliate_id))
  GROUP BY p.line_no, p.leg_index, b.name
$$;

-- Refuses a batch, or one leg of it, with such a line, or with a commission whose sale is not paid any more.
CREATE FUNCTION core.refuse_unpayable(p_program uuid, p_batch uuid, p_leg integer) RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  wrong record;
BEGIN
  SELECT u.line_no, u.name, u.payable_from INTO wrong FROM core.unpayable_lines(p_program, p_batch) u WHERE p_leg IS NULL OR u.leg_index = p_leg ORDER BY u.line_no LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = CASE WHEN wrong.payable_from IS NULL
      THEN format('Line %s pays an address that is not, or no longer, that of %s: look at the payee book and make the batch again', wrong.line_no, wrong.name)
      ELSE format('Line %s pays an address of %s that was changed and cools down until %s', wrong.line_no, wrong.name, to_char(wrong.payable_from AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')) END;
  END IF;
  SELECT p.line_no INTO wrong
  FROM core.payouts p JOIN core.payout_sources ps ON ps.program_id = p.program_id AND ps.payout_id = p.id AND ps.live JOIN core.commissions c ON c.program_id = ps.program_id AND c.id = ps.commission_id
  JOIN core.settlements s ON s.program_id = c.program_id AND s.id = c.settlement_id
  WHERE p.program_id = p_program AND p.batch_id = p_batch AND (p_leg IS NULL OR p.leg_index = p_leg) AND s.state = 'PROCESSING' ORDER BY p.line_no LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('Line %s pays a commission of a sale whose payment a reorganisation took away: wait until the chain has it again, or make the batch without it', wrong.line_no);
  END IF;
END $$;
