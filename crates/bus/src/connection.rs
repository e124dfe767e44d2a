//! One process on the bus: its connection, keys, directory and what it waits for.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use async_nats::{ConnectOptions, Event, ServerError};
use keys::nkey::BusUserKey;
use keys::tls::TlsFiles;
use keys::{SealingKey, Secret};
use ledger::{Digest, GenesisFile};
use serde::{Deserialize, Serialize};

use crate::addressing::Addressing;
use crate::directory::Directory;
use crate::error::BusError;
use crate::patience::Patience;
use crate::subjects;
use crate::submit::Submissions;
use crate::waiting::{self, Incoming, OfReplica, Waiters};

/// Attempts of the first connection last this long before [`BusError::Connect`].
const CONNECT_WITHIN: Duration = Duration::from_secs(30);
/// A message from this process to itself takes at most this long.
const SETTLE_WITHIN: Duration = Duration::from_secs(10);
/// Slots of a subscription inside the client; ours are drained at once.
const SUBSCRIPTION_CAPACITY: usize = 65_536;

/// How a process reaches the bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BusConfig {
    /// Servers, `nats://host:port` or `tls://host:port`; one is enough to start.
    pub servers: Vec<String>,
    /// The process's bus name: `identity`, `records-<slug>`, `gateway`, `replica-0`.
    pub user: String,
    /// Its nkey seed, mode 0600.
    pub nkey_seed_file: PathBuf,
    /// JSON: bus name to `{"sealing_key", "public_key"}`; read again when a name is unknown.
    pub directory: PathBuf,
    /// The secret of its sealing key (64 hex characters), mode 0600.
    pub sealing_seed_file: PathBuf,
    /// The genesis file.
    pub genesis: PathBuf,
    /// Certificates for mutual TLS with the servers; absent: plain connections, for a single machine only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsFiles>,
}

/// A process's connection to the bus. Cloning is cheap and shares it.
#[derive(Debug, Clone)]
pub struct Bus {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) client: async_nats::Client,
    pub(crate) user: String,
    pub(crate) sealing: SealingKey,
    pub(crate) directory: Directory,
    pub(crate) genesis: GenesisFile,
    pub(crate) chain: Digest,
    pub(crate) waiters: Arc<Waiters>,
    /// Those who wait for what replicas answer to their transactions.
    pub(crate) submitters: Arc<Waiters<OfReplica>>,
    pub(crate) epochs: crate::epochs::KnownEpochs,
    pub(crate) patience: Patience,
    pub(crate) addressing: Arc<Addressing>,
    pub(crate) submissions: Submissions,
}

impl Bus {
    /// Connects, trying for half a minute; afterwards the client reconnects by itself, for ever.
    ///
    /// # Errors
    /// [`BusError`], naming the configuration key, the file or the server.
    pub async fn connect(config: &BusConfig) -> Result<Bus, BusError> {
        if !subjects::is_token(&config.user) {
            let reason = "expected 1 to 64 characters of a-z, 0-9, - and _".to_owned();
            return Err(BusError::Configuration {
                key: "user",
                reason,
            });
        }
        let key = BusUserKey::load(&config.nkey_seed_file)?;
        let sealing = SealingKey::from_secret(&Secret::load(&config.sealing_seed_file)?);
        let directory = Directory::open(&config.directory)?;
        let genesis = read_genesis(&config.genesis)?;
        let waiters = Arc::new(Waiters::default());
        let submitters = Arc::new(Waiters::default());
        if let Some(tls) = &config.tls {
            tls.load()?;
        }
        let client = connect_client(config, &key, waiters.clone(), submitters.clone()).await?;
        let refused = |error: async_nats::SubscribeError| BusError::Client(error.to_string());
        let replies = client
            .subscribe(subjects::all_replies(&config.user))
            .await
            .map_err(refused)?;
        waiting::drain(replies, waiters.clone(), submitters.clone());
        let addressing = Arc::new(Addressing::default());
        let inner = Inner {
            submissions: Submissions::start(client.clone(), &config.user, addressing.clone()),
            addressing,
            client,
            user: config.user.clone(),
            sealing,
            directory,
            chain: genesis.chain_id(),
            epochs: crate::epochs::KnownEpochs::of(&genesis),
            patience: Patience::default(),
            genesis,
            waiters,
            submitters,
        };
        let bus = Bus {
            inner: Arc::new(inner),
        };
        bus.settle_subscriptions().await?;
        if let Some(tls) = &config.tls {
            tokio::spawn(crate::renewal::keep_current(bus.downgrade(), tls.clone()));
        }
        Ok(bus)
    }

    /// A handle that does not keep the connection.
    pub(crate) fn downgrade(&self) -> Weak<Inner> {
        Arc::downgrade(&self.inner)
    }

    /// Returns once the server has processed every subscription made so far on this connection: what others
    /// publish from now on arrives. (Flushing only hands bytes to the network.)
    ///
    /// # Errors
    /// [`BusError::Client`] if the server does not send a message back within ten seconds.
    pub async fn settle_subscriptions(&self) -> Result<(), BusError> {
        let token = crate::request::random_token();
        let subject = subjects::reply(self.user(), self.user(), &token);
        let mut waiting = self.inner.waiters.wait(&token, &subject, 1);
        let failed = |reason: &str| BusError::Client(reason.to_owned());
        self.client()
            .publish(subject, "".into())
            .await
            .map_err(|error| failed(&error.to_string()))?;
        match tokio::time::timeout(SETTLE_WITHIN, waiting.next()).await {
            Ok(Incoming::Message(_)) => Ok(()),
            Ok(Incoming::Denied) => Err(BusError::Denied("a message to itself was denied".into())),
            Err(_) => Err(failed("the server does not send messages back")),
        }
    }

    /// The process's bus name.
    pub fn user(&self) -> &str {
        &self.inner.user
    }

    /// Who is on the bus.
    pub fn directory(&self) -> &Directory {
        &self.inner.directory
    }

    /// The genesis file.
    pub fn genesis(&self) -> &GenesisFile {
        &self.inner.genesis
    }

    /// The chain id.
    pub fn chain(&self) -> Digest {
        self.inner.chain
    }

    /// The connection itself, for the ordering and iot services. A publication that the server denies
    /// returns success: it is logged, and counted as `bus_denied_total`.
    pub fn client(&self) -> &async_nats::Client {
        &self.inner.client
    }

    /// JetStream on this connection.
    pub fn jetstream(&self) -> async_nats::jetstream::Context {
        async_nats::jetstream::new(self.inner.client.clone())
    }

    /// Sends everything that was published, and closes.
    pub async fn close(&self) {
        // A connection that is already gone is closed.
        let _ = self.inner.client.flush().await;
        let _ = self.inner.client.drain().await;
    }
}

async fn connect_client(
    config: &BusConfig,
    key: &BusUserKey,
    waiters: Arc<Waiters>,
    submitters: Arc<Waiters<OfReplica>>,
) -> Result<async_nats::Client, BusError> {
    let started = std::time::Instant::now();
    loop {
        let mut options = ConnectOptions::with_nkey(key.expose_seed().to_owned())
            .name(&config.user)
            .custom_inbox_prefix(subjects::inbox_prefix(&config.user))
            // The nearest broker is named first.
            .retain_servers_order()
            .subscription_capacity(SUBSCRIPTION_CAPACITY)
            .connection_timeout(Duration::from_secs(5))
            .ping_interval(Duration::from_secs(10))
            .reconnect_delay_callback(|attempts| {
                Duration::from_millis((50 * attempts.min(40) as u64).max(10))
            })
            .event_callback({
                let (waiters, submitters) = (waiters.clone(), submitters.clone());
                move |event| {
                    if let Some(subject) = on_event(&event) {
                        waiters.denied(subject);
                        if let Some(user) = subjects::user_of(subject) {
                            submitters.denied(&subjects::transactions(user));
                        }
                    }
                    std::future::ready(())
                }
            });
        if let Some(tls) = &config.tls {
            // Read again at each connection, so that a renewed certificate is shown at the next one.
            options = options
                .add_root_certificates(tls.root_file.clone())
                .add_client_certificate(tls.identity_file.clone(), tls.identity_file.clone())
                .require_tls(true);
        }
        match options.connect(config.servers.as_slice()).await {
            Ok(client) => return Ok(client),
            Err(error) if started.elapsed() >= CONNECT_WITHIN => {
                let (servers, user, reason) = (
                    config.servers.clone(),
                    config.user.clone(),
                    error.to_string(),
                );
                return Err(BusError::Connect {
                    servers,
                    user,
                    reason,
                });
            }
            Err(error) => {
                tracing::debug!(%error, "no connection to the bus yet");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Gives the subject that was denied: a denied publication returns success to its sender, and this event is all there is.
fn on_event(event: &Event) -> Option<&str> {
    match event {
        Event::ServerError(ServerError::Other(text))
            if text.to_ascii_lowercase().contains("permissions violation") =>
        {
            denials().add(1);
            tracing::error!(error = %text, "the bus denied a subject");
            return text.split('"').nth(1);
        }
        Event::SlowConsumer(_) => tracing::error!("{event}: messages were dropped"),
        Event::ServerError(_) | Event::ClientError(_) | Event::Disconnected => {
            tracing::warn!("bus: {event}")
        }
        _ => tracing::debug!("bus: {event}"),
    }
    None
}

fn denials() -> &'static chassis::metrics::Counter {
    static COUNTER: OnceLock<chassis::metrics::Counter> = OnceLock::new();
    COUNTER
        .get_or_init(|| chassis::metrics::counter("bus_denied_total", "Subjects the broker denied"))
}

fn read_genesis(path: &std::path::Path) -> Result<GenesisFile, BusError> {
    let failed = |reason: String| BusError::File {
        path: path.into(),
        reason,
    };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    GenesisFile::from_json(&text).map_err(|error| failed(error.to_string()))
}
