//! Puts a replica together from its parts, and takes it apart again.

use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, RwLock};
use std::thread::JoinHandle;
use std::time::Instant;

use anyhow::Context as _;
use bus::{Bus, subjects};
use chassis::Shutdown;
use keys::Secret;
use ledger::SigningKey;
use pbft::{Input, Sequence};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::binding;
use crate::bodies_wanted::{self, Library};
use crate::config::Config;
use crate::core::{Core, FetchOrder, Heard, Parts, Performers, moment};
use crate::delivery::{Deliverer, Delivery, Parcel, Stored};
use crate::executed::LatelyExecuted;
use crate::how_far::{self, HowFar};
use crate::inbound::{self, Inbound};
use crate::intake::{Checker, Intake};
use crate::outbound::Outbound;
use crate::peers::Peers;
use crate::phases::Phases;
use crate::reports::HALTED;
use crate::restore::{Restored, Restoring};
use crate::run_blocks::{BlockRunner, Execution, Task};
use crate::seat::{Identity, Position};
use crate::serve::{Desk, serve};
use crate::watch::{Notices, Watch};
use crate::worker::Worker;
use crate::{divergence, fetch, line, submissions};

/// Runs one replica until it is told to stop.
///
/// # Errors
/// What keeps it from starting, or what made it stop: a failed disk, a divergence, a contradiction.
pub async fn run(config: Config, shutdown: Shutdown) -> anyhow::Result<()> {
    anyhow::ensure!(
        config.bus.user == subjects::replica_name(config.replica),
        "bus.user: must be {} for replica {}",
        subjects::replica_name(config.replica),
        config.replica
    );
    let mut keys = vec![voting_key(&config.voting_key_file).context("voting_key_file")?];
    if let Some(path) = &config.next_voting_key_file {
        keys.push(voting_key(path).context("next_voting_key_file")?);
    }
    let bound = binding::bind(&config.voting_key_file, &config.data)
        .with_context(|| format!("data {}", config.data.display()))?;
    if let Err(unbound) = &bound {
        tracing::error!(%unbound, "in quarantine: this replica follows the chain and never votes with this key. Have it replaced by a new one (docs/ordering-rules.md)");
    }
    let identity = Identity {
        me: config.replica,
        keys,
        quarantined: bound.is_err(),
    };
    let bus = Bus::connect(&config.bus).await?;
    let restored = restore(&config, &bus).await?;
    let mut running = Running::start(&config, &bus, identity, restored).await?;
    tracing::info!(replica = config.replica.0, "ready");
    shutdown.ready();
    let failed = tokio::select! {
        () = shutdown.requested() => None,
        failed = &mut running.failed => Some(failed),
    };
    tokio::task::spawn_blocking(move || running.stop()).await?;
    if failed.is_some() {
        divergence::complete_report(&bus, config.replica, &config.data.join(HALTED)).await;
    }
    bus.close().await;
    match failed {
        None => Ok(()),
        Some(Ok(reason)) => Err(anyhow::anyhow!(reason)),
        Some(Err(_)) => Err(anyhow::anyhow!("the core's thread is gone")),
    }
}

fn voting_key(path: &Path) -> anyhow::Result<SigningKey> {
    let seed = Secret::load(path)?;
    Ok(SigningKey::from_seed(*seed.expose()))
}

async fn restore(config: &Config, bus: &Bus) -> anyhow::Result<Restored> {
    let (data, genesis) = (config.data.clone(), bus.genesis().clone());
    let limits = config.tuning.limits();
    let restored = tokio::task::spawn_blocking(move || {
        let restoring = Restoring {
            data: &data,
            genesis: &genesis,
            limits,
        };
        restoring.restore()
    });
    restored
        .await?
        .with_context(|| format!("data {}", config.data.display()))
}

/// A replica at work.
struct Running {
    core: UnboundedSender<Heard>,
    execution: Execution,
    delivery: Deliverer,
    /// The core's thread, then those it feeds.
    threads: Vec<JoinHandle<()>>,
    tasks: Vec<tokio::task::AbortHandle>,
    failed: tokio::sync::oneshot::Receiver<String>,
}

/// Starts a thread; should it panic, the core hears of it and the replica stops.
fn thread(
    name: &'static str,
    core: UnboundedSender<Heard>,
    work: impl FnOnce() + Send + 'static,
) -> JoinHandle<()> {
    struct Watch(&'static str, UnboundedSender<Heard>);
    impl Drop for Watch {
        fn drop(&mut self) {
            if std::thread::panicking() {
                let _ = self
                    .1
                    .send(Heard::Failed(format!("the thread {} panicked", self.0)));
            }
        }
    }
    let watched = move || {
        let _watch = Watch(name, core);
        work();
    };
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(watched)
        .expect("a thread can be started")
}

impl Running {
    async fn start(
        config: &Config,
        bus: &Bus,
        identity: Identity,
        restored: Restored,
    ) -> anyhow::Result<Running> {
        let started = Instant::now();
        let epochs = restored.epochs.clone();
        let base = restored.base;
        let epoch = epochs.at(base.sequence.next().height());
        let members = epoch.replicas.iter().map(|member| member.replica);
        let peers = Arc::new(Peers::new(config.replica, members.clone()));
        let notices = Notices::default();
        let mut watch = Watch::new(notices.clone(), started);
        let others = members.filter(|replica| *replica != config.replica);
        let certified = Sequence::from(restored.tip.height);
        watch.begin(others, certified.max(base.sequence), started);
        let outbound = Outbound::start(bus.client().clone());
        let transactions = restored.store.transactions()?;
        let stored = Arc::new(Stored {
            folder: config.data.join("blocks"),
            store: restored.store.clone(),
            tip: RwLock::new(restored.tip),
            transactions: AtomicU64::new(transactions),
            epochs: epochs.clone(),
            executed: LatelyExecuted::new(restored.runner.used().transactions()),
        });
        let core = unbounded_channel();
        let phases = Arc::new(Phases::default());
        let desk_key = identity.keys[0].clone();
        let to_core = core.0.clone();
        let (execution, tasks) = Worker::new(restored.runner);
        let execution_thread = thread("execution", core.0.clone(), move || {
            let mut tell = |told| drop(to_core.send(Heard::Told(told)));
            if let Err(error) = BlockRunner::run(tasks, &mut tell) {
                let _ = to_core.send(Heard::of_failed_execution(&error));
            }
        });
        let (to_core, to_execution) = (core.0.clone(), execution.clone());
        let (delivery, parcels) = Worker::new(Delivery::new(
            config.replica,
            stored.clone(),
            restored.files,
            restored.recent.clone(),
            peers.clone(),
            phases.clone(),
        ));
        let outbound_of_delivery = outbound.clone();
        let delivery_thread = thread("delivery", core.0.clone(), move || {
            let mut installed = |blocks: crate::delivery::StoredBlocks| {
                if let Some(last) = blocks.last() {
                    to_execution.give(Task::Certified(last.get().proof.sequence().height()));
                }
                let _ = to_core.send(Heard::Input(Input::BlocksInstalled(blocks)));
            };
            if let Err(error) = Delivery::run(parcels, &outbound_of_delivery, &mut installed) {
                let _ = to_core.send(Heard::Failed(error.to_string()));
            }
        });

        let seat = identity.take_seat(
            &epochs,
            base,
            restored.votes,
            restored.chain,
            moment(started),
        )?;
        let position = Arc::new(Mutex::new(Position {
            epoch: epoch.epoch,
            standing: seat.standing(),
            summary: seat.summary(),
        }));
        let waiting = Arc::new(AtomicUsize::new(0));
        let (fetch_orders, orders) = tokio::sync::mpsc::channel::<FetchOrder>(fetch::ORDERS_MAX);
        let checker = Checker {
            chain: bus.chain(),
            replica: config.replica,
            bodies: restored.bodies.clone(),
            stored: stored.clone(),
            delivery: delivery.clone(),
            outbound,
            peers: peers.clone(),
            waiting: waiting.clone(),
            waiting_max: config.tuning.waiting_transactions_max,
            bodies_max: config.tuning.bodies_max(),
            checked: chassis::metrics::counter(
                "ordering_checked_total",
                "transaction signatures checked",
            ),
        };
        let to_core = core.0.clone();
        let intake = Intake::start(checker, config.tuning.checking_threads, move |admitted| {
            let _ = to_core.send(Heard::Admitted(admitted));
        });

        let (wanted, bodies_wanted) = sync_channel(bodies_wanted::QUESTIONS_MAX);
        let (questions, those_named) = tokio::sync::mpsc::channel(how_far::QUESTIONS_MAX);
        let inbound = Inbound::new(inbound::Parts {
            me: config.replica,
            verifier: epochs.verifier(base),
            how_far: HowFar::new(questions, started),
            peers: peers.clone(),
            bodies_wanted: wanted,
            intake: intake.clone(),
            watch,
        });
        let (data, store) = (config.data.clone(), restored.store.clone());
        let (bodies, recent) = (restored.bodies.clone(), restored.recent.clone());
        let (to_execution, to_delivery) = (execution.clone(), delivery.clone());
        let (known_epochs, known_position) = (epochs.clone(), position.clone());
        let (writer, next_due) = (restored.writer, restored.next_due);
        let make_core = move |outbound| {
            Core::new(Parts {
                seat,
                identity,
                epochs: known_epochs,
                epoch,
                started,
                bodies,
                recent,
                performers: Performers {
                    writer,
                    execution: to_execution,
                    delivery: to_delivery,
                    fetch: fetch_orders,
                    outbound,
                },
                inbound,
                peers,
                store,
                position: known_position,
                waiting,
                data,
                next_due,
            })
        };
        let (tell_failure, failed) = tokio::sync::oneshot::channel();
        let (tell_connected, connected) = tokio::sync::oneshot::channel();
        let (bus_config, me, inbox) = (config.bus.clone(), config.replica, core.1);
        let core_thread = thread("core", core.0.clone(), move || {
            if let Err(error) = line::run(&bus_config, me, make_core, inbox, tell_connected) {
                tracing::error!(%error, "this replica stops");
                let _ = tell_failure.send(error.to_string());
            } else {
                // Keeps `failed` from resolving: whoever stopped the core waits for something else.
                drop(tell_failure);
            }
        });
        let threads = vec![core_thread, execution_thread, delivery_thread];
        let line = connected
            .await
            .context("the core's thread is gone")?
            .context("bus")?;
        let library = Library {
            me: config.replica,
            bodies: restored.bodies,
            recent: restored.recent,
            stored: stored.clone(),
            outbound: line,
        };
        // It ends with the core, which alone asks it.
        thread("bodies", core.0.clone(), move || {
            library.run(&bodies_wanted)
        });

        let client = bus.client();
        let questions = client
            .subscribe(subjects::all_of_ordering(config.replica))
            .await?;
        let to_all = client.subscribe(subjects::ALL_TRANSACTIONS).await?;
        let to_me = client
            .subscribe(subjects::transactions_to_me(config.replica))
            .await?;
        let arrivals = futures::stream::select(to_all, to_me);
        client.flush().await?;
        let desk = Arc::new(Desk {
            replica: config.replica,
            stored,
            position,
            notices,
            phases,
            chain: bus.chain(),
            key: desk_key,
        });
        let tasks = vec![
            tokio::spawn(submissions::take(config.replica, arrivals, intake)).abort_handle(),
            tokio::spawn(serve(desk, client.clone(), questions)).abort_handle(),
            tokio::spawn(fetch::fetch(
                bus.clone(),
                epochs,
                orders,
                execution.clone(),
                core.0.clone(),
            ))
            .abort_handle(),
            tokio::spawn(how_far::ask_those_named(
                bus.clone(),
                those_named,
                core.0.clone(),
            ))
            .abort_handle(),
        ];
        Ok(Running {
            core: core.0,
            execution,
            delivery,
            threads,
            tasks,
            failed,
        })
    }

    /// Stops the threads one after another, each after what it was given before.
    fn stop(self) {
        self.tasks.iter().for_each(tokio::task::AbortHandle::abort);
        let _ = self.core.send(Heard::Stop);
        let mut threads = self.threads.into_iter();
        let mut join = || {
            if let Some(thread) = threads.next() {
                // A panic was reported where it happened.
                let _ = thread.join();
            }
        };
        join();
        self.execution.give(Task::Stop);
        join();
        self.delivery.give(Parcel::Stop);
        join();
    }
}
