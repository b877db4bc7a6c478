-- Sanctions lists, imported from a file by a person: each import is a version. What it adds is blocked at once; what it no longer
-- names stays blocked until two people say that it replaces the versions before it.

CREATE TABLE core.sanctions_lists (
  program_id uuid NOT NULL REFERENCES core.programs,
  id uuid NOT NULL DEFAULT core.uuid_v7(),
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 80 AND name = btrim(name)),
  version integer NOT NULL CHECK (version >= 1),
  published_on date NOT NULL,
  file_name text NOT NULL,
  file_sha256 bytea NOT NULL CHECK (length(file_sha256) = 32),
  entries integer NOT NULL CHECK (entries >= 1),
  imported_by uuid NOT NULL REFERENCES core.staff,
  imported_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (program_id, id),
  UNIQUE (program_id, name, version)
);
CREATE TABLE core.sanctions_entries (
  program_id uuid NOT NULL,
  list_id uuid NOT NULL,
  address bytea NOT NULL CHECK (length(address) = 20),
  -- Who is listed, and the number of the entry where the list has one.
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 400),
  entry text CHECK (length(entry) BETWEEN 1 AND 40),
  PRIMARY KEY (program_id, list_id, address),
  FOREIGN KEY (program_id, list_id) REFERENCES core.sanctions_lists
);
CREATE INDEX sanctions_entries_by_address ON core.sanctions_entries (program_id, address);
CALL core.make_append_only('sanctions_lists');
CALL core.make_append_only('sanctions_entries');

-- Versions that replace those before them, as two people said.
CREATE TABLE core.sanctions_replacements (
  program_id uuid NOT NULL,
  list_id uuid NOT NULL,
  change_id uuid NOT NULL REFERENCES core.change_requests,
  PRIMARY KEY (program_id, list_id),
  FOREIGN KEY (program_id, list_id) REFERENCES core.sanctions_lists
);
CALL core.make_append_only('sanctions_replacements');
CALL core.make_two_signed('sanctions_replacements', 'change_id', '', 'sanctions.replace');

-- {list_id}: a version of a list, by its id.
CREATE FUNCTION core.apply_sanctions_replace(p_request core.change_requests) RETURNS uuid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  list core.sanctions_lists;
BEGIN
  SELECT * INTO list FROM core.sanctions_lists l WHERE l.program_id = p_request.program_id AND l.id = (p_request.payload ->> 'list_id')::uuid;
  IF list.id IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'There is no such version of a sanctions list in this program';
  END IF;
  INSERT INTO core.sanctions_replacements (program_id, list_id, change_id) VALUES (list.program_id, list.id, p_request.id);
  RETURN list.id;
END $$;

-- An entry comes with its import: the list that a person approved of is the one in the file.
CREATE FUNCTION core.guard_sanctions_entry() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  wrong record;
BEGIN
  SELECT l.name, l.entries, count(e.address) AS found INTO wrong
  FROM (SELECT DISTINCT program_id, list_id FROM inserted) i JOIN core.sanctions_lists l ON l.program_id = i.program_id AND l.id = i.list_id
  LEFT JOIN core.sanctions_entries e ON e.program_id = l.program_id AND e.list_id = l.id
  GROUP BY l.id, l.name, l.entries HAVING count(e.address) <> l.entries LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('The list %s has %s entries, not %s: import its file as a new version', wrong.name, wrong.entries, wrong.found);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER sanctions_lists_are_whole AFTER INSERT ON core.sanctions_entries
  REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION core.guard_sanctions_entry();

-- p_entries: [{address, name, entry}], an address once. Answers the version and what changed against the one before.
CREATE FUNCTION api.import_sanctions(p_program uuid, p_name text, p_published_on date, p_file_name text, p_file_sha256 bytea, p_entries jsonb)
RETURNS TABLE (list_id uuid, version integer, entries integer, added integer, removed integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  person uuid := core.require(p_program, 'manage_rules');
  before core.sanctions_lists;
  list core.sanctions_lists;
BEGIN
  IF (length(p_name) BETWEEN 1 AND 80 AND p_name = btrim(p_name) AND isfinite(p_published_on) AND p_published_on <= current_date + 1 AND length(p_file_name) > 0 AND length(p_file_sha256) = 32) IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'A sanctions list has a name of 1 to 80 characters, the day it was published, and a file with its SHA-256';
  END IF;
  IF jsonb_typeof(p_entries) IS DISTINCT FROM 'array' OR jsonb_array_length(p_entries) NOT BETWEEN 1 AND 200000 THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'A sanctions list has 1 to 200,000 addresses: one without any would block nothing';
  END IF;
  -- Versions are counted under a lock on the program.
  PERFORM 1 FROM core.programs p WHERE p.id = p_program FOR NO KEY UPDATE;
  SELECT * INTO before FROM core.sanctions_lists l WHERE l.program_id = p_program AND l.name = p_name ORDER BY l.version DESC LIMIT 1;
  IF before.file_sha256 = p_file_sha256 THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('This file is version %s of %s already, imported on %s', before.version, before.name, (before.imported_at AT TIME ZONE 'UTC')::date);
  END IF;
  IF before.published_on > p_published_on THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('The list in force was published on %s, after this one: an older list would let payments pass that are blocked now', before.published_on);
  END IF;
  INSERT INTO core.sanctions_lists (program_id, name, version, published_on, file_name, file_sha256, entries, imported_by)
  VALUES (p_program, p_name, coalesce(before.version, 0) + 1, p_published_on, p_file_name, p_file_sha256, jsonb_array_length(p_entries), person) RETURNING * INTO list;
  INSERT INTO core.sanctions_entries (program_id, list_id, address, name, entry)
  SELECT p_program, list.id, core.parse_address(e.address), e.name, e.entry FROM jsonb_to_recordset(p_entries) AS e(address text, name text, entry text);
  list_id := list.id;
  version := list.version;
  entries := list.entries;
  SELECT count(*) INTO added FROM core.sanctions_entries e WHERE e.program_id = p_program AND e.list_id = list.id
    AND NOT EXISTS (SELECT FROM core.sanctions_entries o WHERE o.program_id = p_program AND o.list_id = before.id AND o.address = e.address);
  SELECT count(*) INTO removed FROM core.sanctions_entries o WHERE o.program_id = p_program AND o.list_id = before.id
    AND NOT EXISTS (SELECT FROM core.sanctions_entries e WHERE e.program_id = p_program AND e.list_id = list.id AND e.address = o.address);
  PERFORM core.audit(p_program, 'sanctions.imported', list.id, json_build_object('list', p_name, 'version', version, 'published_on', p_published_on, 'file', p_file_name,
    'sha256', encode(p_file_sha256, 'hex'), 'entries', entries, 'added', added, 'removed', removed));
  RETURN NEXT;
EXCEPTION
  WHEN unique_violation THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'The list names an address twice. Nothing was imported';
  WHEN check_violation OR not_null_violation THEN
    RAISE EXCEPTION USING ERRCODE = 'CS422', MESSAGE = 'Each entry has an address, a name of 1 to 400 characters and at most 40 characters of number. Nothing was imported';
END $$;

-- Entries of the lists in force that name an address, of each list the newest that does.
CREATE FUNCTION core.sanctions_on(p_program uuid, p_address bytea) RETURNS TABLE (list text, published_on date, name text, entry text) LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT DISTINCT ON (l.name) l.name, l.published_on, e.name, e.entry
  FROM core.sanctions_entries e JOIN core.sanctions_lists l ON l.program_id = e.program_id AND l.id = e.list_id
  WHERE e.program_id = p_program AND e.address = p_address
    AND NOT EXISTS (SELECT FROM core.sanctions_lists n JOIN core.sanctions_replacements r ON r.program_id = n.program_id AND r.list_id = n.id
                    WHERE n.program_id = l.program_id AND n.name = l.name AND n.version > l.version)
  ORDER BY l.name, l.version DESC
$$;

-- Refuses a line to a listed address, with the entry. All lines of a batch, or those of one leg.
CREATE FUNCTION core.refuse_sanctioned(p_program uuid, p_batch uuid, p_leg integer) RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  hit record;
BEGIN
  SELECT p.line_no, p.recipient, l.* INTO hit
  FROM core.payouts p CROSS JOIN LATERAL core.sanctions_on(p.program_id, p.recipient) l
  WHERE p.program_id = p_program AND p.batch_id = p_batch AND (p_leg IS NULL OR p.leg_index = p_leg) AND EXISTS (SELECT FROM core.sanctions_entries e WHERE e.program_id = p.program_id AND e.address = p.recipient)
  ORDER BY p.line_no, l.list LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = format('Line %s pays %s, which %s of %s lists as %s%s: nothing is paid', hit.line_no, core.hex_address(hit.recipient), hit.list, hit.published_on,
      hit.name, coalesce(' (entry ' || hit.entry || ')', ''));
  END IF;
END $$;

GRANT EXECUTE ON FUNCTION api.import_sanctions(uuid, text, date, text, bytea, jsonb) TO countersign_staff;
