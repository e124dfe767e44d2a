//! Requests (§4.1): admission, the pool of those that wait, relaying to the primary.

use std::collections::BTreeMap;

use ledger::{Digest, LedgerId, Timestamp};

use crate::effect::{Effect, Refusal};
use crate::input::Request;
use crate::lookup::DigestMap;
use crate::replica::Replica;

/// How many bodies one relay names at most.
const FORWARD_MAX: usize = 256;

/// Requests that wait for a certified block, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    requests: DigestMap<Waiting>,
    arrivals: BTreeMap<u64, Digest>,
    /// Those that are in no proposal of this view.
    unproposed: BTreeMap<u64, Digest>,
    clients: BTreeMap<LedgerId, usize>,
    next_arrival: u64,
    /// Arrivals below this were relayed to the primary of this view.
    forwarded: u64,
    /// When the latest to come of those that this view has proposed came.
    proposed_arrived: Timestamp,
    /// When this view last proposed one of those that wait, or began.
    proposed_at: Timestamp,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    arrival: u64,
    arrived: Timestamp,
    client: LedgerId,
    valid_until: Timestamp,
}

impl Pool {
    pub(crate) fn len(&self) -> usize {
        self.requests.len()
    }

    pub(crate) fn contains(&self, digest: &Digest) -> bool {
        self.requests.contains(digest)
    }

    fn of_client(&self, client: &LedgerId) -> usize {
        self.clients.get(client).copied().unwrap_or(0)
    }

    fn insert(&mut self, request: Request, arrived: Timestamp) {
        let arrival = self.next_arrival;
        self.next_arrival += 1;
        let Request {
            digest,
            client,
            valid_until,
        } = request;
        self.requests.insert(
            digest,
            Waiting {
                arrival,
                arrived,
                client,
                valid_until,
            },
        );
        self.arrivals.insert(arrival, digest);
        self.unproposed.insert(arrival, digest);
        *self.clients.entry(client).or_default() += 1;
    }

    /// Takes requests out: they are in a certified block, or expired.
    pub(crate) fn remove(&mut self, digests: &[Digest]) {
        for digest in digests {
            let Some(waiting) = self.requests.remove(digest) else {
                continue;
            };
            self.arrivals.remove(&waiting.arrival);
            self.unproposed.remove(&waiting.arrival);
            if let Some(count) = self.clients.get_mut(&waiting.client) {
                *count -= 1;
                if *count == 0 {
                    self.clients.remove(&waiting.client);
                }
            }
        }
    }

    /// These are in a proposal of this view.
    pub(crate) fn set_proposed(&mut self, digests: &[Digest], now: Timestamp) {
        for digest in digests {
            if let Some(waiting) = self.requests.get(digest) {
                self.unproposed.remove(&waiting.arrival);
                self.proposed_arrived = self.proposed_arrived.max(waiting.arrived);
                self.proposed_at = now;
            }
        }
    }

    /// A view begins: nothing is proposed in it.
    pub(crate) fn forget_proposals(&mut self, now: Timestamp) {
        self.unproposed = self.arrivals.clone();
        self.forwarded = 0;
        self.proposed_arrived = Timestamp::default();
        self.proposed_at = now;
    }

    pub(crate) fn unproposed_len(&self) -> usize {
        self.unproposed.len()
    }

    /// The first requests that can be proposed.
    pub(crate) fn next_batch(&self, digests_max: usize) -> Vec<Digest> {
        self.unproposed
            .values()
            .take(digests_max)
            .copied()
            .collect()
    }

    /// When the oldest waiting request came; it is the first whose timer expires.
    pub(crate) fn oldest_arrival(&self) -> Option<Timestamp> {
        let (_, digest) = self.arrivals.first_key_value()?;
        Some(self.requests.get(digest)?.arrived)
    }

    /// When the oldest request that is in no proposal came.
    pub(crate) fn oldest_unproposed(&self) -> Option<Timestamp> {
        let (_, digest) = self.unproposed.first_key_value()?;
        Some(self.requests.get(digest)?.arrived)
    }

    /// When the primary seems not to have the oldest request that is neither proposed nor relayed: it has proposed one
    /// that came so much later (it takes them as they come, so a queue alone overtakes nobody), or has proposed none of
    /// ours for so long.
    pub(crate) fn forward_at(&self, patience_us: u64) -> Option<Timestamp> {
        let (_, digest) = self.unproposed.range(self.forwarded..).next()?;
        Some(self.forwardable_at(self.requests.get(digest)?, patience_us))
    }

    fn forwardable_at(&self, waiting: &Waiting, patience_us: u64) -> Timestamp {
        let overtaken = waiting.arrived.plus(patience_us);
        if overtaken <= self.proposed_arrived {
            return overtaken;
        }
        waiting.arrived.max(self.proposed_at).plus(patience_us)
    }

    fn take_unforwarded(&mut self, now: Timestamp, patience_us: u64) -> Vec<Digest> {
        let mut due = Vec::new();
        for (arrival, digest) in self.unproposed.range(self.forwarded..).take(FORWARD_MAX) {
            if self
                .requests
                .get(digest)
                .is_none_or(|waiting| self.forwardable_at(waiting, patience_us) > now)
            {
                break;
            }
            due.push((*arrival, *digest));
        }
        if let Some((last, _)) = due.last() {
            self.forwarded = last + 1;
        }
        due.into_iter().map(|(_, digest)| digest).collect()
    }

    fn expired(&self, before: Timestamp) -> Vec<Digest> {
        let waiting = self
            .unproposed
            .values()
            .filter_map(|digest| Some((digest, self.requests.get(digest)?)));
        waiting
            .filter(|(_, waiting)| waiting.valid_until < before)
            .map(|(digest, _)| *digest)
            .collect()
    }
}

impl Replica {
    /// A client's transaction, checked by the driver. Its timer starts here, at every replica.
    pub(crate) fn on_submitted(&mut self, request: Request) {
        let digest = request.digest;
        if self.pool.contains(&digest) {
            return;
        }
        let refusal = if self.chain.recent.contains(&digest) {
            Some(Refusal::AlreadyExecuted)
        } else if self.pool.len() >= self.limits.pool_requests_max {
            Some(Refusal::Busy)
        } else if self.pool.of_client(&request.client) >= self.limits.client_requests_max {
            Some(Refusal::ClientBusy)
        } else {
            None
        };
        // A body that a proposal waits for is kept in any case.
        let is_proposed = self.wanted.contains_key(&digest);
        if refusal.is_none() || is_proposed {
            if refusal.is_none() {
                self.pool.insert(request, self.now.monotonic);
            }
            if is_proposed {
                self.pool.set_proposed(&[digest], self.now.monotonic);
            }
            self.hold(digest);
        } else if let Some(reason) = refusal.filter(|_| !self.held.contains(&digest)) {
            self.effects.push(Effect::Refused { digest, reason });
        }
    }

    /// §4.1: a backup relays what the primary seems not to have.
    pub(crate) fn forward_requests(&mut self) {
        if !self.active() || self.is_primary() {
            return;
        }
        let patience = self.limits.forward_after_us;
        let digests = self.pool.take_unforwarded(self.now.monotonic, patience);
        if !digests.is_empty() {
            self.effects.push(Effect::ForwardBodies {
                digests,
                to: self.primary(),
            });
        }
    }

    /// Drops requests that no block can accept any more.
    pub(crate) fn drop_expired_requests(&mut self) {
        let before = Timestamp(
            self.now
                .wall
                .0
                .saturating_sub(self.limits.clock_tolerance_us),
        );
        let expired = self.pool.expired(before);
        self.pool.remove(&expired);
        for digest in expired {
            self.held.remove(&digest);
            self.effects.push(Effect::Refused {
                digest,
                reason: Refusal::Expired,
            });
        }
    }

    /// The contracts have something to do at this time (idle clusters make no blocks).
    pub(crate) fn on_deadline_due(&mut self, deadline: Timestamp) {
        if deadline <= self.chain.handed_time {
            return;
        }
        let known = self.clocks.deadline;
        if known.is_none_or(|(earlier, _)| deadline < earlier) {
            self.clocks.deadline = Some((deadline, self.now.monotonic));
        }
    }
}
