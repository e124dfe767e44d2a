//! What became of a transaction: accepted with events and writes, or rejected with a numbered code.

use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::digest::{Digest, tagged};
use crate::genesis::EpochDescription;
use crate::identifier::ContractId;

/// The ledger itself, under which [`LedgerEvent`]s are recorded.
pub const LEDGER_CONTRACT: ContractId = ContractId(0);

const OUTCOME_TAG: &str = "medshare/outcome/v1";
const WRITES_TAG: &str = "medshare/writes/v1";

/// Whether a transaction took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// It took effect.
    Accepted,
    /// It changed nothing.
    Rejected {
        /// Whose code it is; [`LEDGER_CONTRACT`] when the transaction never reached a contract.
        contract: ContractId,
        /// The contract's number for the reason; numbers are never reused.
        code: u16,
    },
}

impl Outcome {
    /// Whether it took effect.
    pub fn is_accepted(self) -> bool {
        self == Outcome::Accepted
    }
}

/// A contract's event as committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedEvent {
    /// Whose event it is.
    pub contract: ContractId,
    /// The event in canonical bytes.
    #[serde(with = "crate::byte_string::vector")]
    pub bytes: Vec<u8>,
}

impl RecordedEvent {
    /// Records an event of the ledger itself.
    pub fn of_ledger(event: &LedgerEvent) -> RecordedEvent {
        RecordedEvent {
            contract: LEDGER_CONTRACT,
            bytes: canonical::encode(event),
        }
    }

    /// The event, if it is one of the ledger itself and well-formed.
    pub fn as_ledger_event(&self) -> Option<LedgerEvent> {
        if self.contract != LEDGER_CONTRACT {
            return None;
        }
        canonical::decode(&self.bytes).ok()
    }
}

/// One leaf of a block's outcome tree. Leaf 0 is the system's (expiries; in the genesis block the
/// genesis events); leaf `i + 1` belongs to transaction `i`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutcomeLeaf {
    /// The transaction's id; zero for leaf 0.
    pub transaction: Digest,
    /// What became of it.
    pub outcome: Outcome,
    /// What was decided, in order; empty when rejected.
    pub events: Vec<RecordedEvent>,
    /// [`WriteSet::digest`] of what it wrote into the state.
    pub writes: Digest,
}

impl OutcomeLeaf {
    /// The digest that the outcome tree holds for this leaf.
    pub fn hash(&self) -> Digest {
        leaf_digest(&canonical::encode(self))
    }

    /// The new epoch this leaf announces, if it does.
    pub fn epoch_started(&self) -> Option<EpochDescription> {
        self.events
            .iter()
            .find_map(|event| match event.as_ledger_event()? {
                LedgerEvent::EpochStarted(description) => Some(description),
            })
    }
}

/// What a transaction wrote into the state: keys ascending and distinct, `None` deletes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WriteSet(pub Vec<(Vec<u8>, Option<Vec<u8>>)>);

impl WriteSet {
    /// The digest of the canonical bytes.
    pub fn digest(&self) -> Digest {
        tagged(WRITES_TAG, &[&canonical::encode(self)])
    }

    /// Whether the keys ascend without repetition, as they must.
    pub fn is_ordered(&self) -> bool {
        self.0.windows(2).all(|pair| pair[0].0 < pair[1].0)
    }
}

/// Events of the ledger itself, recorded under [`LEDGER_CONTRACT`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LedgerEvent {
    /// From `first_height` on, blocks are certified by these replicas.
    EpochStarted(EpochDescription),
}

/// The hash of a leaf with these canonical bytes.
pub(crate) fn leaf_digest(leaf_bytes: &[u8]) -> Digest {
    tagged(OUTCOME_TAG, &[leaf_bytes])
}
