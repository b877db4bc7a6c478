//! The capability list is binding: a window gets what it is allowed and nothing else.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use app::{Confirmation, Console, FileKind, Host, MachineSettings};
use contract::COMMANDS;
use serde_json::{Value, json};
use tauri::ipc::{CallbackFn, InvokeBody};
use tauri::test::{INVOKE_KEY, MockRuntime, get_ipc_response, mock_builder};
use tauri::webview::InvokeRequest;
use tauri::{App, WebviewWindow, WebviewWindowBuilder};

/// Dialogs that nobody answers.
struct NoDialogs;

impl Host for NoDialogs {
    fn choose_file(&self, _: FileKind) -> Option<PathBuf> {
        None
    }

    fn save_file(&self, _: FileKind, _suggested_name: &str) -> Option<PathBuf> {
        None
    }

    fn confirm(&self, _confirmation: &Confirmation) -> bool {
        false
    }
}

const SETTINGS: &str = r#"
database_url = "postgres://127.0.0.1:1/nowhere"

[[profiles]]
id = "ines"
person = "Ines Moreau"
login = "ines"
duty = "Processor"
"#;

fn application() -> App<MockRuntime> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("console.toml");
    std::fs::write(&path, SETTINGS).expect("a settings file");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("its user's alone");
    let console =
        Console::new(MachineSettings::read(&path).expect("settings"), Arc::new(NoDialogs)).expect("a console");
    countersign_console::with_commands(mock_builder())
        .plugin(tauri_plugin_dialog::init())
        .manage(console)
        .build(countersign_console::context())
        .expect("an application")
}

fn window(app: &App<MockRuntime>, label: &str) -> WebviewWindow<MockRuntime> {
    WebviewWindowBuilder::new(app, label, Default::default()).build().expect("a window")
}

fn call(window: &WebviewWindow<MockRuntime>, url: &str, command: &str, request: Value) -> Result<Value, Value> {
    let request = InvokeRequest {
        cmd: command.into(),
        callback: CallbackFn(0),
        error: CallbackFn(1),
        url: url.parse().expect("an address"),
        body: InvokeBody::Json(json!({ "request": request })),
        headers: Default::default(),
        invoke_key: INVOKE_KEY.to_string(),
    };
    get_ipc_response(window, request).map(|body| body.deserialize().expect("JSON"))
}

const OWN: &str = if cfg!(windows) { "http://tauri.localhost" } else { "tauri://localhost" };

#[test]
fn an_allowed_command_answers() {
    let app = application();
    let profiles = call(&window(&app, "main"), OWN, "session_profiles", Value::Null).expect("an answer");
    assert_eq!(profiles["profiles"][0]["person"], "Ines Moreau");
    assert_eq!(profiles["profiles"][0]["needsPassword"], true);
}

#[test]
fn an_error_crosses_as_an_object_with_a_code() {
    let app = application();
    let error = call(&window(&app, "main"), OWN, "batch_list", Value::Null).expect_err("nobody is signed in");
    assert_eq!(error["code"], "NOT_SIGNED_IN");
    assert_eq!(error["message"], "Nobody is signed in: choose who is working");
}

#[test]
fn every_command_of_the_contract_reaches_the_console() {
    let app = application();
    let window = window(&app, "main");
    for command in COMMANDS {
        let answer = call(&window, OWN, command.name, Value::Null);
        let refused = answer.err().and_then(|error| error.as_str().map(str::to_owned));
        // A request of another shape is turned down by the command itself, which is past the capability list.
        let past = refused.as_deref().is_none_or(|text| text.starts_with("invalid args `request`"));
        assert!(past, "{}: {refused:?}", command.name);
    }
}

#[test]
fn a_window_without_the_permission_is_refused() {
    let app = application();
    let window = window(&app, "other");
    for command in COMMANDS {
        let refusal = call(&window, OWN, command.name, Value::Null).expect_err("refused");
        let refusal = refusal.as_str().expect("Tauri's own sentence");
        assert!(refusal.contains("not allowed"), "{}: {refusal}", command.name);
    }
}

#[test]
fn a_page_from_elsewhere_is_refused() {
    let app = application();
    let window = window(&app, "main");
    let refusal = call(&window, "https://example.org", "session_profiles", Value::Null).expect_err("refused");
    assert!(refusal.as_str().is_some_and(|text| text.contains("not allowed")), "{refusal}");
}

#[test]
fn a_command_that_is_not_in_the_list_is_refused() {
    let app = application();
    let window = window(&app, "main");
    let others = [
        "shell_run",
        "plugin:dialog|open",
        "plugin:dialog|save",
        "plugin:dialog|message",
        "plugin:fs|read_file",
        "plugin:event|listen",
        "plugin:window|close",
        "plugin:webview|create_webview_window",
        "plugin:path|resolve_directory",
    ];
    for command in others {
        let refusal = call(&window, OWN, command, Value::Null).expect_err("refused");
        assert!(refusal.as_str().is_some_and(|text| text.contains("not allowed")), "{command}: {refusal}");
    }
}
