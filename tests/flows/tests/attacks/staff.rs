//! Abusive arguments of staff, under logins that may call the function.

use domain::id::BatchId;
use flows::House;
use flows::attack::{Attack, all_refused};
use flows::flow::{MULTI_SEND, safe_tx_hash};
use sqlx::AssertSqlSafe;

use crate::{bytes, signature, table};

fn import(house: &House, lines: &str) -> String {
    let program = house.acme();
    format!(
        "SELECT api.import_batch('{}', '{}', 'Title', 'abuse.csv', {}, '2026-02', {lines})",
        program.id,
        program.safe,
        bytes(32)
    )
}

fn line(house: &House, field: &str, value: &str) -> String {
    let mut line = serde_json::json!({ "line_no": 1, "asset_id": house.acme().usdc, "recipient": format!("0x{}", "d1".repeat(20)), "amount": "5", "reference": "r" });
    line[field] = serde_json::from_str(value).expect("JSON");
    import(house, &format!("'[{line}]'"))
}

#[tokio::test]
async fn a_file_that_cannot_be_a_batch_creates_nothing() {
    let house = House::new().await;
    let acme = house.acme();
    let many = "(SELECT jsonb_agg(jsonb_build_object('line_no', n)) FROM generate_series(1, 1001) n)";
    let safe = format!("{:?}", format!("{:#x}", acme.safe_address));
    let foreign_safe = import(&house, "'[{}]'").replace(&acme.safe.to_string(), &house.other().safe.to_string());
    let spaces = line(&house, "amount", "\"5\"").replace("'2026-02'", "' 2026-02'");
    let no_hash = line(&house, "amount", "\"5\"").replace(&bytes(32), "NULL");
    let no_title = line(&house, "amount", "\"5\"").replace("'Title'", "NULL");
    let no_program = line(&house, "amount", "\"5\"").replace(&format!("'{}', '", acme.id), "NULL, '");
    let other_asset = format!("\"{}\"", house.other().usdc);
    let attacks = table(
        "pia",
        vec![
            ("lines that are NULL", import(&house, "NULL"), "CS422", "are a list"),
            ("lines that are no list", import(&house, "'{}'"), "CS422", "are a list"),
            ("no line at all", import(&house, "'[]'"), "CS422", "1 to 1,000 lines"),
            ("a thousand and one lines", import(&house, many), "CS422", "this file has 1001"),
            ("a negative line number", line(&house, "line_no", "-1"), "CS422", "a number from 1 to 1,000"),
            ("line number zero", line(&house, "line_no", "0"), "CS422", "a number from 1 to 1,000"),
            ("no line number", line(&house, "line_no", "null"), "CS422", "a number from 1 to 1,000"),
            (
                "an asset of another program",
                line(&house, "asset_id", &other_asset),
                "CS422",
                "does not belong to this program",
            ),
            ("a Safe of another program", foreign_safe, "CS422", "a Safe of its program"),
            ("nothing", line(&house, "amount", "\"0\""), "CS422", "above zero"),
            ("an amount in scientific notation", line(&house, "amount", "\"1e3\""), "CS422", "is not an amount"),
            ("a negative amount", line(&house, "amount", "\"-5\""), "CS422", "is not an amount"),
            (
                "an amount of 39 digits",
                line(&house, "amount", &format!("\"{}\"", "9".repeat(39))),
                "CS422",
                "is not an amount",
            ),
            ("no amount", line(&house, "amount", "null"), "CS422", "is not an amount"),
            (
                "the zero address",
                line(&house, "recipient", &format!("\"0x{}\"", "0".repeat(40))),
                "CS422",
                "a recipient other than zero",
            ),
            ("the Safe pays itself", line(&house, "recipient", &safe), "CS422", "pays the Safe itself"),
            (
                "the token contract is paid",
                line(&house, "recipient", &format!("\"0x{}\"", "aa".repeat(20))),
                "CS422",
                "or the token contract",
            ),
            (
                "a reference that is too long",
                line(&house, "reference", &format!("\"{}\"", "r".repeat(141))),
                "CS422",
                "140 characters",
            ),
            ("a period in disguise", spaces, "CS422", "without spaces"),
            ("a file without a hash", no_hash, "CS422", "known by its name, its SHA-256"),
            ("a batch without a title", no_title, "CS422", "a title"),
            ("a program that is NULL", no_program, "CS403", "pia may not do this"),
        ],
    );
    all_refused(&house, &attacks).await;
    assert_eq!(house.read("SELECT count(*) FROM core.batches").await, "0");
}

fn submit(house: &House, batch: BatchId, plan: &str, hash: &str, signature: &str) -> String {
    format!("SELECT api.submit_batch('{}', '{batch}', {plan}, {hash}, {signature})", house.acme().id)
}

#[tokio::test]
async fn a_plan_pays_each_line_once_through_multi_send() {
    let house = House::new().await;
    let batch = house.import("pia", "plan.csv", &[house.line(1, 5), house.line(2, 6)]).await;
    let plan = |legs: &[(&str, &str)]| {
        let legs: Vec<String> = legs
            .iter()
            .map(|(index, lines)| format!(r#"{{"leg_index":{index},"line_nos":{lines},"to":"{MULTI_SEND}"}}"#))
            .collect();
        format!("'[{}]'", legs.join(","))
    };
    let good = plan(&[("1", "[1,2]")]);
    let hash = format!("'\\x{}'", hex(&house.content("pia", batch).await.hash));
    let with = |plan: &str| submit(&house, batch, plan, &hash, &signature());
    let bybit = good.replace(MULTI_SEND, &format!("0x{}", "66".repeat(20)));
    let attacks = table(
        "pia",
        vec![
            ("a plan that is NULL", with("NULL"), "CS422", "list of 1 to 1,000 legs"),
            ("a plan that is no list", with("'{}'"), "CS422", "list of 1 to 1,000 legs"),
            ("an empty plan", with("'[]'"), "CS422", "list of 1 to 1,000 legs"),
            ("a plan that leaves a nonce out", with(&plan(&[("1", "[1]"), ("3", "[2]")])), "CS422", "numbered 1, 2, 3"),
            ("two legs of one number", with(&plan(&[("1", "[1]"), ("1", "[2]")])), "CS422", "numbered 1, 2, 3"),
            ("a leg number as text", with(&plan(&[("\"x\"", "[1,2]")])), "CS422", "numbered 1, 2, 3"),
            ("lines that are NULL", with(&plan(&[("1", "null")])), "CS422", "each with its list of lines"),
            ("a leg without lines", with(&plan(&[("1", "[1,2]"), ("2", "[]")])), "CS422", "pays at least one line"),
            ("half a line", with(&plan(&[("1", "[1,1.5]")])), "CS422", "by its number"),
            ("a line twice", with(&plan(&[("1", "[1,2,1]")])), "CS422", "pays each line exactly once"),
            (
                "a line in two legs",
                with(&plan(&[("1", "[1,2]"), ("2", "[2]")])),
                "CS422",
                "pays each line exactly once",
            ),
            ("a line is left out", with(&plan(&[("1", "[1]")])), "CS422", "pays each line exactly once"),
            ("a line that is not there", with(&plan(&[("1", "[1,3]")])), "CS422", "pays each line exactly once"),
            ("a delegate call to another contract", with(&bybit), "23514", "a_leg_calls_multi_send_call_only"),
            (
                "no content hash",
                submit(&house, batch, &good, "NULL", &signature()),
                "CS409",
                "content hash is not that",
            ),
            (
                "another content hash",
                submit(&house, batch, &good, &bytes(32), &signature()),
                "CS409",
                "content hash is not that",
            ),
            ("no signature", submit(&house, batch, &good, &hash, "NULL"), "CS422", "signature of 64 bytes"),
            ("half a signature", submit(&house, batch, &good, &hash, &bytes(32)), "CS422", "signature of 64 bytes"),
        ],
    );
    all_refused(&house, &attacks).await;
    house.submit("pia", batch).await;
    let again =
        table("pol", vec![("submitted twice", with(&good), "CS409", "is PENDING_APPROVAL now; this needs DRAFT")]);
    all_refused(&house, &again).await;
}

#[tokio::test]
async fn an_approval_is_of_one_content_by_one_other_person() {
    let house = House::new().await;
    let draft = house.import("pia", "draft.csv", &[house.line(1, 5)]).await;
    let batch = house.import("pia", "pending.csv", &[house.line(1, 5)]).await;
    let hash = house.submit("pia", batch).await;
    house.approve("mia", batch, &hash).await.expect("an approval");
    let program = house.acme().id;
    let approve = |batch: BatchId, hash: &str, signature: &str| {
        format!("SELECT api.approve_batch('{program}', '{batch}', {hash}, {signature})")
    };
    let hash = format!("'\\x{}'", hex(&hash));
    let mut attacks = table(
        "mia",
        vec![
            (
                "the same approval twice",
                approve(batch, &hash, &signature()),
                "CS409",
                "You approved this content already",
            ),
            ("no content", approve(batch, "NULL", &signature()), "CS409", "changed since it was shown"),
            ("another content", approve(batch, &bytes(32), &signature()), "CS409", "changed since it was shown"),
            ("no content of a draft", approve(draft, "NULL", &signature()), "CS409", "is not waiting for approval"),
            ("no signature", approve(batch, &hash, "NULL"), "CS422", "signature of 64 bytes"),
            (
                "a batch that is not there",
                approve(BatchId::new(program.as_uuid()), &hash, &signature()),
                "CS422",
                "no such batch",
            ),
            (
                "a rejection without a reason",
                format!("SELECT api.reject_batch('{program}', '{batch}', NULL)"),
                "CS422",
                "at least ten characters",
            ),
            (
                "a return for spaces",
                format!("SELECT api.return_batch('{program}', '{batch}', '            ', '[]')"),
                "CS422",
                "at least ten characters",
            ),
            (
                "a signature before the policy is satisfied",
                sign(&house, batch, 1, "SOFTWARE"),
                "CS409",
                "this needs APPROVED",
            ),
            (
                "execution before approval",
                format!(
                    "SELECT api.execute_batch('{program}', '{batch}', (SELECT content_hash FROM core.batches WHERE id = '{batch}'))"
                ),
                "CS409",
                "this needs APPROVED",
            ),
        ],
    );
    let cancel = |reason: &str| format!("SELECT api.cancel_batch('{program}', '{batch}', {reason})");
    attacks.extend(table("vic", vec![("a viewer cancels", cancel("'because I can'"), "CS403", "permission operate")]));
    attacks.extend(table(
        "pia",
        vec![("a cancellation without a reason", cancel("NULL"), "CS422", "at least ten characters")],
    ));
    attacks.extend(table(
        "pia",
        vec![("a preparer approves", approve(batch, &hash, &signature()), "CS403", "permission approve")],
    ));
    all_refused(&house, &attacks).await;
}

fn sign(house: &House, batch: BatchId, leg: i32, kind: &str) -> String {
    let kind = if kind == "NULL" { kind.to_owned() } else { format!("'{kind}'") };
    format!(
        "SELECT api.sign_leg('{}', '{batch}', {leg}, '\\x{}', {kind}, {})",
        house.acme().id,
        hex(safe_tx_hash(batch).as_slice()),
        bytes(65)
    )
}

#[tokio::test]
async fn a_signature_follows_the_approval_of_its_owner() {
    let house = House::new().await;
    let batch = house.approved("signed.csv", 5).await;
    let other = house.approved("other.csv", 6).await;
    house.sign("mia", batch).await.expect("a signature");
    let mine = sign(&house, batch, 1, "SOFTWARE");
    let other_hash = sign(&house, other, 1, "SOFTWARE")
        .replace(&hex(safe_tx_hash(other).as_slice()), &hex(safe_tx_hash(batch).as_slice()));
    let mut attacks: Vec<Attack> = table(
        "ada",
        vec![
            (
                "another hash than a colleague's",
                mine.replace(&hex(safe_tx_hash(batch).as_slice()), &"ee".repeat(32)),
                "CS409",
                "A colleague signed another hash",
            ),
            (
                "no hash",
                mine.replace(&format!("'\\x{}'", hex(safe_tx_hash(batch).as_slice())), "NULL"),
                "CS422",
                "hash of 32 bytes",
            ),
            ("a leg that is not there", sign(&house, batch, 2, "SOFTWARE"), "CS422", "has no leg 2"),
            ("a leg number that is negative", sign(&house, batch, -1, "SOFTWARE"), "CS422", "has no leg -1"),
            ("no kind of key", sign(&house, batch, 1, "NULL"), "CS422", "SOFTWARE or LEDGER"),
            ("a kind of key that is not known", sign(&house, batch, 1, "PAPER"), "CS422", "SOFTWARE or LEDGER"),
            ("a short signature", mine.replace(&bytes(65), &bytes(64)), "CS422", "65 bytes"),
            ("the hash of another leg", other_hash, "CS409", "belongs to another leg"),
        ],
    );
    attacks.extend(table("mia", vec![("signed twice", mine.clone(), "CS409", "You signed this leg already")]));
    attacks.extend(table(
        "max",
        vec![("signed without an approval", mine.clone(), "CS403", "Approve this content first")],
    ));
    attacks.extend(table("pia", vec![("signed by the preparer", mine, "CS403", "permission approve")]));
    let program = house.acme().id;
    attacks.extend(table(
        "pia",
        vec![
            (
                "executed with half of the signatures",
                format!("SELECT api.execute_batch('{program}', '{batch}', (SELECT content_hash FROM core.batches WHERE id = '{batch}'))"),
                "CS409",
                "Every leg needs its signatures",
            ),
            (
                "cancelled though signed",
                format!("SELECT api.cancel_batch('{program}', '{batch}', 'changed my mind')"),
                "CS409",
                "This batch is signed",
            ),
        ],
    ));
    all_refused(&house, &attacks).await;
    // An approver without an owner key of the Safe approves, and cannot sign.
    let hash = house.content("abe", batch).await.hash;
    house.approve("abe", batch, &hash).await.expect("a late approval");
    let keyless = table(
        "abe",
        vec![("signed without an owner key", sign(&house, batch, 1, "SOFTWARE"), "CS403", "You hold no owner key")],
    );
    all_refused(&house, &keyless).await;
}

#[tokio::test]
async fn a_freeze_stops_every_step_and_takes_two_to_lift() {
    let house = House::new().await;
    let batch = house.approved("frozen.csv", 5).await;
    house.sign("mia", batch).await.expect("a signature");
    house.sign("ada", batch).await.expect("a signature");
    let acme = house.acme();
    let freeze = house
        .db("pia")
        .await
        .freeze(acme.id, "SAFE", acme.safe.as_uuid(), "a strange device prompt")
        .await
        .expect("a freeze");
    let program = acme.id;
    let mut attacks = table(
        "mia",
        vec![
            (
                "execution",
                format!(
                    "SELECT api.execute_batch('{program}', '{batch}', (SELECT content_hash FROM core.batches WHERE id = '{batch}'))"
                ),
                "CS423",
                "frozen by Person pia",
            ),
            (
                "asking for the signatures",
                format!("SELECT api.ask_for_package('{program}', '{batch}')"),
                "CS423",
                "frozen",
            ),
            (
                "reading the signatures",
                format!("SELECT api.execution_package('{program}', '{batch}')"),
                "CS423",
                "frozen",
            ),
            (
                "a freeze of nothing",
                format!("SELECT api.freeze('{program}', NULL, '{batch}', 'long enough reason')"),
                "CS422",
                "There is no scope",
            ),
            (
                "a freeze of another program's Safe",
                format!("SELECT api.freeze('{program}', 'SAFE', '{}', 'long enough reason')", house.other().safe),
                "CS422",
                "There is no safe",
            ),
            (
                "a freeze without a reason",
                format!("SELECT api.freeze('{program}', 'BATCH', '{batch}', NULL)"),
                "CS422",
                "ten to a thousand characters",
            ),
        ],
    );
    attacks.extend(table("max", vec![("one more signature", sign(&house, batch, 1, "SOFTWARE"), "CS423", "frozen")]));
    attacks.extend(table(
        "vic",
        vec![(
            "a viewer freezes",
            format!("SELECT api.freeze('{program}', 'BATCH', '{batch}', 'long enough reason')"),
            "CS403",
            "operate",
        )],
    ));
    attacks.extend(table("pol", vec![("a new batch", line(&house, "amount", "\"5\""), "CS423", "frozen")]));
    all_refused(&house, &attacks).await;
    let alone =
        house.try_change("pia", "pia", Some(program), "freeze.lift", serde_json::json!({ "freeze_id": freeze })).await;
    assert!(alone.expect_err("one person").to_string().contains("somebody else confirms"));
    house.change("pia", "mia", Some(program), "freeze.lift", serde_json::json!({ "freeze_id": freeze })).await;
    house.send("pia", batch).await.expect("free again");
}

#[tokio::test]
async fn whoever_reads_signatures_is_on_record_before_they_see_one() {
    let house = House::new().await;
    let (acme, batch) = (house.acme().id, house.approved("cheque.csv", 5).await);
    house.sign("mia", batch).await.expect("a signature");
    house.sign("ada", batch).await.expect("a signature");
    let ask = format!("SELECT api.ask_for_package('{acme}', '{batch}')");
    let read =
        format!("SELECT count(*) FROM api.execution_package('{acme}', '{batch}') w WHERE w.signatures IS NOT NULL");
    let says = "Who reads signatures stays on record";
    let unasked = table(
        "pol",
        vec![
            ("nobody asked", read.clone(), "CS409", says),
            ("asked in the reader's own transaction", format!("{ask}; {read}"), "CS409", says),
            ("asked in a savepoint", format!("SAVEPOINT a; {ask}; RELEASE a; {read}"), "CS409", says),
            (
                "asked in a block",
                format!(
                    "DO $$ BEGIN PERFORM api.ask_for_package('{acme}', '{batch}'); EXCEPTION WHEN division_by_zero THEN NULL; END $$; {read}"
                ),
                "CS409",
                says,
            ),
        ],
    );
    all_refused(&house, &unasked).await;
    // Asked in a transaction that is still open, by the same login: on record for nobody yet.
    let mut asking = house.psql("pol").await;
    sqlx::raw_sql(AssertSqlSafe(format!("BEGIN; {ask}"))).execute(&mut asking).await.expect("asked");
    all_refused(&house, &table("pol", vec![("asked in an open transaction", read.clone(), "CS409", says)])).await;
    sqlx::raw_sql("COMMIT").execute(&mut asking).await.expect("committed");
    all_refused(&house, &table("mia", vec![("somebody else asked", read.clone(), "CS409", says)])).await;
    let mut pol = house.psql("pol").await;
    sqlx::raw_sql("BEGIN").execute(&mut pol).await.expect("a transaction");
    let legs: i64 = sqlx::query_scalar(AssertSqlSafe(read.clone())).fetch_one(&mut pol).await.expect("asked for");
    assert_eq!(legs, 1);
    sqlx::raw_sql("ROLLBACK").execute(&mut pol).await.expect("rolled back");
    let record = "SELECT string_agg(login, ' ') FROM core.audit_entries WHERE action = 'signatures.read'";
    assert_eq!(house.read(record).await, "pol", "what was read stays on record");
    // A minute later it is asked for again.
    let later = "ALTER TABLE core.audit_entries DISABLE TRIGGER ALL; UPDATE core.audit_entries SET at = at - interval '1 minute' WHERE action = 'signatures.read'; ALTER TABLE core.audit_entries ENABLE TRIGGER ALL";
    sqlx::raw_sql(AssertSqlSafe(format!("RESET ROLE; {later}")))
        .execute(&mut house.owner().await)
        .await
        .expect("later");
    all_refused(&house, &table("pol", vec![("asked long ago", read, "CS409", says)])).await;
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
