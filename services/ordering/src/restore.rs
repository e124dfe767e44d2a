//! What a replica knows when it starts: block files, journal and state brought to one height, before anything is said.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use execution::{CheckedTransaction, Contracts, Executor};
use ledger::transaction::id_of_signed_bytes;
use ledger::{
    Block, BlockDigests, Certificate, CertifiedBlock, Digest, GenesisFile, Header, Height,
    store_format,
};
use pbft::{Base, CertifiedHash, Limits, LogRecord, Sequence, StoredBlock, StoredChain};

use crate::blocks::{self, BlockFileError, BlockFiles};
use crate::body::{Body, BodyPool};
use crate::delivery::Tip;
use crate::epochs::{Epochs, announced_in};
use crate::journal::{JournalError, JournalFile, JournaledBlock, JournaledCertificate, Writer};
use crate::recent::{Ordered, Phases, RecentBlock, RecentBlocks};
use crate::roots::Roots;
use crate::run_blocks::{BlockRunner, ExecutionError, last_height_before};
use crate::state::{BlockWrites, StateError, StateStore, TREE};
use crate::tree_store::BELOW;

/// Why a replica's data cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The block files.
    #[error(transparent)]
    Blocks(#[from] BlockFileError),
    /// The state.
    #[error(transparent)]
    State(#[from] StateError),
    /// Execution of stored blocks.
    #[error(transparent)]
    Execution(#[from] ExecutionError),
    /// The genesis file describes no state.
    #[error(transparent)]
    Genesis(#[from] contracts::GenesisError),
    /// The folder belongs to another chain.
    #[error("the data folder belongs to another chain than the genesis file")]
    OtherChain,
    /// A block that must be there is not.
    #[error("block {0} is neither in the block files nor in the journal")]
    Missing(Height),
    /// A stored block is not what the contracts make of its transactions.
    #[error("block {0} as stored is not what its transactions give")]
    Differs(Height),
    /// A stored certificate does not verify.
    #[error("the certificate of stored block {0} does not verify")]
    Certificate(Height),
}

/// Everything a replica starts with.
pub struct Restored {
    /// The indexes and the state.
    pub store: StateStore,
    /// The block files.
    pub files: Arc<Mutex<BlockFiles>>,
    /// Execution, at the height of the newest stored block.
    pub runner: BlockRunner<Contracts>,
    /// The journal.
    pub writer: Writer,
    /// The bodies the journal held.
    pub bodies: Arc<BodyPool>,
    /// The latest blocks.
    pub recent: Arc<RecentBlocks>,
    /// The newest certified block.
    pub tip: Tip,
    /// The vote log.
    pub votes: Vec<LogRecord>,
    /// For the core.
    pub chain: StoredChain,
    /// For the core: the block before the epoch in force.
    pub base: Base,
    /// The epochs up to the newest that is announced.
    pub epochs: Arc<Epochs>,
    /// When something is due.
    pub next_due: Option<ledger::Timestamp>,
}

/// Opens everything under `data`.
pub struct Restoring<'a> {
    /// The folder.
    pub data: &'a Path,
    /// The genesis file.
    pub genesis: &'a GenesisFile,
    /// The limits of consensus; the core wants to know the blocks of two windows.
    pub limits: Limits,
}

/// A block by height, from the files or from the journal.
struct Chain<'a> {
    folder: &'a Path,
    store: &'a StateStore,
    certified: Height,
    /// Executed, durable, and without a certificate here: another view may have ordered something else.
    uncertified: &'a Uncertified,
}

impl Chain<'_> {
    fn block(&self, height: Height) -> Result<CertifiedBlock, RestoreError> {
        if height <= self.certified {
            let location = self
                .store
                .locate(height)?
                .ok_or(RestoreError::Missing(height))?;
            return Ok(blocks::read(self.folder, location)?);
        }
        let entry = self
            .uncertified
            .get(&height.0)
            .ok_or(RestoreError::Missing(height))?;
        let block = whole(entry).ok_or(RestoreError::Missing(height))?;
        Ok(CertifiedBlock {
            block,
            certificate: Certificate::of_genesis(),
        })
    }
}

impl Restoring<'_> {
    /// Brings block files, journal and state together.
    ///
    /// # Errors
    /// [`RestoreError`], naming what is wrong; nothing was changed but torn tails.
    pub fn restore(self) -> Result<Restored, RestoreError> {
        let folder = self.data.join("blocks");
        let executor = Executor::new(self.genesis.chain_id(), Contracts);
        let genesis_block = executor.genesis_block(self.genesis)?;
        let genesis_base = base_of(&genesis_block.block.header, genesis_block.head.hash);
        let (mut files, newest) = BlockFiles::open(&folder)?;
        let mut store = open_state(self.data)?;
        if files.next_height() == Height(0) {
            self.store_genesis(&mut files, &store, &genesis_block)?;
        } else {
            self.check_genesis(&folder, &store, &newest, genesis_base)?;
        }
        if !store.history().holds(Height(0))? {
            // A store of a version that kept no log over the blocks.
            index_all(&folder, &store)?;
        }
        index_newest(&store, &newest)?;
        let (journal, recovered) = JournalFile::open(&self.data.join("journal"))?;
        if recovered.torn_bytes > 0 {
            tracing::warn!(
                cut = recovered.torn_bytes,
                "the journal ended in a record cut short"
            );
        }
        let stored = Height(files.next_height().0 - 1);
        let location = store.locate(stored)?.ok_or(RestoreError::Missing(stored))?;
        let last_stored = (stored, blocks::read(&folder, location)?.block.hash());
        let (bodies, mut uncertified) = journaled(recovered.bodies, recovered.blocks, last_stored);
        store_certified(
            &mut files,
            &store,
            &mut uncertified,
            &recovered.certificates,
        )?;
        let certified = Height(files.next_height().0 - 1);
        let newest_height = uncertified
            .keys()
            .next_back()
            .map_or(certified, |height| Height(*height).max(certified));
        let head = store.head()?.map(|head| head.height);
        let checkpoint = store.tree().roots()?.last().map(|(height, _)| *height);
        if head.max(checkpoint) > Some(newest_height) {
            // Only a disk that lost synced blocks brings this about; what is left is executed again.
            tracing::warn!("the state is ahead of the stored blocks and is rebuilt");
            drop(store);
            remove_state(&self.data.join("state"))?;
            store = open_state(self.data)?;
            index_all(&folder, &store)?;
        }
        if store.head()?.is_none() {
            let genesis = BlockWrites {
                head: genesis_block.head.clone(),
                writes: genesis_block.writes.clone(),
                transactions: Vec::new(),
            };
            Roots::begin(&store, Arc::new(genesis))?;
        }
        let chain = Chain {
            folder: &folder,
            store: &store,
            certified,
            uncertified: &uncertified,
        };
        let recent = Arc::new(RecentBlocks::default());
        let head = store.head()?.unwrap_or(genesis_block.head);
        let epochs = Arc::new(Epochs::new(
            self.genesis.chain_id(),
            self.limits.clone(),
            self.genesis.epoch.clone(),
            execution::announced_epochs(&store),
        ));
        let roots = Roots::start(store.clone())?;
        let mut runner = BlockRunner::new(
            executor,
            epochs.clone(),
            head.clone(),
            store.clone(),
            roots,
            recent.clone(),
        );
        replay(&chain, &mut runner, head.height, newest_height)?;
        restore_links(&chain, &epochs)?;
        let base = match epochs.at(certified.next()).first_height {
            Height(0) => genesis_base,
            first => {
                let last = chain.block(Height(first.0 - 1))?.block;
                base_of(&last.header, last.hash())
            }
        };
        let stored = stored_chain(
            &chain,
            &recent,
            &epochs,
            newest_height,
            2 * self.limits.window,
            &bodies,
        )?;
        // The core knows the blocks of its own epoch.
        let stored = StoredChain {
            blocks: stored
                .blocks
                .into_iter()
                .filter(|block| block.sequence > base.sequence)
                .collect(),
            ..stored
        };
        let tip_header = chain.block(certified)?.block.header;
        let tip = Tip {
            height: certified,
            time: tip_header.time,
            hash: tip_header.hash(),
        };
        let next_due = runner.next_due();
        let files = Arc::new(Mutex::new(files));
        let writer = Writer::new(
            journal,
            files.clone(),
            bodies.values().cloned(),
            uncertified.into_values(),
        );
        let pool = BodyPool::default();
        for body in bodies.into_values() {
            pool.insert(body);
        }
        Ok(Restored {
            store,
            files,
            runner,
            writer,
            bodies: Arc::new(pool),
            recent,
            tip,
            votes: recovered.votes,
            chain: stored,
            base,
            epochs,
            next_due,
        })
    }

    fn store_genesis(
        &self,
        files: &mut BlockFiles,
        store: &StateStore,
        genesis: &execution::ExecutedBlock,
    ) -> Result<(), RestoreError> {
        let certified = CertifiedBlock {
            block: genesis.block.clone(),
            certificate: Certificate::of_genesis(),
        };
        let location = files.append(Height(0), &store_format::encode_record(&certified))?;
        files.sync()?;
        store.index(Height(0), &genesis.head.hash, location, 0)?;
        Ok(())
    }

    /// The files start with this genesis block.
    fn check_genesis(
        &self,
        folder: &Path,
        store: &StateStore,
        newest: &blocks::NewestBlocks,
        base: Base,
    ) -> Result<(), RestoreError> {
        let first = match newest.first() {
            Some((block, _)) if block.block.header.height == Height(0) => block.block.hash(),
            _ => {
                let location = match store.locate(Height(0))? {
                    Some(location) => location,
                    None => {
                        index_all(folder, store)?;
                        store
                            .locate(Height(0))?
                            .ok_or(RestoreError::Missing(Height(0)))?
                    }
                };
                blocks::read(folder, location)?.block.hash()
            }
        };
        if first == base.block {
            Ok(())
        } else {
            Err(RestoreError::OtherChain)
        }
    }
}

/// The links that receipts carry, from the certified blocks that announced epochs. An epoch that ends with the
/// checkpoint B was announced between B - window - interval and B - window.
fn restore_links(chain: &Chain<'_>, epochs: &Epochs) -> Result<(), RestoreError> {
    let mut epoch = epochs.at(Height(0)).epoch;
    while let Some(last) = epochs.last_height(epoch) {
        let newest = last.0.saturating_sub(ledger::CONSENSUS_WINDOW);
        let oldest = newest.saturating_sub(ledger::CHECKPOINT_INTERVAL);
        for height in (oldest + 1..=newest).map(Height) {
            if height <= chain.certified {
                epochs.note_link(&chain.block(height)?);
            }
        }
        epoch = epochs.at(last.next()).epoch;
    }
    Ok(())
}

fn base_of(header: &Header, hash: Digest) -> Base {
    Base {
        sequence: Sequence::from(header.height),
        block: hash,
        time: header.time,
    }
}

/// The index of the newest segment may lack what was not synced.
fn index_newest(store: &StateStore, newest: &blocks::NewestBlocks) -> Result<(), RestoreError> {
    for (certified, location) in newest {
        let height = certified.block.header.height;
        if store.locate(height)? != Some(*location) || !store.history().holds(height)? {
            let header = &certified.block.header;
            store.index(height, &header.hash(), *location, header.transactions)?;
        }
    }
    Ok(())
}

/// Indexes every segment anew.
fn index_all(folder: &Path, store: &StateStore) -> Result<(), RestoreError> {
    for segment in blocks::segments(folder)? {
        index_newest(store, &blocks::read_whole(folder, segment)?)?;
    }
    Ok(())
}

/// Opens the state store. A power failure may leave files of it on which opening does not come to an end (fjall panics on a
/// torn journal of its own): a mark that outlived the attempt before says so, and the state is rebuilt from the blocks.
fn open_state(data: &Path) -> Result<StateStore, RestoreError> {
    let (folder, mark) = (data.join("state"), data.join("state.opening"));
    let disk = |error| BlockFileError::Disk {
        path: mark.clone(),
        error,
    };
    if mark.exists() && folder.exists() {
        tracing::warn!("the state could not be opened at the last start, and is rebuilt");
        remove_state(&folder)?;
    } else if folder.exists() && !folder.join(TREE).join(BELOW).exists() {
        tracing::warn!("the state is as an older version stored it, and is rebuilt");
        remove_state(&folder)?;
    }
    std::fs::write(&mark, []).map_err(disk)?;
    let opened = StateStore::open(&folder);
    std::fs::remove_file(&mark).map_err(disk)?;
    Ok(opened?)
}

fn remove_state(folder: &Path) -> Result<(), RestoreError> {
    std::fs::remove_dir_all(folder)
        .map_err(|error| BlockFileError::Disk {
            path: folder.to_owned(),
            error,
        })
        .map_err(RestoreError::from)
}

type Bodies = BTreeMap<Digest, Arc<Body>>;
type Uncertified = BTreeMap<u64, (Arc<JournaledBlock>, Vec<Arc<Body>>)>;

/// Bodies and blocks of the journal; blocks that the files hold are left out, and so are those that follow no block that is
/// there: one below them gave way to another.
fn journaled(
    bodies: BTreeMap<Digest, (ledger::SignedTransaction, bytes::Bytes)>,
    blocks: BTreeMap<u64, JournaledBlock>,
    (certified, mut newest): (Height, Digest),
) -> (Bodies, Uncertified) {
    // The files hold these with their blocks.
    let stored: BTreeSet<Digest> = blocks
        .range(..=certified.0)
        .flat_map(|(_, block)| block.wires.iter().copied())
        .collect();
    let bodies: Bodies = bodies
        .into_iter()
        .filter(|(wire, _)| !stored.contains(wire))
        .map(|(wire, (signed, bytes))| {
            let id = id_of_signed_bytes(&bytes);
            let transaction = CheckedTransaction { signed, id, wire };
            (wire, Arc::new(Body::new(transaction, bytes, None)))
        })
        .collect();
    let mut uncertified = Uncertified::new();
    for (height, block) in blocks {
        let next = certified.0 + 1 + uncertified.len() as u64;
        if height != next || block.header.previous != newest {
            continue;
        }
        let found: Option<Vec<Arc<Body>>> = block
            .wires
            .iter()
            .map(|wire| bodies.get(wire).cloned())
            .collect();
        if let Some(found) = found {
            newest = block.header.hash();
            uncertified.insert(height, (Arc::new(block), found));
        }
    }
    (bodies, uncertified)
}

fn whole((block, bodies): &(Arc<JournaledBlock>, Vec<Arc<Body>>)) -> Option<Block> {
    let mut transactions = bodies.iter().map(|body| body.transaction.signed.clone());
    (**block).clone().assemble(|_| transactions.next())
}

/// Moves blocks whose certificates are in the journal to the block files, which did not get them before the end.
fn store_certified(
    files: &mut BlockFiles,
    store: &StateStore,
    uncertified: &mut Uncertified,
    certificates: &BTreeMap<u64, JournaledCertificate>,
) -> Result<(), RestoreError> {
    while let Some(entry) = uncertified.get(&files.next_height().0)
        && let Some(known) = certificates.get(&files.next_height().0)
        && let Some(block) = whole(entry)
        && block.hash() == known.block
    {
        let height = files.next_height();
        let transactions = block.header.transactions;
        let certified = CertifiedBlock {
            block,
            certificate: known.certificate.clone(),
        };
        let location = files.append(height, &store_format::encode_record(&certified))?;
        store.index(height, &known.block, location, transactions)?;
        uncertified.remove(&height.0);
    }
    files.sync()?;
    Ok(())
}

/// Executes stored blocks that the state lacks; each must come out as it is stored.
fn replay(
    chain: &Chain<'_>,
    runner: &mut BlockRunner<Contracts>,
    from: Height,
    to: Height,
) -> Result<(), RestoreError> {
    for height in from.0 + 1..=to.0 {
        let stored = chain.block(Height(height))?;
        let digests = BlockDigests::of(&stored.block);
        if runner.replay(&stored.block, &digests)? != stored.block.hash() {
            return Err(RestoreError::Differs(Height(height)));
        }
        // What is certified, or in the state already, stays.
        if height <= chain.certified.0 {
            let receipts = chain.store.receipts();
            receipts.note(Height(height), &digests.transactions);
            runner.keep_all();
        }
    }
    Ok(())
}

/// The newest blocks as the core wants them; also kept as recent ones.
fn stored_chain(
    chain: &Chain<'_>,
    recent: &RecentBlocks,
    epochs: &Epochs,
    newest: Height,
    recent_blocks: u64,
    bodies: &Bodies,
) -> Result<StoredChain, RestoreError> {
    let oldest = newest
        .0
        .saturating_sub(recent_blocks)
        .min(chain.certified.0.saturating_sub(1))
        + 1;
    let mut blocks = Vec::new();
    let mut stable: Option<CertifiedHash> = None;
    let interval = pbft::Limits::default().checkpoint_interval;
    for height in (oldest..=newest.0).map(Height) {
        let certified = chain.block(height)?;
        let hash = certified.block.hash();
        let wires = ledger::block::transaction_leaves(&certified.block.transactions);
        let sequence = Sequence::from(height);
        if height <= chain.certified && height.0.is_multiple_of(interval) {
            let proof = epochs
                .certificates_at(height)
                .certified(sequence, hash, certified.certificate.clone())
                .map_err(|_| RestoreError::Certificate(height))?;
            stable = Some(proof);
        }
        // Delivery needs the bodies of what has no certificate yet.
        let journaled = chain.uncertified.get(&height.0);
        let (batch, bodies) = journaled
            .map(|(block, bodies)| (Some(block.batch), bodies.clone()))
            .unwrap_or_default();
        let announced = journaled.and_then(|(block, _)| announced_in(&block.outcomes));
        blocks.push(StoredBlock {
            sequence,
            block: hash,
            batch,
            time: certified.block.header.time,
            digests: wires.clone(),
            ends: announced.map(last_height_before),
        });
        let block = (height > chain.certified).then_some(certified.block);
        let phases = Phases {
            ordered: Ordered::default(),
            started: Instant::now(),
            executed: Instant::now(),
        };
        recent.insert(
            height,
            Arc::new(RecentBlock {
                block,
                hash,
                bodies,
                wires,
                phases,
            }),
        );
    }
    let held = bodies.keys().copied().collect();
    Ok(StoredChain {
        blocks,
        certified: Sequence::from(chain.certified),
        stable,
        held,
    })
}

#[cfg(test)]
mod tests {
    use execution::{ChainHead, StateView};

    use super::*;

    #[test]
    fn a_state_that_could_not_be_opened_or_is_of_an_older_version_is_rebuilt_and_any_other_is_kept()
    {
        let data = tempfile::tempdir().unwrap();
        let head = ChainHead {
            height: Height(0),
            hash: Digest([1; 32]),
            time: ledger::Timestamp(5),
            history: ledger::HistoryLog::new(),
        };
        let writes = ledger::WriteSet(vec![(b"a".to_vec(), Some(b"1".to_vec()))]);
        let store = open_state(data.path()).unwrap();
        let block = Arc::new(BlockWrites {
            head,
            writes,
            transactions: Vec::new(),
        });
        store.keep(std::slice::from_ref(&block)).unwrap();
        drop(store);
        let store = open_state(data.path()).unwrap();
        assert_eq!(StateView::get(&store, b"a"), Some(b"1".to_vec()));
        drop(store);
        std::fs::write(data.path().join("state.opening"), []).unwrap();
        let store = open_state(data.path()).unwrap();
        assert_eq!(StateView::get(&store, b"a"), None);
        assert!(!data.path().join("state.opening").exists());
        store.keep(&[block]).unwrap();
        drop(store);
        // Where the receipts stood among the indexes.
        std::fs::remove_dir_all(data.path().join("state/runs")).unwrap();
        let store = open_state(data.path()).unwrap();
        assert_eq!(StateView::get(&store, b"a"), None);
    }
}
