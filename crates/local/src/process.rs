//! Children that end with this process, and the few questions asked of them.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

type Order = (Command, Sender<io::Result<Child>>);

/// The thread that spawns every child; it lives until the process ends.
static KEEPER: OnceLock<Mutex<Sender<Order>>> = OnceLock::new();

/// Spawns `command` in a process group of its own, to be interrupted when this process ends.
///
/// The own group keeps a Ctrl-C in the terminal away from it: whoever started it decides when it stops.
/// On Linux the kernel interrupts it when we die, whatever the reason (`PR_SET_PDEATHSIG`). That signal
/// follows the *thread* that spawned, not the process, so a thread that never ends does all the spawning;
/// a caller on a short-lived thread (a test, a blocking pool) needs no care. Elsewhere there is no such
/// signal, and a child outlives a parent that is killed hard.
pub fn spawn(mut command: Command) -> io::Result<Child> {
    command.process_group(0);
    interrupt_with_parent(&mut command);
    let keeper = KEEPER.get_or_init(|| Mutex::new(start_keeper()));
    let (reply, answer) = channel();
    keeper
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .send((command, reply))
        .map_err(|_| io::Error::other("the thread that starts programs has ended"))?;
    answer.recv().map_err(|_| io::Error::other("the thread that starts programs has ended"))?
}

fn start_keeper() -> Sender<Order> {
    let (orders, inbox) = channel::<Order>();
    std::thread::spawn(move || {
        for (mut command, reply) in inbox {
            // The caller may be gone; then dropping the handle is right, for we still end the child.
            let _ = reply.send(command.spawn());
        }
    });
    orders
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the parent-death signal can only be set between fork and exec")]
fn interrupt_with_parent(command: &mut Command) {
    let parent = nix::unistd::getpid();
    // SAFETY: the closure calls only prctl and getppid, which are async-signal-safe, and allocates nothing.
    unsafe {
        command.pre_exec(move || {
            nix::sys::prctl::set_pdeathsig(Signal::SIGINT)?;
            // The parent may have died before the line above took effect.
            if nix::unistd::getppid() != parent {
                return Err(io::Error::from_raw_os_error(nix::errno::Errno::ESRCH as i32));
            }
            Ok(())
        });
    }
}

#[cfg(not(target_os = "linux"))]
fn interrupt_with_parent(_command: &mut Command) {}

/// Interrupts `child` and waits for it; kills it when it has not ended after `patience`.
pub fn stop(child: &mut Child, patience: Duration) -> io::Result<ExitStatus> {
    if let Some(status) = child.try_wait()? {
        return Ok(status);
    }
    signal(child.id(), Signal::SIGINT)?;
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill()?;
    child.wait()
}

/// Sends a signal to a process.
pub fn signal(process: u32, signal: Signal) -> io::Result<()> {
    kill(pid(process)?, signal).map_err(io::Error::from)
}

/// True when a process of this id exists, whoever owns it.
pub(crate) fn is_alive(process: u32) -> bool {
    pid(process).is_ok_and(|pid| !matches!(kill(pid, None), Err(nix::errno::Errno::ESRCH)))
}

fn pid(process: u32) -> io::Result<Pid> {
    i32::try_from(process).map(Pid::from_raw).map_err(io::Error::other)
}

/// The last lines of a log, for an error message; empty when it cannot be read.
pub(crate) fn log_tail(path: &Path) -> String {
    const TAIL_BYTES: u64 = 2_000;
    let read = || -> io::Result<String> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(6)..].join("\n")
}
