//! The one signer: no slot is signed twice with different content.

use ledger::Digest;

use crate::durable::{Entry, LogRecord, Pending};
use crate::effect::{Effect, HaltReason};
use crate::message::{Message, SignedMessage};
use crate::number::View;
use crate::replica::Replica;
use crate::statement::{Phase, Statement};

/// Whether a statement of this phase binds us: a second, different one would be equivocation.
fn binds(phase: Phase) -> bool {
    !matches!(
        phase,
        Phase::Status | Phase::BatchQuery | Phase::BatchAnswer
    )
}

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
        if binds(statement.phase) && !self.bind(statement) {
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
            certificates: None,
        }));
    }

    /// A vote of ours came back from a peer. If our log does not hold it, the log was lost or restored
    /// from an old copy, and this replica must never vote again (`threats.md` rule 4: quarantine).
    pub(crate) fn on_own_vote_returned(&mut self, signed: &SignedMessage) {
        let statement = Statement::of(&signed.message);
        let lost = match statement.phase {
            Phase::PrePrepare | Phase::Prepare | Phase::Commit => {
                let known =
                    self.own_votes
                        .get(&(statement.sequence, statement.view, statement.phase));
                statement.sequence > self.chain.stable.sequence
                    && (statement.view > self.view
                        || statement.view == self.view
                            && known.is_none_or(|digest| *digest != statement.digest))
            }
            Phase::ViewChange | Phase::NewView => statement.view > self.view,
            Phase::Status | Phase::BatchQuery | Phase::BatchAnswer | Phase::BlockVote => false,
        };
        if lost {
            self.halt(HaltReason::LostVotes {
                view: statement.view,
                sequence: statement.sequence,
            });
        }
    }
}
