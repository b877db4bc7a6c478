//! The short version of what `countersign chaos` does at length.

use std::process::{Command, Stdio};

use serde_json::Value;

#[test]
fn killed_workers_and_servers_lose_nothing_and_do_nothing_twice() {
    let output = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(["--json", "chaos", "--kills", "10", "--seed", "7"])
        .env_remove("DATABASE_URL")
        .env_remove("COUNTERSIGN_SETTINGS")
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let record: Value = serde_json::from_str(&text)
        .unwrap_or_else(|e| panic!("{e}: {text}\n{}", String::from_utf8_lossy(&output.stderr)));
    assert!(output.status.success(), "{record:#}");
    let checks = record["checks"].as_array().expect("checks");
    assert!(checks.len() >= 7 && checks.iter().all(|c| c["held"] == true), "{checks:#?}");
    let fact = |name: &str| {
        let facts = record["steps"][0]["facts"].as_array().expect("facts");
        let text = facts.iter().find(|f| f[0] == name).and_then(|f| f[1].as_str()).unwrap_or_default();
        text.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<u64>().unwrap_or_default()
    };
    assert!(fact("workers killed") + fact("servers killed") >= 10, "{record:#}");
    assert!(fact("servers killed") >= 1 && fact("connections cut") >= 1 && fact("workers stopped") >= 1, "{record:#}");
    assert!(fact("sales") > 100, "{record:#}");
}
