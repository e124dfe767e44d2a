//! Evidence of equivocation on its way to the ledger.
//!
//! The core sees two contradicting signatures; this makes a transaction of them, signed with the voting key (for this
//! one command it speaks for the replica's operator), and publishes it until the contract has recorded the slot.
//! Replicas that saw the same take turns, so that as a rule one transaction is ordered. What a faulty replica can
//! make us publish is bounded.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use contracts::governance::Command;
use ledger::{
    Digest, Equivocation, LedgerId, ReplicaId, SignedTransaction, SigningKey, Timestamp,
    TransactionBody, canonical,
};

/// How long each further replica leaves the report to the ones before it.
const TURN: Duration = Duration::from_millis(700);
/// How long a report is given before it is repeated.
const REPEAT_AFTER: Duration = Duration::from_secs(10);
/// How often one is repeated.
const TRIES_MAX: u32 = 12;
/// How many reports about one replica a process makes in an epoch. One is enough to know.
const REPORTS_MAX: usize = 8;
/// How long a report's transaction is valid, in microseconds.
const VALID_US: u64 = 30_000_000;

struct Accusation {
    evidence: Equivocation,
    due: Instant,
    tries: u32,
}

/// Reports that are not on the ledger yet.
#[derive(Default)]
pub struct Accusations {
    open: Vec<Accusation>,
    made: BTreeMap<ReplicaId, usize>,
}

impl Accusations {
    /// The core has evidence. `turn` is this replica's place among those that may report it.
    pub fn add(&mut self, evidence: Equivocation, turn: u32, now: Instant) {
        let made = self.made.entry(evidence.slot.replica).or_default();
        if *made < REPORTS_MAX {
            *made += 1;
            self.open.push(Accusation {
                evidence,
                due: now + TURN * turn,
                tries: 0,
            });
        }
    }

    /// Another epoch begins; what is open stays open.
    pub fn begin_epoch(&mut self) {
        self.made.clear();
    }

    /// When something is to be published.
    pub fn next_due(&self) -> Option<Instant> {
        self.open.iter().map(|accusation| accusation.due).min()
    }

    /// The evidence to publish now; what is recorded on the ledger by `is_proven` is done with.
    pub fn due(
        &mut self,
        now: Instant,
        is_proven: impl Fn(&Equivocation) -> bool,
    ) -> Vec<Equivocation> {
        let mut due = Vec::new();
        self.open.retain_mut(|accusation| {
            if accusation.due > now {
                return true;
            }
            if is_proven(&accusation.evidence) || accusation.tries >= TRIES_MAX {
                return false;
            }
            accusation.due = now + REPEAT_AFTER;
            accusation.tries += 1;
            due.push(accusation.evidence.clone());
            true
        });
        due
    }
}

/// The transaction that reports evidence.
pub fn transaction(
    chain: Digest,
    operator: LedgerId,
    key: &SigningKey,
    evidence: Equivocation,
    now: Timestamp,
) -> SignedTransaction {
    let command = contracts::Command::from(Command::ReportEquivocation(evidence));
    let digest = ledger::tagged(
        "medshare/report-nonce/v1",
        &[&canonical::encode(&(command.to_bytes(), now))],
    );
    let mut nonce = [0; 8];
    nonce.copy_from_slice(&digest.0[..8]);
    let body = TransactionBody {
        chain,
        submitter: operator,
        public_key: key.public_key(),
        nonce: u64::from_be_bytes(nonce),
        valid_until: now.plus(VALID_US),
        contract: command.contract().id(),
        command: command.to_bytes(),
    };
    SignedTransaction::sign(body, key)
}

#[cfg(test)]
mod tests {
    use ledger::equivocation::Phase;
    use ledger::{Epoch, Height, Signature, VoteSlot};

    use super::*;

    fn evidence(height: u64) -> Equivocation {
        let slot = VoteSlot {
            replica: ReplicaId(2),
            epoch: Epoch(0),
            view: 0,
            sequence: Height(height),
            phase: Phase::Prepare,
        };
        let word = |byte| (Digest([byte; 32]), Signature([byte; 64]));
        Equivocation::new(slot, word(1), word(2))
    }

    #[test]
    fn evidence_is_published_again_until_the_ledger_has_it() {
        let start = Instant::now();
        let mut accusations = Accusations::default();
        accusations.add(evidence(1), 1, start);
        assert!(accusations.due(start, |_| false).is_empty(), "not our turn");
        let later = start + TURN;
        assert_eq!(accusations.due(later, |_| false).len(), 1);
        assert!(accusations.due(later, |_| false).is_empty());
        assert_eq!(accusations.due(later + REPEAT_AFTER, |_| false).len(), 1);
        assert!(
            accusations
                .due(later + 2 * REPEAT_AFTER, |_| true)
                .is_empty()
        );
        assert_eq!(accusations.next_due(), None);
    }

    #[test]
    fn a_faulty_replica_cannot_make_us_publish_without_end() {
        let start = Instant::now();
        let mut accusations = Accusations::default();
        for height in 0..1_000 {
            accusations.add(evidence(height), 0, start);
        }
        assert_eq!(accusations.due(start, |_| false).len(), REPORTS_MAX);
    }
}
