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
    let mut serving =
        countersign(dir.path(), &["demo", "--serve"]).stdout(Stdio::piped()).spawn().expect("the program starts");
    let mut line = String::new();
    let stdout = serving.stdout.take().expect("its output");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).expect("a line");
    assert!(line.starts_with("ready ") && line.trim_end().ends_with("console.toml"), "{line:?}");
    people_work_by_themselves(dir.path());
    let refused = run(dir.path(), &["demo", "--headless", "--reset"]);
    assert!(!refused.status.success(), "a running demo is not reset under its feet");
    let pid = nix::unistd::Pid::from_raw(i32::try_from(serving.id()).expect("a pid"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).expect("it is told to end");
    assert!(serving.wait().expect("it ends").success());
    let pid_file = dir.path().join("postgres/data/postmaster.pid");
    assert!(!pid_file.exists(), "the database it started is stopped");
}

/// What people do without a window while the demo is served: changes by two, one's own password, the audit trail.
fn people_work_by_themselves(dir: &std::path::Path) {
    let settings = std::fs::read_to_string(dir.join("console.toml")).expect("settings");
    let settings: toml::Table = settings.parse().expect("TOML");
    let url = settings["database_url"].as_str().expect("a URL").to_owned();
    let password = |login: &str| {
        let profiles = settings["profiles"].as_array().expect("profiles");
        let profile = profiles.iter().find(|p| p["login"].as_str() == Some(login)).expect("a profile");
        profile["demo_password"].as_str().expect("a password").to_owned()
    };
    let under = |login: &str, password: &str, stdin: &str, args: &[&str]| {
        let url = url.replace("postgres://", &format!("postgres://{login}:{password}@"));
        let mut child = countersign(dir, args)
            .env("DATABASE_URL", url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut pipe = child.stdin.take().expect("its input");
        std::io::Write::write_all(&mut pipe, format!("{stdin}\n").as_bytes()).expect("written");
        drop(pipe);
        let output = child.wait_with_output().expect("it ends");
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code(), text)
    };
    let as_person = |login: &str, stdin: &str, args: &[&str]| under(login, &password(login), stdin, args);
    let key = |login: &str| dir.join("keys").join(format!("{login}.identity.json")).display().to_string();

    // One super_admin proposes a chain, and cannot confirm it; the other sees it and does.
    let chain = r#"{"chain_id":11155111,"name":"Sepolia","confirmation_depth":12,"gas_max":16000000}"#;
    let (mirela, joon) = (password("mirela"), password("joon"));
    let proposed =
        as_person("mirela", &mirela, &["change", "propose", "chain.add", chain, "--identity", &key("mirela")]);
    assert_eq!(proposed.0, Some(0), "{}", proposed.1);
    let id = proposed.1.split_whitespace().last().expect("an id").to_owned();
    let (status, list) = as_person("joon", "", &["change", "list"]);
    assert!(status == Some(0) && list.contains(&id) && list.contains(chain), "{list}");
    let alone = as_person("mirela", &mirela, &["change", "confirm", &id, "--identity", &key("mirela")]);
    assert!(alone.0 == Some(1) && alone.1.contains("somebody else confirms"), "{}", alone.1);
    let wrong = as_person("joon", "not her passphrase", &["change", "confirm", &id, "--identity", &key("joon")]);
    assert_eq!(wrong.0, Some(1), "{}", wrong.1);
    let confirmed = as_person("joon", &joon, &["change", "confirm", &id, "--identity", &key("joon")]);
    assert!(confirmed.0 == Some(0) && confirmed.1.contains("Confirmed: chain.add"), "{}", confirmed.1);
    let (_, list) = as_person("joon", "", &["change", "list"]);
    assert!(list.contains("No change waits."), "{list}");

    // The audit trail is taken along by who may, and verified without a database.
    let trail = dir.join("files/audit-trail.jsonl");
    let path = trail.to_str().expect("a path");
    let refused = as_person("ines", "", &["audit", "export", "--out", path]);
    assert!(refused.0 == Some(1) && refused.1.contains("view_audit"), "{}", refused.1);
    let taken = as_person("tomas", "", &["audit", "export", "--out", path]);
    assert_eq!(taken.0, Some(0), "{}", taken.1);
    let whole = run(dir, &["audit", "verify", path]);
    assert!(whole.status.success(), "{whole:?}");
    let text = std::fs::read_to_string(&trail).expect("a file");
    std::fs::write(&trail, text.replacen("\"action\":\"batch.approved\"", "\"action\":\"batch.returned\"", 1))
        .expect("a file");
    let broken = run(dir, &["audit", "verify", path]);
    let words = String::from_utf8_lossy(&broken.stdout).into_owned();
    assert!(broken.status.code() == Some(3) && words.contains("is not what was sealed"), "{words}");
    let settings = dir.join("console.toml").display().to_string();
    let head = as_person("ines", "", &["audit", "head", "--settings", &settings]);
    assert!(head.0 == Some(0) && head.1.contains("the house: entry"), "{}", head.1);

    // Everybody sets their own password; nobody provisions.
    let made_up = "a sentence of one's own";
    let set = as_person("noor", made_up, &["staff", "password"]);
    assert_eq!(set.0, Some(0), "{}", set.1);
    assert_eq!(as_person("noor", "", &["change", "list"]).0, Some(4), "the old password");
    let back = under("noor", &made_up.replace(' ', "%20"), &password("noor"), &["staff", "password"]);
    assert_eq!(back.0, Some(0), "{}", back.1);
    let refused = as_person("mirela", "", &["staff", "provision", "eve", "--person", "Eve"]);
    assert!(refused.0 == Some(1) && refused.1.contains("permission denied"), "{}", refused.1);
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
    for command in ["migrate", "demo", "worker", "export", "reconcile", "staff", "change", "audit"] {
        let output = run(dir.path(), &[command, "--help"]);
        let help = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && help.contains("Usage: countersign") && help.contains("--json"), "{help}");
        assert!(help.lines().next().is_some_and(|l| l.ends_with('.')), "{help}");
    }
}
