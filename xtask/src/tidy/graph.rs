//! Who may depend on whom: shell, cli, devserver → app → {store, replica, chain, signing, report} → {safe, domain} → money.

use std::collections::BTreeMap;

use crate::repository::Files;
use crate::tidy::manifests::{Manifest, manifests};

/// A room and the rooms that it may name in its manifest.
const ROOMS: [(&str, &[&str]); 20] = [
    ("money", &[]),
    ("contract", &[]),
    ("local", &[]),
    ("domain", &["money"]),
    ("safe", &["money"]),
    ("store", &["domain", "money", "safe"]),
    ("replica", &["domain", "money", "safe"]),
    ("chain", &["domain", "money", "safe"]),
    ("signing", &["domain", "money", "safe"]),
    ("report", &["domain", "money", "safe"]),
    ("app", &["chain", "contract", "domain", "money", "replica", "report", "safe", "signing", "store"]),
    ("bench", &["app", "domain", "local", "money", "replica", "safe", "store"]),
    ("cli", HOST_WITH_BENCHES),
    ("devserver", HOST),
    ("console", HOST),
    ("flows", HOST_WITH_DEVICE),
    ("simulator", &["safe", "signing"]),
    ("desktop", &["local"]),
    ("fuzz", &["domain", "money", "safe", "signing"]),
    ("xtask", &["local"]),
];

/// What a host may wire together; hosts never depend on each other.
const HOST: &[&str] =
    &["app", "chain", "contract", "domain", "local", "money", "replica", "report", "safe", "signing", "store"];

/// The headless program runs the benches as well.
const HOST_WITH_BENCHES: &[&str] =
    &["app", "bench", "chain", "contract", "domain", "local", "money", "replica", "report", "safe", "signing", "store"];

/// The flows give a person a device, whose keys are in their world.
const HOST_WITH_DEVICE: &[&str] = &[
    "app",
    "chain",
    "contract",
    "domain",
    "local",
    "money",
    "replica",
    "report",
    "safe",
    "signing",
    "simulator",
    "store",
];

/// Any room may start a database, a chain or a device in its tests.
const FOR_TESTS: &[&str] = &["local", "simulator"];

/// Packages of others that only these rooms may name: what they do has one place.
const ONLY_IN: [(&str, &[&str]); 8] = [
    ("sqlx", &["store", "flows"]),
    ("rusqlite", &["replica"]),
    ("reqwest", &["chain"]),
    ("tauri", &["console"]),
    ("tauri-build", &["console"]),
    ("axum", &["cli", "devserver"]),
    ("ts-rs", &["contract"]),
    ("fantoccini", &["desktop"]),
];

/// Rooms that do no IO, and what they may therefore not name.
const PURE: [&str; 5] = ["money", "domain", "safe", "contract", "report"];
const IO: [&str; 5] = ["tokio", "reqwest", "sqlx", "nix", "futures"];

/// Dependencies that the tables above do not allow.
pub fn findings(files: &Files) -> Vec<String> {
    let manifests = match manifests(files) {
        Ok(manifests) => manifests,
        Err(findings) => return findings,
    };
    let rooms: BTreeMap<&str, &[&str]> = ROOMS.into();
    manifests.iter().flat_map(|manifest| of_room(&rooms, manifest)).collect()
}

fn of_room(rooms: &BTreeMap<&str, &[&str]>, manifest: &Manifest) -> Vec<String> {
    let (path, room) = (&manifest.path, manifest.room.as_str());
    let Some(allowed) = rooms.get(room) else {
        return vec![format!("{path}: the room {room} has no line in the table of xtask/src/tidy/graph.rs; add one.")];
    };
    let mut findings = Vec::new();
    for dependency in &manifest.dependencies {
        let name = dependency.name.as_str();
        if rooms.contains_key(name) {
            let in_tests = dependency.for_tests && FOR_TESTS.contains(&name);
            if !allowed.contains(&name) && !in_tests {
                findings.push(format!("{path}: {room} may not depend on {name}; dependencies run one way only."));
            }
            continue;
        }
        if let Some((_, places)) = ONLY_IN.iter().find(|(package, places)| *package == name && !places.contains(&room))
        {
            findings.push(format!("{path}: {name} belongs to {}; ask that room instead.", places.join(" and ")));
        }
        if PURE.contains(&room) && IO.contains(&name) && !dependency.for_tests {
            findings.push(format!("{path}: {room} does no IO and cannot depend on {name}."));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::files_of;
    use super::*;

    fn check(room: &str, section: &str, dependency: &str) -> Vec<String> {
        let text = format!(
            "[package]\nname = \"countersign-{room}\"\n[lints]\nworkspace = true\n[{section}]\n{dependency}.workspace = true\n"
        );
        findings(&files_of(&[("crates/x/Cargo.toml", &text)]))
    }

    #[test]
    fn one_way_passes_and_the_other_way_does_not() {
        assert_eq!(check("app", "dependencies", "store"), Vec::<String>::new());
        assert_eq!(
            check("store", "dependencies", "app"),
            ["crates/x/Cargo.toml: store may not depend on app; dependencies run one way only."]
        );
    }

    #[test]
    fn a_test_may_start_a_database() {
        assert_eq!(check("store", "dev-dependencies", "local"), Vec::<String>::new());
        assert_eq!(check("store", "dependencies", "local").len(), 1);
    }

    #[test]
    fn sql_has_one_room() {
        assert_eq!(check("store", "dependencies", "sqlx"), Vec::<String>::new());
        assert_eq!(
            check("app", "dependencies", "sqlx"),
            ["crates/x/Cargo.toml: sqlx belongs to store and flows; ask that room instead."]
        );
    }

    #[test]
    fn a_pure_room_does_no_io() {
        assert_eq!(
            check("money", "dependencies", "tokio"),
            ["crates/x/Cargo.toml: money does no IO and cannot depend on tokio."]
        );
    }

    #[test]
    fn a_new_room_needs_its_line() {
        assert!(check("attic", "dependencies", "serde").concat().contains("attic has no line"));
    }
}
