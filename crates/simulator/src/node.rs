//! One simulated process: a replica with its disk, its bodies and its executor.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use ledger::{Certificate, Digest, ReplicaId, Timestamp};
use pbft::{
    Base, Configuration, Durable, ExecutedBlock, Input, InstalledBlock, Moment, Order, Replica,
    Sequence, StoredChain,
};
use pbft::{RestoreError, Verifier};

use crate::cluster::Packet;
use crate::disk::{Disk, LogWrite};
use crate::machine::{Machine, StoredBlock};
use crate::membership::Contract;
use crate::observer::Observer;
use crate::plan::Behaviour;
use crate::signing::scheme;

mod seat;

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
    /// Installed blocks, and the last height of the epoch, if one of them that was not here before announces the next.
    Installed(Vec<Durable<InstalledBlock>>, Option<Sequence>),
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
    /// The core; none while it is down, and where it observes.
    pub replica: Option<Replica>,
    /// What it does in an epoch in which it does not vote.
    pub observer: Option<Observer>,
    /// Messages of the next epoch, until it begins here as well.
    pub early: VecDeque<Packet>,
    /// When it last asked each of those who are in a later epoch how far they are.
    pub asked_ahead_us: BTreeMap<ReplicaId, u64>,
    /// When it last asked the replicas of its epoch, which is to end, how far they are.
    pub asked_at_end_us: u64,
    /// Counts starts, so that events of an earlier life are told apart.
    pub incarnation: u64,
    /// Its fault, if it has one.
    pub behaviour: Option<Behaviour>,
    /// Its disk was damaged: it counts as faulty.
    pub is_damaged: bool,
    /// It was taken out, and stopped for good.
    pub is_stopped: bool,
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
    /// How many of them announced an epoch.
    pub announcements_taken_back: u64,
    /// The next wakeup that is scheduled.
    pub wakeup: Option<u64>,
    /// After so many more effects the process is killed.
    pub killed_after_effects: Option<u64>,
    /// How far its wall clock is off, in microseconds.
    pub clock_offset: i64,
    /// Who checks what is said in the epoch in force here.
    pub verifier: Verifier,
    real_signatures: bool,
    /// The block before the first.
    genesis: Base,
    contract: Rc<Contract>,
    configuration: Configuration,
}

impl Node {
    /// A process that has not started; `configuration` is that of the first epoch, in which it may have no vote.
    pub fn new(
        index: usize,
        configuration: Configuration,
        behaviour: Option<Behaviour>,
        contract: Rc<Contract>,
        real_signatures: bool,
    ) -> Node {
        Node {
            index,
            replica_id: configuration.replica,
            replica: None,
            observer: None,
            early: VecDeque::new(),
            asked_ahead_us: BTreeMap::new(),
            asked_at_end_us: 0,
            incarnation: 0,
            behaviour,
            is_damaged: false,
            is_stopped: false,
            disk: Disk::default(),
            old_copy: None,
            machine: Machine::new(&configuration.base, Rc::clone(&contract)),
            chain: Vec::new(),
            snapshots: BTreeMap::new(),
            bodies: BTreeSet::new(),
            tasks: VecDeque::new(),
            taken_back: 0,
            announcements_taken_back: 0,
            wakeup: None,
            killed_after_effects: None,
            clock_offset: 0,
            verifier: Verifier::new(&configuration, scheme(real_signatures)),
            real_signatures,
            genesis: configuration.base,
            contract,
            configuration,
        }
    }

    /// Neither Byzantine nor on a damaged disk.
    pub fn is_correct(&self) -> bool {
        self.behaviour.is_none() && !self.is_damaged
    }

    /// What its core is set up with in the epoch in force.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// The block before the first.
    pub fn genesis(&self) -> &Base {
        &self.genesis
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
    pub fn start(&mut self, now: u64) -> Result<(), StartError> {
        self.incarnation += 1;
        self.bodies = self.disk.bodies.clone();
        let snapshot = self.disk.snapshot.clone();
        let new = || Machine::new(&self.genesis, Rc::clone(&self.contract));
        self.machine = snapshot.unwrap_or_else(new);
        for stored in &self.disk.blocks[self.machine.height.0 as usize..] {
            self.machine.apply(&stored.block, stored.hash);
        }
        let stored = self.disk.blocks.iter().cloned();
        self.chain = stored.map(|stored| (stored, None)).collect();
        self.snapshots.clear();
        let log = self.disk.read_log().map_err(|_| StartError::Damaged)?;
        self.take_first_seat(now, log)
    }

    /// The chain as the core of the epoch in force wants it: it knows the blocks of its own epoch.
    fn stored_chain(&self) -> StoredChain {
        let certified = self.disk.certified();
        let interval = self.configuration.limits.checkpoint_interval;
        let checkpoint = Sequence(certified / interval * interval);
        let stable = self.disk.block(checkpoint).and_then(|stored| {
            let certificate = stored.certificate.clone()?;
            let proof = (checkpoint, stored.hash, certificate);
            self.verifier.certified(proof.0, proof.1, proof.2).ok()
        });
        let kept = (2 * self.configuration.limits.window as usize)
            .max(self.disk.blocks.len() - certified as usize + 1);
        let base = self.configuration.base.sequence;
        let blocks = self.disk.blocks.iter().rev().take(kept).rev();
        let blocks = blocks.filter(|stored| stored.block.sequence > base);
        let blocks = blocks.map(|stored| pbft::StoredBlock {
            sequence: stored.block.sequence,
            block: stored.hash,
            batch: stored.batch,
            time: stored.block.time,
            digests: stored.block.digests.clone(),
            ends: stored.block.ends(),
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
        (self.replica, self.observer) = (None, None);
        self.early.clear();
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
    pub fn do_task(&mut self) -> Option<Done> {
        match self.tasks.pop_front()? {
            Task::Execute(order, digests) => Some(self.execute(order, &digests)),
            Task::Install(from, blocks) => Some(self.install(from, blocks)),
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
        if !self.is_newest(after) {
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
        let ends = stored.block.ends();
        self.apply(stored, Some(run));
        Done::Executed(ExecutedBlock {
            sequence,
            run,
            block: hash,
            ends,
        })
    }

    /// Whether the newest block is the one that an order is for: by the number of its own order, or, for a core that knows
    /// no such number (it began after that block), because it is certified.
    fn is_newest(&self, run: Option<u64>) -> bool {
        let newest = self.chain.last();
        let is_certified = newest.is_none_or(|(stored, _)| stored.certificate.is_some());
        #[cfg(feature = "mutants")]
        let is_certified = is_certified && !pbft::Mutant::FirstOrderPassedOver.is_active();
        run == newest.and_then(|(_, run)| *run) || run.is_none() && is_certified
    }

    /// Lets go of everything above the first `kept` blocks.
    fn take_back(&mut self, kept: usize) {
        if self.chain.len() > kept {
            self.taken_back += (self.chain.len() - kept) as u64;
            let given_way = self.chain[kept..].iter();
            let announcing = given_way.filter(|(stored, _)| stored.block.announced.is_some());
            self.announcements_taken_back += announcing.count() as u64;
            self.chain.truncate(kept);
            let last = self.chain.last().map(|(stored, _)| stored);
            self.machine.take_back_to(last, &self.genesis);
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

    /// Takes certified blocks of the epoch in force, and no others.
    fn install(&mut self, from: ReplicaId, blocks: Vec<StoredBlock>) -> Done {
        let (mut installed, mut ends) = (Vec::new(), None);
        for fetched in blocks {
            let Some(certificate) = fetched.certificate.clone() else {
                break;
            };
            let sequence = fetched.block.sequence;
            let hash = fetched.block.hash();
            if self.last_height().is_some_and(|last| sequence > last) {
                break;
            }
            let proof = self.verifier.certified(sequence, hash, certificate.clone());
            let Ok(proof) = proof else { break };
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
                ends = block.ends().or(ends);
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
            Done::Installed(installed, ends)
        }
    }

    /// The input that tells the core of a finished task.
    pub fn input_of(done: Done) -> Option<Input> {
        match done {
            Done::Executed(block) => Some(Input::Executed(block)),
            Done::PassedOver => None,
            Done::Installed(blocks, _) => Some(Input::BlocksInstalled(blocks)),
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
