//! Dialogs of the system, which WebDriver does not see: found by their titles, answered by the keyboard.
//!
//! There may be no window manager on a display for tests, so the focus is given to a dialog outright.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

const APPEARS_SECS_MAX: u64 = 30;
/// From the key to the dialog's end.
const ANSWERED: Duration = Duration::from_secs(10);

/// A dialog on the screen.
pub struct Dialog {
    id: String,
}

impl Dialog {
    /// Waits for the dialog whose title starts so.
    ///
    /// # Errors
    /// When none appears in time.
    pub fn find(title: &str) -> Result<Self> {
        let pattern = format!("^{title}");
        let until = Instant::now() + Duration::from_secs(APPEARS_SECS_MAX);
        while Instant::now() < until {
            // It exits with 1 while there is none.
            let found = Command::new("xdotool").args(["search", "--onlyvisible", "--name", &pattern]).output();
            let found = found.context("xdotool is missing: run ./dev setup test")?;
            if let Some(id) = String::from_utf8_lossy(&found.stdout).lines().next() {
                let dialog = Self { id: id.to_owned() };
                dialog.focus()?;
                return Ok(dialog);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        bail!("no dialog \"{title}\" appeared within {APPEARS_SECS_MAX} s");
    }

    /// Types into it.
    ///
    /// # Errors
    /// When the X server refuses.
    pub fn type_text(&self, text: &str) -> Result<()> {
        self.focus()?;
        xdotool(&["type", "--clearmodifiers", "--delay", "15", text])
    }

    /// Presses keys one after another, by their X names.
    ///
    /// # Errors
    /// When the X server refuses.
    pub fn press(&self, keys: &[&str]) -> Result<()> {
        self.focus()?;
        for key in keys {
            xdotool(&["key", "--clearmodifiers", key])?;
            std::thread::sleep(Duration::from_millis(150));
        }
        Ok(())
    }

    /// Names a file to open and opens it: a slash opens the dialog's field for a path, which loses what is typed
    /// before it is there.
    ///
    /// # Errors
    /// When the dialog stays.
    pub fn open_file(&self, path: &Path) -> Result<()> {
        self.settle()?;
        self.type_text("/")?;
        self.save_file(path)
    }

    /// Names the file to write, in the place of the suggested name, and writes it.
    ///
    /// # Errors
    /// When the dialog stays.
    pub fn save_file(&self, path: &Path) -> Result<()> {
        self.settle()?;
        self.press(&["ctrl+a"])?;
        self.type_text(path.to_str().context("a path that is not text")?)?;
        self.take_typed_path()
    }

    /// Time for the dialog to read its folders: they take the keyboard when they arrive.
    fn settle(&self) -> Result<()> {
        std::thread::sleep(Duration::from_millis(1_000));
        self.focus()
    }

    /// The first Enter may only take a completion of the path.
    fn take_typed_path(&self) -> Result<()> {
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(500));
            self.press(&["Return"])?;
            if self.wait_gone(Duration::from_secs(3)).is_ok() {
                return Ok(());
            }
        }
        self.wait_gone(Duration::ZERO)
    }

    /// Takes what Enter takes: the safe choice.
    ///
    /// # Errors
    /// When the dialog stays.
    pub fn take_default(&self) -> Result<()> {
        self.press(&["Return"])?;
        self.wait_gone(ANSWERED)
    }

    /// Leaves the safe choice for the button beside it, and presses that.
    ///
    /// # Errors
    /// When the dialog stays.
    pub fn take_act(&self) -> Result<()> {
        self.press(&["Tab", "Return"])?;
        self.wait_gone(ANSWERED)
    }

    fn focus(&self) -> Result<()> {
        xdotool(&["windowraise", &self.id])?;
        xdotool(&["windowfocus", "--sync", &self.id])
    }

    fn wait_gone(&self, patience: Duration) -> Result<()> {
        let until = Instant::now() + patience;
        loop {
            let shown = Command::new("xdotool").args(["search", "--onlyvisible", "--name", "."]).output()?;
            if !String::from_utf8_lossy(&shown.stdout).lines().any(|id| id == self.id) {
                return Ok(());
            }
            ensure!(Instant::now() < until, "the dialog did not take its answer");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// A picture of the whole display, dialogs included. WebKitWebDriver's own pictures have no dialogs, and asking for
/// one was seen to hang while WebKit renders without DMA-BUF.
///
/// # Errors
/// When it cannot be taken.
pub fn picture(path: &Path) -> Result<()> {
    // Without PNG24 a plain area would be saved in two colours.
    let done = Command::new("import").args(["-window", "root"]).arg(format!("PNG24:{}", path.display())).status();
    ensure!(done.context("import is missing: run ./dev setup test")?.success(), "no picture of the display");
    Ok(())
}

fn xdotool(arguments: &[&str]) -> Result<()> {
    let done = Command::new("xdotool").args(arguments).output().context("xdotool is missing: run ./dev setup test")?;
    ensure!(
        done.status.success(),
        "xdotool {} failed: {}",
        arguments.first().copied().unwrap_or_default(),
        String::from_utf8_lossy(&done.stderr).trim()
    );
    Ok(())
}
