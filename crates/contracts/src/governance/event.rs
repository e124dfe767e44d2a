//! What the governance contract decided.

use ledger::{EpochDescription, Equivocation, LedgerId, ReplicaDescription};
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
    /// A change of the replica set was adopted: from `first_height` on, these replicas order and certify. Recorded as
    /// the ledger's own event ([`ledger::LedgerEvent::EpochStarted`]), because receipts are verified by it.
    EpochAnnounced {
        /// The epoch to come.
        epoch: EpochDescription,
    },
    /// A replica signed two different things for one slot.
    EquivocationProven {
        /// Both signatures.
        evidence: Equivocation,
        /// Who operates the replica.
        operator: LedgerId,
        /// Who brought it.
        reporter: LedgerId,
    },
}
