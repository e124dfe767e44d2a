//! The core's thread: what is at hand is verified, given to the pure replica, and written with one sync; then what it says
//! goes out. The thread has the connection to the broker on which replicas talk to itself, so that a vote passes no other
//! thread on its way. The effects are done by `perform`, small blocks by `small_blocks`.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use execution::LeftOut;
use futures::{FutureExt, Stream, StreamExt};
use ledger::{Certificate, Digest, Epoch, EpochDescription, Height, ReplicaId, Timestamp};
use pbft::{HaltReason, Input, Moment, Sequence};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::accusations::Accusations;
use crate::body::{Body, BodyPool};
use crate::delivery::{Deliverer, Parcel};
use crate::epochs::Epochs;
use crate::inbound::Inbound;
use crate::intake::{Admitted, Reason};
use crate::journal::{Job, Writer};
use crate::outbound::Outbound;
use crate::peers::Peers;
use crate::recent::{Ordered, RecentBlocks};
use crate::reports::HALTED;
use crate::run_blocks::{Execution, ExecutionError, Task, Told};
use crate::seat::{Identity, Position, Seat};
use crate::state::StateStore;

/// How long the thread waits at most before it looks at its clocks.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// How much is heard before the clocks are looked at again.
pub const AT_HAND_MAX: usize = 256;

/// What the core's thread hears.
#[derive(Debug)]
pub enum Heard {
    /// Stored blocks, or what else the core takes as it is.
    Input(Input),
    /// Transactions that were found good.
    Admitted(Admitted),
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

impl Heard {
    /// Execution failed.
    pub fn of_failed_execution(error: &ExecutionError) -> Heard {
        let reason = error.to_string();
        match error {
            ExecutionError::Divergence { height, .. } => Heard::Diverged(*height, reason),
            _ => Heard::Failed(reason),
        }
    }
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
    pub writer: Writer,
    /// Execution.
    pub execution: Execution,
    /// Delivery.
    pub delivery: Deliverer,
    /// Fetching blocks.
    pub fetch: tokio::sync::mpsc::Sender<FetchOrder>,
    /// The broker.
    pub outbound: Outbound,
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
    /// What is to be executed next.
    pub(crate) tasks: VecDeque<Task>,
    /// Blocks with their certificates that are to be delivered next.
    pub(crate) parcels: VecDeque<(Height, Certificate)>,
    /// What is to be written next.
    pub(crate) jobs: Vec<Job>,
    /// What is to be said to all next.
    pub(crate) said: Vec<Vec<u8>>,
    /// Whether something was given to the connection that it has not had the time to send.
    pub(crate) has_published: bool,
    /// What proposals among it name.
    pub(crate) proposed: Vec<Arc<Body>>,
    /// The newest certified block whose writes execution has not been told to keep.
    pub(crate) certified: Option<Height>,
    pub(crate) inbound: Inbound,
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
    /// When batches that are not prepared yet passed the phases before; for traces alone.
    pub(crate) ordered: BTreeMap<Sequence, Ordered>,
    pub(crate) next_message: u64,
    pub(crate) halted: Option<HaltReason>,
    pub(crate) failed: Option<String>,
    is_stopping: bool,
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
    /// What other replicas say.
    pub inbound: Inbound,
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
            inbound,
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
            tasks: VecDeque::new(),
            parcels: VecDeque::new(),
            jobs: Vec::new(),
            said: Vec::new(),
            has_published: false,
            proposed: Vec::new(),
            certified: None,
            inbound,
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
            is_stopping: false,
            metrics: Metrics::new(),
        }
    }

    /// Runs until told to stop. `messages` are those of other replicas, in groups of what is at hand.
    ///
    /// # Errors
    /// [`CoreError`]: the process ends unhealthy.
    pub async fn run(
        mut self,
        mut inbox: UnboundedReceiver<Heard>,
        mut messages: impl Stream<Item = Vec<async_nats::Message>> + Unpin,
    ) -> Result<(), CoreError> {
        self.begin();
        self.settle(&mut inbox).await?;
        let mut at_hand = Vec::with_capacity(AT_HAND_MAX);
        loop {
            tokio::select! {
                heard = inbox.recv_many(&mut at_hand, AT_HAND_MAX) => {
                    if heard == 0 {
                        return Ok(());
                    }
                }
                group = messages.next() => self.receive(group)?,
                () = tokio::time::sleep(self.patience()) => self.step(Input::Wakeup),
            }
            for heard in at_hand.drain(..) {
                self.hear(heard)?;
            }
            if let Some(group) = messages.next().now_or_never() {
                self.receive(group)?;
            }
            self.hear_replicas();
            self.look_at_clocks();
            self.settle(&mut inbox).await?;
            if self.is_stopping {
                return Ok(());
            }
            if let Some(reason) = self.failed.take() {
                return Err(CoreError::Failed(reason));
            }
            if let Some(reason) = self.halted.take() {
                return Err(CoreError::Halted(reason, self.data.join(HALTED)));
            }
        }
    }

    fn receive(&mut self, group: Option<Vec<async_nats::Message>>) -> Result<(), CoreError> {
        let closed = || CoreError::Failed("the connection to the broker is closed".to_owned());
        for message in group.ok_or_else(closed)? {
            self.inbound.hear(&message.subject, message.payload);
        }
        Ok(())
    }

    fn hear_replicas(&mut self) {
        let certified = match &self.seat {
            Seat::Votes(replica) => replica.summary().certified,
            Seat::Observes(..) => Sequence(0),
        };
        for message in self.inbound.verified(certified) {
            self.step(Input::Message(message));
        }
        // After the proposals that name them.
        let seat = &self.seat;
        let checked = self.inbound.bodies(|wire| match seat {
            Seat::Votes(replica) => replica.wants(wire),
            Seat::Observes(..) => false,
        });
        if !checked.is_empty() {
            self.step(Input::BodiesHeld(checked));
        }
    }

    /// Says what may be said, executes what is to be executed and writes what is to be written, until nothing is left.
    async fn settle(&mut self, inbox: &mut UnboundedReceiver<Heard>) -> Result<(), CoreError> {
        loop {
            self.speak();
            if std::mem::take(&mut self.has_published) {
                // What was said goes out before anything else is done.
                tokio::task::yield_now().await;
            }
            self.execute_tasks(inbox)?;
            if self.has_published || !self.said.is_empty() {
                continue;
            }
            // Who answers does so before the disk is waited for; the others have time.
            if !self.parcels.is_empty() && (self.jobs.is_empty() || self.is_primary()) {
                self.deliver_parcels()?;
                tokio::task::yield_now().await;
            }
            if self.jobs.is_empty() {
                return Ok(());
            }
            let mut written = Vec::new();
            let jobs = std::mem::take(&mut self.jobs);
            let certified = self.certified.take();
            let result = self
                .performers
                .writer
                .write(jobs, &mut |what| written.push(what));
            if let Err(error) = result {
                return Err(self.stop(error.to_string(), None));
            }
            if let Some(height) = certified {
                // The block was given before its certificate, so it is durable.
                self.tell_execution(Task::Certified(height));
            }
            for votes in written {
                self.step(Input::Persisted(votes));
            }
        }
    }

    fn is_primary(&self) -> bool {
        let summary = self.seat.summary();
        summary.is_some_and(|summary| summary.primary == self.identity.me)
    }

    pub(crate) fn stop(&mut self, reason: String, at: Option<Height>) -> CoreError {
        self.write_report(HALTED, &reason, at);
        CoreError::Failed(reason)
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
        self.look_at_others();
        self.tell_position();
    }

    fn look_at_others(&mut self) {
        let now = Instant::now();
        if self.inbound.watch().is_due(now) {
            let certified = self.seat.certified();
            self.inbound.watch().look(certified, now);
            self.look_at_end(certified, now);
        }
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

    pub(crate) fn hear(&mut self, heard: Heard) -> Result<(), CoreError> {
        match heard {
            Heard::Input(Input::BlocksInstalled(blocks)) => {
                let last = blocks
                    .last()
                    .map(|block| block.get().proof.sequence().height());
                if let Some(last) = last {
                    self.inbound.watch().fetched(Sequence::from(last));
                }
                self.step(Input::BlocksInstalled(blocks));
            }
            Heard::Input(input) => self.step(input),
            // This thread alone forgets bodies.
            Heard::Admitted(admitted) => {
                let Admitted { reason, requests } = admitted.still_held(&self.bodies);
                self.step(match reason {
                    Reason::Submitted | Reason::Witnessed | Reason::PassedOn => {
                        Input::Submitted(requests)
                    }
                    Reason::Addressed => Input::Addressed(requests),
                    Reason::Relayed => Input::Relayed(requests),
                    Reason::Proposed => Input::BodiesHeld(requests),
                });
            }
            Heard::Told(Told::Executed(executed, block, bodies)) => {
                // Before the COMMIT that speaks for it.
                self.jobs.push(Job::Block(block, bodies));
                self.step(Input::Executed(executed));
            }
            Heard::Told(Told::NextDue(due)) => self.next_due = due,
            Heard::Told(Told::EpochEnds(last)) => self.step(Input::EpochEnds(Sequence::from(last))),
            Heard::Told(Told::LeftOut(left)) => self.keep_left_out(&left),
            Heard::Told(Told::Installed(blocks)) => {
                self.performers.delivery.give(Parcel::Installed(blocks));
            }
            Heard::Fetched { peer, last } => {
                // A replica that votes knows by its own clocks what it still lacks.
                if let Seat::Observes(observer, _) = &mut self.seat {
                    observer.fetched(peer, last, Instant::now());
                    self.observe();
                }
            }
            Heard::Failed(reason) => return Err(self.stop(reason, None)),
            Heard::Diverged(height, reason) => return Err(self.stop(reason, Some(height))),
            Heard::Stop => self.is_stopping = true,
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
            Seat::Observes(..) => self.step_observing(input),
        }
    }
}
