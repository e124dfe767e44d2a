//! The hash-chained ledger: transactions, blocks, Merkle trees, certificates, receipts and their offline verification.
//!
//! Pure: no clock, no randomness, no input or output. Everything that leaves this crate as bytes
//! has exactly one encoding ([`canonical`]), and everything that is hashed or signed carries a
//! domain tag. `docs/ledger-format.md` describes the bytes for people who write their own verifier.
//!
//! Reading order: [`canonical`], [`digest`], [`identifier`], [`signature`], [`signature_batch`],
//! [`transaction`], [`outcome`], [`merkle`], [`block`], [`genesis`], [`certificate`], [`equivocation`], [`receipt`],
//! [`receipt_verifier`], [`chain`], [`store_format`], [`tree_nodes`], [`tlog`].

pub mod block;
pub mod byte_string;
pub mod canonical;
pub mod certificate;
pub mod chain;
pub mod digest;
pub mod equivocation;
pub mod genesis;
pub mod identifier;
pub mod merkle;
pub mod outcome;
pub mod receipt;
pub mod receipt_file;
pub mod receipt_verifier;
pub mod signature;
pub mod signature_batch;
pub mod store_format;
pub mod tlog;
pub mod transaction;
pub mod tree_nodes;

pub use block::{Block, BlockDigests, BlockError, CertifiedBlock, Header};
pub use canonical::CanonicalError;
pub use certificate::{BlockVote, Certificate, CertificateError, VerifiedCertificate};
pub use chain::{ChainError, ChainVerifier, CheckedAlone, Outlook, Summary};
pub use digest::{Commitment, Digest, DigestAlgorithm, tagged};
pub use equivocation::{Equivocation, EquivocationError, VoteSlot};
pub use genesis::{
    CHECKPOINT_INTERVAL, CONSENSUS_WINDOW, EpochDescription, EpochError, GenesisError, GenesisFile,
    GenesisMember, GenesisParameters, ReplicaDescription,
};
pub use identifier::{ContractId, Epoch, Height, LedgerId, ReplicaId, Timestamp};
pub use merkle::HistoryLog;
pub use outcome::{LEDGER_CONTRACT, LedgerEvent, Outcome, OutcomeLeaf, RecordedEvent, WriteSet};
pub use receipt::{
    BlockProofs, EpochLink, Receipt, ReceiptBasis, ReceiptError, ReceiptPart, VerifiedReceipt,
};
pub use receipt_verifier::ReceiptVerifier;
pub use signature::{PublicKey, Signature, SignatureError, SigningKey};
pub use signature_batch::{KeyPoints, SignatureBatch};
pub use transaction::{
    MAX_VALIDITY_US, SignedTransaction, TransactionBody, TransactionError, TransactionId,
};
