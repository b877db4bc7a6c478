//! Files that a program writes and git keeps, so that a reader and a build need no database.

use std::path::Path;

use anyhow::Result;

use crate::database::Database;
use crate::repository::{Files, Repository, folder};
use crate::{query_cache, replicated, states};

/// Folders that hold generated files and nothing else.
const FOLDERS: [&str; 3] = ["ui/src/contract", query_cache::FOLDER, replicated::FOLDER];

/// Writes all of them into the tree; what is no longer generated is removed. Returns what only a person can
/// mend.
pub fn write(repository: &Repository) -> Result<Vec<String>> {
    let (fresh, findings) = generate(repository)?;
    for name in FOLDERS {
        let (target, made) = (repository.root.join(name), fresh.path().join(name));
        let old = folder(&target)?;
        let new = folder(&made)?;
        for gone in old.keys().filter(|path| !new.contains_key(*path)) {
            std::fs::remove_file(target.join(gone))?;
            println!("removed {name}/{gone}");
        }
        // Files that stay the same keep their time, so that nothing is built again for them.
        for (path, bytes) in new.iter().filter(|(path, bytes)| old.get(*path) != Some(bytes)) {
            let file = target.join(path);
            std::fs::create_dir_all(file.parent().unwrap_or(&target))?;
            std::fs::write(file, bytes)?;
            println!("wrote {name}/{path}");
        }
    }
    Ok(findings)
}

/// What differs between the tree and what would be written.
pub fn findings(repository: &Repository) -> Result<Vec<String>> {
    let (fresh, mut findings) = generate(repository)?;
    for name in FOLDERS {
        findings.extend(compare(name, &folder(&repository.root.join(name))?, &folder(&fresh.path().join(name))?));
    }
    Ok(findings)
}

fn compare(name: &str, tree: &Files, fresh: &Files) -> Vec<String> {
    let say = |path: &str, what: &str| format!("{name}/{path} {what}; run `cargo xtask gen` and commit it.");
    let stale = fresh.iter().filter_map(|(path, bytes)| match tree.get(path) {
        None => Some(say(path, "is missing")),
        Some(old) if old != bytes => Some(say(path, "is stale")),
        Some(_) => None,
    });
    let extra =
        tree.keys().filter(|path| !fresh.contains_key(*path)).map(|path| say(path, "is not generated any more"));
    stale.chain(extra).collect()
}

/// All generated files, in a temporary folder laid out like the tree, and what only a person can mend.
fn generate(repository: &Repository) -> Result<(tempfile::TempDir, Vec<String>)> {
    let fresh = tempfile::tempdir()?;
    let window = fresh.path().join("ui/src/contract");
    contract(repository, &window)?;
    states::write_typescript(repository, &window.join("states.ts"))?;
    let database = Database::migrated(repository)?;
    let mut findings = replicated::write(repository, &database, &fresh.path().join(replicated::FOLDER))?;
    query_cache::write(repository, &database, &fresh.path().join(query_cache::FOLDER))?;
    findings.extend(states::findings(repository, &database)?);
    Ok((fresh, findings))
}

fn contract(repository: &Repository, target: &Path) -> Result<()> {
    repository.run(
        repository
            .cargo()
            .args(["run", "--quiet", "--package", "countersign-contract", "--example", "typescript", "--"])
            .arg(target),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(entries: &[(&str, &str)]) -> Files {
        entries.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn equal_files_pass() {
        let same = files(&[("types.ts", "a")]);
        assert_eq!(compare("x", &same, &same), Vec::<String>::new());
    }

    #[test]
    fn stale_missing_and_forgotten_files_are_found() {
        let tree = files(&[("stale.ts", "old"), ("forgotten.ts", "x")]);
        let fresh = files(&[("stale.ts", "new"), ("missing.ts", "y")]);
        let found = compare("ui", &tree, &fresh).join("\n");
        for expected in ["ui/stale.ts is stale", "ui/missing.ts is missing", "ui/forgotten.ts is not generated"] {
            assert!(found.contains(expected), "{expected} is not in:\n{found}");
        }
    }
}
