//! The desktop shell: the window, its capabilities, and one command per entry of the contract.
//!
//! The page in the window can call those commands and do nothing else: it has no network, no files and no dialogs
//! of its own. Files are chosen, and money and signatures confirmed, in dialogs that this program opens.

mod dialogs;
pub mod ipc;
mod window;

use std::sync::Arc;

use app::{AppError, Console, MachineSettings};
use tauri::{Manager, Runtime};
use tauri_plugin_dialog::{DialogExt, MessageDialogKind};

use dialogs::Dialogs;

/// Exit code for what stops the console before its window is there.
pub const EXIT_CANNOT_START: i32 = 2;

/// The configuration, icons and, with the feature `custom-protocol`, the user interface.
///
/// It stands here once because each expansion embeds all of it.
#[must_use]
pub fn context<R: Runtime>() -> tauri::Context<R> {
    tauri::generate_context!()
}

/// Registers the commands of the contract.
#[must_use]
pub fn with_commands<R: Runtime>(builder: tauri::Builder<R>) -> tauri::Builder<R> {
    builder.invoke_handler(tauri::generate_handler![
        ipc::session::session_profiles,
        ipc::session::session_open,
        ipc::session::session_close,
        ipc::session::session_lock,
        ipc::session::session_activity,
        ipc::session::session_clock,
        ipc::session::session_get,
        ipc::session::session_reconnect,
        ipc::session::session_fill,
        ipc::health::health_get,
        ipc::home::home_get,
        ipc::freeze::freeze_create,
        ipc::safe::safe_list,
        ipc::safe::safe_signatures,
        ipc::intent::intent_list,
        ipc::intent::intent_get,
        ipc::intent::intent_revive,
        ipc::change::change_list,
        ipc::change::change_get,
        ipc::change::change_confirm,
        ipc::change::change_withdraw,
        ipc::payee::payee_list,
        ipc::payee::payee_get,
        ipc::payee::payee_propose,
        ipc::payee::payee_choose_file,
        ipc::payee::payee_import,
        ipc::payee::payee_export,
        ipc::audit::audit_list,
        ipc::audit::audit_get,
        ipc::audit::audit_verify,
        ipc::commission::commission_payable,
        ipc::commission::commission_list,
        ipc::commission::commission_get,
        ipc::affiliate::affiliate_list,
        ipc::affiliate::affiliate_get,
        ipc::batch::batch_list,
        ipc::batch::batch_get,
        ipc::batch::batch_preflight,
        ipc::batch::batch_choose_file,
        ipc::batch::batch_import,
        ipc::batch::batch_from_commissions,
        ipc::batch::batch_submit,
        ipc::batch::batch_approve,
        ipc::batch::batch_return,
        ipc::batch::batch_take_out,
        ipc::batch::batch_reject,
        ipc::batch::batch_cancel,
        ipc::batch::batch_execute,
        ipc::batch::batch_send_review,
        ipc::batch::batch_send,
        ipc::batch::batch_carry,
        ipc::batch::batch_verify,
        ipc::batch::batch_bring_in,
        ipc::device::device_get,
        ipc::device::device_choose,
        ipc::device::device_stop,
        ipc::key::key_forget,
        ipc::leg::leg_review,
        ipc::leg::leg_code,
        ipc::leg::leg_sign,
        ipc::rejection::rejection_ask,
        ipc::rejection::rejection_review,
        ipc::rejection::rejection_sign,
        ipc::ledger::ledger_trial_balance,
        ipc::reconciliation::reconciliation_list,
        ipc::reconciliation::reconciliation_run,
        ipc::reconciliation::reconciliation_get,
        ipc::export::export_preview,
        ipc::export::export_journal,
        ipc::export::export_list,
    ])
}

/// Opens the window and runs until it is closed, then ends the process.
///
/// What stops the console before its window is there goes to standard error, into a dialog where there is a
/// display, and ends the process with [`EXIT_CANNOT_START`].
pub fn run(settings: Result<MachineSettings, AppError>) -> ! {
    if let Err(problem) = &settings {
        tell(problem);
    }
    if !window::has_display() {
        tell(&"There is no display for the window: start it in a desktop session, or use the command countersign");
        std::process::exit(EXIT_CANNOT_START);
    }
    let built = with_commands(tauri::Builder::default())
        .plugin(tauri_plugin_dialog::init())
        .setup(move |app| {
            let handle = app.handle().clone();
            let problem = match settings {
                Err(problem) => problem.to_string(),
                Ok(settings) => match open(&handle, settings) {
                    Ok(()) => return Ok(()),
                    Err(problem) => {
                        tell(&problem);
                        problem.to_string()
                    }
                },
            };
            let message =
                app.dialog().message(problem).title("Countersign cannot start").kind(MessageDialogKind::Error);
            message.show(move |_| handle.exit(EXIT_CANNOT_START));
            Ok(())
        })
        .build(context());
    match built {
        Ok(app) => app.run(|_, _| ()),
        Err(problem) => {
            tell(&problem);
            std::process::exit(EXIT_CANNOT_START);
        }
    }
    std::process::exit(0)
}

/// Sets the console up and opens its window.
fn open(app: &tauri::AppHandle, settings: MachineSettings) -> Result<(), Box<dyn std::error::Error>> {
    app.manage(Console::new(settings, Arc::new(Dialogs::new(app.clone())))?);
    window::open(app)?;
    Ok(())
}

fn tell(problem: &dyn std::fmt::Display) {
    eprintln!("countersign-console: {problem}");
}
