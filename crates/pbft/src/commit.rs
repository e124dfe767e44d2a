//! COMMIT (§4.2) and the certificate that a quorum of them makes.
//!
//! A COMMIT is said once the batch is executed (tentative execution, §5.1; see `execute`), and names the block: so a quorum of
//! them fixes the batch at its place, whatever the view does, and certifies what came of it, in one round. It names the view
//! as well, and only COMMITs of one view count together (§4.2): what is prepared in one view may give way to another
//! batch in the next.
//!
//! COMMITs are said in the order of places. A block's hash covers all blocks before it, so the words of a replica for a
//! place speak for everything below; each of those is certified, or was prepared in this view and committed to.

use std::collections::BTreeMap;

use ledger::{Certificate, Digest, ReplicaId, Signature};

use crate::durable::{Entry, LogRecord, Pending};
use crate::effect::{Effect, HaltReason};
use crate::message::{Message, SignedMessage, Vote};
use crate::mutants::mutant;
use crate::number::{Sequence, View};
use crate::prepare::record;
use crate::replica::Replica;
use crate::slot::OwnVote;
use crate::statement::Phase;
use crate::verify::CertifiedHash;

impl Replica {
    /// COMMITs to what is prepared in this view and executed, in the order of places.
    pub(crate) fn commit_in_order(&mut self) {
        self.committed = self.committed.max(self.chain.certified);
        while self.commit(self.committed.next()) {
            self.committed = self.committed.next();
        }
    }

    /// COMMITs to the block at a place, if it may be; `true` once that is said in this view.
    pub(crate) fn commit(&mut self, sequence: Sequence) -> bool {
        let view = self.view;
        if self.has_voted(sequence, view, Phase::Commit) {
            return true;
        }
        if !self.may_vote(sequence) {
            return false;
        }
        let executed = self.chain.blocks.get(&sequence);
        let Some((block, batch)) = executed.and_then(|known| Some((known.block?, known.batch)))
        else {
            return false;
        };
        let Some(slot) = self.slots.get(&sequence) else {
            return false;
        };
        let Some(certificate) = slot
            .prepared
            .as_ref()
            .filter(|prepared| prepared.view == view)
        else {
            return false;
        };
        // What is certified is said again for those who lack it; the new view cannot have prepared anything else.
        let is_certified = sequence <= self.chain.certified;
        let is_other = mutant!(ExecutedKept, false, batch != Some(certificate.digest));
        if !is_certified && is_other {
            return false;
        }
        // A checkpoint waits until we hold all certificates below it (see `checkpoint`).
        let is_checkpoint = self.is_checkpoint(sequence);
        if is_checkpoint && self.chain.certified.next() < sequence {
            return false;
        }
        let Some(batch) = slot.batches.get(&certificate.digest) else {
            return false;
        };
        let (certificate, bodies) = (certificate.clone(), batch.digests.clone());
        let proposal_is_logged =
            self.is_primary() || self.has_voted(sequence, view, Phase::Prepare);
        let proposal = self
            .signed_proposal(sequence, slot)
            .filter(|_| !proposal_is_logged);
        let vote = Vote {
            view,
            sequence,
            digest: block,
        };
        let Some(commit) = self.sign(Message::Commit(vote)) else {
            return false;
        };
        if let Some(proposal) = proposal {
            self.persist(Entry::PrePrepare(proposal), bodies.clone());
        }
        if let Some(slot) = self.slots.get_mut(&sequence) {
            slot.own_commit = Some(OwnVote {
                vote,
                message: commit.clone(),
                durable: false,
            });
        }
        let certificates = is_checkpoint.then(|| Sequence(sequence.0 - 1));
        self.effects.push(Effect::Persist(Pending {
            record: LogRecord(Entry::Commit {
                certificate,
                commit,
            }),
            bodies,
            block: Some(sequence),
            certificates,
        }));
        true
    }

    /// Our COMMIT is durable: it leaves and counts. It leaves even when we have moved on to another view,
    /// because every VIEW-CHANGE of ours since then carries the certificate.
    pub(crate) fn on_commit_durable(&mut self, message: SignedMessage) {
        let Message::Commit(vote) = message.message else {
            return;
        };
        let now = self.now.monotonic;
        let me = self.me;
        if let Some(slot) = self.slots.get_mut(&vote.sequence) {
            if let Some(own) = slot.own_commit.as_mut().filter(|own| own.vote == vote) {
                own.durable = true;
            }
            slot.said_at = Some(now);
            record(&mut slot.commits, me, vote, message.signature);
        }
        self.keep_commit(&message);
        self.spread_commit(vote, message);
        self.check_certified(vote.sequence);
    }

    /// Keeps our COMMIT beside its block, for those who still lack it when the place is forgotten.
    pub(crate) fn keep_commit(&mut self, message: &SignedMessage) {
        let Message::Commit(vote) = message.message else {
            return;
        };
        if let Some(block) = self.chain.blocks.get_mut(&vote.sequence)
            && block.block == Some(vote.digest)
        {
            block.commit = Some(message.clone());
        }
    }

    /// Another's COMMIT. Counted in every view and also during a view change: what a quorum committed to stays.
    pub(crate) fn on_commit(&mut self, sender: ReplicaId, vote: Vote, signature: Signature) {
        if !self.in_reach(vote.sequence) {
            return;
        }
        self.note_double_vote(sender, Phase::Commit, vote, signature);
        let slot = self.slots.entry(vote.sequence).or_default();
        if record(&mut slot.commits, sender, vote, signature) {
            self.check_certified(vote.sequence);
        }
    }

    /// §4.2 committed(m, v, n): a quorum of equal COMMITs is a certificate. f + 1 of them for another block than we
    /// committed to in the same view mean that a correct replica made another of the same batches: this one stops.
    pub(crate) fn check_certified(&mut self, sequence: Sequence) {
        if sequence <= self.chain.certified {
            return;
        }
        let Some(slot) = self.slots.get(&sequence) else {
            return;
        };
        let mut tally: BTreeMap<(View, Digest), Vec<(ReplicaId, Signature)>> = BTreeMap::new();
        for (replica, cast) in &slot.commits {
            let view = mutant!(CommitsOfAnyView, View(0), cast.view);
            let equal = tally.entry((view, cast.digest)).or_default();
            equal.push((*replica, cast.signature));
        }
        for ((view, block), votes) in tally {
            let own = self.own_votes.get(&(sequence, view, Phase::Commit));
            if let Some(own) = own.copied().filter(|own| *own != block)
                && votes.len() >= self.quorum.one_correct()
            {
                return self.halt(HaltReason::Divergence {
                    sequence,
                    own,
                    others: block,
                });
            }
            if votes.len() >= self.quorum.votes() {
                let certificate = Certificate {
                    epoch: self.configuration.epoch.epoch,
                    view: view.0,
                    votes,
                };
                let proof = CertifiedHash::from_verified_votes(sequence, block, certificate);
                self.note_certificate(proof);
            }
        }
        self.hand_over();
        self.advance_certified();
    }

    fn note_certificate(&mut self, proof: CertifiedHash) {
        let sequence = proof.sequence();
        let known = self.chain.certificates.get(&sequence);
        if known.is_none_or(|known| known.view() < proof.view()) {
            self.chain.certificates.insert(sequence, proof.clone());
            self.note_checkpoint(&proof);
        }
    }

    /// Certificates are told in order, each after its block was executed here.
    pub(crate) fn advance_certified(&mut self) {
        let before = self.chain.certified;
        while !self.halted {
            let sequence = self.chain.certified.next();
            let Some(proof) = self.chain.certificates.get(&sequence) else {
                break;
            };
            let executed = self.chain.blocks.get(&sequence);
            let Some(own) = executed.and_then(|block| block.block) else {
                break;
            };
            if own != proof.block() {
                self.on_other_block(own, &proof.clone());
                break;
            }
            // Told first: a COMMIT to a checkpoint that this sets free asks the driver for what it was told before.
            self.effects.push(Effect::Certified {
                sequence,
                block: proof.block(),
                certificate: proof.certificate().clone(),
            });
            self.set_certified(sequence);
        }
        if self.chain.certified > before {
            self.commit_in_order();
            self.collect_garbage();
            self.accept_waiting();
        }
    }

    /// The next place has a certificate, for another block than ours. If ours comes of the batch that our view prepared,
    /// and the certificate is of no later one, both come of the same batches: this replica diverged. Otherwise ours has given
    /// way to what a later view ordered.
    fn on_other_block(&mut self, own: Digest, proof: &CertifiedHash) {
        let sequence = proof.sequence();
        let batch = self
            .chain
            .blocks
            .get(&sequence)
            .and_then(|block| block.batch);
        let prepared = self
            .slots
            .get(&sequence)
            .and_then(|slot| slot.prepared.as_ref());
        let stands = prepared.is_some_and(|prepared| {
            prepared.view >= proof.view() && batch == Some(prepared.digest)
        });
        if stands {
            self.halt(HaltReason::Divergence {
                sequence,
                own,
                others: proof.block(),
            });
        } else {
            self.take_back(sequence);
        }
    }

    /// A height is done: its requests wait no longer.
    pub(crate) fn set_certified(&mut self, sequence: Sequence) {
        let now = self.now.monotonic;
        self.chain.certified = sequence;
        self.chain.certificates.remove(&sequence);
        self.clocks.last_certified_at = now;
        self.clocks.last_block_at = now;
        if self.active() {
            self.clocks.attempts = 0;
        }
        let Some(block) = self.chain.blocks.get(&sequence) else {
            return;
        };
        let time = block.time;
        self.chain.certified_time = time;
        self.pool.remove(&block.digests, now);
        self.clocks.deadline = self
            .clocks
            .deadline
            .filter(|(deadline, _)| *deadline > time);
        if let Some(last) = block.ends {
            self.on_epoch_ends(last);
        }
    }

    /// A batch other than the certified one was chosen for its place: more than f are faulty.
    pub(crate) fn check_against_certified(&mut self, sequence: Sequence, digest: Digest) {
        if sequence > self.chain.certified {
            return;
        }
        let certified = self.chain.blocks.get(&sequence);
        let batch = certified.and_then(|block| block.batch);
        if let Some(first) = batch.filter(|first| *first != digest) {
            self.halt(HaltReason::ConflictingCommit {
                sequence,
                first,
                second: digest,
            });
        }
    }
}
