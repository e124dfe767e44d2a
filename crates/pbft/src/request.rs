//! Requests (§4.1): admission, the pool of those that wait, relaying to the primary.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{Digest, LedgerId, Timestamp};

use crate::effect::{Effect, Refusal};
use crate::input::Request;
use crate::lookup::DigestMap;
use crate::replica::Replica;

/// How many bodies one relay names at most.
const FORWARD_MAX: usize = 256;

/// The number of the first request to come: those that are put before others count down from it.
const FIRST_ARRIVAL: u64 = 1 << 63;

/// Requests that wait for a certified block, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Pool {
    requests: DigestMap<Waiting>,
    /// Those that are in a proposal of this view.
    proposed: BTreeMap<u64, Digest>,
    /// The others.
    unproposed: BTreeMap<u64, Digest>,
    /// When the first of the others became the first: the one before it was proposed then.
    first_since: Timestamp,
    /// Those of the others that no other replica is known to have.
    unshared: BTreeSet<u64>,
    /// None of the others expires before.
    expires_from: Timestamp,
    clients: BTreeMap<LedgerId, usize>,
    next_arrival: u64,
    /// The lowest number given.
    lowest_arrival: u64,
    /// Arrivals below this were relayed to the primary of this view.
    forwarded: u64,
    /// When some were last relayed.
    forwarded_at: Timestamp,
    /// When the latest to come of those that this view has proposed came.
    proposed_arrived: Timestamp,
    /// When this view last proposed one of those that wait, or began.
    proposed_at: Timestamp,
}

/// Who has a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// It was sent to every replica, or to some that know what to do with it.
    ToAll,
    /// It was sent to this replica as the primary, perhaps to no other.
    Here,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    arrival: u64,
    arrived: Timestamp,
    client: LedgerId,
    valid_until: Timestamp,
}

impl Default for Pool {
    fn default() -> Pool {
        Pool {
            requests: DigestMap::default(),
            proposed: BTreeMap::new(),
            unproposed: BTreeMap::new(),
            unshared: BTreeSet::new(),
            first_since: Timestamp::default(),
            expires_from: Timestamp::default(),
            clients: BTreeMap::new(),
            next_arrival: FIRST_ARRIVAL,
            lowest_arrival: FIRST_ARRIVAL,
            forwarded: 0,
            forwarded_at: Timestamp::default(),
            proposed_arrived: Timestamp::default(),
            proposed_at: Timestamp::default(),
        }
    }
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

    fn insert(&mut self, request: Request, known: Known, arrived: Timestamp) {
        let arrival = self.next_arrival;
        self.next_arrival += 1;
        if known == Known::Here {
            self.unshared.insert(arrival);
        }
        self.insert_at(arrival, request, arrived);
    }

    fn insert_at(&mut self, arrival: u64, request: Request, arrived: Timestamp) {
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
        if self.unproposed.is_empty() || valid_until < self.expires_from {
            self.expires_from = valid_until;
        }
        self.unproposed.insert(arrival, digest);
        *self.clients.entry(client).or_default() += 1;
    }

    /// Puts a request before all others that are in no proposal.
    fn insert_first(&mut self, request: Request, arrived: Timestamp) {
        self.lowest_arrival -= 1;
        self.insert_at(self.lowest_arrival, request, arrived);
    }

    /// Puts one that waits before all others, unless it is in a proposal.
    fn bring_forward(&mut self, digest: &Digest) {
        let Some(mut waiting) = self.requests.get(digest).copied() else {
            return;
        };
        if self.unproposed.remove(&waiting.arrival).is_none() {
            return;
        }
        self.unshared.remove(&waiting.arrival);
        self.lowest_arrival -= 1;
        waiting.arrival = self.lowest_arrival;
        self.unproposed.insert(waiting.arrival, *digest);
        self.requests.insert(*digest, waiting);
    }

    /// Takes requests out: they are in a certified block, or expired.
    pub(crate) fn remove(&mut self, digests: &[Digest], now: Timestamp) {
        let first = self.first_unproposed();
        for digest in digests {
            let Some(waiting) = self.requests.remove(digest) else {
                continue;
            };
            self.proposed.remove(&waiting.arrival);
            self.unproposed.remove(&waiting.arrival);
            self.unshared.remove(&waiting.arrival);
            if let Some(count) = self.clients.get_mut(&waiting.client) {
                *count -= 1;
                if *count == 0 {
                    self.clients.remove(&waiting.client);
                }
            }
        }
        self.note_first(first, now);
    }

    fn first_unproposed(&self) -> Option<u64> {
        let (arrival, _) = self.unproposed.first_key_value()?;
        Some(*arrival)
    }

    fn note_first(&mut self, before: Option<u64>, now: Timestamp) {
        if self.first_unproposed() != before {
            self.first_since = now;
        }
    }

    /// These are in a proposal of this view.
    pub(crate) fn set_proposed(&mut self, digests: &[Digest], now: Timestamp) {
        let first = self.first_unproposed();
        for digest in digests {
            if let Some(waiting) = self.requests.get(digest) {
                self.unproposed.remove(&waiting.arrival);
                // Whoever gets the proposal gets it as well.
                self.unshared.remove(&waiting.arrival);
                self.proposed.insert(waiting.arrival, *digest);
                self.proposed_arrived = self.proposed_arrived.max(waiting.arrived);
                self.proposed_at = now;
            }
        }
        self.note_first(first, now);
    }

    /// A view begins: nothing is proposed in it.
    pub(crate) fn forget_proposals(&mut self, now: Timestamp) {
        self.unproposed.append(&mut self.proposed);
        // Some of those may have expired.
        self.expires_from = Timestamp::default();
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

    /// Since when the primary is waited for (§4.4), if the latest block was certified at `certified_at`.
    ///
    /// A proposal with a request must be certified, counted from the block before it. Something must be proposed, counted from
    /// the latest proposal. And the request at the front must be, counted from when it came there: a queue is worked off from
    /// its front, however long it is, and one that is passed over comes to it. Only, replicas that had no room for the same
    /// requests have them in another order, and the primary may have ours further back: so for that `passed_over_us` more are
    /// allowed when the queue is full, and less when it is shorter.
    pub(crate) fn waiting_since(
        &self,
        certified_at: Timestamp,
        waiting_max: usize,
        passed_over_us: u64,
    ) -> Option<Timestamp> {
        let arrived = |first: &BTreeMap<u64, Digest>| {
            let (_, digest) = first.first_key_value()?;
            Some(self.requests.get(digest)?.arrived)
        };
        let proposed = arrived(&self.proposed).map(|arrived| arrived.max(certified_at));
        let unproposed = arrived(&self.unproposed).map(|arrived| {
            let at_front = arrived.max(self.first_since);
            let longer = passed_over_us * self.unproposed.len() as u64 / waiting_max.max(1) as u64;
            at_front.plus(longer).min(at_front.max(self.proposed_at))
        });
        unproposed.into_iter().chain(proposed).min()
    }

    /// When the oldest request that is in no proposal came.
    pub(crate) fn oldest_unproposed(&self) -> Option<Timestamp> {
        let (_, digest) = self.unproposed.first_key_value()?;
        Some(self.requests.get(digest)?.arrived)
    }

    /// When the primary seems not to have the oldest request that is neither proposed nor relayed: it has proposed one
    /// that came so much later (it takes them as they come, so a queue alone overtakes nobody), or has proposed none of
    /// ours for so long. Some at a time suffice: should it have them and be slow, the whole queue is not sent to it.
    pub(crate) fn forward_at(&self, patience_us: u64) -> Option<Timestamp> {
        let (_, digest) = self.unproposed.range(self.forwarded..).next()?;
        Some(self.forwardable_at(self.requests.get(digest)?, patience_us))
    }

    fn forwardable_at(&self, waiting: &Waiting, patience_us: u64) -> Timestamp {
        let overtaken = waiting.arrived.plus(patience_us);
        if overtaken <= self.proposed_arrived {
            return overtaken.max(self.forwarded_at.plus(patience_us));
        }
        waiting
            .arrived
            .max(self.proposed_at)
            .max(self.forwarded_at)
            .plus(patience_us)
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
            self.forwarded_at = now;
        }
        due.into_iter().map(|(_, digest)| digest).collect()
    }

    /// Those that no other replica is known to have; from now on one has them.
    fn take_unshared(&mut self) -> Vec<Digest> {
        let arrivals = std::mem::take(&mut self.unshared).into_iter();
        arrivals
            .filter_map(|arrival| self.unproposed.get(&arrival).copied())
            .collect()
    }

    /// Those in no proposal whose validity ended.
    fn expired(&mut self, before: Timestamp) -> Vec<Digest> {
        if self.expires_from >= before {
            return Vec::new();
        }
        let waiting = self
            .unproposed
            .values()
            .filter_map(|digest| Some((*digest, self.requests.get(digest)?.valid_until)));
        let (expired, others): (Vec<_>, Vec<_>) =
            waiting.partition(|(_, valid_until)| *valid_until < before);
        let earliest = others.iter().map(|(_, valid_until)| *valid_until).min();
        self.expires_from = earliest.unwrap_or_default();
        expired.into_iter().map(|(digest, _)| digest).collect()
    }
}

impl Replica {
    /// A client's transaction, checked by the driver. Its timer starts here, at every replica that has it.
    pub(crate) fn on_submitted(&mut self, request: Request, known: Known) {
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
                self.pool.insert(request, known, self.now.monotonic);
            }
            if is_proposed {
                self.pool.set_proposed(&[digest], self.now.monotonic);
            }
            self.hold(digest);
        } else if let Some(reason) = refusal.filter(|_| !self.held.contains(&digest)) {
            self.effects.push(Effect::Refused { digest, reason });
        }
    }

    /// What a backup relays comes before all others, in its order: it was overtaken there, and its timer is the first to be
    /// up. It is taken in where there is no room for clients' requests, or what one replica had no room for and another had
    /// would be ordered late by the one and missed by the other.
    pub(crate) fn on_relayed(&mut self, requests: Vec<Request>) {
        for request in requests.into_iter().rev() {
            self.put_first(request);
        }
    }

    fn put_first(&mut self, request: Request) {
        let digest = request.digest;
        if !self.is_primary() || self.chain.recent.contains(&digest) {
            return self.on_submitted(request, Known::ToAll);
        }
        if self.pool.contains(&digest) {
            self.pool.bring_forward(&digest);
        } else if self.pool.len() < 2 * self.limits.pool_requests_max {
            self.pool.insert_first(request, self.now.monotonic);
            if self.wanted.contains_key(&digest) {
                self.pool.set_proposed(&[digest], self.now.monotonic);
            }
            self.hold(digest);
        } else {
            self.on_submitted(request, Known::ToAll);
        }
    }

    /// §4.1: a backup passes on what it was sent as the primary, which it was a moment ago or was taken for (no faster than
    /// if it had been sent to the primary: nobody gains by mistaking it); and after a while it relays what the primary seems not to have.
    pub(crate) fn forward_requests(&mut self) {
        if !self.active() || self.is_primary() {
            return;
        }
        let to = self.primary();
        let digests = self.pool.take_unshared();
        if !digests.is_empty() {
            self.effects.push(Effect::PassOn { digests, to });
        }
        let patience = self.limits.forward_after_us;
        let digests = self.pool.take_unforwarded(self.now.monotonic, patience);
        if !digests.is_empty() {
            self.effects.push(Effect::ForwardBodies { digests, to });
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
        self.pool.remove(&expired, self.now.monotonic);
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
