//! The projection by itself, for measurements.

use ledger::CertifiedBlock;
use store::Store;
use tokio::sync::mpsc;

use crate::migrations::MIGRATIONS;
use crate::projections::bindings::Bindings;

/// Rebuilds the projection `bindings` from verified blocks into the database at `url`; gives the number of events.
///
/// # Errors
/// What the database says, or an event that this program doesn't know.
pub async fn rebuild(url: &str, blocks: mpsc::Receiver<CertifiedBlock>) -> anyhow::Result<u64> {
    let store = Store::open(url, MIGRATIONS).await?;
    let events = store::projections::rebuild(&store, &Bindings, blocks).await?;
    store.close().await;
    Ok(events)
}
