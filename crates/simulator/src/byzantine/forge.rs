//! Proofs that prove nothing: what a faulty replica puts into its view changes and new views.

use ledger::{Certificate, Digest, Epoch, ReplicaId, Signature};
use pbft::message::{
    Checkpoint, Message, NewView, PreparedCertificate, SignedViewChange, ViewChange,
};
use pbft::statement::{Phase, Statement};
use pbft::{Batch, Sequence, View};

use super::Adversary;
use crate::random::Random;

impl Adversary {
    /// A view change with one thing wrong: what was prepared is left out (which no one can tell), or a proof is
    /// made up.
    pub(super) fn forge_view_change(
        &self,
        from: ReplicaId,
        epoch: Epoch,
        change: &ViewChange,
        random: &mut Random,
    ) -> ViewChange {
        let mut forged = change.clone();
        match random.below(6) {
            0 => forged.prepared.clear(),
            1 => forged.stable = self.checkpoint_of_one(from, epoch, change, random),
            2 => self.put_prepared(&mut forged, from, epoch, |own| {
                vec![own; self.quorum(epoch) - 1]
            }),
            3 => self.put_prepared(&mut forged, from, epoch, |own| vec![own]),
            4 => {
                for certificate in &mut forged.prepared {
                    certificate.view = View(change.view.0);
                }
            }
            _ => {}
        }
        forged
    }

    /// A checkpoint far ahead, certified by one replica's vote, again and again.
    fn checkpoint_of_one(
        &self,
        from: ReplicaId,
        epoch: Epoch,
        change: &ViewChange,
        random: &mut Random,
    ) -> Checkpoint {
        let step = self.window / 2 * random.between(1, 2);
        let sequence = Sequence((change.stable.sequence.0 + step) / 2 * 2);
        let block = ledger::tagged("simulator/no-block", &[&sequence.0.to_be_bytes()]);
        let statement = Statement::commit(View(0), sequence, block);
        let vote = (from, self.sign_statement(from, epoch, &statement));
        Checkpoint {
            sequence,
            block,
            certificate: Some(Certificate {
                epoch,
                view: 0,
                votes: vec![vote; self.quorum(epoch)],
            }),
        }
    }

    /// Certificates for what was proposed here and prepared by too few: the PREPAREs that were heard, and what
    /// `padding` makes of the forger's own.
    fn put_prepared(
        &self,
        forged: &mut ViewChange,
        from: ReplicaId,
        epoch: Epoch,
        padding: impl Fn((ReplicaId, Signature)) -> Vec<(ReplicaId, Signature)>,
    ) {
        let low = forged.stable.sequence;
        let of_epoch = self.heard.iter().filter(|((of, ..), _)| *of == epoch);
        for ((_, view, sequence, digest), heard) in of_epoch {
            let known = forged
                .prepared
                .iter()
                .any(|known| known.sequence == *sequence && known.view >= *view);
            let in_window = *sequence > low && sequence.since(low) <= self.window;
            if known || !in_window || *view >= forged.view || heard.prepares.is_empty() {
                continue;
            }
            let primary = self.primary(epoch, *view);
            let sign = |phase| {
                let statement = Statement {
                    view: *view,
                    sequence: *sequence,
                    phase,
                    digest: *digest,
                };
                self.sign_statement(from, epoch, &statement)
            };
            let Some(pre_prepare) = heard
                .pre_prepare
                .or((primary == from).then(|| sign(Phase::PrePrepare)))
            else {
                continue;
            };
            let mut prepares: Vec<(ReplicaId, Signature)> = heard
                .prepares
                .iter()
                .map(|(replica, signature)| (*replica, *signature))
                .collect();
            prepares.extend(padding((from, sign(Phase::Prepare))));
            prepares.sort_by_key(|(replica, _)| *replica);
            prepares.truncate(self.set(epoch).len());
            forged
                .prepared
                .retain(|certificate| certificate.sequence != *sequence);
            forged.prepared.push(PreparedCertificate {
                view: *view,
                sequence: *sequence,
                digest: *digest,
                pre_prepare,
                prepares,
            });
        }
        forged
            .prepared
            .sort_by_key(|certificate| certificate.sequence);
    }

    /// A new view that does not follow from its view changes.
    pub(super) fn forge_new_view(
        &self,
        from: ReplicaId,
        epoch: Epoch,
        opening: &NewView,
        random: &mut Random,
    ) -> NewView {
        let mut forged = opening.clone();
        let null = Batch::null().digest();
        match random.below(5) {
            0 => {
                for proposal in &mut forged.proposals {
                    self.repropose(from, epoch, opening.view, proposal, null);
                }
            }
            1 => forged.proposals.clear(),
            2 => {
                if let Some(first) = forged.view_changes.first().cloned() {
                    forged.view_changes = vec![first; self.quorum(epoch)];
                }
            }
            3 => {
                // A quorum of honest view changes, one of which is replaced by the forger's own, emptied.
                for signed in &mut forged.view_changes {
                    if signed.sender == from {
                        *signed = self.empty_view_change(from, epoch, &signed.change);
                    }
                }
            }
            _ => {
                forged.view_changes.truncate(self.quorum(epoch) - 1);
            }
        }
        forged
    }

    fn repropose(
        &self,
        from: ReplicaId,
        epoch: Epoch,
        view: View,
        proposal: &mut pbft::message::NewViewProposal,
        digest: Digest,
    ) {
        let statement = Statement {
            view,
            sequence: proposal.sequence,
            phase: Phase::PrePrepare,
            digest,
        };
        proposal.digest = digest;
        proposal.signature = self.sign_statement(from, epoch, &statement);
    }

    fn empty_view_change(
        &self,
        from: ReplicaId,
        epoch: Epoch,
        change: &ViewChange,
    ) -> SignedViewChange {
        let change = ViewChange {
            prepared: Vec::new(),
            ..change.clone()
        };
        let signed = self.signed(from, epoch, Message::ViewChange(change.clone()));
        SignedViewChange {
            sender: from,
            change,
            signature: signed.signature,
        }
    }
}
