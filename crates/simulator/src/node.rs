//! One simulated process: a replica with its disk, its bodies and its executor.

use std::collections::{BTreeSet, VecDeque};

use ledger::{Digest, ReplicaId, Timestamp};
use pbft::{
    Configuration, Durable, ExecutedBlock, Input, InstalledBlock, Moment, Replica, Sequence,
    StoredChain,
};
use pbft::{RestoreError, Verifier};

use crate::disk::Disk;
use crate::machine::{Machine, StoredBlock};
use crate::plan::Behaviour;

/// Work of the executor, done one by one.
#[derive(Debug, Clone)]
pub enum Task {
    /// Execute a committed batch.
    Execute(Sequence, Vec<Digest>, Timestamp),
    /// Install fetched blocks from this replica.
    Install(ReplicaId, Vec<StoredBlock>),
}

/// What became of a task.
pub enum Done {
    /// An executed block, and whether it is new.
    Executed(Durable<ExecutedBlock>),
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
    /// Bodies in memory.
    pub bodies: BTreeSet<Digest>,
    /// Waiting work.
    pub tasks: VecDeque<Task>,
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
            bodies: BTreeSet::new(),
            tasks: VecDeque::new(),
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
            .max(self.disk.blocks.len() - certified as usize);
        let blocks = self.disk.blocks.iter().rev().take(kept).rev();
        let blocks = blocks.map(|stored| pbft::StoredBlock {
            sequence: stored.block.sequence,
            block: stored.hash,
            time: stored.block.time,
            digests: stored.block.digests.clone(),
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

    /// Does the first task. New blocks are put into `stored`.
    pub fn do_task(&mut self, verifier: &Verifier, stored: &mut Vec<StoredBlock>) -> Option<Done> {
        match self.tasks.pop_front()? {
            Task::Execute(sequence, digests, time) => {
                Some(self.execute(sequence, &digests, time, stored))
            }
            Task::Install(from, blocks) => Some(self.install(from, blocks, verifier, stored)),
        }
    }

    fn execute(
        &mut self,
        sequence: Sequence,
        digests: &[Digest],
        time: Timestamp,
        stored: &mut Vec<StoredBlock>,
    ) -> Done {
        if let Some(known) = self.disk.block(sequence) {
            return Done::Executed(durable(ExecutedBlock {
                sequence,
                block: known.hash,
            }));
        }
        assert_eq!(
            sequence,
            self.machine.height.next(),
            "the core executes in order"
        );
        let block = self.machine.block(time, digests);
        let hash = block.hash();
        self.store(
            StoredBlock {
                block,
                hash,
                certificate: None,
            },
            stored,
        );
        Done::Executed(durable(ExecutedBlock {
            sequence,
            block: hash,
        }))
    }

    fn store(&mut self, new: StoredBlock, stored: &mut Vec<StoredBlock>) {
        self.machine.apply(&new.block, new.hash);
        self.disk.store(new.clone());
        let interval = self.configuration.limits.checkpoint_interval;
        if new.block.sequence.0.is_multiple_of(interval) {
            self.disk.snapshot = Some(self.machine.snapshot());
        }
        stored.push(new);
    }

    fn install(
        &mut self,
        from: ReplicaId,
        blocks: Vec<StoredBlock>,
        verifier: &Verifier,
        stored: &mut Vec<StoredBlock>,
    ) -> Done {
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
            let known = self.disk.block(sequence).map(|known| known.hash);
            if known.is_none() && sequence == self.machine.height.next() {
                let block = self
                    .machine
                    .block(fetched.block.time, &fetched.block.digests);
                let hash = block.hash();
                let certificate = Some(certificate.clone());
                self.store(
                    StoredBlock {
                        block,
                        hash,
                        certificate,
                    },
                    stored,
                );
            } else if known.is_none() {
                break;
            }
            self.disk.certify(sequence, certificate);
            let (time, digests) = (fetched.block.time, fetched.block.digests);
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
    pub fn input_of(done: Done) -> Input {
        match done {
            Done::Executed(block) => Input::Executed(block),
            Done::Installed(blocks) => Input::BlocksInstalled(blocks),
            Done::Useless(peer) => Input::FetchFailed { peer },
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
