//! The list of commands in the contract is the list of what the window can do: each has a function in the
//! shell, is registered, is declared to Tauri, and is allowed by a capability; and nothing else is.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use toml::Table;

use crate::repository::{Files, text, texts};

type Names = BTreeSet<String>;

const CONTRACT: &str = "ui/src/contract/commands.ts";
const BUILD_SCRIPT: &str = "src-tauri/build.rs";

/// Commands that one of the lists has and another has not.
pub fn findings(files: &Files) -> Vec<String> {
    let Some(contract) = text(files, CONTRACT).and_then(contract_commands) else {
        return vec![format!("{CONTRACT} has no list COMMANDS; run `cargo xtask gen`.")];
    };
    if texts(files, &[".rs"]).all(|(path, _)| !path.starts_with("src-tauri/src/ipc/")) {
        return Vec::new();
    }
    let shell = || texts(files, &[".rs"]).filter(|(path, _)| path.starts_with("src-tauri/src/"));
    let mut findings = Vec::new();
    findings.extend(differences(
        &contract,
        &shell().flat_map(|(_, text)| command_functions(text)).collect(),
        "a #[tauri::command] function in src-tauri/src/ipc",
    ));
    findings.extend(differences(
        &contract,
        &shell().flat_map(|(_, text)| registered(text)).collect(),
        "an entry in generate_handler!",
    ));
    match allowed(files) {
        Ok(allowed) => findings.extend(differences(&contract, &allowed, "a permission in src-tauri/capabilities")),
        Err(finding) => findings.push(finding),
    }
    // Tauri asks the capabilities only for commands that the build script declares.
    let script = text(files, BUILD_SCRIPT).unwrap_or_default();
    if !script.contains("COMMANDS") {
        findings.push(format!("{BUILD_SCRIPT} does not declare the contract's COMMANDS with AppManifest::commands; without that every command is allowed."));
    }
    findings
}

fn differences(contract: &Names, found: &Names, what: &str) -> Vec<String> {
    let missing =
        contract.difference(found).map(|name| format!("The command {name} of the contract lacks {what}; add it."));
    let extra = found.difference(contract).map(|name| {
        format!("{name} has {what} but is not in the contract; remove it or add it to crates/contract/src/command.rs.")
    });
    missing.chain(extra).collect()
}

/// The names between `export const COMMANDS = [` and `]`.
fn contract_commands(text: &str) -> Option<Names> {
    let (list, _) = text.split_once("COMMANDS = [")?.1.split_once(']')?;
    Some(
        list.split(',').map(|name| name.trim().trim_matches('\'').to_owned()).filter(|name| !name.is_empty()).collect(),
    )
}

/// Names of the functions under `#[tauri::command…]`.
fn command_functions(text: &str) -> Names {
    let after = text.split("#[tauri::command").skip(1);
    after.filter_map(|rest| Some(identifier(rest.split_once("fn ")?.1))).collect()
}

/// The last part of each path in `generate_handler![…]`.
fn registered(text: &str) -> Names {
    let lists = text.split("generate_handler![").skip(1).filter_map(|rest| Some(rest.split_once(']')?.0));
    let paths = lists.flat_map(|list| list.split(','));
    paths
        .filter_map(|path| Some(identifier(path.trim().rsplit("::").next()?)))
        .filter(|name| !name.is_empty())
        .collect()
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

/// Commands of ours that some capability allows. A capability names `allow-{command}`, which Tauri makes for
/// every declared command, or a permission or set of src-tauri/permissions.
fn allowed(files: &Files) -> Result<Names, String> {
    let permissions = permissions(files)?;
    let mut names = Names::new();
    for (path, text) in texts(files, &[".json"]).filter(|(path, _)| path.starts_with("src-tauri/capabilities/")) {
        let capability: Value =
            serde_json::from_str(text).map_err(|error| format!("{path} cannot be read: {error}"))?;
        for entry in capability["permissions"].as_array().into_iter().flatten() {
            let identifier = entry.as_str().or_else(|| entry["identifier"].as_str()).unwrap_or_default();
            // Those with a colon belong to Tauri's core or to a plugin.
            if identifier.contains(':') {
                continue;
            }
            match (permissions.get(identifier), identifier.strip_prefix("allow-")) {
                (Some(commands), _) => names.extend(commands.iter().cloned()),
                (None, Some(command)) => drop(names.insert(command.replace('-', "_"))),
                (None, None) => {
                    return Err(format!(
                        "{path} names the permission {identifier}, which src-tauri/permissions does not have."
                    ));
                }
            }
        }
    }
    Ok(names)
}

/// Permissions and sets of src-tauri/permissions with the commands they allow.
fn permissions(files: &Files) -> Result<BTreeMap<String, Names>, String> {
    let mut permissions: BTreeMap<String, Names> = BTreeMap::new();
    for (path, text) in texts(files, &[".toml"]).filter(|(path, _)| path.starts_with("src-tauri/permissions/")) {
        let table: Table = text.parse().map_err(|error| format!("{path} cannot be read: {error}"))?;
        let entries = |key: &str| table.get(key).and_then(toml::Value::as_array).cloned().unwrap_or_default();
        let strings = |value: Option<&toml::Value>| -> Vec<String> {
            let list = value.and_then(toml::Value::as_array).into_iter().flatten();
            list.filter_map(|entry| entry.as_str().map(str::to_owned)).collect()
        };
        for entry in entries("permission") {
            let identifier = entry.get("identifier").and_then(toml::Value::as_str).unwrap_or_default();
            let commands = strings(entry.get("commands").and_then(|commands| commands.get("allow")));
            permissions.entry(identifier.to_owned()).or_default().extend(commands);
        }
        for entry in entries("set") {
            let identifier = entry.get("identifier").and_then(toml::Value::as_str).unwrap_or_default();
            for member in strings(entry.get("permissions")) {
                let generated = member.strip_prefix("allow-").map(|command| command.replace('-', "_"));
                let commands = permissions.get(&member).cloned().unwrap_or_else(|| generated.into_iter().collect());
                permissions.entry(identifier.to_owned()).or_default().extend(commands);
            }
        }
    }
    Ok(permissions)
}

#[cfg(test)]
mod tests {
    use super::super::files_of;
    use super::*;

    const LIST: &str = "export const COMMANDS = [\n  'batch_get',\n  'leg_sign',\n] as const;\n";
    const IPC: &str = "#[tauri::command]\npub async fn batch_get(state: State<'_, App>) {}\n#[tauri::command(async)]\npub fn leg_sign() {}\n";
    const LIB: &str = "tauri::generate_handler![\n    ipc::batch::batch_get,\n    ipc::leg::leg_sign,\n]";
    const CAPABILITY: &str = r#"{"permissions": ["core:default", "allow-batch-get", "signing"]}"#;
    const PERMISSION: &str = "[[permission]]\nidentifier = \"signing\"\ncommands.allow = [\"leg_sign\"]\n";
    const SCRIPT: &str = "AppManifest::new().commands(COMMANDS)";

    fn check(ipc: &str, lib: &str, capability: &str, script: &str) -> Vec<String> {
        findings(&files_of(&[
            (CONTRACT, LIST),
            ("src-tauri/src/ipc/batch.rs", ipc),
            ("src-tauri/src/lib.rs", lib),
            ("src-tauri/capabilities/main.json", capability),
            ("src-tauri/permissions/signing.toml", PERMISSION),
            (BUILD_SCRIPT, script),
        ]))
    }

    #[test]
    fn equal_lists_pass() {
        assert_eq!(check(IPC, LIB, CAPABILITY, SCRIPT), Vec::<String>::new());
    }

    #[test]
    fn each_list_is_compared() {
        let missing = check("", LIB, CAPABILITY, SCRIPT);
        assert!(missing.concat().contains("batch_get of the contract lacks a #[tauri::command]"), "{missing:?}");
        let unregistered = check(IPC, "generate_handler![ipc::batch::batch_get]", CAPABILITY, SCRIPT);
        assert!(unregistered.concat().contains("leg_sign of the contract lacks an entry"), "{unregistered:?}");
        let forbidden = check(IPC, LIB, r#"{"permissions": ["signing"]}"#, SCRIPT);
        assert!(forbidden.concat().contains("batch_get of the contract lacks a permission"), "{forbidden:?}");
        let undeclared = check(IPC, LIB, CAPABILITY, "tauri_build::build()");
        assert!(undeclared.concat().contains("every command is allowed"), "{undeclared:?}");
    }

    #[test]
    fn a_command_outside_the_contract_is_found() {
        let ipc = format!("{IPC}#[tauri::command]\nfn shell_run() {{}}\n");
        assert!(check(&ipc, LIB, CAPABILITY, SCRIPT).concat().contains("shell_run has a #[tauri::command]"));
        let capability = r#"{"permissions": ["allow-batch-get", "signing", "allow-shell-run"]}"#;
        assert!(check(IPC, LIB, capability, SCRIPT).concat().contains("shell_run has a permission"));
    }

    #[test]
    fn an_unknown_permission_is_named() {
        let found = check(IPC, LIB, r#"{"permissions": ["everything"]}"#, SCRIPT);
        assert!(found.concat().contains("names the permission everything"), "{found:?}");
    }
}
