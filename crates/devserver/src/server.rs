//! The routes: one for commands, the rest for the page.

use std::path::Path;
use std::sync::Arc;

use app::Console;
use axum::Router;
use axum::extract::{Json, Path as PathParts, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{from_fn, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use contract::{ApiError, ErrorCode};
use serde_json::Value;
use tower_http::services::{ServeDir, ServeFile};

use crate::loopback;

/// The window's policy, with this server in the place of its message channel.
const POLICY: &str = "default-src 'self'; connect-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `POST /rpc/{command}` for every command, and the page, if there is one, for every other path.
pub fn router(console: Arc<Console>, static_dir: Option<&Path>) -> Router {
    let mut router = Router::new().route("/rpc/{command}", post(call)).with_state(console);
    if let Some(folder) = static_dir {
        // The page draws its own paths, so each of them gets the same document.
        let document = ServeFile::new(folder.join("index.html"));
        router = router.fallback_service(ServeDir::new(folder).fallback(document));
    }
    router.layer(map_response(with_policy)).layer(from_fn(loopback::only))
}

async fn with_policy(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Answers a command. `Json` also asks for its content type, which pages from elsewhere cannot send unasked.
async fn call(
    State(console): State<Arc<Console>>,
    PathParts(command): PathParts<String>,
    Json(request): Json<Value>,
) -> Response {
    // A task of its own: a browser that goes away must not stop a command half way, as it does not in the window.
    let answer = tokio::spawn(async move { console.call(&command, request).await });
    match answer.await {
        Ok(Ok(answer)) => Json(answer).into_response(),
        Ok(Err(error)) => (status(error.code), Json(error)).into_response(),
        Err(stopped) => {
            let error = ApiError::new(ErrorCode::Internal, format!("The command stopped: {stopped}"));
            (status(error.code), Json(error)).into_response()
        }
    }
}

/// The page switches on the code; the status is for tools.
fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::NotSignedIn => StatusCode::UNAUTHORIZED,
        ErrorCode::Locked => StatusCode::LOCKED,
        ErrorCode::Forbidden => StatusCode::FORBIDDEN,
        ErrorCode::Conflict | ErrorCode::Incident => StatusCode::CONFLICT,
        ErrorCode::InvalidInput => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::Cancelled => StatusCode::BAD_REQUEST,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use app::MachineSettings;
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;
    use crate::dialogs::PreparedDialogs;

    const SETTINGS: &str = r#"
        database_url = "postgres://127.0.0.1:1/nowhere"
        [[profiles]]
        id = "ines"
        person = "Ines Moreau"
        login = "ines"
        duty = "Processor"
        demo_password = "made up"
    "#;

    async fn ask(request: axum::http::request::Builder, body: &str) -> (StatusCode, String) {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = folder.path().join("console.toml");
        std::fs::write(&settings, SETTINGS).expect("a file");
        std::fs::set_permissions(&settings, std::fs::Permissions::from_mode(0o600)).expect("its user's alone");
        std::fs::write(folder.path().join("index.html"), "the page").expect("a file");
        let settings = MachineSettings::read(&settings).expect("settings");
        let console = Console::new(settings, Arc::new(PreparedDialogs::new(None, None, true))).expect("a console");
        let request = request.body(Body::from(body.to_owned())).expect("a request");
        let answer = router(Arc::new(console), Some(folder.path())).oneshot(request).await.expect("an answer");
        assert_eq!(answer.headers().contains_key("content-security-policy"), answer.status() != StatusCode::FORBIDDEN);
        let status = answer.status();
        let body = to_bytes(answer.into_body(), usize::MAX).await.expect("a body");
        (status, String::from_utf8(body.to_vec()).expect("text"))
    }

    fn command(name: &str) -> axum::http::request::Builder {
        Request::post(format!("/rpc/{name}"))
            .header("host", "127.0.0.1:1421")
            .header("origin", "http://127.0.0.1:1421")
            .header("content-type", "application/json")
    }

    #[tokio::test]
    async fn a_command_answers() {
        let (status, body) = ask(command("session_profiles"), "null").await;
        assert_eq!(status, StatusCode::OK);
        assert!(body.contains("\"person\":\"Ines Moreau\""), "{body}");
        assert!(!body.contains("made up"), "no secret crosses: {body}");
    }

    #[tokio::test]
    async fn errors_keep_their_code_and_say_it_in_the_status() {
        let (status, body) = ask(command("batch_list"), "null").await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert!(body.contains("\"code\":\"NOT_SIGNED_IN\""), "{body}");
        let (status, _) = ask(command("no_such_command"), "null").await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        let (status, _) = ask(command("session_open"), r#"{"profileId":"ines","password":null}"#).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    }

    #[tokio::test]
    async fn pages_from_elsewhere_are_turned_down() {
        let rebound = Request::post("/rpc/session_profiles")
            .header("host", "countersign.example.org:1421")
            .header("content-type", "application/json");
        assert_eq!(ask(rebound, "null").await.0, StatusCode::FORBIDDEN);
        let elsewhere = Request::post("/rpc/session_profiles")
            .header("host", "127.0.0.1:1421")
            .header("origin", "https://example.org")
            .header("content-type", "application/json");
        assert_eq!(ask(elsewhere, "null").await.0, StatusCode::FORBIDDEN);
        let form = Request::post("/rpc/session_profiles").header("host", "127.0.0.1:1421");
        assert_eq!(ask(form, "null").await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }

    #[tokio::test]
    async fn every_path_of_the_page_gets_the_page() {
        for path in ["/", "/batches/1"] {
            let (status, body) = ask(Request::get(path).header("host", "localhost:1421"), "").await;
            assert_eq!((status, body.as_str()), (StatusCode::OK, "the page"), "{path}");
        }
        let (status, _) = ask(Request::get("/").header("host", "example.org"), "").await;
        assert_eq!(status, StatusCode::FORBIDDEN);
    }
}
