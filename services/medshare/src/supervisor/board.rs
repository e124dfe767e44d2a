//! What is known of each process, shown to all who ask and kept in `run/processes.json` and `run/addresses.json`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::Notice;
use super::child::Readiness;
use crate::layout::Layout;

/// How a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Not running, as asked.
    Down,
    /// Running, not yet able to work.
    Starting,
    /// Able to work.
    Ready,
    /// Died unasked; it is started again soon.
    Died,
    /// Ended because of its configuration; it is not started again.
    Refused,
}

/// What is known of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessStatus {
    /// How it is.
    pub state: State,
    /// Its process id, while it runs.
    pub pid: Option<i32>,
    /// The organisation that operates it.
    pub operator: String,
    /// How often it was started again after it died unasked.
    pub restarts: u32,
    /// Where it listens, by what listens there; `health` among them.
    pub addresses: BTreeMap<String, String>,
}

/// The board; a clone shows the same.
#[derive(Clone)]
pub struct Board {
    layout: Layout,
    processes: Arc<Mutex<BTreeMap<String, ProcessStatus>>>,
    notices: Arc<dyn Fn(Notice) + Send + Sync>,
}

impl Board {
    /// An empty board, which passes notices on to `notices`.
    pub fn new(layout: Layout, notices: Arc<dyn Fn(Notice) + Send + Sync>) -> Self {
        Self {
            layout,
            processes: Arc::default(),
            notices,
        }
    }

    /// Puts up a process that is down.
    pub fn put_up(&self, name: &str, operator: &str) {
        let status = ProcessStatus {
            state: State::Down,
            pid: None,
            operator: operator.to_owned(),
            restarts: 0,
            addresses: BTreeMap::new(),
        };
        self.lock().insert(name.to_owned(), status);
    }

    /// All processes.
    pub fn all(&self) -> BTreeMap<String, ProcessStatus> {
        self.lock().clone()
    }

    /// How a process is.
    pub fn state(&self, name: &str) -> Option<State> {
        self.lock().get(name).map(|status| status.state)
    }

    pub(super) fn notify(&self, notice: Notice) {
        (self.notices)(notice);
    }

    pub(super) fn started(&self, name: &str, pid: i32) {
        self.change(name, |status| {
            status.state = State::Starting;
            status.pid = Some(pid);
        });
    }

    pub(super) fn ready(&self, name: &str, line: Readiness) {
        self.change(name, |status| {
            status.state = State::Ready;
            status.addresses = line.addresses;
            status
                .addresses
                .extend(line.health.map(|health| ("health".to_owned(), health)));
        });
    }

    pub(super) fn ended(&self, name: &str, state: State) {
        self.change(name, |status| {
            status.state = state;
            status.pid = None;
        });
    }

    pub(super) fn count_restart(&self, name: &str) {
        self.change(name, |status| status.restarts += 1);
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut ProcessStatus)) {
        let mut processes = self.lock();
        if let Some(status) = processes.get_mut(name) {
            change(status);
        }
        let addresses: BTreeMap<&String, &BTreeMap<String, String>> = processes
            .iter()
            .map(|(name, status)| (name, &status.addresses))
            .collect();
        let written = crate::files::write_json(&self.layout.processes(), &*processes)
            .and_then(|()| crate::files::write_json(&self.layout.addresses(), &addresses));
        drop(addresses);
        drop(processes);
        if let Err(error) = written {
            self.notify(Notice::Trouble {
                what: format!("{error:#}"),
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, ProcessStatus>> {
        self.processes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
