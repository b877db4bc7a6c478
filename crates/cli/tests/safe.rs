//! `countersign safe` as a program that others call: standard input, standard output, exit codes; no settings.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

const VECTORS: &str = include_str!("../../safe/tests/vectors/safe.json");
const SAFE: &str = "0x657ff0D4eC65D82b2bC1247b0a558bcd2f80A0f1";
const USDC: &str = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48";

/// Runs the program in an empty environment, with this text on its standard input.
fn countersign(args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .arg("safe")
        .args(args)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("its input");
    let text = input.to_owned();
    // From a thread of its own: a program that refuses its arguments reads nothing.
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(text.as_bytes());
    });
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("written");
    output
}

fn answer(args: &[&str], input: &str) -> String {
    let output = countersign(args, input);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn json_answer(args: &[&str], input: &str) -> Value {
    serde_json::from_str(&answer(args, input)).expect("JSON")
}

/// The one sentence of a refusal, after its exit code was compared.
fn refusal(args: &[&str], input: &str, code: i32) -> String {
    let output = countersign(args, input);
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    assert!(output.stdout.is_empty(), "nothing is answered beside a refusal");
    said
}

fn vectors() -> Vec<Value> {
    let file: Value = serde_json::from_str(VECTORS).expect("JSON");
    let list = file["vectors"].as_array().expect("a list").clone();
    assert_eq!(list.len(), 40);
    list
}

#[test]
fn hash_answers_all_vectors_in_their_order() {
    let vectors = vectors();
    let answers = json_answer(&["hash"], &Value::from(vectors.clone()).to_string());
    let answers = answers.as_array().expect("a list");
    assert_eq!(answers.len(), 40);
    for (vector, answer) in vectors.iter().zip(answers) {
        let [domain, message, hash] =
            ["domainSeparator", "structHash", "safeTxHash"].map(|key| vector["expected"][key].clone());
        let expected = json!({ "domainSeparator": domain, "structHash": message, "safeTxHash": hash });
        assert_eq!(*answer, expected, "{}", vector["id"]);
    }
    assert_eq!(json_answer(&["hash"], "[]"), json!([]));
}

fn with(pointer: &str, value: Value) -> String {
    let mut vector = vectors().swap_remove(0);
    *vector.pointer_mut(pointer).expect("a field") = value;
    json!([vectors()[1], vector]).to_string()
}

#[test]
fn hash_refuses_bad_input_with_its_place_and_field() {
    let cases = [
        ("/safe", json!("0x657Ff0D4eC65D82b2bC1247b0a558bcd2f80A0f1"), "Entry 1, safe: "),
        ("/safeVersion", json!("1.6.0"), "Entry 1, safeVersion: "),
        ("/safeTx/nonce", json!("1".repeat(79)), "Entry 1, safeTx.nonce: "),
        ("/safeTx/value", json!("-1"), "Entry 1, safeTx.value: "),
        ("/safeTx/value", json!(1.5), "Entry 1, safeTx.value: "),
        ("/safeTx/operation", json!(2), "Entry 1, safeTx.operation: "),
        ("/safeTx/data", json!("0xgg"), "Entry 1, safeTx.data: "),
        ("/chainId", json!(null), "Entry 1, chainId: "),
    ];
    for (pointer, value, place) in cases {
        let said = refusal(&["hash"], &with(pointer, value), 1);
        assert!(said.starts_with(&format!("countersign: {place}")) && said.lines().count() == 1, "{said}");
    }
    let mut missing = vectors().swap_remove(0);
    missing["safeTx"].as_object_mut().expect("an object").remove("gasToken");
    assert_eq!(
        refusal(&["hash"], &json!([missing]).to_string(), 1),
        "countersign: Entry 0, safeTx.gasToken: it is missing\n"
    );
    let twice = with("/chainId", json!(1)).replace(r#""chainId":1,"#, r#""chainId":1,"chainId":1,"#);
    assert!(refusal(&["hash"], &twice, 1).contains("chainId: the key stands twice"));
    assert!(refusal(&["hash"], "[{]", 1).contains("not JSON"));
    assert!(refusal(&["hash"], "{}", 1).contains("where an array"));
}

const FILE: &str = "token_type,token_address,receiver,amount,reference\n\
    native,,0x255C3912f91eF11bFDadd405F13144a823Da8cc5,0.25,INV-1\n\
    erc20,0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48,0x255C3912f91eF11bFDadd405F13144a823Da8cc5,12.345678,INV-2\n\
    erc20,0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48,0x6bc56d6CE87C86CB0756c616bECFD3Cd32b09251,7,INV-3\n";

struct PayoutFile(tempfile::NamedTempFile);

impl PayoutFile {
    fn new(text: &str) -> Self {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(text.as_bytes()).expect("written");
        Self(file)
    }

    fn plan<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let path = self.0.path().to_str().expect("a plain path");
        let account = ["--safe", SAFE, "--safe-version", "1.4.1", "--chain", "1", "--nonce", "7"];
        [&["plan", path], &account[..], more].concat()
    }
}

#[test]
fn a_file_is_planned_hashed_and_explained_through_pipes() {
    let file = PayoutFile::new(FILE);
    let usdc = format!("{USDC}=6");
    // Two lines a leg, so that there are two.
    let plan = answer(&file.plan(&["--token", &usdc, "--gas-max", "150000"]), "");
    let legs: Value = serde_json::from_str(&plan).expect("JSON");
    assert_eq!(legs.as_array().map(Vec::len), Some(2));
    assert_eq!((&legs[0]["lines"], &legs[1]["lines"]), (&json!([2, 3]), &json!([1])), "tokens first, then native");
    assert_eq!((&legs[0]["safeTx"]["nonce"], &legs[1]["safeTx"]["nonce"]), (&json!("7"), &json!("8")));
    assert_eq!((&legs[0]["gas"], &legs[1]["gas"]), (&json!(150_000), &json!(126_000)));

    let hashes = json_answer(&["hash"], &plan);
    assert_eq!(hashes.as_array().map(Vec::len), Some(2));
    let explained = json_answer(&["decode", "--json"], &plan);
    assert_eq!(explained[0]["safeTxHash"], hashes[0]["safeTxHash"]);
    assert_eq!(explained[0]["alarms"], json!([]));
    let words = answer(&["decode"], &plan);
    for part in [
        "DELEGATE CALL: runs 2 calls through the published MultiSendCallOnly, in order.",
        "Call 1: pays 12345678 base units of token 0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48 to 0x255C39",
        "pays 250000000000000000 wei of the native coin to 0x255C3912f91eF11bFDadd405F13144a823Da8cc5",
        "published for chain 1; its code hash there must be 0xecd5bd14",
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
    assert_eq!(answer(&file.plan(&["--token", &usdc, "--gas-max", "150000"]), ""), plan, "the same bytes again");
}

#[test]
fn a_plan_guesses_nothing() {
    let file = PayoutFile::new(FILE);
    let usdc = format!("{USDC}=6");
    let said = refusal(&file.plan(&[]), "", 1);
    assert!(said.contains("Line 3, token_address") && said.contains("--token ADDRESS=DECIMALS"), "{said}");
    let said = refusal(&file.plan(&["--token", &format!("{USDC}=2")]), "", 1);
    assert!(said.contains("Line 3, amount"), "more places than decimals: {said}");
    refusal(&file.plan(&["--token", &usdc, "--token", &usdc]), "", 2);
    refusal(&file.plan(&["--token", "0xa0B86991c6218b36c1d19D4a2e9Eb0cE3606eB48=6"]), "", 2);
    refusal(&file.plan(&["--token", USDC]), "", 2);
    let said = refusal(&file.plan(&["--token", &usdc, "--gas-max", "100000"]), "", 1);
    assert!(said.contains("alone needs 120000 gas"), "{said}");
    let said = refusal(&file.plan(&["--token", &usdc, "--flavour", "zksync"]), "", 2);
    assert!(said.contains("published for chain 1 as canonical"), "{said}");
    let path = file.0.path().to_str().expect("a plain path");
    refusal(&["plan", path], "", 2);
    refusal(&["plan", path, "--safe", SAFE, "--nonce", "1"], "", 2);
    refusal(&["plan"], "", 2);
    let own = PayoutFile::new(&FILE.replace("0x6bc56d6CE87C86CB0756c616bECFD3Cd32b09251", SAFE));
    assert!(refusal(&own.plan(&["--token", &usdc]), "", 1).contains("the Safe itself"));
    let typed = PayoutFile::new(&FILE.replace("0x6bc56d6CE", "0x6Bc56d6CE"));
    assert!(refusal(&typed.plan(&["--token", &usdc]), "", 1).contains("Line 4, receiver"));
}

#[test]
fn decode_names_what_changes_the_account_and_says_what_it_does_not_know() {
    let transfer = "0xa9059cbb0000000000000000000000005ce256348174ea5f6faaad01925fcd1a23a283db0000000000000000000000000000000000000000000000000000000000000007";
    let said = answer(&["decode", transfer], "");
    assert_eq!(
        said,
        "An ERC-20 transfer: pays 7 base units of the token that is called to 0x5cE256348174ea5F6fAaad01925FCD1A23a283Db.\n"
    );
    assert_eq!(answer(&["decode"], &format!("{}\n", &transfer[2..])), said, "from standard input, without 0x");

    let module = format!("0x610b5925{}{}", "0".repeat(24), "11".repeat(20));
    let said = answer(&["decode", &module], "");
    assert!(
        said.contains(
            "let a module move money without signatures, with address 0x1111111111111111111111111111111111111111"
        ),
        "{said}"
    );
    assert!(said.contains("ALARM: The function changes who controls an account."), "{said}");
    let said = answer(&["decode", "0xdeadbeef00"], "");
    assert_eq!(said, "The function 0xdeadbeef is unknown: nothing can be said about what it does.\n");
    assert!(answer(&["decode", "0x8d80ff0a00"], "").starts_with("Not readable"));
    assert!(answer(&["decode", "0x"], "").starts_with("No calldata"));
    assert!(refusal(&["decode", "0xabc"], "", 1).contains("odd number"));
    assert!(refusal(&["decode", "hello"], "", 1).contains("no hexadecimal digit"));
}

#[test]
fn decode_reads_an_execution_and_recovers_its_owners_when_the_safe_is_named() {
    let file: Value = serde_json::from_str(VECTORS).expect("JSON");
    let vector = vectors().into_iter().find(|v| v["safeVersion"] == "1.4.1").expect("one of 1.4.1");
    let request = safe::request::read(&json!([vector]).to_string()).expect("a transaction").remove(0);
    let blob = vector["expected"]["signatureBlobs"]["eip712"].as_str().expect("hex");
    let blob = safe::request::calldata(blob).expect("bytes");
    let calldata = safe::execution::exec_transaction(&request.safe_tx, &blob).to_string();

    let alone = answer(&["decode", &calldata], "");
    assert!(alone.contains("execTransaction") && alone.contains("by an owner who is found once"), "{alone}");
    let chain = vector["chainId"].to_string();
    let account = ["--safe", vector["safe"].as_str().expect("text"), "--safe-version", "1.4.1", "--chain", &chain];
    let nonce = request.safe_tx.nonce.to_string();
    let named = answer(&[&["decode", &calldata], &account[..], &["--nonce", &nonce]].concat(), "");
    assert!(named.contains(vector["expected"]["safeTxHash"].as_str().expect("text")), "{named}");
    for owner in vector["signers"].as_array().expect("a list") {
        assert!(named.contains(owner.as_str().expect("text")), "{owner}: {named}");
    }
    assert!(file["keys"].is_object());
    refusal(&["decode", &calldata, "--nonce", "1"], "", 2);
}

#[test]
fn decode_explains_every_vector_and_the_worst_case_of_a_refund() {
    let all = Value::from(vectors()).to_string();
    let explained = json_answer(&["decode", "--json"], &all);
    assert_eq!(explained.as_array().map(Vec::len), Some(40));
    for (vector, one) in vectors().iter().zip(explained.as_array().expect("a list")) {
        assert_eq!(one["safeTxHash"], vector["expected"]["safeTxHash"]);
        let id = vector["id"].as_str().expect("text");
        let alarms = one["alarms"].to_string();
        assert_eq!(alarms.contains("\"refund\""), id.contains("refund"), "{id}: {alarms}");
    }
    let mut refund = vectors().into_iter().find(|v| v["safeVersion"] == "1.4.1").expect("one of 1.4.1");
    refund["safeTx"]["baseGas"] = json!("1000");
    refund["safeTx"]["gasPrice"] = json!("3");
    let words = answer(&["decode"], &refund.to_string());
    assert!(words.contains("the Safe may pay up to 3000 wei to whoever executes it"), "{words}");
    // A published contract that is not MultiSendCallOnly is named for what it is.
    let mut full = refund;
    full["safeTx"]["to"] = json!("0x38869bf66a61cF6bDB996A6aE40D5853Fd43B526");
    full["safeTx"]["operation"] = json!(1);
    let words = answer(&["decode"], &full.to_string());
    assert!(words.contains("the published MultiSend 1.4.1, and not MultiSendCallOnly"), "{words}");
}
