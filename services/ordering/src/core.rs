//! The core's thread: one input at a time into the pure replica; its effects go out by `perform`.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use execution::LeftOut;
use ledger::{Digest, Epoch, EpochDescription, Height, ReplicaId, Timestamp};
use pbft::{Base, HaltReason, Input, Moment, Sequence};

use crate::accusations::Accusations;
use crate::body::{Body, BodyPool};
use crate::delivery::Parcel;
use crate::epochs::Epochs;
use crate::inbound::Incoming;
use crate::intake::Admitted;
use crate::journal::Job;
use crate::journal::writer::Written;
use crate::outbound::Outbound;
use crate::peers::Peers;
use crate::recent::{Ordered, RecentBlocks};
use crate::reports::HALTED;
use crate::run_blocks::{Task, Told};
use crate::seat::{CurrentVerifier, Identity, Position, Seat};
use crate::state::StateStore;

/// How long the thread waits at most before it looks at its clocks.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// What the core's thread hears.
#[derive(Debug)]
pub enum Heard {
    /// A verified message, stored blocks, or what else the core takes as it is.
    Input(Input),
    /// Transactions that were found good.
    Admitted(Admitted),
    /// Something is durable.
    Written(Written),
    /// Word from execution.
    Told(Told),
    /// An order of blocks is done: all that came of it was handed to execution.
    Fetched {
        /// Who was asked.
        peer: ReplicaId,
        /// The last height that came.
        last: Height,
    },
    /// A thread failed: this replica must stop.
    Failed(String),
    /// Execution gave another block than the others certified: this replica must stop.
    Diverged(Height, String),
    /// End the thread.
    Stop,
}

/// Fetch these blocks of that peer.
#[derive(Clone, Copy, Debug)]
pub struct FetchOrder {
    /// The first height.
    pub first: Sequence,
    /// The last height.
    pub last: Sequence,
    /// Whom to ask.
    pub peer: ReplicaId,
    /// The epoch whose blocks are wanted, and no others.
    pub epoch: Epoch,
}

/// Why the core's thread ended.
#[derive(Debug, thiserror::Error)]
pub enum CoreError {
    /// Something that must never happen did; the replica says nothing from then on.
    #[error("halted: {0}. A report is in {report}", report = .1.display())]
    Halted(HaltReason, PathBuf),
    /// Another thread failed.
    #[error("{0}")]
    Failed(String),
}

/// Where effects go.
pub struct Performers {
    /// The journal.
    pub journal: Sender<Job>,
    /// Execution.
    pub execution: Sender<Task>,
    /// Delivery.
    pub delivery: Sender<Parcel>,
    /// Fetching blocks.
    pub fetch: tokio::sync::mpsc::Sender<FetchOrder>,
    /// The broker.
    pub outbound: Outbound,
    /// The thread that receives: it hears when an epoch begins.
    pub inbound: std::sync::mpsc::SyncSender<Incoming>,
}

/// The core with what its effects need.
pub struct Core {
    pub(crate) seat: Seat,
    pub(crate) identity: Identity,
    pub(crate) epochs: Arc<Epochs>,
    /// The epoch in force.
    pub(crate) epoch: EpochDescription,
    pub(crate) started: Instant,
    pub(crate) bodies: Arc<BodyPool>,
    pub(crate) recent: Arc<RecentBlocks>,
    pub(crate) performers: Performers,
    pub(crate) verifier: Arc<CurrentVerifier>,
    pub(crate) peers: Arc<Peers>,
    pub(crate) store: StateStore,
    position: Arc<Mutex<Position>>,
    waiting: Arc<AtomicUsize>,
    pub(crate) data: PathBuf,
    pub(crate) accusations: Accusations,
    next_due: Option<Timestamp>,
    /// The due time that the core was told of last.
    told_due: Option<Timestamp>,
    /// Bodies that were ordered and left out of their block, and may become valid later: the core counts them as held.
    pub(crate) left_out: HashMap<Digest, Arc<Body>>,
    /// When batches that are not committed yet passed the phases before; for traces alone.
    pub(crate) ordered: BTreeMap<Sequence, Ordered>,
    pub(crate) next_message: u64,
    pub(crate) halted: Option<HaltReason>,
    pub(crate) failed: Option<String>,
    pub(crate) metrics: Metrics,
}

pub(crate) struct Metrics {
    view: chassis::metrics::Gauge,
    waiting: chassis::metrics::Gauge,
    bodies: chassis::metrics::Gauge,
    pub(crate) batch: chassis::metrics::Gauge,
    pub(crate) view_changes: chassis::metrics::Counter,
    pub(crate) equivocations: chassis::metrics::Counter,
}

impl Metrics {
    fn new() -> Metrics {
        use chassis::metrics::{counter, gauge};
        Metrics {
            view: gauge("ordering_view", "the view this replica works in"),
            waiting: gauge("ordering_waiting", "transactions that wait to be certified"),
            bodies: gauge("ordering_bodies", "transaction bodies in memory"),
            batch: gauge(
                "ordering_batch_transactions",
                "transactions in the newest executed batch",
            ),
            view_changes: counter("ordering_views_entered_total", "views entered"),
            equivocations: counter(
                "ordering_equivocations_total",
                "pairs of contradicting signed messages seen",
            ),
        }
    }
}

/// What a [`Core`] is made of.
pub struct Parts {
    /// The seat in the epoch in force.
    pub seat: Seat,
    /// Who this is.
    pub identity: Identity,
    /// The epochs.
    pub epochs: Arc<Epochs>,
    /// The epoch in force.
    pub epoch: EpochDescription,
    /// The origin of its monotonic clock.
    pub started: Instant,
    /// The bodies.
    pub bodies: Arc<BodyPool>,
    /// The latest blocks.
    pub recent: Arc<RecentBlocks>,
    /// Where effects go.
    pub performers: Performers,
    /// Who checks messages of the epoch in force.
    pub verifier: Arc<CurrentVerifier>,
    /// Who is heard of.
    pub peers: Arc<Peers>,
    /// The state, in which proven equivocations are found.
    pub store: StateStore,
    /// Where it stands, for those who ask.
    pub position: Arc<Mutex<Position>>,
    /// How many transactions wait, for the intake.
    pub waiting: Arc<AtomicUsize>,
    /// The data folder, where a report is written when it halts.
    pub data: PathBuf,
    /// When something is due.
    pub next_due: Option<Timestamp>,
}

/// The two clocks.
pub fn moment(started: Instant) -> Moment {
    Moment {
        monotonic: Timestamp(started.elapsed().as_micros() as u64),
        wall: Timestamp(chassis::clock::now()),
    }
}

impl Core {
    /// A core's thread to be.
    pub fn new(parts: Parts) -> Core {
        let Parts {
            seat,
            identity,
            epochs,
            epoch,
            started,
            bodies,
            recent,
            performers,
            verifier,
            peers,
            store,
            position,
            waiting,
            data,
            next_due,
        } = parts;
        Core {
            seat,
            identity,
            epochs,
            epoch,
            started,
            bodies,
            recent,
            performers,
            verifier,
            peers,
            store,
            position,
            waiting,
            data,
            accusations: Accusations::default(),
            next_due,
            told_due: None,
            left_out: HashMap::new(),
            ordered: BTreeMap::new(),
            next_message: chassis::clock::now(),
            halted: None,
            failed: None,
            metrics: Metrics::new(),
        }
    }

    /// Runs until told to stop.
    ///
    /// # Errors
    /// [`CoreError`]: the process ends unhealthy.
    pub fn run(mut self, inbox: &Receiver<Heard>) -> Result<(), CoreError> {
        self.begin();
        loop {
            match inbox.recv_timeout(self.patience()) {
                Ok(Heard::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Ok(heard) => self.hear(heard)?,
                Err(RecvTimeoutError::Timeout) => self.step(Input::Wakeup),
            }
            // What else is at hand, before the clocks are looked at again.
            for _ in 0..256 {
                match inbox.try_recv() {
                    Ok(Heard::Stop) => return Ok(()),
                    Ok(heard) => self.hear(heard)?,
                    Err(_) => break,
                }
            }
            self.look_at_clocks();
            if let Some(reason) = self.failed.take() {
                return Err(CoreError::Failed(reason));
            }
            if let Some(reason) = self.halted.take() {
                return Err(CoreError::Halted(reason, self.data.join(HALTED)));
            }
        }
    }

    fn patience(&self) -> Duration {
        let now = moment(self.started);
        let until =
            |at: Timestamp, now: Timestamp| Duration::from_micros(at.0.saturating_sub(now.0));
        let core = match &self.seat {
            Seat::Votes(replica) => replica
                .next_wakeup()
                .map_or(WAIT_MAX, |at| until(at, now.monotonic)),
            Seat::Observes(observer, _) => observer
                .next_wakeup()
                .saturating_duration_since(Instant::now()),
        };
        let report = self.accusations.next_due().map_or(WAIT_MAX, |due| {
            due.saturating_duration_since(Instant::now())
        });
        let due = self.next_due.filter(|due| Some(*due) != self.told_due);
        let due = due.map_or(WAIT_MAX, |at| until(at, now.wall));
        core.min(due).min(report).min(WAIT_MAX)
    }

    fn look_at_clocks(&mut self) {
        let now = moment(self.started);
        if let Some(due) = self
            .next_due
            .filter(|due| *due <= now.wall && Some(*due) != self.told_due)
        {
            self.told_due = Some(due);
            self.step(Input::DeadlineDue(due));
        }
        let is_due = match &self.seat {
            Seat::Votes(replica) => replica.next_wakeup().is_some_and(|at| at <= now.monotonic),
            Seat::Observes(observer, _) => observer.next_wakeup() <= Instant::now(),
        };
        if is_due {
            self.step(Input::Wakeup);
        }
        self.report_equivocations();
        self.tell_position();
    }

    fn tell_position(&self) {
        let summary = self.seat.summary();
        let requests = summary.map_or(0, |summary| summary.requests);
        let view = summary.map_or(0, |summary| summary.view.0);
        self.metrics.view.set(view as i64);
        self.waiting.store(requests, Ordering::Relaxed);
        self.metrics.waiting.set(requests as i64);
        self.metrics.bodies.set(self.bodies.len() as i64);
        *self.position.lock().unwrap_or_else(PoisonError::into_inner) = Position {
            epoch: self.epoch.epoch,
            standing: self.seat.standing(),
            summary,
        };
    }

    fn hear(&mut self, heard: Heard) -> Result<(), CoreError> {
        match heard {
            Heard::Input(input) => self.step(input),
            Heard::Admitted(Admitted::Submitted(requests)) => self.step(Input::Submitted(requests)),
            Heard::Admitted(Admitted::Held(digests)) => self.step(Input::BodiesHeld(digests)),
            Heard::Written(Written::Votes(votes)) => self.step(Input::Persisted(votes)),
            Heard::Written(Written::Block(block)) => {
                self.tell_execution(Task::Durable(block.get().sequence.height()));
                self.step(Input::Executed(block));
            }
            Heard::Told(Told::NextDue(due)) => self.next_due = due,
            Heard::Told(Told::EpochEnds(last)) => self.step(Input::EpochEnds(Sequence::from(last))),
            Heard::Told(Told::LeftOut(left)) => self.keep_left_out(&left),
            Heard::Told(Told::Installed(blocks)) => {
                let _ = self.performers.delivery.send(Parcel::Installed(blocks));
            }
            Heard::Fetched { peer, last } => {
                // A replica that votes knows by its own clocks what it still lacks.
                if let Seat::Observes(observer, _) = &mut self.seat {
                    observer.fetched(peer, last, Instant::now());
                    self.observe();
                }
            }
            Heard::Failed(reason) => {
                self.write_report(HALTED, &reason, None);
                return Err(CoreError::Failed(reason));
            }
            Heard::Diverged(height, reason) => {
                self.write_report(HALTED, &reason, Some(height));
                return Err(CoreError::Failed(reason));
            }
            Heard::Stop => {}
        }
        Ok(())
    }

    fn keep_left_out(&mut self, left: &[(Digest, LeftOut)]) {
        let now = chassis::clock::now();
        self.left_out
            .retain(|_, body| body.transaction.signed.body.valid_until.0 >= now);
        for (wire, reason) in left {
            if *reason == LeftOut::NotValidNow
                && let Some(body) = self.bodies.get(wire)
            {
                self.left_out.insert(*wire, body);
            }
        }
    }

    pub(crate) fn step(&mut self, input: Input) {
        let now = moment(self.started);
        match &mut self.seat {
            Seat::Votes(replica) => {
                for effect in replica.step(now, input) {
                    self.perform(effect);
                }
            }
            Seat::Observes(observer, _) => {
                let now = Instant::now();
                match input {
                    Input::BlocksInstalled(blocks) => {
                        let last = blocks.last().map(|block| block.get().clone());
                        if let Some(last) = last {
                            observer.installed(last.proof.sequence().height(), now);
                            self.check_end_of_observed(Base {
                                sequence: last.proof.sequence(),
                                block: last.proof.block(),
                                time: last.time,
                            });
                        }
                    }
                    Input::FetchFailed { peer } => observer.failed(peer, now),
                    // An observer keeps nothing for anybody: what clients want ordered is with those who vote.
                    Input::Submitted(requests) => {
                        let digests: Vec<Digest> =
                            requests.iter().map(|request| request.digest).collect();
                        self.bodies.forget(&digests);
                    }
                    Input::BodiesHeld(digests) => self.bodies.forget(&digests),
                    _ => {}
                }
                self.observe();
            }
        }
    }
}
