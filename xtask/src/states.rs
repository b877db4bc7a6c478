//! The state machines: written once in Rust, enforced by the database, read by the window.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use crate::database::Database;
use crate::repository::Repository;

/// Writes them for the window.
pub fn write_typescript(repository: &Repository, file: &Path) -> Result<()> {
    std::fs::write(file, print(repository, "typescript")?)?;
    Ok(())
}

/// Where the migrations, taken together, fill the state table otherwise than Rust has it. A migration is never
/// changed, so the remedy is another one.
pub fn findings(repository: &Repository, database: &Database) -> Result<Vec<String>> {
    let rust = rows(&print(repository, "sql")?);
    let query = "select machine || '|' || from_state || '|' || to_state from core.state_transitions";
    Ok(compare(&rust, &database.rows(repository, query)?.into_iter().collect()))
}

fn print(repository: &Repository, kind: &str) -> Result<String> {
    let run = ["run", "--quiet", "--package", "countersign-domain", "--example", "states", "--", kind];
    repository.output(repository.cargo().args(run))
}

/// `machine|from|to` of each line like `('intent', '', 'PENDING'),`.
fn rows(sql: &str) -> BTreeSet<String> {
    let lines = sql.lines().filter_map(|line| line.trim().strip_prefix('('));
    lines.map(|line| line.split('\'').skip(1).step_by(2).collect::<Vec<_>>().join("|")).collect()
}

fn compare(rust: &BTreeSet<String>, table: &BTreeSet<String>) -> Vec<String> {
    let missing = rust
        .difference(table)
        .map(|row| format!("core.state_transitions lacks {row}, which crates/domain allows; add a migration with it."));
    let extra = table.difference(rust).map(|row| {
        format!("core.state_transitions allows {row}, which crates/domain does not; add a migration without it.")
    });
    missing.chain(extra).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_with_their_empty_states() {
        let sql = "INSERT INTO t (a, b, c) VALUES\n    ('intent', '', 'PENDING'),\n    ('intent', 'LOCKED', 'DEAD');\n";
        let expected = BTreeSet::from(["intent||PENDING".to_owned(), "intent|LOCKED|DEAD".to_owned()]);
        assert_eq!(rows(sql), expected);
    }

    #[test]
    fn both_sides_are_compared() {
        let set = |rows: &[&str]| rows.iter().map(|row| (*row).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(compare(&set(&["a|b|c"]), &set(&["a|b|c"])), Vec::<String>::new());
        let found = compare(&set(&["a||b"]), &set(&["a|b|c"]));
        assert_eq!(found.len(), 2);
        assert!(found.concat().contains("lacks a||b"), "{found:?}");
        assert!(found.concat().contains("allows a|b|c"), "{found:?}");
    }
}
