//! The rest of the ledger: openings, inflows, gas, statements, and a check that finds what a superuser changed.

use alloy_primitives::{Address, B256};
use chrono::{DateTime, NaiveDate, Utc};
use flows::CHAIN;
use flows::House;
use flows::flow::{USER, block_time, sale};
use money::Amount;
use serde_json::json;
use store::{Administrator, NewInflow, RefusalCode, StoreError};

fn refused<T: std::fmt::Debug>(result: Result<T, StoreError>, expected: RefusalCode, says: &str) {
    match result.expect_err("a refusal") {
        StoreError::Refused { code, message } => {
            assert_eq!(code, expected, "{message}");
            assert!(message.contains(says), "{message}");
        }
        error => panic!("{error}"),
    }
}

fn units(text: &str) -> Amount {
    text.parse().expect("an amount")
}

fn inflow(house: &House, tx: u8, log_index: u64, amount: &str) -> NewInflow {
    let acme = house.acme();
    NewInflow {
        program: acme.id,
        safe: acme.safe,
        asset: acme.usdc,
        tx_hash: B256::repeat_byte(tx),
        log_index,
        sender: Address::repeat_byte(0x77),
        amount: units(amount),
        block: (20, B256::repeat_byte(0xcc), block_time()),
    }
}

async fn balance(house: &House, code: &str) -> String {
    house.read(&format!("SELECT credits_posted - debits_posted FROM core.accounts WHERE program_id = '{}' AND code LIKE '{code}' AND asset_id = '{}'", house.acme().id, house.acme().usdc)).await
}

/// A sale that was paid on chain, settled.
async fn paid_on_chain(house: &House, charge: &str, amount: &str, tx: u8) {
    let platform = house.db("platform").await;
    platform
        .submit_intents("REGISTER", &json!([{ "wallet": USER, "at": "2026-02-01T00:00:00Z" }]))
        .await
        .expect("a user");
    let mut body = sale(charge, units(amount));
    body["tx_hash"] = json!(format!("0x{}", format!("{tx:02x}").repeat(32)));
    platform.submit_intents("COMMERCE", &json!([body])).await.expect("a sale");
    let worker = house.db("worker").await;
    for _ in 0..2 {
        let (token, _) = worker.claim_intents(10, std::time::Duration::from_secs(60)).await.expect("a claim");
        worker.process_intents(token).await.expect("settled");
    }
}

#[tokio::test]
async fn an_inflow_credits_its_settlement_or_suspense_once() {
    let house = House::new().await;
    paid_on_chain(&house, "on-chain", "5000", 0x11).await;
    let watcher = house.db("watcher").await;
    assert_eq!(watcher.record_inflow(&inflow(&house, 0x11, 3, "5000")).await.expect("recorded"), "SETTLEMENTS");
    assert_eq!(watcher.record_inflow(&inflow(&house, 0x11, 3, "5000")).await.expect("seen"), "REPEATED");
    assert_eq!(
        watcher.record_inflow(&inflow(&house, 0x11, 4, "5000")).await.expect("recorded"),
        "SUSPENSE",
        "the settlement is paid"
    );
    assert_eq!(watcher.record_inflow(&inflow(&house, 0x12, 0, "700")).await.expect("recorded"), "SUSPENSE");
    let before = NewInflow { block: (7, B256::repeat_byte(0xcc), block_time()), ..inflow(&house, 0x13, 0, "9") };
    assert_eq!(watcher.record_inflow(&before).await.expect("seen"), "OPENING");
    assert_eq!(balance(&house, "%:suspense").await, "5700");
    assert_eq!(balance(&house, "system:settlements").await, "0", "sold and received");
    assert_eq!(balance(&house, "treasury:%").await, "-1000010700");
    refused(
        watcher.record_inflow(&inflow(&house, 0x11, 3, "5001")).await,
        RefusalCode::Conflict,
        "is recorded with another",
    );
    let nothing = watcher.record_inflow(&inflow(&house, 0x14, 0, "0")).await;
    refused(nothing, RefusalCode::InvalidInput, "an amount above zero");
    let foreign = NewInflow { safe: house.other().safe, ..inflow(&house, 0x15, 0, "5") };
    refused(watcher.record_inflow(&foreign).await, RefusalCode::InvalidInput, "a Safe of the program");
    refused(house.db("worker").await.record_inflow(&inflow(&house, 0x16, 0, "5")).await, RefusalCode::Forbidden, "");
    // The sale comes after its money.
    paid_on_chain(&house, "late", "700", 0x12).await;
    let worker = house.db("worker").await;
    assert_eq!(worker.match_inflows().await.expect("a count"), 1);
    assert_eq!(worker.match_inflows().await.expect("a count"), 0);
    assert_eq!(balance(&house, "%:suspense").await, "5000");
    assert_eq!(balance(&house, "system:settlements").await, "0");
    assert!(house.db("acc").await.check_ledger(house.acme().id).await.expect("a check").is_empty());
}

#[tokio::test]
async fn the_books_open_once_and_not_over_what_came_in() {
    let house = House::new().await;
    let acme = house.acme();
    let open = async |asset, amount: &str, block: &str| {
        let body = json!({ "safe_id": acme.safe, "asset_id": asset, "amount": amount, "block": block });
        house.try_change("ada", "abe", Some(acme.id), "opening_balance.add", body).await
    };
    refused(open(acme.usdc, "5", "9").await, RefusalCode::Conflict, "is in the ledger already");
    let dai = json!({ "chain_id": CHAIN, "token": format!("0x{}", "bb".repeat(20)), "symbol": "DAI", "decimals": 18 });
    let dai =
        domain::id::AssetId::new(house.change("ada", "abe", Some(acme.id), "asset.add", dai).await.expect("an asset"));
    // What comes in before its books are open does not close them: it is a part of what they open with, or is read again.
    let watcher = house.db("watcher").await;
    let early = NewInflow { asset: dai, ..inflow(&house, 0x31, 0, "50") };
    assert_eq!(watcher.record_inflow(&early).await.expect("seen"), "OPENING");
    house.observe(&acme, 5, 40).await;
    let cursor = watcher.inflow_cursors(CHAIN).await.expect("cursors");
    let cursor = cursor.iter().find(|c| c.safe == acme.safe).expect("the Safe");
    watcher.record_inflows_read(cursor, 30).await.expect("read");
    refused(open(dai, "50", "soon").await, RefusalCode::InvalidInput, "block of opening_balance.add is a whole number");
    open(dai, "50", "19").await.expect("the block before");
    let again = watcher.inflow_cursors(CHAIN).await.expect("cursors");
    let again = again.iter().find(|c| c.safe == acme.safe).expect("the Safe");
    assert_eq!(again.from_block, 20, "from the opening balance on");
    // A watcher that began before that skips nothing by what it read.
    let late = store::InflowCursor { from_block: 31, ..*cursor };
    watcher.record_inflows_read(&late, 40).await.expect("nothing");
    assert_eq!(house.read(&format!("SELECT inflows_read_to FROM core.safes WHERE id = '{}'", acme.safe)).await, "19");
    assert_eq!(watcher.record_inflow(&early).await.expect("recorded"), "SUSPENSE");
    assert_eq!(watcher.record_inflow(&early).await.expect("seen"), "REPEATED");
    watcher.record_inflows_read(again, 40).await.expect("read");
    assert_eq!(house.read(&format!("SELECT inflows_read_to FROM core.safes WHERE id = '{}'", acme.safe)).await, "40");
    assert_eq!(
        house
            .read(&format!("SELECT debits_posted FROM core.accounts WHERE kind = 'treasury' AND asset_id = '{dai}'"))
            .await,
        "100"
    );
}

#[tokio::test]
async fn gas_is_booked_once_and_only_of_what_our_executor_sent() {
    let house = House::new().await;
    let batch = house.approved("gas.csv", 5).await;
    house.hand_over(batch).await;
    let leg = house.mine(batch).await;
    let watcher = house.db("watcher").await;
    let tx: B256 = leg.ethereum_tx_hash.expect("a transaction");
    let block = (11, block_time());
    assert!(watcher.record_gas(&leg, tx, units("21000000000000"), block).await.expect("recorded"));
    assert!(!watcher.record_gas(&leg, tx, units("21000000000000"), block).await.expect("seen"));
    refused(
        watcher.record_gas(&leg, tx, units("1"), block).await,
        RefusalCode::Conflict,
        "recorded with another amount",
    );
    let foreign = watcher.record_gas(&leg, B256::repeat_byte(0x99), units("5"), block).await;
    refused(foreign, RefusalCode::Conflict, "its gas is not ours");
    refused(house.db("executor").await.record_gas(&leg, tx, units("5"), block).await, RefusalCode::Forbidden, "");
    let booked = "SELECT string_agg(kind || ' ' || debits_posted || ' ' || credits_posted, ', ' ORDER BY kind) FROM core.accounts WHERE kind IN ('gas', 'executor')";
    assert_eq!(house.read(booked).await, "executor 0 21000000000000, gas 21000000000000 0");
}

#[tokio::test]
async fn a_statement_opens_moves_and_closes_page_by_page() {
    let house = House::new().await;
    let acme = house.acme();
    house.sell(&["1000000", "2000000", "30"].map(units)).await;
    let acc = house.db("acc").await;
    let day = |text: &str| text.parse::<NaiveDate>().expect("a day");
    let head = acc
        .statement(acme.id, "system:settlements", acme.usdc, day("2026-02-01"), day("2026-02-28"))
        .await
        .expect("a head")
        .expect("an account");
    assert_eq!(
        (head.opening.to_string(), head.debits.to_string(), head.credits.to_string()),
        ("0".to_owned(), "3000030".to_owned(), "0".to_owned())
    );
    let after = acc
        .statement(acme.id, "system:settlements", acme.usdc, day("2026-03-01"), day("2026-03-31"))
        .await
        .expect("a head")
        .expect("an account");
    assert_eq!((after.opening.to_string(), after.debits.to_string()), ("3000030".to_owned(), "0".to_owned()));
    let mut seen = Vec::new();
    let mut last: Option<(DateTime<Utc>, _)> = None;
    loop {
        let page = acc
            .statement_entries(acme.id, head.account, (day("2026-02-01"), day("2026-02-28")), last, 2)
            .await
            .expect("entries");
        let Some(end) = page.last() else { break };
        last = Some((end.occurred_at, end.id));
        seen.extend(page.iter().map(|entry| (entry.amount.to_string(), entry.is_debit, entry.other.1.clone())));
    }
    seen.sort();
    let revenue = |amount: &str| (amount.to_owned(), true, "Revenue".to_owned());
    assert_eq!(seen, [revenue("1000000"), revenue("2000000"), revenue("30")]);
    assert!(
        acc.statement(acme.id, "nobody", acme.usdc, day("2026-02-01"), day("2026-02-28"))
            .await
            .expect("an answer")
            .is_none()
    );
    let foreign = house
        .db("omar")
        .await
        .statement(acme.id, "system:settlements", acme.usdc, day("2026-02-01"), day("2026-02-28"))
        .await;
    assert!(foreign.expect("an answer").is_none(), "another program's people see no account");
}

#[tokio::test]
async fn the_check_names_each_account_that_a_superuser_changed() {
    let house = House::new().await;
    let acme = house.acme();
    house.sell(&[units("1000000")]).await;
    let batch = house.db("pia").await.create_commission_batch(acme.id, acme.safe, "Weekly").await.expect("a batch");
    house.approve_by_two(batch).await;
    house.pay(batch).await;
    let (acc, worker) = (house.db("acc").await, house.db("worker").await);
    assert!(acc.check_ledger(acme.id).await.expect("a check").is_empty());
    assert!(worker.check_ledger(acme.id).await.expect("a check").is_empty());
    refused(house.db("watcher").await.check_ledger(acme.id).await, RefusalCode::Forbidden, "");
    refused(house.db("omar").await.check_ledger(acme.id).await, RefusalCode::Forbidden, "permission view");
    let line = house.read("SELECT id FROM core.payouts WHERE line_no = 1").await.parse().expect("an id");
    let administrator = Administrator::connect(&house.admin_settings()).await.expect("the administrator");
    administrator.forge_posting(line, 3).await.expect("forged");
    let found: Vec<String> = acc
        .check_ledger(acme.id)
        .await
        .expect("a check")
        .into_iter()
        .map(|f| format!("{} {} {} {}", f.name, f.finding, f.kept, f.recomputed))
        .collect();
    assert_eq!(found, ["Owed to Gil debits_posted 200000 200003", "Payouts on their way credits_posted 250000 250003"]);
}
