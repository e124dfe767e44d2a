//! Starts and keeps the processes of a system: brokers, replicas, services, each a child process in its own folder.
//!
//! [`System::start`] starts them stage by stage; [`System::shut_down`] stops them in the opposite order. Tests and the
//! demo kill, stop and start single ones. A system that is dropped, or whose supervisor is killed, ends with it: each
//! child stops when its standard input does.

mod board;
mod child;
pub mod control;
mod keeper;
pub(crate) mod ports;

use std::collections::BTreeMap;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use futures::future::{join_all, try_join_all};
use tokio::sync::{mpsc, oneshot};

pub use board::{ProcessStatus, State};
pub(crate) use child::allocator_option;
pub use keeper::Order;

use crate::layout::Layout;
use crate::system::{ProcessDescription, SystemDescription};
use board::Board;
use child::Launch;
use keeper::{Keeper, Ordered};
use ports::Ports;

/// How a system is to be run.
#[derive(Clone)]
pub struct Options {
    /// The `medshare` program that the children run.
    pub program: PathBuf,
    /// Whether a process that dies unasked is started again.
    pub restarts: bool,
    /// How long a process may take until it is ready.
    pub ready_within: Duration,
    /// Overrides of configuration keys for all processes, such as `MEDSHARE__PROCESS__TELEMETRY__ENDPOINT`.
    pub environment: BTreeMap<String, String>,
    /// Who hears what happens.
    pub notices: Arc<dyn Fn(Notice) + Send + Sync>,
}

impl Options {
    /// This program, restarting, saying nothing.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self {
            program: std::env::current_exe().context("this program's own path cannot be found")?,
            restarts: true,
            ready_within: Duration::from_secs(60),
            environment: BTreeMap::new(),
            notices: Arc::new(|_| {}),
        })
    }
}

/// What happens in a running system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A process can work.
    Ready {
        /// Which.
        name: String,
    },
    /// A process ended unasked.
    Died {
        /// Which.
        name: String,
        /// Its exit status.
        how: String,
    },
    /// A process had to be killed because it didn't stop in time.
    KilledAtStop {
        /// Which.
        name: String,
    },
    /// Something else went wrong.
    Trouble {
        /// What.
        what: String,
    },
}

/// A running system; a clone is the same one.
#[derive(Clone)]
pub struct System {
    inner: Arc<Inner>,
}

struct Inner {
    layout: Layout,
    options: Options,
    board: Board,
    kept: Mutex<BTreeMap<String, Kept>>,
    ports: Mutex<Ports>,
    /// Locked as long as the system runs: one supervisor to a folder.
    _lock: File,
}

#[derive(Clone)]
struct Kept {
    stage: u32,
    orders: mpsc::Sender<Ordered>,
}

impl System {
    /// Starts the system in `folder`, and returns once every process is ready. If one is not, all are stopped again.
    pub async fn start(folder: impl Into<PathBuf>, options: Options) -> anyhow::Result<System> {
        let folder = std::path::absolute(folder.into())?;
        let layout = Layout::new(folder);
        let description = SystemDescription::load(&layout.system())?;
        crate::files::make_private_folder(&layout.run().join("logs"))?;
        let lock = lock(&layout)?;
        crate::init::certificates::renew_ended(&layout, &description)
            .context("certificates that ended could not be issued anew")?;
        let board = Board::new(layout.clone(), options.notices.clone());
        let inner = Inner {
            layout,
            options,
            board,
            kept: Mutex::default(),
            ports: Mutex::default(),
            _lock: lock,
        };
        let system = System {
            inner: Arc::new(inner),
        };
        if let Err(error) = system.take_up(description.processes).await {
            system.shut_down().await;
            return Err(error);
        }
        Ok(system)
    }

    /// Reads `system.toml` again and starts the processes that are new in it.
    pub async fn take_up_new(&self) -> anyhow::Result<Vec<String>> {
        let mut description = SystemDescription::load(&self.inner.layout.system())?;
        let known = self.processes();
        description
            .processes
            .retain(|process| !known.contains_key(&process.name));
        let names = description
            .processes
            .iter()
            .map(|process| process.name.clone())
            .collect();
        self.take_up(description.processes).await?;
        Ok(names)
    }

    /// Gives an order to a process, and waits until it is carried out.
    pub async fn order(&self, name: &str, order: Order) -> anyhow::Result<()> {
        let kept = self.kept().get(name).cloned();
        let kept = kept.with_context(|| {
            format!(
                "there is no process {name}; there are: {}",
                self.names().join(", ")
            )
        })?;
        let (sender, answer) = oneshot::channel();
        let gone = || anyhow!("{name} is no longer kept");
        kept.orders
            .send((order, sender))
            .await
            .map_err(|_| gone())?;
        match tokio::time::timeout(self.inner.options.ready_within, answer).await {
            Err(_) => bail!(
                "{name} is not ready in time; its log: {}",
                self.inner.layout.log(name).display()
            ),
            Ok(Err(_)) => Err(gone()),
            Ok(Ok(Err(reason))) => bail!(
                "{reason}; its log: {}",
                self.inner.layout.log(name).display()
            ),
            Ok(Ok(Ok(()))) => Ok(()),
        }
    }

    /// Kills a process (SIGKILL), and leaves it down.
    pub async fn kill(&self, name: &str) -> anyhow::Result<()> {
        self.order(name, Order::Kill).await
    }

    /// Starts a process that is down, and waits until it is ready.
    pub async fn start_process(&self, name: &str) -> anyhow::Result<()> {
        self.order(name, Order::Start).await
    }

    /// Stops a process in order, starts it again, and waits until it is ready.
    pub async fn restart(&self, name: &str) -> anyhow::Result<()> {
        self.order(name, Order::Stop).await?;
        self.order(name, Order::Start).await
    }

    /// What is known of each process.
    pub fn processes(&self) -> BTreeMap<String, ProcessStatus> {
        self.inner.board.all()
    }

    /// Where a process listens: `address("gateway", "rest")`.
    pub fn address(&self, process: &str, listener: &str) -> Option<SocketAddr> {
        self.processes()
            .get(process)?
            .addresses
            .get(listener)?
            .parse()
            .ok()
    }

    /// The system's files.
    pub fn layout(&self) -> &Layout {
        &self.inner.layout
    }

    /// Stops every process, the last started first.
    pub async fn shut_down(&self) {
        let mut stages: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for (name, kept) in self.kept().iter() {
            stages.entry(kept.stage).or_default().push(name.clone());
        }
        for names in stages.into_values().rev() {
            join_all(names.iter().map(|name| self.order(name, Order::Stop))).await;
        }
    }

    async fn take_up(&self, processes: Vec<ProcessDescription>) -> anyhow::Result<()> {
        let inner = &self.inner;
        inner
            .ports
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .choose(&inner.layout, &processes)?;
        let mut stages: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for process in &processes {
            inner.board.put_up(&process.name, &process.operator);
            let (sender, orders) = mpsc::channel(16);
            let keeper = Keeper {
                name: process.name.clone(),
                launch: self.launch(process)?,
                restarts: inner.options.restarts,
                board: inner.board.clone(),
                orders,
            };
            tokio::spawn(keeper.keep());
            self.kept().insert(
                process.name.clone(),
                Kept {
                    stage: process.stage,
                    orders: sender,
                },
            );
            stages
                .entry(process.stage)
                .or_default()
                .push(process.name.clone());
        }
        for names in stages.into_values() {
            try_join_all(names.iter().map(|name| self.order(name, Order::Start))).await?;
        }
        Ok(())
    }

    fn launch(&self, process: &ProcessDescription) -> anyhow::Result<Launch> {
        let inner = &self.inner;
        let ports = inner.ports.lock().unwrap_or_else(PoisonError::into_inner);
        let mut environment = inner.options.environment.clone();
        for listener in &process.listeners {
            let port = ports
                .port(&process.name, &listener.name)
                .context("a listener without a port")?;
            let value = if listener.key.ends_with("port") {
                port.to_string()
            } else {
                SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string()
            };
            environment.insert(environment_name(&listener.key), value);
        }
        let at = |broker: &String, listener: &str, scheme: &str| {
            ports
                .port(broker, listener)
                .map(|port| format!("{scheme}://127.0.0.1:{port}"))
        };
        let (key, listener, scheme) = if process.command == "broker" {
            ("broker.routes", "cluster", "nats-route")
        } else {
            ("bus.servers", "client", "nats")
        };
        let servers: Vec<String> = process
            .brokers
            .iter()
            .filter_map(|broker| at(broker, listener, scheme))
            .collect();
        if !servers.is_empty() {
            environment.insert(environment_name(key), serde_json::to_string(&servers)?);
        }
        Ok(Launch {
            program: inner.options.program.clone(),
            command: process.command.clone(),
            folder: inner.layout.process(&process.name),
            environment,
            log: inner.layout.log(&process.name),
        })
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Kept>> {
        self.inner
            .kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn names(&self) -> Vec<String> {
        self.kept().keys().cloned().collect()
    }
}

fn environment_name(key: &str) -> String {
    format!(
        "{}{}",
        chassis::configuration::ENVIRONMENT_PREFIX,
        key.replace('.', "__").to_ascii_uppercase()
    )
}

fn lock(layout: &Layout) -> anyhow::Result<File> {
    let file = layout.run().join("lock");
    let lock = File::create(&file).with_context(|| format!("{} cannot be made", file.display()))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(std::fs::TryLockError::WouldBlock) => {
            bail!("the system in {} runs already", layout.root().display())
        }
        Err(std::fs::TryLockError::Error(error)) => {
            Err(error).context("the system's folder cannot be locked")
        }
    }
}
