//! Everything known about one place in the order.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{Digest, ReplicaId, Signature, Timestamp};

use crate::batch::Batch;
use crate::message::{PreparedCertificate, SignedMessage, Vote};
use crate::number::View;

/// One replica's PREPARE or COMMIT for a place (its latest view only): a batch, or a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cast {
    pub(crate) view: View,
    pub(crate) digest: Digest,
    pub(crate) signature: Signature,
}

/// The proposal that counts for a place in the current view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proposal {
    pub(crate) view: View,
    pub(crate) digest: Digest,
    /// The primary's signature on the pre-prepare.
    pub(crate) signature: Signature,
    /// Whether this replica may PREPARE it. A proposal that failed a check of ours can still be
    /// prepared by the others.
    pub(crate) votable: bool,
    /// For our own proposals: whether the pre-prepare is durable.
    pub(crate) durable: bool,
}

/// A pre-prepare that waits for its predecessors or for its view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) view: View,
    pub(crate) digest: Digest,
    pub(crate) signature: Signature,
    pub(crate) batch: Batch,
    /// Whether its time was near our wall clock when it came.
    pub(crate) timely: bool,
}

/// A vote of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnVote {
    pub(crate) vote: Vote,
    pub(crate) message: SignedMessage,
    /// Only then it may leave.
    pub(crate) durable: bool,
}

/// One place.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    pub(crate) proposal: Option<Proposal>,
    pub(crate) waiting: Option<Waiting>,
    /// Batches by digest: at most those of the proposal and of the prepared certificate.
    pub(crate) batches: BTreeMap<Digest, Batch>,
    pub(crate) prepares: BTreeMap<ReplicaId, Cast>,
    pub(crate) commits: BTreeMap<ReplicaId, Cast>,
    /// The certificate of the latest view in which this prepared here (§4.4: the set P).
    pub(crate) prepared: Option<PreparedCertificate>,
    pub(crate) own_prepare: Option<OwnVote>,
    pub(crate) own_commit: Option<OwnVote>,
    /// Bodies of the proposal that are not held.
    pub(crate) missing: BTreeSet<Digest>,
    /// When bodies or the batch were asked for last (monotonic), and how often.
    pub(crate) asked_at: Timestamp,
    pub(crate) asks: u32,
    /// When something was last said about this place (monotonic): younger slots are not retransmitted.
    pub(crate) said_at: Option<Timestamp>,
}

impl Slot {
    /// The batch of the current proposal, if its content is known.
    pub(crate) fn proposed_batch(&self) -> Option<&Batch> {
        self.batches.get(&self.proposal.as_ref()?.digest)
    }

    /// Digests of batches that this place refers to.
    pub(crate) fn references(&self) -> impl Iterator<Item = Digest> + '_ {
        let proposal = self.proposal.iter().map(|proposal| proposal.digest);
        let prepared = self.prepared.iter().map(|prepared| prepared.digest);
        proposal.chain(prepared)
    }

    /// Batches that this place needs and does not hold.
    pub(crate) fn unknown_batches(&self) -> BTreeSet<Digest> {
        let proposal = self.proposal.iter().map(|proposal| proposal.digest);
        proposal
            .filter(|digest| !self.batches.contains_key(digest))
            .collect()
    }

    /// Drops batches that nothing refers to any more.
    pub(crate) fn drop_unreferenced_batches(&mut self) {
        let references: BTreeSet<Digest> = self.references().collect();
        self.batches.retain(|digest, _| references.contains(digest));
    }
}
