//! What verification lets through is genuine: nobody is quoted with what it did not say, and proofs are counted once
//! more, by hand.

use std::collections::BTreeSet;

use ledger::{Certificate, Digest, Epoch, ReplicaId};
use pbft::message::{Message, NewView, PreparedCertificate, ViewChange};
use pbft::statement::{Phase, Statement};
use pbft::{Sequence, SignedMessage, View};

use super::{Oracle, Violation, ensure};
use crate::model;

impl Oracle {
    /// A message that a faulty replica sent passed verification.
    ///
    /// - 19: what stands in it in a correct replica's name was said by that replica.
    /// - 20: its proofs are quorums of distinct members, and a new view's proposals are those that its view
    ///   changes imply.
    ///
    /// # Errors
    /// The violation.
    pub fn accepted(&self, message: &SignedMessage) -> Result<(), Violation> {
        let epoch = message.epoch;
        match &message.message {
            Message::Status(_)
            | Message::BatchQuery(_)
            | Message::BatchAnswer(_)
            | Message::Recalled(_) => return Ok(()),
            Message::ViewChange(change) => self.check_view_change(epoch, change)?,
            Message::NewView(opening) => self.check_new_view(epoch, opening)?,
            _ => {}
        }
        self.check_said(epoch, message.sender, &Statement::of(&message.message))
    }

    /// p = v mod |R| (§4), of the epoch's replicas.
    pub(super) fn primary(&self, epoch: Epoch, view: View) -> Result<ReplicaId, Violation> {
        let members = &self.members(epoch)?.replicas;
        Ok(members[(view.0 % members.len() as u64) as usize].replica)
    }

    /// How many of an epoch's replicas decide: ceil((n + f + 1) / 2), with f = floor((n - 1) / 3).
    fn quorum(&self, epoch: Epoch) -> Result<usize, Violation> {
        let replicas = self.members(epoch)?.replicas.len();
        Ok((replicas + (replicas - 1) / 3 + 1).div_ceil(2))
    }

    fn check_said(
        &self,
        epoch: Epoch,
        replica: ReplicaId,
        statement: &Statement,
    ) -> Result<(), Violation> {
        ensure!(
            self.members(epoch)?.replica(replica).is_some(),
            "a message of {replica} counts in epoch {epoch}, in which it has no voice"
        );
        if self.faulty.contains(&replica) {
            return Ok(());
        }
        let slot = (statement.view, statement.sequence, statement.phase as u8);
        ensure!(
            self.signed
                .contains(&(epoch, replica, slot, statement.digest)),
            "a message counts that the correct replica {replica} never signed in epoch {epoch}: {statement:?}"
        );
        Ok(())
    }

    /// A quorum of distinct members, and the correct among them committed so.
    pub(super) fn check_commits(
        &self,
        sequence: Sequence,
        block: Digest,
        certificate: &Certificate,
    ) -> Result<(), Violation> {
        let epoch = certificate.epoch;
        let signers: BTreeSet<ReplicaId> = certificate.votes.iter().map(|vote| vote.0).collect();
        ensure!(
            signers.len() >= self.quorum(epoch)?,
            "block {sequence} is certified by {} replicas only",
            signers.len()
        );
        let statement = Statement::commit(View(certificate.view), sequence, block);
        signers
            .into_iter()
            .try_for_each(|signer| self.check_said(epoch, signer, &statement))
    }

    fn check_prepared(
        &self,
        epoch: Epoch,
        prepared: &PreparedCertificate,
    ) -> Result<(), Violation> {
        let primary = self.primary(epoch, prepared.view)?;
        let mut signers: BTreeSet<ReplicaId> =
            prepared.prepares.iter().map(|vote| vote.0).collect();
        signers.remove(&primary);
        ensure!(
            signers.len() + 1 >= self.quorum(epoch)?,
            "a prepared certificate for {} has {} backups only",
            prepared.sequence,
            signers.len()
        );
        let statement = Statement {
            view: prepared.view,
            sequence: prepared.sequence,
            phase: Phase::Prepare,
            digest: prepared.digest,
        };
        signers
            .into_iter()
            .try_for_each(|signer| self.check_said(epoch, signer, &statement))
    }

    fn check_view_change(&self, epoch: Epoch, change: &ViewChange) -> Result<(), Violation> {
        if let Some(certificate) = &change.stable.certificate {
            self.check_commits(change.stable.sequence, change.stable.block, certificate)?;
        }
        change
            .prepared
            .iter()
            .try_for_each(|prepared| self.check_prepared(epoch, prepared))
    }

    fn check_new_view(&self, epoch: Epoch, opening: &NewView) -> Result<(), Violation> {
        let changes = || opening.view_changes.iter();
        let senders: BTreeSet<ReplicaId> = changes().map(|signed| signed.sender).collect();
        ensure!(
            senders.len() >= self.quorum(epoch)?,
            "view {} is opened by {} view changes only",
            opening.view,
            senders.len()
        );
        for signed in changes() {
            self.check_said(
                epoch,
                signed.sender,
                &Statement::of_view_change(&signed.change),
            )?;
            self.check_view_change(epoch, &signed.change)?;
        }
        let implied = model::implied_proposals(changes().map(|signed| &signed.change));
        let stated: Vec<(Sequence, Digest)> = opening
            .proposals
            .iter()
            .map(|proposal| (proposal.sequence, proposal.digest))
            .collect();
        ensure!(
            implied == stated,
            "view {} is opened with proposals that its view changes do not imply",
            opening.view
        );
        Ok(())
    }
}
