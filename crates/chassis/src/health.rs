//! Health over HTTP, on the loopback address only: `/healthz` (the process lives), `/readyz` (it can do its work, with
//! what is degraded named), `/metrics` (Prometheus text).

use std::net::{Ipv4Addr, SocketAddr};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::Shutdown;

/// `[process.health]`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthConfig {
    /// The port on 127.0.0.1; 0 (the default) takes a free one, which the readiness line names.
    #[serde(default)]
    pub port: u16,
}

/// Starts serving, and returns the address. Serving ends with the process.
pub async fn serve(config: &HealthConfig, shutdown: Shutdown) -> std::io::Result<SocketAddr> {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, config.port)).await?;
    let address = listener.local_addr()?;
    shutdown.set_health_address(address);
    let router = router(shutdown);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "health stopped being served");
        }
    });
    Ok(address)
}

fn router(shutdown: Shutdown) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readiness))
        .route("/metrics", get(metrics))
        .with_state(shutdown)
}

async fn readiness(State(shutdown): State<Shutdown>) -> impl IntoResponse {
    let degraded = shutdown.degraded();
    let ready = shutdown.is_ready() && degraded.is_empty();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body =
        serde_json::json!({ "service": shutdown.service(), "ready": ready, "degraded": degraded });
    (status, Json(body))
}

async fn metrics(State(shutdown): State<Shutdown>) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        crate::metrics::render(shutdown.service()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn status_of(address: SocketAddr, path: &str) -> (String, String) {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().to_owned(), body.to_owned())
    }

    #[tokio::test]
    async fn readiness_follows_what_the_service_tells() {
        let shutdown = Shutdown::detached("identity");
        let address = serve(&HealthConfig::default(), shutdown.clone())
            .await
            .unwrap();
        assert_eq!(status_of(address, "/healthz").await.0, "200");
        assert_eq!(status_of(address, "/readyz").await.0, "503");
        shutdown.ready();
        assert_eq!(status_of(address, "/readyz").await.0, "200");
        shutdown.degrade("projection", "behind");
        let (status, body) = status_of(address, "/readyz").await;
        assert_eq!(status, "503");
        assert!(body.contains("projection"));
        shutdown.restore("projection");
        assert_eq!(status_of(address, "/readyz").await.0, "200");
    }

    #[tokio::test]
    async fn metrics_are_served_as_prometheus_text() {
        let shutdown = Shutdown::detached("identity");
        crate::metrics::counter("health_test_total", "counts").add(2);
        let address = serve(&HealthConfig::default(), shutdown).await.unwrap();
        let (_, body) = status_of(address, "/metrics").await;
        assert!(
            body.contains("medshare_health_test_total{service=\"identity\"} 2"),
            "{body}"
        );
    }
}
