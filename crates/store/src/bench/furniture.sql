INSERT INTO core.chains (id, name, confirmation_depth, gas_max) VALUES (31337, 'Local', 1, 16777216);
INSERT INTO core.programs (slug, name) VALUES ('bench', 'Bench');
INSERT INTO core.assets (program_id, chain_id, token, symbol, decimals)
SELECT p.id, 31337, decode(repeat('cc', 20), 'hex'), 'USDC', 6 FROM core.programs p;
INSERT INTO core.commission_rules (program_id, base_rate, override_rate, effective_from) SELECT p.id, 0.1, 0.05, '2026-01-01Z' FROM core.programs p;
INSERT INTO core.affiliates (program_id, name, wallet, referral_code)
SELECT p.id, 'Parent ' || n, decode(lpad(to_hex(9000000 + n), 40, '0'), 'hex'), 'PARENT-' || n FROM core.programs p, generate_series(1, 10) n;
INSERT INTO core.affiliates (program_id, name, wallet, referral_code, parent_id)
SELECT p.id, 'Affiliate ' || n, decode(lpad(to_hex(8000000 + n), 40, '0'), 'hex'), 'AFFILIATE-' || n,
       (SELECT a.id FROM core.affiliates a WHERE a.referral_code = 'PARENT-' || (1 + n % 10))
FROM core.programs p, generate_series(1, 200) n;
INSERT INTO core.users (program_id, wallet, affiliate_id, registered_at)
SELECT p.id, decode(lpad(to_hex(n), 40, '0'), 'hex'), (SELECT a.id FROM core.affiliates a WHERE a.referral_code = 'AFFILIATE-' || (1 + n % 200)), '2026-02-01Z'
FROM core.programs p, generate_series(1, 2000) n;
WITH safe AS (
  INSERT INTO core.safes (program_id, name, chain_id, address, version, singleton, fallback_handler, threshold)
  SELECT p.id, 'Bench', 31337, decode(repeat('5a', 20), 'hex'), '1.4.1', decode(repeat('01', 20), 'hex'), decode(repeat('02', 20), 'hex'), 2 FROM core.programs p
  RETURNING program_id, id)
INSERT INTO core.safe_owners (program_id, safe_id, owner) SELECT s.program_id, s.id, decode(repeat(o.byte, 20), 'hex') FROM safe s, (VALUES ('11'), ('22')) AS o(byte);
