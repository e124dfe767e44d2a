//! Execution (§4.2: in the order of sequence numbers), and what bodies and batches it waits for.

use ledger::{Digest, ReplicaId};

use crate::durable::Durable;
use crate::effect::{Effect, HaltReason};
use crate::input::ExecutedBlock;
use crate::message::{Message, SignedMessage};
use crate::number::Sequence;
use crate::replica::{ChainBlock, Replica};

impl Replica {
    /// Hands committed batches to the driver, in order, as soon as their content is at hand.
    pub(crate) fn hand_over(&mut self) {
        let before = self.chain.handed;
        while !self.halted {
            let sequence = self.chain.handed.next();
            let Some(slot) = self.slots.get(&sequence) else {
                break;
            };
            let (Some((view, digest)), Some(batch)) = (slot.committed, slot.committed_batch())
            else {
                break;
            };
            if !slot.missing.is_empty() {
                break;
            }
            let digests = batch.digests.clone();
            // Block times are strictly increasing in every history; a null batch has no time of its own.
            let time = batch.time.max(self.chain.handed_time.plus(1));
            let block = ChainBlock {
                time,
                digests: digests.clone(),
                batch: Some(digest),
                block: None,
                vote: None,
                executed_at: self.now.monotonic,
            };
            self.chain
                .recent
                .extend(digests.iter().map(|digest| (*digest, sequence)));
            self.chain.blocks.insert(sequence, block);
            self.chain.handed = sequence;
            self.chain.handed_time = time;
            self.pool.set_proposed(&digests, self.now.monotonic);
            self.effects.push(Effect::Execute {
                sequence,
                view,
                digests,
                time,
            });
        }
        if self.chain.handed > before {
            self.accept_waiting();
        }
    }

    /// The driver executed and stored a block: our block vote may leave (it is backed by the block).
    pub(crate) fn on_executed(&mut self, durable: Durable<ExecutedBlock>) {
        let ExecutedBlock { sequence, block } = *durable.get();
        if sequence > self.chain.handed {
            return self.halt(HaltReason::Driver(
                "executed a block that was not handed over",
            ));
        }
        let Some(entry) = self.chain.blocks.get_mut(&sequence) else {
            return;
        };
        if let Some(own) = entry.block {
            // Installed from a peer while it was being executed here.
            if own != block {
                self.halt(HaltReason::Divergence {
                    sequence,
                    own: block,
                    others: own,
                });
            }
            return;
        }
        if sequence != self.chain.executed.next() {
            return self.halt(HaltReason::Driver("executed blocks out of order"));
        }
        entry.block = Some(block);
        entry.executed_at = self.now.monotonic;
        let time = entry.time;
        self.chain.executed = sequence;
        self.clocks.last_block_at = self.now.monotonic;
        self.clocks.deadline = self
            .clocks
            .deadline
            .filter(|(deadline, _)| *deadline > time);
        if self.active() {
            self.clocks.attempts = 0;
        }
        self.vote_for_block(sequence, block);
        self.collect_garbage();
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
        let batches = slot
            .proposed_batch()
            .into_iter()
            .chain(slot.committed_batch());
        let missing: std::collections::BTreeSet<Digest> = batches
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

    /// Bodies came, from clients or from other replicas.
    pub(crate) fn on_bodies_held(&mut self, digests: Vec<Digest>) {
        let (needed, unneeded): (Vec<Digest>, Vec<Digest>) = digests
            .into_iter()
            .filter(|digest| !self.held.contains(digest))
            .partition(|digest| self.wanted.contains_key(digest));
        if !unneeded.is_empty() {
            self.effects.push(Effect::ForgetBodies(unneeded));
        }
        for digest in needed {
            self.hold(digest);
        }
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
