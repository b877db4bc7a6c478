//! What a person does when something is refused late: a signature that the database did not take, a line that cannot be paid any more.

use std::sync::Arc;

use app::offline::{SignatureFile, import_signature, kept_signatures};
use app::use_cases::{leg_review, leg_sign};
use app::{AppError, Session, SigningKey};
use contract::LegSigned;
use domain::id::BatchId;
use secrecy::SecretString;
use store::ImportLine;

use crate::support::{Agrees, PASSPHRASE, World, blocks};

async fn sign(session: &Session, batch: BatchId) -> Result<LegSigned, AppError> {
    let review = leg_review(session, batch, 1).await.expect("a review");
    let hash = review.leg.hashes.expect("an open nonce").safe_tx_hash;
    let passphrase = SigningKey::Software(SecretString::from(PASSPHRASE));
    leg_sign(session, Arc::new(Agrees), batch, 1, &hash, passphrase).await
}

async fn kept(world: &World) -> Vec<SignatureFile> {
    let found = kept_signatures(world.folder()).await.expect("a folder");
    found.into_iter().map(|(_, read)| read.expect("a signature file")).collect()
}

#[tokio::test]
async fn a_signature_that_the_database_did_not_take_is_kept_listed_and_handed_in_again() {
    let world = World::new().await;
    let batch = world.house.import("pia", "refused.csv", &[world.house.line(1, 5)]).await;
    world.house.approve_by_two(batch).await;
    let mia = world.session("mia").await;
    assert!(kept(&world).await.is_empty());
    let owner = async |sql: &'static str| {
        sqlx::raw_sql(sql).execute(&mut world.house.owner().await).await.expect("by the owner of the database");
    };
    owner("CREATE FUNCTION core.refuse_all() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'CS409', MESSAGE = 'Not today'; END $$;
           CREATE TRIGGER refuses_all BEFORE INSERT ON core.signatures FOR EACH ROW EXECUTE FUNCTION core.refuse_all()").await;
    let refused = sign(&mia, batch).await.expect_err("not today").to_string();
    assert!(refused.starts_with("Not today. Your signature exists and the database does not have it"), "{refused}");
    assert!(refused.contains(&world.folder().display().to_string()) && refused.contains("batch kept"), "{refused}");
    let [file] = &kept(&world).await[..] else { panic!("one signature is kept") };
    assert_eq!((file.batch_id, file.leg, Some(file.owner)), (batch, 1, mia.me.safe_owner));

    // As long as the cause is there it is refused again, and nothing is lost.
    let again = import_signature(&mia, file).await.expect_err("not today").to_string();
    assert!(again.contains("Not today"), "{again}");
    assert_eq!(kept(&world).await.len(), 1);
    owner("DROP TRIGGER refuses_all ON core.signatures").await;
    // It is its owner's alone.
    let ada = world.session("ada").await;
    let hers = import_signature(&ada, file).await.expect_err("another person").to_string();
    assert!(hers.contains("its owner brings it in"), "{hers}");
    let stored = import_signature(&mia, file).await.expect("stored");
    assert_eq!((stored.signatures, stored.threshold), (1, 2));
    assert_eq!(world.house.read("SELECT count(*) FROM core.signatures").await, "1");
}

#[tokio::test]
async fn a_line_that_cannot_be_paid_after_approval_says_what_is_left_to_do() {
    let world = World::new().await;
    let house = &world.house;
    let lines: Vec<ImportLine> = (1..=2).map(|n| house.line(n, 5)).collect();
    let (mia, ada) = (world.session("mia").await, world.session("ada").await);
    let stopped = async |session: &Session, batch: BatchId| {
        let review = leg_review(session, batch, 1).await.expect("a review");
        let said = blocks(&review.checks).into_iter().find(|b| b.starts_with("Lines: ")).expect("a check");
        let refused = sign(session, batch).await.expect_err("blocked").to_string();
        assert_eq!(refused, format!("{said}. Nothing was signed"));
        said
    };
    let listed = async |line: usize, is_listed: bool| {
        let recipient = lines[line - 1].recipient.parse().expect("an address");
        world.deployer.blacklist(world.token, recipient, is_listed, false).await.expect("set");
    };
    let first = house.import("pia", "late.csv", &lines).await;
    house.approve_by_two(first).await;
    listed(2, true).await;
    let said = stopped(&mia, first).await;
    assert!(said.starts_with("Lines: Line 2 cannot be paid"), "{said}");
    assert!(
        said.ends_with(
            "Nobody signed the batch yet: cancel it, which frees its lines, and make another one without this line"
        ),
        "{said}"
    );
    house.db("pia").await.cancel_batch(house.acme().id, first, "line 2 cannot be paid").await.expect("cancelled");
    let rest = house.import("pia", "late.csv", &lines[..1]).await;
    house.approve_by_two(rest).await;
    sign(&mia, rest).await.expect("the rest is signed");

    // Once somebody signed, a rejection is what frees it.
    listed(1, true).await;
    let said = stopped(&ada, rest).await;
    assert!(said.ends_with("have leg 1 rejected on chain, which frees its lines; the other legs may go on"), "{said}");
    let refused = house.db("pia").await.cancel_batch(house.acme().id, rest, "line 1 cannot be paid").await;
    assert!(refused.is_err(), "signed");
    listed(1, false).await;
    sign(&ada, rest).await.expect("signed");
}
