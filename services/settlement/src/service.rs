//! The service: its configuration, what it holds, and how it runs.

use std::sync::Arc;

use bus::{Bus, BusConfig, Call, Router};
use chassis::{InvalidKey, Shutdown};
use interfaces::{CommandReply, Problem, UseCase};
use ledger::{LedgerId, PublicKey, Timestamp};
use serde::Deserialize;
use store::{DatabaseConfig, Outbox, Store};
use submission::{Caller, Desk, SessionsConfig};

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
    identity: PublicKey,
}

impl Settlement {
    /// The verified caller.
    pub(crate) fn caller(&self, call: &Call) -> Result<Caller, Problem> {
        Caller::verify(
            &self.identity,
            call.authorization.as_deref(),
            Timestamp(chassis::clock::now()),
        )
    }

    /// Submits a member's command that has no facts, with the key the member has.
    pub(crate) async fn command(
        &self,
        caller: &Caller,
        submitter: LedgerId,
        command: contracts::settlement::command::Command,
    ) -> Result<CommandReply, Problem> {
        self.desk
            .command(caller, submitter, command, submission::no_facts())
            .await
    }
}

/// A database failure, logged without values.
pub(crate) fn database(error: sqlx::Error) -> Problem {
    tracing::error!(%error, "database");
    Problem::failure("settlement's database did not do its work")
}

/// Block time as people read it (RFC 3339).
pub(crate) fn time_text(time_us: i64) -> String {
    chrono::DateTime::from_timestamp_micros(time_us)
        .unwrap_or_default()
        .to_rfc3339()
}

/// Reads an id that this service wrote as hex.
pub(crate) fn parse<T: std::str::FromStr>(text: &str) -> Result<T, Problem> {
    text.parse()
        .map_err(|_| Problem::failure("a row of settlement's database is malformed"))
}

/// Runs the settlement service until it is told to stop.
pub async fn run(config: Config, shutdown: Shutdown) -> anyhow::Result<()> {
    let store = Store::open(&config.database.url, MIGRATIONS)
        .await
        .map_err(|error| InvalidKey::new("database.url", error))?;
    let bus = Bus::connect(&config.bus).await?;
    let outbox = Outbox::start(&store, &bus, &shutdown);
    let progress = store::projections::start(&store, &bus, Books, &shutdown).await?;
    let desk = Desk::new(bus.clone(), store.clone(), outbox, progress);
    let settlement = Arc::new(Settlement {
        store,
        desk,
        identity: config.sessions.public_key,
    });
    let serving = crate::api::router(Router::new(&bus), settlement).serve(shutdown.clone());
    shutdown.ready();
    serving.await?;
    Ok(())
}

/// Answers a use case with a function over [`Settlement`].
pub(crate) fn answer<Q, F, Fut>(router: Router, settlement: &Arc<Settlement>, handler: F) -> Router
where
    Q: UseCase,
    F: Fn(Arc<Settlement>, Call, Q) -> Fut + Send + Sync + Clone + 'static,
    Fut: Future<Output = Result<Q::Reply, Problem>> + Send + 'static,
{
    let settlement = settlement.clone();
    router.on::<Q, _, _>(move |call, request| handler(settlement.clone(), call, request))
}
