//! What the governance contract decided.

use ledger::{LedgerId, ReplicaDescription};
use serde::{Deserialize, Serialize};

use super::command::{Change, Parameter};
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
    /// The genesis file, or the default, sets a parameter. Only in the genesis block.
    ParameterFounded {
        /// Which.
        parameter: Parameter,
        /// To what.
        value: i64,
    },
    /// The genesis file names a replica of epoch 0. Only in the genesis block.
    ReplicaFounded {
        /// The replica.
        replica: ReplicaDescription,
    },
}
