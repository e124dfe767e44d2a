//! The one signer: no slot is signed twice with different content.

use ledger::Digest;

use crate::durable::{Entry, LogRecord, Pending};
use crate::effect::{Effect, HaltReason};
use crate::message::{Message, SignedMessage};
use crate::number::View;
use crate::replica::Replica;
use crate::statement::{Phase, Statement};

impl Replica {
    /// Signs a message of ours; `None` (and a halt) if it contradicts what we signed before.
    pub(crate) fn sign(&mut self, message: Message) -> Option<SignedMessage> {
        let statement = Statement::of(&message);
        let signature = self.sign_statement(&statement)?;
        Some(SignedMessage {
            epoch: self.configuration.epoch.epoch,
            sender: self.me,
            message,
            signature,
        })
    }

    /// Signs a statement of ours, under the same guard.
    pub(crate) fn sign_statement(&mut self, statement: &Statement) -> Option<ledger::Signature> {
        if statement.phase.binds() && !self.bind(statement) {
            self.halt(HaltReason::ConflictingVote {
                view: statement.view,
                sequence: statement.sequence,
            });
            return None;
        }
        let (domain, bytes) = statement.signing_bytes(
            &self.configuration.chain,
            self.configuration.epoch.epoch,
            self.me,
        );
        Some(self.signer.sign(domain, &bytes))
    }

    /// Records what we say for a slot; `false` if we said something else before.
    pub(crate) fn bind(&mut self, statement: &Statement) -> bool {
        let slot = (statement.sequence, statement.view, statement.phase);
        *self.own_votes.entry(slot).or_insert(statement.digest) == statement.digest
    }

    /// Whether we signed for this slot and phase in this view already.
    pub(crate) fn has_voted(&self, sequence: crate::Sequence, view: View, phase: Phase) -> bool {
        self.own_votes.contains_key(&(sequence, view, phase))
    }

    /// Hands an entry to the log.
    pub(crate) fn persist(&mut self, entry: Entry, bodies: Vec<Digest>) {
        self.effects.push(Effect::Persist(Pending {
            record: LogRecord(entry),
            bodies,
            block: None,
            certificates: None,
        }));
    }
}
