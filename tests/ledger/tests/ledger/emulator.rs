//! The comparison with a real app, tried on our own.

use std::collections::VecDeque;

use simulator::emulator::{Buttons, replay};
use simulator::recorded::flows;
use simulator::{Device, Press, Settings};

/// Presses what was pressed in every flow that these settings allow.
fn script(blind_signing: bool) -> simulator::Person {
    let presses = flows()
        .iter()
        .filter(|flow| {
            let settings = flow.settings();
            let plain = !settings.raw_messages && !settings.transaction_hash;
            flow.is_indifferent() || (plain && settings.blind_signing == blind_signing)
        })
        .flat_map(|flow| flow.screens())
        .filter_map(|screen| screen.press);
    let mut presses: VecDeque<Press> = presses.collect();
    Box::new(move |_| presses.pop_front().expect("a press for each page"))
}

fn address(device: &Device) -> String {
    device.address().to_string().replace("tcp:", "")
}

#[test]
fn every_flow_that_the_settings_allow_is_as_recorded_and_a_difference_is_found() {
    let mut asked = 0;
    for blind_signing in [false, true] {
        let settings = Settings { blind_signing, ..Settings::default() };
        let device = Device::start(settings, script(blind_signing));
        let report = replay(&address(&device), &Buttons::Hand).expect("the device answers");
        assert!(report.different.is_empty(), "{report:?}");
        assert_eq!(report.same.len() + report.other_settings.len(), 42);
        asked += report.same.len();
    }
    assert!(asked > 42, "{asked}: with both settings nearly all are asked");
    let device = Device::start(Settings::default(), script(false));
    device.garbage(0x02, &[0, 0, 0, 0, 0x6a, 0x80]);
    let report = replay(&address(&device), &Buttons::Hand).expect("the device answers");
    assert_eq!(report.different.len(), 1, "{report:?}");
}
