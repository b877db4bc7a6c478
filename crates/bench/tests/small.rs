//! The benches measure work that was done: small ones, on a real server.

use bench::{BatchOptions, IntentsOptions};

#[tokio::test]
async fn a_small_run_settles_everything_and_compares_it() {
    let options = IntentsOptions { intents: 300, rounds: 1, rows: 400, steady_secs: 1, steady_rate: 100, peers: None };
    let report = bench::intents(&options, |_| ()).await.expect("figures");
    let rates: Vec<u64> = report.contenders.iter().map(|contender| contender.per_second).collect();
    assert_eq!(rates.len(), 6, "four of ours and two plain ones");
    assert!(rates.iter().all(|rate| *rate > 0), "{rates:?}");
    let compared = report.contenders.iter().filter(|contender| contender.ours_to_this.is_some()).count();
    assert_eq!(compared, 2);
    assert_eq!(report.curve.iter().map(|point| point.rows).collect::<Vec<_>>(), [400]);
    let steady = report.steady.expect("a steady rate");
    assert_eq!((steady.rows_before, steady.latency.intents), (400, 100));
    assert!(
        0 < steady.latency.p50 && steady.latency.p50 <= steady.latency.p99 && steady.latency.p99 <= steady.latency.max
    );
}

#[tokio::test]
async fn peers_that_are_not_installed_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = IntentsOptions {
        intents: 1,
        rounds: 1,
        rows: 0,
        steady_secs: 0,
        steady_rate: 1,
        peers: Some(folder.path().into()),
    };
    let missing = bench::intents(&options, |_| ()).await.expect_err("nothing is there").to_string();
    assert!(missing.contains("npm --prefix") && missing.contains("--without-peers"), "{missing}");
}

#[tokio::test]
async fn a_file_is_read_and_stored() {
    let report = bench::batch(BatchOptions { lines: 50, rounds: 2 }).await.expect("figures");
    assert_eq!((report.lines, report.rounds_micros.len()), (50, 2));
    assert!(report.parse_micros > 0 && report.store_micros > 0);
}
