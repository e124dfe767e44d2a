//! The service: its configuration, what it holds, and how it runs.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bus::{Bus, BusConfig, Call, Router};
use chassis::{InvalidKey, Shutdown};
use interfaces::{Problem, UseCase};
use keys::Secret;
use ledger::{PublicKey, Timestamp};
use serde::Deserialize;
use store::{DatabaseConfig, Store};
use submission::{Caller, SessionsConfig};

use crate::migrations::MIGRATIONS;
use crate::projections::heads::Heads;
use crate::search::SearchIndex;

/// Configuration of the index service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Connection to the bus.
    pub bus: BusConfig,
    /// The service's own database.
    pub database: DatabaseConfig,
    /// How session tokens are checked.
    pub sessions: SessionsConfig,
    /// Secret file: keys the handles that stand for records in search answers.
    pub handle_secret: PathBuf,
}

/// What every use case works with.
pub(crate) struct Index {
    pub(crate) store: Store,
    pub(crate) handles: Secret,
    identity: PublicKey,
    search: Arc<RwLock<SearchIndex>>,
}

impl Index {
    /// The verified caller.
    pub(crate) fn caller(&self, call: &Call) -> Result<Caller, Problem> {
        Caller::verify(
            &self.identity,
            call.authorization.as_deref(),
            Timestamp(chassis::clock::now()),
        )
    }

    /// The rows that count, for reading.
    pub(crate) fn search(&self) -> RwLockReadGuard<'_, SearchIndex> {
        self.search.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rows that count, for changing.
    pub(crate) fn search_mut(&self) -> RwLockWriteGuard<'_, SearchIndex> {
        self.search.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses (403) unless the calling process is a hospital's records service.
    pub(crate) fn require_records_service(call: &Call) -> Result<(), Problem> {
        if call.caller.starts_with("records-") {
            return Ok(());
        }
        Err(Problem::forbidden(
            "this is for hospitals' records services",
        ))
    }
}

/// A database failure, logged without values.
pub(crate) fn database(error: sqlx::Error) -> Problem {
    tracing::error!(%error, "database");
    Problem::failure("the index's database did not do its work")
}

/// Runs the index service until it is told to stop.
pub async fn run(config: Config, shutdown: Shutdown) -> anyhow::Result<()> {
    let handles = Secret::load(&config.handle_secret)
        .map_err(|error| InvalidKey::new("handle_secret", error))?;
    let store = Store::open(&config.database.url, MIGRATIONS)
        .await
        .map_err(|error| InvalidKey::new("database.url", error))?;
    let bus = Bus::connect(&config.bus).await?;
    let search = Arc::new(RwLock::new(SearchIndex::default()));
    let heads = Heads::load(store.clone(), search.clone()).await?;
    store::projections::start(&store, &bus, heads, &shutdown).await?;
    let index = Arc::new(Index {
        store,
        handles,
        identity: config.sessions.public_key,
        search,
    });
    let serving = crate::api::router(Router::new(&bus), index).serve(shutdown.clone());
    shutdown.ready();
    serving.await?;
    Ok(())
}

/// Answers a use case with a function over [`Index`].
pub(crate) fn answer<Q, F, Fut>(router: Router, index: &Arc<Index>, handler: F) -> Router
where
    Q: UseCase,
    F: Fn(Arc<Index>, Call, Q) -> Fut + Send + Sync + Clone + 'static,
    Fut: Future<Output = Result<Q::Reply, Problem>> + Send + 'static,
{
    let index = index.clone();
    router.on::<Q, _, _>(move |call, request| handler(index.clone(), call, request))
}
