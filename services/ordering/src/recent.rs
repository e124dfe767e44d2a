//! Executed blocks on their way to a certificate, and the latest certified ones.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use ledger::{Block, Digest, SignedTransaction};

use crate::body::Body;

/// How many blocks are kept; the core looks back at most twice its window.
const KEPT: usize = 512;

/// An executed block.
#[derive(Debug)]
pub struct RecentBlock {
    /// The block.
    pub block: Block,
    /// Its hash.
    pub hash: Digest,
    /// The bodies of its transactions, in order; empty when the block was fetched from another replica.
    pub bodies: Vec<Arc<Body>>,
    /// The wire digests of its transactions, in order.
    pub wires: Vec<Digest>,
    /// When its execution began.
    pub started: Instant,
    /// When it was executed.
    pub executed: Instant,
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
    pub fn insert(&self, block: Arc<RecentBlock>) {
        let mut blocks = self.lock();
        blocks.insert(block.block.header.height.0, block);
        while blocks.len() > KEPT {
            blocks.pop_first();
        }
    }

    /// The block at that height, while it is recent.
    pub fn get(&self, height: u64) -> Option<Arc<RecentBlock>> {
        self.lock().get(&height).cloned()
    }

    /// A transaction of a recent block by its wire digest.
    pub fn transaction(&self, wire: &Digest) -> Option<SignedTransaction> {
        let blocks = self.lock();
        blocks.values().rev().find_map(|block| {
            let index = block.wires.iter().position(|other| other == wire)?;
            block.block.transactions.get(index).cloned()
        })
    }
}
