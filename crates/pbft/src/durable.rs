//! Votes are durable before they leave, and the types say so.
//!
//! The core hands out [`Pending`] log entries. The only way to turn one into a [`Durable`] is
//! [`Durable::after`], which runs the driver's write-and-sync and gives nothing when that fails; the only
//! way to get an [`Outgoing`] vote is to give the `Durable` back to the core. A COMMIT names the block that must be durable
//! with it ([`Pending::block`]); fetched blocks come as `Durable<InstalledBlock>`.

use ledger::{Digest, Epoch, ReplicaId};
use serde::{Deserialize, Serialize};

use crate::message::{Checkpoint, PreparedCertificate, SignedMessage};
use crate::number::Sequence;

/// A value that was on stable storage when this was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durable<T>(T);

impl<T> Durable<T> {
    /// Runs `sync` over the group (one write, one sync) and marks the group durable if it succeeds.
    ///
    /// `sync` must return `Ok` only when every value of the group, and everything the values ask for
    /// ([`Pending::bodies`], [`Pending::block`], [`Pending::certificates`]), survives a power failure.
    ///
    /// # Errors
    /// What `sync` returns; then nothing of the group may be taken as durable, and the process should
    /// stop: a failed fsync is never retried.
    pub fn after<E>(
        group: Vec<T>,
        sync: impl FnOnce(&[T]) -> Result<(), E>,
    ) -> Result<Vec<Durable<T>>, E> {
        sync(&group)?;
        Ok(group.into_iter().map(Durable).collect())
    }

    /// The value.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// The value, no longer marked.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// An entry that the vote log must hold before the message in it may leave.
///
/// Not `Clone`: each entry is persisted once and comes back once, in the order given.
#[derive(Debug, PartialEq, Eq)]
pub struct Pending {
    pub(crate) record: LogRecord,
    pub(crate) bodies: Vec<Digest>,
    pub(crate) block: Option<Sequence>,
    pub(crate) certificates: Option<Sequence>,
}

impl Pending {
    /// The bytes to append to the vote log (the driver frames them with length and checksum).
    pub fn record_bytes(&self) -> Vec<u8> {
        self.record.to_bytes()
    }

    /// The message of `replica` that may leave once this entry is durable, if there is one.
    pub fn message(&self, replica: ReplicaId) -> Option<&SignedMessage> {
        self.record.0.outgoing(replica)
    }

    /// Bodies that must be durable no later than this entry (same group, same fsync).
    pub fn bodies(&self) -> &[Digest] {
        &self.bodies
    }

    /// The executed block at this height ([`crate::Input::Executed`] told of it before) must be durable no later than this entry.
    pub fn block(&self) -> Option<Sequence> {
        self.block
    }

    /// Certificates up to this height ([`crate::Effect::Certified`] gave them before) must be durable no later
    /// than this entry. Asked for once per checkpoint: our vote there says that we can serve the chain.
    pub fn certificates(&self) -> Option<Sequence> {
        self.certificates
    }
}

/// One entry of the vote log. Opaque to the driver: bytes in, bytes out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRecord(pub(crate) Entry);

impl LogRecord {
    /// Canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        ledger::canonical::encode(self)
    }

    /// Reads what [`LogRecord::to_bytes`] wrote.
    ///
    /// # Errors
    /// If the bytes are not the canonical encoding of a record.
    pub fn from_bytes(bytes: &[u8]) -> Result<LogRecord, ledger::CanonicalError> {
        ledger::canonical::decode(bytes)
    }
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Entry {
    /// The stable checkpoint below which votes were dropped from the log.
    Stable(Checkpoint),
    /// A pre-prepare that is known: our own (as primary), or one that prepared without our vote.
    PrePrepare(SignedMessage),
    /// A pre-prepare that was accepted and our PREPARE for it.
    Prepare {
        pre_prepare: SignedMessage,
        prepare: SignedMessage,
    },
    /// A prepared certificate and our COMMIT.
    Commit {
        certificate: PreparedCertificate,
        commit: SignedMessage,
    },
    /// Our VIEW-CHANGE.
    ViewChange(SignedMessage),
    /// The NEW-VIEW by which we entered a view (our own as its primary).
    NewView(SignedMessage),
    /// What follows belongs to this epoch; what stands before it is of an earlier one. Without it: epoch 0.
    Epoch(Epoch),
}

impl Entry {
    /// The message in this entry that is ours to send, if it is `replica`'s.
    pub(crate) fn outgoing(&self, replica: ReplicaId) -> Option<&SignedMessage> {
        let message = match self {
            Entry::Stable(_) | Entry::Epoch(_) => return None,
            Entry::Prepare {
                prepare: message, ..
            }
            | Entry::Commit {
                commit: message, ..
            }
            | Entry::PrePrepare(message)
            | Entry::ViewChange(message)
            | Entry::NewView(message) => message,
        };
        (message.sender == replica).then_some(message)
    }
}

/// A message that may leave. Made by the core only: from a durable vote, or from a message that is no vote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing(pub(crate) SignedMessage);

impl Outgoing {
    /// The signed message.
    pub fn message(&self) -> &SignedMessage {
        &self.0
    }

    /// Its wire bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes()
    }
}
