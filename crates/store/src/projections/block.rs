//! Blocks as projections see them.

use contracts::Event;
use ledger::{
    CertifiedBlock, ContractId, Digest, Header, Height, LEDGER_CONTRACT, LedgerId, Outcome,
    Timestamp,
};

/// One event of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectedEvent {
    /// The transaction that caused it; zero for what the system decided (expiries, genesis).
    pub transaction: Digest,
    /// The transaction's index in the block; 0 for the system's.
    pub index: u32,
    /// Who submitted it; zero for the system's.
    pub submitter: LedgerId,
    /// Always accepted: rejected transactions have no events (see [`ProjectedBlock::rejections`]).
    pub outcome: Outcome,
    /// What was decided.
    pub event: Event,
    /// Block time.
    pub time: Timestamp,
    /// Block height.
    pub height: Height,
}

impl ProjectedEvent {
    /// Whether the system caused it (an expiry, or the genesis block).
    pub fn is_of_system(&self) -> bool {
        self.transaction == Digest::ZERO
    }
}

/// A transaction that a contract rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectedRejection {
    /// The transaction.
    pub transaction: Digest,
    /// Its index in the block.
    pub index: u32,
    /// Who submitted it.
    pub submitter: LedgerId,
    /// Whose code it is.
    pub contract: ContractId,
    /// The numbered reason.
    pub code: u16,
}

/// One block as projections see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectedBlock {
    /// The header.
    pub header: Header,
    /// Its hash.
    pub hash: Digest,
    /// All events, in order.
    pub events: Vec<ProjectedEvent>,
    /// Rejected transactions, in order.
    pub rejections: Vec<ProjectedRejection>,
    /// The whole block with its certificate.
    pub certified: CertifiedBlock,
}

impl ProjectedBlock {
    /// Reads a block's events.
    ///
    /// # Errors
    /// An event this program doesn't know: it is too old for this ledger and must not go on.
    pub fn read(certified: CertifiedBlock) -> Result<ProjectedBlock, contracts::DecodeError> {
        let block = &certified.block;
        let (time, height) = (block.header.time, block.header.height);
        let mut events = Vec::new();
        let mut rejections = Vec::new();
        for (leaf, position) in block.outcomes.iter().zip(0u32..) {
            let index = position.saturating_sub(1);
            let submitted = if position == 0 {
                None
            } else {
                block.transactions.get(index as usize)
            };
            let submitter =
                submitted.map_or(LedgerId([0; 16]), |transaction| transaction.body.submitter);
            let transaction = leaf.transaction;
            if let Outcome::Rejected { contract, code } = leaf.outcome {
                rejections.push(ProjectedRejection {
                    transaction,
                    index,
                    submitter,
                    contract,
                    code,
                });
                continue;
            }
            for recorded in leaf
                .events
                .iter()
                .filter(|recorded| recorded.contract != LEDGER_CONTRACT)
            {
                let event = Event::from_bytes(recorded.contract, &recorded.bytes)?;
                let outcome = leaf.outcome;
                events.push(ProjectedEvent {
                    transaction,
                    index,
                    submitter,
                    outcome,
                    event,
                    time,
                    height,
                });
            }
        }
        let header = block.header.clone();
        Ok(ProjectedBlock {
            hash: header.hash(),
            header,
            events,
            rejections,
            certified,
        })
    }
}
