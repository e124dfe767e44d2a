//! The thread that executes: prepared batches and fetched blocks, in order of height, each over the state that the
//! ones before it left. Writes go to the state store only after their block is certified and durable: until then it may give way
//! to another.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use execution::state_tree::{CHECKPOINT_INTERVAL, checkpoint_of};
use execution::{
    BlockOrder, ChainHead, CheckedTransaction, Contracts, ExecutedBlock, Executor, LeftOut, Rules,
    Used,
};
use ledger::{Block, BlockDigests, Digest, EpochDescription, Height, Timestamp};
use pbft::{Order, Sequence};

use crate::body::Body;
use crate::epochs::{Epochs, announced_in};
use crate::fetch::FetchedBlock;
use crate::journal::JournaledBlock;
use crate::recent::{Ordered, Phases, RecentBlock, RecentBlocks};
use crate::roots::Roots;
use crate::state::{BlockWrites, StateError, StateStore};
use crate::unapplied::Unapplied;
use crate::worker::{self, Tasks, Worker};

/// How many executed blocks wait to be certified at most; less than the interval of checkpoints.
const UNAPPLIED_MAX: usize = 48;

/// How many fetched blocks are executed before they are handed on to be stored: some are stored while the next are executed.
const INSTALLED_TOGETHER_MAX: usize = UNAPPLIED_MAX / 4;

/// How many stored blocks are forgotten for each one that is certified: they are stored many at once, and to forget all of them
/// takes a tenth of a second.
const FORGOTTEN_PER_BLOCK: usize = 4;

/// Execution, to whom tasks are given.
pub type Execution = Worker<BlockRunner<Contracts>, Task>;

/// Something to execute, or to keep.
#[derive(Debug)]
pub enum Task {
    /// A prepared batch: the block at its height, instead of what was executed and not certified there and above.
    Execute {
        /// Where, on what.
        order: Order,
        /// The transactions' bodies, in order.
        bodies: Vec<Arc<Body>>,
        /// When the batch passed the phases of the agreement.
        ordered: Ordered,
    },
    /// Blocks that others certified, in order.
    Install(Vec<FetchedBlock>),
    /// The blocks up to this height are certified and durable: their writes are kept.
    Certified(Height),
    /// End the thread.
    Stop,
}

impl Task {
    /// Whether it takes less time than waking a thread for it.
    pub fn is_small(&self) -> bool {
        match self {
            Task::Execute { bodies, .. } => worker::is_small(bodies.len()),
            Task::Certified(_) => true,
            Task::Install(_) | Task::Stop => false,
        }
    }
}

/// What execution tells.
#[derive(Debug)]
pub enum Told {
    /// A batch was executed: the block with its transactions is to be made durable with the COMMIT.
    Executed(pbft::ExecutedBlock, Arc<JournaledBlock>, Vec<Arc<Body>>),
    /// When something will next be due.
    NextDue(Option<Timestamp>),
    /// A fetched block holds a change of the replica set: the epoch ends with this height.
    EpochEnds(Height),
    /// Transactions that were ordered and are in no block.
    LeftOut(Vec<(Digest, LeftOut)>),
    /// Fetched blocks were executed and found as certified: they are to be stored.
    Installed(Vec<FetchedBlock>),
}

/// Why execution stopped.
#[derive(Debug, thiserror::Error)]
pub enum ExecutionError {
    /// The state store.
    #[error(transparent)]
    State(#[from] StateError),
    /// This replica computes another block than the others certified.
    #[error("divergence at height {height}: executed here as {own}, certified as {certified}")]
    Divergence {
        /// The height.
        height: Height,
        /// The hash here.
        own: Digest,
        /// The certified hash.
        certified: Digest,
    },
    /// A contract's version comes into force that this binary lacks. A newer one goes on from here.
    #[error(
        "version {version} of the contract {contract:?} comes into force at height {height}, and this binary does not have it"
    )]
    MissingVersion {
        /// The height.
        height: Height,
        /// The contract.
        contract: contracts::Contract,
        /// The version.
        version: u32,
    },
    /// A fetched block does not follow what is here.
    #[error("a certified block at height {found} was given where {expected} belongs")]
    Gap {
        /// The next height here.
        expected: Height,
        /// The block's height.
        found: Height,
    },
}

/// What execution remembers.
pub struct BlockRunner<R> {
    executor: Executor<R>,
    epochs: Arc<Epochs>,
    head: ChainHead,
    /// Up to here nothing gives way.
    certified: Height,
    used: Used,
    unapplied: Unapplied,
    roots: Roots,
    recent: Arc<RecentBlocks>,
    /// Tasks for which there is no room yet.
    waiting: VecDeque<Task>,
    execution_seconds: chassis::metrics::Histogram,
}

impl<R: Rules> BlockRunner<R> {
    /// A runner that continues after `head`, at which the store stands.
    pub fn new(
        executor: Executor<R>,
        epochs: Arc<Epochs>,
        head: ChainHead,
        store: StateStore,
        roots: Roots,
        recent: Arc<RecentBlocks>,
    ) -> BlockRunner<R> {
        BlockRunner {
            executor,
            epochs,
            certified: head.height,
            used: Used::read(&store),
            unapplied: Unapplied::over(store, head.clone()),
            head,
            roots,
            recent,
            waiting: VecDeque::new(),
            execution_seconds: chassis::metrics::histogram(
                "ordering_execution_seconds",
                "execution of one block",
            ),
        }
    }

    /// The head after everything that was executed.
    pub fn head(&self) -> &ChainHead {
        &self.head
    }

    /// The transactions that the state remembers.
    pub fn used(&self) -> &Used {
        &self.used
    }

    /// Does the tasks that others give, until one is to stop.
    ///
    /// # Errors
    /// [`ExecutionError`]; the caller ends the process.
    pub fn run(tasks: Tasks<Self, Task>, tell: &mut dyn FnMut(Told)) -> Result<(), ExecutionError> {
        tasks.run(|runner, at_hand| {
            for task in at_hand {
                let flow = runner.take(task, tell);
                if flow.is_err() {
                    runner.roots.stop();
                }
                if flow?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    /// Does a task, or keeps it until there is room for what comes of it.
    ///
    /// # Errors
    /// [`ExecutionError`]; the caller ends the process.
    pub fn take(
        &mut self,
        task: Task,
        tell: &mut dyn FnMut(Told),
    ) -> Result<ControlFlow<()>, ExecutionError> {
        match task {
            Task::Certified(height) => self.keep(height),
            Task::Stop => {
                self.roots.stop();
                return Ok(ControlFlow::Break(()));
            }
            Task::Execute { order, .. } => {
                // What waits to be executed there or above has given way, and makes no room by itself.
                self.waiting.retain(|waiting| {
                    !matches!(waiting, Task::Execute { order: earlier, .. } if earlier.sequence >= order.sequence)
                });
                self.give_way(order.sequence.height());
                self.waiting.push_back(task);
            }
            Task::Install(_) => self.waiting.push_back(task),
        }
        while let room @ 1.. = self.room()
            && let Some(task) = self.waiting.pop_front()
        {
            match task {
                Task::Execute {
                    order,
                    bodies,
                    ordered,
                } => self.execute(order, bodies, ordered, tell)?,
                Task::Install(mut blocks) => {
                    let rest = blocks.split_off(room.min(INSTALLED_TOGETHER_MAX).min(blocks.len()));
                    self.install(blocks, tell)?;
                    if !rest.is_empty() {
                        self.waiting.push_front(Task::Install(rest));
                    }
                }
                Task::Certified(_) | Task::Stop => {}
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Whether the next task can be done without waiting: no other waits for room, and the root that the next block names is known.
    pub fn waits_for_nothing(&self) -> bool {
        self.waiting.is_empty() && self.roots.has(checkpoint_of(self.head.height.next()))
    }

    /// How many blocks may be executed before others are certified: a root is needed one interval after its checkpoint,
    /// so the checkpoint's writes must be kept by then.
    fn room(&self) -> usize {
        UNAPPLIED_MAX.saturating_sub(self.unapplied.len())
    }

    fn keep(&mut self, height: Height) {
        self.certified = self.certified.max(height);
        let certified = self.unapplied.certify(height);
        let forgotten_max = FORGOTTEN_PER_BLOCK * certified.len();
        for certified in certified {
            if let Some(announced) = certified.announced {
                self.epochs.announce(announced);
            }
            self.roots.note(certified.block);
        }
        self.unapplied
            .forget_below(self.roots.stored_below(), forgotten_max);
    }

    /// Whether the newest block is the one that an order is for: by the number of its own order, or, for a core that knows no
    /// such number (it began after that block), because it is certified.
    fn is_newest(&self, run: Option<u64>) -> bool {
        run == self.unapplied.newest_run() || run.is_none() && self.head.height <= self.certified
    }

    /// Lets go of what was executed at this height and above, unless it is certified.
    fn give_way(&mut self, height: Height) {
        if height <= self.certified || height > self.head.height {
            return;
        }
        let last = Height(height.0 - 1);
        tracing::info!(
            from = height.0,
            to = self.head.height.0,
            "executed blocks give way to what another view ordered"
        );
        self.head = self.unapplied.take_back_to(last);
        self.used = Used::read(&self.unapplied);
        self.recent.take_back_to(last);
    }

    /// Executes the next block. Where it is a stored one, `stored_root` is the state's root that it names: the tree may be ahead of the
    /// state, and has that of an earlier checkpoint no more.
    ///
    /// # Errors
    /// [`StateError`] when the state's root can't be had.
    pub fn execute_next(
        &mut self,
        run: Option<u64>,
        time: Timestamp,
        transactions: Vec<Arc<CheckedTransaction>>,
        stored_root: Option<Digest>,
    ) -> Result<ExecutedBlock, ExecutionError> {
        let height = self.head.height.next();
        if let Some((contract, version)) = execution::missing_version(&self.unapplied, height) {
            return Err(ExecutionError::MissingVersion {
                height,
                contract,
                version,
            });
        }
        let state_root = self.roots.at(checkpoint_of(height))?.or(stored_root);
        let order = BlockOrder {
            epoch: self.epochs.at(height).epoch,
            height,
            time,
            state_root: state_root.ok_or(StateError::Damaged("state tree"))?,
            transactions,
        };
        let mut executed =
            self.executor
                .execute_block(&self.unapplied, &mut self.used, &self.head, order);
        self.head = executed.head.clone();
        let announced = announced_in(&executed.block.outcomes);
        let outcomes = executed.block.outcomes[1..].iter();
        let block = BlockWrites {
            head: self.head.clone(),
            writes: std::mem::take(&mut executed.writes),
            transactions: outcomes.map(|leaf| leaf.transaction).collect(),
        };
        self.unapplied.add(block, run, announced);
        Ok(executed)
    }

    fn execute(
        &mut self,
        order: Order,
        bodies: Vec<Arc<Body>>,
        ordered: Ordered,
        tell: &mut dyn FnMut(Told),
    ) -> Result<(), ExecutionError> {
        let Order {
            sequence,
            run,
            after,
            batch,
            time,
        } = order;
        let height = sequence.height();
        if height != self.head.height.next() || !self.is_newest(after) {
            // A block was installed there or below meanwhile, and the core hears of it.
            return Ok(());
        }
        let started = Instant::now();
        let transactions = bodies.iter().map(|body| body.transaction.clone()).collect();
        let executed = self.execute_next(Some(run), time, transactions, None)?;
        let kept = in_block(bodies, &executed);
        let wires: Vec<Digest> = kept.iter().map(|body| body.wire()).collect();
        let journaled = JournaledBlock {
            header: executed.block.header.clone(),
            batch,
            wires: wires.clone(),
            outcomes: executed.block.outcomes.clone(),
        };
        let hash = executed.head.hash;
        let told = pbft::ExecutedBlock {
            sequence,
            run,
            block: hash,
            ends: announced_in(&journaled.outcomes).map(last_height_before),
        };
        self.execution_seconds.record(started.elapsed());
        let recent = RecentBlock {
            block: Some(executed.block),
            hash,
            bodies: kept.clone(),
            wires,
            phases: Phases {
                ordered,
                started,
                executed: Instant::now(),
            },
        };
        self.recent.insert(height, Arc::new(recent));
        tell(Told::Executed(told, Arc::new(journaled), kept));
        tell(Told::NextDue(executed.next_due));
        if !executed.left_out.is_empty() {
            tell(Told::LeftOut(
                executed
                    .left_out
                    .iter()
                    .map(|(left, reason)| (left.wire, *reason))
                    .collect(),
            ));
        }
        Ok(())
    }

    fn install(
        &mut self,
        blocks: Vec<FetchedBlock>,
        tell: &mut dyn FnMut(Told),
    ) -> Result<(), ExecutionError> {
        for fetched in &blocks {
            let (certified, proof) = (&fetched.certified, &fetched.proof);
            let header = &certified.block.header;
            let divergence = |own| ExecutionError::Divergence {
                height: header.height,
                own,
                certified: proof.block(),
            };
            if header.height <= self.head.height {
                let own = self
                    .recent
                    .get(header.height.0)
                    .map_or(proof.block(), |recent| recent.hash);
                if own == proof.block() {
                    self.certified = self.certified.max(header.height);
                    continue;
                }
                if header.height <= self.certified {
                    return Err(divergence(own));
                }
                self.give_way(header.height);
            }
            if header.height != self.head.height.next() {
                return Err(ExecutionError::Gap {
                    expected: self.head.height.next(),
                    found: header.height,
                });
            }
            let own = self.replay(&certified.block, &fetched.digests)?;
            if own != proof.block() {
                return Err(divergence(own));
            }
            self.certified = header.height;
            if let Some(announced) = announced_in(&certified.block.outcomes) {
                tell(Told::EpochEnds(last_height_before(announced).height()));
            }
        }
        tell(Told::Installed(blocks));
        Ok(())
    }

    /// Executes a stored or fetched block again; gives the hash that comes of it.
    ///
    /// # Errors
    /// [`ExecutionError::State`].
    pub fn replay(
        &mut self,
        block: &Block,
        digests: &BlockDigests,
    ) -> Result<Digest, ExecutionError> {
        let started = Instant::now();
        let header = &block.header;
        let digested = digests.transactions.iter().zip(&digests.wires);
        let transactions = block.transactions.iter().zip(digested);
        let transactions = transactions
            .map(|(signed, (id, wire))| {
                Arc::new(CheckedTransaction {
                    signed: signed.clone(),
                    id: *id,
                    wire: *wire,
                })
            })
            .collect();
        let executed =
            self.execute_next(None, header.time, transactions, Some(header.state_root))?;
        let hash = executed.head.hash;
        let recent = RecentBlock {
            block: None,
            hash,
            bodies: Vec::new(),
            wires: digests.wires.clone(),
            phases: Phases {
                ordered: Ordered::default(),
                started,
                executed: Instant::now(),
            },
        };
        self.recent.insert(header.height, Arc::new(recent));
        Ok(hash)
    }

    /// Keeps everything executed so far; for replaying blocks that are certified and durable already.
    pub fn keep_all(&mut self) {
        self.keep(self.head.height);
    }

    /// When something will next be due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.executor.next_due(&self.unapplied)
    }
}

/// The last height of the epoch before the one that is announced.
pub fn last_height_before(announced: EpochDescription) -> Sequence {
    Sequence(announced.first_height.0 - 1)
}

/// The bodies of the block's transactions, in order: those that were not left out. They are told apart by their wire digests,
/// which a batch repeats nowhere; a transaction's id can stand in it under two signatures.
fn in_block(mut bodies: Vec<Arc<Body>>, executed: &ExecutedBlock) -> Vec<Arc<Body>> {
    let mut left_out = executed.left_out.iter().peekable();
    bodies.retain(|body| {
        left_out
            .next_if(|(left, _)| left.wire == body.wire())
            .is_none()
    });
    bodies
}

/// Whether the tree is brought up to date at this height.
pub fn is_checkpoint(height: Height) -> bool {
    height.0.is_multiple_of(CHECKPOINT_INTERVAL)
}

#[cfg(test)]
mod tests;
