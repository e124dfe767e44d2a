//! What a replica asks the driver to do.

use ledger::{Certificate, Digest, Equivocation, ReplicaId, Timestamp};

use crate::configuration::Base;
use crate::durable::{LogRecord, Outgoing, Pending};
use crate::number::{Sequence, View};

/// One thing to do. Effects of one step, and of successive steps, are performed in order where they
/// touch the same resource (log, network peer, executor); different resources may run side by side.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Append to the vote log and sync; answered by [`crate::Input::Persisted`]. Collect as many as are
    /// at hand into one group (one fsync).
    Persist(Pending),
    /// Atomically replace the vote log by these records (write a new file, sync, rename, sync the folder).
    /// Entries given to `Persist` before are contained or obsolete, but still get their `Persisted`.
    CompactLog(Vec<LogRecord>),
    /// Send to every other replica of the epoch.
    Broadcast(Outgoing),
    /// Send to one replica.
    Send {
        /// The receiver.
        to: ReplicaId,
        /// What.
        message: Outgoing,
    },
    /// Get these bodies from `from` (or anyone), check them, keep them; answered by
    /// [`crate::Input::BodiesHeld`] for those that are found. Asked again, of others, if they stay away.
    FetchBodies {
        /// Wire digests.
        digests: Vec<Digest>,
        /// Who should have them.
        from: ReplicaId,
    },
    /// Send these bodies, which the driver holds, to the primary (§4.1: the request is relayed).
    ForwardBodies {
        /// Wire digests.
        digests: Vec<Digest>,
        /// The primary.
        to: ReplicaId,
    },
    /// Send these bodies to the primary as a client would: they were sent here by one who took this replica for it.
    PassOn {
        /// Wire digests.
        digests: Vec<Digest>,
        /// The primary.
        to: ReplicaId,
    },
    /// The core no longer needs these bodies (they are in stored blocks, or expired).
    ForgetBodies(Vec<Digest>),
    /// Execute a batch; answered by [`crate::Input::Executed`]. Whatever was executed and not certified at this height or above
    /// gives way. It is passed over, unanswered, if the block before is not the one that the order names, or the height is
    /// certified: [`crate::Input::BlocksInstalled`] tells the core of both.
    Execute {
        /// Where, on what, when.
        order: Order,
        /// Wire digests, in order. All bodies are held.
        digests: Vec<Digest>,
    },
    /// The block at `sequence` has a certificate: answers may go out. Given in order, each height once,
    /// except for heights whose certificate came with [`crate::Input::BlocksInstalled`].
    Certified {
        /// The height.
        sequence: Sequence,
        /// The block's hash.
        block: Digest,
        /// A quorum of COMMITs of one view.
        certificate: Certificate,
    },
    /// Fetch certified blocks `first..=last` from `peer`, verify each against the epoch, execute and store
    /// them; answered by [`crate::Input::BlocksInstalled`] (any prefix of the range, at once or in parts)
    /// or [`crate::Input::FetchFailed`].
    FetchBlocks {
        /// The first height wanted.
        first: Sequence,
        /// The last height wanted.
        last: Sequence,
        /// Whom to ask.
        peer: ReplicaId,
    },
    /// A replica signed two different things for one slot: this belongs on the ledger.
    Evidence(Equivocation),
    /// A request is not taken: the driver may answer the client, and forgets the body.
    Refused {
        /// Wire digest.
        digest: Digest,
        /// Why.
        reason: Refusal,
    },
    /// This replica entered a view (telemetry).
    EnteredView {
        /// The view.
        view: View,
        /// Its primary.
        primary: ReplicaId,
    },
    /// This replica leaves the view `from` (telemetry).
    LeftView {
        /// The view that it leaves.
        from: View,
        /// The primary of that view.
        primary: ReplicaId,
        /// Why.
        reason: Suspicion,
    },
    /// The last block of the epoch ([`crate::Input::EpochEnds`]) is certified, and so are all before it. This
    /// core does nothing from now on: the driver builds the next epoch's on this base, or retires.
    EpochEnded(Base),
    /// Something that must never happen did. The replica does nothing from now on; the driver stops
    /// voting, reports, and leaves the data for inspection.
    Halt(HaltReason),
}

/// Which block to make of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// The height of the block.
    pub sequence: Sequence,
    /// The number of this order; the answer bears it.
    pub run: u64,
    /// The order by which the block before was executed; `None` where it was installed, or stored before this core began.
    pub after: Option<u64>,
    /// The digest of the batch, to be stored with the block ([`crate::StoredBlock::batch`]).
    pub batch: Digest,
    /// The block time.
    pub time: Timestamp,
}

/// What a primary is waited for with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Waiter {
    /// A client's request.
    #[error("a request")]
    Request,
    /// A deadline of the contracts.
    #[error("a deadline")]
    Deadline,
    /// A block that was executed here and has no certificate.
    #[error("an executed block")]
    Block,
    /// An idle cluster, which makes a block now and then.
    #[error("an idle cluster")]
    Idle,
}

/// Why a replica leaves a view by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Suspicion {
    /// Something waited too long.
    #[error("{0} waited too long for it")]
    Timeout(Waiter),
    /// The view did not open in time.
    #[error("it did not open the view in time")]
    NotOpened,
    /// It proposes far more slowly than the primaries before it.
    #[error("it lets requests wait although it has room for them")]
    TooSlow,
    /// Nothing is wrong: primaries take turns.
    #[error("it has had its turn")]
    Turn,
    /// f + 1 others left the view.
    #[error("others left the view")]
    Others,
}

/// Why a request was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The pool is full.
    #[error("too many requests are waiting")]
    Busy,
    /// This client has too many requests waiting.
    #[error("too many requests of this client are waiting")]
    ClientBusy,
    /// It was executed in a recent block.
    #[error("already executed")]
    AlreadyExecuted,
    /// It waited past its validity.
    #[error("expired before it was ordered")]
    Expired,
}

/// Why a replica stopped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HaltReason {
    /// More than f replicas committed to another block than this one, at one height in one view.
    #[error("block {sequence} is {own} here, but at least one correct replica has {others}")]
    Divergence {
        /// The height.
        sequence: Sequence,
        /// Our block's hash.
        own: Digest,
        /// Theirs.
        others: Digest,
    },
    /// A place was committed with two batches: more than f replicas are faulty.
    #[error("sequence {sequence} committed twice: {first} and {second}")]
    ConflictingCommit {
        /// The place.
        sequence: Sequence,
        /// The batch certified here.
        first: Digest,
        /// The batch that the others have.
        second: Digest,
    },
    /// The core was about to sign a second, different vote for one slot.
    #[error("a second vote was about to be signed for view {view}, sequence {sequence}")]
    ConflictingVote {
        /// The view.
        view: View,
        /// The place.
        sequence: Sequence,
    },
    /// A vote of ours came back that our log does not hold: the log was lost or is an old copy.
    #[error("a vote of ours for view {view}, sequence {sequence} is not in our log")]
    LostVotes {
        /// The view.
        view: View,
        /// The place.
        sequence: Sequence,
    },
    /// The driver broke the contract (for example an executed block that was never asked for).
    #[error("the driver broke the contract: {0}")]
    Driver(&'static str),
}
