-- What the daily job proposes: once per program, Safe and week or month. A preparer adopts it, which makes the batch theirs.

CREATE TABLE core.batch_proposals (
  program_id uuid NOT NULL REFERENCES core.programs,
  id uuid NOT NULL DEFAULT core.uuid_v7(),
  safe_id uuid NOT NULL,
  -- The week (2026-W47) or month (2026-11) that ended.
  period text NOT NULL CHECK (period ~ '^[0-9]{4}-(W[0-9]{2}|[0-9]{2})$'),
  lines integer NOT NULL CHECK (lines BETWEEN 1 AND 1000),
  -- What was due when it was proposed: {asset: base units}.
  totals jsonb NOT NULL,
  proposed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- The batch that a preparer made of it.
  batch_id uuid,
  PRIMARY KEY (program_id, id),
  CONSTRAINT one_proposal_per_period UNIQUE (program_id, safe_id, period),
  UNIQUE (program_id, batch_id),
  FOREIGN KEY (program_id, safe_id) REFERENCES core.safes,
  FOREIGN KEY (program_id, batch_id) REFERENCES core.batches
);
CALL core.make_fixed('batch_proposals', 'batch_id');
CREATE TRIGGER proposals_are_adopted_once BEFORE UPDATE ON core.batch_proposals FOR EACH ROW WHEN (OLD.batch_id IS NOT NULL) EXECUTE FUNCTION core.refuse_change();

-- Proposes what is due in each program that is not closed or frozen; what was proposed for this period is left alone.
-- Answers how many proposals are new.
CREATE FUNCTION api.propose_batches() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  made record;
  proposed integer := 0;
  at timestamptz := clock_timestamp();
BEGIN
  PERFORM core.require_machine('worker');
  FOR made IN
    INSERT INTO core.batch_proposals (program_id, safe_id, period, lines, totals)
    SELECT s.program_id, s.id,
      to_char((core.period_start(g.id, at) AT TIME ZONE g.time_zone) - interval '1 day', CASE r.frequency WHEN 'WEEKLY' THEN 'IYYY"-W"IW' ELSE 'YYYY-MM' END),
      least(sum(d.lines), 1000)::integer, jsonb_object_agg(d.asset_id, d.amount::text)
    FROM core.programs g
    CROSS JOIN LATERAL core.rule_at(g.id, at) r
    JOIN core.safes s ON s.program_id = g.id
    CROSS JOIN LATERAL (SELECT x.asset_id, count(*) AS lines, sum(x.amount) AS amount FROM core.due(g.id, at) x JOIN core.assets a ON a.program_id = g.id AND a.id = x.asset_id AND a.chain_id = s.chain_id
                        WHERE x.obstacle IS NULL GROUP BY x.asset_id) d
    WHERE g.status <> 'CLOSED' AND NOT EXISTS (SELECT FROM core.freezes f WHERE f.program_id = g.id AND f.lifted_at IS NULL AND f.noun_id IN (g.id, s.id))
    GROUP BY s.program_id, s.id, g.id, g.time_zone, r.frequency
    ON CONFLICT ON CONSTRAINT one_proposal_per_period DO NOTHING
    RETURNING program_id, id, safe_id, period, lines LOOP
    PERFORM core.audit(made.program_id, 'batch.proposed', made.id, json_build_object('safe', made.safe_id, 'period', made.period, 'lines', made.lines));
    proposed := proposed + 1;
  END LOOP;
  RETURN proposed;
END $$;

-- Makes the batch of a proposal from what is due now, in the name of the caller, who becomes its preparer.
CREATE FUNCTION api.adopt_proposal(p_program uuid, p_proposal uuid) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  proposal core.batch_proposals;
  batch core.batches;
BEGIN
  PERFORM core.require(p_program, 'create_batch');
  SELECT * INTO proposal FROM core.batch_proposals o WHERE o.program_id = p_program AND o.id = p_proposal FOR UPDATE;
  IF proposal.id IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'There is no such proposal in this program';
  END IF;
  IF proposal.batch_id IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('This proposal is batch %s already', (SELECT b.number FROM core.batches b WHERE b.program_id = p_program AND b.id = proposal.batch_id));
  END IF;
  batch := core.new_commission_batch(p_program, proposal.safe_id, format('Commissions %s', proposal.period));
  UPDATE core.batch_proposals SET batch_id = batch.id WHERE program_id = p_program AND id = p_proposal;
  PERFORM core.audit(p_program, 'batch.adopted', batch.id, json_build_object('number', batch.number, 'proposal', p_proposal, 'period', proposal.period));
  RETURN batch.id;
END $$;

GRANT EXECUTE ON FUNCTION api.propose_batches() TO countersign_worker;
GRANT EXECUTE ON FUNCTION api.adopt_proposal(uuid, uuid) TO countersign_staff;
