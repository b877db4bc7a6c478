//! What every manifest has in common: the house's lints, and dependencies that are declared once.

use toml::{Table, Value};

use crate::repository::{Files, texts};

/// One package of the workspace.
pub struct Manifest {
    /// Its file.
    pub path: String,
    /// Its name less the prefix of the house.
    pub room: String,
    /// What it names.
    pub dependencies: Vec<Dependency>,
    has_lints: bool,
}

/// One line of a manifest's dependencies.
pub struct Dependency {
    /// The name on that line.
    pub name: String,
    /// True in `[dev-dependencies]`.
    pub for_tests: bool,
    is_declared_once: bool,
}

/// Every package's manifest, or what is wrong with reading them.
pub fn manifests(files: &Files) -> Result<Vec<Manifest>, Vec<String>> {
    let mut manifests = Vec::new();
    let mut findings = Vec::new();
    for (path, text) in texts(files, &["Cargo.toml"]) {
        match text.parse::<Table>() {
            Ok(table) => manifests.extend(read(path, &table)),
            Err(error) => findings.push(format!("{path} cannot be read: {error}")),
        }
    }
    if findings.is_empty() { Ok(manifests) } else { Err(findings) }
}

fn read(path: &str, table: &Table) -> Option<Manifest> {
    let name = table.get("package")?.get("name")?.as_str()?;
    let mut dependencies = Vec::new();
    collect(table, &mut dependencies);
    // Sections like [target.'cfg(unix)'.dependencies].
    for target in table.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values) {
        if let Some(table) = target.as_table() {
            collect(table, &mut dependencies);
        }
    }
    Some(Manifest {
        path: path.to_owned(),
        room: name.strip_prefix("countersign-").unwrap_or(name).to_owned(),
        dependencies,
        has_lints: is_true(table.get("lints"), "workspace"),
    })
}

fn collect(table: &Table, dependencies: &mut Vec<Dependency>) {
    for section in ["dependencies", "build-dependencies", "dev-dependencies"] {
        let entries = table.get(section).and_then(Value::as_table).into_iter().flatten();
        dependencies.extend(entries.map(|(name, value)| Dependency {
            name: name.clone(),
            for_tests: section == "dev-dependencies",
            is_declared_once: is_true(Some(value), "workspace"),
        }));
    }
}

fn is_true(value: Option<&Value>, key: &str) -> bool {
    value.and_then(|value| value.get(key)).and_then(Value::as_bool).unwrap_or(false)
}

/// Manifests that leave the house's lints out or declare a version of their own.
pub fn findings(files: &Files) -> Vec<String> {
    let manifests = match manifests(files) {
        Ok(manifests) => manifests,
        // The rule on who depends on whom reports these.
        Err(_) => return Vec::new(),
    };
    let mut findings = Vec::new();
    for manifest in manifests {
        let path = &manifest.path;
        if !manifest.has_lints {
            findings.push(format!("{path} leaves out the lints of the house; add [lints] workspace = true."));
        }
        for dependency in manifest.dependencies.iter().filter(|dependency| !dependency.is_declared_once) {
            let name = &dependency.name;
            findings.push(format!(
                "{path} declares {name} itself; declare it in the workspace and write {name}.workspace = true."
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::files_of;
    use super::*;

    #[test]
    fn lints_and_single_declarations_are_asked_for() {
        let good = "[package]\nname = \"a\"\n[lints]\nworkspace = true\n[dependencies]\nserde = { workspace = true, features = [\"rc\"] }\n";
        let bad = "[package]\nname = \"b\"\n[target.'cfg(unix)'.dependencies]\nserde = \"1\"\n";
        assert_eq!(findings(&files_of(&[("a/Cargo.toml", good)])), Vec::<String>::new());
        let found = findings(&files_of(&[("b/Cargo.toml", bad)]));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.concat().contains("b/Cargo.toml declares serde itself"));
    }

    #[test]
    fn a_broken_manifest_is_named() {
        assert!(manifests(&files_of(&[("a/Cargo.toml", "[package")])).is_err());
    }
}
