//! Mutual TLS with partner systems: who may connect, and whose connections end when their certificate no longer counts.
//!
//! Identity's revocation list is asked for every second. A connection is refused when its certificate is on the list or
//! the list is too old, and an open one is cut within a second of the list naming its certificate.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use bus::{Bus, Target};
use chassis::metrics::{Counter, Gauge, counter, gauge};
use interfaces::identity::GetAuthority;
use keys::certificate_check::{read_leaf, revoked_serials};
use keys::tls::TlsFiles;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::{Connected, TcpConnectInfo};

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The list is taken up anew, well before its end, also when nobody was added.
const TAKEN_UP_EVERY: Duration = Duration::from_secs(300);
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);

/// For which protocol a connection is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Protocol {
    /// HTTP/1.1, for REST.
    Rest,
    /// HTTP/2, for gRPC.
    Grpc,
}

/// What connections are accepted by, at the moment.
#[derive(Clone)]
struct Acceptors {
    rest: Arc<ServerConfig>,
    grpc: Arc<ServerConfig>,
}

/// The listeners' side of mutual TLS. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Partners {
    acceptors: watch::Receiver<Acceptors>,
    open: Arc<OpenConnections>,
}

impl std::fmt::Debug for Partners {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Partners(..)")
    }
}

impl Partners {
    /// Reads the own certificate, asks identity for the revocation list, and keeps both current from then on.
    ///
    /// # Errors
    /// When the certificate cannot be used, or identity does not answer.
    pub(crate) async fn start(files: TlsFiles, bus: Bus) -> anyhow::Result<Partners> {
        let first = List::ask(&bus).await.map_err(anyhow::Error::from)?;
        let (sender, acceptors) = watch::channel(acceptors(&files, &first)?);
        let open = Arc::new(OpenConnections::default());
        let watching = Watching {
            files,
            bus,
            acceptors: sender,
            open: open.clone(),
        };
        tokio::spawn(watching.run(first));
        Ok(Partners { acceptors, open })
    }

    /// Shakes hands.
    ///
    /// # Errors
    /// What is wrong with the peer, its certificate above all.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
        protocol: Protocol,
    ) -> io::Result<PartnerStream> {
        let config = {
            let acceptors = self.acceptors.borrow();
            match protocol {
                Protocol::Rest => acceptors.rest.clone(),
                Protocol::Grpc => acceptors.grpc.clone(),
            }
        };
        let shaken = TlsAcceptor::from(config).accept(stream);
        let stream = tokio::time::timeout(HANDSHAKE_WITHIN, shaken)
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let leaf = certificates.first().map(read_leaf).and_then(Result::ok);
        let leaf = leaf.ok_or_else(|| io::Error::other("the peer's certificate is unreadable"))?;
        Ok(self.open.enter(stream, leaf.serial))
    }
}

/// Identity's revocation list.
struct List {
    pem: String,
    serials: BTreeSet<String>,
    taken: Instant,
}

impl List {
    async fn ask(bus: &Bus) -> Result<List, interfaces::Problem> {
        let authority = bus
            .request(&Target::of::<GetAuthority>(), None, &GetAuthority {})
            .await?;
        let serials = revoked_serials(&authority.revocations)
            .map_err(|error| interfaces::Problem::failure(error.to_string()))?;
        Ok(List {
            pem: authority.revocations,
            serials,
            taken: Instant::now(),
        })
    }

    fn age(&self) -> Duration {
        self.taken.elapsed()
    }
}

fn acceptors(files: &TlsFiles, list: &List) -> Result<Acceptors, keys::tls::TlsError> {
    let identity = files.load()?;
    Ok(Acceptors {
        rest: Arc::new(identity.server_config(&list.pem, &[b"http/1.1"])?),
        grpc: Arc::new(identity.server_config(&list.pem, &[b"h2"])?),
    })
}

/// Keeps certificate and list current.
struct Watching {
    files: TlsFiles,
    bus: Bus,
    acceptors: watch::Sender<Acceptors>,
    open: Arc<OpenConnections>,
}

impl Watching {
    async fn run(self, first: List) {
        let mut last = first;
        let mut identity = modified(&self.files);
        while !self.acceptors.is_closed() {
            tokio::time::sleep(LOOK_EVERY).await;
            age().set(i64::try_from(last.age().as_secs()).unwrap_or(i64::MAX));
            let list = match List::ask(&self.bus).await {
                Ok(list) => list,
                Err(error) => {
                    tracing::warn!(%error, "the revocation list cannot be had; the last one counts until its end");
                    continue;
                }
            };
            let renewed = modified(&self.files);
            let is_current =
                list.serials == last.serials && renewed == identity && last.age() < TAKEN_UP_EVERY;
            if is_current {
                age().set(0);
                continue;
            }
            match acceptors(&self.files, &list) {
                Ok(acceptors) => drop(self.acceptors.send_replace(acceptors)),
                Err(error) => {
                    tracing::error!(%error, "certificate or revocation list cannot be used");
                    continue;
                }
            }
            self.open.cut(&list.serials);
            (last, identity) = (list, renewed);
        }
    }
}

fn modified(files: &TlsFiles) -> Option<SystemTime> {
    std::fs::metadata(&files.identity_file)
        .and_then(|metadata| metadata.modified())
        .ok()
}

/// Connections by number, each with its certificate's serial number and the means to cut it.
#[derive(Default)]
struct OpenConnections {
    next: AtomicU64,
    open: Mutex<BTreeMap<u64, (String, CancellationToken)>>,
}

impl OpenConnections {
    fn enter(self: &Arc<Self>, stream: TlsStream<TcpStream>, serial: String) -> PartnerStream {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let token = CancellationToken::new();
        self.lock().insert(number, (serial, token.clone()));
        PartnerStream {
            stream,
            cut: Box::pin(token.cancelled_owned()),
            entry: Entry {
                number,
                connections: self.clone(),
            },
        }
    }

    fn cut(&self, revoked: &BTreeSet<String>) {
        for (serial, token) in self.lock().values() {
            if revoked.contains(serial) && !token.is_cancelled() {
                cuts().add(1);
                token.cancel();
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, (String, CancellationToken)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leaves the open connections when dropped.
struct Entry {
    number: u64,
    connections: Arc<OpenConnections>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.connections.lock().remove(&self.number);
    }
}

/// A partner system's connection: breaks at once when its certificate is revoked.
pub(crate) struct PartnerStream {
    stream: TlsStream<TcpStream>,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    // Held for its end.
    #[expect(dead_code)]
    entry: Entry,
}

impl PartnerStream {
    fn is_cut(&mut self, context: &mut Context<'_>) -> bool {
        self.cut.as_mut().poll(context).is_ready()
    }
}

fn revoked() -> io::Error {
    io::Error::new(
        io::ErrorKind::ConnectionAborted,
        "the peer's certificate was revoked",
    )
}

impl AsyncRead for PartnerStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_cut(context) {
            return Poll::Ready(Err(revoked()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for PartnerStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_cut(context) {
            return Poll::Ready(Err(revoked()));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl Connected for PartnerStream {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.get_ref().0.connect_info()
    }
}

fn age() -> &'static Gauge {
    static GAUGE: OnceLock<Gauge> = OnceLock::new();
    GAUGE.get_or_init(|| {
        gauge(
            "revocation_list_age_seconds",
            "Since the revocation list was last had from identity",
        )
    })
}

fn cuts() -> &'static Counter {
    static COUNTER: OnceLock<Counter> = OnceLock::new();
    COUNTER.get_or_init(|| {
        counter(
            "revoked_connections_total",
            "Open connections cut because their certificate was revoked",
        )
    })
}
