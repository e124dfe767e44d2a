//! What a member signs and the cluster orders.

use serde::{Deserialize, Serialize};

use crate::canonical::{self, CanonicalError};
use crate::digest::{Digest, tagged};
use crate::identifier::{ContractId, LedgerId, Timestamp};
use crate::signature::{PublicKey, Signature, SignatureError, SigningKey};
use crate::signature_batch::SignatureBatch;

/// How long after block time a transaction may at most be valid, in microseconds.
pub const MAX_VALIDITY_US: u64 = 60_000_000;

/// The longest signed transaction, in bytes.
pub const MAX_TRANSACTION_BYTES: usize = 64 * 1024;

/// What stands behind the body in the signed bytes.
const SIGNATURE_BYTES: usize = 64;

const TRANSACTION_TAG: &str = "medshare/transaction/v1";
const WIRE_TAG: &str = "medshare/wire/v1";

/// The digest of a transaction's canonical body; the same whoever signs it and however it travels.
pub type TransactionId = Digest;

/// A command and for whom, when and where it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransactionBody {
    /// The chain it is for: [`GenesisFile::chain_id`](crate::GenesisFile::chain_id).
    pub chain: Digest,
    /// The member it speaks for.
    pub submitter: LedgerId,
    /// The key that signs; execution rejects a key that is not the submitter's current one.
    pub public_key: PublicKey,
    /// Chosen by the submitter; executed at most once per (submitter, nonce).
    pub nonce: u64,
    /// The last block time at which it may be executed; at most [`MAX_VALIDITY_US`] past block time.
    pub valid_until: Timestamp,
    /// The contract that decides.
    pub contract: ContractId,
    /// The contract's command in canonical bytes.
    #[serde(with = "crate::byte_string::vector")]
    pub command: Vec<u8>,
}

impl TransactionBody {
    /// The transaction's id.
    pub fn id(&self) -> TransactionId {
        body_digest(&canonical::encode(self))
    }

    /// Whether a block of this time may execute it: neither expired nor valid for too long.
    pub fn is_valid_at(&self, block_time: Timestamp) -> bool {
        block_time <= self.valid_until && self.valid_until <= block_time.plus(MAX_VALIDITY_US)
    }
}

/// A transaction with its submitter's signature over its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedTransaction {
    /// What is signed.
    pub body: TransactionBody,
    /// By `body.public_key`, domain `medshare/transaction/v1`, over the 32 bytes of `body.id()`.
    pub signature: Signature,
}

/// Why bytes are not a transaction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransactionError {
    /// Longer than [`MAX_TRANSACTION_BYTES`].
    #[error("a transaction has at most {MAX_TRANSACTION_BYTES} bytes, this one has {0}")]
    TooLong(usize),
    /// Not the canonical encoding of a transaction.
    #[error("transaction: {0}")]
    Encoding(#[from] CanonicalError),
}

impl SignedTransaction {
    /// Signs `body`; the caller has put the key's public half into it.
    pub fn sign(body: TransactionBody, key: &SigningKey) -> SignedTransaction {
        let signature = key.sign(TRANSACTION_TAG, &body.id().0);
        SignedTransaction { body, signature }
    }

    /// Checks the signature against the key in the body (not whether the key is the submitter's).
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn verify(&self) -> Result<(), SignatureError> {
        self.body
            .public_key
            .verify(TRANSACTION_TAG, &self.body.id().0, &self.signature)
    }

    /// Adds the signature to a batch, to be checked there instead of by [`SignedTransaction::verify`].
    pub fn push_to(&self, batch: &mut SignatureBatch) {
        self.push_with_id(&self.body.id(), batch);
    }

    /// As [`SignedTransaction::push_to`], with the transaction's own id at hand.
    pub fn push_with_id(&self, id: &TransactionId, batch: &mut SignatureBatch) {
        batch.push(
            TRANSACTION_TAG,
            &id.0,
            &self.body.public_key,
            &self.signature,
        );
    }

    /// The transaction's id.
    pub fn id(&self) -> TransactionId {
        self.body.id()
    }

    /// The digest of the signed bytes: what a pre-prepare lists, a fetch asks for, and the block's
    /// transaction root covers.
    pub fn wire_digest(&self) -> Digest {
        wire_digest(&self.to_bytes())
    }

    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical::encode(self)
    }

    /// Reads canonical bytes; checks no signature.
    ///
    /// # Errors
    /// [`TransactionError`] if they are too long or not canonical.
    pub fn from_bytes(bytes: &[u8]) -> Result<SignedTransaction, TransactionError> {
        if bytes.len() > MAX_TRANSACTION_BYTES {
            return Err(TransactionError::TooLong(bytes.len()));
        }
        Ok(canonical::decode(bytes)?)
    }
}

/// The wire digest of a transaction's canonical signed bytes.
pub fn wire_digest(signed_bytes: &[u8]) -> Digest {
    tagged(WIRE_TAG, &[signed_bytes])
}

/// The id of a transaction with these canonical body bytes.
pub(crate) fn body_digest(body_bytes: &[u8]) -> TransactionId {
    tagged(TRANSACTION_TAG, &[body_bytes])
}

/// The id of the transaction with these canonical signed bytes: they are the body's and the signature's 64.
pub fn id_of_signed_bytes(signed_bytes: &[u8]) -> TransactionId {
    let body = signed_bytes.len().saturating_sub(SIGNATURE_BYTES);
    body_digest(&signed_bytes[..body])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_the_same_from_the_signed_bytes() {
        let key = SigningKey::from_seed([7; 32]);
        let body = TransactionBody {
            chain: Digest([1; 32]),
            submitter: LedgerId([2; 16]),
            public_key: key.public_key(),
            nonce: 300,
            valid_until: Timestamp(5),
            contract: ContractId(2),
            command: vec![3; 200],
        };
        let signed = SignedTransaction::sign(body, &key);
        assert_eq!(id_of_signed_bytes(&signed.to_bytes()), signed.id());
        assert_eq!(
            id_of_signed_bytes(&[9]),
            tagged(TRANSACTION_TAG, &[b""]),
            "bytes that are no transaction have an id like any"
        );
    }
}
