//! `countersign batch kept`: what a machine keeps because the database did not take it. No database and no network.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

const HASH: &str = "0x0303030303030303030303030303030303030303030303030303030303030303";

/// Runs the program with nothing in its environment but this data folder.
fn countersign(args: &[&str], data: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.args(args).env_clear().env("XDG_DATA_HOME", data).output().expect("the program ends")
}

fn signature() -> Value {
    json!({
        "format": "countersign/signature-file/1", "batch_id": "01a1fbf8-93dd-7541-823f-438f5c694b6d", "leg": 2,
        "safe_tx_hash": HASH, "owner": "0x0707070707070707070707070707070707070707", "key_kind": "LEDGER",
        "signature": format!("0x{}", "09".repeat(65))
    })
}

#[test]
fn kept_signatures_are_listed_without_the_signatures_themselves() {
    let data = tempfile::tempdir().expect("a folder");
    let none = countersign(&["batch", "kept"], data.path());
    assert!(none.status.success(), "{none:?}");
    assert!(String::from_utf8_lossy(&none.stdout).contains("keeps no signature"), "{none:?}");

    let folder = data.path().join("countersign");
    std::fs::create_dir(&folder).expect("a folder");
    let file = folder.join("signature-one.json");
    std::fs::write(&file, signature().to_string()).expect("kept");
    std::fs::write(folder.join("signature-torn.json"), "{").expect("torn");
    let listed = countersign(&["--json", "batch", "kept"], data.path());
    let answer: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    assert_eq!(answer[0]["file"], file.display().to_string());
    assert_eq!(
        (answer[0]["signature"]["leg"].as_u64(), answer[0]["signature"]["safe_tx_hash"].as_str()),
        (Some(2), Some(HASH))
    );
    assert!(answer[1]["error"].as_str().is_some_and(|why| why.contains("is no signature file")), "{answer}");

    let words = countersign(&["batch", "kept", "--folder", &folder.display().to_string()], Path::new("/nowhere"));
    let words = String::from_utf8_lossy(&words.stdout).into_owned();
    assert!(words.contains("leg 2 of batch") && words.contains("countersign batch import"), "{words}");
    for text in [String::from_utf8_lossy(&listed.stdout).into_owned(), words] {
        assert!(!text.contains(&"09".repeat(65)), "the cheque stays in its file");
    }
    let nowhere = countersign(&["batch", "kept", "--folder", "/nowhere"], data.path());
    assert!(!nowhere.status.success(), "{nowhere:?}");
}
