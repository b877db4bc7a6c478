//! `countersign batch sign` where a signature may stand already.

use std::fs;
use std::process::{Command, Stdio};

/// A signature is worth money and cannot be had again without asking its person: what stands in the output is replaced only where
/// somebody says so, and not before there is something to put there.
#[test]
fn a_file_that_may_hold_a_signature_is_replaced_only_with_force() {
    let folder = tempfile::tempdir().expect("a folder");
    let (output, root) = (folder.path().join("mia.json"), "00".repeat(32));
    fs::write(&output, "a signature").expect("written");
    let run = |file: &str, force: &[&str]| {
        let done = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .args(["batch", "sign", file, "--keystore", "key.json", "--safe-tx-hash", "0x00", "--output", "mia.json"])
            .args(["--root", &root, &root])
            .args(force)
            .env_clear()
            .current_dir(&folder)
            .stdin(Stdio::null())
            .output()
            .expect("it ends");
        (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    fs::write(folder.path().join("batch.json"), "{}").expect("written");
    let (status, said) = run("batch.json", &[]);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("mia.json is there already, perhaps with a signature") && said.contains("--force"), "{said}");
    // Said, it goes on to the file; what stands there stays until there is a signature in its place.
    let (status, said) = run("batch.json", &["--force"]);
    assert!(status.is_some_and(|code| code != 0) && !said.contains("is there already"), "{said}");
    assert_eq!(fs::read_to_string(&output).expect("kept"), "a signature");
    fs::remove_file(&output).expect("removed");
    let (_, said) = run("batch.json", &[]);
    assert!(!said.contains("is there already"), "{said}");
    assert!(!output.exists(), "nothing was signed");
}
