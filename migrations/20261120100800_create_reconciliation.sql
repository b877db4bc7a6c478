-- Reconciliation runs with what they found, and files that left the house.

CREATE TABLE core.reconciliation_runs (
  program_id uuid NOT NULL REFERENCES core.programs,
  id uuid NOT NULL DEFAULT core.uuid_v7(),
  number integer NOT NULL,
  started_at timestamptz NOT NULL,
  completed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  started_by name NOT NULL DEFAULT session_user,
  first_block bigint NOT NULL,
  last_block bigint NOT NULL,
  lines integer NOT NULL CHECK (lines >= 0),
  matched integer NOT NULL CHECK (matched BETWEEN 0 AND lines),
  PRIMARY KEY (program_id, id),
  UNIQUE (program_id, number)
);
CALL core.make_append_only('reconciliation_runs');

CREATE TABLE core.matches (
  program_id uuid NOT NULL,
  run_id uuid NOT NULL,
  payout_id uuid NOT NULL,
  rule text NOT NULL,
  ethereum_tx_hash bytea NOT NULL,
  position_kind text NOT NULL CHECK (position_kind IN ('LOG', 'NATIVE_LEG')),
  position bigint NOT NULL,
  PRIMARY KEY (program_id, run_id, payout_id),
  UNIQUE (program_id, run_id, ethereum_tx_hash, position_kind, position),
  FOREIGN KEY (program_id, run_id) REFERENCES core.reconciliation_runs,
  FOREIGN KEY (program_id, payout_id) REFERENCES core.payouts
);
CALL core.make_append_only('matches');

CREATE TABLE core.discrepancies (
  program_id uuid NOT NULL,
  run_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT core.uuid_v7(),
  number integer NOT NULL,
  kind text NOT NULL CHECK (kind IN ('missing_settlement', 'unexpected_settlement', 'amount_mismatch', 'duplicate', 'fee_variance',
                                     'wrong_date', 'wrong_recipient', 'returned', 'reorged', 'unexplained_outflow')),
  state text NOT NULL DEFAULT 'OPEN',
  title text NOT NULL,
  payout_id uuid,
  asset_id uuid NOT NULL,
  -- The two sides as they were compared: names, amounts in base units, fields beside each other.
  sides json NOT NULL,
  PRIMARY KEY (program_id, id),
  UNIQUE (program_id, run_id, number),
  FOREIGN KEY (program_id, run_id) REFERENCES core.reconciliation_runs,
  FOREIGN KEY (program_id, payout_id) REFERENCES core.payouts,
  FOREIGN KEY (program_id, asset_id) REFERENCES core.assets
);
CALL core.make_fixed('discrepancies', 'state');
CREATE TRIGGER discrepancies_follow_their_states BEFORE INSERT OR UPDATE OF state ON core.discrepancies FOR EACH ROW EXECUTE FUNCTION core.guard_state('discrepancy');

-- Who may compare the books of a program with the chain: people with resolve_discrepancy, and the watcher at night. What it
-- reads for that are these four functions and no table.
CREATE FUNCTION core.require_reconciler(p_program uuid) RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM core.machines m WHERE m.login = session_user AND m.kind = 'watcher' AND m.revoked_at IS NULL) THEN
    PERFORM core.require(p_program, 'resolve_discrepancy');
  END IF;
END $$;

CREATE FUNCTION api.reconciliation_safes(p_program uuid)
RETURNS TABLE (id uuid, name text, chain_id bigint, chain text, confirmation_depth integer, address bytea, version text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM core.require_reconciler(p_program);
  RETURN QUERY SELECT s.id, s.name, s.chain_id, c.name, c.confirmation_depth, s.address, s.version
    FROM core.safes s JOIN core.chains c ON c.id = s.chain_id WHERE s.program_id = p_program ORDER BY s.name;
END $$;

CREATE FUNCTION api.reconciliation_assets(p_program uuid) RETURNS TABLE (id uuid, chain_id bigint, token bytea, symbol text, decimals smallint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM core.require_reconciler(p_program);
  RETURN QUERY SELECT a.id, a.chain_id, a.token, a.symbol, a.decimals FROM core.assets a WHERE a.program_id = p_program ORDER BY a.symbol;
END $$;

-- Every line of a batch that was submitted, with its proof.
CREATE FUNCTION api.reconciliation_lines(p_program uuid)
RETURNS TABLE (payout_id uuid, batch_number integer, line_no integer, chain_id bigint, asset_id uuid, recipient bytea, amount numeric, state text, source text,
               ethereum_tx_hash bytea, position_kind text, "position" bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM core.require_reconciler(p_program);
  RETURN QUERY
  SELECT p.id, b.number, p.line_no, s.chain_id, p.asset_id, p.recipient, p.amount, p.state,
         coalesce((SELECT string_agg(ps.source_key, ',' ORDER BY ps.source_key COLLATE "C") FROM core.payout_sources ps WHERE ps.program_id = p.program_id AND ps.payout_id = p.id), ''),
         e.ethereum_tx_hash, e.kind, e.position
  FROM core.payouts p
  JOIN core.batches b ON b.program_id = p.program_id AND b.id = p.batch_id AND b.state NOT IN ('DRAFT', 'REJECTED', 'CANCELLED')
  JOIN core.safes s ON s.program_id = b.program_id AND s.id = b.safe_id
  LEFT JOIN core.evidence e ON e.program_id = p.program_id AND e.payout_id = p.id AND e.retracted_at IS NULL
  WHERE p.program_id = p_program ORDER BY b.number DESC, p.line_no;
END $$;

-- The postings that pay lines and were not taken back: debit the liability, credit payouts on their way.
CREATE FUNCTION api.reconciliation_postings(p_program uuid)
RETURNS TABLE (id uuid, payout_id uuid, asset_id uuid, amount numeric, debit_account text, credit_account text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM core.require_reconciler(p_program);
  RETURN QUERY
  SELECT t.id, p.id, t.asset_id, t.amount, d.code, c.code
  FROM core.transfers t
  JOIN core.accounts d ON d.program_id = t.program_id AND d.id = t.debit_account
  JOIN core.accounts c ON c.program_id = t.program_id AND c.id = t.credit_account
  LEFT JOIN core.payouts p ON p.program_id = t.program_id AND p.id = t.cause_id
  WHERE t.program_id = p_program AND t.reason = 'payout' AND t.phase IN ('POSTED', 'POST')
    AND NOT EXISTS (SELECT FROM core.transfers x WHERE x.program_id = t.program_id AND x.reason = 'payout_reversal' AND x.cause_id = t.cause_id AND x.occurrence = t.occurrence)
  ORDER BY t.occurred_at, t.id;
END $$;

CREATE FUNCTION core.record_reconciliation(p_program uuid, p_started_at timestamptz, p_first_block bigint, p_last_block bigint, p_lines integer, p_matches jsonb, p_discrepancies jsonb) RETURNS uuid
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  run core.reconciliation_runs;
BEGIN
  PERFORM 1 FROM core.programs WHERE id = p_program FOR NO KEY UPDATE;
  INSERT INTO core.reconciliation_runs (program_id, number, started_at, first_block, last_block, lines, matched)
  VALUES (p_program, (SELECT coalesce(max(number), 0) + 1 FROM core.reconciliation_runs WHERE program_id = p_program), p_started_at, p_first_block, p_last_block, p_lines, jsonb_array_length(p_matches))
  RETURNING * INTO run;
  INSERT INTO core.matches (program_id, run_id, payout_id, rule, ethereum_tx_hash, position_kind, position)
  SELECT p_program, run.id, m.payout_id, m.rule, decode(substr(m.tx_hash, 3), 'hex'), m.position_kind, m.position
  FROM jsonb_to_recordset(p_matches) AS m(payout_id uuid, rule text, tx_hash text, position_kind text, position bigint);
  INSERT INTO core.discrepancies (program_id, run_id, number, kind, title, payout_id, asset_id, sides)
  SELECT p_program, run.id, d.number, d.kind, d.title, d.payout_id, d.asset_id, d.sides
  FROM jsonb_to_recordset(p_discrepancies) AS d(number integer, kind text, title text, payout_id uuid, asset_id uuid, sides json);
  PERFORM core.audit(p_program, 'reconciliation.completed', run.id, json_build_object('number', run.number, 'lines', run.lines, 'matched', run.matched, 'discrepancies', jsonb_array_length(p_discrepancies)));
  RETURN run.id;
END $$;

CREATE FUNCTION api.record_reconciliation(p_program uuid, p_started_at timestamptz, p_first_block bigint, p_last_block bigint, p_lines integer, p_matches jsonb, p_discrepancies jsonb) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM core.require(p_program, 'resolve_discrepancy');
  RETURN core.record_reconciliation(p_program, p_started_at, p_first_block, p_last_block, p_lines, p_matches, p_discrepancies);
END $$;

-- The nightly one: recorded once, by whoever still holds the run, and completing it.
CREATE FUNCTION api.record_nightly_reconciliation(p_program uuid, p_due timestamptz, p_token bigint, p_started_at timestamptz, p_first_block bigint, p_last_block bigint, p_lines integer,
                                                  p_matches jsonb, p_discrepancies jsonb) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  held core.schedule_runs := core.hold_run('reconcile', p_program, p_due, p_token);
  made uuid := core.record_reconciliation(p_program, p_started_at, p_first_block, p_last_block, p_lines, p_matches, p_discrepancies);
BEGIN
  PERFORM core.complete_run(held, made::text);
  RETURN made;
END $$;

CREATE TABLE core.exports (
  program_id uuid NOT NULL REFERENCES core.programs,
  id uuid NOT NULL DEFAULT core.uuid_v7(),
  kind text NOT NULL,
  period_from date NOT NULL,
  period_to date NOT NULL CHECK (period_to >= period_from),
  file_name text NOT NULL,
  rows integer NOT NULL CHECK (rows >= 0),
  sha256 bytea NOT NULL CHECK (length(sha256) = 32),
  exported_by uuid NOT NULL REFERENCES core.staff,
  exported_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (program_id, id)
);
CALL core.make_append_only('exports');

CREATE FUNCTION api.record_export(p_program uuid, p_kind text, p_from date, p_to date, p_file_name text, p_rows integer, p_sha256 bytea) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  person uuid := core.require(p_program, 'export');
  made uuid;
BEGIN
  INSERT INTO core.exports (program_id, kind, period_from, period_to, file_name, rows, sha256, exported_by)
  VALUES (p_program, p_kind, p_from, p_to, p_file_name, p_rows, p_sha256, person) RETURNING id INTO made;
  PERFORM core.audit(p_program, 'export.written', made, json_build_object('kind', p_kind, 'from', p_from, 'to', p_to, 'file', p_file_name, 'rows', p_rows, 'sha256', encode(p_sha256, 'hex')));
  RETURN made;
END $$;
