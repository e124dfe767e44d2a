//! Blocks from the replicas, verified; the latest that were asked for are remembered.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bus::Bus;
use futures::{StreamExt as _, TryStreamExt as _};
use interfaces::Problem;
use ledger::{CertifiedBlock, Digest, Height};

/// How many blocks are remembered.
const REMEMBERED: usize = 256;
/// And how many transactions in all of them.
const REMEMBERED_TRANSACTIONS: usize = 50_000;
/// Replicas asked for blocks at a time.
const ASKED_AT_ONCE: usize = 8;

/// Where blocks come from.
pub(super) struct Source {
    bus: Bus,
    remembered: Mutex<VecDeque<Arc<CertifiedBlock>>>,
}

impl Source {
    pub(super) fn new(bus: Bus) -> Source {
        Source {
            bus,
            remembered: Mutex::default(),
        }
    }

    /// A block by height; `None` if there is none (yet).
    pub(super) async fn block(&self, height: u64) -> Result<Option<Arc<CertifiedBlock>>, Problem> {
        if let Some(block) = self.recall(|block| block.block.header.height.0 == height) {
            return Ok(Some(block));
        }
        let found = self.bus.block(Height(height)).await;
        let found = found.map_err(|error| Problem::busy(error.to_string()))?;
        Ok(found.map(|block| self.remember(block)))
    }

    /// A block by its hash; `None` if there is none (yet).
    pub(super) async fn block_by_hash(
        &self,
        hash: Digest,
    ) -> Result<Option<Arc<CertifiedBlock>>, Problem> {
        let found = self.bus.block_by_hash(hash).await;
        let found = found.map_err(|error| Problem::busy(error.to_string()))?;
        Ok(found.map(|block| self.remember(block)))
    }

    /// Blocks by height, in the order asked for.
    pub(super) async fn blocks(
        &self,
        heights: impl IntoIterator<Item = u64>,
    ) -> Result<Vec<Arc<CertifiedBlock>>, Problem> {
        let asked = futures::stream::iter(heights).map(|height| self.block(height));
        let found: Vec<_> = asked.buffered(ASKED_AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    fn recall(&self, is_it: impl Fn(&CertifiedBlock) -> bool) -> Option<Arc<CertifiedBlock>> {
        let remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        remembered.iter().find(|block| is_it(block)).cloned()
    }

    fn remember(&self, block: CertifiedBlock) -> Arc<CertifiedBlock> {
        let block = Arc::new(block);
        let mut remembered = self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        remembered.push_front(block.clone());
        remembered.truncate(REMEMBERED);
        let mut transactions = 0;
        let room = remembered.iter().take_while(|block| {
            transactions += block.block.transactions.len();
            transactions <= REMEMBERED_TRANSACTIONS
        });
        let kept = room.count();
        remembered.truncate(kept);
        block
    }
}
