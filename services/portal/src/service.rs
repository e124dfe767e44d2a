//! The service: its configuration, what it holds, and how it runs.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::Request;
use bus::{Bus, BusConfig, EndedSessions};
use chassis::{InvalidKey, Shutdown};
use chrono::FixedOffset;
use hospitals::Hospitals;
use keys::Secret;
use keys::content::ContentKey;
use ledger::PublicKey;
use serde::Deserialize;
use tokio::sync::Semaphore;

use crate::explorer::{Explorer, ExplorerConfig};
use crate::language::{Currency, Language, Locale};
use crate::listener::{Peer, WebListener, WebTls};
use crate::live::Blocks;
use crate::once::Once;
use crate::pages;
use crate::tries::Tries;

/// Configuration of the portal.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Connection to the bus.
    pub bus: BusConfig,
    /// Where the pages are served.
    #[serde(default)]
    pub web: Web,
    /// Who signs session tokens.
    pub sessions: Sessions,
    /// The secret (64 hex characters, mode 0600) under which what a browser keeps for us is sealed.
    pub cookie_secret_file: PathBuf,
    /// How times and amounts are shown.
    #[serde(default)]
    pub display: Display,
    /// The explorer.
    pub explorer: ExplorerConfig,
}

/// The table `[web]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Web {
    /// Address and port; port 0 (the default, on the loopback address) takes a free one, which the readiness line names.
    pub address: SocketAddr,
    /// Certificate and key with which the pages are served over TLS.
    pub tls: Option<WebTls>,
    /// Whether browsers reach the portal over TLS that ends before it.
    pub behind_tls: bool,
    /// Bytes of a form.
    pub form_bytes: usize,
    /// Open streams of server-sent events.
    pub streams: usize,
    /// Sign-ins, registrations and codes that one address may try a minute.
    pub tries_per_minute: u32,
}

impl Default for Web {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            tls: None,
            behind_tls: false,
            form_bytes: 2 * 1024 * 1024,
            streams: 2_048,
            tries_per_minute: 60,
        }
    }
}

impl Web {
    /// Whether browsers reach the pages over TLS: cookies are then sent over TLS alone, and browsers keep to it.
    pub(crate) fn is_over_tls(&self) -> bool {
        self.tls.is_some() || self.behind_tls
    }
}

/// The table `[sessions]`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sessions {
    /// Public key (hex) with which identity signs session tokens.
    pub public_key: PublicKey,
}

/// The table `[display]`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Display {
    /// Minutes east of UTC in which times are shown.
    pub offset_minutes: i32,
    /// The consortium's currency.
    pub currency: Currency,
}

/// What every request works with.
pub(crate) struct Portal {
    pub(crate) bus: Bus,
    pub(crate) web: Web,
    pub(crate) sessions: Sessions,
    pub(crate) ended: EndedSessions,
    pub(crate) cookies: ContentKey,
    pub(crate) secret: Secret,
    pub(crate) hospitals: Hospitals,
    pub(crate) blocks: Blocks,
    pub(crate) explorer: Explorer,
    pub(crate) once: Once,
    pub(crate) tries: Tries,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) viewed: crate::viewed::Viewed,
    pub(crate) unsigned: crate::unsigned::Unsigned,
    pub(crate) shutdown: Shutdown,
    offset: FixedOffset,
    currency: Currency,
}

impl Portal {
    /// How somebody who reads `language` reads dates and amounts.
    pub(crate) fn locale(&self, language: Language) -> Locale {
        Locale {
            language,
            offset: self.offset,
            currency: self.currency,
        }
    }
}

/// Runs the portal until it is told to stop.
///
/// # Errors
/// [`InvalidKey`] when a key of the configuration cannot be used, [`bus::BusError`] when the bus cannot.
pub async fn run(config: Config, shutdown: Shutdown) -> anyhow::Result<()> {
    let offset = FixedOffset::east_opt(config.display.offset_minutes.saturating_mul(60))
        .ok_or_else(|| InvalidKey::new("display.offset_minutes", "must be within a day"))?;
    let listener = WebListener::bind(config.web.address, config.web.tls.clone()).await?;
    let secret = Secret::load(&config.cookie_secret_file)
        .map_err(|error| InvalidKey::new("cookie_secret_file", error))?;
    let bus = Bus::connect(&config.bus).await?;
    let portal = Arc::new(Portal {
        hospitals: Hospitals::new(bus.clone()),
        blocks: Blocks::default(),
        explorer: Explorer::start(&config.explorer, &bus, &shutdown).await?,
        once: Once::default(),
        tries: Tries::new(config.web.tries_per_minute),
        streams: Arc::new(Semaphore::new(config.web.streams)),
        viewed: crate::viewed::Viewed::default(),
        unsigned: crate::unsigned::Unsigned::default(),
        cookies: ContentKey::from_secret(secret.derive("portal/cookies/v1")),
        secret,
        web: config.web,
        ended: EndedSessions::follow(&bus, config.sessions.public_key).await?,
        sessions: config.sessions,
        shutdown: shutdown.clone(),
        offset,
        currency: config.display.currency,
        bus,
    });
    tokio::spawn(crate::live::follow(portal.clone()));
    let whole = async |request: Request| chassis::unread::take_in(request);
    let router = pages::router(portal.clone()).layer(axum::middleware::map_request(whole));
    shutdown.ready_at(&[("web", axum::serve::Listener::local_addr(&listener)?)]);
    let stopping = shutdown.clone();
    axum::serve(
        listener,
        router.into_make_service_with_connect_info::<Peer>(),
    )
    .with_graceful_shutdown(async move { stopping.requested().await })
    .await?;
    portal.bus.close().await;
    Ok(())
}
