//! When the ledger was last heard of.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The time of the newest block, by this process's own clock. Cloning is cheap.
#[derive(Clone)]
pub struct Heard {
    last: Arc<Mutex<Instant>>,
    silent_after: Duration,
}

impl Heard {
    /// As if a block had come now. An idle cluster makes a block every ten seconds, so a ledger from which none comes for
    /// `silent_after` cannot be reached.
    pub fn new(silent_after: Duration) -> Heard {
        Heard {
            last: Arc::new(Mutex::new(Instant::now())),
            silent_after,
        }
    }

    /// A block came.
    pub fn note(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Whether the ledger cannot be reached.
    pub fn is_silent(&self) -> bool {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.elapsed() > self.silent_after
    }
}
