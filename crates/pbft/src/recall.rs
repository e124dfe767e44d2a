//! After a start: what others remember of us, before anything new is signed.
//!
//! The paper assumes that a replica's log survives (§4.3 mentions stable storage only in passing; proactive
//! recovery, TOCS'02 §4, solves more than we want). Here a replica whose log was lost, or restored from an old copy,
//! must never vote again under its key. So after a start it asks, and every other replica returns each binding word
//! of it that still matters, under its own signature; any that the log does not hold is proof of the loss.
//!
//! Answers of all others but f suffice. A vote that mattered is part of a quorum, a quorum contains f + 1 correct
//! replicas, and at least one of those whose memory matters is among the answers: what is older than every
//! stable checkpoint, or belongs to a view that a quorum left, can do no harm any more. The driver
//! besides binds the log to the key's folder, which finds a lost disk without anybody's help.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{Digest, ReplicaId, Signature};

use crate::effect::HaltReason;
use crate::message::{Message, Recalled, RecalledWord, SignedMessage};
use crate::number::{Sequence, View};
use crate::quorum::Quorum;
use crate::replica::Replica;
use crate::statement::{Phase, Statement};
use crate::verify::pre_prepare_statement;

/// How many words of one replica another can remember. Places are kept over three windows (from one below the stable
/// checkpoint to two above it, see `checkpoint`), each with at most two proposals, a PREPARE and a COMMIT
/// of it; besides, two VIEW-CHANGEs, a NEW-VIEW, and the COMMIT in the stable checkpoint's certificate.
pub(crate) fn words_max(window: usize) -> usize {
    3 * window * 4 + 4
}

/// The question that stands after a start.
#[derive(Debug, Default)]
pub(crate) struct Recall {
    /// The number of this start.
    asked: u64,
    /// Who answered.
    heard: BTreeSet<ReplicaId>,
    /// How many have to.
    needed: usize,
    /// Where the log ended at the start.
    view: View,
    stable: Sequence,
}

impl Recall {
    /// Everybody but f has to answer.
    pub(crate) fn question(asked: u64, quorum: &Quorum, view: View, stable: Sequence) -> Recall {
        let others = quorum.members().len() - 1;
        Recall {
            asked,
            heard: BTreeSet::new(),
            needed: others.saturating_sub(quorum.one_correct() - 1),
            view,
            stable,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.heard.len() >= self.needed
    }

    /// What goes into our status.
    pub(crate) fn asks(&self) -> Option<u64> {
        (!self.is_done()).then_some(self.asked)
    }
}

impl Replica {
    /// A word of ours came back from a peer, by itself or among what it remembers.
    pub(crate) fn on_own_word(&mut self, statement: &Statement) {
        if self.is_lost(statement) {
            self.halt(HaltReason::LostVotes {
                view: statement.view,
                sequence: statement.sequence,
            });
        }
    }

    /// Whether the log should hold this word of ours, and does not.
    fn is_lost(&self, statement: &Statement) -> bool {
        let slot = (statement.sequence, statement.view, statement.phase);
        if self.own_votes.get(&slot) == Some(&statement.digest) {
            return false;
        }
        // Until the question is settled, what counts is where the log ended and not what we learnt since.
        let asking = !self.recall.is_done();
        let (view, stable) = if asking {
            (self.recall.view, self.recall.stable)
        } else {
            (self.view, self.chain.stable.sequence)
        };
        match statement.phase {
            Phase::PrePrepare | Phase::Prepare | Phase::Commit => {
                statement.sequence > stable && statement.view >= view
            }
            Phase::ViewChange | Phase::NewView => statement.view > view,
            Phase::Status | Phase::BatchQuery | Phase::BatchAnswer | Phase::Recalled => false,
        }
    }

    /// The oldest place of which our own words are remembered.
    pub(crate) fn own_votes_floor(&self) -> Sequence {
        let stable = self.chain.stable.sequence;
        if self.recall.is_done() {
            stable
        } else {
            stable.min(self.recall.stable)
        }
    }

    /// A peer answers. Its signature and those of our words were verified.
    pub(crate) fn on_recalled(&mut self, signed: SignedMessage) {
        let Message::Recalled(recalled) = &signed.message else {
            return;
        };
        if recalled.of != self.me || recalled.asked != self.recall.asked || self.recall.is_done() {
            return;
        }
        for word in &recalled.words {
            self.on_own_word(&word.statement());
        }
        if self.halted {
            return;
        }
        self.recall.heard.insert(signed.sender);
        if self.recall.is_done() {
            self.begin_to_vote();
        }
    }

    /// Says to a replica that started what we remember of it.
    pub(crate) fn recall_for(&mut self, of: ReplicaId, asked: u64) {
        let words = self.words_of(of);
        if let Some(answer) = self.sign(Message::Recalled(Recalled { of, asked, words })) {
            self.send(of, answer);
        }
    }

    fn words_of(&self, of: ReplicaId) -> Vec<RecalledWord> {
        // One word for each slot, in the order of slots.
        let mut words: BTreeMap<(Sequence, View, Phase), (Digest, Signature)> = BTreeMap::new();
        let mut add = |statement: Statement, signature: Signature| {
            words
                .entry((statement.sequence, statement.view, statement.phase))
                .or_insert((statement.digest, signature));
        };
        for known in self
            .view_changes
            .get(&of)
            .into_iter()
            .chain(self.view_change_in_opening(of))
        {
            add(Statement::of_view_change(&known.change), known.signature);
        }
        if let Some(opening) = self.opening.as_ref().filter(|opening| opening.sender == of) {
            add(Statement::of(&opening.message), opening.signature);
        }
        for (sequence, slot) in &self.slots {
            let proposals = slot
                .proposal
                .iter()
                .map(|proposal| (proposal.view, proposal.digest, proposal.signature))
                .chain(
                    slot.waiting
                        .iter()
                        .map(|waiting| (waiting.view, waiting.digest, waiting.signature)),
                );
            for (view, digest, signature) in
                proposals.filter(|(view, ..)| self.quorum.primary(*view) == of)
            {
                let vote = crate::message::Vote {
                    view,
                    sequence: *sequence,
                    digest,
                };
                add(pre_prepare_statement(vote), signature);
            }
            for (phase, votes) in [
                (Phase::Prepare, &slot.prepares),
                (Phase::Commit, &slot.commits),
            ] {
                if let Some(cast) = votes.get(&of) {
                    let statement = Statement {
                        view: cast.view,
                        sequence: *sequence,
                        phase,
                        digest: cast.digest,
                    };
                    add(statement, cast.signature);
                }
            }
        }
        let stable = &self.chain.stable;
        let certificate = stable.certificate.iter();
        for (view, (replica, signature)) in certificate.flat_map(|certificate| {
            let votes = certificate.votes.iter();
            votes.map(|vote| (View(certificate.view), vote))
        }) {
            if *replica == of {
                let statement = Statement::commit(view, stable.sequence, stable.block);
                add(statement, *signature);
            }
        }
        let word = |((sequence, view, phase), (digest, signature))| RecalledWord {
            view,
            sequence,
            phase,
            digest,
            signature,
        };
        words.into_iter().map(word).collect()
    }

    fn view_change_in_opening(&self, of: ReplicaId) -> Option<&crate::message::SignedViewChange> {
        match self.opening.as_ref().map(|opening| &opening.message) {
            Some(Message::NewView(opening)) => opening
                .view_changes
                .iter()
                .find(|change| change.sender == of),
            _ => None,
        }
    }
}
