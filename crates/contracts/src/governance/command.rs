//! What can be asked of the governance contract.

use ledger::{ContractId, Height, ReplicaDescription, ReplicaId};
use serde::{Deserialize, Serialize};

use crate::identifier::ProposalId;

/// A parameter of the consortium. Numbers are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Parameter {
    /// Fewest patients a search cell must have to be shown.
    SmallCellThreshold,
    /// Least price of an item, in minor units.
    ItemPriceMin,
    /// How long an item waits for answers, in microseconds.
    ItemDeadlineUs,
    /// Endorsements a person (patient, doctor, device) needs.
    PersonEndorsements,
    /// How long emergency access lasts, in microseconds.
    EmergencyDurationUs,
    /// Most replicas retired or added by one change.
    ReplicaChangeMax,
}

/// A change that node operators vote on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// Sets a parameter.
    SetParameter {
        /// Which.
        parameter: Parameter,
        /// To what.
        value: i64,
    },
    /// Retires a replica and adds another, in one transaction; active at a checkpoint.
    ReplaceReplica {
        /// The one that goes, if any.
        retire: Option<ReplicaId>,
        /// The one that comes, if any.
        add: Option<ReplicaDescription>,
    },
    /// Activates a contract's version from a height on.
    ActivateContract {
        /// The contract.
        contract: ContractId,
        /// Its version.
        version: u32,
        /// From this height on.
        height: Height,
    },
}

/// A command of the governance contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Proposes a change; counts as the proposer's vote for it. By a node operator.
    ProposeChange {
        /// Its random id.
        proposal: ProposalId,
        /// The change.
        change: Change,
    },
    /// Votes on a proposal; it passes with a quorum of node operators. By a node operator.
    VoteOnChange {
        /// The proposal.
        proposal: ProposalId,
        /// For or against.
        approve: bool,
    },
}
