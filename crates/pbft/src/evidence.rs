//! Evidence of equivocation: two signatures of one replica for one slot.

use ledger::{Digest, Equivocation, ReplicaId, Signature};

use crate::effect::Effect;
use crate::message::{SignedMessage, Vote};
use crate::number::{Sequence, View};
use crate::replica::Replica;
use crate::statement::{Phase, Statement};

/// How many slots are remembered as reported, so that the effect is not repeated without end.
const REPORTED_MAX: usize = 1_024;

impl Replica {
    /// Compares a pre-prepare with the one that is known for its slot.
    pub(crate) fn note_equivocation_of_primary(
        &mut self,
        view: View,
        sequence: Sequence,
        digest: Digest,
        signed: &SignedMessage,
    ) {
        let Some(slot) = self.slots.get(&sequence) else {
            return;
        };
        let proposal = slot
            .proposal
            .iter()
            .map(|proposal| (proposal.view, proposal.digest, proposal.signature));
        let waiting = slot
            .waiting
            .iter()
            .map(|waiting| (waiting.view, waiting.digest, waiting.signature));
        let other = proposal
            .chain(waiting)
            .find(|(known, other, _)| *known == view && *other != digest);
        if let Some((_, first, signature)) = other {
            let second = (digest, signed.signature);
            self.report(
                signed.sender,
                sequence,
                view,
                Phase::PrePrepare,
                (first, signature),
                second,
            );
        }
    }

    /// Compares a PREPARE or COMMIT with the sender's earlier one.
    pub(crate) fn note_double_vote(
        &mut self,
        sender: ReplicaId,
        phase: Phase,
        vote: Vote,
        signature: Signature,
    ) {
        let Some(slot) = self.slots.get(&vote.sequence) else {
            return;
        };
        let votes = if phase == Phase::Prepare {
            &slot.prepares
        } else {
            &slot.commits
        };
        let Some(cast) = votes.get(&sender) else {
            return;
        };
        if cast.view == vote.view && cast.digest != vote.digest {
            let (first, second) = ((cast.digest, cast.signature), (vote.digest, signature));
            self.report(sender, vote.sequence, vote.view, phase, first, second);
        }
    }

    /// Reports once per replica and slot.
    pub(crate) fn report(
        &mut self,
        replica: ReplicaId,
        sequence: Sequence,
        view: View,
        phase: Phase,
        first: (Digest, Signature),
        second: (Digest, Signature),
    ) {
        if self.reported.len() < REPORTED_MAX
            && self.reported.insert((replica, sequence, view, phase))
        {
            let digest = first.0;
            let statement = Statement {
                view,
                sequence,
                phase,
                digest,
            };
            let slot = statement.slot(self.configuration.epoch.epoch, replica);
            let evidence = Equivocation::new(slot, first, second);
            self.effects.push(Effect::Evidence(evidence));
        }
    }
}
