use alloy_primitives::Address;
use app::AppError;
use app::use_cases::{batch_preflight, submit};
use contract::{BatchPreflight, Level};
use domain::id::BatchId;
use serde_json::json;
use store::ImportLine;

use crate::support::{World, blocks};

/// Titles of what is found of a line, most serious first.
fn titles(found: &BatchPreflight, line: u32) -> Vec<&str> {
    let line = found.lines.iter().find(|l| l.line == line).expect("a line");
    line.warnings.iter().map(|w| w.title.as_str()).collect()
}

fn blocking(found: &BatchPreflight) -> Vec<(u32, String)> {
    let lines = found.lines.iter();
    lines
        .flat_map(|l| l.warnings.iter().filter(|w| w.level == Level::Block).map(|w| (l.line, w.title.clone())))
        .collect()
}

async fn look(world: &World, batch: BatchId) -> BatchPreflight {
    batch_preflight(&world.session("mia").await, batch).await.expect("a preflight")
}

fn to(line: ImportLine, recipient: &str) -> ImportLine {
    ImportLine { recipient: recipient.to_owned(), ..line }
}

#[tokio::test]
async fn a_sound_batch_has_first_payments_and_nothing_else() {
    let world = World::new().await;
    let native = ImportLine { asset_id: world.house.acme().eth, ..world.house.line(2, 7) };
    let batch = world.house.import("pia", "sound.csv", &[world.house.line(1, 5), native]).await;
    let found = look(&world, batch).await;
    assert_eq!(blocks(&found.checks), Vec::<String>::new());
    assert_eq!((titles(&found, 1), titles(&found, 2)), (vec!["First payment"], vec!["First payment"]));
    let simulated = found.checks.iter().find(|c| c.label == "Simulated").expect("tried");
    assert!(
        simulated.level == Level::Ok && simulated.detail.contains("1 token transfer seen, every holding as paid"),
        "{simulated:?}"
    );
    let after = found.checks.iter().find(|c| c.label == "Safe afterwards").expect("read");
    assert_eq!(after.level, Level::Ok, "{after:?}");
    assert!(found.lines.iter().flat_map(|l| &l.warnings).all(|w| !w.advice.is_empty()), "each says what to do");
}

#[tokio::test]
async fn issuers_who_stop_a_payment_are_named_with_the_line() {
    let world = World::new().await;
    let lines: Vec<ImportLine> = (1..=4).map(|n| world.house.line(n, 5)).collect();
    let batch = world.house.import("pia", "listed.csv", &lines).await;
    let recipient = |n: usize| lines[n].recipient.parse::<Address>().expect("an address");
    world.deployer.blacklist(world.token, recipient(1), true, false).await.expect("listed");
    world.deployer.blacklist(world.token, recipient(2), false, true).await.expect("listed");
    let found = look(&world, batch).await;
    let expected = "On the blacklist of USDC".to_owned();
    assert_eq!(blocking(&found)[0], (2, expected.clone()));
    assert!(blocking(&found).contains(&(3, expected)), "a transfer to it would succeed and be stuck");
    assert!(titles(&found, 2).contains(&"This payment fails") && !titles(&found, 3).contains(&"This payment fails"));
    assert!(
        titles(&found, 1) == ["First payment"] && titles(&found, 4) == ["First payment"],
        "the others are as they were"
    );
    let simulated = blocks(&found.checks);
    assert!(simulated.len() == 1 && simulated[0].contains("line 2 fails"), "{simulated:?}");

    world.deployer.blacklist(world.token, world.safe, false, true).await.expect("listed");
    world.deployer.pause(world.token, true).await.expect("paused");
    let found = look(&world, batch).await;
    for line in 1..=4 {
        let titles = titles(&found, line);
        assert!(
            titles.contains(&"USDC is paused") && titles.contains(&"The Safe is on the blacklist of USDC"),
            "{titles:?}"
        );
    }
}

#[tokio::test]
async fn a_token_that_pays_otherwise_than_it_says_stops() {
    let world = World::new().await;
    let batch = world.house.import("pia", "token.csv", &[world.house.line(1, 1_000)]).await;
    let cases: [(u8, &[&str]); 7] = [
        (0, &[]),
        (1, &["No transfer happens", "Less arrives than is paid"]),
        (2, &[]),
        (3, &["Another amount arrives", "Less arrives than is paid"]),
        (4, &["Less arrives than is paid"]),
        (5, &["No transfer happens"]),
        (6, &["No transfer happens", "Less arrives than is paid"]),
    ];
    for (behaviour, expected) in cases {
        world.deployer.behave(world.token, behaviour).await.expect("set");
        let found = look(&world, batch).await;
        let titles: Vec<String> = blocking(&found).into_iter().map(|(_, title)| title).collect();
        assert_eq!(titles, expected, "behaviour {behaviour}");
    }
    // No code at all: MultiSend would take the call for a success.
    world.tell("anvil_setCode", json!([world.token, "0x"])).await;
    assert_eq!(blocking(&look(&world, batch).await), [(1, "There is no such token".to_owned())]);
}

#[tokio::test]
async fn contracts_and_payees_that_refuse_money_are_said() {
    let world = World::new().await;
    let eth = world.house.acme().eth;
    let lines: Vec<ImportLine> = (1..=3).map(|n| ImportLine { asset_id: eth, ..world.house.line(n, 7) }).collect();
    let batch = world.house.import("pia", "contracts.csv", &lines).await;
    world.tell("anvil_setCode", json!([lines[0].recipient, "0x60006000fd"])).await;
    world.tell("anvil_setCode", json!([lines[1].recipient, "0x00"])).await;
    // Delegates to a contract (EIP-7702).
    world.tell("anvil_setCode", json!([lines[2].recipient, format!("0xef0100{:040x}", 0xee)])).await;
    let found = look(&world, batch).await;
    assert_eq!(blocking(&found), [(1, "This payment fails".to_owned())]);
    assert!(
        titles(&found, 2).contains(&"Pays a contract") && titles(&found, 3).contains(&"Account with code"),
        "{found:?}"
    );
}

#[tokio::test]
async fn look_alikes_and_what_is_asked_for_twice_are_said() {
    let world = World::new().await;
    let house = &world.house;
    let book = "0xdead00000000000000000000000000000000beef";
    house.change("ada", "abe", Some(house.acme().id), "payee.add", json!({ "name": "Vera", "address": book })).await;
    let open = house
        .import(
            "pia",
            "open.csv",
            &[to(house.line(1, 5), "0x00000000000000000000000000000000000000d1"), house.line(2, 6)],
        )
        .await;
    house.submit("pia", open).await;
    let lines = [
        to(house.line(1, 5), "0xdead11111111111111111111111111111111beef"),
        ImportLine { reference: "BOOK".into(), ..to(house.line(2, 5), book) },
        to(house.line(3, 5), "0xdead00000000000000000000000000000000be00"),
        ImportLine { reference: "OTHER".into(), ..to(house.line(4, 5), "0x00000000000000000000000000000000000000d1") },
        ImportLine { reference: "INV-2".into(), ..to(house.line(5, 9), "0x0000000000000000000000000000000000000055") },
        to(house.line(6, 1), "0x1234aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa5678"),
        to(house.line(7, 1), "0x1234bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb5678"),
        ImportLine { reference: "TWICE".into(), ..house.line(8, 1) },
        ImportLine { reference: "TWICE".into(), ..house.line(9, 2) },
    ];
    let batch = house.import("pia", "alike.csv", &lines).await;
    let found = look(&world, batch).await;
    let alike = "Looks like another address".to_owned();
    assert_eq!(
        blocking(&found),
        [(1, alike.clone()), (3, alike), (6, "Looks like line 7".to_owned()), (7, "Looks like line 6".to_owned())]
    );
    let batch_no = house.read(&format!("SELECT number FROM core.batches WHERE id = '{open}'")).await;
    assert_eq!(titles(&found, 4)[0], format!("Also in batch {batch_no}"));
    assert_eq!(titles(&found, 5)[0], format!("Reference also in batch {batch_no}"));
    assert_eq!((titles(&found, 8)[0], titles(&found, 9)[0]), ("Same reference as line 9", "Same reference as line 8"));
    assert_eq!(titles(&found, 2), ["First payment"], "the true address");

    // Who is in the payee book is trusted as they are: two people looked.
    let known = json!({ "name": "Walter", "address": "0xdead11111111111111111111111111111111beef" });
    house.change("ada", "abe", Some(house.acme().id), "payee.add", known).await;
    assert!(!blocking(&look(&world, batch).await).iter().any(|(line, _)| *line == 1));
}

#[tokio::test]
async fn lists_and_cooling_addresses_are_said_before_the_database_refuses_them() {
    let world = World::new().await;
    let house = &world.house;
    let acme = house.acme().id;
    let payee = house
        .change(
            "ada",
            "abe",
            Some(acme),
            "payee.add",
            json!({ "name": "Vera", "address": "0x9a1b2c3d4e5f60718293a4b5c6d7e8f901234567" }),
        )
        .await;
    house
        .change(
            "ada",
            "abe",
            Some(acme),
            "payee.address",
            json!({ "payee_id": payee, "address": "0x31d4159265358979323846264338327950288419" }),
        )
        .await;
    let lines = [
        to(house.line(1, 5), "0x31d4159265358979323846264338327950288419"),
        to(house.line(2, 5), "0x9a1b2c3d4e5f60718293a4b5c6d7e8f901234567"),
        house.line(3, 5),
        house.line(4, 5),
    ];
    let batch = house.import("pia", "lists.csv", &lines).await;
    let entries = json!([{ "address": lines[2].recipient, "name": "Somebody listed", "entry": "7" }]);
    let sql = format!(
        "SELECT api.import_sanctions('{acme}', 'OFAC', current_date, 'sdn.csv', decode(repeat('ab', 32), 'hex'), '{entries}')"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut house.psql("ada").await).await.expect("imported");
    let found = look(&world, batch).await;
    let found = blocking(&found);
    assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 2, 3], "{found:?}");
    assert_eq!(
        found.iter().map(|(_, title)| title.as_str()).collect::<Vec<_>>(),
        ["Changed address cools down", "Not the payee's address", "On a sanctions list"]
    );
}

#[tokio::test]
async fn what_cannot_be_paid_is_not_submitted_and_an_endpoint_that_is_away_stops_the_signature_alone() {
    let world = World::new().await;
    let lines: Vec<ImportLine> = (1..=2).map(|n| world.house.line(n, 5)).collect();
    let batch = world.house.import("pia", "submitted.csv", &lines).await;
    world
        .deployer
        .blacklist(world.token, lines[1].recipient.parse().expect("an address"), true, false)
        .await
        .expect("listed");
    let pol = world.with_identity("pol").await;
    let refused = submit(&pol, batch).await.expect_err("a listed recipient");
    assert!(
        matches!(refused, AppError::Conflict(_)) && refused.to_string().starts_with("Line 2 cannot be paid"),
        "{refused}"
    );
    assert_eq!(world.house.read(&format!("SELECT state FROM core.batches WHERE id = '{batch}'")).await, "DRAFT");

    let nowhere = app::Chains::new([].into());
    world.house.approve_by_two(batch).await;
    let review =
        app::use_cases::leg_review(&world.session_over("mia", nowhere).await, batch, 1).await.expect("a review");
    assert!(
        !review.sign.enabled && blocks(&review.checks).iter().any(|b| b.starts_with("Chain: ")),
        "{:?}",
        review.checks
    );
    let review = world.review(batch, 1).await;
    assert!(
        blocks(&review.checks).iter().any(|b| b.starts_with("Lines: Line 2 cannot be paid")),
        "{:?}",
        review.checks
    );
    assert!(review.lines[1].warnings[0].title == "On the blacklist of USDC", "{:?}", review.lines[1]);
}
