//! Proposing (§4.2): batching and pipelining at the primary.

use ledger::Timestamp;

use crate::batch::Batch;
use crate::durable::Entry;
use crate::message::{Message, PrePrepare};
use crate::replica::Replica;
use crate::slot::Proposal;

impl Replica {
    /// Proposes while there is work and the pipeline has room.
    pub(crate) fn propose(&mut self) {
        while let Some(batch) = self.next_proposal_batch() {
            let before = self.accepted;
            self.propose_batch(batch);
            if self.accepted == before {
                return;
            }
        }
    }

    /// Whether this replica may propose now: as primary of an open view whose order is known to us
    /// without gaps, below the high water mark, with room in the pipeline.
    fn may_propose(&self) -> bool {
        let next = self.accepted.next();
        self.active()
            && self.may_sign()
            && self.is_primary()
            && next >= self.next_proposal
            // Below a stable checkpoint our earlier votes are forgotten, so none may be cast there again.
            && next > self.chain.stable.sequence
            && next <= self.high_mark()
            && self.in_flight() < self.limits.pipeline_depth
    }

    /// How many proposals are not certified yet.
    pub(crate) fn in_flight(&self) -> u64 {
        self.accepted.since(self.chain.certified)
    }

    fn next_proposal_batch(&self) -> Option<Batch> {
        if !self.may_propose() {
            return None;
        }
        let time = self.now.wall.max(self.accepted_time.plus(1));
        if time.0
            > self
                .now
                .wall
                .0
                .saturating_add(self.limits.clock_tolerance_us / 2)
        {
            // The chain's time is ahead of our clock: backups would refuse.
            return None;
        }
        let waiting = self.pool.unproposed_len();
        let in_flight = self.in_flight();
        let digests = if waiting > 0 && self.batch_is_ready(waiting, in_flight) {
            self.pool.next_batch(self.limits.batch_digests_max)
        } else if in_flight == 0 && self.empty_block_is_due() {
            Vec::new()
        } else {
            return None;
        };
        Some(Batch { time, digests })
    }

    /// A block without requests is due: nothing happened for long, the contracts have something to do, the epoch
    /// begins, or it is to end soon.
    fn empty_block_is_due(&self) -> bool {
        self.is_first()
            || self.hurries()
            || self.idle_block_at() <= self.now.monotonic
            || self.deadline_has_come()
    }

    /// With nothing in flight every request goes at once; otherwise batches fill for a moment.
    fn batch_is_ready(&self, waiting: usize, in_flight: u64) -> bool {
        in_flight == 0
            || waiting >= self.limits.batch_digests_max
            || self.batch_due_at() <= self.now.monotonic
    }

    fn batch_due_at(&self) -> Timestamp {
        self.pool
            .oldest_unproposed()
            .unwrap_or_default()
            .plus(self.limits.batch_wait_us)
    }

    pub(crate) fn idle_block_at(&self) -> Timestamp {
        self.clocks
            .last_block_at
            .plus(self.limits.idle_block_after_us)
    }

    fn deadline_has_come(&self) -> bool {
        self.clocks
            .deadline
            .is_some_and(|(deadline, _)| deadline <= self.now.wall)
    }

    /// When a primary has something to propose that it does not propose yet.
    pub(crate) fn proposal_at(&self) -> Option<Timestamp> {
        if !self.may_propose() {
            return None;
        }
        let ahead = self
            .accepted_time
            .0
            .saturating_sub(self.now.wall.0 + self.limits.clock_tolerance_us / 2);
        let possible = self.now.monotonic.plus(ahead);
        if self.pool.unproposed_len() > 0 {
            return Some(self.batch_due_at().max(possible));
        }
        if self.in_flight() > 0 {
            return None;
        }
        if self.is_first() || self.hurries() {
            return Some(possible);
        }
        let deadline = self.clocks.deadline.map(|(deadline, _)| {
            self.now
                .monotonic
                .plus(deadline.0.saturating_sub(self.now.wall.0))
        });
        let at = self.idle_block_at();
        Some(
            deadline
                .map_or(at, |deadline| deadline.min(at))
                .max(possible),
        )
    }

    /// Signs a proposal for the next place; it leaves when it is durable together with its bodies.
    fn propose_batch(&mut self, batch: Batch) {
        let (view, sequence) = (self.view, self.accepted.next());
        let digest = batch.digest();
        let message = Message::PrePrepare(PrePrepare {
            view,
            sequence,
            batch: batch.clone(),
        });
        let Some(signed) = self.sign(message) else {
            return;
        };
        let slot = self.slots.entry(sequence).or_default();
        slot.waiting = None;
        slot.proposal = Some(Proposal {
            view,
            digest,
            signature: signed.signature,
            votable: true,
            durable: false,
        });
        slot.batches.insert(digest, batch.clone());
        self.pool.set_proposed(&batch.digests, self.now.monotonic);
        self.accepted = sequence;
        self.accepted_time = batch.time.max(self.accepted_time.plus(1));
        self.next_proposal = sequence.next();
        self.note_missing(sequence);
        self.persist(Entry::PrePrepare(signed), batch.digests);
    }
}
