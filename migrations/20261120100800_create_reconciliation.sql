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
CALL core.make_audited('discrepancies');
CALL core.make_fixed('discrepancies', 'state');
CREATE TRIGGER discrepancies_follow_their_states BEFORE INSERT OR UPDATE OF state ON core.discrepancies FOR EACH ROW EXECUTE FUNCTION core.guard_state('discrepancy');

CREATE FUNCTION api.record_reconciliation(p_program uuid, p_started_at timestamptz, p_first_block bigint, p_last_block bigint, p_lines integer, p_matches jsonb, p_discrepancies jsonb) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  run core.reconciliation_runs;
BEGIN
  PERFORM core.require(p_program, 'resolve_discrepancy');
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
