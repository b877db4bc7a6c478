//! What consoles replicate carries the transaction that changed it last, and what is deleted leaves a tombstone.

use flows::House;
use sqlx::AssertSqlSafe;

/// Tables of a program that staff read, in whole or in part.
const REPLICATED: &str = "SELECT c.oid, c.relname FROM pg_class c
    WHERE c.relnamespace = 'core'::regnamespace AND c.relkind = 'r' AND has_any_column_privilege('pia', c.oid, 'SELECT')
      AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'program_id')";

#[tokio::test]
async fn every_replicated_table_has_its_marker_its_index_and_its_triggers() {
    let house = House::new().await;
    let count: i32 = house.read(&format!("SELECT count(*) FROM ({REPLICATED}) r")).await.parse().expect("a count");
    assert!(count >= 33, "{count} tables");
    let lacks = async |what: &str| {
        house.read(&format!("SELECT coalesce(string_agg(r.relname, ' ' ORDER BY r.relname), 'none') FROM ({REPLICATED}) r WHERE NOT {what}")).await
    };
    let marker = "EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = r.oid AND a.attname = 'changed_xid' AND a.atttypid = 'xid8'::regtype AND a.attnotnull AND a.atthasdef)";
    assert_eq!(lacks(marker).await, "none");
    // By program where seeing the program is enough to read a row; else a console asks about the whole house.
    let index = "EXISTS (SELECT FROM pg_indexes i WHERE i.schemaname = 'core' AND i.tablename = r.relname
        AND i.indexdef LIKE CASE WHEN EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = r.oid AND pg_get_expr(p.polqual, p.polrelid) <> '(program_id IN ( SELECT core.my_programs() AS my_programs))')
                                 THEN '%(changed_xid)%' ELSE '%(program_id, changed_xid)%' END)";
    assert_eq!(lacks(index).await, "none");
    let trigger = "EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = r.oid AND t.tgenabled = 'O' AND t.tgname IN ('append_only_rows', 'changed_is_marked'))";
    assert_eq!(lacks(trigger).await, "none");
    let burial = "EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = r.oid AND t.tgenabled = 'O' AND t.tgname IN ('append_only_rows', 'gone_is_buried'))";
    assert_eq!(lacks(burial).await, "none");
}

/// Rows changed at or after a cursor, as `table count`, for the tables named.
async fn changed(house: &House, cursor: &str, tables: &[&str]) -> String {
    let counts: Vec<String> = tables
        .iter()
        .map(|table| format!("SELECT '{table}' AS name, count(*) AS n FROM core.{table} WHERE program_id = '{}' AND changed_xid >= '{cursor}'", house.acme().id))
        .collect();
    house
        .read(&format!("SELECT string_agg(name || ' ' || n, ', ') FROM ({}) c WHERE n > 0", counts.join(" UNION ALL ")))
        .await
}

/// A transaction of now: what changes later has a later one. (A console takes its snapshot's xmin, which transactions of other
/// tests in this cluster hold back.)
async fn cursor(house: &House) -> String {
    house.read("SELECT pg_current_xact_id()").await
}

#[tokio::test]
async fn a_cursor_finds_what_changed_after_it() {
    let house = House::new().await;
    let tables = [
        "users",
        "intents",
        "settlements",
        "commissions",
        "accounts",
        "transfers",
        "batches",
        "payouts",
        "safe_transactions",
        "approvals",
        "freezes",
    ];
    let start = cursor(&house).await;
    assert_eq!(changed(&house, &start, &tables).await, "", "nothing yet");
    house.sell(&["1000".parse().expect("an amount")]).await;
    assert_eq!(
        changed(&house, &start, &tables).await,
        "users 1, intents 2, settlements 1, commissions 2, accounts 5, transfers 3"
    );
    // A state alone moves the marker of its row.
    let sold = cursor(&house).await;
    assert_eq!(changed(&house, &sold, &tables).await, "");
    let batch = house
        .db("pia")
        .await
        .create_commission_batch(house.acme().id, house.acme().safe, "May")
        .await
        .expect("a batch");
    let drafted = cursor(&house).await;
    assert_eq!(changed(&house, &sold, &tables).await, "batches 1, payouts 2");
    house.approve_by_two(batch).await;
    let approved = changed(&house, &drafted, &tables).await;
    assert!(
        approved.contains("commissions 2")
            && approved.contains("batches 1, payouts 2, safe_transactions 1, approvals 2"),
        "{approved}"
    );
    let before = cursor(&house).await;
    let acme = house.acme().id;
    house.db("pia").await.freeze(acme, "PROGRAM", acme.as_uuid(), "something is wrong").await.expect("frozen");
    assert_eq!(changed(&house, &before, &tables).await, "freezes 1");
}

#[tokio::test]
async fn nobody_sets_a_marker_to_another_transaction() {
    let house = House::new().await;
    house.sell(&["1000".parse().expect("an amount")]).await;
    let moved = house
        .in_draft(
            "UPDATE core.intents SET changed_xid = '3'; UPDATE core.settlements SET changed_xid = '999999999'; UPDATE core.programs SET name = 'Other'",
            "SELECT (SELECT count(*) FILTER (WHERE changed_xid = pg_current_xact_id()) || ' of ' || count(*) FROM core.intents)
                 || ', ' || (SELECT count(*) FILTER (WHERE changed_xid = pg_current_xact_id()) || ' of ' || count(*) FROM core.settlements)
                 || ', ' || (SELECT count(*) FILTER (WHERE changed_xid = pg_current_xact_id()) || ' of ' || count(*) FROM core.programs)",
        )
        .await;
    assert_eq!(moved, "2 of 2, 1 of 1, 2 of 2");
}

#[tokio::test]
async fn what_a_returned_batch_deletes_leaves_tombstones_of_its_program() {
    let house = House::new().await;
    let batch = house.import("pia", "may.csv", &[house.line(1, 5)]).await;
    house.submit("pia", batch).await;
    let leg = house.read("SELECT id FROM core.safe_transactions").await;
    let before = cursor(&house).await;
    house.db("mia").await.return_batch(house.acme().id, batch, "the amount is wrong", &[]).await.expect("returned");
    assert_eq!(house.read("SELECT count(*) FROM core.safe_transactions").await, "0");
    let stone = format!(
        "SELECT string_agg(table_name || ' ' || (row_key ->> 'id') || ' ' || (row_key ->> 'program_id' = program_id::text) || ' ' || (changed_xid >= '{before}'), '; ') FROM core.tombstones"
    );
    assert_eq!(house.read(&stone).await, format!("safe_transactions {leg} true true"));
    // Staff of the program see it, those of another do not, and nobody takes it away.
    for (login, seen) in [("vic", 1_i64), ("olga", 0)] {
        let mut person = house.psql(login).await;
        let count: i64 =
            sqlx::query_scalar("SELECT count(*) FROM core.tombstones").fetch_one(&mut person).await.expect("a count");
        assert_eq!(count, seen, "{login}");
    }
    let mut owner = house.owner().await;
    let gone = sqlx::query(AssertSqlSafe("DELETE FROM core.tombstones".to_owned())).execute(&mut owner).await;
    assert!(gone.expect_err("kept").to_string().contains("append-only"));
}
