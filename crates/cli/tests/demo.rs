//! The demo as a stranger runs it: the real program, a real database, a real chain, nothing mocked.

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

fn countersign(dir: &std::path::Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.args(args).env("COUNTERSIGN_DEMO_DIR", dir).env_remove("DATABASE_URL").env_remove("COUNTERSIGN_SETTINGS");
    command
}

fn run(dir: &std::path::Path, args: &[&str]) -> Output {
    countersign(dir, args).stdin(Stdio::null()).output().expect("the program starts")
}

fn record(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}\n{}", String::from_utf8_lossy(&output.stderr)))
}

/// A folder that the database's user can reach when the tests run as root.
fn folder() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("countersign-demo-").tempdir_in("/tmp").expect("a temporary folder")
}

/// A serving demo, which ends with everything that it started, also when a test fails.
struct Serving(std::process::Child);

impl Serving {
    fn end(&self) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.0.id()).expect("a pid"));
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).expect("it is told to end");
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if std::thread::panicking() && matches!(self.0.try_wait(), Ok(None)) {
            self.end();
            self.0.wait().expect("it ends");
        }
    }
}

#[test]
fn pays_reconciles_and_books_then_keeps_its_data_then_starts_over() {
    let dir = folder();
    let first = run(dir.path(), &["--json", "demo", "--headless"]);
    let shown = record(&first);
    assert!(first.status.success(), "{shown:#}");
    let checks = shown["checks"].as_array().expect("checks");
    assert!(checks.len() >= 20 && checks.iter().all(|c| c["held"] == true), "{checks:#?}");
    for file in shown["files"].as_array().expect("files") {
        assert!(std::path::Path::new(file.as_str().expect("a path")).exists(), "{file} was left");
    }

    let began = Instant::now();
    let second = record(&run(dir.path(), &["--json", "demo", "--headless"]));
    let recognised = second["checks"].as_array().expect("checks").iter().any(|c| {
        c["held"] == true && c["what"].as_str().is_some_and(|w| w.contains("recognised as batch 1 (EXECUTED)"))
    });
    assert!(recognised, "the second start keeps the data: {second:#}");
    assert!(began.elapsed() < Duration::from_secs(90), "a second start takes seconds, not {:?}", began.elapsed());

    // A third one only serves, and ends with everything it started when it is told to.
    let mut serving = Serving(
        countersign(dir.path(), &["demo", "--serve"]).stdout(Stdio::piped()).spawn().expect("the program starts"),
    );
    let mut line = String::new();
    let stdout = serving.0.stdout.take().expect("its output");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).expect("a line");
    assert!(line.starts_with("ready ") && line.trim_end().ends_with("console.toml"), "{line:?}");
    the_night_is_reconciled_by_the_machines(dir.path());
    reads_the_books(dir.path(), line.trim_end().trim_start_matches("ready "));
    let refused = run(dir.path(), &["demo", "--headless", "--reset"]);
    assert!(!refused.status.success(), "a running demo is not reset under its feet");
    serving.end();
    assert!(serving.0.wait().expect("it ends").success());
    let pid_file = dir.path().join("postgres/data/postmaster.pid");
    assert!(!pid_file.exists(), "the database it started is stopped");
}

/// One answer of the demo's database to its administrator.
fn ask(dir: &std::path::Path, sql: &str) -> String {
    let password = std::fs::read_to_string(dir.join("postgres/admin.password")).expect("a password");
    let socket = dir.join("postgres/socket");
    let output = Command::new("psql")
        .args(["-XAtq", "-U", "countersign_admin", "-d", "countersign", "-v", "ON_ERROR_STOP=1", "-c", sql])
        .env("PGPASSWORD", password)
        .env("PGHOST", socket)
        .output()
        .expect("psql is on the PATH");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Two in the morning comes early: the machines beside the window compare by themselves, once, under the watcher's login.
fn the_night_is_reconciled_by_the_machines(dir: &std::path::Path) {
    let before = ask(dir, "SELECT count(*) FROM core.reconciliation_runs");
    ask(
        dir,
        "UPDATE core.schedules SET at = (clock_timestamp() AT TIME ZONE 'UTC' - interval '1 second')::time WHERE job = 'reconcile'",
    );
    let night = "SELECT started_by || ' ' || (matched = lines AND lines > 0) FROM core.reconciliation_runs r JOIN core.schedule_runs s ON s.result = r.id::text AND s.completed_at IS NOT NULL";
    let deadline = Instant::now() + Duration::from_secs(30);
    while ask(dir, night) != "demo_watcher true" {
        assert!(Instant::now() < deadline, "{}", ask(dir, "SELECT json_agg(s) FROM core.schedule_runs s"));
        std::thread::sleep(Duration::from_millis(200));
    }
    std::thread::sleep(Duration::from_secs(2));
    let after = ask(dir, "SELECT count(*) FROM core.reconciliation_runs");
    assert_eq!(after.parse::<u32>().expect("a count"), before.parse::<u32>().expect("a count") + 1, "once");
}

/// The database of a running demo under a person's login.
fn url_of(settings: &toml::Table, login: &str) -> String {
    let profiles = settings["profiles"].as_array().expect("profiles");
    let profile = profiles.iter().find(|p| p["login"].as_str() == Some(login)).expect("a profile");
    let password = profile["demo_password"].as_str().expect("a password");
    settings["database_url"].as_str().expect("a URL").replacen("://", &format!("://{login}:{password}@"), 1)
}

/// What an accountant and an administrator do at the command line of a running demo.
fn reads_the_books(dir: &std::path::Path, settings: &str) {
    let settings: toml::Table = std::fs::read_to_string(settings).expect("settings").parse().expect("TOML");
    let ask = |login: &str, args: &[&str]| {
        let url = url_of(&settings, login);
        let output = run(dir, &[&["--json"], args, &["--database-url", &url]].concat());
        (output.status.code(), record(&output))
    };
    let (status, check) = ask("ines", &["ledger", "check"]);
    assert_eq!((status, check["findings"].as_array().map(Vec::len)), (Some(0), Some(0)), "{check:#}");
    let (status, trial) = ask("ines", &["ledger", "trial-balance"]);
    assert!(status == Some(0) && trial["totals"].as_array().is_some_and(|t| t.len() == 3), "{trial:#}");
    let period = ["--from", "2020-01-01", "--to", "2100-01-01"];
    let (status, statement) =
        ask("ines", &[&["ledger", "statement", "system:settlements", "--asset", "USDC"], &period[..]].concat());
    let lines = statement["lines"].as_array().expect("lines");
    assert!(status == Some(0) && lines.len() > 100, "{} lines", lines.len());
    assert_eq!(
        (&statement["opening"], &statement["closing"]),
        (&"0".into(), &lines.last().expect("a line")["balance"])
    );
    let (status, nobody) = ask("ines", &[&["ledger", "statement", "nobody", "--asset", "USDC"], &period[..]].concat());
    assert_eq!(status, Some(1), "{nobody:#}");
    let rule = dir.join("rule.json");
    std::fs::write(&rule, r#"{ "base_rate": "0", "override_rate": "0" }"#).expect("a file");
    let (status, tried) = ask("ines", &[&["what-if", rule.to_str().expect("a path")], &period[..]].concat());
    let rows = tried.as_array().expect("rows");
    assert!(status == Some(0) && !rows.is_empty(), "{tried:#}");
    assert!(rows.iter().all(|r| r["wouldAccrue"]["amount"] == "0" && r["accrued"]["amount"] != "0"), "{tried:#}");
    sanctions(dir, &ask);
}

/// Asks the program under a person's login; answers the exit code and the JSON.
type Ask<'a> = &'a dyn Fn(&str, &[&str]) -> (Option<i32>, Value);

fn sanctions(dir: &std::path::Path, ask: Ask<'_>) {
    let list = dir.join("made-up.txt");
    std::fs::write(&list, format!("# made up\n0x{} Nobody\n", "d".repeat(40))).expect("a file");
    let path = list.to_str().expect("a path");
    let import = ["sanctions", "import", path, "--name", "Made-up list", "--published", "2026-01-01"];
    let (status, refused) = ask("ines", &import);
    assert!(status == Some(1) && refused["error"]["code"] == "FORBIDDEN", "{refused:#}");
    let (status, imported) = ask("mirela", &import);
    assert_eq!((status, &imported["version"], &imported["entries"]), (Some(0), &1.into(), &1.into()), "{imported:#}");
    let (status, again) = ask("mirela", &import);
    assert!(
        status == Some(1) && again["error"]["message"].as_str().is_some_and(|m| m.contains("already")),
        "{again:#}"
    );
    let (_, lists) = ask("ines", &["sanctions", "list"]);
    assert_eq!(lists[0]["name"], "Made-up list", "{lists:#}");
    std::fs::write(&list, "not an address\n").expect("a file");
    let (status, bad) = ask("mirela", &import);
    assert!(status == Some(1) && bad["error"]["message"].as_str().is_some_and(|m| m.contains("Line 1")), "{bad:#}");
}

#[test]
fn a_demo_that_was_interrupted_at_any_point_starts_again_by_itself() {
    let dir = folder();
    let serve = || {
        let mut child = countersign(dir.path(), &["demo", "--serve"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdout = child.stdout.take().expect("its output");
        (child, stdout)
    };
    let interrupt = |child: &std::process::Child| {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).expect("it is told to end");
    };
    // Each start goes a little further than the one before: cluster, chain, contracts, people, history.
    for milliseconds in [100, 500, 1_000, 1_800, 2_600, 3_500, 4_500, 6_000, 8_000] {
        let (child, _stdout) = serve();
        std::thread::sleep(Duration::from_millis(milliseconds));
        interrupt(&child);
        let output = child.wait_with_output().expect("it ends");
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && words.is_empty(), "interrupted after {milliseconds} ms: {words}");
    }
    let ready = |expected: &str| {
        let (child, stdout) = serve();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).expect("a line");
        assert!(line.starts_with("ready "), "{expected}: {line:?}");
        child
    };
    let mut complete = ready("it is filled");
    let made = std::fs::read_to_string(dir.path().join("on-chain.json")).expect("the chain is furnished");
    interrupt(&complete);
    assert!(complete.wait().expect("it ends").success());
    let mut kept = ready("it goes on");
    let found = std::fs::read_to_string(dir.path().join("on-chain.json")).expect("the chain is furnished");
    assert_eq!(made, found, "what is complete is kept");
    interrupt(&kept);
    assert!(kept.wait().expect("it ends").success());
}

#[test]
fn says_what_is_wrong_in_one_sentence_with_an_exit_code() {
    let dir = folder();
    let code = |args: &[&str]| {
        let output = run(dir.path(), args);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (status, words) = code(&["export", "--from", "2026-01-01", "--to", "2026-01-31", "-o", "journal.csv"]);
    assert_eq!(status, Some(2), "{words}");
    assert!(words.contains("set DATABASE_URL"), "{words}");
    let (status, words) = code(&["reconcile", "--database-url", "postgres://nobody:x@127.0.0.1:1/none"]);
    assert_eq!(status, Some(4), "{words}");
    assert!(words.contains("cannot be reached") && words.lines().count() == 1, "{words}");
    let (status, words) = code(&["reconcile", "--database-url", "mysql://nobody@localhost/none"]);
    assert_eq!(status, Some(1), "{words}");
    assert!(words.contains("postgres://LOGIN:PASSWORD@HOST"), "{words}");
    let unrelated = dir.path().join("unrelated");
    std::fs::create_dir_all(&unrelated).expect("a folder");
    let (status, words) = code(&["demo", "--headless", "--reset", "--dir", unrelated.to_str().expect("a path")]);
    assert_eq!(status, Some(1), "{words}");
    assert!(unrelated.exists() && words.contains("nothing was removed"), "{words}");
}

#[test]
fn every_command_explains_itself() {
    let dir = folder();
    for command in ["migrate", "demo", "worker", "export", "reconcile", "ledger", "sanctions", "what-if"] {
        let output = run(dir.path(), &[command, "--help"]);
        let help = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && help.contains("Usage: countersign") && help.contains("--json"), "{help}");
        assert!(help.lines().next().is_some_and(|l| l.ends_with('.')), "{help}");
    }
}
