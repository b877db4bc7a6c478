//! The audit trail on screen: what each person may read of it, and whether it is as it was sealed.

use app::use_cases::{audit_get, audit_list, audit_verify};
use contract::{AuditPlace, AuditRow, ById, ErrorCode, FilterTest};
use serde_json::json;
use sqlx::Executor as _;

use crate::support::{World, asks, heard, refused};

const ROWS: &str = "SELECT e.id || '|' || e.action || '|' || coalesce((SELECT p.person FROM core.staff p WHERE p.login = e.login), e.login) || '|' || coalesce(s.seq::text, '')
    FROM core.audit_entries e LEFT JOIN core.seals s ON s.audit_entry_id = e.id ORDER BY e.id DESC LIMIT 200";

fn line(row: &AuditRow) -> String {
    format!("{}|{}|{}|{}", row.id, row.action, row.person, row.seq.as_deref().unwrap_or_default())
}

/// Seals everything there is.
async fn seal(world: &World) {
    let mut worker = world.house.psql("worker").await;
    while sqlx::query_scalar::<_, i32>("SELECT api.seal_audit()").fetch_one(&mut worker).await.expect("sealed") > 0 {}
}

#[tokio::test]
async fn the_trail_is_what_the_database_shows_each_person() {
    let world = World::new().await;
    let acme = Some(world.house.acme().id);
    let body = json!({ "name": "Printer", "address": format!("0x{}e1", "0".repeat(38)) });
    let payee = world.house.change("pia", "mia", acme, "payee.add", body).await.expect("a payee").to_string();
    let (pia, mia) = (world.sits("pia").await, world.sits("mia").await);
    let oscar = world.sits("oscar").await;
    seal(&world).await;
    for (login, session) in [("mia", &mia), ("oscar", &oscar)] {
        let wanted = world.psql(login, ROWS).await;
        heard(async || {
            let page = audit_list(session, asks(&[], None)).await.expect("rows");
            let shown: Vec<String> = page.rows.iter().map(line).collect();
            (shown == wanted).then_some(())
        })
        .await;
    }
    refused(audit_list(&pia, asks(&[], None)).await, ErrorCode::Forbidden, "view_audit");
    refused(audit_verify(&pia).await, ErrorCode::Forbidden, "view_audit");

    // By who, what, noun and text.
    let made = asks(
        &[
            ("person", FilterTest::Has, &["person mia"]),
            ("action", FilterTest::Has, &["row.made"]),
            ("noun", FilterTest::Has, &["payee_addresses"]),
            ("text", FilterTest::Has, &["000000e1"]),
        ],
        None,
    );
    let page = audit_list(&mia, made).await.expect("rows");
    let [entry] = &page.rows[..] else { panic!("{} entries", page.rows.len()) };
    assert_eq!(entry.about.as_deref(), Some("Printer"));
    let detail = audit_get(&mia, &ById { id: entry.id.clone() }).await.expect("an entry");
    let address = detail.fields.iter().find(|field| field.name == "address").expect("a field");
    assert_eq!(
        (address.before.as_deref(), address.after.as_deref()),
        (None, Some("0x00000000000000000000000000000000000000e1"))
    );
    let link = detail.link.expect("a payee");
    assert_eq!((link.place, link.id), (AuditPlace::Payee, payee));
    assert!(detail.seal.is_some());
}

#[tokio::test]
async fn a_trail_is_verified_up_to_its_newest_seal_and_a_break_is_named() {
    let world = World::new().await;
    let (mia, ada) = (world.sits("mia").await, world.sits("ada").await);
    seal(&world).await;
    let acme = world.house.acme().id;
    let newest = world.house.read(&format!("SELECT max(seq) FROM core.seals WHERE program_id = '{acme}'")).await;
    let state = heard(async || {
        let state = audit_verify(&mia).await.ok()?;
        (state.chains[0].sealed_to == newest).then_some(state)
    })
    .await;
    assert_eq!((state.chains[0].broken.as_deref(), state.alarm.as_deref(), state.not_compared), (None, None, None));
    let seal = world
        .house
        .read(&format!("SELECT encode(hash, 'hex') FROM core.seals WHERE program_id = '{acme}' AND seq = {newest}"))
        .await;
    assert_eq!(state.chains[0].seal.as_deref(), Some(seal.as_str()));
    // Whoever owns the database can rewrite an entry, and its copies say which.
    let mut owner = world.house.owner().await;
    owner
        .execute(
            "ALTER TABLE core.audit_entries DISABLE TRIGGER append_only_rows;
             UPDATE core.audit_entries SET login = 'eve', changed_xid = pg_current_xact_id() WHERE id = (SELECT audit_entry_id FROM core.seals
               WHERE seq = 3 AND program_id = (SELECT id FROM core.programs WHERE slug = 'acme'));
             ALTER TABLE core.audit_entries ENABLE TRIGGER append_only_rows",
        )
        .await
        .expect("rewritten");
    for session in [&mia, &ada] {
        let broken = heard(async || {
            let state = audit_verify(session).await.ok()?;
            state.chains.iter().find(|chain| !chain.is_of_house)?.broken.clone()
        })
        .await;
        assert!(broken.contains("Entry 3 of"), "{broken}");
    }
}
