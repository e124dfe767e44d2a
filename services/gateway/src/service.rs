//! The service: its configuration, what it holds, and how it runs.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, BusConfig};
use chassis::{InvalidKey, Shutdown};
use hospitals::Hospitals;
use keys::tls::TlsFiles;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::rate::RateLimiter;
use crate::tls::Partners;
use crate::{grpc, rest};

/// Configuration of the gateway.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Connection to the bus.
    pub bus: BusConfig,
    /// Certificates for mutual TLS with partner systems, on both ports; absent: plain connections, for a single machine.
    #[serde(default)]
    pub tls: Option<TlsFiles>,
    /// Where REST is served.
    #[serde(default)]
    pub rest: Listener,
    /// Where gRPC is served.
    #[serde(default)]
    pub grpc: Listener,
    /// What one caller may ask.
    #[serde(default)]
    pub limits: Limits,
}

/// An address to listen on.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// Address and port; port 0 (the default, on the loopback address) takes a free one, which the readiness line names.
    pub address: SocketAddr,
}

impl Default for Listener {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        }
    }
}

/// Bounds of what is taken from outside.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Bytes of a body that carries a FHIR Bundle; at most 30 MiB (the bus takes 32).
    pub bundle_bytes: usize,
    /// How deep JSON may nest.
    pub json_depth: usize,
    /// Bytes of a request's head (request line and headers); at least 8192.
    pub head_bytes: usize,
    /// Headers of a request.
    pub headers: usize,
    /// How long a request may take, its body included.
    pub request_seconds: u64,
    /// How long an import, a view or a sweep may take.
    pub slow_request_seconds: u64,
    /// Requests a second from one address, in the long run.
    pub requests_per_second: u32,
    /// Requests at once from one address.
    pub burst: u32,
    /// Requests worked on at a time.
    pub concurrent_requests: usize,
    /// Open connections, on each port.
    pub connections: usize,
    /// Open event streams, REST and gRPC together.
    pub streams: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 2 * 1024 * 1024,
            bundle_bytes: 16 * 1024 * 1024,
            json_depth: 32,
            head_bytes: 32 * 1024,
            headers: 64,
            request_seconds: 35,
            slow_request_seconds: 600,
            requests_per_second: 1_000,
            burst: 4_000,
            concurrent_requests: 1_024,
            connections: 4_096,
            streams: 64,
        }
    }
}

impl Limits {
    fn check(&self) -> Result<(), InvalidKey> {
        let positive = [
            ("limits.body_bytes", self.body_bytes as u64),
            ("limits.json_depth", self.json_depth as u64),
            ("limits.headers", self.headers as u64),
            ("limits.request_seconds", self.request_seconds),
            ("limits.slow_request_seconds", self.slow_request_seconds),
            (
                "limits.requests_per_second",
                self.requests_per_second.into(),
            ),
            ("limits.burst", self.burst.into()),
            (
                "limits.concurrent_requests",
                self.concurrent_requests as u64,
            ),
            ("limits.connections", self.connections as u64),
            ("limits.streams", self.streams as u64),
        ];
        if let Some((key, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return Err(InvalidKey::new(*key, "must be at least 1"));
        }
        if self.head_bytes < 8_192 {
            return Err(InvalidKey::new(
                "limits.head_bytes",
                "must be at least 8192",
            ));
        }
        if self.bundle_bytes > 30 * 1024 * 1024 {
            return Err(InvalidKey::new(
                "limits.bundle_bytes",
                "must be at most 30 MiB: the bus carries 32",
            ));
        }
        Ok(())
    }
}

/// What every request works with.
#[derive(Debug)]
pub struct Gateway {
    pub(crate) bus: Bus,
    pub(crate) hospitals: Hospitals,
    pub(crate) limits: Limits,
    pub(crate) rates: RateLimiter,
    pub(crate) requests: Arc<Semaphore>,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) shutdown: Shutdown,
}

impl Gateway {
    fn new(bus: Bus, limits: Limits, shutdown: Shutdown) -> Gateway {
        Gateway {
            hospitals: Hospitals::new(bus.clone()),
            bus,
            rates: RateLimiter::new(limits.requests_per_second, limits.burst),
            requests: Arc::new(Semaphore::new(limits.concurrent_requests)),
            streams: Arc::new(Semaphore::new(limits.streams)),
            limits,
            shutdown,
        }
    }

    /// How long a request may take.
    pub(crate) fn within(&self, slow: bool) -> Duration {
        Duration::from_secs(if slow {
            self.limits.slow_request_seconds
        } else {
            self.limits.request_seconds
        })
    }
}

/// Runs the gateway until it is told to stop.
///
/// # Errors
/// [`InvalidKey`] when a listener or limit cannot be used, [`bus::BusError`] when the bus cannot.
pub async fn run(config: Config, shutdown: Shutdown) -> anyhow::Result<()> {
    Prepared::new(config, &shutdown).await?.serve().await
}

/// A gateway that listens, and does not answer yet.
#[derive(Debug)]
pub struct Prepared {
    gateway: Arc<Gateway>,
    rest: TcpListener,
    grpc: TcpListener,
    partners: Option<Partners>,
}

impl Prepared {
    /// Connects to the bus and starts to listen.
    ///
    /// # Errors
    /// As [`run`].
    pub async fn new(config: Config, shutdown: &Shutdown) -> anyhow::Result<Prepared> {
        config.limits.check()?;
        let rest = listen("rest.address", config.rest.address).await?;
        let grpc = listen("grpc.address", config.grpc.address).await?;
        let bus = Bus::connect(&config.bus).await?;
        let partners = match config.tls {
            Some(files) => {
                files
                    .load()
                    .map_err(|error| InvalidKey::new("tls", error))?;
                Some(Partners::start(files, bus.clone()).await?)
            }
            None => None,
        };
        let gateway = Arc::new(Gateway::new(bus, config.limits, shutdown.clone()));
        Ok(Prepared {
            gateway,
            rest,
            grpc,
            partners,
        })
    }

    /// Where REST is served.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn rest_address(&self) -> std::io::Result<SocketAddr> {
        self.rest.local_addr()
    }

    /// Where gRPC is served.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn grpc_address(&self) -> std::io::Result<SocketAddr> {
        self.grpc.local_addr()
    }

    /// Serves until the process is told to stop.
    ///
    /// # Errors
    /// When serving gRPC fails.
    pub async fn serve(self) -> anyhow::Result<()> {
        let addresses = [
            ("rest", self.rest_address()?),
            ("grpc", self.grpc_address()?),
        ];
        let gateway = self.gateway;
        let (router, _) = rest::router(gateway.clone());
        gateway.shutdown.ready_at(&addresses);
        let over_rest = async {
            rest::serve::serve(self.rest, self.partners.clone(), router, gateway.clone()).await;
            Ok(())
        };
        let served = tokio::try_join!(
            over_rest,
            grpc::serve(self.grpc, self.partners.clone(), gateway.clone())
        );
        gateway.bus.close().await;
        served.map(|_| ())
    }
}

async fn listen(key: &str, address: SocketAddr) -> Result<TcpListener, InvalidKey> {
    TcpListener::bind(address)
        .await
        .map_err(|error| InvalidKey::new(key, format!("cannot listen on {address}: {error}")))
}
