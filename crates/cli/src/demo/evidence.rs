//! The record of a run: each step with its evidence, each check with its outcome.

use serde::Serialize;

/// One thing that was checked.
#[derive(Debug, Serialize)]
pub struct Checked {
    /// What has to hold.
    pub what: String,
    /// Whether it held.
    pub held: bool,
}

/// What a run showed. Printed as it happens, unless JSON is asked for at the end.
#[derive(Debug, Default, Serialize)]
pub struct Record {
    #[serde(skip)]
    quiet: bool,
    steps: Vec<Step>,
    /// Every check.
    pub checks: Vec<Checked>,
    /// Files that were left.
    pub files: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Step {
    title: String,
    facts: Vec<(String, String)>,
}

impl Record {
    /// A record that prints, or one that only remembers.
    pub fn new(quiet: bool) -> Self {
        Self { quiet, ..Self::default() }
    }

    /// Begins a step.
    pub fn step(&mut self, title: impl Into<String>) {
        let title = title.into();
        if !self.quiet {
            println!("\n{}. {title}", self.steps.len() + 1);
        }
        self.steps.push(Step { title, facts: Vec::new() });
    }

    /// Evidence: an id, a hash, a block, an amount.
    pub fn fact(&mut self, name: &str, value: impl std::fmt::Display) {
        let value = value.to_string();
        if !self.quiet {
            println!("   {name:<22} {value}");
        }
        if let Some(step) = self.steps.last_mut() {
            step.facts.push((name.to_owned(), value));
        }
    }

    /// Something that has to hold.
    pub fn check(&mut self, what: impl Into<String>, held: bool) {
        let what = what.into();
        if !self.quiet {
            println!("   {} {what}", if held { "[ok]  " } else { "[FAIL]" });
        }
        self.checks.push(Checked { what, held });
    }

    /// A file that the run leaves.
    pub fn file(&mut self, path: &std::path::Path) {
        self.fact("file", path.display());
        self.files.push(path.display().to_string());
    }

    /// Whether every check held.
    pub fn all_held(&self) -> bool {
        self.checks.iter().all(|c| c.held)
    }
}
