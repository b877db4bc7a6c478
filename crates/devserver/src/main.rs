//! The contract over HTTP for browser tests; never shipped.
//!
//! The window's page runs in a browser against this server: the same core answers, and dialogs answer themselves.
//! Whoever reaches the port acts as the person who is signed in, so it listens on loopback only and turns down
//! requests that a page from elsewhere makes through a browser on this machine.

mod dialogs;
mod loopback;
mod server;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use app::{Console, MachineSettings};
use clap::{Parser, ValueEnum};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use dialogs::PreparedDialogs;

/// Serves the commands of the console over HTTP, for browser tests.
#[derive(Parser)]
#[command(name = "countersign-devserver", version)]
struct Arguments {
    /// Settings of this machine, as for the console.
    #[arg(long, value_name = "FILE")]
    settings: PathBuf,
    /// Loopback address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:1421")]
    listen: SocketAddr,
    /// The built user interface, so that no other server is needed.
    #[arg(long = "static", value_name = "DIR")]
    static_dir: Option<PathBuf>,
    /// What the dialog for a payout file chooses; without it the dialog is closed.
    #[arg(long, value_name = "PATH")]
    choose_file: Option<PathBuf>,
    /// Where the save dialog puts files, under their suggested names; without it the dialog is closed.
    #[arg(long, value_name = "DIR")]
    save_folder: Option<PathBuf>,
    /// What every confirmation answers.
    #[arg(long, value_enum, default_value_t = Answer::Act)]
    confirm: Answer,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Answer {
    /// Does what is asked.
    Act,
    /// Keeps things as they are.
    Keep,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    // The USB library writes every packet to and from a Ledger, signatures among them.
    let chosen = format!("{},ledger_transport_hid=off", std::env::var("RUST_LOG").unwrap_or_default());
    let filter = EnvFilter::builder().with_default_directive(tracing::Level::INFO.into()).parse_lossy(chosen);
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    // Every connection of this process uses the same TLS provider; a second call would only repeat it.
    let _ = rustls::crypto::ring::default_provider().install_default();

    ensure!(
        arguments.listen.ip().is_loopback(),
        "{} is not a loopback address: this server acts for whoever reaches it; listen on 127.0.0.1",
        arguments.listen.ip()
    );
    if let Some(folder) = &arguments.static_dir {
        let page = folder.join("index.html");
        ensure!(
            page.is_file(),
            "{} is missing: build the user interface with npm --prefix ui run build",
            page.display()
        );
    }
    let dialogs = PreparedDialogs::new(arguments.choose_file, arguments.save_folder, arguments.confirm == Answer::Act);
    let console = Console::new(MachineSettings::read(&arguments.settings)?, Arc::new(dialogs))?;
    let listener = TcpListener::bind(arguments.listen)
        .await
        .with_context(|| format!("{} cannot be listened on; name another with --listen", arguments.listen))?;
    // Whoever started this waits for the line, and learns the port that was taken for port 0.
    writeln!(std::io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    axum::serve(listener, server::router(Arc::new(console), arguments.static_dir.as_deref()))
        .with_graceful_shutdown(stopped())
        .await?;
    Ok(())
}

/// Ends with the first Ctrl-C or, where there is one, SIGTERM.
async fn stopped() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupted => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    let _ = interrupted.await;
}
