//! Blocks: ordered transactions with their outcomes under a header.

use serde::{Deserialize, Serialize};

use crate::canonical::{self, CanonicalError};
use crate::certificate::Certificate;
use crate::digest::{Digest, tagged};
use crate::identifier::{Epoch, Height, Timestamp};
use crate::merkle;
use crate::outcome::{self, Outcome, OutcomeLeaf};
use crate::transaction::{self, SignedTransaction, TransactionId};

const HEADER_TAG: &str = "medshare/header/v1";

/// What replicas vote on. Its digest is the block's hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The chain id.
    pub chain: Digest,
    /// The block's position.
    pub height: Height,
    /// The hash of the block before; zero for the genesis block.
    pub previous: Digest,
    /// Block time, strictly increasing.
    pub time: Timestamp,
    /// The epoch whose replicas certify this block.
    pub epoch: Epoch,
    /// How many transactions. The outcome tree has one leaf more.
    pub transactions: u32,
    /// The tree over the transactions' wire digests.
    pub transaction_root: Digest,
    /// The tree over the outcome leaves' hashes.
    pub outcome_root: Digest,
    /// The state's root at a checkpoint some blocks before (`docs/ledger-format.md`, trees).
    pub state_root: Digest,
    /// The tree over the hashes of all blocks before this one.
    pub history_root: Digest,
}

impl Header {
    /// The block's hash.
    pub fn hash(&self) -> Digest {
        tagged(HEADER_TAG, &[&canonical::encode(self)])
    }
}

/// A block as executed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// The header.
    pub header: Header,
    /// The transactions in order.
    pub transactions: Vec<SignedTransaction>,
    /// Leaf 0 is the system's, leaf `i + 1` belongs to transaction `i`.
    pub outcomes: Vec<OutcomeLeaf>,
}

/// How a block's content contradicts its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// The header counts another number of transactions.
    #[error("the header counts {header} transactions, the block has {found}")]
    TransactionCount {
        /// In the header.
        header: u32,
        /// In the block.
        found: usize,
    },
    /// There is not exactly one outcome more than transactions.
    #[error("{transactions} transactions need {} outcomes, there are {found}", transactions + 1)]
    OutcomeCount {
        /// How many transactions.
        transactions: usize,
        /// How many outcomes.
        found: usize,
    },
    /// Leaf 0 names a transaction or is rejected.
    #[error("outcome 0 is not the system's")]
    SystemLeaf,
    /// An outcome belongs to another transaction than its place says.
    #[error("outcome {0} is not of the transaction at its place")]
    OutcomePlace(usize),
    /// A rejected transaction has events.
    #[error("outcome {0} is rejected and has events")]
    RejectedWithEvents(usize),
    /// The transactions do not give the header's root.
    #[error("the transactions do not give the header's transaction root")]
    TransactionRoot,
    /// The outcomes do not give the header's root.
    #[error("the outcomes do not give the header's outcome root")]
    OutcomeRoot,
}

/// The data of the transaction tree's leaves: wire digests.
pub fn transaction_leaves(transactions: &[SignedTransaction]) -> Vec<Digest> {
    transactions
        .iter()
        .map(SignedTransaction::wire_digest)
        .collect()
}

/// The data of the outcome tree's leaves.
pub fn outcome_leaves(outcomes: &[OutcomeLeaf]) -> Vec<Digest> {
    outcomes.iter().map(OutcomeLeaf::hash).collect()
}

/// The root over the transactions.
pub fn transaction_root(transactions: &[SignedTransaction]) -> Digest {
    merkle::root(&transaction_leaves(transactions))
}

/// The root over the outcomes.
pub fn outcome_root(outcomes: &[OutcomeLeaf]) -> Digest {
    merkle::root(&outcome_leaves(outcomes))
}

/// The digests of all that a block holds, made in one pass over its encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockDigests {
    /// The transactions' ids.
    pub transactions: Vec<TransactionId>,
    /// The transactions' wire digests.
    pub wires: Vec<Digest>,
    /// The outcome leaves' hashes.
    pub outcomes: Vec<Digest>,
}

impl BlockDigests {
    /// Of a block.
    pub fn of(block: &Block) -> BlockDigests {
        BlockDigests::append(block, &mut Vec::new())
    }

    /// Appends the canonical encoding of a block to `bytes`, digesting its parts on the way: a structure's encoding is that
    /// of its fields one after the other, so that each part's own encoding is a piece of the whole.
    fn append(block: &Block, bytes: &mut Vec<u8>) -> BlockDigests {
        canonical::append(&block.header, bytes);
        canonical::append_length(block.transactions.len(), bytes);
        let mut transactions = Vec::with_capacity(block.transactions.len());
        let mut wires = Vec::with_capacity(block.transactions.len());
        for signed in &block.transactions {
            let start = bytes.len();
            canonical::append(&signed.body, bytes);
            transactions.push(transaction::body_digest(&bytes[start..]));
            canonical::append(&signed.signature, bytes);
            wires.push(transaction::wire_digest(&bytes[start..]));
        }
        canonical::append_length(block.outcomes.len(), bytes);
        let mut outcomes = Vec::with_capacity(block.outcomes.len());
        for leaf in &block.outcomes {
            let start = bytes.len();
            canonical::append(leaf, bytes);
            outcomes.push(outcome::leaf_digest(&bytes[start..]));
        }
        BlockDigests {
            transactions,
            wires,
            outcomes,
        }
    }
}

impl Block {
    /// The block's hash: its header's.
    pub fn hash(&self) -> Digest {
        self.header.hash()
    }

    /// Checks counts, the places of the outcomes, and both roots. Signatures are checked elsewhere.
    ///
    /// # Errors
    /// [`BlockError`], the first contradiction found.
    pub fn check_roots(&self) -> Result<(), BlockError> {
        self.check_roots_of(&BlockDigests::of(self))
    }

    /// As [`Block::check_roots`], with the block's own digests at hand.
    ///
    /// # Errors
    /// [`BlockError`], the first contradiction found.
    pub fn check_roots_of(&self, digests: &BlockDigests) -> Result<(), BlockError> {
        let count = self.transactions.len();
        if self.header.transactions as usize != count {
            return Err(BlockError::TransactionCount {
                header: self.header.transactions,
                found: count,
            });
        }
        if self.outcomes.len() != count + 1 {
            return Err(BlockError::OutcomeCount {
                transactions: count,
                found: self.outcomes.len(),
            });
        }
        self.check_outcomes(&digests.transactions)?;
        if merkle::root(&digests.wires) != self.header.transaction_root {
            return Err(BlockError::TransactionRoot);
        }
        if merkle::root(&digests.outcomes) != self.header.outcome_root {
            return Err(BlockError::OutcomeRoot);
        }
        Ok(())
    }

    fn check_outcomes(&self, ids: &[TransactionId]) -> Result<(), BlockError> {
        let system = &self.outcomes[0];
        if system.transaction != Digest::ZERO || system.outcome != Outcome::Accepted {
            return Err(BlockError::SystemLeaf);
        }
        for (index, (id, leaf)) in ids.iter().zip(&self.outcomes[1..]).enumerate() {
            if leaf.transaction != *id {
                return Err(BlockError::OutcomePlace(index + 1));
            }
            if !leaf.outcome.is_accepted() && !leaf.events.is_empty() {
                return Err(BlockError::RejectedWithEvents(index + 1));
            }
        }
        Ok(())
    }
}

/// A block with the certificate over its header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertifiedBlock {
    /// The block.
    pub block: Block,
    /// The certificate; without votes for the genesis block.
    pub certificate: Certificate,
}

impl CertifiedBlock {
    /// Reads canonical bytes as [`canonical::decode`] does, and gives the digests of what the block holds.
    ///
    /// # Errors
    /// [`CanonicalError`].
    pub fn decode(bytes: &[u8]) -> Result<(CertifiedBlock, BlockDigests), CanonicalError> {
        let certified: CertifiedBlock = canonical::decode_unchecked(bytes)?;
        let mut again = Vec::with_capacity(bytes.len());
        let digests = BlockDigests::append(&certified.block, &mut again);
        canonical::append(&certified.certificate, &mut again);
        if again != bytes {
            return Err(CanonicalError::NotCanonical);
        }
        Ok((certified, digests))
    }
}
