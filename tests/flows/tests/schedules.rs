//! Schedules: each due time once across all workers, caught up once, taken over once, and by no clock but the database's.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use app::Chains;
use app::worker::Stop;
use app::worker::notify::Office;
use app::worker::schedule::{Scheduled, run_due};
use flows::House;
use flows::attack::{Attack, all_refused};
use serde_json::json;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgListener;
use store::{CHANGE_CHANNEL, Db};

const MINUTE: Duration = Duration::from_secs(60);

async fn as_owner(house: &House, sql: &str) {
    let mut owner = house.owner().await;
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut owner).await.unwrap_or_else(|e| panic!("{e}\n{sql}"));
}

/// Makes the daily job due since a second ago, in a program that is older than that.
async fn make_due(house: &House, job: &str) {
    as_owner(
        house,
        &format!(
            "ALTER TABLE core.programs DISABLE TRIGGER USER; UPDATE core.programs SET created_at = created_at - interval '2 days';
             ALTER TABLE core.programs ENABLE TRIGGER USER;
             UPDATE core.schedules SET at = ((clock_timestamp() - interval '1 second') AT TIME ZONE 'Europe/Berlin')::time WHERE job = '{job}'"
        ),
    )
    .await;
}

async fn claim(db: &Db, job: &'static str, lease: Duration) -> Option<store::HeldRun> {
    db.claim_run(job, "a test", lease).await.expect("an answer")
}

#[tokio::test]
async fn a_day_has_one_due_time_whatever_the_clocks_do() {
    let house = House::new().await;
    // Berlin and New York change by an hour, Lord Howe by half an hour, Santiago and Cairo at midnight.
    let walked = "SELECT string_agg(z || ' ' || days || ' ' || dues || ' ' || late, ', ' ORDER BY z) FROM (
        SELECT z, count(DISTINCT due) AS dues, count(DISTINCT (due AT TIME ZONE z)::date) AS days, count(*) FILTER (WHERE due > t OR t - due > interval '26 hours') AS late
        FROM unnest(ARRAY['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'America/Santiago', 'Africa/Cairo']) z,
          generate_series(timestamptz '2026-01-01 12:00Z', '2026-12-31 12:00Z', '30 minutes') t,
          LATERAL (SELECT core.last_due(at, NULL, z, t) AS due FROM (VALUES (time '02:00')) v(at)) d GROUP BY z) x";
    let expected = ["Africa/Cairo", "America/New_York", "America/Santiago", "Australia/Lord_Howe", "Europe/Berlin"];
    assert_eq!(house.read(walked).await, expected.map(|zone| format!("{zone} 365 365 0")).join(", "));
    let due = |at: &str, now: &str| {
        format!("to_char(core.last_due('{at}', NULL, 'Europe/Berlin', '{now}') AT TIME ZONE 'UTC', 'MM-DD HH24:MI')")
    };
    // 02:30 does not exist on 29 March: as much later as was skipped. It is twice on 25 October: the second.
    assert_eq!(house.read(&due("02:30", "2026-03-29 00:59Z")).await, "03-28 01:30");
    assert_eq!(house.read(&due("02:30", "2026-03-29 01:30Z")).await, "03-29 01:30");
    assert_eq!(house.read(&due("02:30", "2026-10-25 00:45Z")).await, "10-24 00:30");
    assert_eq!(house.read(&due("02:30", "2026-10-25 01:30Z")).await, "10-25 01:30");
    let five = "core.last_due(NULL, '5 minutes', NULL, '2026-10-25 12:07:03Z') = '2026-10-25 12:05Z'";
    assert_eq!(house.read(five).await, "true");
}

#[tokio::test]
async fn of_many_workers_one_gets_each_due_time() {
    let house = House::new().await;
    assert!(claim(&house.db("worker").await, "mature", MINUTE).await.is_none(), "not due before the program was there");
    make_due(&house, "mature").await;
    let db = Db::connect(&house.settings("worker").connections_max(8)).await.expect("a connection");
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let db = db.clone();
        tasks.spawn(async move { claim(&db, "mature", MINUTE).await });
    }
    let held: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    let programs: HashSet<_> = held.iter().map(|run| run.program).collect();
    assert_eq!((held.len(), programs.len()), (2, 2), "two programs, each once: {held:?}");
    for run in &held {
        db.do_run(run).await.expect("done");
    }
    assert!(claim(&db, "mature", MINUTE).await.is_none(), "done is done");
    assert_eq!(house.read("SELECT count(*) FROM core.schedule_runs").await, "2");
}

#[tokio::test]
async fn what_nobody_ran_is_caught_up_once() {
    let house = House::new().await;
    let worker = house.db("worker").await;
    as_owner(
        &house,
        "UPDATE core.schedules SET every = interval '1 hour' WHERE job = 'retry';
         INSERT INTO core.schedule_runs (program_id, job, due_at, token, worker, lease_expires_at, completed_at)
         VALUES ('00000000-0000-0000-0000-000000000000', 'retry', clock_timestamp() - interval '9 hours', 1, 'long ago', clock_timestamp() - interval '9 hours', clock_timestamp() - interval '9 hours'),
                ('00000000-0000-0000-0000-000000000000', 'retry', clock_timestamp() - interval '8 hours', 2, 'it died', clock_timestamp() - interval '8 hours', NULL)",
    )
    .await;
    let ran = run_due(&worker, &Chains::default(), Scheduled::Retry, "a test", &Stop::never()).await.expect("a round");
    assert_eq!(ran.len(), 1, "{ran:?}");
    assert_eq!(ran[0].outcome, Ok("0".to_owned()));
    assert_eq!(house.read("SELECT count(*) FROM core.schedule_runs WHERE completed_at IS NULL").await, "0");
    let left = "SELECT error FROM core.schedule_runs WHERE worker = 'it died'";
    assert_eq!(house.read(left).await, "A later run did its work");
}

#[tokio::test]
async fn a_worker_that_died_is_taken_over_and_one_that_stalled_is_fenced_off() {
    let house = House::new().await;
    house.sell(&["1000000".parse().expect("an amount")]).await;
    let worker = house.db("worker").await;
    make_due(&house, "mature").await;
    let mut stalled = Vec::new();
    while let Some(run) = claim(&worker, "mature", Duration::from_secs(1)).await {
        stalled.push(run);
    }
    assert_eq!(stalled.len(), 2);
    worker.renew_run(&stalled[0], MINUTE).await.expect("kept");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let next = claim(&worker, "mature", MINUTE).await.expect("the lease of one ended");
    assert!(claim(&worker, "mature", MINUTE).await.is_none(), "the other was kept");
    assert_eq!((next.program, next.due_at), (stalled[1].program, stalled[1].due_at));
    assert!(next.token > stalled[1].token);
    for refused in [
        worker.do_run(&stalled[1]).await.map(drop),
        worker.renew_run(&stalled[1], MINUTE).await,
        worker.release_run(&stalled[1], None).await,
    ] {
        assert!(refused.expect_err("fenced off").to_string().contains("another worker took it over"));
    }
    worker.do_run(&next).await.expect("done");
    worker.do_run(&stalled[0]).await.expect("done");
    assert!(worker.do_run(&next).await.is_err(), "once");
    assert_eq!(house.read("SELECT sum(attempts) FROM core.schedule_runs").await, "3");
}

#[tokio::test]
async fn a_run_that_failed_says_why_and_waits_longer_each_time() {
    let house = House::new().await;
    let watcher = house.db("watcher").await;
    make_due(&house, "reconcile").await;
    // No endpoint is configured: the night's comparison cannot be made.
    let ran =
        run_due(&watcher, &Chains::default(), Scheduled::Reconcile, "a test", &Stop::never()).await.expect("a round");
    assert_eq!(ran.len(), 2);
    assert!(ran.iter().all(|run| run.outcome.as_ref().is_err_and(|why| why.contains("31337"))), "{ran:?}");
    assert!(claim(&watcher, "reconcile", MINUTE).await.is_none(), "it waits");
    let waits = "SELECT string_agg(DISTINCT round(extract(epoch FROM lease_expires_at - clock_timestamp()) / 60)::text, ' ') FROM core.schedule_runs WHERE error LIKE '%31337%'";
    assert_eq!(house.read(waits).await, "1");
    as_owner(&house, "UPDATE core.schedule_runs SET lease_expires_at = clock_timestamp(), attempts = 3").await;
    run_due(&watcher, &Chains::default(), Scheduled::Reconcile, "a test", &Stop::never()).await.expect("a round");
    assert_eq!(house.read(waits).await, "8");
    assert_eq!(house.read("SELECT count(*) FROM core.reconciliation_runs").await, "0", "nothing is recorded");
}

#[tokio::test]
async fn a_run_stays_with_its_machine_and_an_ended_one_stays_as_it_is() {
    let house = House::new().await;
    make_due(&house, "reconcile").await;
    let watcher = house.db("watcher").await;
    let held = claim(&watcher, "reconcile", MINUTE).await.expect("due");
    let run = format!("'{}', '{}', {}", held.program, held.due_at.to_rfc3339(), held.token);
    let attack = |name, login, sql: String, code, says| Attack { name, login, sql, code, says };
    let nightly = format!("SELECT api.record_nightly_reconciliation({run}, now(), 0, 1, 0, '[]', '[]')");
    all_refused(
        &house,
        &[
            attack(
                "a worker reconciles",
                "worker",
                "SELECT api.claim_run('reconcile', 'w', '1 min')".into(),
                "CS403",
                "not a registered watcher",
            ),
            attack(
                "a watcher matures",
                "watcher",
                "SELECT api.claim_run('mature', 'w', '1 min')".into(),
                "CS403",
                "not a registered worker",
            ),
            attack("a worker records the night", "worker", nightly.clone(), "42501", "permission denied"),
            attack("a person records the night", "pia", nightly, "42501", "permission denied"),
            attack(
                "a stranger's token",
                "watcher",
                format!(
                    "SELECT api.record_nightly_reconciliation('{}', '{}', 0, now(), 0, 1, 0, '[]', '[]')",
                    held.program,
                    held.due_at.to_rfc3339()
                ),
                "CS409",
                "another worker took it over",
            ),
            attack(
                "a job that is none",
                "worker",
                "SELECT api.claim_run('pay', 'w', '1 min')".into(),
                "CS422",
                "not a job with a schedule",
            ),
            attack(
                "a lease for ever",
                "worker",
                "SELECT api.claim_run('retry', 'w', '1 year')".into(),
                "CS422",
                "one second to one hour",
            ),
            attack(
                "a lease of NULL",
                "worker",
                "SELECT api.claim_run('retry', 'w', NULL)".into(),
                "CS422",
                "one second to one hour",
            ),
            attack(
                "the comparison done by a function",
                "watcher",
                format!("SELECT api.do_run('reconcile', {run})"),
                "42501",
                "permission denied",
            ),
            attack(
                "a person claims a run",
                "ada",
                "SELECT api.claim_run('retry', 'w', '1 min')".into(),
                "42501",
                "permission denied",
            ),
            attack(
                "the horizon for a watcher",
                "watcher",
                "SELECT * FROM api.change_horizon()".into(),
                "42501",
                "permission denied",
            ),
            attack(
                "the books for a viewer",
                "vic",
                format!("SELECT * FROM api.reconciliation_lines('{}')", held.program),
                "CS403",
                "resolve_discrepancy",
            ),
            attack(
                "the books of others",
                "pia",
                format!("SELECT * FROM api.reconciliation_postings('{}')", house.other().id),
                "CS403",
                "resolve_discrepancy",
            ),
            attack(
                "the books for a worker",
                "worker",
                format!("SELECT * FROM api.reconciliation_safes('{}')", held.program),
                "42501",
                "permission denied",
            ),
            attack(
                "the people for a watcher",
                "watcher",
                "SELECT * FROM core.staff".into(),
                "42501",
                "permission denied",
            ),
            attack(
                "the runs for a watcher",
                "watcher",
                "SELECT * FROM core.schedule_runs".into(),
                "42501",
                "permission denied",
            ),
        ],
    )
    .await;
    let found =
        store::NewRun { started_at: held.due_at, blocks: (0, 1), lines: 0, matches: vec![], discrepancies: vec![] };
    watcher.record_nightly_reconciliation(&held, &found).await.expect("recorded");
    assert!(watcher.record_nightly_reconciliation(&held, &found).await.is_err(), "once");
    assert_eq!(
        house.read("SELECT started_by || ' ' || count(*) FROM core.reconciliation_runs GROUP BY started_by").await,
        "watcher 1"
    );
    let stays = |name, sql: &str| attack(name, "owner", sql.to_owned(), "CS409", "its due time would fire again");
    all_refused(
        &house,
        &[
            stays("a run is removed", "DELETE FROM core.schedule_runs"),
            stays("an ended run is opened", "UPDATE core.schedule_runs SET completed_at = NULL"),
            stays("an ended run moves", "UPDATE core.schedule_runs SET due_at = due_at - interval '1 day'"),
        ],
    )
    .await;
}

#[tokio::test]
async fn consoles_hear_of_changes_soon_and_seldom() {
    let house = House::new().await;
    let worker = house.db("worker").await;
    let place = house.settings("pia").place();
    let (database, socket_folder) = place.split_once(" on ").expect("a database on a socket");
    let url = format!("postgres://pia:{}@localhost/{database}?host={socket_folder}", house.person("pia").password);
    let mut listener = PgListener::connect(&url).await.expect("a console listens");
    listener.listen(CHANGE_CHANNEL).await.expect("on the channel");
    let mut office = Office::default();
    let told = office.watch_for(&worker, Duration::ZERO, &Stop::never()).await.expect("told");
    assert_eq!((told.in_office, told.sent), (true, 2), "everything is news to who comes into office");
    let mut second = Office::default();
    let standby = second.watch_for(&worker, Duration::ZERO, &Stop::never()).await.expect("an answer");
    assert!(!standby.in_office, "one is enough");
    for _ in 0..2 {
        listener.recv().await.expect("news");
    }
    let quiet = office.watch_for(&worker, Duration::from_millis(200), &Stop::never()).await.expect("told");
    assert_eq!(quiet.sent, 0, "nothing changed");

    let platform = house.db("platform").await;
    let writing = async {
        let began = Instant::now();
        for n in 0.. {
            let wallet = format!("0x{n:040x}");
            platform
                .submit_intents("REGISTER", &json!([{ "wallet": wallet, "at": "2026-02-01T00:00:00Z" }]))
                .await
                .expect("written");
            if began.elapsed() > Duration::from_secs(1) {
                return n;
            }
        }
        0
    };
    let stop = Stop::never();
    let (written, told) = tokio::join!(writing, office.watch_for(&worker, Duration::from_millis(1_200), &stop));
    let sent = told.expect("told").sent;
    assert!(written > 40 && (1..=24).contains(&sent), "{written} changes, {sent} notifications");
    let heard = listener.recv().await.expect("news");
    assert_eq!(heard.payload(), house.acme().id.to_string(), "of the program that changed");
    // Who falls silent leaves the office to the next.
    drop(office);
    let until = Instant::now() + Duration::from_secs(5);
    while !second.watch_for(&worker, Duration::ZERO, &Stop::never()).await.expect("an answer").in_office {
        assert!(Instant::now() < until, "the office stays empty");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
