//! Where the nodes of the state tree are kept: those near the root in a file ([`crate::tree_top`]), those below in an embedded store that
//! takes what many updates changed as one sorted run, without a journal and a memtable.

use std::collections::HashMap;
use std::path::Path as FilePath;

use execution::state_tree::Path;
use fjall::config::CompressionPolicy;
use fjall::{Database, Keyspace};
use ledger::{Digest, Height, canonical};

use crate::state::{StateError, run_options};
use crate::tree_top::{TopFiles, TopNodes};

/// The folder of the store; those of an older layout lack it.
pub(crate) const BELOW: &str = "nodes";

/// Where the newest roots stand: behind all nodes.
const ROOTS: &[u8] = b"\xff";

/// The cache, in bytes. Nodes are read at random; what it holds is mostly what leads to them.
const CACHE_BYTES: u64 = 8 * 1024 * 1024;

/// How many runs are merged with what lies below them: each time all of that is written again.
const TREE_RUNS_MERGED: u8 = 12;

/// Changed nodes by their place; `None` for what is no more.
pub type Nodes = HashMap<Path, Option<Box<[u8]>>>;

/// The roots at the newest checkpoints, by height.
pub type NewestRoots = Vec<(Height, Digest)>;

/// The tree at a checkpoint, but for what is stored already.
#[derive(Debug)]
pub struct Snapshot {
    /// All nodes near the root.
    pub top: TopNodes,
    /// Those below that changed.
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
    top: TopFiles,
}

impl TreeStore {
    /// Opens or creates the store in `folder`.
    ///
    /// # Errors
    /// [`StateError::Store`].
    pub fn open(folder: &FilePath) -> Result<TreeStore, StateError> {
        let builder = Database::builder(folder.join(BELOW)).cache_size(CACHE_BYTES);
        let database = builder.worker_threads(1).open()?;
        let nodes = database.keyspace("nodes", || {
            run_options(TREE_RUNS_MERGED)
                // Hashes do not get smaller.
                .data_block_compression_policy(CompressionPolicy::disabled())
        })?;
        Ok(TreeStore {
            _database: database,
            nodes,
            top: TopFiles::in_folder(folder),
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

    /// All nodes near the root; none for a new store.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn top(&self) -> Result<TopNodes, StateError> {
        match self.roots()?.last() {
            None => Ok(TopNodes::default()),
            Some((checkpoint, _)) => self.top.read(*checkpoint),
        }
    }

    /// Brings the stored tree to the checkpoint of this snapshot: all of it or, when this ends early, nothing. What was written is
    /// synced.
    ///
    /// # Errors
    /// [`StateError::Store`]: the process must stop.
    pub fn keep(&self, snapshot: &Snapshot) -> Result<(), StateError> {
        let checkpoint = snapshot
            .roots
            .last()
            .map_or(Height(0), |(newest, _)| *newest);
        // The roots, in the run, tell which file counts.
        self.top.write(checkpoint, &snapshot.top)?;
        let mut below: Vec<(&Path, &Option<Box<[u8]>>)> = snapshot.below.iter().collect();
        below.sort_unstable_by_key(|(path, _)| **path);
        let mut run = self.nodes.start_ingestion()?;
        for (path, node) in below {
            match node {
                Some(node) => run.write(path.to_bytes(), &**node)?,
                None => run.write_tombstone(path.to_bytes())?,
            }
        }
        run.write(ROOTS, canonical::encode(&snapshot.roots))?;
        run.finish()?;
        self.top.keep_only(checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(checkpoint: u64) -> Snapshot {
        let mut top = TopNodes::default();
        top.push(Some(&checkpoint.to_be_bytes()));
        Snapshot {
            top,
            below: Nodes::new(),
            roots: vec![(Height(checkpoint), Digest([checkpoint as u8; 32]))],
        }
    }

    fn top_of(store: &TreeStore) -> Vec<u8> {
        let top = store.top().unwrap();
        top.iter().flatten().flatten().copied().collect()
    }

    #[test]
    fn a_top_whose_run_a_crash_took_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let store = TreeStore::open(folder.path()).unwrap();
        assert!(top_of(&store).is_empty());
        store.keep(&snapshot(64)).unwrap();
        let lost = snapshot(128);
        store.top.write(Height(128), &lost.top).unwrap();
        drop(store);
        let store = TreeStore::open(folder.path()).unwrap();
        assert_eq!(top_of(&store), 64_u64.to_be_bytes());
        store.keep(&snapshot(192)).unwrap();
        assert_eq!(top_of(&store), 192_u64.to_be_bytes());
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 2, "the store of those below, and one file");
    }
}
