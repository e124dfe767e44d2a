//! What replicas say to each other.

use ledger::{Certificate, Digest, Epoch, ReplicaId, Signature};
use serde::{Deserialize, Serialize};

use crate::batch::Batch;
use crate::number::{Sequence, View};
use crate::statement::{Phase, Statement};

/// A message with its author and the author's signature. On the wire: canonical bytes of this.
///
/// The signature covers chain, epoch, view, sequence, phase and digest (see [`crate::statement`]);
/// a COMMIT is signed as [`ledger::BlockVote`], because it goes into certificates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedMessage {
    /// The epoch whose replica set is meant.
    pub epoch: Epoch,
    /// Who signed.
    pub sender: ReplicaId,
    /// What is said.
    pub message: Message,
    /// The sender's signature.
    pub signature: Signature,
}

impl SignedMessage {
    /// The bytes that go on the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        ledger::canonical::encode(self)
    }

    /// Reads bytes from the wire; nothing is verified yet (see [`crate::Verifier`]).
    ///
    /// # Errors
    /// If the bytes are not the canonical encoding of a message.
    pub fn from_bytes(bytes: &[u8]) -> Result<SignedMessage, ledger::CanonicalError> {
        ledger::canonical::decode(bytes)
    }
}

/// The kinds of messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// The primary assigns a batch to a place (§4.2).
    PrePrepare(PrePrepare),
    /// A backup agrees to the assignment; it holds every body durably (§4.2).
    Prepare(Vote),
    /// A replica has a prepared certificate, executed the batch, and holds certificate and block durably (§4.2, §5.1). At
    /// checkpoint heights this is the CHECKPOINT message of §4.3 as well.
    Commit(Vote),
    /// A replica wants another view (§4.4).
    ViewChange(ViewChange),
    /// The primary of a view opens it (§4.4).
    NewView(NewView),
    /// Where the sender stands; peers answer with what it seems to lack.
    Status(Status),
    /// Asks for batches by digest (a new view names batches by digest only).
    BatchQuery(Vec<(Sequence, Digest)>),
    /// Answers [`Message::BatchQuery`].
    BatchAnswer(Vec<(Sequence, Batch)>),
    /// Answers a [`Message::Status`] that asks what others remember of the sender.
    Recalled(Recalled),
}

impl Message {
    /// A short name for metrics and logs.
    pub fn kind(&self) -> &'static str {
        match self {
            Message::PrePrepare(_) => "pre_prepare",
            Message::Prepare(_) => "prepare",
            Message::Commit(_) => "commit",
            Message::ViewChange(_) => "view_change",
            Message::NewView(_) => "new_view",
            Message::Status(_) => "status",
            Message::BatchQuery(_) => "batch_query",
            Message::BatchAnswer(_) => "batch_answer",
            Message::Recalled(_) => "recalled",
        }
    }
}

/// A proposal. The signature covers the batch by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrePrepare {
    /// The view of the proposer.
    pub view: View,
    /// The place.
    pub sequence: Sequence,
    /// What is proposed for it.
    pub batch: Batch,
}

/// A PREPARE or COMMIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// The view in which the batch was proposed.
    pub view: View,
    /// The place.
    pub sequence: Sequence,
    /// Of a PREPARE the digest of the batch, of a COMMIT the hash of the block that the batch gives.
    pub digest: Digest,
}

/// Proof that a quorum executed and stored the same block: a stable checkpoint when the height is a
/// multiple of the checkpoint interval (§4.3). The start of an epoch needs no certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The height.
    pub sequence: Sequence,
    /// The block's hash.
    pub block: Digest,
    /// A quorum of COMMITs; `None` only at the base of the epoch.
    pub certificate: Option<Certificate>,
}

/// Proof that a batch was prepared: the primary's signature on the pre-prepare and quorum - 1 matching
/// signatures of backups (§4.2, §4.4: the sets P_m).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreparedCertificate {
    /// The view in which it was prepared.
    pub view: View,
    /// The place.
    pub sequence: Sequence,
    /// The digest of the batch.
    pub digest: Digest,
    /// The primary's signature on its pre-prepare.
    pub pre_prepare: Signature,
    /// Signatures of distinct backups on their PREPARE, ascending by replica.
    pub prepares: Vec<(ReplicaId, Signature)>,
}

/// A VIEW-CHANGE (§4.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewChange {
    /// The view that the sender wants.
    pub view: View,
    /// The sender's last stable checkpoint.
    pub stable: Checkpoint,
    /// What the sender has prepared above it, ascending by sequence, one per sequence (the latest view).
    pub prepared: Vec<PreparedCertificate>,
}

/// A VIEW-CHANGE as it stands in a NEW-VIEW. (A type of its own, so that messages do not nest without end.)
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedViewChange {
    /// Who signed.
    pub sender: ReplicaId,
    /// What.
    pub change: ViewChange,
    /// The signature, the same as on the [`SignedMessage`].
    pub signature: Signature,
}

/// A NEW-VIEW (§4.4). Every receiver computes `proposals` itself and refuses a message that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewView {
    /// The view that opens.
    pub view: View,
    /// A quorum of view changes for it, ascending by sender (the set V).
    pub view_changes: Vec<SignedViewChange>,
    /// The set O: digest and the new primary's pre-prepare signature for each place from the highest
    /// stable checkpoint to the highest prepared place, without gaps.
    pub proposals: Vec<NewViewProposal>,
}

/// A member of the set O of a new view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewViewProposal {
    /// The place.
    pub sequence: Sequence,
    /// The digest of the batch ([`Batch::null`]'s for a gap).
    pub digest: Digest,
    /// The primary's signature on the pre-prepare of this batch in the new view.
    pub signature: Signature,
}

/// Where a replica stands (TOCS'02 §5.2: status messages drive retransmission).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The view in which the sender works, or which it wants.
    pub view: View,
    /// Whether it waits for that view to open.
    pub changing: bool,
    /// Its last stable checkpoint.
    pub stable: Sequence,
    /// The height up to which it executed.
    pub executed: Sequence,
    /// The height up to which it holds certificates.
    pub certified: Sequence,
    /// Set after a start, until enough answers came: peers say what they remember of the sender's votes, so that
    /// it finds out if its log is not the one that it voted with. The number tells this start from earlier ones.
    pub asks: Option<u64>,
}

/// Everything binding that one replica remembers of another that started again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recalled {
    /// The replica that asked.
    pub of: ReplicaId,
    /// The number from its [`Status`].
    pub asked: u64,
    /// Its words, each with its own signature.
    pub words: Vec<RecalledWord>,
}

/// One statement that the asker signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecalledWord {
    /// The view.
    pub view: View,
    /// The place.
    pub sequence: Sequence,
    /// The phase.
    pub phase: Phase,
    /// What was said.
    pub digest: Digest,
    /// The asker's own signature.
    pub signature: Signature,
}

impl RecalledWord {
    /// The statement.
    pub fn statement(&self) -> Statement {
        Statement {
            view: self.view,
            sequence: self.sequence,
            phase: self.phase,
            digest: self.digest,
        }
    }
}
