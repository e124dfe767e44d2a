//! One simulated process: a replica with its disk, its bodies and its executor.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ledger::{Certificate, Digest, ReplicaId, Timestamp};
use pbft::{
    Configuration, Durable, ExecutedBlock, Input, InstalledBlock, Moment, Order, Replica, Sequence,
    StoredChain,
};
use pbft::{RestoreError, Verifier};

use crate::disk::{Disk, LogWrite};
use crate::machine::{Machine, StoredBlock};
use crate::plan::Behaviour;

/// Work of the executor, done one by one.
#[derive(Debug, Clone)]
pub enum Task {
    /// Execute a prepared batch.
    Execute(Order, Vec<Digest>),
    /// Install fetched blocks from this replica.
    Install(ReplicaId, Vec<StoredBlock>),
}

/// A block in memory, with the number of the order by which it was executed.
pub type Executed = (StoredBlock, Option<u64>);

/// What became of a task.
pub enum Done {
    /// An executed block.
    Executed(ExecutedBlock),
    /// An order that came too late: something else stands there, or below.
    PassedOver,
    /// Installed blocks.
    Installed(Vec<Durable<InstalledBlock>>),
    /// The blocks of this replica were no good.
    Useless(ReplicaId),
}

/// Why a process does not start.
#[derive(Debug)]
pub enum StartError {
    /// The vote log is damaged, which the disk says by itself.
    Damaged,
    /// The core refuses what the disk holds.
    Refused(RestoreError),
}

/// A process.
pub struct Node {
    /// Its place among the processes.
    pub index: usize,
    /// The replica that it is (the second of twins shares it with the first).
    pub replica_id: ReplicaId,
    /// The core; none while it is down.
    pub replica: Option<Replica>,
    /// Counts starts, so that events of an earlier life are told apart.
    pub incarnation: u64,
    /// Its fault, if it has one.
    pub behaviour: Option<Behaviour>,
    /// Its disk was damaged: it counts as faulty.
    pub is_damaged: bool,
    /// What survives a crash.
    pub disk: Disk,
    /// The disk as it was once, for those who will come back with an old copy.
    pub old_copy: Option<Disk>,
    /// The executed state.
    pub machine: Machine,
    /// The chain in memory, from height 1.
    pub chain: Vec<Executed>,
    /// The state at checkpoints that are not certified yet.
    snapshots: BTreeMap<Sequence, Machine>,
    /// Bodies in memory.
    pub bodies: BTreeSet<Digest>,
    /// Waiting work.
    pub tasks: VecDeque<Task>,
    /// How many executed blocks gave way to others.
    pub taken_back: u64,
    /// The next wakeup that is scheduled.
    pub wakeup: Option<u64>,
    /// After so many more effects the process is killed.
    pub killed_after_effects: Option<u64>,
    /// How far its wall clock is off, in microseconds.
    pub clock_offset: i64,
    /// Whether its key is an Ed25519 key.
    pub real_signatures: bool,
    configuration: Configuration,
}

impl Node {
    /// A process that has not started.
    pub fn new(index: usize, configuration: Configuration, behaviour: Option<Behaviour>) -> Node {
        Node {
            index,
            replica_id: configuration.replica,
            replica: None,
            incarnation: 0,
            behaviour,
            is_damaged: false,
            disk: Disk::default(),
            old_copy: None,
            machine: Machine::new(&configuration.base),
            chain: Vec::new(),
            snapshots: BTreeMap::new(),
            bodies: BTreeSet::new(),
            tasks: VecDeque::new(),
            taken_back: 0,
            wakeup: None,
            killed_after_effects: None,
            clock_offset: 0,
            real_signatures: false,
            configuration,
        }
    }

    /// Neither Byzantine nor on a damaged disk.
    pub fn is_correct(&self) -> bool {
        self.behaviour.is_none() && !self.is_damaged
    }

    /// What its core is set up with.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// Both clocks at a virtual time.
    pub fn moment(&self, now: u64) -> Moment {
        let origin = self.clock_origin();
        let wall = (crate::cluster::WALL_START_US + now).saturating_add_signed(self.clock_offset);
        Moment {
            monotonic: Timestamp(now + origin),
            wall: Timestamp(wall),
        }
    }

    /// Monotonic clocks begin anywhere; the first replica's at 0.
    fn clock_origin(&self) -> u64 {
        1_000_000 * self.index as u64
    }

    /// The virtual time at which the node's monotonic clock shows `monotonic`.
    pub fn virtual_time(&self, monotonic: Timestamp) -> u64 {
        monotonic.0.saturating_sub(self.clock_origin())
    }

    /// Starts the process from its disk: the snapshot, the blocks above it, the vote log.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(&mut self, now: u64, verifier: &Verifier) -> Result<(), StartError> {
        self.incarnation += 1;
        self.bodies = self.disk.bodies.clone();
        let base = &self.configuration.base;
        let snapshot = self.disk.snapshot.clone();
        self.machine = snapshot.unwrap_or_else(|| Machine::new(base));
        for stored in &self.disk.blocks[self.machine.height.0 as usize..] {
            self.machine.apply(&stored.block, stored.hash);
        }
        let stored = self.disk.blocks.iter().cloned();
        self.chain = stored.map(|stored| (stored, None)).collect();
        self.snapshots.clear();
        let chain = self.stored_chain(verifier);
        let log = self.disk.read_log().map_err(|_| StartError::Damaged)?;
        let key = usize::from(self.replica_id.0);
        let replica = Replica::restore(
            self.configuration.clone(),
            crate::signing::signer(self.real_signatures, key),
            log,
            chain,
            self.moment(now),
        )
        .map_err(StartError::Refused)?;
        self.replica = Some(replica);
        Ok(())
    }

    fn stored_chain(&self, verifier: &Verifier) -> StoredChain {
        let certified = self.disk.certified();
        let interval = self.configuration.limits.checkpoint_interval;
        let checkpoint = Sequence(certified / interval * interval);
        let stable = self.disk.block(checkpoint).and_then(|stored| {
            let certificate = stored.certificate.clone()?;
            verifier
                .certified(checkpoint, stored.hash, certificate)
                .ok()
        });
        let kept = (2 * self.configuration.limits.window as usize)
            .max(self.disk.blocks.len() - certified as usize + 1);
        let blocks = self.disk.blocks.iter().rev().take(kept).rev();
        let blocks = blocks.map(|stored| pbft::StoredBlock {
            sequence: stored.block.sequence,
            block: stored.hash,
            batch: stored.batch,
            time: stored.block.time,
            digests: stored.block.digests.clone(),
            ends: None,
        });
        StoredChain {
            blocks: blocks.collect(),
            certified: Sequence(certified),
            stable,
            held: self.disk.bodies.iter().copied().collect(),
        }
    }

    /// The process dies; what was in memory is gone. Says whether a write was torn.
    pub fn crash(&mut self, random: &mut crate::random::Random) -> bool {
        self.replica = None;
        self.incarnation += 1;
        self.tasks.clear();
        self.wakeup = None;
        self.killed_after_effects = None;
        self.disk.crash(random, self.replica_id)
    }

    /// Whether a body is in memory or in a stored block.
    pub fn has_body(&self, digest: &Digest) -> bool {
        self.bodies.contains(digest) || self.machine.done_at(digest).is_some()
    }

    /// Does the first task.
    pub fn do_task(&mut self, verifier: &Verifier) -> Option<Done> {
        match self.tasks.pop_front()? {
            Task::Execute(order, digests) => Some(self.execute(order, &digests)),
            Task::Install(from, blocks) => Some(self.install(from, blocks, verifier)),
        }
    }

    /// The block at a height, in memory.
    pub fn block(&self, sequence: Sequence) -> Option<&StoredBlock> {
        let (stored, _) = self.chain.get((sequence.0 as usize).checked_sub(1)?)?;
        Some(stored)
    }

    /// Whether the block at a height is certified.
    pub fn is_certified(&self, sequence: Sequence) -> bool {
        self.block(sequence)
            .is_some_and(|stored| stored.certificate.is_some())
    }

    fn execute(&mut self, order: Order, digests: &[Digest]) -> Done {
        let Order {
            sequence,
            run,
            after,
            batch,
            time,
        } = order;
        let below = sequence.0 as usize - 1;
        if self.is_certified(sequence) || self.chain.len() < below {
            return Done::PassedOver;
        }
        self.take_back(below);
        if self.chain.last().and_then(|(_, run)| *run) != after {
            return Done::PassedOver;
        }
        let block = self.machine.block(time, digests);
        let hash = block.hash();
        let stored = StoredBlock {
            block,
            hash,
            batch: Some(batch),
            certificate: None,
        };
        self.disk.queue.push_back(LogWrite::Block(stored.clone()));
        self.apply(stored, Some(run));
        Done::Executed(ExecutedBlock {
            sequence,
            run,
            block: hash,
            ends: None,
        })
    }

    /// Lets go of everything above the first `kept` blocks.
    fn take_back(&mut self, kept: usize) {
        if self.chain.len() > kept {
            self.taken_back += (self.chain.len() - kept) as u64;
            self.chain.truncate(kept);
            let last = self.chain.last().map(|(stored, _)| stored);
            self.machine.take_back_to(last, &self.configuration.base);
            self.snapshots
                .retain(|sequence, _| sequence.0 as usize <= kept);
        }
    }

    fn apply(&mut self, new: StoredBlock, run: Option<u64>) {
        self.machine.apply(&new.block, new.hash);
        let sequence = new.block.sequence;
        self.chain.push((new, run));
        let interval = self.configuration.limits.checkpoint_interval;
        if sequence.0.is_multiple_of(interval) {
            self.snapshots.insert(sequence, self.machine.snapshot());
        }
    }

    /// The block at a height is certified: it stays, and so does the state up to it once the block is on the disk.
    pub fn certify(&mut self, sequence: Sequence, certificate: Certificate) {
        let Some((stored, _)) = self.chain.get_mut(sequence.0 as usize - 1) else {
            return;
        };
        stored
            .certificate
            .get_or_insert_with(|| certificate.clone());
        let hash = stored.hash;
        self.disk
            .queue
            .push_back(LogWrite::Certificate(sequence, hash, certificate));
        self.keep_snapshot(sequence, hash);
    }

    fn keep_snapshot(&mut self, sequence: Sequence, hash: Digest) {
        let is_stored = self
            .disk
            .block(sequence)
            .is_some_and(|stored| stored.hash == hash);
        if let Some(snapshot) = self.snapshots.remove(&sequence).filter(|_| is_stored) {
            self.disk.snapshot = Some(snapshot);
        }
    }

    fn install(&mut self, from: ReplicaId, blocks: Vec<StoredBlock>, verifier: &Verifier) -> Done {
        let mut installed = Vec::new();
        for fetched in blocks {
            let Some(certificate) = fetched.certificate.clone() else {
                break;
            };
            let sequence = fetched.block.sequence;
            let hash = fetched.block.hash();
            let Ok(proof) = verifier.certified(sequence, hash, certificate.clone()) else {
                break;
            };
            let below = sequence.0 as usize - 1;
            let known = self.block(sequence).map(|known| known.hash);
            let (time, digests) = (fetched.block.time, fetched.block.digests);
            if known != Some(hash) {
                if self.is_certified(sequence) || self.chain.len() < below {
                    break;
                }
                self.take_back(below);
                let block = self.machine.block(time, &digests);
                assert_eq!(block.hash(), hash, "the machine is deterministic");
                let stored = StoredBlock {
                    block,
                    hash,
                    batch: None,
                    certificate: None,
                };
                self.apply(stored, None);
            }
            let (stored, _) = &mut self.chain[below];
            stored.certificate.get_or_insert(certificate);
            let certified = self.chain.iter().map(|(stored, _)| stored);
            let certified = certified.take_while(|stored| stored.certificate.is_some());
            self.disk.store_certified(certified);
            self.keep_snapshot(sequence, hash);
            installed.push(durable(InstalledBlock {
                proof,
                time,
                digests,
            }));
        }
        if installed.is_empty() {
            Done::Useless(from)
        } else {
            Done::Installed(installed)
        }
    }

    /// The input that tells the core of a finished task.
    pub fn input_of(done: Done) -> Option<Input> {
        match done {
            Done::Executed(block) => Some(Input::Executed(block)),
            Done::PassedOver => None,
            Done::Installed(blocks) => Some(Input::BlocksInstalled(blocks)),
            Done::Useless(peer) => Some(Input::FetchFailed { peer }),
        }
    }
}

fn durable<T>(value: T) -> Durable<T> {
    let synced = Durable::after(vec![value], |_| Ok::<(), std::convert::Infallible>(()));
    synced
        .ok()
        .and_then(|mut group| group.pop())
        .expect("a sync that cannot fail gives its value back")
}
