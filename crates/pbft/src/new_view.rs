//! NEW-VIEW (§4.4): the primary of a view opens it with what a quorum had prepared, and everyone
//! computes the same from the same view changes.

use std::collections::BTreeMap;

use ledger::Digest;

use crate::batch::Batch;
use crate::durable::Entry;
use crate::effect::Effect;
use crate::message::{
    Checkpoint, Message, NewView, NewViewProposal, PreparedCertificate, SignedMessage,
    SignedViewChange, ViewChange, Vote,
};
use crate::mutants::mutant;
use crate::number::Sequence;
use crate::replica::Replica;
use crate::slot::Proposal;
use crate::verify::{CertifiedHash, pre_prepare_statement};

/// What a set of view changes implies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Implied {
    /// The highest stable checkpoint (min-s); none if there are no view changes.
    pub(crate) base: Option<Checkpoint>,
    /// The set O: a digest for each place above it up to the highest prepared one (max-s).
    pub(crate) proposals: Vec<(Sequence, Digest)>,
}

/// §4.4: min-s is the latest stable checkpoint in V, max-s the highest prepared place. Each place between
/// gets the batch prepared in the highest view, or the null batch.
pub(crate) fn proposals<'a>(changes: impl Iterator<Item = &'a ViewChange>) -> Implied {
    let mut base: Option<&Checkpoint> = None;
    let mut prepared: BTreeMap<Sequence, &PreparedCertificate> = BTreeMap::new();
    for change in changes {
        if base.is_none_or(|known| known.sequence < change.stable.sequence) {
            base = Some(&change.stable);
        }
        for certificate in &change.prepared {
            let known = prepared.entry(certificate.sequence).or_insert(certificate);
            if (known.view, known.digest) < (certificate.view, certificate.digest) {
                *known = certificate;
            }
        }
    }
    let low = base.map_or(Sequence(0), |checkpoint| checkpoint.sequence);
    let high = prepared
        .last_key_value()
        .map_or(low, |(sequence, _)| *sequence);
    let null = Batch::null().digest();
    let places: Vec<Sequence> = mutant!(
        NullGapSkipped,
        prepared
            .keys()
            .copied()
            .filter(|place| *place > low)
            .collect(),
        (low.0 + 1..=high.0).map(Sequence).collect()
    );
    let proposals = places
        .into_iter()
        .map(|sequence| {
            let certificate = prepared.get(&sequence);
            (
                sequence,
                certificate.map_or(null, |certificate| certificate.digest),
            )
        })
        .collect();
    Implied {
        base: base.cloned(),
        proposals,
    }
}

impl Replica {
    /// As primary of the view that a quorum wants: signs the NEW-VIEW and has it made durable.
    pub(crate) fn open_view(&mut self) {
        let view = self.view;
        let view_changes: Vec<SignedViewChange> = self
            .view_changes
            .values()
            .filter(|known| known.change.view == view)
            .cloned()
            .collect();
        let implied = proposals(view_changes.iter().map(|known| &known.change));
        let mut signed = Vec::with_capacity(implied.proposals.len());
        for (sequence, digest) in implied.proposals {
            let statement = pre_prepare_statement(Vote {
                view,
                sequence,
                digest,
            });
            let Some(signature) = self.sign_statement(&statement) else {
                return;
            };
            signed.push(NewViewProposal {
                sequence,
                digest,
                signature,
            });
        }
        let opening = NewView {
            view,
            view_changes,
            proposals: signed,
        };
        let Some(message) = self.sign(Message::NewView(opening)) else {
            return;
        };
        self.own_opening = Some(message.clone());
        self.persist(Entry::NewView(message), Vec::new());
    }

    /// Our NEW-VIEW is durable: it leaves and we enter.
    pub(crate) fn on_new_view_durable(&mut self, message: SignedMessage) {
        let Message::NewView(opening) = &message.message else {
            return;
        };
        if message.sender == self.me && self.changing && opening.view == self.view {
            self.broadcast(message.clone());
            self.enter_view(message);
        }
    }

    /// The NEW-VIEW of another primary. Verification recomputed its proposals; an invalid one never
    /// comes here and triggers nothing.
    pub(crate) fn on_new_view(&mut self, signed: SignedMessage) {
        let Message::NewView(opening) = &signed.message else {
            return;
        };
        if opening.view < self.view || opening.view == self.view && !self.changing {
            return;
        }
        self.persist(Entry::NewView(signed.clone()), Vec::new());
        self.enter_view(signed);
    }

    /// Enters the view that `signed` opens.
    pub(crate) fn enter_view(&mut self, signed: SignedMessage) {
        let Message::NewView(opening) = &signed.message else {
            return;
        };
        let opening = opening.clone();
        self.view = opening.view;
        // Nothing is accepted or voted for until the proposals of the view stand in their places.
        self.changing = true;
        self.opening = Some(signed);
        self.own_opening = None;
        self.own_view_change = None;
        self.clocks.new_view_deadline = None;
        self.clocks.requests_from = self.now.monotonic;
        self.restart_floor();
        self.view_changes
            .retain(|_, known| known.change.view > opening.view);
        let implied = proposals(opening.view_changes.iter().map(|known| &known.change));
        if let Some(Checkpoint {
            sequence,
            block,
            certificate: Some(certificate),
        }) = implied.base
        {
            self.note_checkpoint(&CertifiedHash::from_verified_votes(
                sequence,
                block,
                certificate,
            ));
        }
        self.adopt_proposals(&opening);
        self.next_proposal = opening
            .proposals
            .last()
            .map_or(self.chain.stable.sequence, |last| last.sequence)
            .next();
        self.restart_order();
        self.changing = false;
        self.effects.push(Effect::EnteredView {
            view: self.view,
            primary: self.primary(),
        });
        for sequence in self.slots.keys().copied().collect::<Vec<_>>() {
            self.note_missing(sequence);
            self.prepare(sequence);
            self.check_prepared(sequence);
        }
        self.accept_waiting();
    }

    /// Proposals of older views count no more; those of the new view take their places.
    fn adopt_proposals(&mut self, opening: &NewView) {
        for slot in self.slots.values_mut() {
            slot.proposal = None;
            slot.waiting.take_if(|waiting| waiting.view < opening.view);
        }
        let null = Batch::null();
        let null_digest = null.digest();
        for NewViewProposal {
            sequence,
            digest,
            signature,
        } in opening.proposals.iter().copied()
        {
            if !self.in_reach(sequence) {
                continue;
            }
            self.check_against_certified(sequence, digest);
            let slot = self.slots.entry(sequence).or_default();
            slot.waiting = None;
            slot.proposal = Some(Proposal {
                view: opening.view,
                digest,
                signature,
                votable: true,
                durable: true,
            });
            if digest == null_digest {
                slot.batches.insert(digest, null.clone());
            }
        }
        for slot in self.slots.values_mut() {
            slot.drop_unreferenced_batches();
        }
    }

    /// The order of the view is built anew above what is certified. What was executed above it stays until the view
    /// prepares something else there.
    pub(crate) fn restart_order(&mut self) {
        self.accepted = self.chain.certified;
        self.accepted_time = self.chain.certified_time;
        self.committed = self.chain.certified;
        self.pool.forget_proposals(self.now.monotonic);
        self.wanted.clear();
        self.incomplete.clear();
    }
}
