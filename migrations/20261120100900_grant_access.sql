-- Who reads what and who calls what. Staff write no table at all; rows of other programs do not exist for them.

DO $$
DECLARE
  table_name text;
BEGIN
  -- Per program: every staff table is behind the same rule.
  FOREACH table_name IN ARRAY ARRAY['assets', 'affiliates', 'payees', 'payee_addresses', 'users', 'commission_rules', 'commission_rule_tiers', 'commission_rule_assets', 'affiliate_terms', 'intents', 'settlements',
    'commissions', 'accounts', 'transfers', 'safes', 'safe_owners', 'safe_balances', 'policies', 'batches', 'batch_participants', 'batch_revisions', 'line_marks', 'approvals', 'payouts',
    'payout_sources', 'safe_transactions', 'signatures', 'submissions', 'broadcasts', 'rejections', 'rejection_signatures', 'foreign_executions', 'reverted_broadcasts', 'evidence', 'freezes', 'reconciliation_runs', 'matches', 'discrepancies', 'exports',
    'opening_balances', 'inflows', 'inflow_matches', 'gas_payments', 'batch_proposals', 'sanctions_lists', 'sanctions_entries', 'sanctions_replacements', 'schedule_runs', 'tombstones'] LOOP
    EXECUTE format('ALTER TABLE core.%I ENABLE ROW LEVEL SECURITY', table_name);
    EXECUTE format('CREATE POLICY own_programs ON core.%I FOR SELECT TO countersign_staff USING (program_id IN (SELECT core.my_programs()))', table_name);
    IF table_name NOT IN ('signatures', 'rejection_signatures', 'submissions', 'broadcasts') THEN
      EXECUTE format('GRANT SELECT ON core.%I TO countersign_staff', table_name);
    END IF;
  END LOOP;
  FOREACH table_name IN ARRAY ARRAY['programs', 'audit_entries', 'seals', 'staff', 'machines', 'identity_keys', 'grants', 'change_requests', 'heartbeats'] LOOP
    EXECUTE format('ALTER TABLE core.%I ENABLE ROW LEVEL SECURITY', table_name);
  END LOOP;
END $$;

-- Who signed is known to everybody in the program; the signature itself only to who executes.
GRANT SELECT (program_id, safe_transaction_id, batch_id, safe_id, owner, owner_safe_id, child, staff_id, content_hash, safe_tx_hash, key_kind, signed_at) ON core.signatures TO countersign_staff;
GRANT SELECT (program_id, safe_transaction_id, safe_id, owner, staff_id, safe_tx_hash, key_kind, signed_at) ON core.rejection_signatures TO countersign_staff;

CREATE POLICY own_programs ON core.programs FOR SELECT TO countersign_staff USING (id IN (SELECT core.my_programs()));
CREATE POLICY auditors ON core.audit_entries FOR SELECT TO countersign_staff
  USING (program_id IN (SELECT core.my_audit_programs()) OR (program_id IS NULL AND (SELECT core.can(NULL, 'view_audit'))));
CREATE POLICY auditors ON core.seals FOR SELECT TO countersign_staff
  USING (program_id IN (SELECT core.my_audit_programs()) OR (program_id = '00000000-0000-0000-0000-000000000000' AND (SELECT core.can(NULL, 'view_audit'))));
-- Names and keys of colleagues: needed to say who did what and to verify it.
CREATE POLICY colleagues ON core.staff FOR SELECT TO countersign_staff USING ((SELECT core.me()) IS NOT NULL);
CREATE POLICY colleagues ON core.identity_keys FOR SELECT TO countersign_staff USING ((SELECT core.me()) IS NOT NULL);
CREATE POLICY own_programs ON core.grants FOR SELECT TO countersign_staff
  USING (staff_id = (SELECT core.me()) OR (program_id IS NULL AND (SELECT core.me()) IS NOT NULL) OR program_id IN (SELECT core.my_programs()));
-- What writes what nobody signs is verified by everybody's own machine (law 4): a login is no secret.
CREATE POLICY own_programs ON core.machines FOR SELECT TO countersign_staff
  USING ((program_id IS NULL AND (SELECT core.me()) IS NOT NULL) OR program_id IN (SELECT core.my_programs()));
CREATE POLICY own_programs ON core.change_requests FOR SELECT TO countersign_staff
  USING (proposed_by = (SELECT core.me()) OR program_id IN (SELECT core.my_programs())
         OR (program_id IS NULL AND ((SELECT core.can(NULL, 'manage_staff')) OR (SELECT core.can(NULL, 'manage_rules'))))
         -- Who may do what, and whose key signs it, is verified by everybody's own machine (law 4).
         OR (program_id IS NULL AND (SELECT core.me()) IS NOT NULL AND (id IN (SELECT core.my_programs())
             OR kind IN ('staff.add', 'staff.revoke', 'grant.add', 'grant.revoke', 'identity_key.add', 'chain.add', 'policy_default.set')
             -- Machines that serve all programs, and those of one's own.
             OR (kind IN ('machine.add', 'machine.revoke') AND EXISTS (SELECT FROM core.machines m WHERE m.login = payload ->> 'login')))));
CREATE POLICY colleagues ON core.heartbeats FOR SELECT TO countersign_staff USING ((SELECT core.me()) IS NOT NULL);
GRANT SELECT ON core.programs, core.audit_entries, core.seals, core.staff, core.machines, core.identity_keys, core.grants, core.change_requests, core.heartbeats, core.removed_owners,
  core.chains, core.schedules, core.policy_defaults, core.roles, core.role_permissions, core.state_transitions, core.intent_errors TO countersign_staff;

GRANT EXECUTE ON FUNCTION core.me(), core.holds(uuid, uuid, text), core.can(uuid, text), core.my_programs(), core.my_audit_programs(),
  core.required_approvers(uuid, uuid), core.stakes(uuid, uuid), core.is_high_value(uuid, uuid), core.approvals_that_count(uuid, uuid, bytea), core.unpayable_lines(uuid, uuid), core.sanctions_on(uuid, bytea), core.batch_content_hash(uuid, uuid), core.field(bytea), core.field(text), core.hex_address(bytea) TO countersign_staff;

GRANT EXECUTE ON FUNCTION api.propose_change(uuid, uuid, text, json, bytea), api.audit_seal(uuid, bigint), api.confirm_change(uuid, bytea, bytea), api.withdraw_change(uuid, text), api.freeze(uuid, text, uuid, text), api.revive_intent(uuid, uuid[], text),
  api.import_batch(uuid, uuid, text, text, bytea, text, jsonb), api.create_commission_batch(uuid, uuid, text),
  api.submit_batch(uuid, uuid, jsonb, bytea, bytea), api.approve_batch(uuid, uuid, bytea, bytea), api.return_batch(uuid, uuid, text, jsonb), api.take_out_lines(uuid, uuid, integer[]),
  api.reject_batch(uuid, uuid, text), api.cancel_batch(uuid, uuid, text), api.carry_batch(uuid, uuid, bytea[]), api.sign_leg(uuid, uuid, integer, bytea, text, bytea, text, bytea),
  api.ask_rejection(uuid, uuid, integer[], text), api.sign_rejection(uuid, uuid, integer, bytea, bytea, text, bytea),
  api.execute_batch(uuid, uuid, bytea), api.send_leg(uuid, uuid, bytea, bytea, bytea, bigint), api.ask_for_package(uuid, uuid), api.execution_package(uuid, uuid),
  api.record_reconciliation(uuid, timestamptz, bigint, bigint, integer, jsonb, jsonb),
  api.record_export(uuid, text, date, date, text, integer, bytea) TO countersign_staff;

GRANT EXECUTE ON FUNCTION api.submit_intents(text, jsonb), api.confirm_settlements(uuid[]) TO countersign_platform;
GRANT EXECUTE ON FUNCTION api.claim_intents(integer, interval), api.process_intents(bigint), api.mature_commissions(uuid), api.seal_audit() TO countersign_worker;
GRANT EXECUTE ON FUNCTION api.executor_work(bigint), api.batch_proof(uuid, uuid), api.record_submission(uuid, uuid, bytea, bytea, bytea, bigint), api.record_replacement(uuid, uuid, bytea, bytea, bytea, bigint),
  api.record_rejection(uuid, uuid, bytea, bytea, bytea, bigint), api.record_rejection_replacement(uuid, uuid, bytea, bytea, bytea, bigint) TO countersign_executor;
GRANT EXECUTE ON FUNCTION api.watcher_work(bigint), api.watcher_safes(bigint), api.observe_safe(uuid, uuid, bigint, bigint, bytea[], jsonb),
  api.record_mined(uuid, uuid, bytea, bigint, bytea), api.record_executed_by(uuid, uuid, bytea, bigint, bytea), api.record_unmined(uuid, uuid), api.record_reverted(uuid, uuid, bytea, bigint, bytea),
  api.watcher_confirmed(bigint), api.inflow_cursors(bigint), api.record_inflows_read(uuid, uuid, bigint, bigint), api.watcher_inflow_blocks(bigint), api.record_inflows_gone(bigint, bigint, bytea), api.record_unknown(uuid, uuid), api.record_unpaid(uuid, uuid, bigint, bytea), api.record_replaced(uuid, uuid, bytea, boolean, bytea, bigint),
  api.record_confirmed(uuid, uuid, bigint, bytea, timestamptz, jsonb), api.record_failed(uuid, uuid, bigint, bytea, text) TO countersign_watcher;
GRANT EXECUTE ON FUNCTION api.reconciliation_safes(uuid), api.reconciliation_assets(uuid), api.reconciliation_lines(uuid), api.reconciliation_postings(uuid)
  TO countersign_staff, countersign_watcher;
GRANT EXECUTE ON FUNCTION api.record_nightly_reconciliation(uuid, timestamptz, bigint, timestamptz, bigint, bigint, integer, jsonb, jsonb) TO countersign_watcher;
GRANT EXECUTE ON FUNCTION api.do_run(text, uuid, timestamptz, bigint), api.reap_leases(), api.retry_intents(), api.change_horizon() TO countersign_worker;
GRANT EXECUTE ON FUNCTION api.claim_run(text, text, interval), api.renew_run(text, uuid, timestamptz, bigint, interval),
  api.release_run(text, uuid, timestamptz, bigint, text) TO countersign_worker, countersign_watcher;
GRANT EXECUTE ON FUNCTION api.heartbeat(text, text, json), api.metrics() TO countersign_worker, countersign_watcher, countersign_executor;

-- What consoles replicate carries the transaction that changed it last: every table of a program that staff read, and those of
-- the whole house that a console needs to say who did what.
DO $$
DECLARE
  table_name text;
BEGIN
  FOR table_name IN
    SELECT c.relname FROM pg_class c JOIN pg_policy p ON p.polrelid = c.oid
    WHERE c.relnamespace = 'core'::regnamespace AND has_any_column_privilege('countersign_staff', c.oid, 'SELECT') AND c.relname NOT IN ('heartbeats', 'tombstones')
    UNION VALUES ('chains')
    ORDER BY 1 LOOP
    CALL core.make_replicated(table_name);
    -- Where they read some columns only, they read this one too.
    EXECUTE format('GRANT SELECT (changed_xid) ON core.%I TO countersign_staff', table_name);
  END LOOP;
END $$;

-- No table is emptied, not even by its owner.
DO $$
DECLARE
  table_name text;
BEGIN
  FOR table_name IN
    SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'core'::regnamespace AND c.relkind = 'r' AND c.relname <> '_sqlx_migrations'
      AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND (t.tgtype & 32) <> 0) LOOP
    EXECUTE format('CREATE TRIGGER is_never_emptied BEFORE TRUNCATE ON core.%I FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change()', table_name);
  END LOOP;
END $$;

-- The version of the schema, for whoever may connect.
CREATE FUNCTION api.schema_version() RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$$ SELECT max(version) FROM core._sqlx_migrations WHERE success $$;
GRANT EXECUTE ON FUNCTION api.schema_version() TO countersign_staff, countersign_platform, countersign_worker, countersign_watcher, countersign_executor;
