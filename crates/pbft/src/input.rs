//! What a replica is told.

use ledger::{Digest, LedgerId, ReplicaId, Timestamp};

use crate::durable::{Durable, Pending};
use crate::message::SignedMessage;
use crate::number::Sequence;
use crate::verify::{CertifiedHash, Verified};

/// One thing that happened.
#[derive(Debug)]
pub enum Input {
    /// A message of another replica whose signatures were verified off the core's thread.
    Message(Verified<SignedMessage>),
    /// Clients' transactions whose bodies the driver holds and has checked (signature, size, chain), in the order in
    /// which they came: those at hand together, so that a proposal takes all of them.
    /// The driver keeps a body until [`crate::Effect::ForgetBodies`] names it.
    Submitted(Vec<Request>),
    /// The same, sent to this replica as the primary (§4.1): the others may not have them, so one that is not the primary
    /// answers with [`crate::Effect::PassOn`].
    Addressed(Vec<Request>),
    /// The same, relayed to the primary by another replica ([`crate::Effect::ForwardBodies`]).
    Relayed(Vec<Request>),
    /// Bodies that proposals name ([`crate::Replica::wants`]) and that the driver now holds and has checked, under the same rule of
    /// keeping: they came with the proposal, or were asked for by [`crate::Effect::FetchBodies`]. Any subset, at any time.
    BodiesHeld(Vec<Request>),
    /// Entries of [`crate::Effect::Persist`], now durable, in the order in which they were given.
    Persisted(Vec<Durable<Pending>>),
    /// The block of [`crate::Effect::Execute`] was executed. It is made durable no later than the log entry that asks for it
    /// ([`Pending::block`]).
    Executed(ExecutedBlock),
    /// Certified blocks that were fetched, verified, executed and stored durably (in order of height).
    /// What was executed here at one of these heights and came out otherwise gave way with everything above it.
    BlocksInstalled(Vec<Durable<InstalledBlock>>),
    /// [`crate::Effect::FetchBlocks`] brought nothing usable; another peer will be asked.
    FetchFailed {
        /// The peer that was asked.
        peer: ReplicaId,
    },
    /// The contracts have something to do at this block time, and it has come (or the wall clock says so).
    DeadlineDue(Timestamp),
    /// The block at this height is the last of the epoch: a change of the replica set is in a block that was fetched, or stored
    /// before a restart. (Of a block executed here [`ExecutedBlock::ends`] says so.)
    EpochEnds(Sequence),
    /// A replica says, elsewhere than in the protocol, up to where it has certificates (those that went on to
    /// the next epoch send no more messages of this one, and some are none of this one's replicas). A claim, like that in a
    /// status.
    Claimed {
        /// Who.
        peer: ReplicaId,
        /// The height.
        certified: Sequence,
    },
    /// [`crate::Replica::next_wakeup`] has come. Harmless at any other time.
    Wakeup,
}

/// A client's request as the core sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Wire digest of the signed transaction.
    pub digest: Digest,
    /// Who submitted it (for the limit per client).
    pub client: LedgerId,
    /// Past this block time it can no longer be accepted, so it is dropped.
    pub valid_until: Timestamp,
}

/// The result of an [`crate::Effect::Execute`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecutedBlock {
    /// The height.
    pub sequence: Sequence,
    /// Which [`crate::Effect::Execute`] it answers.
    pub run: u64,
    /// The hash of the header.
    pub block: Digest,
    /// The last height of the epoch, when the block holds a change of the replica set.
    pub ends: Option<Sequence>,
}

/// A block that was fetched with its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledBlock {
    /// Height, hash and verified certificate.
    pub proof: CertifiedHash,
    /// The block's time.
    pub time: Timestamp,
    /// Wire digests of its transactions.
    pub digests: Vec<Digest>,
}
