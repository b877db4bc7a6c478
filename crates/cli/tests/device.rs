//! `countersign device` as a program that others call, against a device of our own.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use simulator::{Device, Settings, approve, refuse_last};

const OWNER: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
const BLIND: Settings = Settings { blind_signing: true, raw_messages: false, transaction_hash: false };
/// Of the recorded exchange of the same transaction with a real Ethereum app.
const RECORDED: &str = "0x526d2484d113ded60df0b45617f5251e87d51746c679f6ec6b21b8aaf38297ef278717121ce6e26692530235d41550a3c1afb7af4ce92f98860eaf0e969a243f1c";

fn countersign(device: &Device, args: &[&str], input: &str) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(["device"])
        .args(args)
        .args(["--device", &device.address().to_string()])
        .env_clear()
        .current_dir(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("its input");
    let text = input.to_owned();
    let writer = std::thread::spawn(move || drop(stdin.write_all(text.as_bytes())));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("written");
    let kept = std::fs::read_dir(&folder).expect("lists").count();
    assert_eq!(kept == 1, String::from_utf8_lossy(&output.stderr).contains("It is kept in"), "kept {kept} files");
    output
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn answered(output: &Output) -> Value {
    assert!(output.status.success(), "{}", said(output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The recorded payment, at a nonce.
fn payment(nonce: u64) -> Value {
    let zero = "0x0000000000000000000000000000000000000000";
    json!({
        "safeVersion": "1.3.0", "chainId": 1, "safe": "0x5aFE3855358E112B5647B952709E6165e1c1eEEe",
        "safeTx": {
            "to": "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "value": "0",
            "data": "0xa9059cbb00000000000000000000000070997970c51812dc3a010c7d01b50e0d17dc79c800000000000000000000000000000000000000000000000000000000499602d2",
            "operation": 0, "safeTxGas": "0", "baseGas": "0", "gasPrice": "0", "gasToken": zero, "refundReceiver": zero,
            "nonce": nonce.to_string(),
        },
    })
}

#[test]
fn lists_what_is_open_and_what_is_wrong() {
    let device = Device::start(BLIND, approve());
    let listed = answered(&countersign(&device, &["list", "--json"], ""));
    assert_eq!(listed[0]["app"], "Ethereum");
    assert_eq!(listed[0]["version"], "1.22.0");
    assert_eq!(listed[0]["blindSigning"], true);
    assert_eq!(listed[0]["problem"], Value::Null);
    device.locked(true);
    let listed = answered(&countersign(&device, &["list", "--json"], ""));
    assert!(listed[0]["problem"].as_str().expect("a problem").contains("unlock it with its PIN"), "{listed}");
}

#[test]
fn an_address_is_confirmed_on_the_device_or_not_at_all() {
    let device = Device::start(Settings::default(), approve());
    let found = answered(&countersign(&device, &["address", "--json"], ""));
    assert_eq!(found, json!({ "path": "m/44'/60'/0'/0/0", "address": OWNER, "confirmedOnDevice": false }));
    assert!(device.screens().is_empty());
    let args = ["address", "--json", "--show", "--path", "m/44'/60'/1'/0/0"];
    let found = answered(&countersign(&device, &args, ""));
    assert_eq!(found["address"], "0x8C8d35429F74ec245F8Ef2f4Fd1e551cFF97d650");
    assert_eq!(found["confirmedOnDevice"], true);
    assert!(!device.screens().is_empty());
    device.person(refuse_last());
    let refused = countersign(&device, &["address", "--show"], "");
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(refused.stdout.is_empty() && said(&refused).contains("refused on the device"), "{}", said(&refused));
    let foreign = countersign(&device, &["address", "--path", "m/44'/0'/0'/0/0"], "");
    assert_eq!(foreign.status.code(), Some(2), "{}", said(&foreign));
}

#[test]
fn signs_what_was_read_in_both_flows_after_saying_what_will_be_shown() {
    let device = Device::start(BLIND, approve());
    let input = json!([payment(7), payment(8)]).to_string();
    for flow in ["hashed", "full"] {
        let output = countersign(&device, &["sign", "--flow", flow, "--model", "nano-x"], &input);
        let signed = answered(&output);
        assert_eq!(signed[0], json!({ "address": OWNER, "signature": RECORDED }), "{flow}");
        assert_eq!(signed.as_array().map(Vec::len), Some(2));
        assert_ne!(signed[1]["signature"], signed[0]["signature"]);
        // What was said beforehand is what was shown, page for page and twice.
        let words = said(&output);
        let shown: Vec<String> =
            device.screens().iter().filter(|s| s.press.is_some()).map(|s| s.lines.join("\n      ")).collect();
        assert_eq!(shown.len(), 14);
        let mut rest = words.as_str();
        for page in &shown {
            let at = rest.find(page.as_str()).unwrap_or_else(|| panic!("{page} was not said: {words}"));
            rest = &rest[at + page.len()..];
        }
    }
    // The device may be named before the command too.
    let before = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(["device", "--device", &device.address().to_string(), "address"])
        .env_clear()
        .output()
        .expect("runs");
    assert_eq!(String::from_utf8_lossy(&before.stdout).trim(), OWNER);
    // A model that was not observed: what to compare, and no pages.
    let output = countersign(&device, &["sign", "--model", "flex"], &input);
    assert_eq!(answered(&output)[0]["signature"], RECORDED);
    assert!(
        said(&output).contains("0xC03D57206AEB95BB2816E44CEC2AEAFF23AB39C410E548F01CE7FE7B6AA697EC"),
        "{}",
        said(&output)
    );
    assert!(!said(&output).contains("both buttons"));
}

#[test]
fn all_signatures_or_none_and_each_refusal_in_its_own_words() {
    let device = Device::start(Settings::default(), approve());
    let one = json!([payment(7)]).to_string();
    let refusal = |device: &Device, args: &[&str], input: &str| {
        let output = countersign(device, args, input);
        assert!(!output.status.success() && output.stdout.is_empty(), "{}", said(&output));
        said(&output).to_lowercase()
    };
    assert!(refusal(&device, &["sign"], &one).contains("blind signing is off"));
    assert!(refusal(&device, &["sign", "--flow", "full"], &one).contains("raw messages"));
    device.set(BLIND);
    device.app_closed(true);
    assert!(refusal(&device, &["sign"], &one).contains("does not have the ethereum app open"));
    device.app_closed(false);
    assert!(refusal(&device, &["sign"], "[{}]").contains("entry 0"));
    let mut old = payment(7);
    old["safeVersion"] = json!("1.1.1");
    device.received();
    assert!(refusal(&device, &["sign"], &json!([payment(7), old]).to_string()).contains("every chain"));
    assert!(device.received().is_empty(), "the device was not asked for the first one either");
    assert_eq!(
        answered(&countersign(&device, &["sign", "--allow-replay"], &json!([old]).to_string()))[0]["address"],
        OWNER
    );
    // The second is refused: the first is not printed.
    let mut questions = 0;
    device.person(simulator::refuse_at(move |page| {
        questions += u32::from(page[0] == "Sign message");
        page[0] == "Sign message" && questions == 2
    }));
    assert!(
        refusal(&device, &["sign"], &json!([payment(7), payment(8)]).to_string()).contains("refused on the device")
    );
    // Another payload was signed: kept in a file, never printed, never asked again.
    device.person(approve());
    device.sign_instead(Some([7; 32].into()));
    device.received();
    let words = refusal(&device, &["sign"], &one);
    assert!(words.contains("do not sign again") && words.contains("kept in foreign-signature-0xcf2a5acb"), "{words}");
    assert_eq!(device.received().iter().filter(|apdu| apdu[1] == 0x0c).count(), 1);
    assert!(answered(&countersign(&device, &["list", "--json"], "")).is_array());
}

#[test]
fn nothing_there_is_said_and_nothing_is_signed() {
    let gone = {
        let device = Device::start(BLIND, approve());
        device.app_closed(true);
        device
    };
    let refused = countersign(&gone, &["address"], "");
    assert_eq!(refused.status.code(), Some(1));
    let wrong = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(["device", "address", "--device", "usb"])
        .env_clear()
        .output()
        .expect("runs");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(said(&wrong).contains("tcp:HOST:PORT"), "{}", said(&wrong));
}
