//! The state's roots at checkpoints, and its store. One thread computes roots while the chain goes on; another stores what came of
//! many checkpoints, tree and state, while the next are computed.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvError, Sender, TryRecvError, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ledger::{Digest, Height};

use crate::run_blocks::is_checkpoint;
use crate::state::{BlockWrites, Changes, StateError, StateStore, hashed};
use crate::tree::Tree;
use crate::tree_store::Snapshot;

/// How much waits at a checkpoint until it is stored: some 14 MiB, and its nodes of the tree. Small runs would be merged with large
/// ones all the time; what waits is executed again after a crash.
const UNSTORED_MAX: usize = 131_072;

/// What a block weighs by itself; each of its writes weighs one.
const BLOCK_WEIGHT: usize = 16;

/// How many blocks are handed to the thread together: nobody waits for what it makes of one.
const NOTED_TOGETHER: usize = 8;

/// From which length on a wait for a root is reported.
const LONG_WAIT: Duration = Duration::from_millis(100);

/// How many roots are kept in memory at most.
const ROOTS_MAX: usize = 8;

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

    fn tell(&self, checkpoint: Height, root: Digest) {
        let mut known = self.lock();
        known.roots.insert(checkpoint.0, root);
        while known.roots.len() > ROOTS_MAX {
            known.roots.pop_first();
        }
        self.changed.notify_all();
    }

    fn fail(&self, reason: String) {
        self.lock().failed = Some(reason);
        self.changed.notify_all();
    }
}

/// Roots, known or on their way.
pub struct Roots {
    shared: Arc<Shared>,
    /// The checkpoint at which the stored tree stood at the start.
    started_at: Height,
    /// Noted, and not handed to the thread yet.
    noted: Vec<Arc<BlockWrites>>,
    blocks: Option<Sender<Arc<BlockWrites>>>,
    thread: Option<JoinHandle<()>>,
}

impl Roots {
    /// Stores a state that begins with this block.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn begin(store: &StateStore, genesis: Arc<BlockWrites>) -> Result<(), StateError> {
        let mut tree = Tree::over(store.tree().clone())?;
        tree.update(genesis.head.height, hashed(&genesis.writes).collect())?;
        let (tree, blocks) = (tree.snapshot(), vec![genesis]);
        Run { tree, blocks }.store(store)
    }

    /// Continues from what the store holds: a state that has begun, and the tree, which may be ahead of it.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn start(store: StateStore) -> Result<Roots, StateError> {
        let tree = Tree::over(store.tree().clone())?;
        let (Some(head), Some(started_at)) = (store.head()?, tree.checkpoint()) else {
            return Err(StateError::Damaged("state tree"));
        };
        if started_at < head.height {
            return Err(StateError::Damaged("state tree"));
        }
        let shared = Arc::new(Shared {
            stored_below: AtomicU64::new(head.height.0 + 1),
            ..Shared::default()
        });
        for (checkpoint, root) in tree.roots() {
            shared.tell(*checkpoint, *root);
        }
        let (blocks, receiver) = channel();
        let keeper = Keeper {
            tree,
            shared: shared.clone(),
            since_checkpoint: Vec::new(),
            unstored: Vec::new(),
            weight: some_weight(),
            writer: RunWriter::start(store),
        };
        let thread = std::thread::Builder::new()
            .name("state-tree".to_owned())
            .spawn(move || {
                // The root is wanted a whole interval of checkpoints later.
                crate::priority::give_way();
                keeper.run(&receiver);
            })
            .expect("a thread can be started");
        Ok(Roots {
            shared,
            started_at,
            noted: Vec::new(),
            blocks: Some(blocks),
            thread: Some(thread),
        })
    }

    /// Takes the writes of a block that is certified and durable, in order of height.
    pub fn note(&mut self, block: Arc<BlockWrites>) {
        let height = block.head.height;
        self.noted.push(block);
        if self.noted.len() >= NOTED_TOGETHER || is_checkpoint(height) {
            self.hand_over();
        }
    }

    /// Hands what was noted to the thread, which wakes once for all of it.
    fn hand_over(&mut self) {
        let noted = self.noted.drain(..);
        if let Some(blocks) = &self.blocks {
            // A thread that is gone has noted its failure.
            noted.for_each(|block| drop(blocks.send(block)));
        }
    }

    /// Whether the root at a checkpoint can be had without waiting.
    pub fn has(&self, checkpoint: Height) -> bool {
        checkpoint < self.started_at || self.shared.lock().roots.contains_key(&checkpoint.0)
    }

    /// Up to which height, not included, the writes of blocks are stored.
    pub fn stored_below(&self) -> Height {
        Height(self.shared.stored_below.load(Ordering::Acquire))
    }

    /// The root at a checkpoint; waits for it when it is on its way. `None` when it is of the time before the start: the tree was
    /// stored above it.
    ///
    /// # Errors
    /// [`StateError`] when it can't be computed, or the state not be stored.
    pub fn at(&self, checkpoint: Height) -> Result<Option<Digest>, StateError> {
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
                return Ok(Some(*root));
            }
            if let Some(reason) = &known.failed {
                return Err(StateError::NotStored(reason.clone()));
            }
            if checkpoint < self.started_at {
                return Ok(None);
            }
            let woken = self.shared.changed.wait(known);
            known = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Ends the threads once everything up to the newest checkpoint is stored.
    pub fn stop(&mut self) {
        self.hand_over();
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

/// What is stored together: the blocks up to a checkpoint, and the tree there.
struct Run {
    blocks: Vec<Arc<BlockWrites>>,
    tree: Arc<Snapshot>,
}

impl Run {
    /// The tree goes first: what it is ahead of the state is executed again, and needs no root that the blocks do not name. A tree that
    /// were behind could not follow.
    fn store(&self, store: &StateStore) -> Result<(), StateError> {
        store.tree().keep(&self.tree)?;
        store.keep(&self.blocks)
    }
}

/// How much less waits for the first run, by chance: replicas that execute the same would all write and sync theirs at the same
/// moment otherwise, and none could answer meanwhile.
fn some_weight() -> usize {
    (RandomState::new().hash_one(()) % UNSTORED_MAX as u64) as usize
}

/// Stores runs, one after the other, on a thread of its own.
struct RunWriter {
    runs: Option<Sender<Run>>,
    results: Receiver<Result<Height, StateError>>,
    is_busy: bool,
    thread: Option<JoinHandle<()>>,
}

impl RunWriter {
    fn start(store: StateStore) -> RunWriter {
        let (runs, receiver) = channel::<Run>();
        let (sender, results) = channel();
        let thread = std::thread::Builder::new()
            .name("state-writer".to_owned())
            .spawn(move || {
                crate::priority::give_way();
                for run in receiver {
                    let newest = run
                        .blocks
                        .last()
                        .map_or(Height(0), |block| block.head.height);
                    let _ = sender.send(run.store(&store).map(|()| newest));
                }
            })
            .expect("a thread can be started");
        RunWriter {
            runs: Some(runs),
            results,
            is_busy: false,
            thread: Some(thread),
        }
    }

    fn begin(&mut self, run: Run) {
        if let Some(runs) = &self.runs {
            // A thread that is gone shows when its result is asked for.
            let _ = runs.send(run);
            self.is_busy = true;
        }
    }

    /// The height up to which a run brought the state, if one is done.
    fn poll(&mut self) -> Result<Option<Height>, StateError> {
        match self.results.try_recv() {
            Ok(result) => self.done(result).map(Some),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(gone()),
        }
    }

    /// The same, waiting for the run that is being stored, if one is.
    fn wait(&mut self) -> Result<Option<Height>, StateError> {
        if !self.is_busy {
            return Ok(None);
        }
        let result = self.results.recv().map_err(|RecvError| gone())?;
        self.done(result).map(Some)
    }

    fn done(&mut self, result: Result<Height, StateError>) -> Result<Height, StateError> {
        self.is_busy = false;
        result
    }
}

impl Drop for RunWriter {
    fn drop(&mut self) {
        self.runs = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported where it happened.
            let _ = thread.join();
        }
    }
}

fn gone() -> StateError {
    StateError::NotStored("its writer panicked".to_owned())
}

/// The memory of the thread that computes roots.
struct Keeper {
    tree: Tree,
    shared: Arc<Shared>,
    /// Blocks above the newest checkpoint.
    since_checkpoint: Vec<Arc<BlockWrites>>,
    /// Blocks up to it that are not given to be stored.
    unstored: Vec<Arc<BlockWrites>>,
    /// What these weigh, and [`some_weight`] before the first run.
    weight: usize,
    writer: RunWriter,
}

impl Keeper {
    fn run(mut self, blocks: &Receiver<Arc<BlockWrites>>) {
        let _watch = Watch(self.shared.clone());
        let result = blocks.iter().try_for_each(|block| self.note(block));
        if let Err(error) = result.and_then(|()| self.finish()) {
            tracing::error!(%error, "the state cannot be stored, or its root not be computed");
            self.shared.fail(error.to_string());
        }
    }

    fn note(&mut self, block: Arc<BlockWrites>) -> Result<(), StateError> {
        let height = block.head.height;
        self.since_checkpoint.push(block);
        if !is_checkpoint(height) {
            return Ok(());
        }
        // After a crash the tree may be ahead of the state.
        if self.tree.checkpoint().is_none_or(|known| known < height) {
            let blocks = self.since_checkpoint.iter();
            let count = blocks.clone().map(|block| block.writes.0.len()).sum();
            let mut changes = Changes::with_capacity(count);
            blocks.for_each(|block| changes.extend(hashed(&block.writes)));
            let root = self.tree.update(height, changes)?;
            self.shared.tell(height, root);
        }
        let weights = self.since_checkpoint.iter();
        self.weight += weights
            .map(|block| BLOCK_WEIGHT + block.writes.0.len())
            .sum::<usize>();
        self.unstored.append(&mut self.since_checkpoint);
        let stored = self.writer.poll()?;
        self.note_stored(stored);
        if self.weight >= 2 * UNSTORED_MAX {
            let stored = self.writer.wait()?;
            self.note_stored(stored);
        }
        if self.weight >= UNSTORED_MAX && !self.writer.is_busy {
            self.begin();
        }
        Ok(())
    }

    fn note_stored(&mut self, stored: Option<Height>) {
        if let Some(height) = stored {
            self.tree.is_stored();
            let below = height.0 + 1;
            self.shared.stored_below.store(below, Ordering::Release);
        }
    }

    fn begin(&mut self) {
        self.weight = 0;
        self.writer.begin(Run {
            blocks: std::mem::take(&mut self.unstored),
            tree: self.tree.snapshot(),
        });
    }

    fn finish(&mut self) -> Result<(), StateError> {
        let stored = self.writer.wait()?;
        self.note_stored(stored);
        if !self.unstored.is_empty() {
            self.begin();
            let stored = self.writer.wait()?;
            self.note_stored(stored);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use execution::ChainHead;
    use execution::state_tree::CHECKPOINT_INTERVAL;
    use ledger::{HistoryLog, Timestamp, WriteSet};

    use super::*;

    /// A block that writes one of fifty keys, but for each third.
    fn block(height: u64) -> Arc<BlockWrites> {
        let key = (height % 50).to_be_bytes().to_vec();
        let write = (key, Some(vec![height as u8]));
        let writes = WriteSet(if height.is_multiple_of(3) {
            Vec::new()
        } else {
            vec![write]
        });
        let head = ChainHead {
            height: Height(height),
            hash: Digest([1; 32]),
            time: Timestamp(height),
            history: HistoryLog::new(),
        };
        Arc::new(BlockWrites {
            head,
            writes,
            transactions: Vec::new(),
        })
    }

    fn begun(folder: &tempfile::TempDir) -> StateStore {
        let store = StateStore::open(folder.path()).unwrap();
        Roots::begin(&store, block(0)).unwrap();
        store
    }

    fn root_at(roots: Roots, checkpoint: Height) -> (Roots, Digest) {
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            let root = roots.at(checkpoint).unwrap().unwrap();
            let _ = sender.send((roots, root));
        });
        let found = receiver.recv_timeout(Duration::from_secs(60));
        found.expect("the root comes")
    }

    /// The root that a ledger has at `last`, whose blocks come in one go.
    fn expected_at(last: Height) -> Digest {
        let folder = tempfile::tempdir().unwrap();
        let mut roots = Roots::start(begun(&folder)).unwrap();
        (1..=last.0).for_each(|height| roots.note(block(height)));
        let (mut roots, root) = root_at(roots, last);
        roots.stop();
        root
    }

    #[test]
    fn after_an_orderly_stop_what_is_above_the_newest_checkpoint_is_executed_again() {
        let folder = tempfile::tempdir().unwrap();
        let stop = Height(2 * CHECKPOINT_INTERVAL + 5);
        let mut roots = Roots::start(begun(&folder)).unwrap();
        (1..=stop.0).for_each(|height| roots.note(block(height)));
        roots.stop();
        let store = StateStore::open(folder.path()).unwrap();
        let head = store.head().unwrap().unwrap();
        assert_eq!(head.height, Height(2 * CHECKPOINT_INTERVAL));
        let roots = Roots::start(store).unwrap();
        let (mut roots, root) = root_at(roots, head.height);
        assert_eq!(root, expected_at(head.height));
        let last = Height(4 * CHECKPOINT_INTERVAL);
        (head.height.0 + 1..=last.0).for_each(|height| roots.note(block(height)));
        let (mut roots, root) = root_at(roots, last);
        roots.stop();
        assert_eq!(root, expected_at(last));
    }

    #[test]
    fn a_tree_that_a_crash_left_ahead_of_the_state_waits_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let (ahead, last) = (
            Height(5 * CHECKPOINT_INTERVAL),
            Height(7 * CHECKPOINT_INTERVAL),
        );
        let store = begun(&folder);
        let mut tree = Tree::over(store.tree().clone()).unwrap();
        for checkpoint in (1..=5).map(|number| Height(number * CHECKPOINT_INTERVAL)) {
            let blocks = checkpoint.0 - CHECKPOINT_INTERVAL + 1..=checkpoint.0;
            let mut changes = Changes::new();
            blocks.for_each(|height| changes.extend(hashed(&block(height).writes)));
            tree.update(checkpoint, changes).unwrap();
        }
        store.tree().keep(&tree.snapshot()).unwrap();
        drop(tree);
        let roots = Roots::start(store).unwrap();
        // A checkpoint whose root only the blocks name.
        assert_eq!(roots.at(Height(CHECKPOINT_INTERVAL)).unwrap(), None);
        let (mut roots, root) = root_at(roots, ahead);
        assert_eq!(root, expected_at(ahead));
        (1..=last.0).for_each(|height| roots.note(block(height)));
        let (mut roots, root) = root_at(roots, last);
        assert_eq!(root, expected_at(last));
        roots.stop();
        let store = StateStore::open(folder.path()).unwrap();
        assert_eq!(store.head().unwrap().unwrap().height, last);
    }

    #[test]
    fn a_tree_that_is_behind_the_state_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let store = begun(&folder);
        store.keep(&[block(1)]).unwrap();
        let refused = Roots::start(store);
        assert!(matches!(refused, Err(StateError::Damaged("state tree"))));
    }
}
