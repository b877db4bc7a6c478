//! `countersign device list`

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use app::AppError;
use app::foreign::keeping;
use serde::Serialize;
use signing::ledger::{DeviceAddress, EthereumApp, usb_devices};

use crate::output::Output;

/// Show which Ledgers are there, which app is open on them, and what keeps them from signing.
#[derive(clap::Args)]
pub struct Args {}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    device: String,
    product: Option<String>,
    model: Option<String>,
    app: Option<String>,
    version: Option<String>,
    blind_signing: Option<bool>,
    problem: Option<String>,
}

impl Found {
    fn ask(address: &DeviceAddress, device: String, product: Option<String>, model: Option<String>) -> Self {
        let opened = EthereumApp::open(address).map_err(|error| keeping(error, Path::new(".")));
        let app = opened.as_ref().ok();
        Self {
            device,
            product,
            model,
            app: app.map(|app| app.info().name.clone()),
            version: app.map(|app| app.info().version.clone()),
            blind_signing: app.map(|app| app.config().blind_signing),
            problem: opened.as_ref().err().map(ToString::to_string),
        }
    }

    fn sentence(&self) -> String {
        let name = self.product.as_deref().unwrap_or("A device");
        let state = match (&self.problem, &self.app, &self.version, self.blind_signing) {
            (Some(problem), ..) => problem.clone(),
            (None, Some(app), Some(version), Some(blind)) => {
                format!("{app} {version}, blind signing {}", if blind { "on" } else { "off" })
            }
            _ => String::new(),
        };
        format!("{name} at {}: {state}", self.device)
    }
}

/// Runs the command.
pub fn run(address: &DeviceAddress, output: Output) -> Result<ExitCode> {
    let found: Vec<Found> = match address {
        DeviceAddress::Hid => usb_devices()
            .map_err(AppError::from)?
            .into_iter()
            .map(|usb| Found::ask(address, usb.path, Some(usb.product), usb.model.map(|model| model.to_string())))
            .collect(),
        DeviceAddress::Tcp { .. } => vec![Found::ask(address, address.to_string(), None, None)],
    };
    output.answer(&found, |found| {
        if found.is_empty() {
            return AppError::from(signing::SignError::NotConnected).to_string();
        }
        found.iter().map(Found::sentence).collect::<Vec<_>>().join("\n")
    });
    Ok(ExitCode::SUCCESS)
}
