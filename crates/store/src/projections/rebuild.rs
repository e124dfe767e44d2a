//! A projection rebuilt from blocks at hand, without a bus.

use bus::Position;
use ledger::{CertifiedBlock, Height};
use tokio::sync::mpsc;

use super::{BLOCKS_AT_ONCE, EVENTS_AT_ONCE, ProjectedBlock, Projection, fold, write_position};
use crate::database::Store;

/// Rebuilds a projection from verified blocks as they come, genesis first, without reactions: what a service does when
/// it follows from the start. Gives the number of events.
///
/// # Errors
/// The database's, or an event that this program doesn't know.
pub async fn rebuild<P: Projection>(
    store: &Store,
    projection: &P,
    mut blocks: mpsc::Receiver<CertifiedBlock>,
) -> anyhow::Result<u64> {
    let mut transaction = store.begin().await?;
    projection.reset(&mut transaction).await?;
    transaction.commit().await?;
    let mut count = 0;
    while let Some(first) = blocks.recv().await {
        let mut batch = vec![ProjectedBlock::read(first)?];
        let mut events = batch[0].events.len();
        while batch.len() < BLOCKS_AT_ONCE && events < EVENTS_AT_ONCE {
            let Ok(block) = blocks.try_recv() else {
                break;
            };
            let block = ProjectedBlock::read(block)?;
            events += block.events.len();
            batch.push(block);
        }
        let batch: Vec<&ProjectedBlock> = batch.iter().collect();
        fold(store, projection, &batch, Height(u64::MAX)).await?;
        count += events as u64;
    }
    Ok(count)
}

/// Notes that a projection is before the genesis block although it has rows, so that it is not reset when it starts: for
/// measurements, which fill tables beforehand.
///
/// # Errors
/// What the database says.
pub async fn keep_rows<P: Projection>(store: &Store) -> Result<(), sqlx::Error> {
    let mut transaction = store.begin().await?;
    write_position::<P>(&mut transaction, Position::START, Height(0)).await?;
    transaction.commit().await
}
