//! Commands that wait for the signature of a member who holds the own key: between the form that asked for one and the page
//! on which the browser signs it. A command is valid for a minute; so is its entry here.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use interfaces::UnsignedCommand;
use ledger::Digest;

const KEPT_FOR: Duration = Duration::from_secs(120);
const ENTRIES_MAX: usize = 10_000;

/// A command that waits.
#[derive(Clone)]
pub(crate) struct Waiting {
    pub(crate) command: UnsignedCommand,
    /// What it does, in words, as the form said.
    pub(crate) what: String,
    /// Where to go when it is committed.
    pub(crate) then: String,
    /// Where to go when it is not signed.
    pub(crate) back: String,
}

/// By session and transaction.
#[derive(Default)]
pub(crate) struct Unsigned {
    waiting: Mutex<HashMap<(String, Digest), (Waiting, Instant)>>,
}

impl Unsigned {
    /// Keeps a command, and gives the path of the page on which it is signed.
    pub(crate) fn keep(&self, session: &str, waiting: Waiting) -> String {
        let transaction = waiting.command.transaction;
        let mut all = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, (_, at)| at.elapsed() < KEPT_FOR);
        if all.len() >= ENTRIES_MAX {
            all.clear();
        }
        all.insert((session.to_owned(), transaction), (waiting, Instant::now()));
        format!("/sign/{transaction}")
    }

    /// The command of a session that waits.
    pub(crate) fn get(&self, session: &str, transaction: &Digest) -> Option<Waiting> {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&(session.to_owned(), *transaction))
            .filter(|(_, at)| at.elapsed() < KEPT_FOR)
            .map(|(waiting, _)| waiting.clone())
    }
}
