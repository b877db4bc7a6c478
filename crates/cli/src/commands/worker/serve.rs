//! `/metrics` and `/health` on a local port.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::commands::worker::monitor::Monitor;

/// What Prometheus expects of the OpenMetrics text format.
const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Takes the port, then answers until the process ends.
pub async fn serve(address: SocketAddr, monitor: Monitor) -> Result<SocketAddr> {
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("the metrics' port {address} is not free"))?;
    let bound = listener.local_addr()?;
    let of_health = monitor.clone();
    let router = Router::new()
        .route(
            "/metrics",
            get(async move || match monitor.text() {
                Ok(text) => ([(header::CONTENT_TYPE, TEXT)], text).into_response(),
                Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            }),
        )
        .route(
            "/health",
            get(async move || {
                let health = of_health.health();
                let status = if health.healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
                (status, axum::Json(health))
            }),
        );
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::warn!(%error, "metrics are not served any more");
        }
    });
    Ok(bound)
}
