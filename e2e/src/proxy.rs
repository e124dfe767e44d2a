//! A TCP proxy of our own: the network between two processes, which can stand still, be cut, and, where NATS is spoken, lose
//! its order and say things again.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;

/// How much a link takes in at once; little, so that who sends notices soon that nobody takes it.
const RECEIVED_AT_ONCE: u32 = 16 * 1024;
/// How many earlier messages of a connection may come again.
const KEPT_MAX: usize = 2_000;

/// How a link behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// As it should.
    Works,
    /// Nothing gets through, and no connection breaks.
    Stalls,
    /// Connections break, and new ones are refused.
    Cut,
    /// Towards whoever connected, each message of replicas comes up to three times, each up to so late, and now and then
    /// an old one comes again. For NATS only.
    Unreliable {
        /// The most that a message is late.
        late_max: Duration,
    },
}

/// A link: it listens, and passes on to a target.
pub struct Link {
    /// Where it listens.
    pub port: u16,
    network: watch::Sender<Network>,
    counted: Arc<Counted>,
}

/// What happened on a link.
#[derive(Debug, Default)]
struct Counted {
    broken_by_target: AtomicU64,
    repeated: AtomicU64,
}

impl Link {
    /// A link to wherever `target` says at each new connection; nothing there, no connection.
    ///
    /// # Panics
    /// If there is no free port.
    pub async fn to(target: impl Fn() -> Option<SocketAddr> + Send + Sync + 'static) -> Link {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let network = watch::Sender::new(Network::Works);
        let counted = Arc::new(Counted::default());
        let (behaviour, counts) = (network.subscribe(), counted.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let target = target().filter(|_| *behaviour.borrow() != Network::Cut);
                if let Some(target) = target {
                    tokio::spawn(connection(
                        stream,
                        target,
                        behaviour.clone(),
                        counts.clone(),
                    ));
                }
            }
        });
        Link {
            port,
            network,
            counted,
        }
    }

    /// From now on it behaves so.
    pub fn set(&self, network: Network) {
        self.network.send_replace(network);
    }

    /// How many connections the target has ended while the link stood still.
    pub fn broken_by_target(&self) -> u64 {
        self.counted.broken_by_target.load(Ordering::Relaxed)
    }

    /// How many messages came again.
    pub fn repeated(&self) -> u64 {
        self.counted.repeated.load(Ordering::Relaxed)
    }
}

async fn connection(
    client: TcpStream,
    target: SocketAddr,
    network: watch::Receiver<Network>,
    counted: Arc<Counted>,
) {
    let connected = async {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(RECEIVED_AT_ONCE)?;
        socket.connect(target).await
    };
    let Ok(server) = connected.await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut cut = network.clone();
    tokio::select! {
        () = pass(from_client, to_server, network.clone()) => {}
        () = Delivery::new(to_client, network, &counted).run(from_server) => {}
        _ = cut.wait_for(|now| *now == Network::Cut) => {}
    }
}

/// Passes bytes on, while they are let through.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut network: watch::Receiver<Network>,
) {
    let mut buffer = vec![0; RECEIVED_AT_ONCE as usize];
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer).await else {
            return;
        };
        let open = network
            .wait_for(|now| *now != Network::Stalls)
            .await
            .is_ok();
        if !open || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

/// What a broker says to one connection, on its way.
struct Delivery<'a> {
    to: OwnedWriteHalf,
    network: watch::Receiver<Network>,
    counted: &'a Counted,
    /// What came and is no whole message yet.
    buffer: Vec<u8>,
    /// Messages on their way, by when they arrive and in which order they came.
    late: BTreeMap<(Instant, u64), Vec<u8>>,
    /// Earlier messages of replicas.
    kept: VecDeque<Vec<u8>>,
    number: u64,
}

impl<'a> Delivery<'a> {
    fn new(
        to: OwnedWriteHalf,
        network: watch::Receiver<Network>,
        counted: &'a Counted,
    ) -> Delivery<'a> {
        Delivery {
            to,
            network,
            counted,
            buffer: Vec::new(),
            late: BTreeMap::new(),
            kept: VecDeque::new(),
            number: 0,
        }
    }

    async fn run(mut self, mut from: OwnedReadHalf) {
        let mut received = vec![0; RECEIVED_AT_ONCE as usize];
        let mut stood_still = false;
        loop {
            if *self.network.borrow() == Network::Stalls {
                stood_still = true;
                let moving = self.network.wait_for(|now| *now != Network::Stalls);
                if moving.await.is_err() {
                    return;
                }
            }
            let next = self.late.first_key_value().map(|((due, _), _)| *due);
            let due = next.unwrap_or_else(|| Instant::now() + Duration::from_secs(1));
            let done = tokio::select! {
                read = from.read(&mut received) => match read {
                    Ok(count @ 1..) => {
                        self.buffer.extend_from_slice(&received[..count]);
                        self.take_whole_messages().await
                    }
                    Ok(0) | Err(_) => {
                        let broken = u64::from(stood_still);
                        self.counted.broken_by_target.fetch_add(broken, Ordering::Relaxed);
                        return;
                    }
                },
                () = tokio::time::sleep_until(due) => self.deliver_due().await,
            };
            if done.is_err() {
                return;
            }
        }
    }

    async fn take_whole_messages(&mut self) -> std::io::Result<()> {
        let mut at = 0;
        while let Some(length) = message_length(&self.buffer[at..]) {
            let message = self.buffer[at..at + length].to_vec();
            at += length;
            self.take(message).await?;
        }
        self.buffer.drain(..at);
        Ok(())
    }

    async fn take(&mut self, message: Vec<u8>) -> std::io::Result<()> {
        let of_replicas = message.starts_with(b"MSG pbft.");
        let unreliable = match *self.network.borrow() {
            Network::Unreliable { late_max } if of_replicas => Some(late_max),
            _ => None,
        };
        let Some(late_max) = unreliable else {
            return self.to.write_all(&message).await;
        };
        let [copies, again, which, ..]: [u8; 32] = keys::secret::random();
        for copy in 0..=u64::from(copies % 3) {
            self.counted
                .repeated
                .fetch_add(copy.min(1), Ordering::Relaxed);
            self.put_off(message.clone(), late_max);
        }
        if again % 4 == 0 && !self.kept.is_empty() {
            let place = usize::from(which) * self.kept.len() / 256;
            let old = self.kept[place].clone();
            self.counted.repeated.fetch_add(1, Ordering::Relaxed);
            self.put_off(old, late_max);
        }
        self.kept.push_back(message);
        if self.kept.len() > KEPT_MAX {
            self.kept.pop_front();
        }
        self.deliver_due().await
    }

    /// Has a message arrive some time up to `late_max` from now.
    fn put_off(&mut self, message: Vec<u8>, late_max: Duration) {
        let [part, ..]: [u8; 32] = keys::secret::random();
        let due = Instant::now() + late_max * u32::from(part) / 256;
        self.number += 1;
        self.late.insert((due, self.number), message);
    }

    async fn deliver_due(&mut self) -> std::io::Result<()> {
        let later = self.late.split_off(&(Instant::now(), u64::MAX));
        for message in std::mem::replace(&mut self.late, later).into_values() {
            self.to.write_all(&message).await?;
        }
        Ok(())
    }
}

/// The length of the first message of NATS's protocol towards clients, if it is there as a whole. What brokers say to each
/// other is no different here: only lines that begin with `MSG` or `HMSG` are followed by a payload that has to be kept
/// with them, and brokers' own messages to each other pass as lines and as what follows them, in order.
pub(crate) fn message_length(bytes: &[u8]) -> Option<usize> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")? + 2;
    let line = &bytes[..end];
    if !line.starts_with(b"MSG ") && !line.starts_with(b"HMSG ") {
        return Some(end);
    }
    let size = std::str::from_utf8(line)
        .ok()?
        .trim_end()
        .rsplit(' ')
        .next()?;
    let whole = end + size.parse::<usize>().ok()? + 2;
    (bytes.len() >= whole).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_apart_by_their_lines_and_sizes() {
        let stream = b"INFO {}\r\nMSG pbft.0.1 7 5\r\nab\r\nc\r\nHMSG a 1 2 3\r\nxyz\r\nPING\r\nMSG b 1 9\r\nx";
        let mut rest = &stream[..];
        let mut found = Vec::new();
        while let Some(length) = message_length(rest) {
            found.push(length);
            rest = &rest[length..];
        }
        assert_eq!(found, [9, 25, 19, 6]);
        assert_eq!(rest, b"MSG b 1 9\r\nx");
    }
}
