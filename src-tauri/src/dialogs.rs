//! Dialogs of the system. The page cannot open, fill or answer them.

use std::path::PathBuf;

use app::{Confirmation, FileKind, Host};
use tauri::{AppHandle, Manager as _, Runtime};
use tauri_plugin_dialog::{DialogExt, FileDialogBuilder, FilePath};

/// The window's dialogs. Each method blocks, so none may be called on the main thread, which shows them.
pub struct Dialogs<R: Runtime> {
    app: AppHandle<R>,
}

impl<R: Runtime> Dialogs<R> {
    /// Dialogs of this application.
    pub fn new(app: AppHandle<R>) -> Self {
        Self { app }
    }

    fn files(&self, kind: FileKind) -> FileDialogBuilder<R> {
        self.app.dialog().file().set_title(kind.title()).add_filter(kind.group(), kind.endings())
    }
}

impl<R: Runtime> Host for Dialogs<R> {
    fn choose_file(&self, kind: FileKind) -> Option<PathBuf> {
        path(self.files(kind).blocking_pick_file())
    }

    fn save_file(&self, kind: FileKind, suggested_name: &str) -> Option<PathBuf> {
        path(self.files(kind).set_file_name(suggested_name).blocking_save_file())
    }

    fn confirm(&self, confirmation: &Confirmation) -> bool {
        confirm(&self.app, confirmation)
    }

    /// The page begins anew, so that nothing that it drew or remembered is left in it.
    fn locked(&self) {
        if let Some(window) = self.app.get_webview_window(crate::window::LABEL)
            && let Err(error) = window.reload()
        {
            tracing::error!(%error, "the page of a locked console could not be thrown away");
        }
    }
}

fn path(chosen: Option<FilePath>) -> Option<PathBuf> {
    chosen?.into_path().ok()
}

/// Asks with the safe choice as the default: Enter, Escape and closing the dialog all keep things as they are. The
/// dialog plugin would make the act the default here, so this speaks to GTK itself.
#[cfg(target_os = "linux")]
fn confirm<R: Runtime>(app: &AppHandle<R>, confirmation: &Confirmation) -> bool {
    let (answer, answered) = std::sync::mpsc::channel();
    let (handle, confirmation) = (app.clone(), confirmation.clone());
    let shown = app.run_on_main_thread(move || show(&handle, &confirmation, answer));
    // The sender is dropped with the dialog, which then counts as kept.
    shown.is_ok() && answered.recv().unwrap_or(false)
}

#[cfg(target_os = "linux")]
fn show<R: Runtime>(app: &AppHandle<R>, confirmation: &Confirmation, answer: std::sync::mpsc::Sender<bool>) {
    use gtk::prelude::{DialogExt as _, GtkWindowExt as _, MessageDialogExt as _, WidgetExt as _};
    let parent = app.get_webview_window(crate::window::LABEL).and_then(|window| window.gtk_window().ok());
    let dialog = gtk::MessageDialog::new(
        parent.as_ref(),
        gtk::DialogFlags::MODAL | gtk::DialogFlags::DESTROY_WITH_PARENT,
        gtk::MessageType::Warning,
        gtk::ButtonsType::None,
        &confirmation.title,
    );
    dialog.set_title(&confirmation.title);
    dialog.set_secondary_text(Some(&confirmation.message));
    dialog.add_button(&confirmation.keep, gtk::ResponseType::Cancel);
    dialog.add_button(&confirmation.act, gtk::ResponseType::Accept);
    dialog.set_default_response(gtk::ResponseType::Cancel);
    dialog.connect_response(move |dialog, response| {
        // Closing answers once more; by then nobody listens, and the first answer stands.
        let _ = answer.send(response == gtk::ResponseType::Accept);
        dialog.hide();
        dialog.close();
    });
    dialog.show_all();
    if let Some(keep) = dialog.widget_for_response(gtk::ResponseType::Cancel) {
        keep.grab_focus();
    }
    dialog.present();
}

/// Asks in the system's message dialog. These systems make the first button the default; closing keeps.
#[cfg(not(target_os = "linux"))]
fn confirm<R: Runtime>(app: &AppHandle<R>, confirmation: &Confirmation) -> bool {
    use tauri_plugin_dialog::{MessageDialogButtons, MessageDialogKind};

    let buttons = MessageDialogButtons::OkCancelCustom(confirmation.act.clone(), confirmation.keep.clone());
    app.dialog()
        .message(confirmation.message.clone())
        .title(confirmation.title.clone())
        .kind(MessageDialogKind::Warning)
        .buttons(buttons)
        .blocking_show()
}
