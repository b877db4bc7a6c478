//! The rules of the house.

mod commands;
mod files;
mod graph;
mod manifests;
mod migrations;

use anyhow::Result;

use crate::repository::{Files, Repository};

/// What breaks a rule, one sentence each.
pub fn findings(repository: &Repository) -> Result<Vec<String>> {
    let files = repository.files()?;
    let rules: [fn(&Files) -> Vec<String>; 8] = [
        files::sizes,
        files::words,
        files::binaries,
        files::lock_files,
        graph::findings,
        manifests::findings,
        migrations::findings,
        commands::findings,
    ];
    Ok(rules.iter().flat_map(|rule| rule(&files)).collect())
}

/// Builds files for the tests of the rules.
#[cfg(test)]
fn files_of(entries: &[(&str, &str)]) -> Files {
    entries.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
}
