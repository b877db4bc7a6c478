//! Workers as processes of their own, to be killed.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use local::process::{signal, spawn};
use nix::sys::signal::Signal;
use secrecy::{ExposeSecret, SecretString};

/// Source of the library that moves a worker's clock.
const CLOCK: &str = include_str!("clock.c");
/// Hours by which the clock of every second worker is wrong, in turn.
const HOURS_OFF: [i64; 4] = [-7, 72, -8_784, 1];
/// A lease that ends while a stopped worker sleeps.
pub const LEASE: Duration = Duration::from_secs(2);
/// How long a stopped worker sleeps.
const SLEEP: Duration = Duration::from_millis(3_500);

/// One process.
struct Running {
    child: Child,
    asleep_until: Option<Instant>,
}

/// All of them.
pub struct Fleet {
    program: PathBuf,
    url: SecretString,
    log: File,
    clock: Option<PathBuf>,
    running: Vec<Running>,
    started: usize,
}

impl Fleet {
    /// Prepares a fleet; without a C compiler every clock is right.
    pub fn new(dir: &Path, url: SecretString) -> Result<Self> {
        let log = OpenOptions::new().create(true).append(true).open(log_in(dir))?;
        Ok(Self {
            program: std::env::current_exe()?,
            url,
            log,
            clock: compile_clock(dir)?,
            running: Vec::new(),
            started: 0,
        })
    }

    /// Whether some clocks are wrong.
    pub fn has_wrong_clocks(&self) -> bool {
        self.clock.is_some()
    }

    /// How many processes were started.
    pub fn started(&self) -> usize {
        self.started
    }

    /// How many run.
    pub fn size(&self) -> usize {
        self.running.len()
    }

    /// Starts one more.
    pub fn start(&mut self) -> Result<()> {
        let mut command = Command::new(&self.program);
        command
            .args(["worker", "--run", "intents,reap,retry,inflows,mature,propose,seal,notify", "--pause-ms", "20"])
            .args(["--lease-secs", &LEASE.as_secs().to_string()])
            .env_clear()
            .env("DATABASE_URL", self.url.expose_secret())
            .env("COUNTERSIGN_LOG", "info,sqlx::query=error")
            .stdin(Stdio::null())
            .stdout(self.log.try_clone()?)
            .stderr(self.log.try_clone()?);
        if let Some(clock) = self.clock.as_ref().filter(|_| self.started % 2 == 1) {
            let hours = HOURS_OFF[self.started / 2 % HOURS_OFF.len()];
            command.env("LD_PRELOAD", clock).env("COUNTERSIGN_CHAOS_CLOCK", (hours * 3_600).to_string());
        }
        let child = spawn(command).context("a worker cannot be started")?;
        self.started += 1;
        self.running.push(Running { child, asleep_until: None });
        Ok(())
    }

    /// Kills one with SIGKILL, and starts another in its place.
    pub fn kill(&mut self, place: usize) -> Result<()> {
        let mut victim = self.running.swap_remove(place);
        victim.child.kill()?;
        victim.child.wait()?;
        self.start()
    }

    /// Stops one for longer than its lease, as a machine does that swaps or is moved.
    pub fn put_to_sleep(&mut self, place: usize) -> Result<()> {
        let victim = &mut self.running[place];
        signal(victim.child.id(), Signal::SIGSTOP)?;
        victim.asleep_until = Some(Instant::now() + SLEEP);
        Ok(())
    }

    /// Lets those go on that slept long enough, or all of them.
    pub fn wake(&mut self, all: bool) -> Result<()> {
        for running in &mut self.running {
            if running.asleep_until.is_some_and(|until| all || until <= Instant::now()) {
                signal(running.child.id(), Signal::SIGCONT)?;
                running.asleep_until = None;
            }
        }
        Ok(())
    }

    /// Those that ended by themselves; nobody should.
    pub fn deserters(&mut self) -> Result<usize> {
        let mut ended = 0;
        for running in &mut self.running {
            ended += usize::from(running.child.try_wait()?.is_some());
        }
        Ok(ended)
    }

    /// Asks everybody who still runs to finish with SIGTERM and waits; each has to end well.
    pub fn dismiss(&mut self) -> Result<()> {
        self.wake(true)?;
        for running in &mut self.running {
            if running.child.try_wait()?.is_none() {
                signal(running.child.id(), Signal::SIGTERM)?;
            }
        }
        for mut running in self.running.drain(..) {
            let status = running.child.wait()?;
            ensure!(status.success(), "a worker that was asked to finish ended with {status}");
        }
        Ok(())
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for running in &mut self.running {
            // Nothing is left to do about a failure here; the kernel interrupts them when we are gone.
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
    }
}

/// What the workers said.
pub fn log_in(dir: &Path) -> PathBuf {
    dir.join("workers.log")
}

fn compile_clock(dir: &Path) -> Result<Option<PathBuf>> {
    let (source, library) = (dir.join("clock.c"), dir.join("clock.so"));
    std::fs::write(&source, CLOCK)?;
    let compiled =
        Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).arg("-ldl").output();
    match compiled {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
        Ok(output) => {
            ensure!(output.status.success(), "clock.c: {}", String::from_utf8_lossy(&output.stderr));
            Ok(cfg!(target_os = "linux").then_some(library))
        }
    }
}
