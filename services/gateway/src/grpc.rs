//! gRPC: the ledger for programs, in the form of `proto/medshare/v1/ledger.proto`, and the health protocol.

mod health;
mod ledger;
mod status;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Server;
use tonic::transport::server::{TcpConnectInfo, TcpIncoming};
use tonic::{Request, Status};
use tracing::field;

use crate::rest::trace;
use crate::service::Gateway;
use crate::tls::{PartnerStream, Partners, Protocol};
use health::HealthRoom;
use ledger::LedgerRoom;
use proto::health::health_server::HealthServer;
use proto::ledger_server::LedgerServer;

/// What `build.rs` makes of `proto/`.
#[allow(missing_docs, clippy::all)]
pub mod proto {
    tonic::include_proto!("medshare.v1");

    /// The health protocol.
    pub mod health {
        tonic::include_proto!("grpc.health.v1");
    }
}

/// A transaction has at most 64 KiB; the rest is room for its frame.
const REQUEST_BYTES_MAX: usize = 128 * 1024;
/// A receipt has at most 16 MiB.
const RESPONSE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Until the first answer of a call; submissions wait for their receipt.
const CALL_WITHIN: Duration = Duration::from_secs(120);
const CALLS_PER_CONNECTION: usize = 256;
/// Connections that have shaken hands and wait to be served.
const HANDSHAKES_WAITING: usize = 64;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Serves until the process is told to stop.
///
/// # Errors
/// When the transport fails.
pub(crate) async fn serve(
    listener: TcpListener,
    partners: Option<Partners>,
    gateway: Arc<Gateway>,
) -> anyhow::Result<()> {
    let shutdown = gateway.shutdown.clone();
    let ledger = LedgerServer::new(LedgerRoom::new(gateway.clone()))
        .max_decoding_message_size(REQUEST_BYTES_MAX)
        .max_encoding_message_size(RESPONSE_BYTES_MAX);
    let charged = gateway.clone();
    let ledger = InterceptedService::new(ledger, move |request: Request<()>| {
        charge(&charged, request)
    });
    let health =
        HealthServer::new(HealthRoom::new(gateway.clone())).max_decoding_message_size(4 * 1024);
    let header_bytes = u32::try_from(gateway.limits.head_bytes).unwrap_or(u32::MAX);
    let server = Server::builder()
        .timeout(CALL_WITHIN)
        .concurrency_limit_per_connection(CALLS_PER_CONNECTION)
        .max_concurrent_streams(CALLS_PER_CONNECTION as u32)
        .http2_max_header_list_size(header_bytes)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .trace_fn(span_of)
        .add_service(ledger)
        .add_service(health);
    let stop = async move { shutdown.requested().await };
    match partners {
        None => {
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            server.serve_with_incoming_shutdown(incoming, stop).await?;
        }
        Some(partners) => {
            let incoming = incoming(listener, partners, &gateway);
            server.serve_with_incoming_shutdown(incoming, stop).await?;
        }
    }
    Ok(())
}

/// Connections of partner systems that have shown a certificate; one that takes its time keeps no other waiting.
fn incoming(
    listener: TcpListener,
    partners: Partners,
    gateway: &Gateway,
) -> ReceiverStream<std::io::Result<PartnerStream>> {
    let (sender, accepted) = mpsc::channel(HANDSHAKES_WAITING);
    let handshakes = Arc::new(Semaphore::new(gateway.limits.connections));
    tokio::spawn(async move {
        while !sender.is_closed() {
            let Ok(permit) = handshakes.clone().acquire_owned().await else {
                return;
            };
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let _ = stream.set_nodelay(true);
            let (partners, sender) = (partners.clone(), sender.clone());
            tokio::spawn(async move {
                match partners.accept(stream, Protocol::Grpc).await {
                    Ok(stream) => drop(sender.send(Ok(stream)).await),
                    Err(error) => tracing::info!(%error, "a partner system was turned away"),
                }
                drop(permit);
            });
        }
    });
    ReceiverStream::new(accepted)
}

/// Continues the caller's trace.
fn span_of(request: &axum::http::Request<()>) -> tracing::Span {
    let span = tracing::info_span!(
        "grpc_request",
        otel.kind = "server",
        rpc.method = request.uri().path(),
        trace_id = field::Empty
    );
    trace::continue_from(&span, request.headers());
    span
}

/// Takes from the address's bucket, as REST does.
fn charge(gateway: &Gateway, request: Request<()>) -> Result<Request<()>, Status> {
    let peer = request
        .extensions()
        .get::<TcpConnectInfo>()
        .and_then(TcpConnectInfo::remote_addr);
    let Some(peer) = peer else { return Ok(request) };
    match gateway.rates.take(peer.ip(), 1) {
        Ok(()) => Ok(request),
        Err(_) => Err(Status::resource_exhausted(
            "this address asks too much; wait, then try again",
        )),
    }
}
