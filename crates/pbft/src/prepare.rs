//! PREPARE (§4.2): a backup agrees to a proposal; a quorum of agreement is a prepared certificate.

use ledger::{ReplicaId, Signature};

use crate::durable::Entry;
use crate::message::{Message, PreparedCertificate, SignedMessage, Vote};
use crate::mutants::mutant;
use crate::number::Sequence;
use crate::replica::Replica;
use crate::slot::{Cast, OwnVote};
use crate::statement::Phase;

impl Replica {
    /// Votes for the proposal at `sequence`, if it may and has not yet. The primary never PREPAREs: its
    /// pre-prepare is its word.
    pub(crate) fn prepare(&mut self, sequence: Sequence) {
        if !self.may_vote(sequence) || self.is_primary() {
            return;
        }
        let view = self.view;
        let Some(slot) = self.slots.get(&sequence) else {
            return;
        };
        let Some(proposal) = slot
            .proposal
            .as_ref()
            .filter(|proposal| proposal.view == view)
        else {
            return;
        };
        if !proposal.votable
            || !slot.missing.is_empty()
            || self.has_voted(sequence, view, Phase::Prepare)
        {
            return;
        }
        let Some(bodies) = slot.proposed_batch().map(|batch| batch.digests.clone()) else {
            return;
        };
        let vote = Vote {
            view,
            sequence,
            digest: proposal.digest,
        };
        let Some(pre_prepare) = self.signed_proposal(sequence, slot) else {
            return;
        };
        let Some(prepare) = self.sign(Message::Prepare(vote)) else {
            return;
        };
        if mutant!(VoteBeforeSync, true, false) {
            self.broadcast(prepare.clone());
        }
        if let Some(slot) = self.slots.get_mut(&sequence) {
            slot.own_prepare = Some(OwnVote {
                vote,
                message: prepare.clone(),
                durable: false,
            });
        }
        self.persist(
            Entry::Prepare {
                pre_prepare,
                prepare,
            },
            bodies,
        );
    }

    /// Our PREPARE is durable: it leaves and counts.
    pub(crate) fn on_prepare_durable(&mut self, message: SignedMessage) {
        let Message::Prepare(vote) = message.message else {
            return;
        };
        let now = self.now.monotonic;
        let (me, view) = (self.me, self.view);
        let Some(slot) = self.slots.get_mut(&vote.sequence) else {
            return;
        };
        if let Some(own) = slot.own_prepare.as_mut().filter(|own| own.vote == vote) {
            own.durable = true;
        }
        slot.said_at = Some(now);
        record(&mut slot.prepares, me, vote, message.signature);
        if vote.view == view && !self.changing {
            self.broadcast(message);
            self.check_prepared(vote.sequence);
        }
    }

    /// A backup's PREPARE.
    pub(crate) fn on_prepare(&mut self, sender: ReplicaId, vote: Vote, signature: Signature) {
        if !self.in_reach(vote.sequence) {
            return;
        }
        self.note_double_vote(sender, Phase::Prepare, vote, signature);
        let slot = self.slots.entry(vote.sequence).or_default();
        if record(&mut slot.prepares, sender, vote, signature) {
            self.check_prepared(vote.sequence);
        }
    }

    /// §4.2 prepared(m, v, n, i): the proposal, its batch and bodies, and quorum - 1 matching PREPAREs of
    /// backups. What was executed of another batch at this place or above it gives way.
    pub(crate) fn check_prepared(&mut self, sequence: Sequence) {
        if !self.active() || sequence > self.high_mark() {
            return;
        }
        let (view, primary) = (self.view, self.primary());
        let Some(slot) = self.slots.get(&sequence) else {
            return;
        };
        let Some(proposal) = slot
            .proposal
            .as_ref()
            .filter(|proposal| proposal.view == view)
        else {
            return;
        };
        let is_known = slot
            .prepared
            .as_ref()
            .is_some_and(|prepared| prepared.view == view);
        if is_known
            || slot.proposed_batch().is_none()
            || !slot.missing.is_empty()
            || !proposal.durable
        {
            return;
        }
        let digest = proposal.digest;
        let prepares: Vec<(ReplicaId, Signature)> = slot
            .prepares
            .iter()
            .filter(|(replica, cast)| {
                mutant!(PrimaryPrepareCounted, true, **replica != primary)
                    && cast.view == view
                    && cast.digest == digest
            })
            .map(|(replica, cast)| (*replica, cast.signature))
            .collect();
        if prepares.len() < self.quorum.votes() - 1 {
            return;
        }
        let certificate = PreparedCertificate {
            view,
            sequence,
            digest,
            pre_prepare: proposal.signature,
            prepares,
        };
        if let Some(slot) = self.slots.get_mut(&sequence) {
            slot.prepared = Some(certificate);
            slot.drop_unreferenced_batches();
        }
        self.check_against_certified(sequence, digest);
        let executed = self.chain.blocks.get(&sequence);
        let is_other = executed.is_some_and(|block| block.batch != Some(digest));
        if sequence > self.chain.certified && mutant!(ExecutedKept, false, is_other) {
            self.take_back(sequence);
        }
        self.hand_over();
        if sequence <= self.chain.certified {
            self.commit(sequence);
        }
        self.commit_in_order();
    }

    /// Votes are cast in an open view, above the stable checkpoint and up to the high water mark (§4.2).
    pub(crate) fn may_vote(&self, sequence: Sequence) -> bool {
        self.active()
            && self.may_sign()
            && sequence > self.chain.stable.sequence
            && sequence <= self.high_mark()
    }
}

/// Keeps the latest view's vote of a replica; `false` if nothing changed.
pub(crate) fn record(
    votes: &mut std::collections::BTreeMap<ReplicaId, Cast>,
    sender: ReplicaId,
    vote: Vote,
    signature: Signature,
) -> bool {
    if votes
        .get(&sender)
        .is_some_and(|cast| cast.view >= vote.view)
    {
        return false;
    }
    votes.insert(
        sender,
        Cast {
            view: vote.view,
            digest: vote.digest,
            signature,
        },
    );
    true
}
