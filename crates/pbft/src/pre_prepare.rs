//! PRE-PREPARE (§4.2): the primary assigns a batch to a place, and backups look at it.

use std::collections::BTreeSet;

use ledger::Digest;

use crate::batch::Batch;
use crate::message::{Message, PrePrepare, SignedMessage};
use crate::number::{Sequence, View};
use crate::replica::Replica;
use crate::slot::{Proposal, Slot, Waiting};

impl Replica {
    /// A pre-prepare signed by the primary of its view, from it or relayed by another.
    pub(crate) fn on_pre_prepare(&mut self, signed: SignedMessage) {
        let Message::PrePrepare(PrePrepare {
            view,
            sequence,
            batch,
        }) = &signed.message
        else {
            return;
        };
        let (view, sequence) = (*view, *sequence);
        let digest = batch.digest();
        if !self.in_reach(sequence) {
            return;
        }
        self.learn_batch(sequence, digest, batch);
        self.note_equivocation_of_primary(view, sequence, digest, &signed);
        let expected = if self.changing {
            self.view
        } else {
            self.view.next()
        };
        if view < self.view || view > expected {
            return;
        }
        let timely = self.is_timely(batch);
        let slot = self.slots.entry(sequence).or_default();
        if slot
            .proposal
            .as_ref()
            .is_some_and(|proposal| proposal.view >= view)
        {
            return;
        }
        // One proposal waits per place; one for a view to come never displaces one of this view.
        let current = self.view;
        if slot
            .waiting
            .as_ref()
            .is_none_or(|waiting| view == current && waiting.view != current)
        {
            let batch = batch.clone();
            slot.waiting = Some(Waiting {
                view,
                digest,
                signature: signed.signature,
                batch,
                timely,
            });
        }
        self.accept_waiting();
    }

    /// Whether a fresh batch's time is near our wall clock.
    fn is_timely(&self, batch: &Batch) -> bool {
        batch.time.0.abs_diff(self.now.wall.0) <= self.limits.clock_tolerance_us
    }

    /// Accepts proposals of this view in the order of their places: each is checked against the time of
    /// its predecessor.
    pub(crate) fn accept_waiting(&mut self) {
        if self.accepted < self.chain.certified {
            self.accepted = self.chain.certified;
            self.accepted_time = self.chain.certified_time;
        }
        while self.active() {
            let sequence = self.accepted.next();
            if sequence > self.high_mark() || !self.accept_at(sequence) {
                return;
            }
        }
    }

    /// Moves `accepted` over `sequence`, if its proposal of this view is known with its batch.
    fn accept_at(&mut self, sequence: Sequence) -> bool {
        let view = self.view;
        let Some(slot) = self.slots.get_mut(&sequence) else {
            return false;
        };
        let is_known = slot
            .proposal
            .as_ref()
            .is_some_and(|proposal| proposal.view == view);
        if !is_known {
            let Some(waiting) = slot.waiting.take_if(|waiting| waiting.view == view) else {
                return false;
            };
            // §4.2: a proposal that a correct primary would not make is not voted for.
            let in_order = waiting.batch.time > self.accepted_time;
            let votable = waiting.timely && in_order && is_distinct(&waiting.batch.digests);
            let Waiting {
                view,
                digest,
                signature,
                batch,
                ..
            } = waiting;
            slot.proposal = Some(Proposal {
                view,
                digest,
                signature,
                votable,
                durable: true,
            });
            slot.batches.insert(digest, batch);
        }
        let Some(batch) = slot.proposed_batch().cloned() else {
            return false;
        };
        self.accepted = sequence;
        self.accepted_time = batch.time.max(self.accepted_time.plus(1));
        self.pool.set_proposed(&batch.digests, self.now.monotonic);
        self.note_missing(sequence);
        self.prepare(sequence);
        self.check_prepared(sequence);
        true
    }

    /// Our own proposal is durable: it may leave.
    pub(crate) fn on_pre_prepare_durable(&mut self, message: SignedMessage) {
        let Message::PrePrepare(PrePrepare { view, sequence, .. }) = message.message else {
            return;
        };
        if message.sender != self.me || view != self.view || self.changing {
            return;
        }
        let now = self.now.monotonic;
        let Some(slot) = self.slots.get_mut(&sequence) else {
            return;
        };
        let Some(proposal) = slot
            .proposal
            .as_mut()
            .filter(|proposal| proposal.view == view)
        else {
            return;
        };
        proposal.durable = true;
        slot.said_at = Some(now);
        self.broadcast(message);
        self.check_prepared(sequence);
    }

    /// Keeps the content of a batch that some slot refers to by digest.
    pub(crate) fn learn_batch(&mut self, sequence: Sequence, digest: Digest, batch: &Batch) {
        let Some(slot) = self.slots.get_mut(&sequence) else {
            return;
        };
        if slot.batches.contains_key(&digest) || !slot.references().any(|wanted| wanted == digest) {
            return;
        }
        slot.batches.insert(digest, batch.clone());
        self.note_missing(sequence);
        self.prepare(sequence);
        self.check_prepared(sequence);
        self.accept_waiting();
        self.hand_over();
    }

    /// The signed pre-prepare that stands behind a slot's current proposal.
    pub(crate) fn signed_proposal(&self, sequence: Sequence, slot: &Slot) -> Option<SignedMessage> {
        let proposal = slot.proposal.as_ref()?;
        let batch = slot.proposed_batch()?.clone();
        Some(self.pre_prepare_message(proposal.view, sequence, batch, proposal.signature))
    }

    /// A pre-prepare rebuilt from its parts (the signature covers the batch by digest).
    pub(crate) fn pre_prepare_message(
        &self,
        view: View,
        sequence: Sequence,
        batch: Batch,
        signature: ledger::Signature,
    ) -> SignedMessage {
        SignedMessage {
            epoch: self.configuration.epoch.epoch,
            sender: self.quorum.primary(view),
            message: Message::PrePrepare(PrePrepare {
                view,
                sequence,
                batch,
            }),
            signature,
        }
    }
}

fn is_distinct(digests: &[Digest]) -> bool {
    digests.iter().collect::<BTreeSet<_>>().len() == digests.len()
}
