//! What a replica signs while it orders, and the proof that it signed two things that cannot both be honest.
//!
//! The signed bytes are fixed here, below the protocol itself, because evidence is verified by a contract and by
//! anybody else who holds the genesis file.

use serde::{Deserialize, Serialize};

use crate::certificate::{VOTE_DOMAIN, vote_message};
use crate::digest::Digest;
use crate::identifier::{Epoch, Height, ReplicaId};
use crate::signature::{PublicKey, Signature};

/// The signature domain of everything that replicas say but COMMITs, which are [`crate::BlockVote`]s.
pub const CONSENSUS_DOMAIN: &str = "medshare/pbft/v1";

/// The phase that a replica's signature speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Phase {
    /// Pre-prepare, alone or in a new view.
    PrePrepare = 1,
    /// Prepare.
    Prepare = 2,
    /// Commit; signed as [`crate::BlockVote`] in a domain of its own.
    Commit = 3,
    /// View change.
    ViewChange = 4,
    /// New view.
    NewView = 5,
    /// Status.
    Status = 6,
    /// Query for batches.
    BatchQuery = 7,
    /// Answer with batches.
    BatchAnswer = 8,
    /// What others remember of a replica that restarted.
    Recalled = 9,
}

impl Phase {
    /// Whether a statement of this phase binds: a second, different one for the same slot is equivocation.
    pub fn binds(self) -> bool {
        !matches!(
            self,
            Phase::Status | Phase::BatchQuery | Phase::BatchAnswer | Phase::Recalled
        )
    }
}

/// The slot for which a replica may speak once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoteSlot {
    /// The replica.
    pub replica: ReplicaId,
    /// The epoch.
    pub epoch: Epoch,
    /// The view; 0 where none is meant (status and the like).
    pub view: u64,
    /// The place in the order; 0 where none is meant (view changes, new views).
    pub sequence: Height,
    /// The phase.
    pub phase: Phase,
}

impl VoteSlot {
    /// The domain and the bytes that the replica signs when it says `digest` for this slot; a COMMIT's is the hash of a block,
    /// those of the phases before it are of batches.
    pub fn signing_bytes(&self, chain: &Digest, digest: &Digest) -> (&'static str, Vec<u8>) {
        if self.phase == Phase::Commit {
            let message = vote_message(
                chain,
                self.replica,
                self.epoch,
                self.view,
                self.sequence,
                digest,
            );
            return (VOTE_DOMAIN, message);
        }
        let mut bytes = Vec::with_capacity(89);
        bytes.extend_from_slice(&chain.0);
        bytes.extend_from_slice(&self.epoch.0.to_be_bytes());
        bytes.extend_from_slice(&self.view.to_be_bytes());
        bytes.extend_from_slice(&self.sequence.0.to_be_bytes());
        bytes.push(self.phase as u8);
        bytes.extend_from_slice(&digest.0);
        (CONSENSUS_DOMAIN, bytes)
    }
}

/// Two signatures of one replica for one slot, over two digests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Equivocation {
    /// Who, for which slot.
    pub slot: VoteSlot,
    /// One of the two, the lesser digest.
    pub first: (Digest, Signature),
    /// The other.
    pub second: (Digest, Signature),
}

/// Why two signatures prove nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EquivocationError {
    /// The phase binds nobody to one word.
    #[error("messages of this phase may differ")]
    NotBinding,
    /// The two digests are equal, or not in ascending order.
    #[error("the two digests are equal or not ascending")]
    SameWord,
    /// A signature does not verify.
    #[error("a signature does not verify")]
    BadSignature,
}

impl Equivocation {
    /// The proof, in its one form: the lesser digest first.
    pub fn new(
        slot: VoteSlot,
        one: (Digest, Signature),
        other: (Digest, Signature),
    ) -> Equivocation {
        let (first, second) = if one.0 <= other.0 {
            (one, other)
        } else {
            (other, one)
        };
        Equivocation {
            slot,
            first,
            second,
        }
    }

    /// Checks that `key`, the replica's in that epoch, signed both.
    ///
    /// # Errors
    /// [`EquivocationError`].
    pub fn verify(&self, chain: &Digest, key: &PublicKey) -> Result<(), EquivocationError> {
        if !self.slot.phase.binds() {
            return Err(EquivocationError::NotBinding);
        }
        if self.first.0 >= self.second.0 {
            return Err(EquivocationError::SameWord);
        }
        for (digest, signature) in [&self.first, &self.second] {
            let (domain, bytes) = self.slot.signing_bytes(chain, digest);
            key.verify(domain, &bytes, signature)
                .map_err(|_| EquivocationError::BadSignature)?;
        }
        Ok(())
    }
}
