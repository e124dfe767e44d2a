//! Blocks as people read them.

use interfaces::time_text;
use ledger::{CertifiedBlock, Digest};
use serde::Serialize;
use utoipa::ToSchema;

use crate::transaction::{EventView, TransactionView};

/// A block's header.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BlockSummary {
    /// Its position.
    #[schema(value_type = u64)]
    pub height: u64,
    /// Its hash.
    #[schema(value_type = String)]
    pub hash: Digest,
    /// Block time, RFC 3339.
    pub time: String,
    /// How many transactions.
    pub transactions: u32,
    /// How many of them were rejected.
    pub rejected: u32,
}

/// A block with everything recorded in it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BlockView {
    /// Its position.
    pub height: u64,
    /// Its hash.
    #[schema(value_type = String)]
    pub hash: Digest,
    /// The hash of the block before.
    #[schema(value_type = String)]
    pub previous: Digest,
    /// Block time, RFC 3339.
    pub time: String,
    /// Block time, microseconds since the Unix epoch.
    pub time_us: u64,
    /// The epoch whose replicas certified it.
    pub epoch: u64,
    /// Root of the tree over the transactions.
    #[schema(value_type = String)]
    pub transaction_root: Digest,
    /// Root of the tree over the outcomes.
    #[schema(value_type = String)]
    pub outcome_root: Digest,
    /// Root of the state.
    #[schema(value_type = String)]
    pub state_root: Digest,
    /// Root over the hashes of all blocks before.
    #[schema(value_type = String)]
    pub history_root: Digest,
    /// The replicas that certified it; none for the genesis block.
    pub signers: Vec<u16>,
    /// What the system itself recorded: what was due, or the founders.
    pub system_events: Vec<EventView>,
    /// The transactions.
    pub transactions: Vec<TransactionView>,
}

impl BlockSummary {
    /// Of a certified block.
    pub fn of(certified: &CertifiedBlock) -> BlockSummary {
        let header = &certified.block.header;
        let rejected = certified
            .block
            .outcomes
            .iter()
            .filter(|leaf| !leaf.outcome.is_accepted())
            .count();
        BlockSummary {
            height: header.height.0,
            hash: header.hash(),
            time: time_text(header.time),
            transactions: header.transactions,
            rejected: rejected as u32,
        }
    }
}

impl BlockView {
    /// Of a certified block, with everything in it.
    pub fn of(certified: &CertifiedBlock) -> BlockView {
        let block = &certified.block;
        let header = &block.header;
        let (system, outcomes) = block
            .outcomes
            .split_first()
            .map_or((&[][..], &[][..]), |(first, rest)| {
                (first.events.as_slice(), rest)
            });
        let transactions = block.transactions.iter().zip(outcomes).zip(0..);
        BlockView {
            height: header.height.0,
            hash: header.hash(),
            previous: header.previous,
            time: time_text(header.time),
            time_us: header.time.0,
            epoch: header.epoch.0,
            transaction_root: header.transaction_root,
            outcome_root: header.outcome_root,
            state_root: header.state_root,
            history_root: header.history_root,
            signers: certified
                .certificate
                .votes
                .iter()
                .map(|(replica, _)| replica.0)
                .collect(),
            system_events: system.iter().map(EventView::of).collect(),
            transactions: transactions
                .map(|((transaction, leaf), index)| {
                    TransactionView::of(transaction, leaf, header.height.0, index, header.time)
                })
                .collect(),
        }
    }
}
