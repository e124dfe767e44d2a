//! Receipts: everything that shows, offline and from the genesis file alone, what became of one transaction.
//!
//! Trust goes from the genesis file to epoch 0, from each epoch to the next (a link certified by the
//! epoch before), to the replicas that certified the header, to the roots in it, to the leaf and the
//! transaction. A certificate of the certificate authority plays no part: it admits no replica.

use serde::{Deserialize, Serialize};

use crate::block::{CertifiedBlock, Header, outcome_leaves, transaction_leaves};
use crate::canonical::{self, CanonicalError};
use crate::certificate::{Certificate, CertificateError, VerifiedCertificate};
use crate::digest::Digest;
use crate::genesis::{EpochDescription, EpochError, GenesisError, GenesisFile};
use crate::identifier::{Epoch, Height, Timestamp};
use crate::merkle::{self, Tree};
use crate::outcome::{Outcome, OutcomeLeaf, RecordedEvent};
use crate::transaction::{MAX_TRANSACTION_BYTES, SignedTransaction, TransactionId};

/// The longest receipt that is read, in bytes.
pub const MAX_RECEIPT_BYTES: usize = 16 * 1024 * 1024;

/// One step from a replica set to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochLink {
    /// The outcome leaf that records [`LedgerEvent::EpochStarted`](crate::LedgerEvent::EpochStarted).
    pub leaf: OutcomeLeaf,
    /// The leaf's index in the outcome tree (0 is the system's leaf).
    pub index: u32,
    /// The leaf's inclusion proof in the header's outcome root.
    pub proof: Vec<Digest>,
    /// The header of the block with the leaf, of the epoch before.
    pub header: Header,
    /// Its certificate, by the epoch before.
    pub certificate: Certificate,
}

/// A transaction's outcome, provable to anyone who holds the genesis file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The transaction as ordered.
    pub transaction: SignedTransaction,
    /// What became of it.
    pub leaf: OutcomeLeaf,
    /// The transaction's index in the block; its outcome is leaf `index + 1`.
    pub index: u32,
    /// The leaf's inclusion proof in the header's outcome root.
    pub proof: Vec<Digest>,
    /// The wire digest's inclusion proof in the header's transaction root.
    pub transaction_proof: Vec<Digest>,
    /// The block's header.
    pub header: Header,
    /// The header's certificate.
    pub certificate: Certificate,
    /// From epoch 0 to the header's epoch, ascending; empty while epoch 0 lasts.
    pub epochs: Vec<EpochLink>,
}

/// What the receipts of one block have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptBasis {
    /// As in [`Receipt`].
    pub header: Header,
    /// As in [`Receipt`].
    pub certificate: Certificate,
    /// As in [`Receipt`].
    pub epochs: Vec<EpochLink>,
}

/// What a receipt has to itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptPart {
    /// As in [`Receipt`].
    pub transaction: SignedTransaction,
    /// As in [`Receipt`].
    pub leaf: OutcomeLeaf,
    /// As in [`Receipt`].
    pub index: u32,
    /// As in [`Receipt`].
    pub proof: Vec<Digest>,
    /// As in [`Receipt`].
    pub transaction_proof: Vec<Digest>,
}

impl ReceiptPart {
    /// The whole receipt.
    pub fn on(self, basis: ReceiptBasis) -> Receipt {
        Receipt {
            transaction: self.transaction,
            leaf: self.leaf,
            index: self.index,
            proof: self.proof,
            transaction_proof: self.transaction_proof,
            header: basis.header,
            certificate: basis.certificate,
            epochs: basis.epochs,
        }
    }
}

/// Why a receipt proves nothing. [`ReceiptError::number`] stays the same for good.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// Not the canonical bytes of a receipt.
    #[error("not a receipt: {0}")]
    Encoding(#[from] CanonicalError),
    /// More bytes than any receipt has.
    #[error("a receipt has at most {MAX_RECEIPT_BYTES} bytes, this one has {0}")]
    TooLong(usize),
    /// The genesis file itself is not well-formed.
    #[error("{0}")]
    Genesis(#[from] GenesisError),
    /// The header is of another chain than the genesis file.
    #[error("the receipt is of another chain than the genesis file")]
    ForeignChain,
    /// The transaction was signed for another chain.
    #[error("the transaction was made for another chain")]
    ForeignTransaction,
    /// The transaction is longer than any that is ordered.
    #[error("the transaction is too long")]
    TransactionTooLong,
    /// The submitter's signature does not verify.
    #[error("the transaction's signature does not verify")]
    TransactionSignature,
    /// The outcome is of another transaction.
    #[error("the outcome is of another transaction")]
    WrongTransaction,
    /// A rejected transaction cannot have events.
    #[error("the outcome is rejected and has events")]
    RejectedWithEvents,
    /// The header counts fewer transactions than the index says.
    #[error("the header counts fewer transactions than the receipt's index")]
    Index,
    /// The outcome is not in the header's tree at its place.
    #[error("the outcome is not in the header's outcome tree at its place")]
    OutcomeProof,
    /// The transaction is not in the header's tree at its place.
    #[error("the transaction is not in the header's transaction tree at its place")]
    TransactionProof,
    /// The genesis block holds no transactions.
    #[error(
        "the header is the genesis block's, which needs no certificate and has no transactions"
    )]
    GenesisHeight,
    /// The header is of an epoch that the links do not lead to.
    #[error("the header is of epoch {header}, the links lead to epoch {linked}")]
    WrongEpoch {
        /// The header's epoch.
        header: Epoch,
        /// Where the links lead.
        linked: Epoch,
    },
    /// The header's height lies before its epoch.
    #[error("height {height} lies before the first height {first} of its epoch")]
    BeforeEpoch {
        /// The header's height.
        height: Height,
        /// The epoch's first height.
        first: Height,
    },
    /// The header's certificate does not verify.
    #[error("certificate: {0}")]
    Certificate(#[from] CertificateError),
    /// An epoch link does not hold.
    #[error("link to epoch {epoch}: {reason}")]
    Link {
        /// The epoch the link should lead to.
        epoch: Epoch,
        /// What is wrong with it.
        reason: LinkError,
    },
}

/// Why an epoch link proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Its header is of another chain.
    #[error("its header is of another chain")]
    ForeignChain,
    /// Its header is not one that the epoch before certifies.
    #[error("its header is not of the epoch before")]
    WrongEpoch,
    /// Its header's certificate does not verify under the epoch before.
    #[error("its certificate: {0}")]
    Certificate(#[from] CertificateError),
    /// Its leaf is not in its header's outcome tree.
    #[error("its leaf is not in its header's outcome tree")]
    Proof,
    /// Its leaf starts no epoch.
    #[error("its leaf starts no epoch")]
    NoEpoch,
    /// The epoch it starts is not the next, or starts in the past.
    #[error("it does not start the next epoch at a later height")]
    NotNext,
    /// The replica set it starts is not well-formed.
    #[error("its replica set: {0}")]
    Replicas(#[from] EpochError),
}

impl ReceiptError {
    /// The error's number, for machines; numbers are never reused.
    pub fn number(&self) -> u16 {
        match self {
            ReceiptError::Encoding(_) => 1,
            ReceiptError::TooLong(_) => 2,
            ReceiptError::Genesis(_) => 3,
            ReceiptError::ForeignChain => 4,
            ReceiptError::ForeignTransaction => 5,
            ReceiptError::TransactionTooLong => 6,
            ReceiptError::TransactionSignature => 7,
            ReceiptError::WrongTransaction => 8,
            ReceiptError::RejectedWithEvents => 9,
            ReceiptError::Index => 10,
            ReceiptError::OutcomeProof => 11,
            ReceiptError::TransactionProof => 12,
            ReceiptError::GenesisHeight => 13,
            ReceiptError::WrongEpoch { .. } => 14,
            ReceiptError::BeforeEpoch { .. } => 15,
            ReceiptError::Certificate(_) => 16,
            ReceiptError::Link { .. } => 17,
        }
    }
}

/// What a verified receipt says; only [`Receipt::verify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedReceipt {
    transaction: TransactionId,
    outcome: Outcome,
    events: Vec<RecordedEvent>,
    height: Height,
    time: Timestamp,
    index: u32,
    certificate: VerifiedCertificate,
}

impl VerifiedReceipt {
    /// The transaction's id.
    pub fn transaction(&self) -> TransactionId {
        self.transaction
    }

    /// What became of it.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// What was decided.
    pub fn events(&self) -> &[RecordedEvent] {
        &self.events
    }

    /// The block's height.
    pub fn height(&self) -> Height {
        self.height
    }

    /// Block time.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// The transaction's index in the block.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// The certificate it rests on.
    pub fn certificate(&self) -> &VerifiedCertificate {
        &self.certificate
    }
}

impl Receipt {
    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical::encode(self)
    }

    /// Reads canonical bytes; verifies nothing else.
    ///
    /// # Errors
    /// [`ReceiptError::TooLong`], [`ReceiptError::Encoding`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Receipt, ReceiptError> {
        if bytes.len() > MAX_RECEIPT_BYTES {
            return Err(ReceiptError::TooLong(bytes.len()));
        }
        Ok(canonical::decode(bytes)?)
    }

    /// Verifies the receipt from the genesis file alone.
    ///
    /// # Errors
    /// [`ReceiptError`], the first thing that does not hold.
    pub fn verify(&self, genesis: &GenesisFile) -> Result<VerifiedReceipt, ReceiptError> {
        genesis.check()?;
        self.verify_from(&genesis.chain_id(), &genesis.epoch)
    }

    /// Verifies the receipt from a genesis file that the caller has checked, by its chain id and epoch 0: what
    /// [`Receipt::verify`] does, without going through all founding members for every receipt.
    ///
    /// # Errors
    /// [`ReceiptError`], the first thing that does not hold.
    pub fn verify_from(
        &self,
        chain: &Digest,
        first: &EpochDescription,
    ) -> Result<VerifiedReceipt, ReceiptError> {
        self.verify_with(chain, first, |epoch| self.check_certificate(chain, epoch))
    }

    /// As [`Receipt::verify_from`], with `certificate` to check the certificate by the epoch that the links lead to.
    pub(crate) fn verify_with(
        &self,
        chain: &Digest,
        first: &EpochDescription,
        certificate: impl FnOnce(&EpochDescription) -> Result<VerifiedCertificate, ReceiptError>,
    ) -> Result<VerifiedReceipt, ReceiptError> {
        if self.header.chain != *chain {
            return Err(ReceiptError::ForeignChain);
        }
        self.check_transaction(chain)?;
        self.check_proofs()?;
        let epoch = self.follow_links(first, chain)?;
        let certificate = certificate(&epoch)?;
        Ok(VerifiedReceipt {
            transaction: self.leaf.transaction,
            outcome: self.leaf.outcome,
            events: self.leaf.events.clone(),
            height: self.header.height,
            time: self.header.time,
            index: self.index,
            certificate,
        })
    }

    fn check_transaction(&self, chain: &Digest) -> Result<(), ReceiptError> {
        if self.transaction.body.chain != *chain {
            return Err(ReceiptError::ForeignTransaction);
        }
        if self.transaction.to_bytes().len() > MAX_TRANSACTION_BYTES {
            return Err(ReceiptError::TransactionTooLong);
        }
        self.transaction
            .verify()
            .map_err(|_| ReceiptError::TransactionSignature)?;
        if self.leaf.transaction != self.transaction.id() {
            return Err(ReceiptError::WrongTransaction);
        }
        if !self.leaf.outcome.is_accepted() && !self.leaf.events.is_empty() {
            return Err(ReceiptError::RejectedWithEvents);
        }
        Ok(())
    }

    fn check_proofs(&self) -> Result<(), ReceiptError> {
        let size = u64::from(self.header.transactions);
        let index = u64::from(self.index);
        if index >= size {
            return Err(ReceiptError::Index);
        }
        let wire = self.transaction.wire_digest();
        if !merkle::verify_inclusion(
            &self.header.transaction_root,
            size,
            index,
            &wire.0,
            &self.transaction_proof,
        ) {
            return Err(ReceiptError::TransactionProof);
        }
        let leaf = self.leaf.hash();
        if !merkle::verify_inclusion(
            &self.header.outcome_root,
            size + 1,
            index + 1,
            &leaf.0,
            &self.proof,
        ) {
            return Err(ReceiptError::OutcomeProof);
        }
        Ok(())
    }

    fn follow_links(
        &self,
        first: &EpochDescription,
        chain: &Digest,
    ) -> Result<EpochDescription, ReceiptError> {
        let mut epoch = first.clone();
        for link in &self.epochs {
            let next = Epoch(epoch.epoch.0.saturating_add(1));
            epoch = link
                .verify(chain, &epoch)
                .map_err(|reason| ReceiptError::Link {
                    epoch: next,
                    reason,
                })?;
        }
        Ok(epoch)
    }

    pub(crate) fn check_certificate(
        &self,
        chain: &Digest,
        epoch: &EpochDescription,
    ) -> Result<VerifiedCertificate, ReceiptError> {
        let header = &self.header;
        if header.height == Height(0) {
            return Err(ReceiptError::GenesisHeight);
        }
        if header.epoch != epoch.epoch {
            return Err(ReceiptError::WrongEpoch {
                header: header.epoch,
                linked: epoch.epoch,
            });
        }
        if header.height < epoch.first_height {
            return Err(ReceiptError::BeforeEpoch {
                height: header.height,
                first: epoch.first_height,
            });
        }
        Ok(self
            .certificate
            .verify(chain, header.height, &header.hash(), epoch)?)
    }
}

impl EpochLink {
    /// The replica set that this link proves, given the one before.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn verify(
        &self,
        chain: &Digest,
        before: &EpochDescription,
    ) -> Result<EpochDescription, LinkError> {
        let header = &self.header;
        if header.chain != *chain {
            return Err(LinkError::ForeignChain);
        }
        if header.epoch != before.epoch
            || header.height < before.first_height
            || header.height == Height(0)
        {
            return Err(LinkError::WrongEpoch);
        }
        self.certificate
            .verify(chain, header.height, &header.hash(), before)?;
        let size = u64::from(header.transactions) + 1;
        let hash = self.leaf.hash();
        if !merkle::verify_inclusion(
            &header.outcome_root,
            size,
            u64::from(self.index),
            &hash.0,
            &self.proof,
        ) {
            return Err(LinkError::Proof);
        }
        if !self.leaf.outcome.is_accepted() {
            return Err(LinkError::NoEpoch);
        }
        let next = self.leaf.epoch_started().ok_or(LinkError::NoEpoch)?;
        check_succession(before, header.height, &next)?;
        Ok(next)
    }
}

/// Whether `next`, announced at height `announced`, may follow `before`.
pub(crate) fn check_succession(
    before: &EpochDescription,
    announced: Height,
    next: &EpochDescription,
) -> Result<(), LinkError> {
    if Some(next.epoch.0) != before.epoch.0.checked_add(1) || next.first_height <= announced {
        return Err(LinkError::NotNext);
    }
    next.check()?;
    Ok(())
}

/// Makes the receipts of one block: both trees are built once.
#[derive(Debug, Clone)]
pub struct BlockProofs<'a> {
    certified: &'a CertifiedBlock,
    transactions: Tree,
    outcomes: Tree,
}

impl<'a> BlockProofs<'a> {
    /// Builds the trees of a block.
    pub fn new(certified: &'a CertifiedBlock) -> BlockProofs<'a> {
        BlockProofs {
            certified,
            transactions: Tree::new(&transaction_leaves(&certified.block.transactions)),
            outcomes: Tree::new(&outcome_leaves(&certified.block.outcomes)),
        }
    }

    /// The receipt of transaction `index`; `epochs` are the links from epoch 0 to the block's epoch.
    /// `None` if there is no such transaction.
    pub fn receipt(&self, index: u32, epochs: &[EpochLink]) -> Option<Receipt> {
        Some(self.part(index)?.on(self.basis(epochs)))
    }

    /// What all receipts of the block have in common.
    pub fn basis(&self, epochs: &[EpochLink]) -> ReceiptBasis {
        ReceiptBasis {
            header: self.certified.block.header.clone(),
            certificate: self.certified.certificate.clone(),
            epochs: epochs.to_vec(),
        }
    }

    /// What the receipt of transaction `index` has to itself; `None` if there is no such transaction.
    pub fn part(&self, index: u32) -> Option<ReceiptPart> {
        let block = &self.certified.block;
        let place = index as usize;
        Some(ReceiptPart {
            transaction: block.transactions.get(place)?.clone(),
            leaf: block.outcomes.get(place + 1)?.clone(),
            index,
            proof: self.outcomes.inclusion_proof(u64::from(index) + 1)?,
            transaction_proof: self.transactions.inclusion_proof(u64::from(index))?,
        })
    }

    /// The link to the epoch that this block announces, if it announces one.
    pub fn epoch_link(&self) -> Option<EpochLink> {
        let block = &self.certified.block;
        let starts =
            |leaf: &OutcomeLeaf| leaf.outcome.is_accepted() && leaf.epoch_started().is_some();
        let index = block.outcomes.iter().position(starts)? as u32;
        Some(EpochLink {
            leaf: block.outcomes[index as usize].clone(),
            index,
            proof: self.outcomes.inclusion_proof(u64::from(index))?,
            header: block.header.clone(),
            certificate: self.certified.certificate.clone(),
        })
    }
}
