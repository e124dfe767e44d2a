//! Transactions that wait to be ordered, or that recent blocks hold: checked once, kept under their wire digest.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use execution::CheckedTransaction;
use ledger::Digest;
use pbft::Request;

/// Who published a transaction, and the trace it belongs to.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The bus name of the process that waits for the receipt.
    pub requester: Arc<str>,
    /// The W3C trace context, when the submission carried one.
    pub traceparent: Option<String>,
}

/// A transaction whose size, form, chain and signature were checked.
#[derive(Debug)]
pub struct Body {
    /// The transaction with its digests.
    pub transaction: Arc<CheckedTransaction>,
    /// Its canonical signed bytes.
    pub bytes: Bytes,
    /// When it came, on this process's clock.
    pub received: Instant,
    origin: OnceLock<Origin>,
    asked_again: AtomicBool,
}

impl Body {
    /// A checked transaction and its signed bytes.
    pub fn new(transaction: CheckedTransaction, bytes: Bytes, origin: Option<Origin>) -> Body {
        let body = Body {
            transaction: Arc::new(transaction),
            bytes,
            received: Instant::now(),
            origin: OnceLock::new(),
            asked_again: AtomicBool::new(false),
        };
        if let Some(origin) = origin {
            let _ = body.origin.set(origin);
        }
        body
    }

    /// What the core is told of it.
    pub fn request(&self) -> Request {
        let signed = &self.transaction.signed.body;
        Request {
            digest: self.wire(),
            client: signed.submitter,
            valid_until: signed.valid_until,
        }
    }

    /// Its wire digest.
    pub fn wire(&self) -> Digest {
        self.transaction.wire
    }

    /// Who waits for its receipt, as far as it is known: what is read from a block again has lost it.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.get()
    }

    /// Notes who waits for its receipt, unless that is known.
    pub fn note_origin(&self, origin: Origin) {
        let _ = self.origin.set(origin);
    }

    /// Notes that its submitter sent it again: then this replica answers whoever else does.
    pub fn ask_again(&self, origin: Origin) {
        self.note_origin(origin);
        self.asked_again.store(true, Ordering::Relaxed);
    }

    /// Whether its submitter sent it more than once.
    pub fn was_asked_again(&self) -> bool {
        self.asked_again.load(Ordering::Relaxed)
    }
}

/// All bodies that are held.
#[derive(Debug, Default)]
pub struct BodyPool {
    bodies: Mutex<HashMap<Digest, Arc<Body>>>,
}

impl BodyPool {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, Arc<Body>>> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many are held.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keeps a body; one that is held already stays.
    pub fn insert(&self, body: Arc<Body>) {
        self.lock().entry(body.wire()).or_insert(body);
    }

    /// The body with that wire digest.
    pub fn get(&self, wire: &Digest) -> Option<Arc<Body>> {
        self.lock().get(wire).cloned()
    }

    /// Those of the wanted bodies that are held.
    pub fn get_all(&self, wires: &[Digest]) -> Vec<Arc<Body>> {
        let bodies = self.lock();
        wires
            .iter()
            .filter_map(|wire| bodies.get(wire).cloned())
            .collect()
    }

    /// Lets go of requests whose body is not held.
    pub fn retain_held(&self, requests: &mut Vec<Request>) {
        let bodies = self.lock();
        requests.retain(|request| bodies.contains_key(&request.digest));
    }

    /// All of them, in any order.
    pub fn all(&self) -> Vec<Arc<Body>> {
        self.lock().values().cloned().collect()
    }

    /// The wire digests of all, ascending.
    pub fn wires(&self) -> Vec<Digest> {
        let mut wires: Vec<Digest> = self.lock().keys().copied().collect();
        wires.sort_unstable();
        wires
    }

    /// Drops bodies.
    pub fn forget(&self, wires: &[Digest]) {
        let mut bodies = self.lock();
        for wire in wires {
            bodies.remove(wire);
        }
    }
}
