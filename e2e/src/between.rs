//! Somebody between a process and its broker, who reads what the broker delivers and decides what arrives: whoever operates
//! the process, or the broker. Each holds the keys of one end.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use keys::tls::TlsFiles;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::proxy::message_length;

/// How much is read at once.
const READ_AT_ONCE: usize = 64 * 1024;

/// A message that the broker delivers.
#[derive(Clone, Copy, Debug)]
pub struct Delivered<'a> {
    /// Its subject.
    pub subject: &'a str,
    /// What it says, without headers.
    pub payload: &'a [u8],
}

/// What becomes of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It arrives.
    Arrives,
    /// It does not.
    Withheld,
    /// This arrives in its place, under the same subject.
    Instead(Vec<u8>),
}

type Judge = Arc<dyn Fn(Delivered<'_>) -> Verdict + Send + Sync>;

/// Whoever is between; it listens for the process.
pub struct Between {
    /// Where.
    pub port: u16,
}

/// What is needed at both ends of a connection.
struct Ends {
    broker: SocketAddr,
    to_broker: TlsConnector,
    /// None: the process speaks without TLS to whoever is between, who speaks for it.
    to_process: Option<TlsAcceptor>,
    judge: Judge,
}

impl Between {
    /// In the place of a process, with its certificate: the process itself speaks to this without TLS.
    ///
    /// # Panics
    /// If the certificate cannot be read or there is no free port.
    pub async fn of_process(
        broker: SocketAddr,
        tls: &TlsFiles,
        judge: impl Fn(Delivered<'_>) -> Verdict + Send + Sync + 'static,
    ) -> Between {
        Between::start(broker, tls, None, Arc::new(judge)).await
    }

    /// In the place of a broker, with its certificate: the process sees no difference.
    ///
    /// # Panics
    /// If the certificate cannot be read or there is no free port.
    pub async fn of_broker(
        broker: SocketAddr,
        tls: &TlsFiles,
        judge: impl Fn(Delivered<'_>) -> Verdict + Send + Sync + 'static,
    ) -> Between {
        let acceptor = acceptor(&tls.identity_file);
        Between::start(broker, tls, Some(acceptor), Arc::new(judge)).await
    }

    async fn start(
        broker: SocketAddr,
        tls: &TlsFiles,
        to_process: Option<TlsAcceptor>,
        judge: Judge,
    ) -> Between {
        let identity = tls.load().expect("a certificate");
        let config = identity.client_config().expect("a certificate");
        let ends = Arc::new(Ends {
            broker,
            to_broker: TlsConnector::from(Arc::new(config)),
            to_process,
            judge,
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        tokio::spawn(async move {
            while let Ok((process, _)) = listener.accept().await {
                let ends = ends.clone();
                // A connection that breaks is made again by the process.
                tokio::spawn(async move { ends.connection(process).await });
            }
        });
        Between { port }
    }

    /// The address in the form in which processes are configured.
    pub fn servers(&self) -> String {
        format!("[\"nats://127.0.0.1:{}\"]", self.port)
    }
}

fn acceptor(identity_file: &Path) -> TlsAcceptor {
    let pem = std::fs::read_to_string(identity_file).expect("a certificate");
    let config = keys::tls::site_config(pem.as_bytes(), &pem);
    let mut config = config.expect("a certificate");
    config.alpn_protocols.clear();
    TlsAcceptor::from(Arc::new(config))
}

/// A connection, whatever it is made of.
trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

impl Ends {
    async fn connection(&self, mut process: TcpStream) -> std::io::Result<()> {
        let mut broker = TcpStream::connect(self.broker).await?;
        // The broker greets before TLS begins.
        let greeting = line(&mut broker).await?;
        let name = ServerName::from(self.broker.ip());
        let broker = self.to_broker.connect(name, broker).await?;
        let process: Box<dyn Duplex> = match &self.to_process {
            Some(acceptor) => {
                process.write_all(&greeting).await?;
                Box::new(acceptor.accept(process).await?)
            }
            None => {
                process.write_all(&without_tls(&greeting)).await?;
                Box::new(process)
            }
        };
        let (mut from_process, to_process) = tokio::io::split(process);
        let (from_broker, mut to_broker) = tokio::io::split(broker);
        tokio::select! {
            said = tokio::io::copy(&mut from_process, &mut to_broker) => said.map(drop),
            delivered = self.deliver(from_broker, to_process) => delivered,
        }
    }

    async fn deliver(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) -> std::io::Result<()> {
        let mut read = vec![0; READ_AT_ONCE];
        let mut buffer = Vec::new();
        loop {
            let count = from.read(&mut read).await?;
            if count == 0 {
                return Ok(());
            }
            buffer.extend_from_slice(&read[..count]);
            let mut at = 0;
            let mut arrives = Vec::new();
            while let Some(length) = message_length(&buffer[at..]) {
                self.judge(&buffer[at..at + length], &mut arrives);
                at += length;
            }
            buffer.drain(..at);
            to.write_all(&arrives).await?;
            to.flush().await?;
        }
    }

    /// Appends what arrives in the place of one message of the broker's protocol.
    fn judge(&self, message: &[u8], arrives: &mut Vec<u8>) {
        let Some(parsed) = Parsed::of(message) else {
            arrives.extend_from_slice(message);
            return;
        };
        let delivered = Delivered {
            subject: parsed.head[1],
            payload: parsed.payload,
        };
        match (self.judge)(delivered) {
            Verdict::Arrives => arrives.extend_from_slice(message),
            Verdict::Withheld => {}
            Verdict::Instead(payload) => arrives.extend(parsed.with(&payload)),
        }
    }
}

/// The greeting as a broker without TLS gives it.
fn without_tls(greeting: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(greeting);
    let text = text
        .replace("\"tls_required\":true", "\"tls_required\":false")
        .replace("\"tls_verify\":true", "\"tls_verify\":false");
    text.into_bytes()
}

/// Reads a line, byte by byte: what follows it is TLS's own.
async fn line(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(stream.read_u8().await?);
    }
    Ok(line)
}

/// A delivered message, taken apart.
struct Parsed<'a> {
    /// The words of its first line.
    head: Vec<&'a str>,
    headers: &'a [u8],
    payload: &'a [u8],
}

impl<'a> Parsed<'a> {
    /// None for what delivers nothing.
    fn of(message: &'a [u8]) -> Option<Parsed<'a>> {
        let end = message.windows(2).position(|pair| pair == b"\r\n")?;
        let head: Vec<&str> = std::str::from_utf8(&message[..end])
            .ok()?
            .split(' ')
            .collect();
        let body = message.get(end + 2..message.len().checked_sub(2)?)?;
        let headers = match *head.first()? {
            "MSG" => 0,
            "HMSG" => head.get(head.len() - 2)?.parse().ok()?,
            _ => return None,
        };
        let (headers, payload) = body.split_at_checked(headers)?;
        Some(Parsed {
            head,
            headers,
            payload,
        })
    }

    /// The same message with another payload.
    fn with(&self, payload: &[u8]) -> Vec<u8> {
        let size = (self.headers.len() + payload.len()).to_string();
        let mut head = self.head.clone();
        head.pop();
        head.push(&size);
        let line = format!("{}\r\n", head.join(" "));
        [line.as_bytes(), self.headers, payload, b"\r\n"].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_taken_apart_and_put_together_with_another_payload() {
        let plain = Parsed::of(b"MSG pbft.0.1.all 7 5\r\nhello\r\n").unwrap();
        assert_eq!(
            (plain.head[1], plain.payload),
            ("pbft.0.1.all", &b"hello"[..])
        );
        assert_eq!(plain.with(b"no"), b"MSG pbft.0.1.all 7 2\r\nno\r\n");
        let with_headers = Parsed::of(b"HMSG a.b 1 reply.c 4 9\r\nh:v\nhello\r\n").unwrap();
        assert_eq!(with_headers.payload, b"hello");
        assert_eq!(
            with_headers.with(b"no"),
            b"HMSG a.b 1 reply.c 4 6\r\nh:v\nno\r\n"
        );
        assert!(Parsed::of(b"PING\r\n").is_none());
    }

    #[test]
    fn a_greeting_asks_for_no_tls() {
        let greeting = br#"INFO {"nonce":"a","tls_required":true,"tls_verify":true}"#;
        let expected = br#"INFO {"nonce":"a","tls_required":false,"tls_verify":false}"#;
        assert_eq!(without_tls(greeting), expected);
    }
}
