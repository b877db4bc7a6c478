//! The one window.

use tauri::webview::NewWindowResponse;
use tauri::{AppHandle, Runtime, Url, WebviewWindowBuilder};

/// Label of the window in `tauri.conf.json` and in the capabilities.
pub const LABEL: &str = "main";

/// Whether a window can be opened at all; on Linux the attempt without one ends the process.
pub fn has_display() -> bool {
    #[cfg(target_os = "linux")]
    return gtk::init().is_ok();
    #[cfg(not(target_os = "linux"))]
    return true;
}

/// Opens the window as configured. It stays with its own pages: no other address, no second window, no download.
///
/// # Errors
/// [`tauri::Error`] when the configuration has no such window or the system gives none.
pub fn open<R: Runtime>(app: &AppHandle<R>) -> tauri::Result<()> {
    let config =
        app.config().app.windows.iter().find(|window| window.label == LABEL).ok_or(tauri::Error::WindowNotFound)?;
    WebviewWindowBuilder::from_config(app, config)?
        .on_navigation(|url| is_own(url, tauri::is_dev()))
        .on_new_window(|_, _| NewWindowResponse::Deny)
        .on_download(|_, _| false)
        .build()?;
    Ok(())
}

/// Whether an address is one of the embedded pages, or of the dev server in a build that loads it.
fn is_own(url: &Url, dev: bool) -> bool {
    match (url.scheme(), url.host_str()) {
        // Windows has no schemes of one's own and uses a host instead.
        ("tauri", Some("localhost")) | ("http" | "https", Some("tauri.localhost")) => true,
        ("http", Some("localhost")) => dev && url.port() == Some(1420),
        ("about", None) => url.as_str() == "about:blank",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(url: &str, dev: bool) -> bool {
        is_own(&url.parse().expect("an address"), dev)
    }

    #[test]
    fn the_window_stays_with_its_own_pages() {
        assert!(own("tauri://localhost/", false));
        assert!(own("tauri://localhost/batches/1?tab=lines", false));
        assert!(own("http://tauri.localhost/", false));
        assert!(own("http://localhost:1420/", true));
    }

    #[test]
    fn it_goes_nowhere_else() {
        for url in [
            "https://example.org/",
            "http://localhost:1420/",
            "http://tauri.localhost.example.org/",
            "tauri://example.org/",
            "file:///etc/passwd",
            "data:text/html,x",
            "about:srcdoc",
        ] {
            assert!(!own(url, false), "{url}");
        }
        assert!(!own("http://localhost:8545/", true));
    }
}
