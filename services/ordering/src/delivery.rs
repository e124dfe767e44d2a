//! Behind the certificate: stores certified blocks, answers who waits, publishes blocks. A thread does it, or the core's for small
//! blocks (see `worker`).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use bus::subjects;
use bytes::Bytes;
use ledger::{
    BlockProofs, Certificate, CertifiedBlock, Digest, EpochLink, Height, ReplicaId, Timestamp,
    store_format,
};
use pbft::{Durable, InstalledBlock, Sequence};

use crate::blocks::{self, BlockFileError, BlockFiles};
use crate::epochs::Epochs;
use crate::executed::LatelyExecuted;
use crate::fetch::FetchedBlock;
use crate::outbound::Outbound;
use crate::peers::Peers;
use crate::phases::Phases;
use crate::recent::{RecentBlock, RecentBlocks};
use crate::replies;
use crate::state::{StateError, StateStore};
use crate::trace;
use crate::worker::{Tasks, Worker};

/// Blocks above this many bytes are not published (the broker takes 1 MiB): consumers ask a replica for them.
const PUBLISHED_BYTES_MAX: usize = 960 * 1024;

/// How many who ask again are answered at once at most.
const AGAIN_MAX: usize = 4_096;

/// Something to deliver.
#[derive(Debug)]
pub enum Parcel {
    /// An executed block got its certificate.
    Certified(Height, Certificate),
    /// Fetched blocks, executed and found as certified.
    Installed(Vec<FetchedBlock>),
    /// A submitter asks again for the receipt of something executed.
    Again {
        /// The transaction.
        transaction: Digest,
        /// Who asks.
        requester: Arc<str>,
    },
    /// End the thread.
    Stop,
}

/// Fetched blocks that are stored now.
pub type StoredBlocks = Vec<Durable<InstalledBlock>>;

/// Transactions of a block, by index and id, that are asked for again, by who asks.
type Asking = BTreeMap<Arc<str>, BTreeSet<(u32, Digest)>>;

/// Why delivery stopped.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The block files.
    #[error(transparent)]
    Blocks(#[from] BlockFileError),
    /// The state store.
    #[error(transparent)]
    State(#[from] StateError),
    /// The core certified a block that was not executed here.
    #[error("block {0} is certified and was not executed here")]
    Missing(Height),
}

/// The newest certified block, for those who ask.
#[derive(Clone, Debug)]
pub struct Tip {
    /// Its height.
    pub height: Height,
    /// Its time.
    pub time: Timestamp,
    /// Its hash.
    pub hash: Digest,
}

/// What is shared with those who answer questions.
pub struct Stored {
    /// The folder of the block files.
    pub folder: PathBuf,
    /// The indexes.
    pub store: StateStore,
    /// The newest certified block.
    pub tip: RwLock<Tip>,
    /// Transactions in certified blocks.
    pub transactions: AtomicU64,
    /// The epochs, with the links that receipts carry.
    pub epochs: Arc<Epochs>,
    /// Which of them may come again.
    pub executed: LatelyExecuted,
}

impl Stored {
    /// The newest certified block.
    pub fn tip(&self) -> Tip {
        self.tip
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// A certified block by height.
    ///
    /// # Errors
    /// [`DeliveryError`] when the files are damaged.
    pub fn block(&self, height: Height) -> Result<Option<CertifiedBlock>, DeliveryError> {
        if height > self.tip().height {
            return Ok(None);
        }
        match self.store.locate(height)? {
            None => Ok(None),
            Some(location) => Ok(Some(blocks::read(&self.folder, location)?)),
        }
    }

    /// The canonical bytes of certified blocks from a height on, as far as they go and fit into so many bytes, and at least
    /// one.
    ///
    /// # Errors
    /// [`DeliveryError`] when the files are damaged.
    pub fn encoded_blocks(
        &self,
        heights: std::ops::RangeInclusive<Height>,
        bytes_max: usize,
    ) -> Result<Vec<Vec<u8>>, DeliveryError> {
        let (mut blocks, mut bytes) = (Vec::new(), 0);
        let mut reader = blocks::Reader::new(&self.folder);
        let last = (*heights.end()).min(self.tip().height);
        for height in heights.start().0..=last.0 {
            let Some(location) = self.store.locate(Height(height))? else {
                break;
            };
            let block = reader.encoded(location)?;
            bytes += block.len();
            if !blocks.is_empty() && bytes > bytes_max {
                break;
            }
            blocks.push(block);
        }
        Ok(blocks)
    }

    /// The receipt of a transaction in a certified block.
    ///
    /// # Errors
    /// [`DeliveryError`] when the files are damaged.
    pub fn receipt(&self, transaction: &Digest) -> Result<Option<Vec<u8>>, DeliveryError> {
        let Some((height, index)) = self.store.receipts().find(transaction)? else {
            return Ok(None);
        };
        let Some(block) = self.block(height)? else {
            return Ok(None);
        };
        let links = self.epochs.links_to(block.block.header.epoch);
        Ok(BlockProofs::new(&block)
            .receipt(index, &links)
            .map(|receipt| receipt.to_bytes()))
    }
}

/// Delivery, to whom parcels are given.
pub type Deliverer = Worker<Delivery, Parcel>;

/// What delivery remembers.
pub struct Delivery {
    replica: ReplicaId,
    stored: Arc<Stored>,
    files: Arc<Mutex<BlockFiles>>,
    recent: Arc<RecentBlocks>,
    peers: Arc<Peers>,
    phases: Arc<Phases>,
    /// Certificates of blocks above the next one to be stored.
    early: BTreeMap<u64, Certificate>,
    commit_seconds: chassis::metrics::Histogram,
    committed: chassis::metrics::Counter,
    height: chassis::metrics::Gauge,
}

impl Delivery {
    /// Delivery of one replica.
    pub fn new(
        replica: ReplicaId,
        stored: Arc<Stored>,
        files: Arc<Mutex<BlockFiles>>,
        recent: Arc<RecentBlocks>,
        peers: Arc<Peers>,
        phases: Arc<Phases>,
    ) -> Delivery {
        Delivery {
            replica,
            stored,
            files,
            recent,
            peers,
            phases,
            early: BTreeMap::new(),
            commit_seconds: chassis::metrics::histogram(
                "ordering_commit_seconds",
                "from arrival to certificate",
            ),
            committed: chassis::metrics::counter(
                "ordering_committed_total",
                "transactions in certified blocks",
            ),
            height: chassis::metrics::gauge("ordering_height", "the newest certified height"),
        }
    }

    /// Delivers what others give until told to stop; `stored` hears of fetched blocks that are durable.
    ///
    /// # Errors
    /// [`DeliveryError`]; the caller ends the process.
    pub fn run(
        parcels: Tasks<Delivery, Parcel>,
        outbound: &Outbound,
        stored: &mut dyn FnMut(StoredBlocks),
    ) -> Result<(), DeliveryError> {
        parcels.run(|delivery, at_hand| delivery.take(at_hand, outbound, stored))
    }

    fn take(
        &mut self,
        parcels: Vec<Parcel>,
        outbound: &Outbound,
        stored: &mut dyn FnMut(StoredBlocks),
    ) -> Result<ControlFlow<()>, DeliveryError> {
        let mut again = Vec::new();
        for parcel in parcels {
            match parcel {
                Parcel::Certified(height, certificate) => {
                    self.certified(height, certificate, outbound)?;
                }
                Parcel::Installed(blocks) => {
                    let durable = self.install(blocks)?;
                    stored(durable);
                    self.deliver_in_order(outbound)?;
                }
                // Whoever finds no room asks once more.
                Parcel::Again { .. } if again.len() >= AGAIN_MAX => {}
                Parcel::Again {
                    transaction,
                    requester,
                } => again.push((transaction, requester)),
                Parcel::Stop => {
                    self.lock_files().sync()?;
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        self.answer_again(again, outbound)?;
        Ok(ControlFlow::Continue(()))
    }

    /// A block got its certificate.
    ///
    /// # Errors
    /// [`DeliveryError`]; the caller ends the process.
    pub fn certified(
        &mut self,
        height: Height,
        certificate: Certificate,
        outbound: &Outbound,
    ) -> Result<(), DeliveryError> {
        self.early.insert(height.0, certificate);
        self.deliver_in_order(outbound)
    }

    fn lock_files(&self) -> std::sync::MutexGuard<'_, BlockFiles> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deliver_in_order(&mut self, outbound: &Outbound) -> Result<(), DeliveryError> {
        loop {
            let next = self.lock_files().next_height();
            self.early = self.early.split_off(&next.0);
            let Some(certificate) = self.early.remove(&next.0) else {
                return Ok(());
            };
            let mut recent = self.recent.take(next).ok_or(DeliveryError::Missing(next))?;
            let block = recent.block.take().ok_or(DeliveryError::Missing(next))?;
            let certified = CertifiedBlock { block, certificate };
            let record = store_format::encode_record(&certified);
            self.store(&certified, recent.hash, &record)?;
            self.deliver(&certified, &recent, record, outbound);
        }
    }

    /// Appends a block's record to the files, and the block to the indexes.
    fn store(
        &mut self,
        certified: &CertifiedBlock,
        hash: Digest,
        record: &[u8],
    ) -> Result<(), DeliveryError> {
        let header = &certified.block.header;
        let location = self.lock_files().append(header.height, record)?;
        let ids: Vec<Digest> = certified.block.outcomes[1..]
            .iter()
            .map(|leaf| leaf.transaction)
            .collect();
        let store = &self.stored.store;
        store.index(header.height, &hash, location, header.transactions)?;
        store.receipts().note(header.height, &ids);
        self.stored.epochs.note_link(certified);
        self.stored.executed.add(&ids);
        *self
            .stored
            .tip
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Tip {
            height: header.height,
            time: header.time,
            hash,
        };
        self.stored
            .transactions
            .fetch_add(ids.len() as u64, Ordering::Relaxed);
        self.committed.add(ids.len() as u64);
        self.height.set(header.height.0 as i64);
        Ok(())
    }

    /// Answers and publishes, where it is this replica's turn.
    fn deliver(
        &self,
        certified: &CertifiedBlock,
        recent: &RecentBlock,
        record: Vec<u8>,
        outbound: &Outbound,
    ) {
        let height = certified.block.header.height;
        let answers = self.peers.answers(certified.certificate.view);
        let now = Instant::now();
        self.phases
            .certified(height, recent, now, chassis::clock::now());
        let mut asking: BTreeMap<&Arc<str>, Vec<(u32, Digest)>> = BTreeMap::new();
        let mut traceparents = Vec::new();
        for (index, body) in recent.bodies.iter().enumerate() {
            self.commit_seconds
                .record(now.duration_since(body.received));
            let Some(origin) = body.origin() else {
                continue;
            };
            if traceparents.len() < trace::PER_BLOCK_MAX {
                traceparents.extend(trace::phases(self.replica, height, body, recent, now));
            }
            if !answers && !body.was_asked_again() {
                continue;
            }
            let of_requester = asking.entry(&origin.requester).or_default();
            of_requester.push((index as u32, body.transaction.id));
        }
        if !asking.is_empty() {
            let links = self.stored.epochs.links_to(certified.block.header.epoch);
            let proofs = BlockProofs::new(certified);
            for (requester, transactions) in asking {
                self.send_receipts(requester, &proofs, &links, &transactions, outbound);
            }
        }
        let payload = record.len() - store_format::RECORD_HEADER_BYTES;
        if self.peers.publishes(height) && payload <= PUBLISHED_BYTES_MAX {
            let bytes = Bytes::from(record).slice(store_format::RECORD_HEADER_BYTES..);
            outbound.publish_block(
                subjects::block(self.replica, height),
                bytes,
                recent.hash,
                traceparents,
            );
        }
    }

    fn send_receipts(
        &self,
        requester: &str,
        proofs: &BlockProofs<'_>,
        links: &[EpochLink],
        transactions: &[(u32, Digest)],
        outbound: &Outbound,
    ) {
        for reply in replies::receipts(proofs, links, transactions) {
            let subject = subjects::transaction_replies(self.replica, requester);
            outbound.publish(subject, reply);
        }
    }

    /// Answers all who ask again, block by block: reading one and building its trees costs as much as hundreds of receipts.
    fn answer_again(
        &self,
        asked: Vec<(Digest, Arc<str>)>,
        outbound: &Outbound,
    ) -> Result<(), DeliveryError> {
        let mut by_block: BTreeMap<Height, Asking> = BTreeMap::new();
        for (transaction, requester) in asked {
            if let Some((height, index)) = self.stored.store.receipts().find(&transaction)? {
                let of_block = by_block.entry(height).or_default();
                let of_requester = of_block.entry(requester).or_default();
                of_requester.insert((index, transaction));
            }
        }
        for (height, asked) in by_block {
            let Some(block) = self.stored.block(height)? else {
                continue;
            };
            let proofs = BlockProofs::new(&block);
            let links = self.stored.epochs.links_to(block.block.header.epoch);
            for (requester, transactions) in asked {
                let transactions: Vec<(u32, Digest)> = transactions.into_iter().collect();
                self.send_receipts(&requester, &proofs, &links, &transactions, outbound);
            }
        }
        Ok(())
    }

    /// Stores fetched blocks; one sync for all of them.
    fn install(&mut self, blocks: Vec<FetchedBlock>) -> Result<StoredBlocks, DeliveryError> {
        let mut installed = Vec::with_capacity(blocks.len());
        for fetched in blocks {
            let FetchedBlock {
                certified,
                proof,
                digests,
                bytes,
            } = fetched;
            if certified.block.header.height == self.lock_files().next_height() {
                let record = store_format::record_of(&bytes);
                self.store(&certified, proof.block(), &record)?;
                self.recent.take(certified.block.header.height);
            }
            installed.push(InstalledBlock {
                proof,
                time: certified.block.header.time,
                digests: digests.wires,
            });
        }
        Durable::after(installed, |blocks| {
            let safe_below = self.lock_files().sync()?;
            match blocks
                .iter()
                .find(|block| block.proof.sequence() >= Sequence::from(safe_below))
            {
                // A gap below: the core asks again from where the files end.
                Some(block) => Err(DeliveryError::Missing(block.proof.sequence().height())),
                None => Ok(()),
            }
        })
    }
}
