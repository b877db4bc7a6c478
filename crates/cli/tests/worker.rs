//! A worker as an operator runs it: its port, its signals, its log.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_countersign");
const PATIENCE: Duration = Duration::from_secs(60);

/// A demo that serves, with its database and machines' logins.
struct House {
    dir: tempfile::TempDir,
    demo: Child,
}

impl House {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("countersign-worker-").tempdir_in("/tmp").expect("a folder");
        let mut demo = Command::new(BINARY)
            .args(["demo", "--serve"])
            .env("COUNTERSIGN_DEMO_DIR", dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        BufReader::new(demo.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
        assert!(line.starts_with("ready "), "{line:?}");
        Self { dir, demo }
    }

    fn socket(&self) -> String {
        self.dir.path().join("postgres/socket").display().to_string()
    }

    fn password(&self, login: &str) -> String {
        let text = std::fs::read_to_string(self.dir.path().join("passwords.json")).expect("passwords");
        let passwords: Value = serde_json::from_str(&text).expect("JSON");
        passwords[login].as_str().expect("a password").to_owned()
    }

    fn psql(&self, login: &str) -> Command {
        let password = match login {
            "countersign_admin" => {
                std::fs::read_to_string(self.dir.path().join("postgres/admin.password")).expect("a password")
            }
            _ => self.password(login),
        };
        let mut psql = Command::new("psql");
        psql.args(["-XAtq", "-U", login, "-d", "countersign", "-v", "ON_ERROR_STOP=1"]);
        psql.env("PGPASSWORD", password.trim()).env("PGHOST", self.socket());
        psql
    }

    fn ask(&self, login: &str, sql: &str) -> String {
        let output = self.psql(login).args(["-c", sql]).output().expect("psql is on the PATH");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn worker(&self, args: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        let url = format!(
            "postgres://demo_worker:{}@localhost/countersign?host={}",
            self.password("demo_worker"),
            self.socket()
        );
        command.arg("worker").args(args).env("DATABASE_URL", url).env_remove("COUNTERSIGN_SETTINGS");
        command
    }
}

/// A program that does not outlive its test.
struct Running(Child);

impl Running {
    fn start(mut command: Command) -> Self {
        Self(command.spawn().expect("the program starts"))
    }

    fn wait(&mut self) -> std::process::ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.0.try_wait().expect("it is watched") {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended, or the test failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for House {
    fn drop(&mut self) {
        send(&self.demo, Signal::SIGINT);
        self.demo.wait().expect("it ends");
    }
}

fn send(child: &Child, signal: Signal) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
    kill(pid, signal).expect("a signal");
}

fn get(port: u16, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split_whitespace().nth(1)?.parse().ok()?, body.to_owned()))
}

fn wait_until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr()).expect("a free port").port()
}

#[test]
fn a_worker_shows_how_it_does_and_finishes_what_it_holds() {
    let house = House::new();
    says_whether_it_is_well(&house);
    a_signal_lets_it_finish(&house);
    a_second_signal_ends_it_at_once(&house);
    refuses_what_makes_no_sense(&house);
}

fn says_whether_it_is_well(house: &House) {
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let mut worker = Running::start(house.worker(&["--run", "intents,reap,retry,mature,seal", "--metrics", &address]));
    let health = wait_until("the worker is well", || get(port, "/health").filter(|(status, _)| *status == 200));
    let health: Value = serde_json::from_str(&health.1).expect("JSON");
    assert_eq!((&health["healthy"], &health["problems"]), (&Value::from(true), &Value::from(Vec::<Value>::new())));
    let text = get(port, "/metrics").expect("metrics").1;
    for line in [
        "countersign_intents{program=\"solver-rewards\",state=\"DEAD\"} 0",
        "countersign_ledger_unbalanced_assets{program=\"solver-rewards\"} 0",
        "countersign_oldest_pending_milliseconds{program=\"solver-rewards\"}",
        "countersign_unsealed_audit_entries",
        "countersign_milliseconds_since_round{job=\"intents\"}",
        "countersign_job_silence_milliseconds{job=\"watch\"}",
        "countersign_failing_runs{job=\"reconcile\"} 0",
        "countersign_build_info{version=",
    ] {
        assert!(text.contains(line), "{line} is missing:\n{text}");
    }
    // A ledger that does not balance, which only a superuser past every trigger can make.
    let by = |units: i32| {
        house.ask("countersign_admin", &format!("SET session_replication_role = replica; UPDATE core.accounts SET debits_posted = debits_posted + {units} WHERE code = 'system:settlements'"))
    };
    by(1);
    let ill = wait_until("the worker says that something is wrong", || {
        get(port, "/health").filter(|(status, _)| *status == 503)
    });
    assert!(ill.1.contains("does not balance"), "{}", ill.1);
    by(-1);
    wait_until("it is well again", || get(port, "/health").filter(|(status, _)| *status == 200));
    send(&worker.0, Signal::SIGTERM);
    assert!(worker.wait().success());
}

fn a_signal_lets_it_finish(house: &House) {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let registrations = format!(
            "SELECT count(*) FROM api.submit_intents('REGISTER', (SELECT jsonb_agg(jsonb_build_object('wallet', '0x' || lpad(to_hex(n), 39, '0') || '{}', 'at', '2026-02-01T00:00:00Z')) FROM generate_series(1, 3000) n))",
            if signal == Signal::SIGTERM { "a" } else { "b" }
        );
        assert_eq!(house.ask("demo_platform", &registrations), "3000");
        let port = free_port();
        let address = format!("127.0.0.1:{port}");
        let mut worker = Running::start(house.worker(&["--run", "intents", "--metrics", &address]));
        wait_until("the worker is up", || get(port, "/metrics"));
        send(&worker.0, signal);
        let asked = Instant::now();
        assert!(worker.wait().success(), "{signal}");
        assert!(asked.elapsed() < Duration::from_secs(31), "{signal}: {:?}", asked.elapsed());
    }
}

fn a_second_signal_ends_it_at_once(house: &House) {
    // Nobody gets at the intents while this holds them, so the worker cannot finish.
    let mut psql = house.psql("countersign_admin");
    psql.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut holder = Running::start(psql);
    let mut orders = holder.0.stdin.take().expect("its input");
    writeln!(orders, "BEGIN; LOCK TABLE core.intents; SELECT 'held';").expect("an order");
    let mut line = String::new();
    BufReader::new(holder.0.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
    assert_eq!(line.trim(), "held");
    let mut worker = Running::start(house.worker(&["--run", "intents"]));
    wait_until("the worker waits for the table", || {
        let waiting =
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'demo_worker' AND wait_event_type = 'Lock'";
        (house.ask("countersign_admin", waiting) != "0").then_some(())
    });
    std::thread::sleep(Duration::from_millis(300));
    send(&worker.0, Signal::SIGTERM);
    std::thread::sleep(Duration::from_millis(500));
    assert!(worker.0.try_wait().expect("it is watched").is_none(), "it finishes what it holds first");
    send(&worker.0, Signal::SIGTERM);
    let asked = Instant::now();
    assert_eq!(worker.wait().code(), Some(130));
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    drop(orders);
    assert!(holder.wait().success());
}

fn refuses_what_makes_no_sense(house: &House) {
    let refused = |args: &[&str], says: &str| {
        let output = house.worker(args).output().expect("the program starts");
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && words.contains(says), "{args:?}: {words}");
    };
    refused(&["--run", "intents", "--metrics", "0.0.0.0:0"], "--metrics-for-all");
    refused(&["--run", "reconcile"], "needs an endpoint");
    refused(&["--run", "pay"], "invalid value 'pay'");
}

/// Everything that must stay where it is: passwords, passphrase, keys, signatures.
fn secrets(dir: &Path, ask: impl Fn(&str) -> String) -> Vec<String> {
    let text = std::fs::read_to_string(dir.join("passwords.json")).expect("passwords");
    let passwords: std::collections::BTreeMap<String, String> = serde_json::from_str(&text).expect("JSON");
    let admin = std::fs::read_to_string(dir.join("postgres/admin.password")).expect("a password");
    let passphrase = "ledger paper and blue ink";
    let mut found: Vec<String> =
        passwords.into_values().chain([admin.trim().to_owned(), passphrase.to_owned()]).collect();
    for entry in std::fs::read_dir(dir.join("keys")).expect("keys").flatten() {
        if entry.file_name().to_string_lossy().ends_with(".keystore.json") {
            let signer = signing::Keystore::read(&entry.path())
                .and_then(|k| k.open(&SecretString::from(passphrase)))
                .expect("a key of the demo");
            found.push(hex::encode(signer.into_alloy().to_bytes()));
        }
    }
    for column in [
        "signature FROM core.signatures",
        "signature FROM core.approvals",
        "proposed_signature FROM core.change_requests",
    ] {
        let rows = ask(&format!("SELECT encode({}", column.replacen(' ', ", 'hex') ", 1)));
        found.extend(rows.lines().filter(|line| !line.is_empty()).map(str::to_owned));
    }
    found
}

#[test]
fn no_secret_is_in_the_log_of_a_whole_run() {
    let dir = tempfile::Builder::new().prefix("countersign-log-").tempdir_in("/tmp").expect("a folder");
    let output = Command::new(BINARY)
        .args(["--json", "--log-format", "json", "demo", "--headless"])
        .env("COUNTERSIGN_DEMO_DIR", dir.path())
        .env("COUNTERSIGN_LOG", "trace")
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let log = String::from_utf8_lossy(&output.stderr);
    let events: Vec<&str> = log.lines().collect();
    assert!(events.len() > 2, "only {} events were logged", events.len());
    for event in &events {
        let event: Value = serde_json::from_str(event).unwrap_or_else(|e| panic!("{e}: {event}"));
        assert!(event["timestamp"].is_string() && event["level"].is_string(), "{event}");
    }
    let cluster = local::postgres::Cluster::start(&dir.path().join("postgres")).expect("the demo's database");
    let url = cluster.admin_url("countersign");
    let ask = |sql: &str| {
        let output = Command::new("psql").args(["-XAtq", &url, "-c", sql]).output().expect("psql is on the PATH");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let secrets = secrets(dir.path(), ask);
    assert!(secrets.len() > 40, "{} secrets are looked for", secrets.len());
    let lower = log.to_lowercase();
    for secret in &secrets {
        let place = lower.find(&secret.to_lowercase());
        assert!(
            place.is_none(),
            "a secret is in the log: {:?}",
            place.map(|at| log[at.saturating_sub(300)..at].to_owned())
        );
        // As a list of bytes, which is how Debug writes them.
        if let Ok(bytes) = hex::decode(secret) {
            assert!(!log.contains(&format!("{bytes:?}")), "a secret is in the log as bytes");
        }
    }
    let known = SecretString::from("known");
    assert!(!format!("{known:?}").contains(known.expose_secret()), "secrets do not print themselves");
}
