//! The service: its configuration, what it holds, and how it runs.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bus::{Bus, BusConfig, Call, Router};
use chassis::{InvalidKey, Shutdown};
use interfaces::Problem;
use keys::Secret;
use keys::pseudonym::Pseudonyms;
use ledger::LedgerId;
use serde::Deserialize;
use store::projections::keeping_up;
use store::{DatabaseConfig, Store};
use submission::{Sessions, SessionsConfig};
use tokio::sync::Mutex;

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
    handles: Secret,
    pub(crate) sessions: Sessions,
    search: Arc<RwLock<SearchIndex>>,
    /// Held while a search is judged by earlier ones.
    pub(crate) searching: Mutex<()>,
}

impl Index {
    /// The handles that stand for records in an applicant's answers.
    pub(crate) fn handles_of(&self, applicant: &LedgerId) -> Pseudonyms {
        Pseudonyms::of(&self.handles, &applicant.0, b"medshare/index/handle/v2")
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
    let progress = store::projections::start(&store, &bus, heads, &shutdown).await?;
    let index = Arc::new(Index {
        store,
        handles,
        sessions: config.sessions.over(progress.stopped(), &bus).await?,
        search,
        searching: Mutex::new(()),
    });
    let serving =
        crate::api::router(keeping_up(Router::new(&bus), &progress), index).serve(shutdown.clone());
    shutdown.ready();
    serving.await?;
    Ok(())
}
