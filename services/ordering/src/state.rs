//! The state with the index of receipts, the tree over it, and the indexes of blocks, each in an embedded store of its own.
//!
//! State, receipts and tree take what came of many blocks at once as one sorted run: without a journal and a memtable, which cost an
//! execution a quarter of its time, and with where they stand in the same run: some seconds behind the chain. What is above is
//! executed again after a crash. The batches of the other indexes are not synced: what they lack is found in the block files.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use execution::{ChainHead, StateView, state_tree};
use fjall::compaction::Leveled;
use fjall::config::PinningPolicy;
use fjall::{Database, Keyspace, KeyspaceCreateOptions};
use ledger::{Digest, Height, WriteSet, canonical};

use crate::blocks::Location;
use crate::history::History;
use crate::receipts::Receipts;
use crate::tree_store::TreeStore;

/// Where the state's head stands among its entries: after all of them, for no contract has this number.
const HEAD: &[u8] = b"\xff\xffhead";
const COUNT: &[u8] = b"count";
const COUNTED: &[u8] = b"counted";

/// The cache of the state and that of the indexes, in bytes.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;

/// The writes that one index keeps in memory, in bytes.
const MEMTABLE_BYTES: u64 = 16 * 1024 * 1024;

/// How many runs of the state, or of receipts, are merged with what lies below them: each time all of that is written again.
pub(crate) const RUNS_MERGED: u8 = 8;

/// The folder of the state and the receipts.
const RUNS: &str = "runs";

/// That of the tree.
pub(crate) const TREE: &str = "tree";

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The store.
    #[error("state: {0}")]
    Store(#[from] fjall::Error),
    /// A stored value is not what was written.
    #[error(
        "state: the stored {0} is damaged; delete the folder `state` and restart: it is rebuilt from the blocks"
    )]
    Damaged(&'static str),
    /// The thread that stores the state has ended.
    #[error("the state is no longer stored: {0}")]
    NotStored(String),
}

fn subfolder(folder: &FilePath, name: &str) -> Result<PathBuf, StateError> {
    let folder = folder.join(name);
    std::fs::create_dir_all(&folder).map_err(fjall::Error::from)?;
    Ok(folder)
}

fn database(folder: &FilePath, name: &str) -> Result<Database, StateError> {
    let builder = Database::builder(subfolder(folder, name)?).cache_size(CACHE_BYTES);
    Ok(builder.worker_threads(1).open()?)
}

/// What is stored in runs.
struct Runs {
    database: Database,
    state: Keyspace,
    receipts: Receipts,
    tree: TreeStore,
}

impl Runs {
    /// Opens them; their threads merge runs.
    fn open(folder: &FilePath) -> Result<Runs, StateError> {
        let database = database(folder, RUNS)?;
        Ok(Runs {
            state: database.keyspace("state", || run_options(RUNS_MERGED))?,
            receipts: Receipts::open(&database)?,
            tree: TreeStore::open(&subfolder(folder, TREE)?)?,
            database,
        })
    }
}

/// How a keyspace is kept that takes runs, of whose tables so many are merged with what lies below them.
pub(crate) fn run_options(tables_merged: u8) -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        // Most of what is asked for is in few runs or none, which the filters alone tell.
        .filter_block_pinning_policy(PinningPolicy::all(true))
        .compaction_strategy(Arc::new(
            Leveled::default().with_l0_threshold(tables_merged),
        ))
}

/// What keys changed to, by hash, in any order; the last of a key counts.
pub type Changes = Vec<(Digest, Option<Digest>)>;

/// What one block wrote.
#[derive(Debug)]
pub struct BlockWrites {
    /// The chain's head with the block.
    pub head: ChainHead,
    /// Its writes, ascending by key.
    pub writes: WriteSet,
    /// The ids of its transactions, in order.
    pub transactions: Vec<Digest>,
}

/// The embedded stores.
#[derive(Clone)]
pub struct StateStore {
    /// Keeps the store of state and receipts open.
    _runs: Database,
    state: Keyspace,
    receipts: Receipts,
    tree: TreeStore,
    database: Database,
    meta: Keyspace,
    blocks: Keyspace,
    history: History,
}

impl StateStore {
    /// Opens or creates the stores in `folder`.
    ///
    /// # Errors
    /// [`StateError::Store`].
    pub fn open(folder: &FilePath) -> Result<StateStore, StateError> {
        let runs = crate::priority::start_late(|| Runs::open(folder))?;
        let database = database(folder, "index")?;
        let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
        let open = |name: &str| database.keyspace(name, options);
        Ok(StateStore {
            _runs: runs.database,
            state: runs.state,
            receipts: runs.receipts,
            tree: runs.tree,
            meta: open("meta")?,
            blocks: open("blocks")?,
            history: History::new(open("history")?),
            database,
        })
    }

    /// In which block each executed transaction is.
    pub fn receipts(&self) -> &Receipts {
        &self.receipts
    }

    /// Where the tree over the state is kept.
    pub fn tree(&self) -> &TreeStore {
        &self.tree
    }

    /// The chain's head at which the state stands; `None` for a new store.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn head(&self) -> Result<Option<ChainHead>, StateError> {
        match self.state.get(HEAD)? {
            None => Ok(None),
            Some(bytes) => canonical::decode(&bytes)
                .map(Some)
                .map_err(|_| StateError::Damaged("head")),
        }
    }

    /// Brings the state to the head of the last of these blocks, which follow it in order: all of them or, when this ends early,
    /// none. What was stored is synced. Receipts go first: where the state stands, none is missing.
    ///
    /// # Errors
    /// [`StateError::Store`]: the process must stop.
    pub fn keep(&self, blocks: &[Arc<BlockWrites>]) -> Result<(), StateError> {
        let Some(newest) = blocks.last() else {
            return Ok(());
        };
        self.receipts.keep(blocks)?;
        let mut run = self.state.start_ingestion()?;
        for (key, value) in sorted_run(blocks) {
            match value {
                Some(value) => run.write(key, value)?,
                None => run.write_tombstone(key)?,
            }
        }
        run.write(HEAD, canonical::encode(&newest.head))?;
        run.finish()?;
        self.receipts.forget_below(newest.head.height.next());
        Ok(())
    }

    /// Records where a certified block stands, its hash, and how many transactions it holds.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn index(
        &self,
        height: Height,
        hash: &Digest,
        location: Location,
        transactions: u32,
    ) -> Result<(), StateError> {
        let mut batch = self.database.batch();
        self.history.append(&mut batch, height, hash)?;
        batch.insert(&self.blocks, height.0.to_be_bytes(), location.to_bytes());
        batch.insert(&self.blocks, hash.0, height.0.to_be_bytes());
        // Indexing a block again, after its certificate was lost in a crash, must not count it twice.
        let counted = self
            .meta
            .get(COUNTED)?
            .and_then(|bytes| decode_height(&bytes));
        if counted.is_none_or(|counted| counted < height) {
            let count = self.transactions()? + u64::from(transactions);
            batch.insert(&self.meta, COUNT, count.to_be_bytes());
            batch.insert(&self.meta, COUNTED, height.0.to_be_bytes());
        }
        Ok(batch.commit()?)
    }

    /// The log over the hashes of the indexed blocks.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// How many transactions the indexed blocks hold.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn transactions(&self) -> Result<u64, StateError> {
        match self.meta.get(COUNT)? {
            None => Ok(0),
            Some(bytes) => decode_height(&bytes)
                .map(|count| count.0)
                .ok_or(StateError::Damaged("count")),
        }
    }

    /// The height of the block with that hash.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn height_of(&self, hash: &Digest) -> Result<Option<Height>, StateError> {
        match self.blocks.get(hash.0)? {
            None => Ok(None),
            Some(bytes) => decode_height(&bytes)
                .map(Some)
                .ok_or(StateError::Damaged("block index")),
        }
    }

    /// Where the block at that height stands.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn locate(&self, height: Height) -> Result<Option<Location>, StateError> {
        match self.blocks.get(height.0.to_be_bytes())? {
            None => Ok(None),
            Some(bytes) => Location::from_bytes(&bytes)
                .map(Some)
                .ok_or(StateError::Damaged("block index")),
        }
    }
}

/// The changed keys of a write set, hashed.
pub fn hashed(writes: &WriteSet) -> impl Iterator<Item = (Digest, Option<Digest>)> + '_ {
    let hash = |(key, value): &execution::state::Write| {
        (
            state_tree::place(key),
            value.as_deref().map(state_tree::value_hash),
        )
    };
    writes.0.iter().map(hash)
}

/// A key and what is written under it.
type KeyedWrite<'a> = (&'a [u8], Option<&'a [u8]>);

/// The newest write of each key, ascending by key. Sorting is merging: each block's writes are a sorted run.
fn sorted_run(blocks: &[Arc<BlockWrites>]) -> Vec<KeyedWrite<'_>> {
    // Keys lie all over the memory: their beginnings, which nearly always decide, are kept at hand.
    let beginning = |key: &[u8]| {
        let mut bytes = [0; 16];
        let length = key.len().min(bytes.len());
        bytes[..length].copy_from_slice(&key[..length]);
        u128::from_be_bytes(bytes)
    };
    let count = blocks.iter().map(|block| block.writes.0.len()).sum();
    let mut writes: Vec<(u128, KeyedWrite<'_>)> = Vec::with_capacity(count);
    for block in blocks.iter().rev() {
        let of_block = block.writes.0.iter();
        writes.extend(
            of_block.map(|(key, value)| (beginning(key), (key.as_slice(), value.as_deref()))),
        );
    }
    writes.sort_by_key(|(beginning, (key, _))| (*beginning, *key));
    writes.dedup_by_key(|(_, (key, _))| *key);
    writes.into_iter().map(|(_, write)| write).collect()
}

fn decode_height(bytes: &[u8]) -> Option<Height> {
    bytes.try_into().ok().map(u64::from_be_bytes).map(Height)
}

impl StateView for StateStore {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.state
            .get(key)
            .expect("the state store can be read")
            .map(|bytes| bytes.to_vec())
    }

    fn range(&self, from: &[u8], until: &[u8], limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        if from >= until {
            return Vec::new();
        }
        self.state
            .range(from..until)
            .take(limit)
            .map(|entry| {
                let (key, value) = entry.into_inner().expect("the state store can be read");
                (key.to_vec(), value.to_vec())
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Tree;

    #[test]
    fn the_state_the_tree_and_the_indexes_survive_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let writes = WriteSet(vec![
            (b"a".to_vec(), Some(b"1".to_vec())),
            (b"b".to_vec(), Some(b"2".to_vec())),
        ]);
        let head = ChainHead {
            height: Height(0),
            hash: Digest([1; 32]),
            time: ledger::Timestamp(5),
            history: ledger::HistoryLog::new(),
        };
        let location = Location {
            segment: 0,
            offset: 8,
            length: 99,
        };
        let root = {
            let store = StateStore::open(folder.path()).unwrap();
            assert_eq!(store.head().unwrap(), None);
            let block = BlockWrites {
                head: head.clone(),
                writes: writes.clone(),
                transactions: vec![Digest([7; 32])],
            };
            store.keep(&[Arc::new(block)]).unwrap();
            store
                .index(Height(0), &Digest([1; 32]), location, 1)
                .unwrap();
            let mut tree = Tree::over(store.tree().clone()).unwrap();
            let root = tree.update(Height(0), hashed(&writes).collect()).unwrap();
            store.tree().keep(&tree.snapshot()).unwrap();
            root
        };
        let store = StateStore::open(folder.path()).unwrap();
        assert_eq!(store.head().unwrap(), Some(head));
        assert_eq!(StateView::get(&store, b"b"), Some(b"2".to_vec()));
        assert_eq!(store.range(b"a", b"b", 9), [(b"a".to_vec(), b"1".to_vec())]);
        assert_eq!(store.tree().roots().unwrap(), [(Height(0), root)]);
        assert_eq!(store.locate(Height(0)).unwrap(), Some(location));
        let found = store.receipts().find(&Digest([7; 32])).unwrap();
        assert_eq!(found, Some((Height(0), 0)));
    }

    #[test]
    fn of_many_blocks_the_newest_write_of_each_key_is_stored_and_deleted_keys_are_gone() {
        let folder = tempfile::tempdir().unwrap();
        let block = |height: u64, writes: &[(&str, Option<&str>)]| {
            let head = ChainHead {
                height: Height(height),
                hash: Digest([height as u8; 32]),
                time: ledger::Timestamp(height),
                history: ledger::HistoryLog::new(),
            };
            let bytes = |text: &str| text.as_bytes().to_vec();
            let writes = writes
                .iter()
                .map(|(key, value)| (bytes(key), value.map(bytes)));
            let writes = WriteSet(writes.collect());
            Arc::new(BlockWrites {
                head,
                writes,
                transactions: Vec::new(),
            })
        };
        let store = StateStore::open(folder.path()).unwrap();
        let first = block(0, &[("a", Some("1")), ("b", Some("2")), ("c", Some("3"))]);
        store.keep(&[first]).unwrap();
        let second = block(1, &[("a", None), ("b", Some("22")), ("d", Some("4"))]);
        let third = block(2, &[("b", Some("222")), ("d", None), ("e", Some("5"))]);
        store.keep(&[second, third.clone()]).unwrap();
        let entries = |store: &StateStore| store.range(b"a", b"z", 9);
        let expected = [("b", "222"), ("c", "3"), ("e", "5")]
            .map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec()));
        assert_eq!(entries(&store), expected);
        drop(store);
        let store = StateStore::open(folder.path()).unwrap();
        assert_eq!(entries(&store), expected);
        assert_eq!(store.head().unwrap().as_ref(), Some(&third.head));
    }
}
