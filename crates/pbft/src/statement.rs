//! What exactly a replica signs.
//!
//! Domain, chain, epoch, view, sequence, phase and digest, in fixed-length fields, so that no
//! signature serves in another chain, epoch, view, place or phase.

use ledger::{Digest, Epoch, ReplicaId, VoteSlot};
use serde::Serialize;

use crate::message::{Message, ViewChange};
use crate::mutants::mutant;
use crate::number::{Sequence, View};

pub use ledger::equivocation::Phase;

/// The tuple that is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Statement {
    /// The view, or 0 where none is meant.
    pub view: View,
    /// The place, or 0 where none is meant.
    pub sequence: Sequence,
    /// The phase.
    pub phase: Phase,
    /// The batch digest, of a COMMIT the block's hash, or the digest of the canonical message for phases without either.
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
            Message::ViewChange(change) => Statement::of_view_change(change),
            Message::NewView(opening) => whole(Phase::NewView, opening.view, opening),
            Message::Status(status) => whole(Phase::Status, View(0), status),
            Message::BatchQuery(wanted) => whole(Phase::BatchQuery, View(0), wanted),
            Message::BatchAnswer(batches) => whole(Phase::BatchAnswer, View(0), batches),
            Message::Recalled(recalled) => whole(Phase::Recalled, View(0), recalled),
        }
    }

    /// The statement that a view change makes, alone or inside a new view.
    pub fn of_view_change(change: &ViewChange) -> Statement {
        whole(Phase::ViewChange, change.view, change)
    }

    /// The COMMIT to a block.
    pub fn commit(view: View, sequence: Sequence, block: Digest) -> Statement {
        Statement {
            view,
            sequence,
            phase: Phase::Commit,
            digest: block,
        }
    }

    /// The slot that a statement of `replica` speaks for.
    pub fn slot(&self, epoch: Epoch, replica: ReplicaId) -> VoteSlot {
        VoteSlot {
            replica,
            epoch,
            view: self.view.0,
            sequence: self.sequence.height(),
            phase: self.phase,
        }
    }

    /// The domain and the bytes that `replica` signs.
    pub fn signing_bytes(
        &self,
        chain: &Digest,
        epoch: Epoch,
        replica: ReplicaId,
    ) -> (&'static str, Vec<u8>) {
        let signed = match self.phase {
            Phase::Commit => epoch,
            _ => mutant!(UnsignedEpoch, Epoch(0), epoch),
        };
        self.slot(signed, replica)
            .signing_bytes(chain, &self.digest)
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
