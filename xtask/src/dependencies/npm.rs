//! npm packages, from their lock files: what is shipped in the window, and what only demo and tests use.

use anyhow::{Context, Result};
use serde_json::Value;

use super::crates;
use crate::repository::{Files, texts};

/// Licences besides those of the Rust packages: fonts, and what packages of this registry often choose.
const ALSO_SHIPPED: [&str; 3] = ["OFL-1.1", "MIT-0", "BlueOak-1.0.0"];

/// Folders whose packages are used beside the product and are no part of it.
const NOT_SHIPPED: [&str; 3] = ["bench/", "tools/", "tests/"];

/// The published Safe contracts are LGPL, and the package of 1.3.0 calls itself GPL; the demo and the tests run their bytecode on a
/// local chain. The peers of the benches read their command line with a package under Python's licence.
const ALSO_BESIDE: [&str; 4] = ["GPL-3.0", "LGPL-3.0", "LGPL-3.0-only", "Python-2.0"];

/// Packages under other licences or without the hash that pins them.
pub fn findings(files: &Files) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for (path, text) in texts(files, &["package-lock.json"]) {
        let lock: Value = serde_json::from_str(text).with_context(|| path.to_owned())?;
        let packages = lock["packages"].as_object().with_context(|| format!("{path} has no packages"))?;
        for (place, package) in packages.iter().filter(|(place, _)| !place.is_empty()) {
            let name = place.rsplit("node_modules/").next().unwrap_or(place);
            if let Err(reason) = of_package(path, package) {
                findings.push(format!("{path}: {name} {reason}."));
            }
        }
    }
    Ok(findings)
}

fn of_package(lock_file: &str, package: &Value) -> Result<(), String> {
    if !package["integrity"].is_string() {
        return Err("is pinned by no hash; write the lock file again".to_owned());
    }
    // Build tools of the window stay on the machine that builds it.
    if package["dev"] == true {
        return Ok(());
    }
    let licence = package["license"].as_str();
    let beside = NOT_SHIPPED.iter().any(|folder| lock_file.starts_with(folder));
    let also =
        licence.is_some_and(|licence| ALSO_SHIPPED.contains(&licence) || beside && ALSO_BESIDE.contains(&licence));
    if also { Ok(()) } else { crates::licence(licence) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lock_file: &str, package: &str) -> Vec<String> {
        let text = format!(r#"{{"packages": {{"": {{}}, "node_modules/@a/b": {package}}}}}"#);
        findings(&Files::from([(lock_file.to_owned(), text.into_bytes())])).expect("a lock file")
    }

    #[test]
    fn allowed_licences_pass() {
        assert_eq!(check("ui/package-lock.json", r#"{"integrity": "x", "license": "OFL-1.1"}"#), Vec::<String>::new());
        assert_eq!(
            check("tools/package-lock.json", r#"{"integrity": "x", "license": "LGPL-3.0"}"#),
            Vec::<String>::new()
        );
        assert_eq!(
            check("ui/package-lock.json", r#"{"integrity": "x", "license": "GPL-3.0", "dev": true}"#),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_licence_that_would_be_shipped_is_found() {
        let found = check("ui/package-lock.json", r#"{"integrity": "x", "license": "LGPL-3.0"}"#);
        assert!(found.concat().starts_with("ui/package-lock.json: @a/b is under LGPL-3.0"), "{found:?}");
        assert_eq!(check("ui/package-lock.json", r#"{"integrity": "x"}"#).len(), 1);
    }

    #[test]
    fn a_package_without_a_hash_is_found() {
        let found = check("ui/package-lock.json", r#"{"license": "MIT"}"#);
        assert!(found.concat().contains("pinned by no hash"), "{found:?}");
    }
}
