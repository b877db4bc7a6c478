//! `countersign batch kept`: signatures that this machine keeps because the database did not take them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use app::MachineSettings;
use app::foreign::folder_beside;
use app::offline::{SignatureFile, kept_signatures};
use serde::Serialize;

use crate::commands::data_folder;
use crate::output::{Output, WrongUse};

/// List the signatures that exist and that the database did not take, to bring them in with `batch import`.
///
/// Such a signature is valid: with enough others it moves the money of its leg until the nonce is used. Looks beside the settings and
/// beside the key files that they name, or without settings in this user's data folder.
#[derive(clap::Args)]
pub struct Args {
    /// Settings of this machine (TOML).
    #[arg(long, env = "COUNTERSIGN_SETTINGS", value_name = "FILE", conflicts_with = "folder")]
    settings: Option<PathBuf>,
    /// Look through this folder instead.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// One file in answers. The signature itself stays in it.
#[derive(Serialize)]
struct Kept {
    file: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<Signature>,
    /// Why the file cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What a signature is over, and whose it is.
#[derive(Serialize)]
struct Signature {
    batch_id: String,
    leg: u32,
    safe_tx_hash: String,
    owner: String,
    key_kind: String,
}

impl From<SignatureFile> for Signature {
    fn from(file: SignatureFile) -> Self {
        Self {
            batch_id: file.batch_id.to_string(),
            leg: file.leg,
            safe_tx_hash: file.safe_tx_hash.to_string(),
            owner: file.owner.to_checksum(None),
            key_kind: file.key_kind,
        }
    }
}

/// Runs the command.
pub async fn run(args: Args, output: Output) -> Result<ExitCode> {
    let mut kept = Vec::new();
    for folder in folders(args)? {
        for (file, read) in kept_signatures(&folder).await? {
            kept.push(match read {
                Ok(signature) => Kept { file, signature: Some(signature.into()), error: None },
                Err(error) => Kept { file, signature: None, error: Some(error.to_string()) },
            });
        }
    }
    output.answer(&kept, |kept| words(kept));
    Ok(ExitCode::SUCCESS)
}

/// Each folder once, and only those that are there: where nothing was kept there may be none.
fn folders(args: Args) -> Result<BTreeSet<PathBuf>> {
    if let Some(folder) = args.folder {
        return Ok([folder].into());
    }
    let mut folders = BTreeSet::new();
    match args.settings {
        Some(settings) => {
            let machine = MachineSettings::read(&settings)?;
            let keys = machine.profiles.iter().filter_map(|profile| profile.keystore.as_deref());
            folders.extend(keys.chain([settings.as_path()]).map(|file| folder_beside(file).to_path_buf()));
        }
        None => folders.extend(data_folder()),
    }
    if folders.is_empty() {
        return Err(WrongUse("Name the --settings of this machine, or a --folder".into()).into());
    }
    folders.retain(|folder| folder.is_dir());
    Ok(folders)
}

fn words(kept: &[Kept]) -> String {
    if kept.is_empty() {
        return "This machine keeps no signature that the database did not take".to_owned();
    }
    let one = |kept: &Kept| match (&kept.signature, &kept.error) {
        (Some(s), _) => format!(
            "{}\n  leg {} of batch {}, by {} ({})\n  over {}",
            kept.file.display(),
            s.leg,
            s.batch_id,
            s.owner,
            s.key_kind,
            s.safe_tx_hash
        ),
        (None, error) => format!("{}\n  {}", kept.file.display(), error.as_deref().unwrap_or_default()),
    };
    let listed: Vec<String> = kept.iter().map(one).collect();
    format!("{}\nBring one in with countersign batch import FILE, then delete it", listed.join("\n"))
}
