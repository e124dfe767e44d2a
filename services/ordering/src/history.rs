//! The history log's nodes on disk, from which checkpoints and the proofs between them come at any length of the chain.

use fjall::{Keyspace, OwnedWriteBatch};
use ledger::tree_nodes::{self, NodeSource, Place};
use ledger::{Digest, Height};

use crate::state::StateError;

/// The nodes of complete subtrees.
#[derive(Clone)]
pub struct History {
    nodes: Keyspace,
}

impl NodeSource for History {
    type Error = StateError;

    fn node(&self, place: Place) -> Result<Digest, StateError> {
        let found = self.nodes.get(key(place))?;
        let bytes = found.as_deref().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Digest).ok_or(StateError::Damaged("history"))
    }
}

impl History {
    /// Over a keyspace of its own.
    pub fn new(nodes: Keyspace) -> History {
        History { nodes }
    }

    /// Whether the block at this height is in the log.
    ///
    /// # Errors
    /// [`StateError::Store`].
    pub fn holds(&self, height: Height) -> Result<bool, StateError> {
        Ok(self.nodes.contains_key(key((0, height.0)))?)
    }

    /// Adds a block's hash to a batch; all blocks before are in the log.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn append(
        &self,
        batch: &mut OwnedWriteBatch,
        height: Height,
        hash: &Digest,
    ) -> Result<(), StateError> {
        for (place, node) in tree_nodes::appended(self, height.0, &hash.0)? {
            batch.insert(&self.nodes, key(place), node.0);
        }
        Ok(())
    }

    /// The root over the first `size` blocks.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn root(&self, size: u64) -> Result<Digest, StateError> {
        tree_nodes::root(self, size)
    }

    /// The proof from one size to another; `None` if they do not fit. The caller knows that there are `second` blocks.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn consistency(&self, first: u64, second: u64) -> Result<Option<Vec<Digest>>, StateError> {
        tree_nodes::consistency_proof(self, first, second)
    }

    /// The proof that a block is among the first `size`; `None` if it is not.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn inclusion(&self, height: Height, size: u64) -> Result<Option<Vec<Digest>>, StateError> {
        tree_nodes::inclusion_proof(self, height.0, size)
    }
}

fn key((level, index): Place) -> [u8; 9] {
    let mut key = [0; 9];
    key[0] = level as u8;
    key[1..].copy_from_slice(&index.to_be_bytes());
    key
}
