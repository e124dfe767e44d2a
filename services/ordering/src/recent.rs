//! Executed blocks on their way to a certificate, and the latest certified ones.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use ledger::{Block, Digest, Height};

use crate::body::Body;

/// How many blocks are kept; the core looks back at most twice its window.
const KEPT: usize = 320;

/// An executed block.
#[derive(Clone, Debug)]
pub struct RecentBlock {
    /// The block; `None` once it is in the block files.
    pub block: Option<Block>,
    /// Its hash.
    pub hash: Digest,
    /// The bodies of its transactions, in order; empty when the block was fetched from another replica.
    pub bodies: Vec<Arc<Body>>,
    /// The wire digests of its transactions, in order.
    pub wires: Vec<Digest>,
    /// When it passed each phase here.
    pub phases: Phases,
}

/// When a block passed each phase at this replica. What was not ordered here (a fetched or a restored block) has no times
/// of ordering.
#[derive(Clone, Copy, Debug)]
pub struct Phases {
    /// Its batch's way through the agreement.
    pub ordered: Ordered,
    /// When its execution began.
    pub started: Instant,
    /// When it was executed.
    pub executed: Instant,
}

/// When a batch passed the phases of the agreement (Castro and Liskov, §4.2).
#[derive(Clone, Copy, Debug, Default)]
pub struct Ordered {
    /// The primary proposed it, or a backup agreed to the proposal.
    pub proposed: Option<Instant>,
    /// A quorum agreed to the proposal, and it went to execution.
    pub prepared: Option<Instant>,
}

/// The latest executed blocks, by height.
#[derive(Debug, Default)]
pub struct RecentBlocks {
    blocks: Mutex<BTreeMap<u64, Arc<RecentBlock>>>,
}

impl RecentBlocks {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Arc<RecentBlock>>> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a block, and lets go of the oldest.
    pub fn insert(&self, height: Height, block: Arc<RecentBlock>) {
        let mut blocks = self.lock();
        blocks.insert(height.0, block);
        while blocks.len() > KEPT {
            blocks.pop_first();
        }
    }

    /// Lets go of the blocks above a height: others take their places.
    pub fn take_back_to(&self, height: Height) {
        self.lock().split_off(&height.next().0);
    }

    /// The block at that height, while it is recent.
    pub fn get(&self, height: u64) -> Option<Arc<RecentBlock>> {
        self.lock().get(&height).cloned()
    }

    /// Takes the block at that height with its content, which goes to the block files and need not be kept here as well.
    pub fn take(&self, height: Height) -> Option<RecentBlock> {
        let mut blocks = self.lock();
        let place = blocks.get_mut(&height.0)?;
        let light = Arc::new(RecentBlock {
            block: None,
            hash: place.hash,
            bodies: Vec::new(),
            wires: place.wires.clone(),
            phases: place.phases,
        });
        let whole = std::mem::replace(place, light);
        drop(blocks);
        Some(Arc::unwrap_or_clone(whole))
    }

    /// The wire digests of all transactions in recent blocks.
    pub fn wires(&self) -> HashSet<Digest> {
        let blocks = self.lock();
        blocks
            .values()
            .flat_map(|block| block.wires.iter().copied())
            .collect()
    }

    /// Where in the recent blocks a transaction stands: height and index.
    pub fn place(&self, wire: &Digest) -> Option<(Height, usize)> {
        let blocks = self.lock();
        blocks.iter().rev().find_map(|(height, block)| {
            let index = block.wires.iter().position(|other| other == wire)?;
            Some((Height(*height), index))
        })
    }
}
