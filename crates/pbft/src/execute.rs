//! Execution (§4.2: in the order of sequence numbers), and what bodies and batches it waits for.
//!
//! Execution is tentative (§5.1): a batch goes to the driver as soon as it is prepared here, and the COMMIT names the block
//! that comes of it. Until the block is certified, another view may order another batch at the place: then the block is taken
//! back with everything above it, and so is whatever the driver is still executing of it. Answers go out for certified
//! blocks alone.

use ledger::{Digest, ReplicaId};

use crate::effect::{Effect, HaltReason, Order};
use crate::input::{ExecutedBlock, Request};
use crate::message::{Message, SignedMessage};
use crate::number::Sequence;
use crate::replica::{ChainBlock, Replica};
use crate::request::Known;

impl Replica {
    /// Hands prepared batches to the driver, in order, as soon as their content is at hand.
    pub(crate) fn hand_over(&mut self) {
        while !self.halted {
            let sequence = self.chain.handed.next();
            let Some(digest) = self.to_be_executed(sequence) else {
                return;
            };
            let batch = self
                .slots
                .get(&sequence)
                .and_then(|slot| slot.batches.get(&digest));
            let Some(batch) = batch
                .filter(|batch| batch.digests.iter().all(|digest| self.is_held(digest)))
                .cloned()
            else {
                return;
            };
            // Block times are strictly increasing in every history; a null batch has no time of its own.
            let time = batch.time.max(self.chain.handed_time.plus(1));
            let after = self
                .chain
                .blocks
                .get(&self.chain.handed)
                .and_then(|block| block.run);
            self.chain.runs += 1;
            let run = self.chain.runs;
            let block = ChainBlock {
                time,
                digests: batch.digests.clone(),
                batch: Some(digest),
                run: Some(run),
                block: None,
                ends: None,
                commit: None,
                executed_at: self.now.monotonic,
            };
            self.chain
                .recent
                .extend(batch.digests.iter().map(|digest| (*digest, sequence)));
            self.chain.blocks.insert(sequence, block);
            self.chain.handed = sequence;
            self.chain.handed_time = time;
            let order = Order {
                sequence,
                run,
                after,
                batch: digest,
                time,
            };
            self.effects.push(Effect::Execute {
                order,
                digests: batch.digests,
            });
        }
    }

    /// The batch to be executed at a place: the one prepared in this view, or in the view of a certificate that came. Of a
    /// place that is certified in a later view than ours nothing is known here.
    fn to_be_executed(&self, sequence: Sequence) -> Option<Digest> {
        let prepared = self.slots.get(&sequence)?.prepared.as_ref()?;
        let certified = self.chain.certificates.get(&sequence);
        let certified = certified.map(|proof| proof.view());
        let may = match certified {
            Some(view) if view > self.view => false,
            Some(view) if view == prepared.view => true,
            _ => self.active() && prepared.view == self.view,
        };
        may.then_some(prepared.digest)
    }

    /// Drops what was handed over from this place on: another view orders something else there.
    pub(crate) fn take_back(&mut self, from: Sequence) {
        let last = Sequence(from.0 - 1);
        for (sequence, block) in self.chain.blocks.split_off(&from) {
            for digest in block.digests {
                if self.chain.recent.get(&digest) == Some(&sequence) {
                    self.chain.recent.remove(&digest);
                }
            }
        }
        if self.chain.handed > last {
            self.chain.handed = last;
            self.chain.handed_time = match self.chain.blocks.get(&last) {
                Some(block) => block.time,
                None => self.chain.certified_time,
            };
        }
        self.chain.executed = self.chain.executed.min(last);
        self.committed = self.committed.min(last);
    }

    /// The driver executed a block: our COMMIT may be said, once the block is durable with it.
    pub(crate) fn on_executed(&mut self, executed: ExecutedBlock) {
        let ExecutedBlock {
            sequence,
            run,
            block,
            ends,
        } = executed;
        let known = self.chain.blocks.get_mut(&sequence);
        let Some(entry) = known.filter(|known| known.run == Some(run)) else {
            // It was taken back meanwhile, or came from a peer.
            return;
        };
        if sequence != self.chain.executed.next() {
            return self.halt(HaltReason::Driver("executed blocks out of order"));
        }
        entry.block = Some(block);
        entry.ends = ends;
        entry.executed_at = self.now.monotonic;
        self.chain.executed = sequence;
        self.commit_in_order();
        self.check_certified(sequence);
    }

    /// Whether the body is with the driver, in its body store or in a stored block.
    pub(crate) fn is_held(&self, digest: &Digest) -> bool {
        self.held.contains(digest) || self.chain.recent.contains(digest)
    }

    /// Works out what a slot lacks.
    pub(crate) fn note_missing(&mut self, sequence: Sequence) {
        let Some(slot) = self.slots.get(&sequence) else {
            return;
        };
        let proposed = slot.proposed_batch();
        let missing: std::collections::BTreeSet<Digest> = proposed
            .into_iter()
            .flat_map(|batch| &batch.digests)
            .filter(|digest| !self.is_held(digest))
            .copied()
            .collect();
        let complete = missing.is_empty() && slot.unknown_batches().is_empty();
        for digest in &missing {
            self.wanted.entry(*digest).or_default().insert(sequence);
        }
        let now = self.now.monotonic;
        let Some(slot) = self.slots.get_mut(&sequence) else {
            return;
        };
        slot.missing = missing;
        if complete {
            self.incomplete.remove(&sequence);
        } else if self.incomplete.insert(sequence) {
            slot.asked_at = now;
            slot.asks = 0;
        }
    }

    /// Bodies came from other replicas. A request that a proposal names is one that waits, like those that clients send here: its
    /// timer starts (§4.4), and should the view be left, the next primary may have it from us.
    pub(crate) fn on_bodies_held(&mut self, requests: Vec<Request>) {
        let mut unneeded = Vec::new();
        for request in requests {
            if self.wants(&request.digest) {
                self.on_submitted(request, Known::ToAll);
            } else if !self.held.contains(&request.digest) {
                unneeded.push(request.digest);
            }
        }
        if !unneeded.is_empty() {
            self.effects.push(Effect::ForgetBodies(unneeded));
        }
    }

    /// Whether a proposal that was accepted here names a body that is not held.
    pub fn wants(&self, digest: &Digest) -> bool {
        self.wanted.contains_key(digest)
    }

    /// A body is held; places that waited for nothing else go on.
    pub(crate) fn hold(&mut self, digest: Digest) {
        self.held.insert(digest);
        for sequence in self.wanted.remove(&digest).unwrap_or_default() {
            let Some(slot) = self.slots.get_mut(&sequence) else {
                continue;
            };
            slot.missing.remove(&digest);
            if !slot.missing.is_empty() {
                continue;
            }
            if slot.unknown_batches().is_empty() {
                self.incomplete.remove(&sequence);
            }
            self.prepare(sequence);
            self.check_prepared(sequence);
            self.hand_over();
        }
    }

    /// Asks for what is missing: bodies after a little patience, batches at once; again, of the next
    /// replica, when they stay away.
    pub(crate) fn ask_for_missing(&mut self) {
        let now = self.now.monotonic;
        let due: Vec<Sequence> = self
            .incomplete
            .iter()
            .copied()
            .filter(|sequence| self.ask_at(*sequence) <= now)
            .collect();
        let mut batches: std::collections::BTreeMap<ReplicaId, Vec<(Sequence, Digest)>> =
            Default::default();
        for sequence in due {
            let peer = self.peer_to_ask(sequence);
            let Some(slot) = self.slots.get_mut(&sequence) else {
                self.incomplete.remove(&sequence);
                continue;
            };
            slot.asked_at = now;
            slot.asks = slot.asks.saturating_add(1);
            let Some(peer) = peer else { continue };
            let unknown = slot.unknown_batches();
            if !slot.missing.is_empty() {
                let digests = slot.missing.iter().copied().collect();
                self.effects.push(Effect::FetchBodies {
                    digests,
                    from: peer,
                });
            }
            if !unknown.is_empty() {
                batches
                    .entry(peer)
                    .or_default()
                    .extend(unknown.into_iter().map(|digest| (sequence, digest)));
            }
        }
        for (peer, mut wanted) in batches {
            // What does not fit is asked for again.
            wanted.truncate(self.limits.window as usize);
            if let Some(query) = self.sign(Message::BatchQuery(wanted)) {
                self.send(peer, query);
            }
        }
    }

    /// When a slot's missing parts are asked for next.
    pub(crate) fn ask_at(&self, sequence: Sequence) -> ledger::Timestamp {
        self.slots
            .get(&sequence)
            .map_or(ledger::Timestamp(0), |slot| {
                let unknown = slot.missing.is_empty();
                match slot.asks {
                    0 if unknown => slot.asked_at,
                    0 => slot.asked_at.plus(self.limits.body_patience_us),
                    _ => slot.asked_at.plus(self.limits.retransmit_after_us),
                }
            })
    }

    /// First the primary, then the others in turn.
    fn peer_to_ask(&self, sequence: Sequence) -> Option<ReplicaId> {
        let asks = self.slots.get(&sequence)?.asks as usize;
        let members = self.quorum.members();
        let start = members
            .iter()
            .position(|member| *member == self.primary())?;
        let others: Vec<ReplicaId> = (0..members.len())
            .map(|offset| members[(start + offset) % members.len()])
            .filter(|member| *member != self.me)
            .collect();
        others.get(asks % others.len().max(1)).copied()
    }

    /// A peer lacks batches that a new view names by digest.
    pub(crate) fn on_batch_query(&mut self, signed: SignedMessage) {
        let Message::BatchQuery(wanted) = signed.message else {
            return;
        };
        let mut digests_left = 4 * self.limits.batch_digests_max;
        let mut found = Vec::new();
        for (sequence, digest) in wanted {
            let Some(batch) = self
                .slots
                .get(&sequence)
                .and_then(|slot| slot.batches.get(&digest))
            else {
                continue;
            };
            if batch.digests.len() > digests_left {
                break;
            }
            digests_left -= batch.digests.len();
            found.push((sequence, batch.clone()));
        }
        if found.is_empty() {
            return;
        }
        if let Some(answer) = self.sign(Message::BatchAnswer(found)) {
            self.send(signed.sender, answer);
        }
    }

    /// Batches prove themselves by their digest.
    pub(crate) fn on_batch_answer(&mut self, signed: SignedMessage) {
        let Message::BatchAnswer(batches) = signed.message else {
            return;
        };
        for (sequence, batch) in batches {
            self.learn_batch(sequence, batch.digest(), &batch);
        }
    }
}
