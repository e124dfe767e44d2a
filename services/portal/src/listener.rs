//! Where browsers connect: over TLS with the organisation's certificate, or without on a loopback address.
//!
//! Certificate and key are looked at every second and taken up when they change, so that a renewal needs no restart. Open
//! connections go on; what cannot be used is said in the log, and the certificate before goes on.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use chassis::InvalidKey;
use keys::tls::{TlsError, site_config};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

const LOOK_EVERY: Duration = Duration::from_secs(1);
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// Handshakes at a time; who comes then waits.
const HANDSHAKES_MAX: usize = 512;
/// After a failure to accept (too many open files, for example).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The table `[web.tls]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebTls {
    /// PEM: the certificate, and the authorities between it and one that browsers trust.
    pub certificate_file: PathBuf,
    /// PEM, mode 0600: its key. May be the same file.
    pub key_file: PathBuf,
}

impl WebTls {
    fn load(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let key = keys::secret::read_private(&self.key_file)?;
        let chain = std::fs::read(&self.certificate_file).map_err(|error| TlsError::File {
            path: self.certificate_file.clone(),
            reason: error.to_string(),
        })?;
        Ok(Arc::new(site_config(&chain, &key)?))
    }

    /// When the files changed last.
    fn modified(&self) -> [Option<SystemTime>; 2] {
        [&self.certificate_file, &self.key_file].map(|file| {
            let metadata = std::fs::metadata(file);
            metadata.and_then(|metadata| metadata.modified()).ok()
        })
    }
}

/// A browser's connection.
pub(crate) trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<C: AsyncRead + AsyncWrite + Send + Unpin> Connection for C {}

type Accepted = (Box<dyn Connection>, SocketAddr);

/// The address that a connection comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// See the module.
pub(crate) struct WebListener {
    accepted: mpsc::Receiver<Accepted>,
    address: SocketAddr,
}

impl WebListener {
    /// Listens.
    ///
    /// # Errors
    /// [`InvalidKey`] when the address or the certificate cannot be used.
    pub(crate) async fn bind(
        address: SocketAddr,
        tls: Option<WebTls>,
    ) -> anyhow::Result<WebListener> {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            let reason = format!("cannot listen on {address}: {error}");
            InvalidKey::new("web.address", reason)
        })?;
        let address = listener.local_addr()?;
        let (sender, accepted) = mpsc::channel(1);
        let tls = tls.map(keep_current).transpose();
        let tls = tls.map_err(|error| InvalidKey::new("web.tls", error))?;
        tokio::spawn(accept_all(listener, tls, sender));
        Ok(WebListener { accepted, address })
    }
}

impl Listener for WebListener {
    type Io = Box<dyn Connection>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> Accepted {
        match self.accepted.recv().await {
            Some(accepted) => accepted,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl Connected<IncomingStream<'_, WebListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, WebListener>) -> Peer {
        Peer(*stream.remote_addr())
    }
}

/// Accepts until nobody takes connections any more. Whoever is slow to shake hands keeps nobody else waiting.
async fn accept_all(
    listener: TcpListener,
    tls: Option<watch::Receiver<Arc<ServerConfig>>>,
    sender: mpsc::Sender<Accepted>,
) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    loop {
        let accepted = tokio::select! {
            () = sender.closed() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let Some(tls) = &tls else {
            if sender.send((Box::new(stream), peer)).await.is_err() {
                return;
            }
            continue;
        };
        let Ok(permit) = handshakes.clone().acquire_owned().await else {
            return;
        };
        let (config, sender) = (tls.borrow().clone(), sender.clone());
        tokio::spawn(async move {
            match shake_hands(config, stream).await {
                Ok(stream) => drop(sender.send((stream, peer)).await),
                Err(error) => tracing::debug!(%error, "no handshake with a browser"),
            }
            drop(permit);
        });
    }
}

async fn shake_hands(
    config: Arc<ServerConfig>,
    stream: TcpStream,
) -> io::Result<Box<dyn Connection>> {
    let shaken = TlsAcceptor::from(config).accept(stream);
    let stream = tokio::time::timeout(HANDSHAKE_WITHIN, shaken)
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    Ok(Box::new(stream))
}

/// Reads certificate and key, now and whenever they change.
fn keep_current(files: WebTls) -> Result<watch::Receiver<Arc<ServerConfig>>, TlsError> {
    let mut seen = files.modified();
    let (sender, receiver) = watch::channel(files.load()?);
    tokio::spawn(async move {
        while !sender.is_closed() {
            tokio::time::sleep(LOOK_EVERY).await;
            let modified = files.modified();
            if modified == seen {
                continue;
            }
            match files.load() {
                Ok(config) => {
                    tracing::info!("the certificate of the pages was renewed");
                    sender.send_replace(config);
                    seen = modified;
                }
                // One of the two may be written already and the other not: looked at again.
                Err(error) => {
                    tracing::error!(%error, "the new certificate of the pages cannot be used")
                }
            }
        }
    });
    Ok(receiver)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::fs::OpenOptionsExt as _;
    use std::path::Path;

    use keys::certificate::{Authority, LeafKey, LeafKind, LeafRequest};
    use ledger::Timestamp;
    use tokio_rustls::rustls::pki_types::ServerName;
    use tokio_rustls::rustls::{ClientConnection, Stream};

    use super::*;

    struct Site {
        root: Authority,
        files: WebTls,
        folder: tempfile::TempDir,
    }

    impl Site {
        fn new() -> Site {
            let folder = tempfile::tempdir().unwrap();
            let now = Timestamp(chassis::clock::now() - 1_000_000);
            let root = Authority::root("test", now, now.plus(3_600_000_000)).unwrap();
            let files = WebTls {
                certificate_file: folder.path().join("chain.pem"),
                key_file: folder.path().join("key.pem"),
            };
            let site = Site {
                root,
                files,
                folder,
            };
            site.renew();
            site
        }

        /// A new certificate in place of the one before; the bytes of the certificate itself.
        fn renew(&self) -> String {
            let now = Timestamp(chassis::clock::now() - 1_000_000);
            let end = now.plus(1_800_000_000);
            let issuing = self.root.issuing("test", &[], now, end).unwrap();
            let leaf = issuing
                .issue(&LeafRequest {
                    kind: LeafKind::Server,
                    subject: "portal".into(),
                    names: vec!["localhost".into()],
                    not_before: now,
                    not_after: end,
                    key: LeafKey::NewEd25519,
                })
                .unwrap();
            let chain = format!("{}{}", leaf.certificate_pem, issuing.certificate_pem());
            put(&self.files.key_file, &leaf.key_pem.unwrap());
            put(&self.files.certificate_file, &chain);
            leaf.serial
        }
    }

    /// As an ACME client does: beside the file, then in its place.
    fn put(file: &Path, text: &str) {
        let beside = file.with_extension("new");
        let mut options = std::fs::OpenOptions::new();
        let written = options.write(true).create(true).truncate(true).mode(0o600);
        let mut written = written.open(&beside).unwrap();
        written.write_all(text.as_bytes()).unwrap();
        std::fs::rename(&beside, file).unwrap();
    }

    /// Greets the listener and is greeted; the serial number that it shows. The connection stays open.
    fn greet(address: SocketAddr, root: &str) -> (String, ClientConnection, std::net::TcpStream) {
        let config = keys::tls::trusting(root.as_bytes()).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut tls = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut connection = std::net::TcpStream::connect(address).unwrap();
        said(&mut tls, &mut connection);
        let leaf = tls.peer_certificates().unwrap()[0].clone();
        let leaf = keys::certificate_check::read_leaf(&leaf).unwrap();
        (leaf.serial, tls, connection)
    }

    fn said(tls: &mut ClientConnection, connection: &mut std::net::TcpStream) {
        let mut stream = Stream::new(tls, connection);
        stream.write_all(b"hello").unwrap();
        let mut heard = [0; 5];
        stream.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"hello");
    }

    /// Says again what it hears.
    async fn echo(mut listener: WebListener) {
        loop {
            let (stream, _) = listener.accept().await;
            tokio::spawn(async move {
                let (mut reader, mut writer) = tokio::io::split(stream);
                let _ = tokio::io::copy(&mut reader, &mut writer).await;
            });
        }
    }

    async fn listening(tls: Option<WebTls>) -> SocketAddr {
        let listener = WebListener::bind("127.0.0.1:0".parse().unwrap(), tls);
        let listener = listener.await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(echo(listener));
        address
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_renewed_certificate_is_shown_without_a_restart_and_open_connections_go_on() {
        let site = Site::new();
        let address = listening(Some(site.files.clone())).await;
        let root = site.root.certificate_pem().to_owned();
        let served = tokio::task::spawn_blocking(move || {
            let (first, mut tls, mut connection) = greet(address, &root);
            // What is no certificate changes nothing.
            put(&site.files.certificate_file, "not a certificate");
            std::thread::sleep(Duration::from_millis(1_200));
            assert_eq!(greet(address, &root).0, first);
            let second = site.renew();
            while greet(address, &root).0 != second {
                std::thread::sleep(Duration::from_millis(50));
            }
            said(&mut tls, &mut connection);
            site.folder.close().unwrap();
            (first, second)
        });
        let (first, second) = served.await.unwrap();
        assert_ne!(first, second);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nobody_is_answered_without_tls_and_who_says_nothing_keeps_nobody_waiting() {
        let site = Site::new();
        let address = listening(Some(site.files.clone())).await;
        let root = site.root.certificate_pem().to_owned();
        let served = tokio::task::spawn_blocking(move || {
            let _silent = std::net::TcpStream::connect(address).unwrap();
            let mut plain = std::net::TcpStream::connect(address).unwrap();
            plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
            let mut heard = Vec::new();
            let _ = plain.read_to_end(&mut heard);
            assert!(!heard.starts_with(b"HTTP") && !heard.starts_with(b"GET"));
            greet(address, &root);
        });
        served.await.unwrap();
    }

    #[tokio::test]
    async fn a_key_that_others_may_read_and_files_that_are_not_there_are_refused() {
        let site = Site::new();
        let bind = async |tls| {
            let address = "127.0.0.1:0".parse().unwrap();
            WebListener::bind(address, Some(tls)).await.err()
        };
        let missing = WebTls {
            certificate_file: site.folder.path().join("nothing.pem"),
            ..site.files.clone()
        };
        assert!(bind(missing).await.unwrap().to_string().contains("web.tls"));
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        std::fs::set_permissions(&site.files.key_file, mode).unwrap();
        assert!(bind(site.files.clone()).await.is_some());
    }
}
