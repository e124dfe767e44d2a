//! Block votes, and the certificate that a quorum of equal votes makes.

use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::digest::Digest;
use crate::genesis::EpochDescription;
use crate::identifier::{Epoch, Height, ReplicaId};
use crate::signature::{PublicKey, Signature, SignatureError, SigningKey};

pub(crate) const VOTE_DOMAIN: &str = "medshare/block-vote/v2";

/// One replica's COMMIT: in this view it is prepared to commit the batch that gives this block, and it holds the block durably.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockVote {
    /// Who votes.
    pub replica: ReplicaId,
    /// The block's epoch.
    pub epoch: Epoch,
    /// The view in which it was ordered.
    pub view: u64,
    /// The block's height.
    pub height: Height,
    /// The block's hash.
    pub block: Digest,
    /// By the replica's key, over everything above and the chain id.
    pub signature: Signature,
}

impl BlockVote {
    /// Votes for a block of the chain.
    pub fn sign(
        chain: &Digest,
        replica: ReplicaId,
        epoch: Epoch,
        view: u64,
        height: Height,
        block: Digest,
        key: &SigningKey,
    ) -> BlockVote {
        let signature = key.sign(
            VOTE_DOMAIN,
            &vote_message(chain, replica, epoch, view, height, &block),
        );
        BlockVote {
            replica,
            epoch,
            view,
            height,
            block,
            signature,
        }
    }

    /// Checks the signature under the replica's key.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn verify(&self, chain: &Digest, key: &PublicKey) -> Result<(), SignatureError> {
        let message = vote_message(
            chain,
            self.replica,
            self.epoch,
            self.view,
            self.height,
            &self.block,
        );
        key.verify(VOTE_DOMAIN, &message, &self.signature)
    }
}

pub(crate) fn vote_message(
    chain: &Digest,
    replica: ReplicaId,
    epoch: Epoch,
    view: u64,
    height: Height,
    block: &Digest,
) -> Vec<u8> {
    canonical::encode(&(chain, replica, epoch, view, height, block))
}

/// The signatures of a quorum of equal [`BlockVote`]s, all of one view: votes of several views together prove nothing, because
/// what a replica is prepared to commit in one view may be ruled out by the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The epoch whose replicas voted.
    pub epoch: Epoch,
    /// The view in which they voted.
    pub view: u64,
    /// The votes' signatures, ascending by replica, distinct.
    pub votes: Vec<(ReplicaId, Signature)>,
}

/// Why a certificate does not certify a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// It is of another epoch than the one that certifies this height.
    #[error("the certificate is of epoch {found}, this height is certified by epoch {expected}")]
    WrongEpoch {
        /// The epoch that certifies.
        expected: Epoch,
        /// The certificate's epoch.
        found: Epoch,
    },
    /// Fewer signers than a quorum.
    #[error("{found} votes, a quorum needs {quorum}")]
    NoQuorum {
        /// How many are needed.
        quorum: usize,
        /// How many there are.
        found: usize,
    },
    /// Signers are not ascending, or one is listed twice.
    #[error("signer {0} is out of order or listed twice")]
    SignerOrder(ReplicaId),
    /// A signer that is not a replica of the epoch.
    #[error("signer {0} is not a replica of the epoch")]
    UnknownSigner(ReplicaId),
    /// A signature that does not verify under the signer's key for this block.
    #[error("the vote of replica {0} does not verify")]
    BadVote(ReplicaId),
}

/// Proof that a certificate was verified: the only way to get one is [`Certificate::verify`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifiedCertificate {
    epoch: Epoch,
    height: Height,
    block: Digest,
    votes: usize,
}

impl VerifiedCertificate {
    /// The epoch that certified.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The certified height.
    pub fn height(&self) -> Height {
        self.height
    }

    /// The hash of the certified block.
    pub fn block(&self) -> Digest {
        self.block
    }

    /// How many replicas signed.
    pub fn votes(&self) -> usize {
        self.votes
    }
}

impl Certificate {
    /// No votes: what stands in the place of the genesis block's certificate.
    pub fn of_genesis() -> Certificate {
        Certificate {
            epoch: Epoch(0),
            view: 0,
            votes: Vec::new(),
        }
    }

    /// The certificate that these votes make, whatever their order. The caller has checked that they
    /// are equal and distinct; [`Certificate::verify`] says whether they suffice.
    pub fn from_votes<'a>(
        epoch: Epoch,
        view: u64,
        votes: impl IntoIterator<Item = &'a BlockVote>,
    ) -> Certificate {
        let mut votes: Vec<_> = votes
            .into_iter()
            .map(|vote| (vote.replica, vote.signature))
            .collect();
        votes.sort_by_key(|(replica, _)| *replica);
        Certificate { epoch, view, votes }
    }

    /// Checks that a quorum of distinct replicas of `epoch` voted for exactly this block.
    ///
    /// # Errors
    /// [`CertificateError`]; every listed vote must be valid, also those beyond the quorum.
    pub fn verify(
        &self,
        chain: &Digest,
        height: Height,
        block: &Digest,
        epoch: &EpochDescription,
    ) -> Result<VerifiedCertificate, CertificateError> {
        if self.epoch != epoch.epoch {
            return Err(CertificateError::WrongEpoch {
                expected: epoch.epoch,
                found: self.epoch,
            });
        }
        let mut previous = None;
        for (replica, _) in &self.votes {
            if previous.is_some_and(|id| id >= *replica) {
                return Err(CertificateError::SignerOrder(*replica));
            }
            previous = Some(*replica);
        }
        if self.votes.len() < epoch.quorum() {
            return Err(CertificateError::NoQuorum {
                quorum: epoch.quorum(),
                found: self.votes.len(),
            });
        }
        for (replica, signature) in &self.votes {
            let signer = epoch
                .replica(*replica)
                .ok_or(CertificateError::UnknownSigner(*replica))?;
            let message = vote_message(chain, *replica, self.epoch, self.view, height, block);
            signer
                .public_key
                .verify(VOTE_DOMAIN, &message, signature)
                .map_err(|_| CertificateError::BadVote(*replica))?;
        }
        Ok(VerifiedCertificate {
            epoch: self.epoch,
            height,
            block: *block,
            votes: self.votes.len(),
        })
    }
}
