//! What services and replicas say to each other: canonical postcard bytes ([`ledger::canonical`]).
//!
//! **Submission.** A user publishes signed transactions, those at hand together, as a [`Submission`] on
//! `transactions.<user>`, where every replica gets it, or on `addressed.<replica>.<user>`, where one does: see
//! [`Addressing`](crate::Addressing) for which. Replicas answer with [`SubmitReply`]s on
//! [`transaction_replies`](crate::subjects::transaction_replies), each to as many transactions as have the same answer. One receipt is
//! enough for the user (it proves itself); `Busy` and `Refused` count once f + 1 replicas say so. The same bytes may come again,
//! until a receipt comes: a repeat of something executed is answered with the first receipt, at once.
//!
//! **Questions** go to `ordering.<replica>.<use case>` with a reply subject `reply.replica-<n>.<asker>.<id>`;
//! the use cases are the types that implement [`Question`], and the answer is an [`Answer`] of its reply.
//!
//! **Blocks** are published on `blocks.<replica>.<height>` as the canonical bytes of a
//! [`CertifiedBlock`](ledger::CertifiedBlock), in the order of heights.

use ledger::{
    Digest, Epoch, EpochLink, Height, Receipt, ReceiptBasis, ReceiptPart, ReplicaId, Timestamp,
    canonical,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::groups::in_groups;

/// The most bytes of blocks in one [`BlocksReply`]; a single larger block travels alone.
pub const BLOCKS_REPLY_BYTES_MAX: usize = 512 * 1024;

/// The most transactions in one [`Submission`].
pub const SUBMITTED_TOGETHER_MAX: usize = 64;

/// The most bytes of transactions in one [`Submission`], and of receipts in one [`SubmitReply`]; a single larger one travels alone.
pub const TOGETHER_BYTES_MAX: usize = 256 * 1024;

/// Transactions that a user submits together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// The replica that is to order them, which its sender takes for the primary; `None`: whichever is.
    pub addressed: Option<ReplicaId>,
    /// At most [`SUBMITTED_TOGETHER_MAX`].
    pub transactions: Vec<Submitted>,
}

/// A transaction as it is submitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    /// The canonical bytes of a [`SignedTransaction`](ledger::SignedTransaction).
    #[serde(with = "ledger::byte_string::vector")]
    pub bytes: Vec<u8>,
    /// The W3C trace context that it belongs to, if it is traced.
    pub traceparent: Option<String>,
}

impl Submission {
    /// Transactions, in order, in as many messages as they need.
    pub fn grouped(
        addressed: Option<ReplicaId>,
        transactions: impl IntoIterator<Item = Submitted>,
    ) -> Vec<Submission> {
        let bytes_of = |submitted: &Submitted| submitted.bytes.len();
        in_groups(
            transactions,
            bytes_of,
            TOGETHER_BYTES_MAX,
            SUBMITTED_TOGETHER_MAX,
        )
        .into_iter()
        .map(|transactions| Submission {
            addressed,
            transactions,
        })
        .collect()
    }
}

/// What a replica answers to submitted transactions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmitReply {
    /// The ids of the transactions that it answers.
    pub transactions: Vec<Digest>,
    /// The answer.
    pub answer: SubmitAnswer,
}

/// The answer to each of some transactions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SubmitAnswer {
    /// Committed (accepted or rejected by its contract).
    Receipts(BlockReceipts),
    /// The intake is full: try again later with the same bytes.
    Busy,
    /// It can never be committed: malformed, another chain, a bad signature, expired, nonce used by another body.
    Refused {
        /// One of the numbers in [`refusal`].
        code: u16,
        /// For people; no personal data.
        reason: String,
    },
}

/// Receipts of one block, in the order of the transactions that they answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockReceipts {
    /// The canonical bytes of the [`ReceiptBasis`].
    #[serde(with = "ledger::byte_string::vector")]
    pub basis: Vec<u8>,
    /// The canonical bytes of a [`ReceiptPart`] each.
    pub parts: Vec<PartBytes>,
}

/// The canonical bytes of a [`ReceiptPart`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartBytes(#[serde(with = "ledger::byte_string::vector")] pub Vec<u8>);

impl BlockReceipts {
    /// One of the receipts; nothing in it is verified. `None` when it is malformed, or not there.
    pub fn receipt(&self, place: usize) -> Option<Receipt> {
        let part: ReceiptPart = canonical::decode(&self.parts.get(place)?.0).ok()?;
        let basis: ReceiptBasis = canonical::decode(&self.basis).ok()?;
        Some(part.on(basis))
    }
}

/// Numbers of [`SubmitAnswer::Refused`]; never reused.
pub mod refusal {
    /// Not the canonical bytes of a signed transaction, or too large.
    pub const MALFORMED: u16 = 1;
    /// For another chain.
    pub const FOREIGN_CHAIN: u16 = 2;
    /// The signature does not verify.
    pub const BAD_SIGNATURE: u16 = 3;
    /// Its validity ended before this block time.
    pub const EXPIRED: u16 = 4;
    /// Valid for longer than 60 s.
    pub const TOO_LONG_VALID: u16 = 5;
    /// Another transaction with this nonce was executed.
    pub const NONCE_USED: u16 = 6;
    /// The publishing bus user sends too much.
    pub const TOO_MANY: u16 = 7;
}

/// A question to one replica.
pub trait Question: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The last token of its subject.
    const NAME: &'static str;
    /// What is answered.
    type Reply: Serialize + DeserializeOwned + Send + 'static;
}

/// How a question is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer<T> {
    /// The answer.
    Ok(T),
    /// Too much to do: ask another replica.
    Busy,
    /// The question is malformed.
    Malformed,
}

/// Blocks of heights `from` to `to`, inclusive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlocksRequest {
    /// First height.
    pub from: Height,
    /// Last height, inclusive; the reply may end before.
    pub to: Height,
}

/// As many of the blocks as fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlocksReply {
    /// Canonical bytes of certified blocks in order from the first height asked; empty when the replica has none.
    pub blocks: Vec<Vec<u8>>,
    /// The replica's newest certified height.
    pub newest: Height,
}

impl Question for BlocksRequest {
    const NAME: &'static str = "blocks";
    type Reply = BlocksReply;
}

/// The block of this hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockByHashRequest {
    /// Header hash.
    pub hash: Digest,
}

impl Question for BlockByHashRequest {
    const NAME: &'static str = "block_by_hash";
    type Reply = BlocksReply;
}

/// The receipt of a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptRequest {
    /// The transaction's id.
    pub transaction: Digest,
}

/// A receipt, or that there is none so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReceiptReply {
    /// [`Receipt::to_bytes`](ledger::Receipt::to_bytes).
    Found(#[serde(with = "ledger::byte_string::vector")] Vec<u8>),
    /// In no block up to the replica's newest.
    NotFound {
        /// The replica's newest certified height.
        newest: Height,
        /// That block's time: a transaction whose validity ended before will never be executed.
        time: Timestamp,
    },
}

impl Question for ReceiptRequest {
    const NAME: &'static str = "receipt";
    type Reply = ReceiptReply;
}

/// How a replica is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusRequest {}

/// How a replica is, by its own word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusReply {
    /// Who answers.
    pub replica: ReplicaId,
    /// Newest certified height.
    pub height: Height,
    /// That block's time.
    pub time: Timestamp,
    /// That block's hash.
    pub block: Digest,
    /// The epoch.
    pub epoch: Epoch,
    /// The view.
    pub view: u64,
    /// The view's primary.
    pub primary: ReplicaId,
    /// Whether a view change is under way.
    pub changing_view: bool,
    /// Whether it votes.
    pub standing: Standing,
    /// Last stable checkpoint (sequence number).
    pub stable_checkpoint: u64,
    /// Transactions waiting to be ordered.
    pub waiting_transactions: u64,
    /// Transactions committed since genesis.
    pub committed_transactions: u64,
    /// What it notices of other replicas.
    pub notices: Vec<Notice>,
}

/// What a replica notices of another, for whoever operates one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The other.
    pub replica: ReplicaId,
    /// What.
    pub noticed: Noticed,
}

/// What there is to notice: in five seconds, which votes and statuses of a second leave room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Noticed {
    /// Nothing new is heard of it.
    Silent,
    /// It speaks, and votes for nothing that is new.
    DoesNotVote,
    /// What it said long ago is said again, by whomever.
    OldWords,
}

/// What a replica's process does in the epoch in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It votes.
    Votes,
    /// It started a moment ago, and asks the others what they remember of its votes before it casts new ones.
    Recalls,
    /// It is no replica of the epoch (not admitted yet, perhaps) and follows the chain.
    Observes,
    /// It was a replica of an earlier epoch and follows the chain.
    Retired,
    /// Its votes were lost: it follows the chain and never votes again with its key.
    Quarantined,
}

impl Question for StatusRequest {
    const NAME: &'static str = "status";
    type Reply = StatusReply;
}

/// The links from genesis to the newest announced epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochsRequest {}

/// All epoch links, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochsReply {
    /// Each certified by the epoch before.
    pub links: Vec<EpochLink>,
}

impl Question for EpochsRequest {
    const NAME: &'static str = "epochs";
    type Reply = EpochsReply;
}

/// The history log at a size, signed by the replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointRequest {
    /// How many blocks; as many as there are if absent.
    pub size: Option<u64>,
}

/// A checkpoint with a signature line, or that there are not so many blocks yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CheckpointReply {
    /// The checkpoint ([`ledger::tlog::Checkpoint`]).
    Signed {
        /// How many blocks.
        size: u64,
        /// The root over their hashes.
        root: Digest,
        /// The signature line under the voting key, named as the origin line is; ends in a newline.
        line: String,
    },
    /// The replica has fewer blocks.
    NotYet {
        /// How many it has.
        size: u64,
    },
}

impl Question for CheckpointRequest {
    const NAME: &'static str = "checkpoint";
    type Reply = CheckpointReply;
}

/// What connects two sizes of the history log (RFC 9162 section 2.1.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsistencyRequest {
    /// The smaller size, at least 1.
    pub first: u64,
    /// The larger size.
    pub second: u64,
}

/// That a block is in the history log (RFC 9162 section 2.1.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockInclusionRequest {
    /// The block.
    pub height: Height,
    /// The size of the log.
    pub size: u64,
}

/// A proof over the history log; none if there are not so many blocks (yet), or the sizes do not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryProofReply {
    /// The proof's digests.
    pub proof: Option<Vec<Digest>>,
}

impl Question for ConsistencyRequest {
    const NAME: &'static str = "consistency";
    type Reply = HistoryProofReply;
}

impl Question for BlockInclusionRequest {
    const NAME: &'static str = "block_inclusion";
    type Reply = HistoryProofReply;
}

/// When a transaction went through the phases at this replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhasesRequest {
    /// The transaction's id.
    pub transaction: Digest,
}

/// The times, while the replica remembers them (the latest transactions since it started).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhasesReply {
    /// The times.
    pub times: Option<PhaseTimes>,
}

/// Times by the replica's own clock; what it did not take part in is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseTimes {
    /// The transaction came, from its submitter or from another replica.
    pub received: Option<Timestamp>,
    /// The replica sent its PRE-PREPARE or PREPARE: the body held and the vote durable.
    pub proposed: Option<Timestamp>,
    /// It handed the batch to execution: prepared.
    pub prepared: Option<Timestamp>,
    /// The contracts had decided, and it could COMMIT.
    pub executed: Timestamp,
    /// The certificate was complete: committed.
    pub certified: Timestamp,
    /// The trace that the submission belongs to, when it carried one.
    pub trace: Option<[u8; 16]>,
}

impl Question for PhasesRequest {
    const NAME: &'static str = "phases";
    type Reply = PhasesReply;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn submitted(bytes: usize) -> Submitted {
        Submitted {
            bytes: vec![7; bytes],
            traceparent: None,
        }
    }

    #[test]
    fn what_is_submitted_together_fits_a_message_each_and_keeps_its_order() {
        let lengths = |sizes: &[usize]| -> Vec<usize> {
            let transactions = sizes.iter().map(|size| submitted(*size));
            let groups = Submission::grouped(None, transactions);
            let again: Vec<usize> = groups
                .iter()
                .flat_map(|group| &group.transactions)
                .map(|submitted| submitted.bytes.len())
                .collect();
            assert_eq!(again, sizes);
            groups
                .iter()
                .map(|group| group.transactions.len())
                .collect()
        };
        assert_eq!(lengths(&[]), [0; 0]);
        assert_eq!(lengths(&[1; SUBMITTED_TOGETHER_MAX + 1]), [64, 1]);
        let half = TOGETHER_BYTES_MAX / 2;
        assert_eq!(lengths(&[half, half, 1, half]), [2, 2]);
        assert_eq!(lengths(&[TOGETHER_BYTES_MAX + 1, 1]), [1, 1]);
    }
}
