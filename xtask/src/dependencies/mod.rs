//! What may come into the house from outside: from where, under which licence, and what never.

mod crates;
mod npm;

use anyhow::Result;

use crate::repository::Repository;

/// What breaks a rule about dependencies, one sentence each.
pub fn findings(repository: &Repository) -> Result<Vec<String>> {
    let mut findings = crates::findings(repository)?;
    findings.extend(npm::findings(&repository.files()?)?);
    Ok(findings)
}
