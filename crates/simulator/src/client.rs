//! Clients: each makes one request after another, first to the primary, then to every replica, again and again until one answers.

use ledger::{Digest, LedgerId};

/// A client.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its number.
    pub number: usize,
    /// How many requests it has finished.
    pub finished: u64,
    /// The request that waits for an answer.
    pub waiting: Option<Digest>,
    /// Counts attempts, so that stale timers are told apart.
    pub attempt: u64,
    /// Everything it ever asked for, in order.
    pub made: Vec<Digest>,
}

/// After how long a client asks again.
pub const RETRY_US: u64 = 700_000;

impl Client {
    /// A client that has done nothing.
    pub fn new(number: usize) -> Client {
        Client {
            number,
            finished: 0,
            waiting: None,
            attempt: 0,
            made: Vec::new(),
        }
    }

    /// The name on the ledger of the client with this number.
    pub fn ledger_id(number: usize) -> LedgerId {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
        LedgerId(bytes)
    }

    /// The digest of its next request.
    pub fn next_request(&mut self) -> Digest {
        let (number, count) = (
            (self.number as u64).to_be_bytes(),
            self.finished.to_be_bytes(),
        );
        let digest = ledger::tagged("simulator/request", &[&number, &count]);
        self.waiting = Some(digest);
        self.made.push(digest);
        digest
    }
}
