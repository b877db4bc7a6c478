//! Who may ask: pages of this machine. A page from elsewhere could otherwise have a browser here call this server,
//! directly or under a name of its own that leads to 127.0.0.1.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use contract::{ApiError, ErrorCode};

/// Turns down what was not addressed to this machine, or was asked by a page from elsewhere.
pub async fn only(request: Request, next: Next) -> Response {
    if may_ask(request.headers()) {
        return next.run(request).await;
    }
    let error = ApiError::new(
        ErrorCode::Forbidden,
        "This server answers pages of this machine only: open it under http://127.0.0.1 or http://localhost",
    );
    (StatusCode::FORBIDDEN, axum::Json(error)).into_response()
}

/// The Host has to be a loopback name; the Origin, which browsers send with every POST, likewise where there is one.
fn may_ask(headers: &HeaderMap) -> bool {
    let values = |name| headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default());
    let hosts: Vec<&str> = values(header::HOST).collect();
    let origin_is_loopback = |origin: &str| origin.strip_prefix("http://").is_some_and(is_loopback);
    matches!(hosts.as_slice(), [host] if is_loopback(host)) && values(header::ORIGIN).all(origin_is_loopback)
}

fn is_loopback(authority: &str) -> bool {
    let Ok(authority) = authority.parse::<Authority>() else { return false };
    if authority.as_str().contains('@') {
        return false;
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().expect("a header"));
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().expect("a header"));
        }
        may_ask(&headers)
    }

    #[test]
    fn pages_of_this_machine_may_ask() {
        assert!(asked("127.0.0.1:1421", None));
        assert!(asked("127.0.0.1:1421", Some("http://127.0.0.1:1421")));
        assert!(asked("localhost:1420", Some("http://localhost:1420")));
        assert!(asked("[::1]:1421", Some("http://[::1]:1421")));
    }

    #[test]
    fn pages_from_elsewhere_may_not() {
        assert!(!asked("countersign.example.org:1421", None), "a name that leads here");
        assert!(!asked("127.0.0.1.example.org:1421", None));
        assert!(!asked("localhost@example.org", None));
        assert!(!asked("127.0.0.1:1421", Some("https://example.org")));
        assert!(!asked("127.0.0.1:1421", Some("http://localhost.example.org")));
        assert!(!asked("127.0.0.1:1421", Some("null")), "a sandboxed page");
        assert!(!may_ask(&HeaderMap::new()));
    }
}
