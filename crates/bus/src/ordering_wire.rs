//! What services and replicas say to each other: canonical postcard bytes ([`ledger::canonical`]).
//!
//! **Submission.** A user publishes the bytes of a [`SignedTransaction`](ledger::SignedTransaction) on
//! `transactions.<user>`. Every replica gets it; replicas answer with a [`SubmitReply`] on
//! [`transaction_reply`](crate::subjects::transaction_reply). One receipt is enough for the user (it proves
//! itself); `Busy` and `Refused` count once f + 1 replicas say so. The same bytes may come again, until a
//! receipt comes: a repeat of something executed is answered with the first receipt, at once.
//!
//! **Questions** go to `ordering.<replica>.<use case>` with a reply subject `reply.replica-<n>.<asker>.<id>`;
//! the use cases are the types that implement [`Question`], and the answer is an [`Answer`] of its reply.
//!
//! **Blocks** are published on `blocks.<replica>.<height>` as the canonical bytes of a
//! [`CertifiedBlock`](ledger::CertifiedBlock), in the order of heights.

use ledger::{Digest, Epoch, EpochLink, Height, ReplicaId, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The most bytes of blocks in one [`BlocksReply`]; a single larger block travels alone.
pub const BLOCKS_REPLY_BYTES_MAX: usize = 512 * 1024;

/// What a replica answers to a submitted transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SubmitReply {
    /// Committed (accepted or rejected by its contract): [`Receipt::to_bytes`](ledger::Receipt::to_bytes).
    Receipt(#[serde(with = "ledger::byte_string::vector")] Vec<u8>),
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

/// Numbers of [`SubmitReply::Refused`]; never reused.
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
    /// Last stable checkpoint (sequence number).
    pub stable_checkpoint: u64,
    /// Transactions waiting to be ordered.
    pub waiting_transactions: u64,
    /// Transactions committed since genesis.
    pub committed_transactions: u64,
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
