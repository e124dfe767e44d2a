//! One simulated process: a replica with its disk, its bodies and its executor.

use std::collections::{BTreeSet, VecDeque};

use ledger::{Digest, Timestamp};
use pbft::{
    Configuration, Durable, ExecutedBlock, Input, InstalledBlock, Moment, Replica, Sequence,
    StoredChain,
};
use pbft::{LogRecord, RestoreError, Verifier};

use crate::byzantine::Twister;
use crate::disk::Disk;
use crate::machine::{Machine, StoredBlock};
use crate::plan::Behaviour;

/// Work of the executor, done one by one.
#[derive(Debug, Clone)]
pub enum Task {
    /// Execute a committed batch.
    Execute(Sequence, Vec<Digest>, Timestamp),
    /// Install fetched blocks from this replica.
    Install(usize, Vec<StoredBlock>),
}

/// What became of a task.
pub enum Done {
    /// An executed block, and whether it is new.
    Executed(Durable<ExecutedBlock>),
    /// Installed blocks.
    Installed(Vec<Durable<InstalledBlock>>),
    /// The blocks of this replica were no good.
    Useless(usize),
}

/// A process.
pub struct Node {
    /// Its number.
    pub id: usize,
    /// The core; none while it is down.
    pub replica: Option<Replica>,
    /// Counts starts, so that events of an earlier life are told apart.
    pub incarnation: u64,
    /// Its fault, if it has one.
    pub behaviour: Option<Behaviour>,
    /// What twists its messages.
    pub twister: Twister,
    /// What survives a crash.
    pub disk: Disk,
    /// The executed state.
    pub machine: Machine,
    /// Bodies in memory.
    pub bodies: BTreeSet<Digest>,
    /// Waiting work.
    pub tasks: VecDeque<Task>,
    /// The next wakeup that is scheduled.
    pub wakeup: Option<u64>,
    /// How far its wall clock is off, in microseconds.
    pub clock_offset: i64,
    /// Whether its key is an Ed25519 key.
    pub real_signatures: bool,
    configuration: Configuration,
}

impl Node {
    /// A process that has not started.
    pub fn new(id: usize, configuration: Configuration, behaviour: Option<Behaviour>) -> Node {
        Node {
            id,
            replica: None,
            incarnation: 0,
            behaviour,
            twister: Twister::default(),
            disk: Disk::default(),
            machine: Machine::new(&configuration.base),
            bodies: BTreeSet::new(),
            tasks: VecDeque::new(),
            wakeup: None,
            clock_offset: 0,
            real_signatures: false,
            configuration,
        }
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
        1_000_000 * self.id as u64
    }

    /// The virtual time at which the node's monotonic clock shows `monotonic`.
    pub fn virtual_time(&self, monotonic: Timestamp) -> u64 {
        monotonic.0.saturating_sub(self.clock_origin())
    }

    /// Starts the process from its disk.
    pub fn start(&mut self, now: u64, verifier: &Verifier) -> Result<(), RestoreError> {
        self.incarnation += 1;
        self.bodies = self.disk.bodies.clone();
        self.machine = Machine::new(&self.configuration.base);
        for stored in &self.disk.blocks {
            self.machine.apply(&stored.block, stored.hash);
        }
        let chain = self.stored_chain(verifier);
        let log: Vec<LogRecord> = self.disk.log.clone();
        let signer = crate::signing::signer(self.real_signatures, self.id);
        let replica = Replica::restore(
            self.configuration.clone(),
            signer,
            log,
            chain,
            self.moment(now),
        )?;
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

    /// The process dies; what was in memory is gone.
    pub fn crash(&mut self, random: &mut crate::random::Random) {
        self.replica = None;
        self.incarnation += 1;
        self.disk.crash(random);
        self.tasks.clear();
        self.wakeup = None;
    }

    /// Whether a body is in memory or in a stored block.
    pub fn has_body(&self, digest: &Digest) -> bool {
        self.bodies.contains(digest) || self.machine.is_done(digest)
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
        self.machine.apply(&block, hash);
        let new = StoredBlock {
            block,
            hash,
            certificate: None,
        };
        self.disk.store(new.clone());
        stored.push(new);
        Done::Executed(durable(ExecutedBlock {
            sequence,
            block: hash,
        }))
    }

    fn install(
        &mut self,
        from: usize,
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
            match self.disk.block(sequence) {
                Some(known) => assert_eq!(
                    known.hash, hash,
                    "a certified block differs from the stored one"
                ),
                None if sequence == self.machine.height.next() => {
                    let block = self
                        .machine
                        .block(fetched.block.time, &fetched.block.digests);
                    assert_eq!(
                        block.hash(),
                        hash,
                        "a certified block executes to the same hash"
                    );
                    self.machine.apply(&block, hash);
                    let new = StoredBlock {
                        block,
                        hash,
                        certificate: Some(certificate.clone()),
                    };
                    self.disk.store(new.clone());
                    stored.push(new);
                }
                None => break,
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
            Done::Useless(peer) => Input::FetchFailed {
                peer: ledger::ReplicaId(peer as u16),
            },
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
