//! The service: its configuration, what it holds, and how it runs.

use std::path::PathBuf;
use std::sync::Arc;

use bus::{Bus, BusConfig, Router};
use chassis::{InvalidKey, Shutdown};
use keys::{MemberKey, SealingKey, Secret};
use serde::Deserialize;
use store::projections::keeping_up;
use store::{DatabaseConfig, Outbox, Store};
use submission::{Desk, Sessions, SessionsConfig};

use crate::migrations::MIGRATIONS;
use crate::projections::bindings::Bindings;

/// Configuration of the iot service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Connection to the bus.
    pub bus: BusConfig,
    /// The service's own database.
    pub database: DatabaseConfig,
    /// How session tokens are checked.
    pub sessions: SessionsConfig,
    /// The service's member key: signs anchors and warnings.
    pub member: MemberConfig,
    /// Secrets of the service.
    pub secrets: SecretsConfig,
    /// How readings are taken.
    #[serde(default)]
    pub readings: ReadingsConfig,
}

/// The table `[member]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberConfig {
    /// Member key file, mode 0600.
    pub key_file: PathBuf,
}

/// The table `[secrets]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretsConfig {
    /// Secret file: encrypts readings and warnings at rest.
    pub master_file: PathBuf,
    /// Secret file: opens what devices seal.
    pub devices_file: PathBuf,
}

/// The table `[readings]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReadingsConfig {
    /// Readings are anchored at least this often, in milliseconds.
    pub anchor_every_ms: u64,
    /// A device that was heard once and then is silent for so many seconds raises a warning.
    pub silence_seconds: u64,
    /// How far ahead a device's clock may be, in seconds.
    pub ahead_seconds_max: u64,
    /// How old a buffered reading may be, in hours.
    pub age_hours_max: u64,
}

impl Default for ReadingsConfig {
    fn default() -> Self {
        Self {
            anchor_every_ms: 1_000,
            silence_seconds: 900,
            ahead_seconds_max: 120,
            age_hours_max: 72,
        }
    }
}

/// What every part of the service works with.
pub(crate) struct Iot {
    pub(crate) store: Store,
    pub(crate) bus: Bus,
    pub(crate) desk: Desk,
    pub(crate) member: MemberKey,
    pub(crate) at_rest: Secret,
    pub(crate) devices: SealingKey,
    pub(crate) readings: ReadingsConfig,
    pub(crate) sessions: Sessions,
}

impl Iot {}

/// The present time, microseconds since the Unix epoch.
pub(crate) fn now_us() -> u64 {
    chassis::clock::now()
}

/// Runs the iot service until it is told to stop.
pub async fn run(config: Config, shutdown: Shutdown) -> anyhow::Result<()> {
    let member = MemberKey::load(&config.member.key_file)
        .map_err(|error| InvalidKey::new("member.key_file", error))?;
    let at_rest = Secret::load(&config.secrets.master_file)
        .map_err(|error| InvalidKey::new("secrets.master_file", error))?;
    let devices = Secret::load(&config.secrets.devices_file)
        .map_err(|error| InvalidKey::new("secrets.devices_file", error))?;
    let store = Store::open(&config.database.url, MIGRATIONS)
        .await
        .map_err(|error| InvalidKey::new("database.url", error))?;
    let bus = Bus::connect(&config.bus).await?;
    let outbox = Outbox::start(&store, &bus, &shutdown);
    let progress = store::projections::start(&store, &bus, Bindings, &shutdown).await?;
    let desk = Desk::new(bus.clone(), store.clone(), outbox, progress.clone());
    let iot = Arc::new(Iot {
        store,
        bus: bus.clone(),
        sessions: config.sessions.over(desk.stopped(), &bus).await?,
        desk,
        member,
        at_rest: at_rest.derive("medshare/iot/at-rest/v1"),
        devices: SealingKey::from_secret(&devices),
        readings: config.readings,
    });
    let ingest = crate::ingest::Ingest::start(iot.clone()).await?;
    let ingesting = tokio::spawn(ingest.run(shutdown.clone()));
    let anchoring = tokio::spawn(crate::anchor::run(iot.clone(), shutdown.clone()));
    let listening = tokio::spawn(crate::watch::silence::run(iot.clone(), shutdown.clone()));
    let serving =
        crate::api::router(keeping_up(Router::new(&bus), &progress), iot).serve(shutdown.clone());
    shutdown.ready();
    tokio::select! {
        served = serving => served?,
        ended = ingesting => ended??,
        ended = anchoring => ended??,
        ended = listening => ended?,
    }
    Ok(())
}
