//! What people are told they will see is what was seen.

use signing::ledger::Flow;
use signing::ledger::pages::{Model, Settings, expected};

use crate::vectors::{PAIRS, flow};

/// The pages of a recording on which something was pressed: the rest is the outcome.
fn seen(name: &str) -> Vec<(Vec<String>, simulator::Press)> {
    flow(name).screens().into_iter().filter_map(|screen| Some((screen.lines, screen.press?))).collect()
}

fn told(settings: Settings, ask: Flow, transaction: &str, model: Model) -> Vec<(Vec<String>, simulator::Press)> {
    let (domain, tx) = crate::vectors::transaction(flow(transaction));
    let pages = expected(Some(model), settings, ask, &domain, &tx).pages.expect("observed");
    pages.into_iter().map(|page| (page.lines, page.press)).collect()
}

#[test]
fn the_pages_of_both_models_break_where_the_device_broke_them() {
    let on = Settings::default();
    let off = Settings { blind_signing: false, ..on };
    let raw = |settings| Settings { raw_messages: true, ..settings };
    for model in [Model::NanoSPlus, Model::NanoX] {
        for (full, hashed) in PAIRS {
            assert_eq!(told(on, Flow::Hashed, full, model), seen(hashed), "{hashed}");
            assert_eq!(told(on, Flow::Full, full, model), seen(full), "{full}");
        }
        let with_hash = Settings { transaction_hash: true, ..on };
        assert_eq!(told(with_hash, Flow::Full, "V2 full", model), seen("V2 full, Transaction hash ON"));
        assert_eq!(told(raw(on), Flow::Full, "V2 full", model), seen("V2 full, Raw messages ON"));
        let name = "EIP-712 full, blind signing OFF, Raw messages ON";
        assert_eq!(told(raw(off), Flow::Full, "V2 full", model), seen(name));
    }
}
