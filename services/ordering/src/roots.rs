//! The state's roots at checkpoints, computed by a thread of its own while the chain goes on.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use ledger::{Digest, Height};

use crate::run_blocks::is_checkpoint;
use crate::state::{Changes, StateError, StateStore};
use crate::tree::Tree;

#[derive(Default)]
struct Known {
    roots: BTreeMap<u64, Digest>,
    failed: bool,
}

type Shared = Arc<(Mutex<Known>, Condvar)>;

/// Roots, known or on their way.
pub struct Roots {
    store: StateStore,
    shared: Shared,
    /// What changed since the newest checkpoint.
    changes: Changes,
    jobs: Option<Sender<(Height, Changes)>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Roots {
    /// Continues from what the store holds: the tree, and what changed since.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn start(store: StateStore) -> Result<Roots, StateError> {
        let shared = Shared::default();
        let (jobs, receiver) = channel();
        let tree = Tree::over(store.clone())?;
        let thread = std::thread::Builder::new()
            .name("state-tree".to_owned())
            .spawn({
                let shared = shared.clone();
                move || {
                    // The root is wanted a whole interval of checkpoints later.
                    crate::priority::give_way();
                    compute(tree, &receiver, &shared);
                }
            })
            .expect("a thread can be started");
        let mut roots = Roots {
            store: store.clone(),
            shared,
            changes: Changes::new(),
            jobs: Some(jobs),
            thread: Some(thread),
        };
        let written = store.tree_height()?;
        let mut changes: BTreeMap<Height, Changes> =
            store.changes_after(written)?.into_iter().collect();
        if let Some(head) = store.head()? {
            let first = written.map_or(0, |written| written.0 + 1);
            // Also blocks that changed nothing: one may be a checkpoint.
            for height in (first..=head.height.0).map(Height) {
                roots.note(height, changes.remove(&height).unwrap_or_default());
            }
        }
        Ok(roots)
    }

    /// Takes the changes of a block that the state store holds, in order of height.
    pub fn note(&mut self, height: Height, changes: Changes) {
        self.changes.extend(changes);
        if is_checkpoint(height)
            && let Some(jobs) = &self.jobs
        {
            // A thread that is gone has noted its failure.
            let _ = jobs.send((height, std::mem::take(&mut self.changes)));
        }
    }

    /// The root at a checkpoint; waits for it when it is on its way.
    ///
    /// # Errors
    /// [`StateError`] when it can't be computed.
    pub fn at(&mut self, checkpoint: Height) -> Result<Digest, StateError> {
        if let Some(root) = self.lookup(checkpoint)? {
            return Ok(root);
        }
        let (known, changed) = &*self.shared;
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(root) = known.roots.get(&checkpoint.0) {
                return Ok(*root);
            }
            if known.failed {
                return Err(StateError::Damaged("state tree"));
            }
            known = changed.wait(known).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lookup(&self, checkpoint: Height) -> Result<Option<Digest>, StateError> {
        let mut known = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(root) = known.roots.get(&checkpoint.0) {
            return Ok(Some(*root));
        }
        let stored = self.store.root(checkpoint)?;
        if let Some(root) = stored {
            known.roots.insert(checkpoint.0, root);
        }
        Ok(stored)
    }

    /// Ends the thread after what it has to do.
    pub fn stop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported where it happened.
            let _ = thread.join();
        }
    }
}

/// Tells those who wait that no root will come, should the thread panic.
struct Watch<'a>(&'a Shared);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .failed = true;
            self.0.1.notify_all();
        }
    }
}

fn compute(mut tree: Tree, jobs: &Receiver<(Height, Changes)>, shared: &Shared) {
    let _watch = Watch(shared);
    let (known, changed) = &**shared;
    while let Ok((checkpoint, changes)) = jobs.recv() {
        let result = tree.update(checkpoint, changes);
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(root) => {
                known.roots.insert(checkpoint.0, root);
                while known.roots.len() > 8 {
                    known.roots.pop_first();
                }
            }
            Err(error) => {
                tracing::error!(%error, "the state's root cannot be computed");
                known.failed = true;
            }
        }
        changed.notify_all();
        if known.failed {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use execution::ChainHead;
    use execution::state_tree::CHECKPOINT_INTERVAL;
    use ledger::{HistoryLog, Timestamp, WriteSet};

    use super::*;
    use crate::state;

    /// Block by block up to `last`; only that at height 1 changes something.
    fn store_blocks(store: &StateStore, first: u64, last: u64) -> Vec<(Height, Changes)> {
        let mut noted = Vec::new();
        for height in first..=last {
            let is_first = height == 1;
            let write = (b"key".to_vec(), Some(b"value".to_vec()));
            let writes = WriteSet(if is_first { vec![write] } else { Vec::new() });
            let head = ChainHead {
                height: Height(height),
                hash: Digest([1; 32]),
                time: Timestamp(height),
                history: HistoryLog::new(),
            };
            let changes = state::hashed(&writes);
            store.apply(&head, &writes, &changes).unwrap();
            noted.push((Height(height), changes));
        }
        noted
    }

    fn root_at(mut roots: Roots, checkpoint: Height) -> (Roots, Digest) {
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            let root = roots.at(checkpoint).unwrap();
            let _ = sender.send((roots, root));
        });
        let found = receiver.recv_timeout(Duration::from_secs(60));
        found.expect("the root comes")
    }

    #[test]
    fn after_a_restart_a_checkpoint_has_a_root_though_its_block_changed_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let last = Height(2 * CHECKPOINT_INTERVAL);
        let before = {
            let store = StateStore::open(folder.path()).unwrap();
            let mut roots = Roots::start(store.clone()).unwrap();
            for (height, changes) in store_blocks(&store, 0, last.0) {
                roots.note(height, changes);
            }
            let (mut roots, root) = root_at(roots, last);
            roots.stop();
            root
        };
        assert_ne!(before, execution::state_tree::empty_root());
        let roots = Roots::start(StateStore::open(folder.path()).unwrap()).unwrap();
        let (mut roots, root) = root_at(roots, last);
        roots.stop();
        assert_eq!(root, before);
    }
}
