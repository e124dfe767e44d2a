//! What the governance contract decided.

use ledger::LedgerId;
use serde::{Deserialize, Serialize};

use super::command::Change;
use crate::identifier::ProposalId;

/// An event of the governance contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A change was proposed.
    ChangeProposed {
        /// The proposal.
        proposal: ProposalId,
        /// By whom.
        operator: LedgerId,
        /// The change.
        change: Change,
    },
    /// A node operator voted.
    VoteCast {
        /// The proposal.
        proposal: ProposalId,
        /// By whom.
        operator: LedgerId,
        /// For or against.
        approve: bool,
        /// Votes for it so far.
        votes_for: u16,
        /// Votes needed.
        needed: u16,
    },
    /// A quorum agreed: the change is in force (replicas: from the next epoch on).
    ChangeAdopted {
        /// The proposal.
        proposal: ProposalId,
        /// The change.
        change: Change,
    },
    /// It can no longer reach a quorum.
    ChangeRejected {
        /// The proposal.
        proposal: ProposalId,
    },
}
