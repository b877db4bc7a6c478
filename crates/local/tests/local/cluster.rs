use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use countersign_local::anvil::{Anvil, Options};
use countersign_local::postgres::{Cluster, ClusterError, Settings};

/// Runs one statement through psql, which ships with every server.
fn psql(url: &str, statement: &str) -> Output {
    Command::new("psql").args(["-XAtq", url, "-c", statement]).output().expect("psql is on the PATH")
}

fn answer(url: &str, statement: &str) -> String {
    let output = psql(url, statement);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A temporary folder that the server's user can enter when the tests run as root.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("temporary folder");
    open(dir.path());
    dir
}

fn open(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o711)).expect("permissions");
}

#[test]
fn starts_keeps_its_data_and_is_found_by_a_second_start() {
    let dir = folder();
    let root = dir.path().join("cluster");
    let first = Cluster::start_with(&root, &Settings::for_tests()).expect("first start");
    let url = first.admin_url("postgres");
    assert!(!first.is_reused());
    assert_eq!(first.superuser(), "countersign_admin");
    assert_eq!(answer(&url, "show server_encoding"), "UTF8");
    assert_eq!(answer(&url, "show listen_addresses"), "");
    answer(&url, "create table kept (n int); insert into kept values (7)");

    let second = Cluster::start(&root).expect("second start");
    assert!(second.is_reused());
    assert_eq!(second.socket_dir(), first.socket_dir());
    second.stop().expect("stop");
    assert_eq!(answer(&url, "select n from kept"), "7", "a reused server goes on");

    first.stop().expect("stop");
    assert!(!psql(&url, "select 1").status.success(), "a stopped server does not answer");

    let third = Cluster::start(&root).expect("warm start");
    assert!(!third.is_reused());
    assert_eq!(answer(&third.admin_url("postgres"), "select n from kept"), "7");
    assert_eq!(answer(&third.admin_url("postgres"), "show fsync"), "on");
}

#[test]
fn two_starts_at_once_share_one_server() {
    let dir = folder();
    let root = dir.path().join("cluster");
    let reused: Vec<bool> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| Cluster::start_with(&root, &Settings::for_tests()).expect("start")))
            .collect();
        let clusters: Vec<Cluster> = starts.into_iter().map(|s| s.join().expect("thread")).collect();
        clusters.iter().map(Cluster::is_reused).collect()
    });
    assert_eq!(reused.iter().filter(|reused| **reused).count(), 1);
}

#[test]
fn a_wrong_password_is_refused_and_the_right_one_is_private() {
    let dir = folder();
    let root = dir.path().join("cluster");
    let cluster = Cluster::start_with(&root, &Settings::for_tests()).expect("start");
    let refused = psql(&cluster.url("countersign_admin", "guessed", "postgres"), "select 1");
    assert!(!refused.status.success());
    let reason = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(reason.contains("password authentication failed"), "{reason}");

    let file = root.join("admin.password");
    assert_eq!(std::fs::read_to_string(&file).expect("password file"), cluster.password());
    assert_eq!(std::fs::metadata(&file).expect("password file").permissions().mode() & 0o777, 0o600);
    assert!(!root.join("draft").exists(), "the password that initdb read is gone");
}

#[test]
fn a_long_folder_gets_a_short_socket() {
    let dir = folder();
    let root = dir.path().join("a".repeat(100)).join("cluster");
    std::fs::create_dir_all(&root).expect("folders");
    open(root.parent().expect("parent"));
    open(&root);
    let cluster = Cluster::start_with(&root, &Settings::for_tests()).expect("start");
    assert!(!cluster.socket_dir().starts_with(&root));
    assert_eq!(answer(&cluster.admin_url("postgres"), "select 1"), "1");
    let socket_dir = cluster.socket_dir().to_owned();
    drop(cluster);
    std::fs::remove_dir_all(socket_dir).expect("remove the socket folder");
}

#[test]
fn a_folder_that_the_server_cannot_enter_is_named() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let closed = dir.path().join("closed");
    std::fs::create_dir(&closed).expect("folder");
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o700)).expect("permissions");
    let result = Cluster::start_with(&closed.join("cluster"), &Settings::for_tests());
    if nix::unistd::geteuid().is_root() {
        let error = result.expect_err("root hands the server to a user that cannot enter");
        assert!(matches!(error, ClusterError::Unreachable { .. }), "{error}");
        assert!(error.to_string().contains("choose a folder"), "{error}");
    } else {
        result.expect("an ordinary user enters their own folder");
    }
}

#[test]
fn data_of_a_version_that_is_not_installed_is_refused() {
    let dir = folder();
    let root = dir.path().join("cluster");
    std::fs::create_dir_all(root.join("data")).expect("folders");
    open(&root);
    std::fs::write(root.join("data/PG_VERSION"), "9\n").expect("write");
    let error = Cluster::start(&root).expect_err("version 9 is not installed");
    assert!(error.to_string().contains("was made by PostgreSQL 9"), "{error}");
}

const HOLD: &str = "COUNTERSIGN_TEST_HOLD";

/// The other half of the test below: holds a cluster and a chain until it is killed. Alone it does nothing.
#[test]
fn holds_a_cluster_and_a_chain_when_told() {
    let Some(root) = std::env::var_os(HOLD) else {
        return;
    };
    let root = Path::new(&root);
    // A thread that ends at once must not take the server with it.
    let cluster = std::thread::scope(|scope| {
        scope.spawn(|| Cluster::start_with(&root.join("cluster"), &Settings::for_tests())).join()
    });
    let cluster = cluster.expect("thread").expect("start");
    let chain =
        Anvil::start(&Options { log_file: Some(root.join("chain.log")), ..super::chain::options() }).expect("start");
    std::thread::sleep(Duration::from_millis(200));
    assert!(psql(&cluster.admin_url("postgres"), "select 1").status.success());
    std::fs::write(root.join("port.new"), chain.port().to_string()).expect("write");
    std::fs::rename(root.join("port.new"), root.join("port")).expect("rename");
    std::thread::sleep(Duration::from_secs(60));
}

#[cfg(target_os = "linux")]
#[test]
fn killing_us_hard_ends_the_server_and_the_chain() {
    let dir = folder();
    let mut holder = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "cluster::holds_a_cluster_and_a_chain_when_told"])
        .env(HOLD, dir.path())
        .spawn()
        .expect("start");
    let port = dir.path().join("port");
    wait_until("both run", || port.exists() || holder.try_wait().expect("watch").is_some());
    let port: u16 = std::fs::read_to_string(port).expect("the holder runs").parse().expect("a port");
    holder.kill().expect("kill");
    holder.wait().expect("wait");

    let pid_file = dir.path().join("cluster/data/postmaster.pid");
    wait_until("the server shuts down in order", || !pid_file.exists());
    wait_until("the chain ends", || std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}

const START: &str = "COUNTERSIGN_TEST_START";

/// The other half of the test below: makes and starts a cluster, as durable as the demo's, until it is interrupted.
#[test]
fn starts_a_cluster_when_told() {
    let Some(root) = std::env::var_os(START) else {
        return;
    };
    let cluster = Cluster::start(Path::new(&root)).expect("start");
    std::thread::sleep(Duration::from_secs(60));
    drop(cluster);
}

#[cfg(target_os = "linux")]
#[test]
fn a_first_start_that_was_interrupted_at_any_point_does_not_stop_the_next() {
    use nix::sys::signal::{Signal, kill};

    let points = [50, 200, 350, 500, 700, 1_000, 1_400, 2_000];
    for (milliseconds, signal) in points.into_iter().zip([Signal::SIGINT, Signal::SIGKILL].into_iter().cycle()) {
        let dir = folder();
        let root = dir.path().join("cluster");
        let mut starter = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "cluster::starts_a_cluster_when_told"])
            .env(START, &root)
            .spawn()
            .expect("start");
        std::thread::sleep(Duration::from_millis(milliseconds));
        kill(nix::unistd::Pid::from_raw(i32::try_from(starter.id()).expect("a pid")), signal).expect("interrupt");
        starter.wait().expect("wait");

        let next = Cluster::start_with(&root, &Settings::for_tests());
        let next = next.unwrap_or_else(|e| panic!("{signal} after {milliseconds} ms: {e}"));
        assert_eq!(answer(&next.admin_url("postgres"), "select 1"), "1", "{signal} after {milliseconds} ms");
        assert!(!next.is_reused(), "the interrupted server is gone ({signal} after {milliseconds} ms)");
        assert!(!root.join("draft").exists(), "what the break left is removed");
    }
}

#[test]
fn what_a_break_left_beside_a_whole_cluster_is_removed() {
    let dir = folder();
    let root = dir.path().join("cluster");
    Cluster::start_with(&root, &Settings::for_tests()).expect("start").stop().expect("stop");
    std::fs::create_dir(root.join("draft")).expect("folder");
    std::fs::write(root.join("draft/password"), "left").expect("write");
    Cluster::start_with(&root, &Settings::for_tests()).expect("start again");
    assert!(!root.join("draft").exists());
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
