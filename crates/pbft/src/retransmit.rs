//! Retransmission (TOCS'02 §5.2): status is told from time to time, and who sees another lack something
//! sends it again. Nothing is acknowledged, nothing is resent blindly.

use ledger::{ReplicaId, Timestamp};

use crate::message::{Message, SignedMessage, Status};
use crate::number::{Sequence, View};
use crate::prepare::record;
use crate::replica::Replica;
use crate::slot::Slot;

/// How many places one answer to a status covers.
const PLACES_MAX: usize = 8;

/// What we know of another replica.
#[derive(Debug, Clone, Default)]
pub(crate) struct Peer {
    pub(crate) status: Option<Status>,
    /// When we last answered its status (monotonic).
    pub(crate) answered_at: Option<Timestamp>,
    /// When we last sent it a view change or new view.
    pub(crate) view_sent_at: Option<Timestamp>,
    /// Blocks are not fetched from it before this, and how often that failed in a row.
    pub(crate) fetch_after: Timestamp,
    pub(crate) fetch_failures: u32,
    /// What it claims to have certified, by other ways than its status.
    pub(crate) claimed: Sequence,
}

impl Peer {
    /// The highest certified height that it claims.
    pub(crate) fn certified(&self) -> Sequence {
        let told = self.status.map_or(Sequence(0), |status| status.certified);
        told.max(self.claimed)
    }
}

impl Replica {
    /// Tells everyone where we stand.
    pub(crate) fn tell_status(&mut self) {
        let interval = if self.is_busy() {
            self.limits.status_interval_us
        } else {
            self.limits.status_interval_idle_us
        };
        self.clocks.status_at = self.now.monotonic.plus(interval);
        let status = Status {
            view: self.view,
            changing: self.changing,
            stable: self.chain.stable.sequence,
            executed: self.chain.executed,
            certified: self.chain.certified,
            asks: self.recall.asks(),
        };
        if let Some(message) = self.sign(Message::Status(status)) {
            self.broadcast(message);
        }
    }

    /// Whether something is outstanding, here or at a peer.
    fn is_busy(&self) -> bool {
        self.changing
            || self.pool.len() > 0
            || self.chain.certified < self.chain.handed
            || self.accepted > self.chain.certified
            || self.is_behind()
            || !self.recall.is_done()
            || self
                .peers
                .values()
                .filter_map(|peer| peer.status)
                .any(|status| {
                    status.changing
                        || status.view != self.view
                        || status.certified != self.chain.certified
                })
    }

    /// Another replica's status: remember it and send what it lacks.
    pub(crate) fn on_status(&mut self, sender: ReplicaId, status: Status) {
        let now = self.now.monotonic;
        let is_behind =
            status.executed < self.chain.executed || status.certified < self.chain.certified;
        let peer = self.peers.entry(sender).or_default();
        let is_stale = peer
            .status
            .is_some_and(|known| known.executed == status.executed);
        peer.status = Some(status);
        if peer
            .answered_at
            .is_some_and(|at| at.plus(self.limits.retransmit_after_us / 2) > now)
        {
            return;
        }
        peer.answered_at = Some(now);
        if let Some(asked) = status.asks {
            self.recall_for(sender, asked);
        }
        self.resend_view(sender, &status);
        if is_behind || is_stale || status.asks.is_some() {
            self.resend_commits(sender, &status);
            self.resend_votes(sender, &status);
        }
    }

    /// The peer is in an older view, or waits for the one that we are in or want.
    fn resend_view(&mut self, to: ReplicaId, status: &Status) {
        let waits = status.view < self.view || status.view == self.view && status.changing;
        let peer = self.peers.entry(to).or_default();
        let is_recent = peer
            .view_sent_at
            .is_some_and(|at| at.plus(self.limits.retransmit_after_us) > self.now.monotonic);
        if !waits || is_recent {
            return;
        }
        let message = if self.changing {
            self.own_view_change
                .as_ref()
                .filter(|(_, durable)| *durable)
                .map(|(message, _)| message.clone())
        } else {
            self.opening.clone()
        };
        if let Some(message) = message {
            peer.view_sent_at = Some(self.now.monotonic);
            self.send(to, message);
        }
    }

    /// Our COMMITs above what the peer has certified.
    fn resend_commits(&mut self, to: ReplicaId, status: &Status) {
        let commits: Vec<SignedMessage> = self
            .chain
            .blocks
            .range(status.certified.next()..)
            .filter(|(_, block)| self.is_old(block.executed_at))
            .filter_map(|(_, block)| block.commit.clone())
            .take(PLACES_MAX)
            .collect();
        for commit in commits {
            self.send(to, commit);
        }
    }

    /// Pre-prepares (also those of others) and PREPAREs above what the peer has certified.
    fn resend_votes(&mut self, to: ReplicaId, status: &Status) {
        let first = status.certified.max(status.stable).next();
        if !self.in_reach(first) {
            // It has to fetch blocks first.
            return;
        }
        let mut messages = Vec::new();
        let old = self
            .slots
            .range(first..)
            .filter(|(_, slot)| slot.said_at.is_some_and(|at| self.is_old(at)));
        for (sequence, slot) in old.take(PLACES_MAX) {
            messages.extend(self.said_about(*sequence, slot, status.view));
        }
        for message in messages {
            self.send(to, message);
        }
    }

    fn said_about(&self, sequence: Sequence, slot: &Slot, view: View) -> Vec<SignedMessage> {
        let mut messages = Vec::new();
        let in_view = !self.changing && view == self.view;
        let may_relay = slot
            .proposal
            .as_ref()
            .is_some_and(|proposal| proposal.durable && proposal.view == self.view);
        let is_from_opening = self.opening_covers(sequence);
        if in_view && may_relay && !is_from_opening {
            messages.extend(self.signed_proposal(sequence, slot));
        }
        let prepare = slot
            .own_prepare
            .iter()
            .filter(|own| in_view && own.vote.view == self.view);
        messages.extend(
            prepare
                .filter(|own| own.durable)
                .map(|own| own.message.clone()),
        );
        messages
    }

    /// Whether the place was proposed by the NEW-VIEW itself (which is resent as a whole).
    fn opening_covers(&self, sequence: Sequence) -> bool {
        match self.opening.as_ref().map(|opening| &opening.message) {
            Some(Message::NewView(opening)) => opening
                .proposals
                .last()
                .is_some_and(|last| sequence <= last.sequence),
            _ => false,
        }
    }

    fn is_old(&self, said_at: Timestamp) -> bool {
        said_at.plus(self.limits.retransmit_after_us) <= self.now.monotonic
    }

    /// Counts a vote of ours that the log held.
    pub(crate) fn count_restored_vote(&mut self, message: &SignedMessage) {
        let me = self.me;
        match message.message {
            Message::Prepare(vote) => {
                let slot = self.slots.entry(vote.sequence).or_default();
                record(&mut slot.prepares, me, vote, message.signature);
            }
            Message::Commit(vote) => {
                let slot = self.slots.entry(vote.sequence).or_default();
                record(&mut slot.commits, me, vote, message.signature);
            }
            _ => {}
        }
    }
}
