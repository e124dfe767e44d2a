//! The state's roots at checkpoints, and its store: a thread of its own computes and writes them while the chain goes on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ledger::{Digest, Height};

use crate::run_blocks::is_checkpoint;
use crate::state::{BlockWrites, Changes, StateError, StateStore};
use crate::tree::Tree;

/// How much waits at a checkpoint until it is stored: some 10 MiB. Small runs would be merged with large ones all the time; what
/// waits is executed again after a crash.
const UNSTORED_MAX: usize = 131_072;

/// What a block weighs by itself; each of its writes weighs one.
const BLOCK_WEIGHT: usize = 16;

/// From which length on a wait for a root is reported.
const LONG_WAIT: Duration = Duration::from_millis(100);

#[derive(Default)]
struct Known {
    roots: BTreeMap<u64, Digest>,
    /// Why none will come any more.
    failed: Option<String>,
}

#[derive(Default)]
struct Shared {
    known: Mutex<Known>,
    changed: Condvar,
    /// One more than the height up to which the state is stored.
    stored_below: AtomicU64,
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, reason: String) {
        self.lock().failed = Some(reason);
        self.changed.notify_all();
    }
}

/// A block that is certified and durable.
enum Noted {
    /// Its writes are stored.
    Stored(Height, Changes),
    /// They are not.
    Executed(Arc<BlockWrites>),
}

/// Roots, known or on their way.
pub struct Roots {
    store: StateStore,
    shared: Arc<Shared>,
    blocks: Option<Sender<Noted>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Roots {
    /// Continues from what the store holds: the tree, and what changed since.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn start(store: StateStore) -> Result<Roots, StateError> {
        let head = store.head()?.map(|head| head.height);
        let shared = Arc::new(Shared {
            stored_below: AtomicU64::new(head.map_or(0, |head| head.0 + 1)),
            ..Shared::default()
        });
        let (blocks, receiver) = channel();
        let keeper = Keeper {
            tree: Tree::over(store.clone())?,
            store: store.clone(),
            shared: shared.clone(),
            changes: Changes::new(),
            unstored: Vec::new(),
            weight: 0,
        };
        let thread = std::thread::Builder::new()
            .name("state-tree".to_owned())
            .spawn(move || {
                // The root is wanted a whole interval of checkpoints later.
                crate::priority::give_way();
                keeper.run(&receiver);
            })
            .expect("a thread can be started");
        let roots = Roots {
            store: store.clone(),
            shared,
            blocks: Some(blocks),
            thread: Some(thread),
        };
        let written = store.tree_height()?;
        let mut changes: BTreeMap<Height, Changes> =
            store.changes_after(written)?.into_iter().collect();
        if let Some(head) = head {
            let first = written.map_or(0, |written| written.0 + 1);
            // Also blocks that changed nothing: one may be a checkpoint.
            for height in (first..=head.0).map(Height) {
                let changes = changes.remove(&height).unwrap_or_default();
                roots.tell(Noted::Stored(height, changes));
            }
        }
        Ok(roots)
    }

    /// Takes the writes of a block that is certified and durable, in order of height.
    pub fn note(&self, block: Arc<BlockWrites>) {
        self.tell(Noted::Executed(block));
    }

    fn tell(&self, noted: Noted) {
        if let Some(blocks) = &self.blocks {
            // A thread that is gone has noted its failure.
            let _ = blocks.send(noted);
        }
    }

    /// Up to which height, not included, the writes of blocks are stored.
    pub fn stored_below(&self) -> Height {
        Height(self.shared.stored_below.load(Ordering::Acquire))
    }

    /// The root at a checkpoint; waits for it when it is on its way.
    ///
    /// # Errors
    /// [`StateError`] when it can't be computed, or the state not be stored.
    pub fn at(&self, checkpoint: Height) -> Result<Digest, StateError> {
        if let Some(root) = self.lookup(checkpoint)? {
            return Ok(root);
        }
        let started = Instant::now();
        let mut known = self.shared.lock();
        loop {
            if let Some(root) = known.roots.get(&checkpoint.0) {
                let waited = started.elapsed();
                if waited >= LONG_WAIT {
                    tracing::info!(
                        checkpoint = checkpoint.0,
                        waited_ms = waited.as_millis() as u64,
                        "execution waited for the state's root"
                    );
                }
                return Ok(*root);
            }
            if let Some(reason) = &known.failed {
                return Err(StateError::NotStored(reason.clone()));
            }
            let woken = self.shared.changed.wait(known);
            known = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lookup(&self, checkpoint: Height) -> Result<Option<Digest>, StateError> {
        let mut known = self.shared.lock();
        if let Some(root) = known.roots.get(&checkpoint.0) {
            return Ok(Some(*root));
        }
        let stored = self.store.root(checkpoint)?;
        if let Some(root) = stored {
            known.roots.insert(checkpoint.0, root);
        }
        Ok(stored)
    }

    /// Ends the thread once everything that it was given is stored.
    pub fn stop(&mut self) {
        self.blocks = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported where it happened.
            let _ = thread.join();
        }
    }
}

/// Tells those who wait that no root will come, should the thread panic.
struct Watch(Arc<Shared>);

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail("its thread panicked".to_owned());
        }
    }
}

/// The thread's memory.
struct Keeper {
    tree: Tree,
    store: StateStore,
    shared: Arc<Shared>,
    /// What changed since the newest checkpoint.
    changes: Changes,
    unstored: Vec<Arc<BlockWrites>>,
    /// What the unstored blocks weigh.
    weight: usize,
}

impl Keeper {
    fn run(mut self, blocks: &Receiver<Noted>) {
        let _watch = Watch(self.shared.clone());
        let result = blocks.iter().try_for_each(|noted| self.note(noted));
        if let Err(error) = result.and_then(|()| self.store()) {
            tracing::error!(%error, "the state cannot be stored, or its root not be computed");
            self.shared.fail(error.to_string());
        }
    }

    fn note(&mut self, noted: Noted) -> Result<(), StateError> {
        let height = match noted {
            Noted::Stored(height, changes) => {
                self.changes.extend(changes);
                height
            }
            Noted::Executed(block) => {
                self.changes.extend_from_slice(&block.changes);
                self.weight += BLOCK_WEIGHT + block.changes.len();
                let height = block.head.height;
                self.unstored.push(block);
                height
            }
        };
        if !is_checkpoint(height) {
            return Ok(());
        }
        let root = self
            .tree
            .update(height, std::mem::take(&mut self.changes))?;
        self.tell(height, root);
        if self.weight >= UNSTORED_MAX || self.tree.is_full() {
            self.store()?;
            if self.tree.is_due() {
                self.tree.begin_writing()?;
            }
        }
        Ok(())
    }

    fn tell(&self, checkpoint: Height, root: Digest) {
        let mut known = self.shared.lock();
        known.roots.insert(checkpoint.0, root);
        while known.roots.len() > 8 {
            known.roots.pop_first();
        }
        self.shared.changed.notify_all();
    }

    fn store(&mut self) -> Result<(), StateError> {
        self.store.keep(&self.unstored)?;
        if let Some(newest) = self.unstored.last() {
            let below = newest.head.height.0 + 1;
            self.shared.stored_below.store(below, Ordering::Release);
        }
        self.unstored.clear();
        self.weight = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use execution::ChainHead;
    use execution::state_tree::CHECKPOINT_INTERVAL;
    use ledger::{HistoryLog, Timestamp, WriteSet};

    use super::*;

    /// The blocks up to `last`; only that at height 1 changes something.
    fn blocks(last: u64) -> impl Iterator<Item = Arc<BlockWrites>> {
        (0..=last).map(|height| {
            let write = (b"key".to_vec(), Some(b"value".to_vec()));
            let writes = WriteSet(if height == 1 { vec![write] } else { Vec::new() });
            let head = ChainHead {
                height: Height(height),
                hash: Digest([1; 32]),
                time: Timestamp(height),
                history: HistoryLog::new(),
            };
            Arc::new(BlockWrites::new(head, writes))
        })
    }

    fn root_at(roots: Roots, checkpoint: Height) -> (Roots, Digest) {
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
            let roots = Roots::start(store).unwrap();
            blocks(last.0).for_each(|block| roots.note(block));
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
