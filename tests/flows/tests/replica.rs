//! The local copy is what the shared database lets its person read, row for row: beside writers that commit out of order, after
//! deletes, after a stop half-way, and after grants came and went.

mod copies;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use app::sync::{Asker, Pulled, Sync, follow};
use app::worker::Stopper;
use copies::Copy;
use domain::replicated::{Scope, TABLES};
use flows::House;
use replica::Progress;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

/// The same text everywhere: how a sale is written.
fn sale(charge: &str) -> String {
    format!(
        "SELECT api.submit_intents('COMMERCE', jsonb_build_array(jsonb_build_object('charge', '{charge}', 'wallet', '0x{}',
           'chain_id', 31337, 'token', '{}', 'amount', '1000', 'at', '2026-03-01T00:00:00Z', 'rail', 'card')))",
        "c1".repeat(20),
        flows::TOKEN
    )
}

/// One more sale, written and settled.
async fn sell_once(house: &House, charge: &str) {
    let mut platform = house.psql("platform").await;
    platform.execute(AssertSqlSafe(sale(charge))).await.expect("written");
    let worker = house.db("worker").await;
    let (token, _) = worker.claim_intents(10, Duration::from_secs(60)).await.expect("a claim");
    assert_eq!(worker.process_intents(token).await.expect("settled").1, 0);
}

#[tokio::test]
async fn every_table_that_staff_read_is_in_the_copy_or_left_out_on_purpose() {
    let house = House::new().await;
    let listed = |scope: Option<Scope>| {
        let names = TABLES.iter().filter(|table| scope.is_none_or(|scope| table.scope == scope));
        names.map(|table| format!("'{}'", table.name)).collect::<Vec<_>>().join(", ")
    };
    let left_out = format!(
        "SELECT string_agg(c.relname, ' ' ORDER BY c.relname) FROM pg_class c WHERE c.relnamespace = 'core'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p')
           AND has_any_column_privilege('pia', c.oid, 'SELECT') AND c.relname NOT IN ({})",
        listed(None)
    );
    assert_eq!(house.read(&left_out).await, "state_transitions tombstones");
    // Rows of the house leave no tombstone, so they must not be able to go.
    let can_go = format!(
        "SELECT coalesce(string_agg(t.name, ' '), 'none') FROM unnest(ARRAY[{}]) AS t(name) WHERE NOT EXISTS (
           SELECT FROM pg_trigger g WHERE g.tgrelid = ('core.' || t.name)::regclass AND g.tgenabled = 'O'
             AND g.tgname IN ('append_only_rows', 'stays_as_approved', 'gone_is_buried'))",
        listed(Some(Scope::House))
    );
    assert_eq!(house.read(&can_go).await, "none");
}

#[tokio::test]
async fn a_first_reading_brings_everything_a_person_may_see() {
    let house = House::new().await;
    house
        .sell(&["1000".parse().expect("an amount"), "999999999999999999999999999999".parse().expect("an amount")])
        .await;
    let batch = house.import("pia", "may.csv", &[house.line(1, 5), house.line(2, 7)]).await;
    house.submit("pia", batch).await;
    for login in ["pia", "ada", "vic", "olga", "sue"] {
        let mut copy = Copy::of(&house, login).await;
        copy.pull().await;
        copy.compare(&house).await;
    }
}

#[tokio::test]
async fn nothing_is_missed_beside_writers_that_commit_out_of_order() {
    let house = House::new().await;
    let mut copy = Copy::of(&house, "pia").await;
    copy.pull().await;
    // The first writer begins and writes, the second begins later and ends first; the copy is pulled in between.
    let mut first = house.psql("platform").await;
    let mut second = house.psql("platform").await;
    let mut early = first.begin().await.expect("a transaction");
    early.execute(AssertSqlSafe(sale("early"))).await.expect("written");
    second.execute(AssertSqlSafe(sale("late"))).await.expect("written");
    copy.pull().await;
    assert_eq!(copy.count("intents").await, house.read("SELECT count(*) FROM core.intents").await);
    early.commit().await.expect("committed");
    copy.pull().await;
    assert_eq!(copy.count("intents").await, house.read("SELECT count(*) FROM core.intents").await);
    copy.compare(&house).await;
}

#[tokio::test]
async fn what_is_deleted_goes_and_what_comes_back_under_the_same_key_stays() {
    let house = House::new().await;
    let mut copy = Copy::of(&house, "mia").await;
    let batch = house.import("pia", "may.csv", &[house.line(1, 5)]).await;
    house.submit("pia", batch).await;
    copy.pull().await;
    assert_eq!(copy.count("safe_transactions").await, "1");
    house.db("mia").await.return_batch(house.acme().id, batch, "the amount is wrong", &[]).await.expect("returned");
    copy.pull().await;
    assert_eq!(copy.count("safe_transactions").await, "0");
    copy.compare(&house).await;
    // A row that goes in a later transaction than the one that brings it back, which began before: the key lives, and its
    // tombstone is the newer of the two. The copy's snapshot is held back by a third that stays open.
    let key = format!("'{}'", house.acme().id);
    let mut back = house.owner().await;
    let mut gone = house.owner().await;
    let mut open = house.owner().await;
    let mut bringing = back.begin().await.expect("a transaction");
    bringing.execute("SELECT pg_current_xact_id()").await.expect("an id");
    let mut holding = open.begin().await.expect("a transaction");
    holding.execute("SELECT pg_current_xact_id()").await.expect("an id");
    gone.execute(AssertSqlSafe(format!(
        "DELETE FROM core.safe_balances WHERE program_id = {key} AND asset_id = '{}'",
        house.acme().usdc
    )))
    .await
    .expect("deleted");
    bringing
        .execute(AssertSqlSafe(format!(
            "INSERT INTO core.safe_balances (program_id, safe_id, asset_id, amount, block_number, observed_at)
             VALUES ({key}, '{}', '{}', 5, 11, clock_timestamp())",
            house.acme().safe,
            house.acme().usdc
        )))
        .await
        .expect("written");
    bringing.commit().await.expect("committed");
    copy.pull().await;
    copy.compare(&house).await;
    copy.pull().await;
    holding.commit().await.expect("committed");
    copy.pull().await;
    copy.compare(&house).await;
}

#[tokio::test]
async fn a_reading_that_was_stopped_goes_on_where_it_was() {
    let house = House::new().await;
    house.sell(&["1000".parse().expect("an amount")]).await;
    let mut copy = Copy::of(&house, "pia").await;
    // Nothing of the history is read, and what is small and open is there.
    let progress = copy.pull_and_stop().await;
    assert!(!progress.is_complete && progress.rows_read < progress.rows_expected, "{progress:?}");
    assert_eq!(copy.count("transfers").await, "0");
    assert_ne!(copy.count("accounts").await, "0");
    // Another process goes on; meanwhile rows came, changed and went, among what was read and what was not.
    let mut copy = copy.reopened(&house).await;
    sell_once(&house, "second").await;
    copy.pull_and_stop().await;
    sell_once(&house, "third").await;
    let progress = copy.pull().await;
    assert!(progress.is_complete, "{progress:?}");
    copy.compare(&house).await;
}

#[tokio::test]
async fn pulls_that_die_beside_busy_writers_lose_and_double_nothing() {
    let house = Arc::new(House::new().await);
    let mut copy = Copy::of(&house, "pia").await;
    let is_over = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for hand in 0..3_u64 {
        let (house, is_over) = (Arc::clone(&house), Arc::clone(&is_over));
        writers.push(tokio::spawn(async move {
            let mut platform = house.psql("platform").await;
            let mut chance = Chance(hand + 1);
            for sold in 0.. {
                if is_over.load(Ordering::Relaxed) {
                    return sold;
                }
                // Held open for a while, so that transactions end in another order than they began in; some are given up.
                let mut open = platform.begin().await.expect("a transaction");
                open.execute(AssertSqlSafe(sale(&format!("hand-{hand}-{sold}")))).await.expect("written");
                tokio::time::sleep(Duration::from_millis(chance.below(60))).await;
                if chance.below(5) == 0 { open.rollback().await } else { open.commit().await }.expect("ended");
            }
            0
        }));
    }
    let settling = {
        let (house, is_over) = (Arc::clone(&house), Arc::clone(&is_over));
        tokio::spawn(async move {
            let worker = house.db("worker").await;
            while !is_over.load(Ordering::Relaxed) {
                let (token, _) = worker.claim_intents(3, Duration::from_secs(60)).await.expect("a claim");
                worker.process_intents(token).await.expect("settled");
                tokio::time::sleep(Duration::from_millis(15)).await;
            }
        })
    };
    let (mut chance, mut died, mut stood) = (Chance(99), 0, 0);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(6) {
        // The pull is dropped wherever it is by then.
        let patience = if chance.below(3) == 0 { 5_000 } else { 5 + chance.below(250) };
        match timeout(Duration::from_millis(patience), copy.try_pull()).await {
            Ok(pulled) => {
                assert_ne!(pulled.expect("a pull"), Pulled::Wiped);
                stood += 1;
            }
            Err(_) => died += 1,
        }
        if chance.below(4) == 0 {
            copy = copy.reopened(&house).await;
        }
    }
    is_over.store(true, Ordering::Relaxed);
    let mut sold = 0;
    for writer in writers {
        sold += writer.await.expect("a writer");
    }
    settling.await.expect("a worker");
    while !copy.pull().await.is_complete {}
    copy.compare(&house).await;
    assert!(died > 3 && stood > 3 && sold > 30, "{died} died, {stood} stood, {sold} were sold");
}

/// A row of numbers that looks like chance and is the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

#[tokio::test]
async fn grants_that_go_take_their_rows_along_and_those_that_come_bring_them() {
    let house = House::new().await;
    house.sell(&["1000".parse().expect("an amount")]).await;
    let mut copy = Copy::of(&house, "vic").await;
    copy.pull().await;
    assert_eq!(copy.count("intents").await, "2");
    assert_eq!(copy.count("audit_entries").await, "0", "a viewer sees no audit");
    let staff = house.staff("vic");
    let (acme, other) = (house.acme().id, house.other().id);
    // Another program, and the right to see the audit there.
    house.change("sue", "sam", Some(other), "grant.add", json!({ "staff_id": staff, "role": "accountant" })).await;
    copy.pull().await;
    copy.compare(&house).await;
    assert_ne!(copy.count("audit_entries").await, "0");
    // The first one goes.
    let grant = house
        .read(&format!(
            "SELECT id FROM core.grants WHERE staff_id = '{}' AND program_id = '{}'",
            staff.as_uuid(),
            acme.as_uuid()
        ))
        .await;
    house.change("sue", "sam", Some(acme), "grant.revoke", json!({ "grant_id": grant })).await;
    copy.pull().await;
    assert_eq!(copy.count("intents").await, "0");
    copy.compare(&house).await;
    // And comes back.
    sell_once(&house, "meanwhile").await;
    house.change("sue", "sam", Some(acme), "grant.add", json!({ "staff_id": staff, "role": "viewer" })).await;
    copy.pull().await;
    copy.compare(&house).await;
    assert_ne!(copy.count("intents").await, "0");
}

#[tokio::test]
async fn who_is_staff_no_more_keeps_no_copy() {
    let house = House::new().await;
    let mut copy = Copy::of(&house, "vic").await;
    copy.pull().await;
    assert!(copy.place.file().exists() && copy.place.key_file().exists());
    house.change("sue", "sam", None, "staff.revoke", json!({ "staff_id": house.staff("vic") })).await;
    assert_eq!(copy.try_pull().await.expect("an answer"), Pulled::Wiped);
    assert!(!copy.place.file().exists() && !copy.place.key_file().exists());
    let left: Vec<_> = std::fs::read_dir(&copy.place.folder).expect("the folder").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn another_database_begins_anew() {
    let house = House::new().await;
    let mut copy = Copy::of(&house, "pia").await;
    copy.pull().await;
    let other = House::new().await;
    other.sell(&["1000".parse().expect("an amount")]).await;
    let mut copy = copy.of_other(&other, "pia").await;
    match copy.try_pull().await.expect("a pull") {
        Pulled::Stands { begins_anew, .. } => {
            assert_eq!(begins_anew, Some("the shared database is another one, or was restored"))
        }
        Pulled::Wiped => panic!("wiped"),
    }
    copy.compare(&other).await;
}

/// What a follower told of its pulls.
struct Followed {
    asker: Asker,
    stopper: Stopper,
    told: UnboundedReceiver<(Progress, u64)>,
}

impl Followed {
    fn of(house_db: store::Db, sync: Sync) -> Self {
        Self::of_asker(house_db, sync, Asker::new())
    }

    fn of_asker(house_db: store::Db, mut sync: Sync, asker: Asker) -> Self {
        let stopper = Stopper::new();
        let (mut asked, stop) = (asker.heard(), stopper.watched());
        let (tell, told) = unbounded_channel();
        tokio::spawn(async move {
            follow(&mut sync, &house_db, (&stop, &mut asked), copies::now, |pulled, number| {
                if let Ok(Pulled::Stands { progress, .. }) = pulled {
                    let _ = tell.send((*progress, number));
                }
            })
            .await
        });
        Self { asker, stopper, told }
    }

    /// How long until the next pull that ends well, and what it said.
    async fn next(&mut self) -> (Duration, Progress, u64) {
        let asked = Instant::now();
        let (progress, number) =
            timeout(Duration::from_secs(20), self.told.recv()).await.expect("in time").expect("a pull");
        (asked.elapsed(), progress, number)
    }

    /// Waits until it follows and nothing is on its way.
    async fn settles(&mut self) {
        self.next().await;
        while timeout(Duration::from_millis(500), self.told.recv()).await.is_ok() {}
    }
}

#[tokio::test]
async fn a_follower_pulls_at_a_hint_when_asked_and_now_and_then_by_itself() {
    let house = House::new().await;
    let copy = Copy::of(&house, "pia").await;
    let mut followed = Followed::of(house.db("pia").await, copy.following(&house).await);
    followed.settles().await;
    // Nobody says a word: it comes by itself within its five seconds.
    house.psql("platform").await.execute(AssertSqlSafe(sale("unheard"))).await.expect("written");
    let (took, ..) = followed.next().await;
    assert!(took < Duration::from_secs(7), "{took:?}");
    assert_eq!(copy.count("intents").await, house.read("SELECT count(*) FROM core.intents").await);
    followed.settles().await;
    // Somebody says that something changed: at once.
    house.psql("platform").await.execute(AssertSqlSafe(sale("heard"))).await.expect("written");
    house.owner().await.execute(AssertSqlSafe(format!("NOTIFY {}", store::CHANGE_CHANNEL))).await.expect("said");
    let (took, ..) = followed.next().await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(copy.count("intents").await, house.read("SELECT count(*) FROM core.intents").await);
    followed.settles().await;
    // Whoever asks gets a pull that began afterwards.
    house.psql("platform").await.execute(AssertSqlSafe(sale("asked"))).await.expect("written");
    let number = followed.asker.ask();
    loop {
        let (took, _, passed) = followed.next().await;
        assert!(took < Duration::from_secs(2), "{took:?}");
        if passed >= number {
            break;
        }
    }
    assert_eq!(copy.count("intents").await, house.read("SELECT count(*) FROM core.intents").await);
    followed.stopper.stop();
}

#[tokio::test]
async fn the_history_waits_when_asked_while_changes_come_and_goes_on_where_it_was() {
    let house = House::new().await;
    house.sell(&["1000".parse().expect("an amount"), "2000".parse().expect("an amount")]).await;
    let copy = Copy::of(&house, "pia").await;
    let asker = Asker::new();
    asker.pause(true);
    let sync = copy.following(&house).await;
    let mut followed = Followed::of_asker(house.db("pia").await, sync, asker);
    let (_, progress, _) = followed.next().await;
    assert!(!progress.is_complete, "{progress:?}");
    assert_eq!(copy.count("settlements").await, "0", "history waits");
    assert_eq!(copy.count("programs").await, "1", "what is small is here");
    followed.asker.pause(false);
    loop {
        let (_, progress, _) = followed.next().await;
        if progress.is_complete {
            break;
        }
    }
    assert_eq!(copy.count("settlements").await, house.read("SELECT count(*) FROM core.settlements").await);
    copy.compare(&house).await;
    followed.stopper.stop();
}
