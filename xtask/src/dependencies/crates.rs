//! Rust packages, over every platform and feature, with what only builds and tests use.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use cargo_metadata::{Metadata, Package};
use spdx::{Expression, ParseMode};

use crate::repository::Repository;

/// Licences under which a package may be part of what is shipped.
pub const LICENCES: [&str; 13] = [
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Packages that are never shipped, under a licence of their own besides: libFuzzer is part of LLVM.
const NOT_SHIPPED: [(&str, &str); 1] = [("libfuzzer-sys", "(MIT OR Apache-2.0) AND NCSA")];

/// The one place packages come from, as cargo names it in the lock file.
const SOURCE: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// A second TLS library would stop the program at its first connection (rustls then cannot tell which
/// provider is meant) and costs minutes to build.
const BANNED: [&str; 5] = ["openssl", "openssl-sys", "native-tls", "aws-lc-rs", "aws-lc-sys"];

/// Packages of which two versions would be two truths.
const ONE_VERSION: [&str; 5] = ["rustls", "ring", "sqlx", "alloy-primitives", "tauri"];

/// Packages from elsewhere, under other licences, or banned.
pub fn findings(repository: &Repository) -> Result<Vec<String>> {
    let listing =
        repository.output(repository.cargo().args(["metadata", "--format-version=1", "--locked", "--all-features"]))?;
    let metadata: Metadata = serde_json::from_str(&listing).context("cargo metadata cannot be read")?;
    let foreign = used(&metadata)?;
    let mut findings: Vec<String> = foreign.iter().flat_map(|package| of_package(package)).collect();
    findings.extend(several_versions(&foreign));
    Ok(findings)
}

/// Packages of others that some feature on some platform really uses: the lock file lists more.
fn used(metadata: &Metadata) -> Result<Vec<&Package>> {
    let resolve = metadata.resolve.as_ref().context("cargo metadata has no resolved graph")?;
    let is_used = |package: &Package| resolve.nodes.iter().any(|node| node.id == package.id);
    let is_ours = |package: &Package| metadata.workspace_members.contains(&package.id);
    Ok(metadata.packages.iter().filter(|package| is_used(package) && !is_ours(package)).collect())
}

fn of_package(package: &Package) -> Vec<String> {
    let name = format!("{} {}", package.name, package.version);
    let mut findings = Vec::new();
    let source = package.source.as_ref().map_or("a folder", |source| source.repr.as_str());
    if source != SOURCE {
        findings.push(format!("{name} comes from {source}; only packages of the default registry are allowed."));
    }
    if BANNED.contains(&package.name.as_str()) {
        findings.push(format!(
            "{name} is banned; `cargo tree --all-features --invert {}` shows who asks for it.",
            package.name
        ));
    }
    let licence_text = package.license.as_deref();
    let is_beside = licence_text.is_some_and(|text| NOT_SHIPPED.contains(&(package.name.as_str(), text)));
    if !is_beside && let Err(reason) = licence(licence_text) {
        findings.push(format!("{name} {reason}."));
    }
    findings
}

/// Whether an SPDX expression can be satisfied with the allowed licences.
pub fn licence(expression: Option<&str>) -> Result<(), String> {
    let Some(expression) = expression else {
        return Err("names no licence".to_owned());
    };
    // Old packages write MIT/Apache-2.0.
    let parsed = Expression::parse_mode(expression, ParseMode::LAX)
        .map_err(|error| format!("has a licence that cannot be read ({expression}: {})", error.reason))?;
    let allowed = parsed.evaluate(|requirement| {
        // An exception only adds permissions, so the licence itself decides.
        requirement.license.id().is_some_and(|id| LICENCES.contains(&id.name))
    });
    if allowed { Ok(()) } else { Err(format!("is under {expression}, which is not on the list of allowed licences")) }
}

fn several_versions(packages: &[&Package]) -> Vec<String> {
    let mut versions: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for package in packages.iter().filter(|package| ONE_VERSION.contains(&package.name.as_str())) {
        versions.entry(package.name.as_str()).or_default().push(package.version.to_string());
    }
    versions
        .iter()
        .filter(|(_, versions)| versions.len() > 1)
        .map(|(name, versions)| format!("{name} is there in versions {}; only one may be.", versions.join(" and ")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::licence;

    #[test]
    fn a_choice_passes_when_one_side_does() {
        for expression in ["MIT", "MIT OR GPL-3.0-only", "MIT/Apache-2.0", "(Apache-2.0 OR MIT) AND Unicode-3.0"] {
            assert_eq!(licence(Some(expression)), Ok(()), "{expression}");
        }
        assert_eq!(licence(Some("Apache-2.0 WITH LLVM-exception")), Ok(()));
    }

    #[test]
    fn anything_else_does_not() {
        for expression in ["GPL-3.0-only", "MIT AND GPL-3.0-only", "AGPL-3.0-or-later", "LicenseRef-Own"] {
            assert!(licence(Some(expression)).is_err(), "{expression}");
        }
        assert_eq!(licence(None), Err("names no licence".to_owned()));
    }
}
