//! The repository on disk and its files in memory.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The clone that this program was built in.
pub struct Repository {
    /// Its top folder.
    pub root: PathBuf,
}

/// Paths with forward slashes, relative to the top folder, and their content.
pub type Files = BTreeMap<String, Vec<u8>>;

impl Repository {
    /// Finds the clone through cargo, which says where the package is that it runs.
    pub fn find() -> Result<Self> {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let root = manifest.as_deref().and_then(Path::parent).context("Run this as `cargo xtask`.")?.to_owned();
        Ok(Self { root })
    }

    /// Every file that git tracks or would track.
    pub fn files(&self) -> Result<Files> {
        let listing =
            self.output(Command::new("git").args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]))?;
        let mut files = Files::new();
        for name in listing.split('\0').filter(|name| !name.is_empty()) {
            let path = self.root.join(name);
            // A file deleted in the work tree is still listed until that is committed.
            if path.is_file() {
                files.insert(name.to_owned(), std::fs::read(&path).with_context(|| path.display().to_string())?);
            }
        }
        Ok(files)
    }

    /// `cargo` as the one that runs us, without what it told us about our own package: build scripts that
    /// watch those variables (ring's does) would run again, here and then in the next ordinary build.
    pub fn cargo(&self) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").as_deref().unwrap_or(OsStr::new("cargo")));
        for (name, _) in std::env::vars_os() {
            let told = name.to_str().is_some_and(|name| {
                ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"]
                    .iter()
                    .any(|start| name.starts_with(start))
            });
            if told {
                command.env_remove(name);
            }
        }
        command
    }

    /// Runs a command in the top folder; its output goes where ours goes.
    pub fn run(&self, command: &mut Command) -> Result<()> {
        let status = command
            .current_dir(&self.root)
            .status()
            .with_context(|| format!("{} cannot be run", command.get_program().display()))?;
        if !status.success() {
            bail!("{} failed ({status}).", line(command));
        }
        Ok(())
    }

    /// Runs a command in the top folder and returns what it printed.
    pub fn output(&self, command: &mut Command) -> Result<String> {
        let output = command
            .current_dir(&self.root)
            .output()
            .with_context(|| format!("{} cannot be run", command.get_program().display()))?;
        if !output.status.success() {
            bail!("{} failed ({}): {}", line(command), output.status, String::from_utf8_lossy(&output.stderr));
        }
        String::from_utf8(output.stdout).context("its output is not UTF-8")
    }
}

/// A command as one would type it; addresses are left out, for they hold passwords.
fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args()).map(OsStr::to_string_lossy);
    words.map(|word| if word.contains("://") { "…".into() } else { word }).collect::<Vec<_>>().join(" ")
}

/// The text of a file; nothing for one that is not there or not text.
pub fn text<'a>(files: &'a Files, path: &str) -> Option<&'a str> {
    files.get(path).and_then(|bytes| std::str::from_utf8(bytes).ok())
}

/// Files with one of these endings, as text.
pub fn texts<'a>(files: &'a Files, endings: &'a [&str]) -> impl Iterator<Item = (&'a str, &'a str)> {
    files.iter().filter_map(|(path, bytes)| {
        let wanted = endings.iter().any(|ending| path.ends_with(ending));
        let text = std::str::from_utf8(bytes).ok()?;
        wanted.then_some((path.as_str(), text))
    })
}

/// Every file below a folder on disk, by its path relative to that folder; empty if there is no folder.
pub fn folder(root: &Path) -> Result<Files> {
    let mut files = Files::new();
    let mut open = vec![root.to_owned()];
    while let Some(dir) = open.pop() {
        if !dir.is_dir() {
            continue;
        }
        for entry in std::fs::read_dir(&dir)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
                files.insert(name, std::fs::read(&path)?);
            }
        }
    }
    Ok(files)
}
