//! Serving HTTP/1.1: bounded connections, bounded heads, no waiting for callers who send nothing.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower::Service;

use super::guard::Peer;
use crate::service::Gateway;
use crate::tls::{Partners, Protocol};

/// How long a request's head may take to arrive; also how long a connection may stay idle.
const HEAD_WITHIN: Duration = Duration::from_secs(60);
/// How long answers under way may take when the process stops.
const STOP_WITHIN: Duration = Duration::from_secs(5);
/// After a failure to accept (too many open files, for example).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until the process is told to stop, then finishes what is under way.
pub(crate) async fn serve(
    listener: TcpListener,
    partners: Option<Partners>,
    router: Router,
    gateway: Arc<Gateway>,
) {
    let connections = Arc::new(Semaphore::new(gateway.limits.connections));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            () = gateway.shutdown.requested() => break,
            accepted = accept(&listener, &connections) => accepted,
        };
        let Some((stream, peer, permit)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let one = One {
            router: router.clone(),
            peer,
            gateway: gateway.clone(),
            watcher: graceful.watcher(),
        };
        let partners = partners.clone();
        tokio::spawn(async move {
            match partners {
                None => one.serve(stream).await,
                Some(partners) => match partners.accept(stream, Protocol::Rest).await {
                    Ok(stream) => one.serve(stream).await,
                    Err(error) => tracing::info!(%error, "a partner system was turned away"),
                },
            }
            drop(permit);
        });
    }
    let _ = tokio::time::timeout(STOP_WITHIN, graceful.shutdown()).await;
}

/// One connection.
struct One {
    router: Router,
    peer: std::net::IpAddr,
    gateway: Arc<Gateway>,
    watcher: Watcher,
}

impl One {
    async fn serve<S>(self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (router, peer) = (self.router, self.peer);
        let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            router
                .clone()
                .call(chassis::unread::take_in(request.map(Body::new)))
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_WITHIN)
            .max_headers(self.gateway.limits.headers)
            .max_buf_size(self.gateway.limits.head_bytes)
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = self.watcher.watch(connection).await {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

type Accepted = (
    tokio::net::TcpStream,
    std::net::IpAddr,
    tokio::sync::OwnedSemaphorePermit,
);

async fn accept(listener: &TcpListener, connections: &Arc<Semaphore>) -> Option<Accepted> {
    let permit = connections.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, address)) => Some((stream, address.ip(), permit)),
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            None
        }
    }
}
