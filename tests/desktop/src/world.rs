//! The demo's world: a database, a chain, made-up people, and the machines at work.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;

use crate::child::Group;
use crate::programs;

/// From an empty folder to people who can log in; most of it is the first start of a database and a chain.
const READY_SECS_MAX: u64 = 240;

/// `countersign demo --serve`, running until it is dropped.
pub struct World {
    settings: PathBuf,
    _demo: Group,
}

impl World {
    /// Starts one in a folder, which a database that runs under another user has to be able to reach.
    ///
    /// # Errors
    /// When the program is missing, ends early, or is not ready in time.
    pub fn start(dir: &Path) -> Result<Self> {
        let mut command = Command::new(programs::countersign()?);
        command.args(["demo", "--serve", "--dir"]).arg(dir);
        command.env_remove("DATABASE_URL").env_remove("COUNTERSIGN_SETTINGS");
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut demo = Group::start(command, Signal::SIGINT)?;
        let output = demo.child.stdout.take().context("the demo has no output")?;
        let (lines, printed) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    break;
                }
            }
        });
        loop {
            match printed.recv_timeout(Duration::from_secs(READY_SECS_MAX)) {
                Ok(line) => {
                    if let Some(settings) = line.strip_prefix("ready ") {
                        return Ok(Self { settings: settings.into(), _demo: demo });
                    }
                }
                Err(_) => bail!("`countersign demo --serve` did not get ready within {READY_SECS_MAX} s"),
            }
        }
    }

    /// The settings of a console in this world.
    #[must_use]
    pub fn settings(&self) -> &Path {
        &self.settings
    }
}
