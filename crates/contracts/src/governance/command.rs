//! What can be asked of the governance contract.

use std::ops::RangeInclusive;

use ledger::{
    ContractId, Equivocation, Height, LedgerId, PublicKey, ReplicaDescription, ReplicaId,
};
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

impl Parameter {
    /// Every parameter, in the order of their numbers.
    pub const ALL: [Parameter; 6] = [
        Parameter::SmallCellThreshold,
        Parameter::ItemPriceMin,
        Parameter::ItemDeadlineUs,
        Parameter::PersonEndorsements,
        Parameter::EmergencyDurationUs,
        Parameter::ReplicaChangeMax,
    ];

    /// The name that the genesis file uses.
    pub fn name(self) -> &'static str {
        match self {
            Parameter::SmallCellThreshold => "small_cell_threshold",
            Parameter::ItemPriceMin => "item_price_min",
            Parameter::ItemDeadlineUs => "item_deadline_us",
            Parameter::PersonEndorsements => "person_endorsements",
            Parameter::EmergencyDurationUs => "emergency_duration_us",
            Parameter::ReplicaChangeMax => "replica_change_max",
        }
    }

    /// The parameter of that name.
    pub fn from_name(name: &str) -> Option<Parameter> {
        Parameter::ALL
            .into_iter()
            .find(|parameter| parameter.name() == name)
    }

    /// Its value where the genesis file says nothing.
    pub fn default_value(self) -> i64 {
        match self {
            Parameter::SmallCellThreshold => 11,
            Parameter::ItemPriceMin => 0,
            Parameter::ItemDeadlineUs => 14 * DAY_US,
            Parameter::PersonEndorsements => 1,
            Parameter::EmergencyDurationUs => 4 * HOUR_US,
            Parameter::ReplicaChangeMax => 1,
        }
    }

    /// The values it may take.
    pub fn bounds(self) -> RangeInclusive<i64> {
        match self {
            Parameter::SmallCellThreshold => 1..=1_000,
            Parameter::ItemPriceMin => 0..=1_000_000_000_000,
            Parameter::ItemDeadlineUs => 1_000_000..=365 * DAY_US,
            Parameter::PersonEndorsements => 1..=100,
            Parameter::EmergencyDurationUs => 60_000_000..=7 * DAY_US,
            Parameter::ReplicaChangeMax => 0..=1,
        }
    }
}

const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;

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
    /// Suspends, reinstates or revokes a node operator. Its replica, if it has one, is replaced by a change of its own.
    SetOperatorStanding {
        /// The node operator.
        operator: LedgerId,
        /// How it stands from then on.
        standing: OperatorStanding,
    },
    /// Gives a replica another voting key; active at a checkpoint.
    RotateReplicaKey {
        /// The replica.
        replica: ReplicaId,
        /// Its new key, never used before.
        public_key: PublicKey,
    },
}

/// How a node operator stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OperatorStanding {
    /// May act.
    Active,
    /// May not act until reinstated; counts towards the quorum all the same.
    Suspended,
    /// Ended for good.
    Revoked,
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
    /// Brings evidence that a replica signed two different things for one slot. By any member; the processes of
    /// replicas do it by themselves, signing with the voting key (for this command it speaks for the operator).
    ReportEquivocation(Equivocation),
}
