//! Where the nodes of the state tree are kept: an embedded store that takes those of many updates as one sorted run, without
//! a journal and a memtable.

use std::collections::HashMap;
use std::path::Path as FilePath;

use execution::state_tree::Path;
use fjall::config::CompressionPolicy;
use fjall::{Database, Keyspace};
use ledger::{Digest, Height, canonical};

use crate::state::{StateError, run_options};

/// Where the newest roots stand: behind all nodes.
const ROOTS: &[u8] = b"\xff";

/// The cache, in bytes. Nodes are read at random; what it holds is mostly what leads to them.
const CACHE_BYTES: u64 = 8 * 1024 * 1024;

/// How many tables of 64 MiB, of which a run has one or two, are merged with what lies below them: each time all of that is written
/// again.
const TABLES_MERGED: u8 = 12;

/// Changed nodes by their place; `None` for what is no more.
pub type Nodes = HashMap<Path, Option<Box<[u8]>>>;

/// The roots at the newest checkpoints, by height.
pub type NewestRoots = Vec<(Height, Digest)>;

/// What changed up to a checkpoint since the one that was written before.
#[derive(Debug)]
pub struct Snapshot {
    /// The nodes near the root, ascending.
    pub top: Vec<(Path, Option<Box<[u8]>>)>,
    /// Those below.
    pub below: Nodes,
    /// The roots, that checkpoint's last.
    pub roots: NewestRoots,
}

/// The store.
#[derive(Clone)]
pub struct TreeStore {
    /// Keeps it open.
    _database: Database,
    nodes: Keyspace,
}

impl TreeStore {
    /// Opens or creates the store in `folder`.
    ///
    /// # Errors
    /// [`StateError::Store`].
    pub fn open(folder: &FilePath) -> Result<TreeStore, StateError> {
        let builder = Database::builder(folder).cache_size(CACHE_BYTES);
        let database = builder.worker_threads(1).open()?;
        let nodes = database.keyspace("nodes", || {
            run_options(TABLES_MERGED)
                // Hashes do not get smaller.
                .data_block_compression_policy(CompressionPolicy::disabled())
        })?;
        Ok(TreeStore {
            _database: database,
            nodes,
        })
    }

    /// The newest roots; empty for a new store.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn roots(&self) -> Result<NewestRoots, StateError> {
        match self.nodes.get(ROOTS)? {
            None => Ok(NewestRoots::new()),
            Some(bytes) => canonical::decode(&bytes).map_err(|_| StateError::Damaged("state tree")),
        }
    }

    /// The node at `path`.
    pub fn node(&self, path: &Path) -> Option<fjall::Slice> {
        // A store that cannot be read is no state to go on with.
        let node = self.nodes.get(path.to_bytes());
        node.expect("the state store can be read")
    }

    /// Gives `each` the nodes of at most this depth, in order.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn read_top(
        &self,
        depth: usize,
        mut each: impl FnMut(&Path, &[u8]),
    ) -> Result<(), StateError> {
        for entry in self.nodes.range(..[depth as u8 + 1]) {
            let (key, node) = entry.into_inner()?;
            let path = Path::from_bytes(&key).ok_or(StateError::Damaged("state tree"))?;
            each(&path, &node);
        }
        Ok(())
    }

    /// Brings the stored tree to the checkpoint of this snapshot: all of it or, when this ends early, nothing. What was written is
    /// synced.
    ///
    /// # Errors
    /// [`StateError::Store`]: the process must stop.
    pub fn keep(&self, snapshot: &Snapshot) -> Result<(), StateError> {
        let mut below: Vec<(&Path, &Option<Box<[u8]>>)> = snapshot.below.iter().collect();
        below.sort_unstable_by_key(|(path, _)| **path);
        let top = snapshot.top.iter().map(|(path, node)| (path, node));
        let mut run = self.nodes.start_ingestion()?;
        for (path, node) in top.chain(below) {
            match node {
                Some(node) => run.write(path.to_bytes(), &**node)?,
                None => run.write_tombstone(path.to_bytes())?,
            }
        }
        run.write(ROOTS, canonical::encode(&snapshot.roots))?;
        Ok(run.finish()?)
    }
}
