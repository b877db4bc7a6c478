//! A process with everything it starts, ended when it is dropped.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// A process group of its own.
pub struct Group {
    /// The process at its head.
    pub child: Child,
    group: Pid,
    ends_on: Signal,
}

impl Group {
    /// Starts a command; `ends_on` is the signal that lets it end in order.
    pub fn start(mut command: Command, ends_on: Signal) -> Result<Self> {
        let name = command.get_program().display().to_string();
        let child = command.process_group(0).spawn().with_context(|| format!("{name} cannot be started"))?;
        let group = Pid::from_raw(i32::try_from(child.id()).context("a process id outside its range")?);
        Ok(Self { child, group, ends_on })
    }
}

impl Drop for Group {
    /// Asks the head to end, waits a while, then ends whatever is left of the group.
    fn drop(&mut self) {
        let _ = nix::sys::signal::kill(self.group, self.ends_on);
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = killpg(self.group, Signal::SIGKILL);
        let _ = self.child.wait();
    }
}
