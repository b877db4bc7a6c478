SET LOCAL session_replication_role = replica;
CREATE TABLE bench_intents AS
SELECT ((row_number() OVER (ORDER BY i.id) - 1) / current_setting('bench.set')::integer)::integer AS set, i AS row FROM core.intents i WHERE i.state = 'COMPLETED';
CREATE INDEX ON bench_intents (((row).id));
CREATE TABLE bench_settlements AS SELECT b.set, s AS row FROM bench_intents b JOIN core.settlements s ON s.intent_id = (b.row).id;
CREATE TABLE bench_commissions AS SELECT b.set, c AS row FROM bench_settlements b JOIN core.commissions c ON c.settlement_id = (b.row).id;
CREATE TABLE bench_transfers AS
SELECT b.set, t AS row FROM bench_settlements b JOIN core.transfers t ON t.reason = 'settlement' AND t.cause_id = (b.row).id
UNION ALL
SELECT b.set, t FROM bench_commissions b JOIN core.transfers t ON t.reason = 'accrual' AND t.cause_id = (b.row).id;
CREATE INDEX ON bench_intents (set);
CREATE INDEX ON bench_settlements (set);
CREATE INDEX ON bench_commissions (set);
CREATE INDEX ON bench_transfers (set);
TRUNCATE core.intents, core.settlements, core.commissions, core.transfers CASCADE;
ALTER TABLE core.intents DISABLE TRIGGER USER;
ALTER TABLE core.settlements DISABLE TRIGGER USER;
ALTER TABLE core.commissions DISABLE TRIGGER USER;
ALTER TABLE core.transfers DISABLE TRIGGER USER;
