//! Block votes and certificates: after execution every replica says which block it has.

use std::collections::BTreeMap;

use ledger::{Certificate, Digest, ReplicaId, Signature};

use crate::durable::{Entry, LogRecord, Pending};
use crate::effect::{Effect, HaltReason};
use crate::message::{BlockHash, Message, SignedMessage};
use crate::number::{Sequence, View};
use crate::replica::Replica;
use crate::statement::Phase;
use crate::verify::CertifiedHash;

impl Replica {
    /// Casts our vote for an executed, durable block. At a checkpoint height it waits until we hold all
    /// certificates below (see `checkpoint`).
    pub(crate) fn vote_for_block(&mut self, sequence: Sequence, block: Digest) {
        if !self.may_sign() {
            return;
        }
        let is_checkpoint = self.is_checkpoint(sequence);
        if is_checkpoint && self.chain.certified.next() < sequence {
            return;
        }
        let Some(vote) = self.sign(Message::BlockVote(BlockHash { sequence, block })) else {
            return;
        };
        if is_checkpoint {
            let certificates = Some(Sequence(sequence.0 - 1));
            let record = LogRecord(Entry::CheckpointVote(vote));
            self.effects.push(Effect::Persist(Pending {
                record,
                bodies: Vec::new(),
                certificates,
            }));
        } else {
            self.cast_block_vote(vote);
        }
    }

    /// Our vote at a checkpoint height is durable, with the certificates below.
    pub(crate) fn on_checkpoint_vote_durable(&mut self, vote: SignedMessage) {
        self.cast_block_vote(vote);
    }

    fn cast_block_vote(&mut self, vote: SignedMessage) {
        let Message::BlockVote(BlockHash { sequence, block }) = vote.message else {
            return;
        };
        if let Some(entry) = self.chain.blocks.get_mut(&sequence) {
            entry.vote = Some(vote.clone());
        }
        if sequence > self.chain.certified {
            let votes = self.chain.votes.entry(sequence).or_default();
            votes.insert(self.me, (block, vote.signature));
        }
        self.broadcast(vote);
        self.check_certified(sequence);
    }

    /// Another's block vote.
    pub(crate) fn on_block_vote(
        &mut self,
        sender: ReplicaId,
        vote: BlockHash,
        signature: Signature,
    ) {
        let BlockHash { sequence, block } = vote;
        let reach = self
            .chain
            .stable
            .sequence
            .max(self.chain.executed)
            .plus(2 * self.limits.window);
        if sequence <= self.chain.certified || sequence > reach {
            return;
        }
        let votes = self.chain.votes.entry(sequence).or_default();
        match votes.get(&sender).copied() {
            Some(first) if first.0 != block => {
                self.report(
                    sender,
                    sequence,
                    View(0),
                    Phase::BlockVote,
                    first,
                    (block, signature),
                );
            }
            Some(_) => {}
            None => {
                votes.insert(sender, (block, signature));
                self.check_certified(sequence);
            }
        }
    }

    /// A quorum of equal votes is a certificate. f + 1 votes for another block than ours mean that a
    /// correct replica has another: this one stops.
    pub(crate) fn check_certified(&mut self, sequence: Sequence) {
        let Some(votes) = self.chain.votes.get(&sequence) else {
            return;
        };
        let own = self
            .chain
            .blocks
            .get(&sequence)
            .and_then(|block| block.block);
        let mut tally: BTreeMap<Digest, Vec<(ReplicaId, Signature)>> = BTreeMap::new();
        for (replica, (block, signature)) in votes {
            tally
                .entry(*block)
                .or_default()
                .push((*replica, *signature));
        }
        for (block, votes) in tally {
            if let Some(own) =
                own.filter(|own| *own != block && votes.len() >= self.quorum.one_correct())
            {
                return self.halt(HaltReason::Divergence {
                    sequence,
                    own,
                    others: block,
                });
            }
            if votes.len() >= self.quorum.votes()
                && !self.chain.certificates.contains_key(&sequence)
            {
                let certificate = Certificate {
                    epoch: self.configuration.epoch.epoch,
                    votes,
                };
                let proof = CertifiedHash::from_verified_votes(sequence, block, certificate);
                self.chain.certificates.insert(sequence, proof.clone());
                self.note_checkpoint(&proof);
            }
        }
        self.advance_certified();
    }

    /// Certificates are told in order, each after its block was executed here.
    pub(crate) fn advance_certified(&mut self) {
        while self.chain.certified < self.chain.executed && !self.halted {
            let sequence = self.chain.certified.next();
            let Some(proof) = self.chain.certificates.remove(&sequence) else {
                return;
            };
            // Told first: a checkpoint vote that this sets free asks the driver for what it was told before.
            self.effects.push(Effect::Certified {
                sequence,
                block: proof.block(),
                certificate: proof.certificate().clone(),
            });
            self.set_certified(sequence);
        }
    }

    /// A height is done: its requests wait no longer.
    pub(crate) fn set_certified(&mut self, sequence: Sequence) {
        self.chain.certified = sequence;
        self.chain.votes.remove(&sequence);
        self.chain.certificates.remove(&sequence);
        self.clocks.last_certified_at = self.now.monotonic;
        if let Some(block) = self.chain.blocks.get(&sequence) {
            self.pool.remove(&block.digests);
        }
        let next = sequence.next();
        let waiting = self
            .chain
            .blocks
            .get(&next)
            .filter(|block| block.vote.is_none())
            .and_then(|block| block.block);
        if let Some(block) = waiting.filter(|_| self.is_checkpoint(next)) {
            self.vote_for_block(next, block);
        }
    }
}
