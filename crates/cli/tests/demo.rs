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
    batches_at_the_command_line(dir.path(), line.trim_end().trim_start_matches("ready "));
    people_work_by_themselves(dir.path());
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

/// A file is planned by the table without an endpoint, and by what one measures with it, which names a line that would fail.
fn measured_plan(dir: &std::path::Path, endpoint: &str) {
    let safe = ask(dir, "SELECT '0x' || encode(address, 'hex') FROM core.safes LIMIT 1");
    let file = dir.join("airdrop.csv");
    let plan = |line: &str, more: &[&str]| {
        let text = format!("token_type,token_address,receiver,amount\nnative,,0x{},0.001\n{line}", "12".repeat(20));
        std::fs::write(&file, text).expect("a file");
        let path = file.to_str().expect("a path");
        let named = ["--safe", &safe, "--safe-version", "1.4.1", "--chain", "31337", "--nonce", "0"];
        run(dir, &[&["safe", "plan", path][..], &named, more].concat())
    };
    let small = format!("native,,0x{},0.002\n", "34".repeat(20));
    let named = format!("31337={endpoint}");
    let by_table = record(&plan(&small, &[]));
    let by_chain = record(&plan(&small, &["--rpc", &named]));
    let gas = |legs: &Value| legs[0]["gas"].as_u64().expect("gas");
    assert!((50_000..gas(&by_table)).contains(&gas(&by_chain)), "{by_table:#} {by_chain:#}");
    for field in ["safeTx", "lines", "bytes"] {
        assert_eq!(by_table[0][field], by_chain[0][field], "the transaction is the same");
    }
    let token = ask(
        dir,
        "SELECT '0x' || encode(token, 'hex') || ' ' || decimals FROM core.assets WHERE token IS NOT NULL AND chain_id = 31337 ORDER BY symbol LIMIT 1",
    );
    let (token, decimals) = token.split_once(' ').expect("a token");
    let checksummed = token.parse::<alloy_primitives::Address>().expect("an address").to_checksum(None);
    let dear = format!("erc20,{checksummed},0x{},900000000000\n", "34".repeat(20));
    let dear = plan(&dear, &["--token", &format!("{checksummed}={decimals}"), "--rpc", &named]);
    let said = String::from_utf8_lossy(&dear.stderr).into_owned();
    assert!(dear.status.code() == Some(1) && said.contains("Leg 1 would fail: line 2 fails"), "{said}");
    let elsewhere = plan(&small, &["--rpc", &named.replacen("31337", "1", 1)]);
    assert_eq!(elsewhere.status.code(), Some(2), "an endpoint of another chain");
}

/// The plan of a batch that the database has hashes to what was signed, and what has ended is neither sent nor rejected.
fn batches_at_the_command_line(dir: &std::path::Path, path: &str) {
    let settings: toml::Table = std::fs::read_to_string(path).expect("settings").parse().expect("TOML");
    let url = url_of(&settings, "ines");
    let at = |args: &[&str]| {
        let output = run(dir, &[&["--json"], args, &["--database-url", &url, "--settings", path]].concat());
        (output.status.code(), record(&output))
    };
    let id = ask(dir, "SELECT id FROM core.batches WHERE number = 1");
    let (status, legs) = at(&["safe", "plan", "--batch", &id]);
    assert_eq!(status, Some(0), "{legs:#}");
    let mut hash = countersign(dir, &["safe", "hash"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = hash.stdin.take().expect("its input");
    std::io::Write::write_all(&mut stdin, legs.to_string().as_bytes()).expect("read");
    drop(stdin);
    let hashed = record(&hash.wait_with_output().expect("it ends"));
    let own: Vec<&str> =
        hashed.as_array().expect("hashes").iter().map(|h| h["safeTxHash"].as_str().expect("a hash")).collect();
    let signed = ask(
        dir,
        &format!(
            "SELECT string_agg('0x' || encode(safe_tx_hash, 'hex'), ' ' ORDER BY leg_index) FROM core.safe_transactions WHERE batch_id = '{id}'"
        ),
    );
    assert_eq!(own.join(" "), signed);
    let (status, other) = at(&["safe", "plan", "--batch", &id, "--nonce", "900"]);
    assert!(status == Some(1) && other["error"]["code"] == "CONFLICT", "{other:#}");

    let endpoint = settings["endpoints"]["31337"][0].as_str().expect("an endpoint");
    measured_plan(dir, endpoint);
    let endpoint = format!("31337={endpoint}");
    let (status, stored) = at(&["safe", "plan", "--batch", &id, "--rpc", &endpoint]);
    assert_eq!(status, Some(2), "a stored plan is not measured again: {stored:#}");

    let (status, asked) = at(&["batch", "reject", "1"]);
    assert_eq!((status, asked), (Some(0), Value::Array(Vec::new())));
    let reason = ["--reason", "it was paid to the wrong people"];
    let (status, refused) = at(&[&["batch", "reject", "1", "--leg", "1"][..], &reason].concat());
    let says = refused["error"]["message"].as_str().unwrap_or_default();
    assert!(status == Some(1) && says.contains("is used already"), "{refused:#}");
    let (status, refused) = at(&["batch", "reject", "4711"]);
    assert!(status == Some(2) && refused["error"]["code"] == "INVALID_INPUT", "{refused:#}");
    let keyless = run(dir, &["batch", "reject", "1", "--leg", "1", "--keystore", "key.json"]);
    assert_eq!(keyless.status.code(), Some(2), "a key without the hash that was compared");
    let send = ["batch", "execute", "1", "--keystore", "nowhere.json", "--content-hash", "00"];
    let (status, refused) = at(&send);
    let says = refused["error"]["message"].as_str().unwrap_or_default();
    assert!(status == Some(2) && says.contains("nothing is sent"), "{refused:#}");
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
    let commands = [
        "migrate",
        "demo",
        "worker",
        "export",
        "reconcile",
        "ledger",
        "sanctions",
        "what-if",
        "staff",
        "change",
        "audit",
        "bench",
        "chaos",
    ];
    for command in commands {
        let output = run(dir.path(), &[command, "--help"]);
        let help = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && help.contains("Usage: countersign") && help.contains("--json"), "{help}");
        assert!(help.lines().next().is_some_and(|l| l.ends_with('.')), "{help}");
    }
}
