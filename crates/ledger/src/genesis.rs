//! Where trust starts: the genesis file, which names the first replicas' keys, and the replica sets that follow.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::digest::{Digest, tagged};
use crate::identifier::{ContractId, Epoch, Height, LedgerId, ReplicaId, Timestamp};
use crate::signature::PublicKey;

/// K: replicas take a checkpoint at every height that is a multiple of this.
pub const CHECKPOINT_INTERVAL: u64 = 64;

/// L: how far above the last stable checkpoint replicas vote. A multiple of K.
pub const CONSENSUS_WINDOW: u64 = 128;

const GENESIS_TAG: &str = "medshare/genesis/v1";

/// The replicas that order and certify from a height on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochDescription {
    /// The epoch's number.
    pub epoch: Epoch,
    /// The first block it certifies. Epoch 0 starts at height 0, whose block needs no certificate.
    pub first_height: Height,
    /// The replicas, ascending by id, distinct in id and key.
    pub replicas: Vec<ReplicaDescription>,
}

/// One replica of an epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplicaDescription {
    /// The replica.
    pub replica: ReplicaId,
    /// The member that operates it.
    pub operator: LedgerId,
    /// The key under which it votes.
    pub public_key: PublicKey,
}

/// Why a replica set is not well-formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EpochError {
    /// No replicas at all.
    #[error("the epoch has no replicas")]
    Empty,
    /// Replicas are not ascending by id, or one is listed twice.
    #[error("replica {0} is out of order or listed twice")]
    ReplicaOrder(ReplicaId),
    /// Two replicas share a key.
    #[error("the key of replica {0} is another replica's as well")]
    SharedKey(ReplicaId),
    /// A key that must not be enrolled ([`PublicKey::is_weak`]).
    #[error("the key of replica {0} is weak")]
    WeakKey(ReplicaId),
}

impl EpochDescription {
    /// f: how many replicas may be Byzantine, floor((n - 1) / 3).
    pub fn fault_tolerance(&self) -> usize {
        self.replicas.len().saturating_sub(1) / 3
    }

    /// How many equal votes decide, ceil((n + f + 1) / 2).
    pub fn quorum(&self) -> usize {
        (self.replicas.len() + self.fault_tolerance() + 1).div_ceil(2)
    }

    /// The last height of an epoch whose end was decided at `committed`: the first checkpoint at or past it plus the
    /// window. Whoever votes above that height has a stable checkpoint above `committed`, so a quorum knows the end.
    pub fn last_height_after(committed: Height) -> Height {
        EpochDescription::last_height_within(committed, CHECKPOINT_INTERVAL, CONSENSUS_WINDOW)
    }

    /// The same where checkpoints are so far apart and the window is so wide.
    pub fn last_height_within(committed: Height, checkpoint_interval: u64, window: u64) -> Height {
        let earliest = committed.0.saturating_add(window);
        Height(
            earliest
                .div_ceil(checkpoint_interval)
                .saturating_mul(checkpoint_interval),
        )
    }

    /// The replica with this id.
    pub fn replica(&self, id: ReplicaId) -> Option<&ReplicaDescription> {
        let index = self
            .replicas
            .binary_search_by_key(&id, |replica| replica.replica)
            .ok()?;
        self.replicas.get(index)
    }

    /// Checks order, distinctness and keys.
    ///
    /// # Errors
    /// [`EpochError`].
    pub fn check(&self) -> Result<(), EpochError> {
        let mut keys = BTreeSet::new();
        let mut previous = None;
        for replica in &self.replicas {
            if previous.is_some_and(|id| id >= replica.replica) {
                return Err(EpochError::ReplicaOrder(replica.replica));
            }
            if !keys.insert(replica.public_key) {
                return Err(EpochError::SharedKey(replica.replica));
            }
            if replica.public_key.is_weak() {
                return Err(EpochError::WeakKey(replica.replica));
            }
            previous = Some(replica.replica);
        }
        if self.replicas.is_empty() {
            Err(EpochError::Empty)
        } else {
            Ok(())
        }
    }
}

/// What a consortium starts from; JSON on disk. Its digest is the chain id in every transaction and header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisFile {
    /// The consortium's name.
    pub name: String,
    /// The genesis block's time.
    pub time: Timestamp,
    /// Epoch 0, from height 0.
    pub epoch: EpochDescription,
    /// SHA-256 of the root certificate (DER) of the certificate authority.
    pub certificate_authority: Digest,
    /// The members that exist from the start.
    pub members: Vec<GenesisMember>,
    /// The parameters at the start.
    pub parameters: GenesisParameters,
}

/// A member that exists from the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisMember {
    /// Its pseudonym on the ledger.
    pub ledger_id: LedgerId,
    /// Its first key.
    pub public_key: PublicKey,
    /// The name of its kind, as `contracts::membership::MemberKind` spells it.
    pub kind: String,
    /// The organisation's name; empty for others.
    pub name: String,
    /// For services: the commands it may submit, as (contract, command number).
    pub allowed: Vec<(ContractId, u16)>,
}

/// Named parameters; what each means is the governance contract's business.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GenesisParameters(pub BTreeMap<String, i64>);

/// Why a genesis file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GenesisError {
    /// Not the JSON of a genesis file.
    #[error("genesis file: {0}")]
    Json(#[from] serde_json::Error),
    /// Its replica set is not well-formed.
    #[error("genesis file, epoch: {0}")]
    Epoch(#[from] EpochError),
    /// Its epoch is not epoch 0 from height 0.
    #[error("genesis file, epoch: must be epoch 0 from height 0")]
    NotFirst,
    /// A member is listed twice.
    #[error("genesis file, members: {0} is listed twice")]
    RepeatedMember(LedgerId),
    /// A member's key must not be enrolled.
    #[error("genesis file, members: the key of {0} is weak")]
    WeakKey(LedgerId),
}

impl GenesisFile {
    /// The chain id: the digest of the canonical encoding (so the JSON's layout does not matter).
    pub fn chain_id(&self) -> Digest {
        tagged(GENESIS_TAG, &[&canonical::encode(self)])
    }

    /// Reads and checks the JSON.
    ///
    /// # Errors
    /// [`GenesisError`], naming what is wrong.
    pub fn from_json(text: &str) -> Result<GenesisFile, GenesisError> {
        let genesis: GenesisFile = serde_json::from_str(text)?;
        genesis.check()?;
        Ok(genesis)
    }

    /// The JSON as it is written to disk.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self)
            .expect("a genesis file has no maps with keys other than strings")
    }

    /// Checks what types cannot say.
    ///
    /// # Errors
    /// [`GenesisError`] except `Json`.
    pub fn check(&self) -> Result<(), GenesisError> {
        self.epoch.check()?;
        if self.epoch.epoch != Epoch(0) || self.epoch.first_height != Height(0) {
            return Err(GenesisError::NotFirst);
        }
        let mut seen = BTreeSet::new();
        for member in &self.members {
            if !seen.insert(member.ledger_id) {
                return Err(GenesisError::RepeatedMember(member.ledger_id));
            }
            if member.public_key.is_weak() {
                return Err(GenesisError::WeakKey(member.ledger_id));
            }
        }
        Ok(())
    }
}
