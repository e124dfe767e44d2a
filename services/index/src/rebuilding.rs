//! The projection by itself, for measurements.

use std::sync::{Arc, RwLock};

use ledger::CertifiedBlock;
use store::Store;
use tokio::sync::mpsc;

use crate::migrations::MIGRATIONS;
use crate::projections::heads::Heads;
use crate::search::SearchIndex;

/// Rebuilds the projection `heads` from verified blocks into the database at `url`; gives the number of events.
///
/// # Errors
/// What the database says, or an event that this program doesn't know.
pub async fn rebuild(url: &str, blocks: mpsc::Receiver<CertifiedBlock>) -> anyhow::Result<u64> {
    let store = Store::open(url, MIGRATIONS).await?;
    let search = Arc::new(RwLock::new(SearchIndex::default()));
    let heads = Heads::load(store.clone(), search).await?;
    let events = store::projections::rebuild(&store, &heads, blocks).await?;
    store.close().await;
    Ok(events)
}
