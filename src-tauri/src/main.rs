//! The desktop console.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

use std::path::PathBuf;

use app::{AppError, MachineSettings};
use clap::Parser;
use tracing_subscriber::EnvFilter;

/// The treasury console: payouts are prepared, countersigned, paid and proved here.
#[derive(Parser)]
#[command(name = "countersign-console", version)]
struct Arguments {
    /// Settings of this machine: the database, chain endpoints and who works here.
    /// Default: countersign/console.toml in $XDG_CONFIG_HOME or ~/.config
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
}

fn main() {
    prefer_plain_rendering();
    let arguments = Arguments::parse();
    // RUST_LOG names what is logged, for example `countersign_app=debug`.
    // The USB library writes every packet to and from a Ledger, signatures among them.
    let chosen = format!("{},ledger_transport_hid=off", std::env::var("RUST_LOG").unwrap_or_default());
    let filter = EnvFilter::builder().with_default_directive(tracing::Level::WARN.into()).parse_lossy(chosen);
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    // Every connection of this process uses the same TLS provider; a second call would only repeat it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let settings = arguments
        .settings
        .or_else(default_settings)
        .ok_or_else(|| AppError::File("This machine has no folder for settings: name the file with --settings".into()))
        .and_then(|path| MachineSettings::read(&path));
    countersign_console::run(settings)
}

fn default_settings() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")));
    Some(config.or_else(|| folder("APPDATA"))?.join("countersign").join("console.toml"))
}

/// Windows stay blank with some graphics drivers and compositors unless WebKit renders without DMA-BUF.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "WebKit takes this choice from the environment only")]
fn prefer_plain_rendering() {
    const NAME: &str = "WEBKIT_DISABLE_DMABUF_RENDERER";
    if std::env::var_os(NAME).is_none() {
        // SAFETY: this is the first thing the process does, and no other thread exists yet.
        unsafe { std::env::set_var(NAME, "1") };
    }
}

#[cfg(not(target_os = "linux"))]
fn prefer_plain_rendering() {}
