//! The state after the last durable block, the tree over it, and the indexes of blocks and receipts, in one embedded
//! store. A batch per block holds its height; it is not synced: what a power failure takes is executed again.

use execution::state_tree::{self, Path};
use execution::{ChainHead, StateView};
use fjall::config::CompressionPolicy;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch};
use ledger::{Digest, Height, WriteSet, canonical};

use crate::blocks::Location;
use crate::history::History;
use crate::tree::Nodes;

const HEAD: &[u8] = b"head";
const TREE: &[u8] = b"tree";
const TREE_NEXT: &[u8] = b"tree-next";
const ROOT: &[u8] = b"root/";
const COUNT: &[u8] = b"count";
const COUNTED: &[u8] = b"counted";

/// The cache of the store, in bytes.
const CACHE_BYTES: u64 = 32 * 1024 * 1024;

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
}

/// What keys changed to, by hash, in any order; the last of a key counts.
pub type Changes = Vec<(Digest, Option<Digest>)>;

/// The embedded store.
#[derive(Clone)]
pub struct StateStore {
    database: Database,
    state: Keyspace,
    meta: Keyspace,
    tree: Keyspace,
    /// Changed keys by height, until the tree holds them.
    changes: Keyspace,
    blocks: Keyspace,
    receipts: Keyspace,
    history: History,
}

impl StateStore {
    /// Opens or creates the store in `folder`.
    ///
    /// # Errors
    /// [`StateError::Store`].
    pub fn open(folder: &std::path::Path) -> Result<StateStore, StateError> {
        let database = Database::builder(folder)
            .cache_size(CACHE_BYTES)
            .worker_threads(1)
            .open()?;
        let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
        let open = |name: &str| database.keyspace(name, options);
        Ok(StateStore {
            state: open("state")?,
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
        match self.meta.get(HEAD)? {
            None => Ok(None),
            Some(bytes) => canonical::decode(&bytes)
                .map(Some)
                .map_err(|_| StateError::Damaged("head")),
        }
    }

    /// Brings the state to `head` by a block's writes.
    ///
    /// # Errors
    /// [`StateError::Store`]: the process must stop.
    pub fn apply(
        &self,
        head: &ChainHead,
        writes: &WriteSet,
        changes: &Changes,
    ) -> Result<(), StateError> {
        let mut batch = self.database.batch();
        for (key, value) in &writes.0 {
            match value {
                Some(value) => batch.insert(&self.state, key.as_slice(), value.as_slice()),
                None => batch.remove(&self.state, key.as_slice()),
            }
        }
        if !changes.is_empty() {
            batch.insert(
                &self.changes,
                head.height.0.to_be_bytes(),
                encode_changes(changes),
            );
        }
        batch.insert(&self.meta, HEAD, canonical::encode(head));
        Ok(batch.commit()?)
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

    /// Changed keys that the tree lacks, up to the state's head.
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
            store.apply(&head, &writes, &hashed(&writes)).unwrap();
            store
                .index(Height(0), &Digest([1; 32]), location, &[Digest([7; 32])])
                .unwrap();
            assert_eq!(
                store.changes_after(None).unwrap(),
                [(Height(0), hashed(&writes))]
            );
            Tree::over(store)
                .unwrap()
                .update(Height(0), hashed(&writes))
                .unwrap()
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
}
