//! Tauri's build script; its working directory is the repository root.

use std::fmt::Write;
use std::path::Path;

use tauri_build::{AppManifest, Attributes};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=src-tauri/capabilities");
    if std::env::var_os("CARGO_FEATURE_CUSTOM_PROTOCOL").is_some() {
        println!("cargo:rerun-if-changed=ui/dist");
    }
    let attributes = Attributes::new()
        .capabilities_path_pattern("./src-tauri/capabilities/**/*")
        .app_manifest(AppManifest::new().permissions_path_pattern(permissions()?));
    tauri_build::try_build(attributes)?;
    Ok(())
}

/// Declares every command of the contract to Tauri, one `allow-…` permission each: commands that nobody declares
/// are open to every page. `AppManifest::commands` writes the same into a folder of the repository; this writes
/// it where builds go.
fn permissions() -> Result<&'static str, Box<dyn std::error::Error>> {
    let mut text = String::new();
    for command in contract::COMMANDS {
        let (name, identifier) = (command.name, command.name.replace('_', "-"));
        write!(text, "[[permission]]\nidentifier = \"allow-{identifier}\"\ncommands.allow = [\"{name}\"]\n\n")?;
    }
    let out = std::env::var("OUT_DIR")?;
    let folder = Path::new(&out).join("permissions");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("commands.toml"), text)?;
    Ok(format!("{}/*.toml", folder.display()).leak())
}
