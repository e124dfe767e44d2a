//! The replica: its state, and the way of an input through the phases.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{Digest, ReplicaId, Timestamp};

use crate::configuration::{Configuration, Limits};
use crate::durable::{Durable, Entry, Outgoing, Pending};
use crate::effect::{Effect, HaltReason};
use crate::floor::Floor;
use crate::input::Input;
use crate::lookup::{DigestMap, DigestSet};
use crate::message::{Checkpoint, Message, SignedMessage, SignedViewChange};
use crate::number::{Moment, Sequence, View};
use crate::quorum::Quorum;
use crate::recall::Recall;
use crate::request::{Known, Pool};
use crate::retransmit::Peer;
use crate::slot::Slot;
use crate::spread::Unspread;
use crate::state_transfer::Fetch;
use crate::statement::Phase;
use crate::verify::{CertifiedHash, Signer, Verified};

/// A replica of one epoch. See the crate's documentation for the contract with its driver.
pub struct Replica {
    pub(crate) configuration: Configuration,
    pub(crate) limits: Limits,
    pub(crate) quorum: Quorum,
    pub(crate) me: ReplicaId,
    pub(crate) signer: Box<dyn Signer>,
    pub(crate) now: Moment,
    pub(crate) effects: Vec<Effect>,
    pub(crate) halted: bool,
    /// The last place of the epoch, once it is known.
    pub(crate) last: Option<Sequence>,
    /// The epoch is over.
    pub(crate) ended: bool,

    /// The view in which we work, or which we want while `changing`.
    pub(crate) view: View,
    pub(crate) changing: bool,
    /// The NEW-VIEW by which `view` was entered; none in view 0.
    pub(crate) opening: Option<SignedMessage>,
    /// Our VIEW-CHANGE for `view`, and whether it is durable.
    pub(crate) own_view_change: Option<(SignedMessage, bool)>,
    /// The latest view change of each replica, for views not older than ours.
    pub(crate) view_changes: BTreeMap<ReplicaId, SignedViewChange>,
    /// Our NEW-VIEW for `view`, signed and not yet durable.
    pub(crate) own_opening: Option<SignedMessage>,

    /// Places above the floor (see `checkpoint`), at most twice the window.
    pub(crate) slots: BTreeMap<Sequence, Slot>,
    /// What we signed for each slot above the stable checkpoint: the guard against a second vote.
    pub(crate) own_votes: BTreeMap<(Sequence, View, Phase), Digest>,
    /// Up to here the order of this view is known without gaps, and the time of that place.
    pub(crate) accepted: Sequence,
    pub(crate) accepted_time: Timestamp,
    /// The next place that we propose for, as primary.
    pub(crate) next_proposal: Sequence,
    /// Up to here every place is certified, or has our COMMIT of this view.
    pub(crate) committed: Sequence,

    pub(crate) chain: Chain,
    pub(crate) pool: Pool,
    /// Bodies that the driver holds.
    pub(crate) held: DigestSet,
    /// Bodies that are missing, and for which places.
    pub(crate) wanted: BTreeMap<Digest, BTreeSet<Sequence>>,
    /// Places that miss bodies or a batch.
    pub(crate) incomplete: BTreeSet<Sequence>,

    pub(crate) peers: BTreeMap<ReplicaId, Peer>,
    pub(crate) fetch: Option<Fetch>,
    pub(crate) last_fetch_peer: Option<ReplicaId>,
    pub(crate) reported: BTreeSet<(ReplicaId, Sequence, View, Phase)>,
    pub(crate) clocks: Clocks,
    /// COMMITs that not everyone has been told.
    pub(crate) unspread: Unspread,
    /// What others remember of us, until enough have said it.
    pub(crate) recall: Recall,
    /// How the primary does.
    pub(crate) floor: Floor,
}

/// Timers and their parameters; all on the monotonic clock.
#[derive(Debug, Default)]
pub(crate) struct Clocks {
    /// Request timers count from here at the earliest (entry into the view, end of a catch-up).
    pub(crate) requests_from: Timestamp,
    /// View changes since the last block that was made in an open view.
    pub(crate) attempts: u32,
    /// When we give up waiting for the view to open; runs once a quorum wants the view.
    pub(crate) new_view_deadline: Option<Timestamp>,
    pub(crate) status_at: Timestamp,
    pub(crate) last_block_at: Timestamp,
    /// Since when others have certified more than we.
    pub(crate) behind_since: Option<Timestamp>,
    /// When `certified` last grew.
    pub(crate) last_certified_at: Timestamp,
    /// A deadline of the contracts: its block time, and when we learnt that it is due.
    pub(crate) deadline: Option<(Timestamp, Timestamp)>,
}

/// The chain as the core knows it.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) stable: Checkpoint,
    /// Handed to the driver for execution up to here; time of that block. What is not certified may be taken back.
    pub(crate) handed: Sequence,
    pub(crate) handed_time: Timestamp,
    pub(crate) executed: Sequence,
    /// Certified up to here; time of that block.
    pub(crate) certified: Sequence,
    pub(crate) certified_time: Timestamp,
    /// How many orders to execute were given.
    pub(crate) runs: u64,
    /// The latest blocks (at most twice the window below `handed`).
    pub(crate) blocks: BTreeMap<Sequence, ChainBlock>,
    /// Transactions in `blocks`.
    pub(crate) recent: DigestMap<Sequence>,
    /// Certificates above `certified`.
    pub(crate) certificates: BTreeMap<Sequence, CertifiedHash>,
}

/// A recent block.
#[derive(Debug, Clone)]
pub(crate) struct ChainBlock {
    pub(crate) time: Timestamp,
    pub(crate) digests: Vec<Digest>,
    /// Digest of the batch, where it was ordered here.
    pub(crate) batch: Option<Digest>,
    /// The order by which it was handed over, in this life of the process.
    pub(crate) run: Option<u64>,
    /// Hash of the header, once executed.
    pub(crate) block: Option<Digest>,
    /// The last height of the epoch, when the block holds a change of the replica set.
    pub(crate) ends: Option<Sequence>,
    /// Our COMMIT, durable.
    pub(crate) commit: Option<SignedMessage>,
    /// When it was executed here (monotonic).
    pub(crate) executed_at: Timestamp,
}

/// Where a replica stands, for metrics and health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// The view in which it works, or which it wants.
    pub view: View,
    /// The primary of that view.
    pub primary: ReplicaId,
    /// Whether it waits for the view to open.
    pub changing: bool,
    /// The last stable checkpoint.
    pub stable: Sequence,
    /// The height up to which it executed; what is not certified of it may be taken back.
    pub executed: Sequence,
    /// The height up to which it holds certificates.
    pub certified: Sequence,
    /// The highest certified height that some peer claims.
    pub certified_elsewhere: Sequence,
    /// How many requests wait.
    pub requests: usize,
    /// How many places are kept.
    pub slots: usize,
    /// How many bodies are held.
    pub bodies: usize,
    /// Whether it stopped (see [`HaltReason`]).
    pub halted: bool,
    /// Whether it may not sign yet, because others have not said what they remember of it.
    pub recalling: bool,
}

impl Replica {
    /// Takes one input and says what to do.
    ///
    /// `now.monotonic` must not go back between steps (it is clamped if it does).
    pub fn step(&mut self, now: Moment, input: Input) -> Vec<Effect> {
        self.now = Moment {
            monotonic: now.monotonic.max(self.now.monotonic),
            wall: now.wall,
        };
        if self.halted || self.ended {
            return Vec::new();
        }
        match input {
            Input::Message(message) => self.on_message(message),
            Input::Submitted(requests) => requests
                .into_iter()
                .for_each(|request| self.on_submitted(request, Known::ToAll)),
            Input::Addressed(requests) => requests
                .into_iter()
                .for_each(|request| self.on_submitted(request, Known::Here)),
            Input::Relayed(requests) => self.on_relayed(requests),
            Input::BodiesHeld(requests) => self.on_bodies_held(requests),
            Input::Persisted(entries) => entries
                .into_iter()
                .for_each(|entry| self.on_persisted(entry)),
            Input::Executed(block) => self.on_executed(block),
            Input::BlocksInstalled(blocks) => self.on_blocks_installed(blocks),
            Input::FetchFailed { peer } => self.on_fetch_failed(peer),
            Input::DeadlineDue(deadline) => self.on_deadline_due(deadline),
            Input::EpochEnds(last) => self.on_epoch_ends(last),
            Input::Claimed { peer, certified } => self.on_claimed(peer, certified),
            Input::Wakeup => {}
        }
        if !self.halted {
            self.on_time();
            self.propose();
            self.tell_primary();
            self.check_epoch_end();
        }
        std::mem::take(&mut self.effects)
    }

    /// When [`Input::Wakeup`] is wanted, on the monotonic clock. Changes with every step.
    pub fn next_wakeup(&self) -> Option<Timestamp> {
        if self.halted || self.ended {
            None
        } else {
            Some(self.earliest_timer())
        }
    }

    /// Where this replica stands.
    pub fn summary(&self) -> Summary {
        Summary {
            view: self.view,
            primary: self.primary(),
            changing: self.changing,
            stable: self.chain.stable.sequence,
            executed: self.chain.executed,
            certified: self.chain.certified,
            certified_elsewhere: self.certified_elsewhere(),
            requests: self.pool.len(),
            slots: self.slots.len(),
            bodies: self.held.len(),
            halted: self.halted,
            recalling: !self.recall.is_done(),
        }
    }

    fn on_message(&mut self, verified: Verified<SignedMessage>) {
        let signed = verified.into_inner();
        if signed.sender == self.me {
            self.on_own_word(&crate::statement::Statement::of(&signed.message));
            return;
        }
        match &signed.message {
            Message::PrePrepare(_) => self.on_pre_prepare(signed),
            Message::Prepare(vote) => self.on_prepare(signed.sender, *vote, signed.signature),
            Message::Commit(vote) => self.on_commit(signed.sender, *vote, signed.signature),
            Message::ViewChange(_) => self.on_view_change(signed),
            Message::NewView(_) => self.on_new_view(signed),
            Message::Status(status) => self.on_status(signed.sender, *status),
            Message::BatchQuery(_) => self.on_batch_query(signed),
            Message::BatchAnswer(_) => self.on_batch_answer(signed),
            Message::Recalled(_) => self.on_recalled(signed),
        }
    }

    /// A log entry is durable: what it says may leave, and counts as our own vote.
    fn on_persisted(&mut self, durable: Durable<Pending>) {
        if self.halted {
            return;
        }
        let entry = durable.into_inner().record.0;
        match entry {
            Entry::PrePrepare(message) => self.on_pre_prepare_durable(message),
            Entry::Prepare { prepare, .. } => self.on_prepare_durable(prepare),
            Entry::Commit { commit, .. } => self.on_commit_durable(commit),
            Entry::ViewChange(message) => self.on_view_change_durable(message),
            Entry::NewView(message) => self.on_new_view_durable(message),
            Entry::Stable(_) | Entry::Epoch(_) => {}
        }
    }

    pub(crate) fn primary(&self) -> ReplicaId {
        self.quorum.primary(self.view)
    }

    pub(crate) fn is_primary(&self) -> bool {
        self.primary() == self.me
    }

    /// Whether new votes may be signed: others have said what they remember of us.
    pub(crate) fn may_sign(&self) -> bool {
        !self.halted && self.recall.is_done()
    }

    /// Works in an open view.
    pub(crate) fn active(&self) -> bool {
        !self.changing && !self.halted
    }

    /// Says something to all others, after the COMMITs that waited for it.
    pub(crate) fn broadcast(&mut self, message: SignedMessage) {
        self.say_unspread();
        self.unspread.note_said(self.now.monotonic);
        self.effects.push(Effect::Broadcast(Outgoing(message)));
    }

    pub(crate) fn send(&mut self, to: ReplicaId, message: SignedMessage) {
        self.effects.push(Effect::Send {
            to,
            message: Outgoing(message),
        });
    }

    pub(crate) fn halt(&mut self, reason: HaltReason) {
        if !self.halted {
            self.halted = true;
            self.effects.push(Effect::Halt(reason));
        }
    }
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Replica")
            .field("replica", &self.me)
            .field("summary", &self.summary())
            .finish()
    }
}
