//! The projection by itself, for measurements.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use ledger::{CertifiedBlock, LedgerId};
use store::Store;
use tokio::sync::{Notify, mpsc};

use crate::heard::Heard;
use crate::migrations::MIGRATIONS;
use crate::projections::Ledger;

/// Rebuilds the projection `records` of a hospital from verified blocks into the database at `url`; gives the number of
/// events.
///
/// # Errors
/// What the database says, or an event that this program doesn't know.
pub async fn rebuild(
    url: &str,
    hospital: LedgerId,
    blocks: mpsc::Receiver<CertifiedBlock>,
) -> anyhow::Result<u64> {
    let store = Store::open(url, MIGRATIONS).await?;
    let ledger = Ledger {
        hospital,
        heard: Heard::new(Duration::MAX),
        work: Arc::new(Notify::new()),
        activated: Arc::new(AtomicBool::new(false)),
    };
    let events = store::projections::rebuild(&store, &ledger, blocks).await?;
    store.close().await;
    Ok(events)
}
