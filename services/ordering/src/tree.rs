//! The tree over the state, with what its latest updates changed in memory.
//!
//! An update touches every node on its keys' paths, and those near the root are touched by every update: written at each
//! checkpoint, nine tenths of all bytes that a replica writes are theirs. So they are kept here, and what came of several
//! updates is written as one, a little after each of the next updates, for whoever writes keeps blocks from being indexed.
//!
//! The changes themselves are stored with the state, which is never below the tree. What a crash takes of the tree is computed again from them, also
//! when it comes between two parts. Children are written before their parents, and what is no more is deleted last of all:
//! so each node, old or new, has nodes below it that hold all that did not change, and applying all changes to it once more
//! gives the new tree.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use execution::state_tree::{self, NodeRead, Path};
use ledger::{Digest, Height};

use crate::state::{Changes, StateError, StateStore};

/// How many updates are written together, where less does not fill the memory first.
const UPDATES_TOGETHER: usize = 16;

/// How many changed nodes wait at most until they are written: some 150 MiB. Under load this is what matters: the tree has
/// 65,536 nodes at the fourth level alone, and each checkpoint changes most of them.
const UNWRITTEN_MAX: usize = 262_144;

/// After how many updates everything should be written.
const PARTS: usize = 8;

/// How many nodes one batch of the store holds at most: a fraction of a millisecond.
const PART_MAX: usize = 256;

/// How many nodes each of the two halves of [`Seen`] holds.
const SEEN_MAX: usize = 32_768;

/// For how many checkpoints, the newest included, the root is kept: headers name the last but one.
const ROOTS_KEPT: usize = 4;

/// Changed nodes; `None` for what is no more.
pub type Nodes = BTreeMap<Path, Option<Vec<u8>>>;

/// The tree.
pub struct Tree {
    store: StateStore,
    /// Changed since the checkpoint that is being written; `None` for what is no more.
    unwritten: HashMap<Path, Option<Vec<u8>>>,
    /// How many updates that was.
    updates: usize,
    writing: Option<Writing>,
    /// The newest roots, by height.
    roots: Vec<(Height, Digest)>,
    seen: RefCell<Seen>,
}

/// A checkpoint that is being written.
struct Writing {
    checkpoint: Height,
    /// What is left of it.
    nodes: Nodes,
    /// What is to be deleted at the end.
    gone: Vec<Path>,
    /// How much is written after an update.
    part: usize,
}

/// Nodes as the store has them. Those that were not asked for lately go first.
#[derive(Default)]
struct Seen {
    lately: HashMap<Path, Vec<u8>>,
    before: HashMap<Path, Vec<u8>>,
}

impl Seen {
    fn get(&mut self, path: &[u8]) -> Option<Vec<u8>> {
        if let Some(node) = self.lately.get(path) {
            return Some(node.clone());
        }
        let (path, node) = self.before.remove_entry(path)?;
        self.keep(path, node.clone());
        Some(node)
    }

    fn keep(&mut self, path: Path, node: Vec<u8>) {
        if self.lately.len() >= SEEN_MAX {
            self.before = std::mem::take(&mut self.lately);
        }
        self.lately.insert(path, node);
    }

    fn forget(&mut self, path: &[u8]) {
        self.lately.remove(path);
        self.before.remove(path);
    }
}

impl NodeRead for Tree {
    fn node(&self, path: &[u8]) -> Option<Vec<u8>> {
        let writing = || self.writing.as_ref()?.nodes.get(path);
        if let Some(node) = self.unwritten.get(path).or_else(writing) {
            return node.clone();
        }
        let mut seen = self.seen.borrow_mut();
        if let Some(node) = seen.get(path) {
            return Some(node);
        }
        let node = self.store.node(path)?;
        seen.keep(path.to_vec(), node.clone());
        Some(node)
    }
}

impl Tree {
    /// The tree as the store has it. Where a crash came between the parts of a checkpoint, it is completed first.
    ///
    /// # Errors
    /// [`StateError`], also when what comes of completing it is not what was being written.
    pub fn over(store: StateStore) -> Result<Tree, StateError> {
        let tree = Tree {
            store,
            unwritten: HashMap::new(),
            updates: 0,
            writing: None,
            roots: Vec::new(),
            seen: RefCell::default(),
        };
        if let Some(checkpoint) = tree.store.tree_being_written()? {
            let mut changes = tree.store.changes_after(tree.store.tree_height()?)?;
            changes.retain(|(height, _)| *height <= checkpoint);
            let changes = changes.into_iter().flat_map(|(_, changes)| changes);
            let update = tree.changed(&changes.collect())?;
            if tree.store.root(checkpoint)? != Some(update.root) {
                return Err(StateError::Damaged("state tree"));
            }
            tree.store.finish_tree(checkpoint, &update.nodes)?;
        }
        // What was read until now may be of before.
        Ok(Tree {
            seen: RefCell::default(),
            ..tree
        })
    }

    fn changed(
        &self,
        changes: &BTreeMap<Digest, Option<Digest>>,
    ) -> Result<state_tree::TreeUpdate, StateError> {
        state_tree::update(self, changes).map_err(|_| StateError::Damaged("state tree"))
    }

    /// Brings the tree to a checkpoint by everything that changed since the one before; gives its root. Writes a part of the
    /// checkpoint that is being written, if one is.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn update(&mut self, checkpoint: Height, changes: Changes) -> Result<Digest, StateError> {
        let update = self.changed(&changes.into_iter().collect())?;
        self.unwritten.extend(update.nodes);
        self.updates += 1;
        self.roots.push((checkpoint, update.root));
        if self.roots.len() > ROOTS_KEPT {
            self.roots.remove(0);
        }
        self.write_part()?;
        Ok(update.root)
    }

    /// Whether so much waits to be written that it should not be more.
    pub fn is_full(&self) -> bool {
        self.unwritten.len() >= UNWRITTEN_MAX
    }

    /// Whether enough waits to be written together.
    pub fn is_due(&self) -> bool {
        self.updates >= UPDATES_TOGETHER || self.is_full()
    }

    /// Begins to write everything that changed up to the newest checkpoint; the state that is stored must stand there or above.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn begin_writing(&mut self) -> Result<(), StateError> {
        let Some((checkpoint, _)) = self.roots.last().copied() else {
            return Ok(());
        };
        self.write(usize::MAX)?;
        self.store.begin_tree(checkpoint, &self.roots)?;
        let nodes: Nodes = std::mem::take(&mut self.unwritten).into_iter().collect();
        self.updates = 0;
        self.writing = Some(Writing {
            checkpoint,
            part: nodes.len().div_ceil(PARTS),
            nodes,
            gone: Vec::new(),
        });
        self.write_part()
    }

    fn write_part(&mut self) -> Result<(), StateError> {
        let part = self.writing.as_ref().map_or(0, |writing| writing.part);
        self.write(part)
    }

    /// Writes so many nodes of the checkpoint that is being written, if one is.
    fn write(&mut self, mut count: usize) -> Result<(), StateError> {
        let Some(writing) = &mut self.writing else {
            return Ok(());
        };
        let seen = self.seen.get_mut();
        while count > 0 && !writing.nodes.is_empty() {
            let mut part = Vec::with_capacity(PART_MAX);
            while part.len() < PART_MAX.min(count)
                && let Some((path, node)) = writing.nodes.pop_last()
            {
                match node {
                    Some(node) => part.push((path, node)),
                    None => {
                        seen.forget(&path);
                        writing.gone.push(path);
                    }
                }
            }
            self.store.write_tree(&part)?;
            count -= part.len();
            for (path, node) in part {
                seen.keep(path, node);
            }
        }
        if writing.nodes.is_empty() {
            let gone = writing.gone.drain(..).map(|path| (path, None)).collect();
            self.store.finish_tree(writing.checkpoint, &gone)?;
            self.writing = None;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use execution::state_tree::CHECKPOINT_INTERVAL;
    use ledger::{HistoryLog, Timestamp, WriteSet};

    use super::*;
    use crate::state::{self, BlockWrites};

    fn begin_writing_in_turn(tree: &mut Tree) {
        if tree.is_due() {
            tree.begin_writing().unwrap();
        }
    }

    /// The changes of the block at `height`: some keys are written again, some deleted.
    fn changes(height: u64) -> Changes {
        let write = |number: u64| {
            let key = (height * 7 + number * number) % 900;
            let value = (!number.is_multiple_of(5)).then(|| vec![height as u8, number as u8]);
            (key.to_be_bytes().to_vec(), value)
        };
        let writes: BTreeMap<Vec<u8>, Option<Vec<u8>>> = (0..40).map(write).collect();
        state::hashed(&WriteSet(writes.into_iter().collect()))
    }

    /// Stores so many blocks, one at each checkpoint; the state may stand above the tree.
    fn store_blocks(store: &StateStore, count: u64) {
        let block = |number| {
            let height = Height(number * CHECKPOINT_INTERVAL);
            let head = execution::ChainHead {
                height,
                hash: Digest([1; 32]),
                time: Timestamp(height.0),
                history: HistoryLog::new(),
            };
            Arc::new(BlockWrites {
                head,
                writes: WriteSet(Vec::new()),
                changes: changes(height.0),
            })
        };
        let blocks: Vec<Arc<BlockWrites>> = (0..count).map(block).collect();
        store.keep(&blocks).unwrap();
    }

    /// The roots at so many checkpoints, of a tree that is never lost. One block between two checkpoints stands for all.
    fn expected_roots(count: u64) -> Vec<Digest> {
        let mut nodes = BTreeMap::new();
        let mut roots = Vec::new();
        for number in 0..count {
            let changes = changes(number * CHECKPOINT_INTERVAL).into_iter().collect();
            let update = state_tree::update(&nodes, &changes).unwrap();
            for (path, node) in update.nodes {
                match node {
                    Some(node) => nodes.insert(path, node),
                    None => nodes.remove(&path),
                };
            }
            roots.push(update.root);
        }
        roots
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(24))]

        #[test]
        fn roots_are_the_same_whenever_a_crash_takes_what_is_in_memory(
            crashes in proptest::collection::btree_set(0_u64..50, 0..12),
        ) {
            let expected = expected_roots(50);
            let folder = tempfile::tempdir().unwrap();
            let mut store = StateStore::open(folder.path()).unwrap();
            let mut tree = Tree::over(store.clone()).unwrap();
            store_blocks(&store, 50);
            for number in 0..50 {
                let checkpoint = Height(number * CHECKPOINT_INTERVAL);
                let root = tree.update(checkpoint, changes(checkpoint.0)).unwrap();
                proptest::prop_assert_eq!(root, expected[number as usize], "at checkpoint {}", number);
                begin_writing_in_turn(&mut tree);
                if !crashes.contains(&number) {
                    continue;
                }
                drop((tree, store));
                store = StateStore::open(folder.path()).unwrap();
                tree = Tree::over(store.clone()).unwrap();
                let written = store.tree_height().unwrap();
                let lost = store.changes_after(written).unwrap().into_iter();
                for (height, changes) in lost.take_while(|(height, _)| *height <= checkpoint) {
                    let root = tree.update(height, changes).unwrap();
                    let number = height.0 / CHECKPOINT_INTERVAL;
                    proptest::prop_assert_eq!(root, expected[number as usize], "again at {}", number);
                    begin_writing_in_turn(&mut tree);
                }
                // What headers name next is computed again, or kept.
                for number in number.saturating_sub(1)..=number {
                    let height = Height(number * CHECKPOINT_INTERVAL);
                    let kept = store.root(height).unwrap();
                    let is_again = written.is_none_or(|written| written < height);
                    proptest::prop_assert!(is_again || kept == Some(expected[number as usize]));
                }
            }
        }
    }

    #[test]
    fn a_checkpoint_is_written_in_parts_and_completed_after_a_crash_between_two() {
        let folder = tempfile::tempdir().unwrap();
        let store = StateStore::open(folder.path()).unwrap();
        let mut tree = Tree::over(store.clone()).unwrap();
        let first = CHECKPOINT_INTERVAL * (UPDATES_TOGETHER as u64 - 1);
        let due = Height(first + UPDATES_TOGETHER as u64 * CHECKPOINT_INTERVAL);
        store_blocks(&store, due.0 / CHECKPOINT_INTERVAL + 1);
        let mut checkpoint = Height(0);
        while checkpoint <= due {
            tree.update(checkpoint, changes(checkpoint.0)).unwrap();
            begin_writing_in_turn(&mut tree);
            checkpoint.0 += CHECKPOINT_INTERVAL;
        }
        assert_eq!(store.tree_being_written().unwrap(), Some(due));
        assert_eq!(store.tree_height().unwrap(), Some(Height(first)));
        drop((tree, store));
        let store = StateStore::open(folder.path()).unwrap();
        Tree::over(store.clone()).unwrap();
        assert_eq!(store.tree_being_written().unwrap(), None);
        assert_eq!(store.tree_height().unwrap(), Some(due));
    }
}
