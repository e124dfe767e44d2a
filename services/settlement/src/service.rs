//! The service: its configuration, what it holds, and how it runs.

use std::sync::Arc;

use bus::{Bus, BusConfig, Router};
use chassis::{InvalidKey, Shutdown};
use serde::Deserialize;
use store::projections::keeping_up;
use store::{DatabaseConfig, Outbox, Store};
use submission::{Desk, Sessions, SessionsConfig};

use crate::migrations::MIGRATIONS;
use crate::projections::books::Books;

/// Configuration of the settlement service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Connection to the bus.
    pub bus: BusConfig,
    /// The service's own database.
    pub database: DatabaseConfig,
    /// How session tokens are checked.
    pub sessions: SessionsConfig,
}

/// What every use case works with.
pub(crate) struct Settlement {
    pub(crate) store: Store,
    pub(crate) desk: Desk,
    pub(crate) sessions: Sessions,
}

impl Settlement {}

/// Runs the settlement service until it is told to stop.
pub async fn run(config: Config, shutdown: Shutdown) -> anyhow::Result<()> {
    let store = Store::open(&config.database.url, MIGRATIONS)
        .await
        .map_err(|error| InvalidKey::new("database.url", error))?;
    let bus = Bus::connect(&config.bus).await?;
    let outbox = Outbox::start(&store, &bus, &shutdown);
    let progress = store::projections::start(&store, &bus, Books, &shutdown).await?;
    let desk = Desk::new(bus.clone(), store.clone(), outbox, progress.clone());
    let settlement = Arc::new(Settlement {
        store,
        sessions: config.sessions.over(desk.stopped()),
        desk,
    });
    let serving = crate::api::router(keeping_up(Router::new(&bus), &progress), settlement)
        .serve(shutdown.clone());
    shutdown.ready();
    serving.await?;
    Ok(())
}
