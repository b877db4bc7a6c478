//! The payee book: as the database has it for each person, and changed by two.

use app::use_cases::{
    change_confirm, change_get, change_list, payee_choose, payee_export, payee_get, payee_import, payee_list,
    payee_propose,
};
use chrono::NaiveDate;
use contract::{
    ById, ChangeConfirm, ChangeSeen, ErrorCode, FilterTest, PayeeFileEffect, PayeeProposal, PayeeRow, PayeeState,
    TableQuery,
};
use domain::sanctions::Entry;
use serde_json::json;
use store::NewSanctionsList;

use crate::support::{Answers, World, asks, heard, refused};

const PRINTER: &str = "0x00000000000000000000000000000000000000e1";
/// With its checksum, as EIP-55 writes it.
const NEXT: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";

/// Every payee as `psql` shows it to the person: name, address, version, whether it is paid.
const BOOK: &str = "SELECT y.name || '|' || core.hex_address(a.address) || '|' || a.version || '|'
      || CASE WHEN EXISTS (SELECT FROM core.sanctions_on(y.program_id, a.address)) THEN 'BLOCKED' WHEN a.payable_from > now() THEN 'COOLING' ELSE 'PAYABLE' END
    FROM core.payees y JOIN core.payee_addresses a ON a.program_id = y.program_id AND a.payee_id = y.id
    WHERE a.version = (SELECT max(k.version) FROM core.payee_addresses k WHERE k.program_id = a.program_id AND k.payee_id = a.payee_id)
    ORDER BY lower(y.name)";

fn line(row: &PayeeRow) -> String {
    let state = match row.state {
        PayeeState::Payable => "PAYABLE",
        PayeeState::Cooling => "COOLING",
        PayeeState::Blocked => "BLOCKED",
    };
    format!("{}|{}|{}|{state}", row.name, row.address.to_lowercase(), row.version)
}

#[tokio::test]
async fn the_book_is_what_the_database_shows_each_person() {
    let world = World::new().await;
    let acme = Some(world.house.acme().id);
    for (name, fill) in [("Printer", 0xe1_u8), ("Cleaner", 0xe2), ("Hydra", 0xe3)] {
        let address = format!("0x{}{fill:02x}", "0".repeat(38));
        world.house.change("pia", "mia", acme, "payee.add", json!({ "name": name, "address": address })).await;
    }
    let cleaner = world.house.read("SELECT id FROM core.payees WHERE name = 'Cleaner'").await;
    let body = json!({ "payee_id": cleaner, "address": format!("0x{}e9", "0".repeat(38)) });
    world.house.change("pia", "mia", acme, "payee.address", body).await;
    let hydra = format!("0x{}e3", "0".repeat(38)).parse().expect("an address");
    let entry = Entry { address: hydra, name: "HYDRA MARKET".into(), entry: Some("30518".into()) };
    let new = NewSanctionsList {
        name: "SDN",
        published_on: NaiveDate::from_ymd_opt(2026, 11, 1).expect("a day"),
        file_name: "sdn.csv",
        sha256: &[7; 32],
        entries: &[entry],
    };
    world.house.db("ada").await.import_sanctions(world.house.acme().id, &new).await.expect("imported");
    let waiting = world
        .house
        .propose("pia", acme, "payee.address", json!({ "payee_id": world.house.read("SELECT id FROM core.payees WHERE name = 'Printer'").await, "address": NEXT }))
        .await;

    for login in ["vic", "olga"] {
        let session = world.sits(login).await;
        let page = payee_list(&session, asks(&[], None)).await.expect("rows");
        let shown: Vec<String> = page.rows.iter().map(line).collect();
        assert_eq!(shown, world.psql(login, BOOK).await, "{login}");
        assert_eq!((page.size.shown as usize, page.size.all as usize), (page.rows.len(), page.rows.len()));
    }
    let vic = world.sits("vic").await;
    let names = async |query: TableQuery| -> Vec<String> {
        payee_list(&vic, query).await.expect("rows").rows.into_iter().map(|row| row.name).collect()
    };
    assert_eq!(names(asks(&[("state", FilterTest::Is, &["COOLING"])], None)).await, ["Cleaner"]);
    assert_eq!(names(asks(&[("state", FilterTest::Is, &["BLOCKED"])], None)).await, ["Hydra"]);
    assert_eq!(names(asks(&[("kind", FilterTest::IsNot, &["OTHER"])], None)).await, ["Gil", "Pat"]);
    assert_eq!(names(asks(&[("address", FilterTest::Has, &["000000E9"])], None)).await, ["Cleaner"]);
    assert_eq!(names(asks(&[("waiting", FilterTest::Is, &["YES"])], None)).await, ["Printer"]);
    assert_eq!(names(asks(&[("version", FilterTest::AtLeast, &["2"])], None)).await, ["Cleaner"]);
    assert_eq!(names(asks(&[("payments", FilterTest::AtLeast, &["1"])], None)).await, Vec::<String>::new());
    assert_eq!(names(asks(&[], Some(("name", true)))).await, ["Printer", "Pat", "Hydra", "Gil", "Cleaner"]);
    refused(
        payee_list(&vic, asks(&[("wallet", FilterTest::Has, &["x"])], None)).await,
        ErrorCode::InvalidInput,
        "no column",
    );

    let detail = payee_get(&vic, &ById { id: cleaner }).await.expect("a payee");
    let versions: Vec<(u32, Option<&str>, Option<&str>, bool)> = detail
        .versions
        .iter()
        .map(|v| (v.version, v.proposer.as_deref(), v.confirmer.as_deref(), v.proof.is_proven))
        .collect();
    let both = (Some("Person pia"), Some("Person mia"));
    assert_eq!(versions, [(2, both.0, both.1, true), (1, both.0, both.1, true)]);
    assert_eq!(detail.cooling_hours, 24);
    // Look-alikes begin and end alike, or differ in a few digits.
    assert!(detail.look_alikes.iter().any(|like| like.name == "Printer"), "{:?}", detail.look_alikes);
    let hydra = world.house.read("SELECT id FROM core.payees WHERE name = 'Hydra'").await;
    let detail = payee_get(&vic, &ById { id: hydra }).await.expect("a payee");
    assert_eq!(detail.sanctions, ["SDN, entry 30518: \u{201c}HYDRA MARKET\u{201d}"]);
    let printer =
        payee_list(&vic, asks(&[("waiting", FilterTest::Is, &["YES"])], None)).await.expect("rows").rows.remove(0);
    assert_eq!(printer.waiting, Some(waiting.id.to_string()));
    // Nobody reads another program's payee.
    let olga = world.sits("olga").await;
    refused(payee_get(&olga, &ById { id: printer.id }).await, ErrorCode::InvalidInput, "no payee");
}

#[tokio::test]
async fn an_address_is_changed_by_two_people_who_saw_it() {
    let world = World::new().await;
    let acme = Some(world.house.acme().id);
    let printer = world
        .house
        .change("pia", "mia", acme, "payee.add", json!({ "name": "Printer", "address": PRINTER }))
        .await
        .expect("a payee")
        .to_string();
    let (pia, mia, vic) = (world.sits("pia").await, world.sits("mia").await, world.sits("vic").await);
    let another =
        |address: &str| PayeeProposal { payee_id: Some(printer.clone()), name: String::new(), address: address.into() };
    let nobody = Answers::of(&[]);
    refused(payee_propose(&vic, nobody.clone(), &another(NEXT)).await, ErrorCode::Forbidden, "manage_payees");
    let wrong = NEXT.replace("BeAed", "BeAeD");
    refused(payee_propose(&pia, nobody.clone(), &another(&wrong)).await, ErrorCode::InvalidInput, "checksum");
    refused(
        payee_propose(&pia, nobody, &another(PRINTER)).await,
        ErrorCode::InvalidInput,
        "Printer has this address already",
    );
    // Whoever keeps it proposes nothing.
    let keeps = Answers::of(&[false]);
    refused(payee_propose(&pia, keeps.clone(), &another(NEXT)).await, ErrorCode::Cancelled, "Nothing happened");
    let said = keeps.last();
    for words in ["\u{201c}Printer\u{201d}", NEXT, "until now", PRINTER, "acme"] {
        assert!(said.contains(words), "{words} in {said}");
    }
    assert_eq!(world.house.read("SELECT count(*) FROM core.change_requests WHERE kind = 'payee.address'").await, "0");

    let id = payee_propose(&pia, Answers::of(&[true]), &another(NEXT)).await.expect("proposed").id;
    let detail = heard(async || change_get(&mia, &ById { id: id.clone() }).await.ok()).await;
    assert_eq!(detail.change.subject, "Printer");
    let address = detail.fields.iter().find(|field| field.name == "address").expect("a field");
    assert_eq!(address.value, NEXT);
    assert_eq!(address.was.as_deref(), Some(PRINTER));
    let seen =
        |hash: &str| ChangeConfirm { changes: vec![ChangeSeen { id: id.clone(), content_hash: hash.to_owned() }] };
    let other = seen(&"0".repeat(64));
    refused(change_confirm(&mia, Answers::of(&[]), &other).await, ErrorCode::Conflict, "not the one that was shown");
    let shown = seen(&detail.content_hash);
    heard(async || change_get(&pia, &ById { id: id.clone() }).await.ok()).await;
    refused(change_confirm(&pia, Answers::of(&[]), &shown).await, ErrorCode::Forbidden, "somebody else confirms it");
    heard(async || change_get(&vic, &ById { id: id.clone() }).await.ok()).await;
    refused(change_confirm(&vic, Answers::of(&[]), &shown).await, ErrorCode::Forbidden, "manage_payees");
    let keeps = Answers::of(&[false]);
    refused(change_confirm(&mia, keeps.clone(), &shown).await, ErrorCode::Cancelled, "Nothing happened");
    let said = keeps.last();
    for words in [
        "Change the address of \u{201c}Printer\u{201d}",
        NEXT,
        "until now",
        "\u{201c}Person pia\u{201d}",
        &detail.content_hash,
    ] {
        assert!(said.contains(words), "{words} in {said}");
    }
    change_confirm(&mia, Answers::of(&[true]), &shown).await.expect("confirmed");
    let payee = heard(async || {
        let detail = payee_get(&vic, &ById { id: printer.clone() }).await.expect("a payee");
        (detail.payee.version == 2).then_some(detail)
    })
    .await;
    assert_eq!((payee.payee.address.as_str(), payee.payee.state), (NEXT, PayeeState::Cooling));
    assert!(payee.versions[0].proof.is_proven, "{}", payee.versions[0].proof.detail);
    let again = change_confirm(&mia, Answers::of(&[]), &shown).await;
    refused(again, ErrorCode::Forbidden, "confirmed already");
}

#[tokio::test]
async fn a_book_goes_out_as_a_file_and_comes_in_as_proposals_made_together() {
    let world = World::new().await;
    let acme = Some(world.house.acme().id);
    let body = json!({ "name": "Printer", "address": PRINTER });
    world.house.change("pia", "mia", acme, "payee.add", body).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("payees.csv");
    let (pia, mia, vic) = (world.sits("pia").await, world.sits("mia").await, world.sits("vic").await);
    refused(payee_export(&vic, &path).await, ErrorCode::Forbidden, "export");
    let written = payee_export(&pia, &path).await.expect("written");
    let text = std::fs::read_to_string(&path).expect("a file");
    assert_eq!(text.lines().count() - 1, written.rows as usize);
    assert!(text.contains(&format!("Printer,{PRINTER},OTHER,1,")), "{text}");
    let recorded =
        world.house.read("SELECT string_agg(kind || ' ' || encode(sha256, 'hex'), '') FROM core.exports").await;
    assert_eq!(recorded, format!("PAYEES {}", written.sha256));

    // What went out changes nothing when it comes in.
    let (preview, book) = payee_choose(&pia, &path, "1").await.expect("read");
    assert!(preview.lines.iter().all(|line| line.effect == PayeeFileEffect::Same), "{:?}", preview.lines);
    let nothing = payee_import(&pia, Answers::of(&[]), &book.expect("a book")).await;
    refused(nothing, ErrorCode::Conflict, "nothing to propose");

    let bad = format!("name,address\nPrinter,{NEXT}\nprinter,{PRINTER}\nCleaner,0x12\n");
    std::fs::write(&path, bad).expect("a file");
    let (preview, book) = payee_choose(&pia, &path, "2").await.expect("read");
    assert!(book.is_none());
    let lines: Vec<u32> = preview.errors.iter().map(|error| error.file_line).collect();
    assert_eq!(lines, [3, 4]);

    let good = format!("name,address\nPrinter,{NEXT}\nCleaner,0x{}e5\n", "0".repeat(38));
    std::fs::write(&path, good).expect("a file");
    let (preview, book) = payee_choose(&pia, &path, "3").await.expect("read");
    let effects: Vec<PayeeFileEffect> = preview.lines.iter().map(|line| line.effect).collect();
    assert_eq!(effects, [PayeeFileEffect::Changed, PayeeFileEffect::New]);
    let book = book.expect("a book");
    let keeps = payee_import(&pia, Answers::of(&[false]), &book).await;
    refused(keeps, ErrorCode::Cancelled, "Nothing happened");
    let (_, of_vic) = payee_choose(&vic, &path, "4").await.expect("read");
    let may_not = payee_import(&vic, Answers::of(&[true]), &of_vic.expect("a book")).await;
    refused(may_not, ErrorCode::Forbidden, "manage_payees");
    let agrees = Answers::of(&[true]);
    assert_eq!(payee_import(&pia, agrees.clone(), &book).await.expect("proposed").changes, 2);
    let said = agrees.last();
    for words in ["\u{201c}Printer\u{201d}", "\u{201c}Cleaner\u{201d}", NEXT, "payees.csv", &preview.sha256] {
        assert!(said.contains(words), "{words} in {said}");
    }
    // All or none: the second person confirms both in one dialog.
    let waiting = heard(async || {
        let page = change_list(&mia, asks(&[("state", FilterTest::Is, &["WAITING"])], None)).await.expect("rows");
        (page.rows.len() == 2).then_some(page.rows)
    })
    .await;
    let mut changes = Vec::new();
    for row in waiting {
        let hash = change_get(&mia, &ById { id: row.id.clone() }).await.expect("a change").content_hash;
        changes.push(ChangeSeen { id: row.id, content_hash: hash });
    }
    change_confirm(&mia, Answers::of(&[true]), &ChangeConfirm { changes }).await.expect("confirmed");
    assert_eq!(
        world
            .psql("vic", BOOK)
            .await
            .iter()
            .filter(|row| row.contains(&NEXT.to_lowercase()) || row.starts_with("Cleaner|"))
            .count(),
        2
    );
}
