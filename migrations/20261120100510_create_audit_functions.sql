-- The audit trail: what changed in rows that people decide about, and the chain that seals every entry (law 12).

-- Before and after of what changed in a row, by whom and from where. Rows that sets of intents write are not here: what was
-- done with those is in the ledger, which is append-only itself.
CREATE FUNCTION core.audit_row() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  is_now jsonb := to_jsonb(NEW);
  was jsonb := CASE WHEN TG_OP = 'UPDATE' THEN to_jsonb(OLD) END;
  noun text := is_now ->> 'id';
BEGIN
  INSERT INTO core.audit_entries (program_id, action, noun_id, detail, before, after)
  SELECT coalesce((is_now ->> 'program_id')::uuid, CASE TG_TABLE_NAME WHEN 'programs' THEN noun::uuid END),
    format('row.%s', CASE TG_OP WHEN 'UPDATE' THEN 'changed' ELSE 'made' END), CASE WHEN noun ~ '^[0-9a-f-]{36}$' THEN noun::uuid END,
    json_build_object('table', TG_TABLE_NAME), CASE WHEN was IS NOT NULL THEN jsonb_object_agg(c.key, was -> c.key)::json END, jsonb_object_agg(c.key, c.value)::json
  FROM jsonb_each(is_now) AS c WHERE c.key <> 'changed_xid' AND (was IS NULL OR was -> c.key IS DISTINCT FROM c.value)
  HAVING count(*) > 0;
  RETURN NULL;
END $$;

-- An UPDATE is looked at when its statement names one of these columns, all of them if none is named.
CREATE PROCEDURE core.make_audited(p_table text, VARIADIC p_columns text[] DEFAULT '{}') LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  EXECUTE format('CREATE TRIGGER is_audited AFTER INSERT OR UPDATE %s ON core.%I FOR EACH ROW EXECUTE FUNCTION core.audit_row()',
                 CASE WHEN cardinality(p_columns) > 0 THEN 'OF ' || (SELECT string_agg(quote_ident(c), ', ') FROM unnest(p_columns) AS c) ELSE '' END, p_table);
END $$;
CALL core.make_audited('programs');
CALL core.make_audited('staff');
CALL core.make_audited('machines');
CALL core.make_audited('identity_keys');
CALL core.make_audited('grants');
CALL core.make_audited('chains');
CALL core.make_audited('assets');
-- What the watcher observes of a Safe is no change of what people decided.
CALL core.make_audited('safes', 'name', 'chain_id', 'address', 'version', 'singleton', 'fallback_handler', 'threshold');
CALL core.make_audited('safe_owners');
CALL core.make_audited('policies');
CALL core.make_audited('policy_defaults');
CALL core.make_audited('commission_rules');
CALL core.make_audited('affiliate_terms');
CALL core.make_audited('affiliates');
CALL core.make_audited('payees');
CALL core.make_audited('payee_addresses');
CALL core.make_audited('freezes');
CALL core.make_audited('batches');

-- Every entry of a transaction below this is sealed. Only for speed: an entry is sealed once, whatever stands here.
CREATE TABLE core.seal_progress (
  is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
  sealed_below xid8 NOT NULL
);
INSERT INTO core.seal_progress (sealed_below) VALUES ('0');
CALL core.make_fixed('seal_progress', 'sealed_below');

-- It moves over sealed entries only: what it skipped would never be sealed.
CREATE FUNCTION core.guard_seal_progress() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NEW.sealed_below > pg_snapshot_xmin(pg_current_snapshot()) OR EXISTS (
    SELECT FROM core.audit_entries a WHERE a.changed_xid >= OLD.sealed_below AND a.changed_xid < NEW.sealed_below AND NOT EXISTS (SELECT FROM core.seals s WHERE s.audit_entry_id = a.id)) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'Entries of the audit trail below this are not sealed yet';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER progress_skips_nothing BEFORE UPDATE ON core.seal_progress FOR EACH ROW EXECUTE FUNCTION core.guard_seal_progress();

-- A seal follows the one before it in its chain and is the hash of both, in one look at each set.
CREATE FUNCTION core.guard_seals() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (
    SELECT FROM new_rows n JOIN core.audit_entries e ON e.id = n.audit_entry_id
    LEFT JOIN core.seals b ON b.program_id = n.program_id AND b.seq = n.seq - 1
    WHERE n.program_id <> coalesce(e.program_id, '00000000-0000-0000-0000-000000000000') OR (b.seq IS NULL AND n.seq <> 1)
       OR n.previous_hash <> coalesce(b.hash, decode(repeat('00', 32), 'hex')) OR n.hash <> sha256(n.previous_hash || core.audit_bytes(e))) THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'A seal is the hash of the seal before it and of its entry';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER seals_are_a_chain AFTER INSERT ON core.seals REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION core.guard_seals();

-- Seals up to 10,000 committed entries, each chain in the order in which this finds them. An entry of a transaction that is
-- still open is sealed by a later call, behind entries that were written after it: the order of a chain is that of its
-- sealing. So an idle transaction holds back its own entries and no others, for as long as it stays open; what grows with it
-- is only the part of the table that each call looks through, which is what was written since that transaction began.
CREATE FUNCTION api.seal_audit() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  batch_max CONSTANT integer := 10000;
  horizon xid8;
  since xid8;
  newest xid8;
  chain record;
  head core.seals;
  content bytea;
  hash bytea;
  hashes bytea[];
  sealed integer := 0;
BEGIN
  PERFORM core.require_machine('worker');
  LOCK TABLE core.seals IN SHARE ROW EXCLUSIVE MODE;
  -- Whatever began before this has ended, and the next statement sees it.
  horizon := pg_snapshot_xmin(pg_current_snapshot());
  SELECT sealed_below INTO since FROM core.seal_progress;
  -- Restored into another server, whose transactions are counted from the beginning.
  IF since > horizon THEN
    since := '0';
  END IF;
  FOR chain IN
    SELECT coalesce(e.program_id, '00000000-0000-0000-0000-000000000000') AS id, array_agg(e.id ORDER BY e.changed_xid, e.id) AS ids,
      array_agg(core.audit_bytes(e) ORDER BY e.changed_xid, e.id) AS contents, max(e.changed_xid::text::numeric)::text::xid8 AS newest
    FROM (SELECT a.* FROM core.audit_entries a
          WHERE a.changed_xid >= since AND NOT EXISTS (SELECT FROM core.seals s WHERE s.audit_entry_id = a.id)
          ORDER BY a.changed_xid, a.id LIMIT batch_max) e
    GROUP BY 1 LOOP
    SELECT * INTO head FROM core.seals s WHERE s.program_id = chain.id ORDER BY s.seq DESC LIMIT 1;
    hash := coalesce(head.hash, decode(repeat('00', 32), 'hex'));
    hashes := '{}';
    FOREACH content IN ARRAY chain.contents LOOP
      hash := sha256(hash || content);
      hashes := hashes || hash;
    END LOOP;
    INSERT INTO core.seals (program_id, seq, audit_entry_id, previous_hash, hash)
    SELECT chain.id, coalesce(head.seq, 0) + u.n, u.id, lag(u.hash, 1, coalesce(head.hash, decode(repeat('00', 32), 'hex'))) OVER (ORDER BY u.n), u.hash
    FROM unnest(chain.ids, hashes) WITH ORDINALITY AS u(id, hash, n);
    sealed := sealed + cardinality(hashes);
    newest := greatest(newest, chain.newest);
  END LOOP;
  -- A full call looked no further than its newest entry.
  IF sealed = batch_max THEN
    horizon := least(horizon, newest);
  END IF;
  UPDATE core.seal_progress SET sealed_below = horizon;
  RETURN sealed;
END $$;

-- A seal of a chain, the newest one if none is named: for every person of the program, who remembers it and asks for it again.
CREATE FUNCTION api.audit_seal(p_program uuid, p_seq bigint) RETURNS TABLE (seq bigint, hash bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT s.seq, s.hash FROM core.seals s
  WHERE s.program_id = coalesce(p_program, '00000000-0000-0000-0000-000000000000') AND (p_seq IS NULL OR s.seq = p_seq)
    AND (CASE WHEN p_program IS NULL THEN core.me() IS NOT NULL ELSE p_program IN (SELECT core.my_programs()) END)
  ORDER BY s.seq DESC LIMIT 1
$$;
