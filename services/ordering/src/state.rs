//! The state, the tree over it, and the indexes of blocks and receipts, in embedded stores.
//!
//! The state has a store of its own, which takes the writes of many blocks at once as one sorted run: without a journal and a
//! memtable, which cost an execution a quarter of its time, and with the head at which the state stands in the same run. So
//! it stands where the newest blocks were stored, some seconds behind the chain; what is above is executed again after a crash.
//! The other store's batches are not synced, but for what the tree needs of the blocks that the state holds.

use std::path::Path as FilePath;
use std::sync::Arc;

use execution::state_tree::{self, Path};
use execution::{ChainHead, StateView};
use fjall::config::CompressionPolicy;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode};
use ledger::{Digest, Height, WriteSet, canonical};

use crate::blocks::Location;
use crate::history::History;
use crate::tree::Nodes;

/// Where the state's head stands among its entries: after all of them, for no contract has this number.
const HEAD: &[u8] = b"\xff\xffhead";
const TREE: &[u8] = b"tree";
const TREE_NEXT: &[u8] = b"tree-next";
const ROOT: &[u8] = b"root/";
const COUNT: &[u8] = b"count";
const COUNTED: &[u8] = b"counted";

/// The cache of each store, in bytes.
const CACHE_BYTES: u64 = 24 * 1024 * 1024;

/// The writes that one keyspace keeps in memory, in bytes.
const MEMTABLE_BYTES: u64 = 16 * 1024 * 1024;

/// The same for the tree, which takes nine tenths of all bytes written, at random places: the fewer and larger its runs, the
/// less often what is on disk is merged with them.
const TREE_MEMTABLE_BYTES: u64 = 64 * 1024 * 1024;

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

/// What keys changed to, by hash, in any order; the last of a key counts.
pub type Changes = Vec<(Digest, Option<Digest>)>;

/// What one block wrote.
#[derive(Debug)]
pub struct BlockWrites {
    /// The chain's head with the block.
    pub head: ChainHead,
    /// Its writes, ascending by key.
    pub writes: WriteSet,
    /// The same, hashed for the tree.
    pub changes: Changes,
}

impl BlockWrites {
    /// The writes of the block that is the head.
    pub fn new(head: ChainHead, writes: WriteSet) -> BlockWrites {
        let changes = hashed(&writes);
        BlockWrites {
            head,
            writes,
            changes,
        }
    }
}

/// The embedded stores.
#[derive(Clone)]
pub struct StateStore {
    /// Keeps the state's store open.
    _values: Database,
    state: Keyspace,
    database: Database,
    meta: Keyspace,
    tree: Keyspace,
    /// Changed keys by height, until the tree holds them; also of blocks whose storing a crash cut short.
    changes: Keyspace,
    blocks: Keyspace,
    receipts: Keyspace,
    history: History,
}

impl StateStore {
    /// Opens or creates the stores in `folder`.
    ///
    /// # Errors
    /// [`StateError::Store`].
    pub fn open(folder: &FilePath) -> Result<StateStore, StateError> {
        let database = |name: &str| {
            let folder = folder.join(name);
            std::fs::create_dir_all(&folder)?;
            let builder = Database::builder(&folder).cache_size(CACHE_BYTES);
            builder.worker_threads(1).open()
        };
        let (values, database) = (database("values")?, database("index")?);
        let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
        let open = |name: &str| database.keyspace(name, options);
        Ok(StateStore {
            state: values.keyspace("state", KeyspaceCreateOptions::default)?,
            _values: values,
            meta: open("meta")?,
            tree: database.keyspace("tree", || {
                options()
                    .max_memtable_size(TREE_MEMTABLE_BYTES)
                    // Hashes do not get smaller.
                    .data_block_compression_policy(CompressionPolicy::disabled())
            })?,
            changes: open("changes")?,
            blocks: open("blocks")?,
            receipts: open("receipts")?,
            history: History::new(open("history")?),
            database,
        })
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
    /// none. What was stored is synced.
    ///
    /// # Errors
    /// [`StateError::Store`]: the process must stop.
    pub fn keep(&self, blocks: &[Arc<BlockWrites>]) -> Result<(), StateError> {
        let Some(newest) = blocks.last() else {
            return Ok(());
        };
        for block in blocks.iter().filter(|block| !block.changes.is_empty()) {
            let height = block.head.height.0.to_be_bytes();
            self.changes
                .insert(height, encode_changes(&block.changes))?;
        }
        // A state without its changes is one that no tree can follow.
        self.database.persist(PersistMode::SyncData)?;
        let mut run = self.state.start_ingestion()?;
        for (key, value) in newest_writes(blocks) {
            match value {
                Some(value) => run.write(key, value)?,
                None => run.write_tombstone(key)?,
            }
        }
        run.write(HEAD, canonical::encode(&newest.head))?;
        Ok(run.finish()?)
    }

    /// Records where a certified block stands, its hash, and which transactions it holds.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn index(
        &self,
        height: Height,
        hash: &Digest,
        location: Location,
        transactions: &[Digest],
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
            let count = self.transactions()? + transactions.len() as u64;
            batch.insert(&self.meta, COUNT, count.to_be_bytes());
            batch.insert(&self.meta, COUNTED, height.0.to_be_bytes());
        }
        for (index, id) in transactions.iter().enumerate() {
            let mut place = [0; 12];
            place[..8].copy_from_slice(&height.0.to_be_bytes());
            place[8..].copy_from_slice(&(index as u32).to_be_bytes());
            batch.insert(&self.receipts, id.0, place);
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

    /// The height and index of an executed transaction.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn find(&self, transaction: &Digest) -> Result<Option<(Height, u32)>, StateError> {
        let Some(bytes) = self.receipts.get(transaction.0)? else {
            return Ok(None);
        };
        let place: [u8; 12] = bytes
            .as_ref()
            .try_into()
            .map_err(|_| StateError::Damaged("receipt index"))?;
        let (height, index) = place.split_at(8);
        let height = height
            .try_into()
            .map(u64::from_be_bytes)
            .map_err(|_| StateError::Damaged("receipt index"))?;
        let index = index
            .try_into()
            .map(u32::from_be_bytes)
            .map_err(|_| StateError::Damaged("receipt index"))?;
        Ok(Some((Height(height), index)))
    }

    /// The checkpoint whose changes the tree holds.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn tree_height(&self) -> Result<Option<Height>, StateError> {
        self.height_under(TREE, "tree height")
    }

    /// The root of the tree at a recent checkpoint.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn root(&self, checkpoint: Height) -> Result<Option<Digest>, StateError> {
        match self.meta.get(root_key(checkpoint))? {
            None => Ok(None),
            Some(bytes) => bytes
                .as_ref()
                .try_into()
                .map(|root| Some(Digest(root)))
                .map_err(|_| StateError::Damaged("root")),
        }
    }

    /// Changed keys that the tree lacks; what is above the state's head is none of its own.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn changes_after(
        &self,
        checkpoint: Option<Height>,
    ) -> Result<Vec<(Height, Changes)>, StateError> {
        let from = checkpoint.map_or(0, |height| height.0 + 1);
        let mut found = Vec::new();
        for entry in self.changes.range(from.to_be_bytes()..) {
            let (key, value) = entry.into_inner()?;
            let height = decode_height(&key).ok_or(StateError::Damaged("changes"))?;
            found.push((
                height,
                decode_changes(&value).ok_or(StateError::Damaged("changes"))?,
            ));
        }
        Ok(found)
    }

    /// The tree's node at `path`, as it was written last.
    pub fn node(&self, path: &[u8]) -> Option<Vec<u8>> {
        // A store that cannot be read is no state to go on with.
        self.tree
            .get(node_key(path))
            .expect("the state store can be read")
            .map(|bytes| bytes.to_vec())
    }

    /// The checkpoint that was being written when the store was last open, if one was.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn tree_being_written(&self) -> Result<Option<Height>, StateError> {
        self.height_under(TREE_NEXT, "tree height")
    }

    /// Notes that the tree's nodes of a checkpoint will be written, and the roots of the latest checkpoints, that one's included.
    ///
    /// # Errors
    /// [`StateError::Store`].
    pub fn begin_tree(
        &self,
        checkpoint: Height,
        roots: &[(Height, Digest)],
    ) -> Result<(), StateError> {
        let mut batch = self.database.batch();
        batch.insert(&self.meta, TREE_NEXT, checkpoint.0.to_be_bytes());
        for old in self.meta.prefix(ROOT) {
            batch.remove(&self.meta, old.key()?);
        }
        for (checkpoint, root) in roots {
            batch.insert(&self.meta, root_key(*checkpoint), root.0);
        }
        Ok(batch.commit()?)
    }

    /// Writes some nodes of that checkpoint; after a node those above it.
    ///
    /// # Errors
    /// [`StateError::Store`].
    pub fn write_tree(&self, nodes: &[(Path, Vec<u8>)]) -> Result<(), StateError> {
        let mut batch = self.database.batch();
        for (path, node) in nodes {
            batch.insert(&self.tree, node_key(path), node.as_slice());
        }
        Ok(batch.commit()?)
    }

    /// The tree is at the checkpoint with these last nodes.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn finish_tree(&self, checkpoint: Height, nodes: &Nodes) -> Result<(), StateError> {
        let mut batch = self.database.batch();
        for (path, node) in nodes {
            match node {
                Some(node) => batch.insert(&self.tree, node_key(path), node.as_slice()),
                None => batch.remove(&self.tree, node_key(path)),
            }
        }
        self.forget_changes(&mut batch, self.tree_height()?, checkpoint);
        batch.insert(&self.meta, TREE, checkpoint.0.to_be_bytes());
        batch.remove(&self.meta, TREE_NEXT);
        Ok(batch.commit()?)
    }

    fn height_under(&self, key: &[u8], what: &'static str) -> Result<Option<Height>, StateError> {
        match self.meta.get(key)? {
            None => Ok(None),
            Some(bytes) => decode_height(&bytes)
                .map(Some)
                .ok_or(StateError::Damaged(what)),
        }
    }

    fn forget_changes(
        &self,
        batch: &mut OwnedWriteBatch,
        before: Option<Height>,
        checkpoint: Height,
    ) {
        let first = before.map_or(0, |height| height.0 + 1);
        for height in first..=checkpoint.0 {
            batch.remove(&self.changes, height.to_be_bytes());
        }
    }
}

/// The changed keys of a write set, hashed.
pub fn hashed(writes: &WriteSet) -> Changes {
    let hash = |(key, value): &execution::state::Write| {
        (
            state_tree::key_hash(key),
            value.as_deref().map(state_tree::value_hash),
        )
    };
    writes.0.iter().map(hash).collect()
}

/// A key and what is written under it.
type KeyedWrite<'a> = (&'a [u8], Option<&'a [u8]>);

/// The newest write of each key, ascending by key. Sorting is merging: each block's writes are a sorted run.
fn newest_writes(blocks: &[Arc<BlockWrites>]) -> Vec<KeyedWrite<'_>> {
    // Keys lie all over the memory: their beginnings, which nearly always decide, are kept at hand.
    let beginning = |key: &[u8]| {
        let mut bytes = [0; 16];
        let length = key.len().min(bytes.len());
        bytes[..length].copy_from_slice(&key[..length]);
        u128::from_be_bytes(bytes)
    };
    let mut writes: Vec<(u128, KeyedWrite<'_>)> = blocks
        .iter()
        .rev()
        .flat_map(|block| &block.writes.0)
        .map(|(key, value)| (beginning(key), (key.as_slice(), value.as_deref())))
        .collect();
    writes.sort_by_key(|(beginning, (key, _))| (*beginning, *key));
    writes.dedup_by_key(|(_, (key, _))| *key);
    writes.into_iter().map(|(_, write)| write).collect()
}

fn root_key(checkpoint: Height) -> Vec<u8> {
    [ROOT, &checkpoint.0.to_be_bytes()].concat()
}

/// The store takes no empty key, and the root's path is empty.
fn node_key(path: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(path.len() + 1);
    key.push(path.len() as u8);
    key.extend_from_slice(path);
    key
}

fn decode_height(bytes: &[u8]) -> Option<Height> {
    bytes.try_into().ok().map(u64::from_be_bytes).map(Height)
}

/// Key hash, a byte that says whether there is a value, the value's hash.
fn encode_changes(changes: &Changes) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(65 * changes.len());
    for (key, value) in changes {
        bytes.extend_from_slice(&key.0);
        bytes.push(u8::from(value.is_some()));
        bytes.extend_from_slice(&value.unwrap_or_default().0);
    }
    bytes
}

fn decode_changes(bytes: &[u8]) -> Option<Changes> {
    let (entries, rest) = bytes.as_chunks::<65>();
    if !rest.is_empty() {
        return None;
    }
    entries
        .iter()
        .map(|entry| {
            let key = Digest(entry[..32].try_into().ok()?);
            let value = Digest(entry[33..].try_into().ok()?);
            Some((key, (entry[32] == 1).then_some(value)))
        })
        .collect()
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
    use crate::roots::Roots;
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
            let block = BlockWrites::new(head.clone(), writes.clone());
            store.keep(&[Arc::new(block)]).unwrap();
            store
                .index(Height(0), &Digest([1; 32]), location, &[Digest([7; 32])])
                .unwrap();
            assert_eq!(
                store.changes_after(None).unwrap(),
                [(Height(0), hashed(&writes))]
            );
            let mut tree = Tree::over(store).unwrap();
            let root = tree.update(Height(0), hashed(&writes)).unwrap();
            tree.begin_writing().unwrap();
            root
        };
        let store = StateStore::open(folder.path()).unwrap();
        assert_eq!(store.head().unwrap(), Some(head));
        assert_eq!(StateView::get(&store, b"b"), Some(b"2".to_vec()));
        assert_eq!(store.range(b"a", b"b", 9), [(b"a".to_vec(), b"1".to_vec())]);
        assert_eq!(
            (store.tree_height().unwrap(), store.root(Height(0)).unwrap()),
            (Some(Height(0)), Some(root))
        );
        assert_eq!(store.changes_after(None).unwrap(), []);
        assert_eq!(store.locate(Height(0)).unwrap(), Some(location));
        assert_eq!(store.find(&Digest([7; 32])).unwrap(), Some((Height(0), 0)));
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
            Arc::new(BlockWrites::new(head, WriteSet(writes.collect())))
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
        assert_eq!(store.changes_after(Some(Height(0))).unwrap().len(), 2);
    }

    #[test]
    fn what_changed_in_blocks_whose_storing_was_cut_short_is_taken_from_them_when_they_are_executed_again()
     {
        let block = |height: u64| {
            let head = ChainHead {
                height: Height(height),
                hash: Digest([1; 32]),
                time: ledger::Timestamp(height),
                history: ledger::HistoryLog::new(),
            };
            let key = (height % 50).to_be_bytes().to_vec();
            let writes = WriteSet(vec![(key, Some(vec![height as u8]))]);
            Arc::new(BlockWrites::new(head, writes))
        };
        let last = Height(2 * state_tree::CHECKPOINT_INTERVAL);
        let root = |store: StateStore, from: u64| {
            let mut roots = Roots::start(store).unwrap();
            (from..=last.0).for_each(|height| roots.note(block(height)));
            let root = roots.at(last).unwrap();
            roots.stop();
            root
        };
        let straight = tempfile::tempdir().unwrap();
        let expected = root(StateStore::open(straight.path()).unwrap(), 0);
        let folder = tempfile::tempdir().unwrap();
        let store = StateStore::open(folder.path()).unwrap();
        let stored: Vec<Arc<BlockWrites>> = (0..=70).map(block).collect();
        store.keep(&stored).unwrap();
        // Whatever stands there: the run was not added, so it is no part of the state.
        let cut_short = vec![(Digest([9; 32]), Some(Digest([9; 32])))];
        for height in 71..=80_u64 {
            let changes = encode_changes(&cut_short);
            store.changes.insert(height.to_be_bytes(), changes).unwrap();
        }
        assert_eq!(root(store.clone(), 71), expected);
        drop(store);
        let store = StateStore::open(folder.path()).unwrap();
        assert_eq!(store.head().unwrap().unwrap().height, last);
        assert_eq!(root(store, last.0 + 1), expected);
    }
}
