//! Verifies a chain block by block, from the genesis file alone.

use crate::block::{BlockDigests, BlockError, CertifiedBlock, Header};
use crate::certificate::{CertificateError, VerifiedCertificate};
use crate::digest::Digest;
use crate::genesis::{EpochDescription, GenesisError, GenesisFile};
use crate::identifier::{Epoch, Height, Timestamp};
use crate::merkle::HistoryLog;
use crate::outcome::OutcomeLeaf;
use crate::receipt::{BlockProofs, EpochLink, LinkError, check_succession};
use crate::signature_batch::SignatureBatch;

/// What one verified block holds, for counting and reporting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// The block's height.
    pub height: Height,
    /// The block's hash.
    pub hash: Digest,
    /// Block time.
    pub time: Timestamp,
    /// The epoch that certified it.
    pub epoch: Epoch,
    /// Transactions that took effect.
    pub accepted: usize,
    /// Transactions that were rejected.
    pub rejected: usize,
    /// Events, those of leaf 0 included.
    pub events: usize,
    /// How many replicas signed; 0 for the genesis block.
    pub votes: usize,
}

/// Why a block does not continue the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// The block is of another chain.
    #[error("the block is of another chain than the genesis file")]
    ForeignChain,
    /// Another height was due.
    #[error("height {expected} is due, this is height {found}")]
    Height {
        /// The height that is due.
        expected: Height,
        /// The block's height.
        found: Height,
    },
    /// The genesis block does not follow from the genesis file.
    #[error("the genesis block does not follow from the genesis file")]
    Genesis,
    /// The block names another predecessor.
    #[error("the block does not name the block before it")]
    Previous,
    /// Block time does not increase.
    #[error("block time does not increase")]
    Time,
    /// The block is of another epoch than the one due.
    #[error("epoch {expected} certifies this height, the block is of epoch {found}")]
    Epoch {
        /// The epoch that certifies this height.
        expected: Epoch,
        /// The block's epoch.
        found: Epoch,
    },
    /// The history root is not that of the blocks before.
    #[error("the history root is not that of the blocks before")]
    HistoryRoot,
    /// Content and header disagree.
    #[error("{0}")]
    Block(#[from] BlockError),
    /// The certificate does not verify.
    #[error("certificate: {0}")]
    Certificate(#[from] CertificateError),
    /// A transaction was made for another chain.
    #[error("transaction {0} was made for another chain")]
    ForeignTransaction(usize),
    /// A member's signature does not verify.
    #[error("the signature of transaction {0} does not verify")]
    MemberSignature(usize),
    /// The block announces an epoch that cannot follow.
    #[error("announced epoch: {0}")]
    Announcement(LinkError),
    /// The block announces an epoch although another is still to start.
    #[error("a new epoch is announced before the last one started")]
    SecondAnnouncement,
}

/// Follows a chain. After an error it stays where it was: the same height is still due.
#[derive(Debug, Clone)]
pub struct ChainVerifier {
    chain: Digest,
    genesis_time: Timestamp,
    member_signatures: bool,
    epoch: EpochDescription,
    announced: Option<EpochDescription>,
    links: Vec<EpochLink>,
    history: HistoryLog,
    last: Option<(Digest, Timestamp)>,
}

impl ChainVerifier {
    /// Starts before the genesis block; checks certificates but no members' signatures.
    ///
    /// # Errors
    /// [`GenesisError`] if the genesis file is not well-formed.
    pub fn new(genesis: &GenesisFile) -> Result<ChainVerifier, GenesisError> {
        genesis.check()?;
        Ok(ChainVerifier {
            chain: genesis.chain_id(),
            genesis_time: genesis.time,
            member_signatures: false,
            epoch: genesis.epoch.clone(),
            announced: None,
            links: Vec::new(),
            history: HistoryLog::new(),
            last: None,
        })
    }

    /// Checks the members' signatures as well.
    #[must_use]
    pub fn with_member_signatures(mut self) -> ChainVerifier {
        self.member_signatures = true;
        self
    }

    /// The height that is due.
    pub fn height(&self) -> Height {
        Height(self.history.size())
    }

    /// The epoch of the newest verified block.
    pub fn epoch(&self) -> &EpochDescription {
        &self.epoch
    }

    /// The links from epoch 0 to the newest announced epoch: what receipts carry
    /// (a receipt needs those up to its header's epoch).
    pub fn links(&self) -> &[EpochLink] {
        &self.links
    }

    /// The log over the hashes of the blocks verified so far.
    pub fn history(&self) -> &HistoryLog {
        &self.history
    }

    /// What is needed to check blocks that come later by themselves, perhaps on other threads.
    pub fn outlook(&self) -> Outlook {
        Outlook {
            chain: self.chain,
            member_signatures: self.member_signatures,
            epoch: self.epoch.clone(),
        }
    }

    /// Verifies the next block, from height 0 on.
    ///
    /// # Errors
    /// [`ChainError`], the first thing that does not hold.
    pub fn next(&mut self, certified: &CertifiedBlock) -> Result<Summary, ChainError> {
        self.check_place(&certified.block.header)?;
        let digests = BlockDigests::of(&certified.block);
        let alone = self.outlook().check(certified, &digests);
        self.next_checked(certified, alone)
    }

    /// As [`ChainVerifier::next`], for a block that an [`Outlook`] of this verifier has checked by itself.
    ///
    /// # Errors
    /// [`ChainError`], the first thing that does not hold.
    pub fn next_checked(
        &mut self,
        certified: &CertifiedBlock,
        alone: CheckedAlone,
    ) -> Result<Summary, ChainError> {
        let header = &certified.block.header;
        self.check_place(header)?;
        alone.roots?;
        let hash = alone.hash;
        let epoch = self.epoch_at(header.height).clone();
        if header.epoch != epoch.epoch {
            return Err(ChainError::Epoch {
                expected: epoch.epoch,
                found: header.epoch,
            });
        }
        let votes = if header.height == Height(0) {
            self.check_genesis(certified)?;
            0
        } else if alone.epoch == epoch {
            alone.certificate?.votes()
        } else {
            // It was checked before the epoch it belongs to was known.
            certified
                .certificate
                .verify(&self.chain, header.height, &hash, &epoch)?
                .votes()
        };
        alone.transactions?;
        let announced = self.check_announcement(certified, &epoch)?;
        self.advance(certified, hash, epoch, announced);
        Ok(summarise(certified, hash, votes))
    }

    fn check_place(&self, header: &Header) -> Result<(), ChainError> {
        if header.chain != self.chain {
            return Err(ChainError::ForeignChain);
        }
        if header.height != self.height() {
            return Err(ChainError::Height {
                expected: self.height(),
                found: header.height,
            });
        }
        let (previous, time) = self.last.unwrap_or((Digest::ZERO, Timestamp(0)));
        if header.previous != previous {
            return Err(ChainError::Previous);
        }
        if self.last.is_some() && header.time <= time {
            return Err(ChainError::Time);
        }
        if header.history_root != self.history.root() {
            return Err(ChainError::HistoryRoot);
        }
        Ok(())
    }

    fn check_genesis(&self, certified: &CertifiedBlock) -> Result<(), ChainError> {
        let block = &certified.block;
        let follows = block.header.time == self.genesis_time
            && block.transactions.is_empty()
            && certified.certificate.votes.is_empty()
            && block.outcomes[0]
                .epoch_started()
                .is_none_or(|started| started == self.epoch);
        if follows {
            Ok(())
        } else {
            Err(ChainError::Genesis)
        }
    }

    fn epoch_at(&self, height: Height) -> &EpochDescription {
        match &self.announced {
            Some(next) if height >= next.first_height => next,
            _ => &self.epoch,
        }
    }

    fn check_announcement(
        &self,
        certified: &CertifiedBlock,
        epoch: &EpochDescription,
    ) -> Result<Option<EpochDescription>, ChainError> {
        let height = certified.block.header.height;
        let leaves = certified
            .block
            .outcomes
            .iter()
            .filter(|leaf| leaf.outcome.is_accepted());
        let mut started = leaves.filter_map(OutcomeLeaf::epoch_started);
        let Some(next) = started.next() else {
            return Ok(None);
        };
        if height == Height(0) {
            return Ok(None);
        }
        let pending = self
            .announced
            .as_ref()
            .is_some_and(|announced| height < announced.first_height);
        if pending || started.next().is_some() {
            return Err(ChainError::SecondAnnouncement);
        }
        check_succession(epoch, height, &next).map_err(ChainError::Announcement)?;
        Ok(Some(next))
    }

    fn advance(
        &mut self,
        certified: &CertifiedBlock,
        hash: Digest,
        epoch: EpochDescription,
        announced: Option<EpochDescription>,
    ) {
        if self.epoch.epoch != epoch.epoch {
            self.epoch = epoch;
            self.announced = None;
        }
        if announced.is_some() {
            self.announced = announced;
            self.links.extend(BlockProofs::new(certified).epoch_link());
        }
        self.history.append(&hash);
        self.last = Some((hash, certified.block.header.time));
    }
}

/// What is known of a chain before its later blocks are.
#[derive(Debug, Clone)]
pub struct Outlook {
    chain: Digest,
    member_signatures: bool,
    /// The epoch that certifies, if no other starts in between.
    epoch: EpochDescription,
}

/// What a block says by itself; whether it continues the chain is for [`ChainVerifier::next_checked`].
#[derive(Debug)]
pub struct CheckedAlone {
    hash: Digest,
    roots: Result<(), BlockError>,
    epoch: EpochDescription,
    certificate: Result<VerifiedCertificate, CertificateError>,
    transactions: Result<(), ChainError>,
}

impl Outlook {
    /// Checks what needs no other block: roots, certificate, signatures. `digests` are the block's own.
    pub fn check(&self, certified: &CertifiedBlock, digests: &BlockDigests) -> CheckedAlone {
        let header = &certified.block.header;
        let hash = header.hash();
        let (chain, epoch) = (&self.chain, &self.epoch);
        let certificate = &certified.certificate;
        CheckedAlone {
            hash,
            roots: certified.block.check_roots_of(digests),
            certificate: certificate.verify(chain, header.height, &hash, epoch),
            epoch: epoch.clone(),
            transactions: self.check_transactions(certified, digests, &hash),
        }
    }

    fn check_transactions(
        &self,
        certified: &CertifiedBlock,
        digests: &BlockDigests,
        hash: &Digest,
    ) -> Result<(), ChainError> {
        let transactions = &certified.block.transactions;
        if let Some(index) = transactions
            .iter()
            .position(|transaction| transaction.body.chain != self.chain)
        {
            return Err(ChainError::ForeignTransaction(index));
        }
        if self.member_signatures {
            let mut batch = SignatureBatch::new();
            for (transaction, id) in transactions.iter().zip(&digests.transactions) {
                transaction.push_with_id(id, &mut batch);
            }
            // The batch's coefficients depend on all its content, so the block's hash is seed enough.
            batch
                .verify(hash.0)
                .map_err(|bad| ChainError::MemberSignature(bad[0]))?;
        }
        Ok(())
    }
}

fn summarise(certified: &CertifiedBlock, hash: Digest, votes: usize) -> Summary {
    let block = &certified.block;
    let accepted = block.outcomes[1..]
        .iter()
        .filter(|leaf| leaf.outcome.is_accepted())
        .count();
    Summary {
        height: block.header.height,
        hash,
        time: block.header.time,
        epoch: block.header.epoch,
        accepted,
        rejected: block.transactions.len() - accepted,
        events: block.outcomes.iter().map(|leaf| leaf.events.len()).sum(),
        votes,
    }
}
