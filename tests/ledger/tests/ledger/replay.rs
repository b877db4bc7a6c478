//! Every recorded command gets the recorded answer and shows the recorded pages.

use simulator::recorded::{Flow, flows};
use simulator::{App, Reply, Screen};

/// Feeds a flow to a fresh app, pressing what was pressed.
fn replay(flow: &Flow) {
    let mut app = App::new(flow.settings());
    for (number, exchange) in flow.exchanges().into_iter().enumerate() {
        let at = format!("{}, command {number}", flow.name);
        let (data, status, shown) = match app.handle(&exchange.apdu) {
            Reply::Answer(data, status) => (data, status, Vec::new()),
            Reply::Say(lines, status) => {
                if let Some(seen) = flow.result.get("screen") {
                    assert_eq!(serde_json::Value::from(lines), *seen, "{at}");
                }
                (Vec::new(), status, Vec::new())
            }
            Reply::Ask(mut review) => {
                let mut shown = Vec::new();
                for press in exchange.screens.iter().filter_map(|screen| screen.press) {
                    let lines = review.page().unwrap_or_else(|| panic!("{at}: it ended early")).to_vec();
                    shown.push(Screen { lines, press: Some(press) });
                    review.press(press);
                }
                let agreed = review.ended().unwrap_or_else(|| panic!("{at}: it goes on"));
                shown.extend(review.outcome().into_iter().map(|lines| Screen { lines, press: None }));
                if agreed { (review.answer().to_vec(), 0x9000, shown) } else { (Vec::new(), 0x6985, shown) }
            }
        };
        assert_eq!(format!("{status:04x}"), format!("{:04x}", exchange.status), "{at}");
        assert_eq!(hex::encode(data), hex::encode(exchange.data), "{at}");
        assert_eq!(shown, exchange.screens, "{at}");
    }
}

#[test]
fn every_recorded_exchange_byte_for_byte() {
    let mut exchanges = 0;
    let mut pages = 0;
    for flow in flows() {
        replay(flow);
        exchanges += flow.exchanges().len();
        pages += flow.screens().len();
    }
    assert_eq!((exchanges, pages), (284, 199), "nothing was left out");
}

#[test]
fn what_no_device_would_be_asked_is_refused_and_leaves_nothing_behind() {
    let mut app = App::new(simulator::Settings { blind_signing: true, ..Default::default() });
    let mut ask = |hex_apdu: &str| match app.handle(&hex::decode(hex_apdu).expect("hex")) {
        Reply::Answer(_, status) | Reply::Say(_, status) => format!("{status:04x}"),
        Reply::Ask(_) => "a review".to_owned(),
    };
    for (apdu, status) in [
        ("e0", "6700"),
        ("e006000001", "6700"),
        ("e00200000105", "6a80"),
        ("e01c00ff0100", "6980"),
        // A value without its struct, a struct that nobody defined, a value of a wrong length.
        ("e01a00000153", "9000"),
        ("e01c00ff0100", "6980"),
        ("e01a00000153", "9000"),
        ("e01c00000154", "6a80"),
        ("e01a00000153", "9000"),
        ("e01a00ff03030161", "9000"),
        ("e01c00000153", "9000"),
        ("e01c00ff0400021234", "6a80"),
        // Nothing is left of it.
        ("e01c00000153", "6980"),
    ] {
        assert_eq!(ask(apdu), status, "{apdu}");
    }
}
