//! What exactly a replica signs.
//!
//! Domain, chain, epoch, view, sequence, phase and digest, in fixed-length fields, so that no
//! signature serves in another chain, epoch, view, place or phase.

use ledger::{Digest, Epoch, ReplicaId};
use serde::{Deserialize, Serialize};

use crate::message::{Message, ViewChange};
use crate::mutants::mutant;
use crate::number::{Sequence, View};

/// The signature domain of everything but block votes.
pub const DOMAIN: &str = "medshare/pbft/v1";

/// The signature domain of block votes, as in [`ledger::BlockVote`].
pub const BLOCK_VOTE_DOMAIN: &str = "medshare/block-vote/v1";

/// The phase that a signature speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Phase {
    /// Pre-prepare, alone or in a new view.
    PrePrepare = 1,
    /// Prepare.
    Prepare = 2,
    /// Commit.
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
    /// A block vote; signed as [`ledger::BlockVote`] in a domain of its own.
    BlockVote = 9,
}

/// The tuple that is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Statement {
    /// The view, or 0 where none is meant.
    pub view: View,
    /// The place, or 0 where none is meant.
    pub sequence: Sequence,
    /// The phase.
    pub phase: Phase,
    /// The batch digest, or the digest of the canonical message for phases without a batch.
    pub digest: Digest,
}

impl Statement {
    /// The statement that `message` makes.
    pub fn of(message: &Message) -> Statement {
        match message {
            Message::PrePrepare(proposal) => Statement {
                view: proposal.view,
                sequence: proposal.sequence,
                phase: Phase::PrePrepare,
                digest: proposal.batch.digest(),
            },
            Message::Prepare(vote) => Statement {
                view: vote.view,
                sequence: vote.sequence,
                phase: Phase::Prepare,
                digest: vote.digest,
            },
            Message::Commit(vote) => Statement {
                view: vote.view,
                sequence: vote.sequence,
                phase: Phase::Commit,
                digest: vote.digest,
            },
            Message::BlockVote(vote) => Statement {
                view: View(0),
                sequence: vote.sequence,
                phase: Phase::BlockVote,
                digest: vote.block,
            },
            Message::ViewChange(change) => Statement::of_view_change(change),
            Message::NewView(opening) => whole(Phase::NewView, opening.view, opening),
            Message::Status(status) => whole(Phase::Status, View(0), status),
            Message::BatchQuery(wanted) => whole(Phase::BatchQuery, View(0), wanted),
            Message::BatchAnswer(batches) => whole(Phase::BatchAnswer, View(0), batches),
        }
    }

    /// The statement that a view change makes, alone or inside a new view.
    pub fn of_view_change(change: &ViewChange) -> Statement {
        whole(Phase::ViewChange, change.view, change)
    }

    /// The domain and the bytes that `replica` signs.
    pub fn signing_bytes(
        &self,
        chain: &Digest,
        epoch: Epoch,
        replica: ReplicaId,
    ) -> (&'static str, Vec<u8>) {
        if self.phase == Phase::BlockVote {
            // The bytes of [`ledger::BlockVote`]: a test compares the two.
            let vote = (chain, replica, epoch, self.sequence.height(), self.digest);
            return (BLOCK_VOTE_DOMAIN, ledger::canonical::encode(&vote));
        }
        let mut bytes = Vec::with_capacity(89);
        bytes.extend_from_slice(&chain.0);
        bytes.extend_from_slice(&mutant!(UnsignedEpoch, 0, epoch.0).to_be_bytes());
        bytes.extend_from_slice(&self.view.0.to_be_bytes());
        bytes.extend_from_slice(&self.sequence.0.to_be_bytes());
        bytes.push(self.phase as u8);
        bytes.extend_from_slice(&self.digest.0);
        (DOMAIN, bytes)
    }
}

/// A statement about a whole message: its digest is that of the message's canonical bytes.
fn whole<T: Serialize>(phase: Phase, view: View, content: &T) -> Statement {
    let digest = ledger::tagged(
        "medshare/pbft-message/v1",
        &[&ledger::canonical::encode(content)],
    );
    Statement {
        view,
        sequence: Sequence(0),
        phase,
        digest,
    }
}
