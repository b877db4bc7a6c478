//! Compares a real Ethereum app with the recorded exchanges; `cargo xtask ledger` runs it.

use std::process::ExitCode;

use simulator::emulator::{Buttons, replay};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let device = arguments.next().unwrap_or_default();
    let buttons = arguments.next().map_or(Buttons::Hand, Buttons::Http);
    match replay(&device, &buttons) {
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
        Ok(report) => {
            for name in &report.other_settings {
                println!("not asked, needs other settings: {name}");
            }
            for (name, difference) in &report.different {
                println!("DIFFERENT: {name}: {difference}");
            }
            println!("{} flows as recorded, {} different", report.same.len(), report.different.len());
            if report.different.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
    }
}
