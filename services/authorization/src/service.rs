//! The service: its configuration, what it holds, and how it runs.

use std::sync::Arc;

use bus::{Bus, BusConfig, Router};
use chassis::{InvalidKey, Shutdown};
use interfaces::{Problem, UseCase};
use serde::Deserialize;
use store::projections::keeping_up;
use store::{DatabaseConfig, Outbox, Store};
use submission::{Caller, Desk, Sessions, SessionsConfig};

use crate::migrations::MIGRATIONS;
use crate::projections::workflow::Workflow;

/// Configuration of the authorization service.
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
pub(crate) struct Authorization {
    pub(crate) store: Store,
    pub(crate) desk: Desk,
    bus: Bus,
    pub(crate) sessions: Sessions,
}

impl Authorization {
    /// Asks the identity service, with the caller's token where it needs one.
    pub(crate) async fn ask_identity<Q: UseCase>(
        &self,
        caller: Option<&Caller>,
        request: &Q,
    ) -> Result<Q::Reply, Problem> {
        self.bus
            .request(
                &bus::Target::service("identity"),
                caller.map(Caller::token),
                request,
            )
            .await
    }

    /// Asks the index service.
    pub(crate) async fn ask_index<Q: UseCase>(&self, request: &Q) -> Result<Q::Reply, Problem> {
        self.bus
            .request(&bus::Target::service("index"), None, request)
            .await
    }
}

/// Runs the authorization service until it is told to stop.
pub async fn run(config: Config, shutdown: Shutdown) -> anyhow::Result<()> {
    let store = Store::open(&config.database.url, MIGRATIONS)
        .await
        .map_err(|error| InvalidKey::new("database.url", error))?;
    let bus = Bus::connect(&config.bus).await?;
    let outbox = Outbox::start(&store, &bus, &shutdown);
    let progress = store::projections::start(&store, &bus, Workflow, &shutdown).await?;
    let desk = Desk::new(bus.clone(), store.clone(), outbox, progress.clone());
    let authorization = Arc::new(Authorization {
        store,
        sessions: config.sessions.over(desk.stopped(), &bus).await?,
        desk,
        bus: bus.clone(),
    });
    let serving = crate::api::router(keeping_up(Router::new(&bus), &progress), authorization)
        .serve(shutdown.clone());
    shutdown.ready();
    serving.await?;
    Ok(())
}
