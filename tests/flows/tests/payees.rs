//! The payee book, sanctions lists and policies: what stops a payment that two people would otherwise make.

use alloy_primitives::{Address, B256};
use chrono::NaiveDate;
use domain::sanctions::Entry;
use domain::states::BatchState;
use flows::attack::{Attack, all_refused};
use flows::{CHAIN, House};
use serde_json::json;
use store::{ImportLine, NewSanctionsList, RefusalCode, SanctionsImport, StoreError};

fn refused<T: std::fmt::Debug>(result: Result<T, StoreError>, expected: RefusalCode, says: &str) {
    match result.expect_err("a refusal") {
        StoreError::Refused { code, message } => {
            assert_eq!(code, expected, "{message}");
            assert!(message.contains(says), "{message}");
        }
        error => panic!("{error}"),
    }
}

const OLD: &str = "0x00000000000000000000000000000000000000e1";
const NEW: &str = "0x00000000000000000000000000000000000000e2";

/// A file with one line to an address.
fn to(house: &House, recipient: &str) -> [ImportLine; 1] {
    [ImportLine { recipient: recipient.to_owned(), ..house.line(1, 5) }]
}

async fn change(house: &House, kind: &str, body: serde_json::Value) -> Result<Option<uuid::Uuid>, StoreError> {
    house.try_change("pia", "mia", Some(house.acme().id), kind, body).await
}

/// Nobody waits a day in a test: what was changed has cooled down.
async fn a_day_passes(house: &House) {
    let mut owner = house.owner().await;
    sqlx::raw_sql(
        "ALTER TABLE core.payee_addresses DISABLE TRIGGER append_only_rows;
         UPDATE core.payee_addresses SET payable_from = payable_from - interval '24 hours';
         ALTER TABLE core.payee_addresses ENABLE TRIGGER append_only_rows",
    )
    .execute(&mut owner)
    .await
    .expect("time passes");
}

#[tokio::test]
async fn a_changed_address_takes_two_people_and_a_day() {
    let house = House::new().await;
    let acme = house.acme().id;
    let payee = change(&house, "payee.add", json!({ "name": "Printer", "address": OLD })).await.expect("a payee");
    let first = house.import("pia", "first.csv", &to(&house, OLD)).await;
    house.submit("pia", first).await;
    let body = json!({ "payee_id": payee, "address": NEW });
    let alone = house.try_change("pia", "pia", Some(acme), "payee.address", body.clone()).await;
    refused(alone, RefusalCode::Forbidden, "somebody else confirms it");
    let outside = house.try_change("vic", "mia", Some(acme), "payee.address", body.clone()).await;
    refused(outside, RefusalCode::Forbidden, "permission manage_payees");
    change(&house, "payee.address", body.clone()).await.expect("changed");
    refused(change(&house, "payee.address", body).await, RefusalCode::Conflict, "Printer has this address already");
    // Neither is paid meanwhile: the old one is given up, the new one cools down.
    let hash = house.content("pia", first).await.hash;
    let gone = "Line 1 pays an address that is not, or no longer, that of Printer";
    refused(house.approve("mia", first, &hash).await, RefusalCode::Conflict, gone);
    let old = house.import("pia", "old.csv", &to(&house, OLD)).await;
    refused(house.try_submit("pia", old).await, RefusalCode::Conflict, gone);
    let new = house.import("pia", "new.csv", &to(&house, NEW)).await;
    refused(
        house.try_submit("pia", new).await,
        RefusalCode::Conflict,
        "Line 1 pays an address of Printer that was changed and cools down until",
    );
    a_day_passes(&house).await;
    let line = house.db("mia").await.payouts(acme, new).await.expect("lines").remove(0);
    let facts = line.payee.expect("the book knows it");
    assert_eq!((facts.name.as_str(), facts.version, line.paid_before), ("Printer", 2, 0));
    house.approve_by_two(new).await;
    house.pay(new).await;
    refused(house.try_submit("pia", old).await, RefusalCode::Conflict, gone);
}

#[tokio::test]
async fn an_affiliate_is_paid_at_its_own_address_once_it_cooled_down() {
    let house = House::new().await;
    house.sell(&["1000000".parse().expect("an amount")]).await;
    let acme = house.acme();
    let payee = house.read(&format!("SELECT id FROM core.payees WHERE affiliate_id = '{}'", acme.gold)).await;
    change(&house, "payee.address", json!({ "payee_id": payee, "address": NEW })).await.expect("changed");
    let pia = house.db("pia").await;
    let batch = pia.create_commission_batch(acme.id, acme.safe, "Without Gil").await.expect("a batch");
    assert_eq!(house.read("SELECT string_agg(payee_name, ' ') FROM core.payouts").await, "Pat");
    assert_eq!(
        house
            .read(&format!(
                "SELECT obstacle FROM core.due('{}', clock_timestamp()) WHERE affiliate_id = '{}'",
                acme.id, acme.gold
            ))
            .await,
        "ADDRESS_COOLS_DOWN"
    );
    pia.cancel_batch(acme.id, batch, "made again with everybody").await.expect("cancelled");
    a_day_passes(&house).await;
    let both = pia.create_commission_batch(acme.id, acme.safe, "Both").await.expect("a batch");
    assert_eq!(house.read(&format!("SELECT '0x' || encode(recipient, 'hex') FROM core.payouts WHERE batch_id = '{both}' AND payee_name = 'Gil'")).await, NEW);
    house.approve_by_two(both).await;
    // Changed after the approval: it is not signed any more.
    change(&house, "payee.address", json!({ "payee_id": payee, "address": OLD })).await.expect("changed");
    refused(house.sign("mia", both).await, RefusalCode::Conflict, "is not, or no longer, that of Gil");
}

#[tokio::test]
async fn how_long_an_address_cools_down_is_set_by_two_people_and_kept_by_the_table() {
    let house = House::new().await;
    let acme = house.acme().id;
    let set = async |hours: i64| {
        house.try_change("ada", "abe", Some(acme), "payee_cooling.set", json!({ "hours": hours })).await
    };
    refused(set(721).await, RefusalCode::InvalidInput, "0 to 720 hours");
    refused(
        change(&house, "payee_cooling.set", json!({ "hours": 0 })).await,
        RefusalCode::Forbidden,
        "permission manage_rules",
    );
    set(72).await.expect("set");
    let payee = change(&house, "payee.add", json!({ "name": "Printer", "address": OLD }))
        .await
        .expect("a payee")
        .expect("an id");
    change(&house, "payee.address", json!({ "payee_id": payee, "address": NEW })).await.expect("changed");
    let waits = format!(
        "SELECT round(extract(epoch FROM payable_from - changed_at) / 3600) FROM core.payee_addresses WHERE payee_id = '{payee}' AND version = 2"
    );
    assert_eq!(house.read(&waits).await, "72");
    let own = |name, sql: String, code, says| Attack { name, login: "owner", sql, code, says };
    all_refused(
        &house,
        &[
            own("an address is changed in place", format!("UPDATE core.payee_addresses SET address = '\\x{}'", "66".repeat(20)), "CS409", "append-only"),
            own("a payee becomes somebody else", "UPDATE core.payees SET affiliate_id = NULL".to_owned(), "CS409", "stays as it was approved"),
            own(
                "a version is left out",
                format!("INSERT INTO core.payee_addresses (program_id, payee_id, version, address, payable_from, change_id) SELECT program_id, payee_id, 9, address, payable_from, change_id FROM core.payee_addresses WHERE payee_id = '{payee}' LIMIT 1"),
                "CS409",
                "together with the change that two people signed",
            ),
        ],
    )
    .await;
}

fn entry(address: &str, name: &str) -> Entry {
    Entry {
        address: address.parse::<Address>().expect("an address"),
        name: name.to_owned(),
        entry: Some("101".to_owned()),
    }
}

async fn import(
    house: &House,
    login: &str,
    day: &str,
    file: &str,
    entries: &[Entry],
) -> Result<SanctionsImport, StoreError> {
    let sha256 = B256::from(alloy_primitives::U256::from(file.len())).0;
    let list = NewSanctionsList {
        name: "Made-up list",
        published_on: day.parse::<NaiveDate>().expect("a day"),
        file_name: file,
        sha256: &sha256,
        entries,
    };
    house.db(login).await.import_sanctions(house.acme().id, &list).await
}

#[tokio::test]
async fn a_listed_address_is_refused_at_every_step_with_its_entry() {
    let house = House::new().await;
    let says = format!(
        "Line 1 pays {OLD}, which Made-up list of 2026-11-01 lists as INVENTED, Person (entry 101): nothing is paid"
    );
    // Each batch stands at another step when the list comes.
    let at_rest = [
        house.import("pia", "draft.csv", &to(&house, OLD)).await,
        house.import("pia", "waiting.csv", &to(&house, OLD)).await,
        house.import("pia", "approved.csv", &to(&house, OLD)).await,
        house.import("pia", "signed.csv", &to(&house, OLD)).await,
        house.import("pia", "sent.csv", &to(&house, OLD)).await,
    ];
    let [draft, waiting, approved, signed, sent] = at_rest;
    let hash = house.submit("pia", waiting).await;
    house.approve_by_two(approved).await;
    house.approve_by_two(signed).await;
    house.sign("mia", signed).await.expect("a signature");
    house.sign("ada", signed).await.expect("a signature");
    house.approve_by_two(sent).await;
    house.hand_over(sent).await;
    import(&house, "ada", "2026-11-01", "a.csv", &[entry(OLD, "INVENTED, Person")]).await.expect("imported");
    refused(house.try_submit("pia", draft).await, RefusalCode::Conflict, &says);
    refused(house.approve("mia", waiting, &hash).await, RefusalCode::Conflict, &says);
    refused(house.sign("mia", approved).await, RefusalCode::Conflict, &says);
    refused(house.send("pia", signed).await, RefusalCode::Conflict, &says);
    let executor = house.db("executor").await;
    let leg =
        executor.executor_work(CHAIN).await.expect("work").into_iter().find(|leg| leg.batch_id == sent).expect("a leg");
    let recorded = executor.record_submission(&leg, B256::repeat_byte(1), &[1], Address::repeat_byte(9), 1).await;
    refused(recorded, RefusalCode::Conflict, &says);
    // Other payees are paid. A later version without the address lets it pass again when two people say so, and not before.
    let other = house.approved("other.csv", 5).await;
    house.sign("mia", other).await.expect("a signature");
    let next = import(&house, "ada", "2026-11-02", "bb.csv", &[entry(NEW, "FICTIONAL LLC")]).await.expect("imported");
    assert_eq!(next, SanctionsImport { list: next.list, version: 2, entries: 1, added: 1, removed: 1 });
    refused(house.try_submit("pia", draft).await, RefusalCode::Conflict, &says);
    let acme = Some(house.acme().id);
    let body = json!({ "list_id": next.list });
    refused(
        house.try_change("ada", "ada", acme, "sanctions.replace", body.clone()).await,
        RefusalCode::Forbidden,
        "somebody else confirms it",
    );
    refused(
        house.try_change("pia", "ada", acme, "sanctions.replace", body.clone()).await,
        RefusalCode::Forbidden,
        "permission manage_rules",
    );
    refused(
        house.try_change("ada", "abe", acme, "sanctions.replace", json!({ "list_id": house.acme().safe })).await,
        RefusalCode::InvalidInput,
        "no such version of a sanctions list",
    );
    refused(house.try_submit("pia", draft).await, RefusalCode::Conflict, &says);
    house.change("ada", "abe", acme, "sanctions.replace", body).await;
    house.submit("pia", draft).await;
    let lists = house.db("vic").await.sanctions_lists(house.acme().id).await.expect("lists");
    assert_eq!(
        lists.iter().map(|l| (l.version, l.entries, l.person.as_str())).collect::<Vec<_>>(),
        [(2, 1, "Person ada")]
    );
}

#[tokio::test]
async fn an_affiliate_that_is_listed_does_not_keep_the_others_from_being_paid() {
    let house = House::new().await;
    house.sell(&["1000000".parse().expect("an amount")]).await;
    let acme = house.acme();
    let wallet = format!("{:#x}", Address::repeat_byte(0xb2));
    import(&house, "ada", "2026-11-01", "a.csv", &[entry(&wallet, "INVENTED, Person")]).await.expect("imported");
    house.db("pia").await.create_commission_batch(acme.id, acme.safe, "Others").await.expect("a batch");
    assert_eq!(house.read("SELECT string_agg(payee_name, ' ') FROM core.payouts").await, "Pat");
    let due =
        format!("SELECT obstacle FROM core.due('{}', clock_timestamp()) WHERE affiliate_id = '{}'", acme.id, acme.gold);
    assert_eq!(house.read(&due).await, "SANCTIONED");
}

#[tokio::test]
async fn lists_are_imported_whole_by_who_may_and_never_backwards() {
    let house = House::new().await;
    let good = [entry(OLD, "INVENTED, Person")];
    refused(
        import(&house, "pia", "2026-11-01", "a.csv", &good).await,
        RefusalCode::Forbidden,
        "permission manage_rules",
    );
    refused(
        import(&house, "otto", "2026-11-01", "a.csv", &good).await,
        RefusalCode::Forbidden,
        "permission manage_rules",
    );
    refused(import(&house, "ada", "2026-11-01", "a.csv", &[]).await, RefusalCode::InvalidInput, "would block nothing");
    let twice = [entry(OLD, "INVENTED, Person"), entry(OLD, "Somebody else")];
    refused(
        import(&house, "ada", "2026-11-01", "a.csv", &twice).await,
        RefusalCode::InvalidInput,
        "names an address twice",
    );
    refused(
        import(&house, "ada", "2026-11-01", "a.csv", &[entry(OLD, "")]).await,
        RefusalCode::InvalidInput,
        "a name of 1 to 400 characters",
    );
    assert_eq!(house.read("SELECT count(*) FROM core.sanctions_lists").await, "0", "all or nothing");
    import(&house, "ada", "2026-11-01", "a.csv", &good).await.expect("imported");
    refused(
        import(&house, "abe", "2026-11-01", "a.csv", &good).await,
        RefusalCode::Conflict,
        "is version 1 of Made-up list already",
    );
    refused(
        import(&house, "abe", "2026-10-31", "bb.csv", &good).await,
        RefusalCode::Conflict,
        "an older list would let payments pass",
    );
    let own = |name, sql: &str, code, says| Attack { name, login: "owner", sql: sql.to_owned(), code, says };
    all_refused(
        &house,
        &[
            own("an entry goes", "DELETE FROM core.sanctions_entries", "CS409", "append-only"),
            own("a list goes", "DELETE FROM core.sanctions_lists", "CS409", "append-only"),
            own(
                "an entry comes later",
                "INSERT INTO core.sanctions_entries (program_id, list_id, address, name) SELECT program_id, id, '\\x6666666666666666666666666666666666666666', 'x' FROM core.sanctions_lists",
                "CS409",
                "import its file as a new version",
            ),
        ],
    )
    .await;
}

/// An asset of `acme` with 2 decimals that is pegged to a currency.
async fn pegged(house: &House, symbol: &str, currency: &str, fill: &str) -> uuid::Uuid {
    let body = json!({ "chain_id": CHAIN, "token": format!("0x{}", fill.repeat(20)), "symbol": symbol, "decimals": 2, "pegged_to": currency });
    house.change("ada", "abe", Some(house.acme().id), "asset.add", body).await.expect("an asset")
}

#[tokio::test]
async fn a_pegged_asset_begins_with_the_defaults_of_its_currency() {
    let house = House::new().await;
    let policies = async |asset| {
        house.read(&format!("SELECT coalesce(string_agg(at_least || ' ' || approvers || CASE WHEN high_value THEN ' high' ELSE '' END, ', ' ORDER BY at_least), 'none') FROM core.policies WHERE asset_id = '{asset}' AND replaced_at IS NULL")).await
    };
    let usd = pegged(&house, "USDX", "USD", "c1").await;
    assert_eq!(policies(usd).await, "0 1, 1000000 2 high");
    let eur = pegged(&house, "EURX", "EUR", "c2").await;
    assert_eq!(policies(eur).await, "0 1, 1000000 2, 5000000 2 high");
    let chf = pegged(&house, "CHFX", "CHF", "c3").await;
    assert_eq!(policies(chf).await, "none", "an asset without a policy cannot be submitted");
    let default = json!({ "currency": "CHF", "at_least": "500", "approvers": 2, "high_value": false });
    let by_program = house.try_change("ada", "abe", None, "policy_default.set", default.clone()).await;
    refused(by_program, RefusalCode::Forbidden, "permission manage_rules");
    house.change("sue", "sam", None, "policy_default.set", default).await;
    let later = pegged(&house, "CHFY", "CHF", "c4").await;
    assert_eq!(policies(later).await, "50000 2");
    let nonsense = house
        .try_change(
            "sue",
            "sam",
            None,
            "policy_default.set",
            json!({ "currency": "CHF", "at_least": "-1", "approvers": 2, "high_value": true }),
        )
        .await;
    refused(nonsense, RefusalCode::InvalidInput, "at_least of policy_default.set is a whole number");
}

#[tokio::test]
async fn a_high_value_needs_somebody_who_may_approve_it() {
    let house = House::new().await;
    let acme = house.acme();
    let policy = json!({ "asset_id": acme.usdc, "at_least": "1000", "approvers": 2, "high_value": true });
    house.change("ada", "abe", Some(acme.id), "policy.set", policy).await;
    let batch = house.import("pia", "high.csv", &[house.line(1, 1000)]).await;
    let hash = house.submit("pia", batch).await;
    // Two managers are enough people, and neither may approve high values.
    assert_eq!(house.approve("mia", batch, &hash).await.expect("an approval"), BatchState::PendingApproval);
    assert_eq!(house.approve("max", batch, &hash).await.expect("an approval"), BatchState::PendingApproval);
    let row = house.db("mia").await.batches(acme.id, Some(batch)).await.expect("a batch").remove(0);
    assert_eq!((row.approvals, row.required_approvers, row.lacks_high_value), (2, Some(2), true));
    let by_hand = Attack {
        name: "approved by hand",
        login: "owner",
        sql: format!("UPDATE core.batches SET state = 'APPROVED' WHERE id = '{batch}'"),
        code: "CS409",
        says: "one of its approvers must hold approve_high_value",
    };
    all_refused(&house, &[by_hand]).await;
    assert_eq!(house.approve("ada", batch, &hash).await.expect("an approval"), BatchState::Approved);
    let small = house.import("pol", "small.csv", &[house.line(7, 999)]).await;
    let hash = house.submit("pol", small).await;
    house.approve("mia", small, &hash).await.expect("an approval");
    assert_eq!(house.approve("max", small, &hash).await.expect("an approval"), BatchState::Approved);
}

#[tokio::test]
async fn who_left_or_lost_the_permission_no_longer_counts_as_an_approver() {
    let house = House::new().await;
    let acme = house.acme();
    let gone = house.approved("gone.csv", 5).await;
    house.sign("mia", gone).await.expect("a signature");
    house.sign("ada", gone).await.expect("a signature");
    let sent = house.approved("sent.csv", 5).await;
    house.hand_over(sent).await;
    let mut owner = house.owner().await;
    sqlx::query("UPDATE core.staff SET revoked_at = clock_timestamp() WHERE login = 'mia'")
        .execute(&mut owner)
        .await
        .expect("revoked");
    let says = "The policy asks for 2 approvers of this content and 1 approved it";
    refused(house.send("pia", gone).await, RefusalCode::Conflict, says);
    let executor = house.db("executor").await;
    let leg =
        executor.executor_work(CHAIN).await.expect("work").into_iter().find(|leg| leg.batch_id == sent).expect("a leg");
    let recorded = executor.record_submission(&leg, B256::repeat_byte(1), &[1], Address::repeat_byte(9), 1).await;
    refused(recorded, RefusalCode::Conflict, says);
    assert_eq!(house.db("max").await.batches(acme.id, Some(gone)).await.expect("a batch")[0].approvals, 1);
    let hash = house.content("max", gone).await.hash;
    house.approve("max", gone, &hash).await.expect("a third approval");
    house.send("pia", gone).await.expect("two who are here");
    let grant = house
        .read(&format!("SELECT id FROM core.grants WHERE staff_id = '{}' AND revoked_at IS NULL", house.staff("max")))
        .await;
    house.change("sue", "sam", Some(acme.id), "grant.revoke", json!({ "grant_id": grant })).await;
    // What was sent keeps the approvals that it was sent with.
    assert_eq!(house.db("ada").await.batches(acme.id, Some(gone)).await.expect("a batch")[0].approvals, 3);
}

#[tokio::test]
async fn a_safe_that_comes_later_is_held_against_the_policies_too() {
    let house = House::new().await;
    let acme = house.acme();
    let set = async |body| house.try_change("ada", "abe", Some(acme.id), "policy.set", body).await;
    let three = json!({ "asset_id": acme.usdc, "at_least": "100", "approvers": 3 });
    refused(
        set(three).await,
        RefusalCode::InvalidInput,
        "more approvers of USDC (3) than the Safe has signatures (Main: 2)",
    );
    let owners: Vec<String> = ["11", "22", "33"].iter().map(|fill| format!("0x{}", fill.repeat(20))).collect();
    let safe = |fill: &str, chain: u64, threshold: u32| {
        json!({ "name": format!("Safe {fill}"), "chain_id": chain, "address": format!("0x{}", fill.repeat(20)), "version": "1.4.1", "threshold": threshold, "owners": owners,
                "singleton": format!("0x{}", "01".repeat(20)), "fallback_handler": format!("0x{}", "02".repeat(20)) })
    };
    // On another chain: its assets have no Safe yet, and a policy for three people no Safe to be held against.
    house
        .change(
            "sue",
            "sam",
            None,
            "chain.add",
            json!({ "chain_id": 11_155_111, "name": "Sepolia", "confirmation_depth": 2, "gas_max": 16_777_216 }),
        )
        .await;
    let asset = json!({ "chain_id": 11_155_111, "symbol": "SEP", "decimals": 18 });
    let sep = house.change("ada", "abe", Some(acme.id), "asset.add", asset).await;
    set(json!({ "asset_id": sep, "at_least": "0", "approvers": 3 })).await.expect("a policy");
    let add = async |body| house.try_change("ada", "abe", Some(acme.id), "safe.add", body).await;
    refused(
        add(safe("71", 11_155_111, 2)).await,
        RefusalCode::InvalidInput,
        "more approvers of SEP (3) than the Safe has signatures (Safe 71: 2)",
    );
    add(safe("72", 11_155_111, 3)).await.expect("a Safe of three");
    set(json!({ "asset_id": sep, "at_least": "0", "approvers": 3, "beyond_chain": true })).await.expect("a policy");
    add(safe("71", 11_155_111, 2)).await.expect("a Safe of two, which the policy accepts");
}
