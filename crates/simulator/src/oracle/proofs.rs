//! What verification lets through is genuine: nobody is quoted with what it did not say, and proofs are counted once
//! more, by hand.

use std::collections::BTreeSet;

use ledger::{Certificate, Digest, ReplicaId};
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
        match &message.message {
            Message::Status(_)
            | Message::BatchQuery(_)
            | Message::BatchAnswer(_)
            | Message::Recalled(_) => return Ok(()),
            Message::ViewChange(change) => self.check_view_change(change)?,
            Message::NewView(opening) => self.check_new_view(opening)?,
            _ => {}
        }
        self.check_said(message.sender, &Statement::of(&message.message))
    }

    fn check_said(&self, replica: ReplicaId, statement: &Statement) -> Result<(), Violation> {
        if self.faulty.contains(&replica) {
            return Ok(());
        }
        let slot = (statement.view, statement.sequence, statement.phase as u8);
        ensure!(
            self.signed.contains(&(replica, slot, statement.digest)),
            "a message counts that the correct replica {replica} never signed: {statement:?}"
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
        let signers: BTreeSet<ReplicaId> = certificate.votes.iter().map(|vote| vote.0).collect();
        ensure!(
            signers.len() >= self.quorum,
            "block {sequence} is certified by {} replicas only",
            signers.len()
        );
        let statement = Statement::commit(View(certificate.view), sequence, block);
        signers
            .into_iter()
            .try_for_each(|signer| self.check_said(signer, &statement))
    }

    fn check_prepared(&self, prepared: &PreparedCertificate) -> Result<(), Violation> {
        let primary = ReplicaId((prepared.view.0 % self.replicas) as u16);
        let mut signers: BTreeSet<ReplicaId> =
            prepared.prepares.iter().map(|vote| vote.0).collect();
        signers.remove(&primary);
        ensure!(
            signers.len() + 1 >= self.quorum,
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
            .try_for_each(|signer| self.check_said(signer, &statement))
    }

    fn check_view_change(&self, change: &ViewChange) -> Result<(), Violation> {
        if let Some(certificate) = &change.stable.certificate {
            self.check_commits(change.stable.sequence, change.stable.block, certificate)?;
        }
        change
            .prepared
            .iter()
            .try_for_each(|prepared| self.check_prepared(prepared))
    }

    fn check_new_view(&self, opening: &NewView) -> Result<(), Violation> {
        let changes = || opening.view_changes.iter();
        let senders: BTreeSet<ReplicaId> = changes().map(|signed| signed.sender).collect();
        ensure!(
            senders.len() >= self.quorum,
            "view {} is opened by {} view changes only",
            opening.view,
            senders.len()
        );
        for signed in changes() {
            self.check_said(signed.sender, &Statement::of_view_change(&signed.change))?;
            self.check_view_change(&signed.change)?;
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
