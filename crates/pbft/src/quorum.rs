//! Arithmetic of an epoch: members, primary, fault tolerance, quorum.

use ledger::{EpochDescription, ReplicaId};

use crate::mutants::mutant;
use crate::number::View;

/// The sizes that follow from the replica set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Quorum {
    members: Vec<ReplicaId>,
    faults: usize,
    votes: usize,
}

impl Quorum {
    /// Of an epoch: f = floor((n - 1) / 3), quorum = ceil((n + f + 1) / 2).
    pub(crate) fn of(epoch: &EpochDescription) -> Quorum {
        Quorum {
            members: epoch.replicas.iter().map(|member| member.replica).collect(),
            faults: epoch.fault_tolerance(),
            votes: mutant!(QuorumOfTwoF, 2 * epoch.fault_tolerance(), epoch.quorum()),
        }
    }

    /// All replicas, in the order of the epoch.
    pub(crate) fn members(&self) -> &[ReplicaId] {
        &self.members
    }

    /// p = v mod |R| (§4).
    pub(crate) fn primary(&self, view: View) -> ReplicaId {
        self.members[(view.0 % self.members.len() as u64) as usize]
    }

    /// How many equal votes any two of which share a correct replica.
    pub(crate) fn votes(&self) -> usize {
        self.votes
    }

    /// How many replicas must say something for one correct replica to have said it (f + 1).
    pub(crate) fn one_correct(&self) -> usize {
        self.faults + 1
    }
}
