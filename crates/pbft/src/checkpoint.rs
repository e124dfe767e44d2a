//! Checkpoints (§4.3): a certificate at every K-th height lets everything below it be forgotten.
//!
//! The CHECKPOINT message of the paper is our COMMIT: it is said when the block is durable, and
//! the block's hash covers the state root. A certificate at a checkpoint height is the stable proof.
//!
//! A correct replica votes at a checkpoint height only when it holds, durably, a certificate for every
//! height below. So whenever a checkpoint is stable, f + 1 correct replicas can serve certified blocks up to
//! it, and nobody who forgot the votes below (§4.3) leaves another without a way to catch up. (The
//! simulator found the hole: a faulty replica that votes at checkpoint heights only.)

use std::collections::BTreeSet;

use ledger::Digest;

use crate::durable::{Entry, LogRecord};
use crate::effect::{Effect, HaltReason};
use crate::message::Checkpoint;
use crate::number::Sequence;
use crate::replica::Replica;
use crate::slot::Slot;
use crate::statement::Phase;
use crate::verify::CertifiedHash;

impl Replica {
    /// The high water mark H = h + L (§4.2, §4.3), and never past the end of the epoch.
    pub(crate) fn high_mark(&self) -> Sequence {
        let mark = self.chain.stable.sequence.plus(self.limits.window);
        self.end().map_or(mark, |last| last.min(mark))
    }

    /// Messages for places in reach are kept: from the floor to one window above the high water mark, so
    /// that a replica whose checkpoint is a little late loses nothing.
    pub(crate) fn in_reach(&self, sequence: Sequence) -> bool {
        sequence > self.floor()
            && sequence <= self.high_mark().plus(self.limits.window)
            && self.end().is_none_or(|last| sequence <= last)
    }

    /// Up to here slots are dropped. Normally the stable checkpoint; a replica that has its certificates a little
    /// later than others keeps what they are still wanted for, unless it is a whole window behind.
    fn floor(&self) -> Sequence {
        let stable = self.chain.stable.sequence;
        if stable.since(self.chain.certified) > self.limits.window {
            stable
        } else {
            stable.min(self.chain.certified)
        }
    }

    /// Whether a checkpoint is taken at this height.
    pub(crate) fn is_checkpoint(&self, sequence: Sequence) -> bool {
        sequence.0.is_multiple_of(self.limits.checkpoint_interval)
    }

    /// A certificate was seen; at a checkpoint height it makes the checkpoint stable.
    pub(crate) fn note_checkpoint(&mut self, proof: &CertifiedHash) {
        let sequence = proof.sequence();
        if sequence <= self.chain.stable.sequence || !self.is_checkpoint(sequence) {
            return;
        }
        let own = self
            .chain
            .blocks
            .get(&sequence)
            .and_then(|block| block.block);
        // What is not certified here may have given way in a view that we have not seen.
        let slot = (sequence, proof.view(), Phase::Commit);
        let stands = sequence <= self.chain.certified || self.own_votes.contains_key(&slot);
        if let Some(own) = own.filter(|own| stands && *own != proof.block()) {
            return self.halt(HaltReason::Divergence {
                sequence,
                own,
                others: proof.block(),
            });
        }
        self.chain.stable = Checkpoint {
            sequence,
            block: proof.block(),
            certificate: Some(proof.certificate().clone()),
        };
        if sequence > self.chain.certified {
            self.chain
                .certificates
                .entry(sequence)
                .or_insert_with(|| proof.clone());
            self.advance_certified();
        }
        self.collect_garbage();
        let records = self.log_snapshot();
        self.effects.push(Effect::CompactLog(records));
        self.accept_waiting();
    }

    /// Drops what lies below the marks.
    pub(crate) fn collect_garbage(&mut self) {
        let (floor, stable) = (self.floor(), self.own_votes_floor());
        let before = self.slots.len();
        self.slots = self.slots.split_off(&floor.next());
        self.own_votes.retain(|(sequence, view, _), _| {
            *sequence > stable || *sequence == Sequence(0) && *view >= self.view
        });
        if self.slots.len() == before {
            return;
        }
        self.incomplete = self.incomplete.split_off(&floor.next());
        let oldest = Sequence(
            floor
                .min(self.chain.certified)
                .0
                .saturating_sub(self.limits.window),
        );
        let recent_blocks = self.chain.blocks.split_off(&oldest.next());
        let old_blocks = std::mem::replace(&mut self.chain.blocks, recent_blocks);
        for (sequence, block) in old_blocks {
            for digest in block.digests {
                if self.chain.recent.get(&digest) == Some(&sequence) {
                    self.chain.recent.remove(&digest);
                }
            }
        }
        self.reported
            .retain(|(_, sequence, _, _)| *sequence > floor);
        if self.is_checkpoint(floor) {
            self.forget_bodies();
        }
    }

    /// Lets go of bodies that no slot and no waiting request needs.
    fn forget_bodies(&mut self) {
        self.wanted.retain(|_, places| {
            *places = places.intersection(&self.incomplete).copied().collect();
            !places.is_empty()
        });
        let needed: BTreeSet<Digest> = self
            .slots
            .values()
            .flat_map(|slot| slot.batches.values())
            .flat_map(|batch| batch.digests.iter().copied())
            .collect();
        let pool = &self.pool;
        let forgotten = self
            .held
            .take_unless(|digest| needed.contains(digest) || pool.contains(digest));
        if !forgotten.is_empty() {
            self.effects.push(Effect::ForgetBodies(forgotten));
        }
    }

    /// Everything that the log must still hold: the stable checkpoint, how we came to our view, and what we
    /// voted above the checkpoint.
    pub(crate) fn log_snapshot(&self) -> Vec<LogRecord> {
        let mut entries = vec![
            Entry::Epoch(self.configuration.epoch.epoch),
            Entry::Stable(self.chain.stable.clone()),
        ];
        entries.extend(self.opening.clone().map(Entry::NewView));
        entries.extend(
            self.own_view_change
                .clone()
                .map(|(message, _)| Entry::ViewChange(message)),
        );
        entries.extend(self.own_opening.clone().map(Entry::NewView));
        for (sequence, slot) in self.slots.range(self.chain.stable.sequence.next()..) {
            self.snapshot_slot(*sequence, slot, &mut entries);
        }
        entries.into_iter().map(LogRecord).collect()
    }

    fn snapshot_slot(&self, sequence: Sequence, slot: &Slot, entries: &mut Vec<Entry>) {
        if let (Some(certificate), Some(own)) = (&slot.prepared, &slot.own_commit) {
            if let Some(batch) = slot.batches.get(&certificate.digest) {
                let (view, signature) = (certificate.view, certificate.pre_prepare);
                let message = self.pre_prepare_message(view, sequence, batch.clone(), signature);
                entries.push(Entry::PrePrepare(message));
            }
            entries.push(Entry::Commit {
                certificate: certificate.clone(),
                commit: own.message.clone(),
            });
        }
        let Some(pre_prepare) = self.signed_proposal(sequence, slot) else {
            return;
        };
        let Some(proposal) = &slot.proposal else {
            return;
        };
        match &slot.own_prepare {
            Some(own) if own.vote.view == proposal.view => {
                entries.push(Entry::Prepare {
                    pre_prepare,
                    prepare: own.message.clone(),
                });
            }
            _ if pre_prepare.sender == self.me => entries.push(Entry::PrePrepare(pre_prepare)),
            _ => {}
        }
    }
}
