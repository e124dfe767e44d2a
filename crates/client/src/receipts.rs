//! Receipts, verified as they arrive.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use interfaces::Committed;
use ledger::{Digest, GenesisFile, Height, Receipt, SignedTransaction};

use crate::ClientError;

/// A commit whose receipt was verified with the genesis file alone.
#[derive(Clone, Debug)]
pub struct VerifiedCommit {
    /// The transaction.
    pub transaction: Digest,
    /// Its block.
    pub height: Height,
    /// The receipt.
    pub receipt: Receipt,
}

/// All receipts a client has verified. Cloning shares them.
#[derive(Clone)]
pub struct Receipts {
    genesis: Arc<GenesisFile>,
    verified: Arc<Mutex<BTreeMap<Digest, Receipt>>>,
    newest: Arc<AtomicU64>,
}

impl Receipts {
    /// No receipts so far, for the chain of `genesis`.
    pub fn new(genesis: GenesisFile) -> Receipts {
        Receipts {
            genesis: Arc::new(genesis),
            verified: Arc::default(),
            newest: Arc::default(),
        }
    }

    /// The chain's id.
    pub fn chain(&self) -> Digest {
        self.genesis.chain_id()
    }

    /// Verifies and keeps the receipt of a committed command.
    ///
    /// # Errors
    /// [`ClientError::Receipt`].
    pub fn verify(&self, committed: &Committed) -> Result<VerifiedCommit, ClientError> {
        let receipt = Receipt::from_bytes(&committed.receipt.0)
            .map_err(|error| ClientError::Receipt(error.to_string()))?;
        self.keep(receipt, &committed.transaction)
    }

    /// Verifies and keeps a receipt that must be of `transaction`.
    ///
    /// # Errors
    /// [`ClientError::Receipt`].
    pub fn keep(
        &self,
        receipt: Receipt,
        transaction: &Digest,
    ) -> Result<VerifiedCommit, ClientError> {
        receipt
            .verify(&self.genesis)
            .map_err(|error| ClientError::Receipt(error.to_string()))?;
        if receipt.leaf.transaction != *transaction {
            return Err(ClientError::Receipt(
                "it is of another transaction".to_owned(),
            ));
        }
        let height = receipt.header.height;
        self.newest.fetch_max(height.0, Ordering::Relaxed);
        self.lock().insert(*transaction, receipt.clone());
        Ok(VerifiedCommit {
            transaction: *transaction,
            height,
            receipt,
        })
    }

    /// Whether the receipt of this transaction was verified.
    pub fn has(&self, transaction: &Digest) -> bool {
        self.lock().contains_key(transaction)
    }

    /// The height of the newest verified receipt; 0 when there is none.
    pub fn newest(&self) -> Height {
        Height(self.newest.load(Ordering::Relaxed))
    }

    /// How many different transactions' receipts were verified.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// All of them, by transaction.
    pub fn all(&self) -> Vec<Receipt> {
        self.lock().values().cloned().collect()
    }

    /// The signed transaction behind a verified receipt.
    pub fn transaction(&self, id: &Digest) -> Option<SignedTransaction> {
        self.lock()
            .get(id)
            .map(|receipt| receipt.transaction.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Digest, Receipt>> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
