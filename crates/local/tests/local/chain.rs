use std::io::{Read, Write};
use std::net::TcpStream;

use countersign_local::anvil::{Anvil, AnvilError, Options};
use countersign_local::tools::Tools;

pub fn options() -> Options {
    Options::new(Tools::find().and_then(|tools| tools.anvil()).expect("anvil is installed; run ./dev setup"))
}

fn rpc(port: u16, method: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connect");
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":[]}}"#);
    write!(
        stream,
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .expect("ask");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answer");
    answer
}

#[test]
fn keeps_its_state_over_a_restart() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let options = Options { state_file: Some(dir.path().join("state.json")), ..options() };
    let first = Anvil::start(&options).expect("first start");
    assert!(rpc(first.port(), "evm_mine").contains("result"));
    assert!(rpc(first.port(), "eth_blockNumber").contains("\"0x1\""));
    first.stop().expect("stop");

    let second = Anvil::start(&options).expect("second start");
    assert!(rpc(second.port(), "eth_blockNumber").contains("\"0x1\""), "the block is still there");
}

#[test]
fn one_state_has_one_chain_at_a_time() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let options = Options { state_file: Some(dir.path().join("state.json")), ..options() };
    let first = Anvil::start(&options).expect("first start");
    assert!(rpc(first.port(), "evm_mine").contains("result"));
    let second = std::thread::scope(|scope| {
        let second = scope.spawn(|| Anvil::start(&options).expect("second start"));
        std::thread::sleep(std::time::Duration::from_millis(500));
        assert!(!second.is_finished(), "the second waits for the first");
        first.stop().expect("stop");
        second.join().expect("thread")
    });
    assert!(rpc(second.port(), "eth_blockNumber").contains("\"0x1\""), "and goes on from its state");
    second.stop().expect("stop");

    let third = Anvil::start(&Options { start_over: true, ..options.clone() }).expect("third start");
    assert!(rpc(third.port(), "eth_blockNumber").contains("\"0x0\""), "told to start over, it does");
}

#[test]
fn a_taken_port_is_said() {
    let first = Anvil::start(&options()).expect("start");
    let error = Anvil::start(&Options { port: first.port(), ..options() }).expect_err("the port is taken");
    assert!(matches!(error, AnvilError::PortTaken(port) if port == first.port()), "{error}");
}

#[test]
fn a_failure_at_start_names_the_log() {
    let error = Anvil::start(&Options { hardfork: "no-such-fork".to_owned(), ..options() }).expect_err("unknown fork");
    assert!(matches!(error, AnvilError::Ended { .. }), "{error}");
    assert!(error.to_string().contains("no-such-fork"), "{error}");
}

#[test]
fn missing_tools_name_the_next_step() {
    let error = Tools::at("/nonexistent").safe_artifact("Safe").expect_err("nothing is there");
    assert!(error.to_string().ends_with("run `./dev setup`."), "{error}");
    assert!(Tools::at("/nonexistent").safe_artifact("Vault").is_err());
}
