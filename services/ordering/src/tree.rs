//! The tree over the state, with what its latest updates changed in memory.
//!
//! An update touches every node on its keys' paths. Those near the root are touched by every update, and stay in memory; of those
//! below, what changed is kept until the state is stored ([`Tree::snapshot`]): all of the first, and these as one run. What a crash
//! takes is computed again from the blocks.

use std::sync::Arc;

use execution::state_tree::{self, NodeStore, Path};
use ledger::{Digest, Height};

use crate::state::{Changes, StateError};
use crate::tree_store::{NewestRoots, Nodes, Snapshot, TreeStore};
use crate::tree_top::TopNodes;

/// Down to which depth all nodes are in memory: at most 69,905, some 37 MiB with all of their children.
const TOP_DEPTH: usize = 4;

/// For how many checkpoints, the newest included, the root is kept: headers name the last but one.
const ROOTS_KEPT: usize = 4;

/// How many places there are above that depth.
const fn first_slot(depth: usize) -> usize {
    ((1 << (4 * depth)) - 1) / 15
}

/// All nodes near the root.
struct Top {
    /// The greatest of their depths.
    depth: usize,
    nodes: Vec<Option<Box<[u8]>>>,
}

impl Top {
    /// Down to this depth: those stored, or none yet; `None` if what is stored has another number of places.
    fn of(depth: usize, stored: &TopNodes) -> Option<Top> {
        let places = first_slot(depth + 1);
        let mut nodes: Vec<_> = stored.iter().map(|node| node.map(Into::into)).collect();
        if nodes.is_empty() {
            nodes = vec![None; places];
        }
        (nodes.len() == places).then_some(Top { depth, nodes })
    }

    /// The place's number among all of the top; `None` below it.
    fn slot(&self, path: &Path) -> Option<usize> {
        let is_top = path.depth() <= self.depth;
        let number = is_top.then(|| path.number()).flatten()?;
        Some(first_slot(path.depth()) + number)
    }

    fn write(&mut self, slot: usize, node: Option<&[u8]>) {
        match (&mut self.nodes[slot], node) {
            (Some(old), Some(new)) if old.len() == new.len() => old.copy_from_slice(new),
            (old, new) => *old = new.map(Into::into),
        }
    }

    /// To be stored.
    fn all(&self) -> TopNodes {
        let bytes = self.nodes.iter().flatten().map(|node| node.len());
        let mut all = TopNodes::with_capacity(bytes.sum::<usize>() + 2 * self.nodes.len());
        for node in &self.nodes {
            all.push(node.as_deref());
        }
        all
    }
}

/// The tree.
pub struct Tree {
    store: TreeStore,
    top: Top,
    /// What changed below the top since the last snapshot.
    below: Nodes,
    /// The last snapshot, until it is stored.
    writing: Option<Arc<Snapshot>>,
    /// The newest roots, by height.
    roots: NewestRoots,
}

impl NodeStore for Tree {
    fn read<T>(&self, path: &Path, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        if let Some(slot) = self.top.slot(path) {
            return self.top.nodes[slot].as_deref().map(read);
        }
        let writing = || self.writing.as_ref()?.below.get(path);
        match self.below.get(path).or_else(writing) {
            Some(node) => node.as_deref().map(read),
            None => self.store.node(path).as_deref().map(read),
        }
    }

    fn write(&mut self, path: &Path, node: Option<&[u8]>) {
        match self.top.slot(path) {
            Some(slot) => self.top.write(slot, node),
            None => drop(self.below.insert(*path, node.map(Into::into))),
        }
    }
}

impl Tree {
    /// The tree as the store has it.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn over(store: TreeStore) -> Result<Tree, StateError> {
        Tree::with_top(store, TOP_DEPTH)
    }

    fn with_top(store: TreeStore, depth: usize) -> Result<Tree, StateError> {
        let top = Top::of(depth, &store.top()?).ok_or(StateError::Damaged("state tree"))?;
        Ok(Tree {
            roots: store.roots()?,
            store,
            top,
            below: Nodes::new(),
            writing: None,
        })
    }

    /// The newest checkpoint; `None` before the first.
    pub fn checkpoint(&self) -> Option<Height> {
        self.roots.last().map(|(checkpoint, _)| *checkpoint)
    }

    /// The roots at the newest checkpoints.
    pub fn roots(&self) -> &NewestRoots {
        &self.roots
    }

    /// Brings the tree to a checkpoint by everything that changed since the one before; gives its root.
    ///
    /// # Errors
    /// [`StateError::Damaged`]; what is in memory is of no use then.
    pub fn update(&mut self, checkpoint: Height, changes: Changes) -> Result<Digest, StateError> {
        let root = state_tree::update(self, changes);
        let root = root.map_err(|_| StateError::Damaged("state tree"))?;
        self.roots.push((checkpoint, root));
        if self.roots.len() > ROOTS_KEPT {
            self.roots.remove(0);
        }
        Ok(root)
    }

    /// The tree at the newest checkpoint; the snapshot before it must be stored ([`Tree::is_stored`]).
    pub fn snapshot(&mut self) -> Arc<Snapshot> {
        let snapshot = Arc::new(Snapshot {
            top: self.top.all(),
            below: std::mem::take(&mut self.below),
            roots: self.roots.clone(),
        });
        debug_assert!(self.writing.is_none(), "one snapshot is stored at a time");
        self.writing = Some(snapshot.clone());
        snapshot
    }

    /// The store has the last snapshot.
    pub fn is_stored(&mut self) {
        self.writing = None;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use execution::state_tree::CHECKPOINT_INTERVAL;
    use ledger::WriteSet;

    use super::*;
    use crate::state;

    /// The changes of the block at `height`: some keys are written again, some deleted.
    fn changes(height: u64) -> Changes {
        let write = |number: u64| {
            let key = (height * 7 + number * number) % 900;
            let value = (!number.is_multiple_of(5)).then(|| vec![height as u8, number as u8]);
            (key.to_be_bytes().to_vec(), value)
        };
        let writes: BTreeMap<Vec<u8>, Option<Vec<u8>>> = (0..40).map(write).collect();
        state::hashed(&WriteSet(writes.into_iter().collect())).collect()
    }

    fn checkpoint(number: u64) -> Height {
        Height(number * CHECKPOINT_INTERVAL)
    }

    /// The roots at so many checkpoints, of a tree that is never lost.
    fn expected_roots(count: u64) -> Vec<Digest> {
        let mut nodes: BTreeMap<Path, Vec<u8>> = BTreeMap::new();
        let update = |number| {
            let changes = changes(checkpoint(number).0);
            state_tree::update(&mut nodes, changes).unwrap()
        };
        (0..count).map(update).collect()
    }

    #[test]
    fn a_place_of_the_top_has_a_number_of_its_own_in_order() {
        let top = Top::of(3, &TopNodes::default()).unwrap();
        let mut slots = Vec::new();
        let mut places = vec![Path::ROOT];
        for _ in 0..=3 {
            slots.extend(places.iter().filter_map(|place| top.slot(place)));
            places = places
                .iter()
                .flat_map(|place| (0..16).map(|nibble| place.child(nibble)))
                .collect();
        }
        assert_eq!(slots, (0..top.nodes.len()).collect::<Vec<_>>());
        assert!(places.iter().all(|below| top.slot(below).is_none()));
    }

    #[derive(Clone, Copy, Debug)]
    enum Then {
        Nothing,
        /// A snapshot is taken, and stored before the next.
        Snapshot,
        /// The process ends, whatever was stored until then.
        Crash,
    }

    fn then() -> impl proptest::strategy::Strategy<Value = Then> {
        proptest::sample::select(vec![
            Then::Nothing,
            Then::Nothing,
            Then::Snapshot,
            Then::Crash,
        ])
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(24))]

        #[test]
        fn roots_are_the_same_whenever_a_crash_takes_what_is_in_memory(
            steps in proptest::collection::vec((then(), 0_u8..3), 40),
            top_depth in 0_usize..3,
        ) {
            let expected = expected_roots(steps.len() as u64);
            let folder = tempfile::tempdir().unwrap();
            let mut tree = Tree::with_top(TreeStore::open(folder.path()).unwrap(), top_depth).unwrap();
            // A snapshot is stored after so many more updates.
            let mut waiting: Option<(u8, Arc<Snapshot>)> = None;
            for (number, (then, delay)) in steps.into_iter().enumerate() {
                let root = tree.update(checkpoint(number as u64), changes(checkpoint(number as u64).0)).unwrap();
                proptest::prop_assert_eq!(root, expected[number], "at checkpoint {}", number);
                waiting = match waiting.take() {
                    Some((0, snapshot)) => {
                        tree.store.keep(&snapshot).unwrap();
                        tree.is_stored();
                        None
                    }
                    other => other.map(|(left, snapshot)| (left - 1, snapshot)),
                };
                match then {
                    Then::Snapshot if waiting.is_none() => waiting = Some((delay, tree.snapshot())),
                    Then::Crash => {
                        drop(tree);
                        waiting = None;
                        tree = Tree::with_top(TreeStore::open(folder.path()).unwrap(), top_depth).unwrap();
                        for (height, root) in tree.roots() {
                            proptest::prop_assert_eq!(*root, expected[(height.0 / CHECKPOINT_INTERVAL) as usize]);
                        }
                        let next = tree.checkpoint().map_or(0, |height| height.0 / CHECKPOINT_INTERVAL + 1);
                        for again in next..=number as u64 {
                            let root = tree.update(checkpoint(again), changes(checkpoint(again).0)).unwrap();
                            proptest::prop_assert_eq!(root, expected[again as usize], "again at {}", again);
                        }
                    }
                    _ => {}
                }
            }
        }
    }
}
