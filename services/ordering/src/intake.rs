//! Checks transactions on threads of their own: form, chain, validity, then signatures in batches, each once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use bus::ordering_wire::{SubmitReply, refusal};
use bus::subjects;
use bytes::Bytes;
use execution::CheckedTransaction;
use ledger::transaction::{MAX_VALIDITY_US, id_of_signed_bytes, wire_digest};
use ledger::{
    Digest, KeyPoints, ReplicaId, SignatureBatch, SignedTransaction, TransactionError, canonical,
};
use pbft::Request;

use crate::body::{Body, BodyPool, Origin};
use crate::delivery::{Parcel, Stored};
use crate::outbound::Outbound;
use crate::peers::Peers;

/// How far the submitter's clock may be ahead of ours, in microseconds.
const CLOCK_TOLERANCE_US: u64 = 2_000_000;

/// How many transactions wait for the threads at most; more are answered "busy".
const ARRIVALS_WAITING_MAX: usize = 16_384;

/// How many signatures are checked together at most.
const CHECKED_TOGETHER_MAX: usize = 512;

/// A transaction as it came.
#[derive(Debug)]
pub struct Arrival {
    /// The bytes.
    pub bytes: Bytes,
    /// Who published it; `None` when another replica sent it.
    pub origin: Option<Origin>,
}

/// Why transactions came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A submitter, or a backup that relays, wants them ordered.
    Submitted,
    /// We asked another replica for them.
    AskedFor,
}

/// What was found good.
#[derive(Debug)]
pub enum Admitted {
    /// To be ordered.
    Submitted(Vec<Request>),
    /// Bodies that were asked for.
    Held(Vec<Digest>),
}

type Group = (Reason, Vec<Arrival>);

/// The checking threads' inbox; cheap to clone.
#[derive(Clone)]
pub struct Intake {
    groups: Sender<Group>,
    /// Transactions in the inbox.
    queued: Arc<AtomicUsize>,
    checker: Arc<Checker>,
}

/// What the checks need.
pub struct Checker {
    /// The chain.
    pub chain: Digest,
    /// Whose answers these are.
    pub replica: ReplicaId,
    /// Where good bodies are kept.
    pub bodies: Arc<BodyPool>,
    /// Where executed transactions are found.
    pub stored: Arc<Stored>,
    /// Who answers repeats.
    pub delivery: std::sync::mpsc::Sender<Parcel>,
    /// Where refusals go.
    pub outbound: Outbound,
    /// Who else says that there is no room.
    pub peers: Arc<Peers>,
    /// How many transactions wait to be ordered; the core counts.
    pub waiting: Arc<AtomicUsize>,
    /// How many may wait.
    pub waiting_max: usize,
    /// How many bodies are held at most, those of recent blocks included.
    pub bodies_max: usize,
    /// Counts checked signatures.
    pub checked: chassis::metrics::Counter,
}

impl Intake {
    /// Starts the threads; what is good is handed to `admit`.
    pub fn start(
        checker: Checker,
        threads: usize,
        admit: impl Fn(Admitted) + Clone + Send + 'static,
    ) -> Intake {
        let (groups, receiver) = channel();
        let checker = Arc::new(checker);
        let queued = Arc::new(AtomicUsize::new(0));
        let receiver = Arc::new(Mutex::new(receiver));
        for number in 0..threads.max(1) {
            let (checker, receiver, queued) = (checker.clone(), receiver.clone(), queued.clone());
            let admit = admit.clone();
            std::thread::Builder::new()
                .name(format!("intake-{number}"))
                .spawn(move || {
                    let mut held_back = None;
                    let mut points = KeyPoints::new();
                    while let Some((reason, arrivals)) = next_group(&receiver, &mut held_back) {
                        queued.fetch_sub(arrivals.len(), Ordering::Relaxed);
                        checker.check(reason, arrivals, &mut points, &admit);
                    }
                })
                .expect("a thread can be started");
        }
        Intake {
            groups,
            queued,
            checker,
        }
    }

    /// Hands transactions over; when the threads are too far behind, submitters hear "busy" at once.
    pub fn take(&self, reason: Reason, arrivals: Vec<Arrival>) {
        let count = arrivals.len();
        if self.queued.fetch_add(count, Ordering::Relaxed) < ARRIVALS_WAITING_MAX {
            // Without threads the process is stopping.
            let _ = self.groups.send((reason, arrivals));
            return;
        }
        self.queued.fetch_sub(count, Ordering::Relaxed);
        for arrival in arrivals {
            if let (Some(origin), Ok(signed)) = (
                &arrival.origin,
                SignedTransaction::from_bytes(&arrival.bytes),
            ) {
                self.checker.say_busy(origin, &signed.id());
            }
        }
    }
}

/// The next transactions: what is at hand for one reason is taken together, because a batch of signatures costs less
/// than half of what single ones do.
fn next_group(receiver: &Mutex<Receiver<Group>>, held_back: &mut Option<Group>) -> Option<Group> {
    let receiver = receiver.lock().unwrap_or_else(PoisonError::into_inner);
    let (reason, mut arrivals) = match held_back.take() {
        Some(group) => group,
        None => receiver.recv().ok()?,
    };
    while arrivals.len() < CHECKED_TOGETHER_MAX {
        match receiver.try_recv() {
            Ok((other, more)) if other == reason => arrivals.extend(more),
            Ok(other) => {
                *held_back = Some(other);
                break;
            }
            Err(_) => break,
        }
    }
    Some((reason, arrivals))
}

impl Checker {
    /// Sends a submitter something else than a receipt.
    pub fn answer(&self, requester: &str, transaction: &Digest, reply: &SubmitReply) {
        let subject = subjects::transaction_reply(self.replica, requester, transaction);
        self.outbound
            .publish(subject, canonical::encode(reply).into());
    }

    /// Tells a submitter that there is no room, if this replica is one of those that do.
    fn say_busy(&self, origin: &Origin, transaction: &Digest) {
        if self.peers.says_busy(transaction) {
            self.answer(&origin.requester, transaction, &SubmitReply::Busy);
        }
    }

    fn refuse(
        &self,
        origin: Option<&Origin>,
        transaction: &Digest,
        code: u16,
        reason: impl Into<String>,
    ) {
        if let Some(origin) = origin {
            self.answer(
                &origin.requester,
                transaction,
                &SubmitReply::Refused {
                    code,
                    reason: reason.into(),
                },
            );
        }
    }

    fn check(
        &self,
        reason: Reason,
        arrivals: Vec<Arrival>,
        points: &mut KeyPoints,
        admit: &impl Fn(Admitted),
    ) {
        let now = chassis::clock::now();
        let mut known = Vec::new();
        let mut fresh = Vec::new();
        for arrival in arrivals {
            match self.check_form(reason, arrival, now) {
                Checked::Fresh(transaction, arrival) => fresh.push((transaction, arrival)),
                Checked::Held(wire) => known.push(wire),
                Checked::Done => {}
            }
        }
        let good = self.check_signatures(fresh, points);
        let requests: Vec<Request> = good
            .into_iter()
            .filter_map(|body| self.keep(body, reason))
            .collect();
        match reason {
            Reason::Submitted if !requests.is_empty() => admit(Admitted::Submitted(requests)),
            Reason::AskedFor => {
                known.extend(requests.iter().map(|request| request.digest));
                admit(Admitted::Held(known));
            }
            Reason::Submitted => {}
        }
    }

    /// Everything but the signature. Whether the key is weak costs a point decompression and is not asked here:
    /// weak keys are refused at enrolment, and execution refuses every key that is not the submitter's current one.
    fn check_form(&self, reason: Reason, arrival: Arrival, now: u64) -> Checked {
        let origin = arrival.origin.as_ref();
        let wire = wire_digest(&arrival.bytes);
        if let Some(body) = self.bodies.get(&wire) {
            if let Some(origin) = arrival.origin {
                self.ask_again(&body, origin);
            }
            return Checked::Held(wire);
        }
        let signed = match SignedTransaction::from_bytes(&arrival.bytes) {
            Ok(signed) => signed,
            Err(error) => {
                // There is no id to answer under but the one that the submitter would compute: none. A reply under the
                // wire digest tells whoever looks.
                let code = refusal::MALFORMED;
                let text = if matches!(error, TransactionError::TooLong(_)) {
                    "too long"
                } else {
                    "not canonical bytes"
                };
                self.refuse(origin, &wire, code, text);
                return Checked::Done;
            }
        };
        let id = id_of_signed_bytes(&arrival.bytes);
        if signed.body.chain != self.chain {
            self.refuse(
                origin,
                &id,
                refusal::FOREIGN_CHAIN,
                "the transaction is for another chain",
            );
            return Checked::Done;
        }
        if reason == Reason::AskedFor {
            // A proposal names it: block time decides about its validity.
            return Checked::Fresh(CheckedTransaction { signed, id, wire }, arrival);
        }
        let has_ended = signed.body.valid_until.0 < now;
        if let Some(origin) = origin
            && (has_ended || self.stored.executed.may_hold(&id))
            && self.answer_executed(&id, origin)
        {
            return Checked::Done;
        }
        if has_ended {
            self.refuse(
                origin,
                &id,
                refusal::EXPIRED,
                "the transaction's validity has ended",
            );
            return Checked::Done;
        }
        if signed.body.valid_until.0 > now + MAX_VALIDITY_US + CLOCK_TOLERANCE_US {
            self.refuse(
                origin,
                &id,
                refusal::TOO_LONG_VALID,
                "the transaction is valid for more than 60 seconds",
            );
            return Checked::Done;
        }
        if self.waiting.load(Ordering::Relaxed) >= self.waiting_max
            || self.bodies.len() >= self.bodies_max
        {
            if let Some(origin) = origin {
                self.say_busy(origin, &id);
            }
            return Checked::Done;
        }
        Checked::Fresh(CheckedTransaction { signed, id, wire }, arrival)
    }

    /// Whoever asks again for something that is in a certified block gets its receipt.
    fn answer_executed(&self, transaction: &Digest, origin: &Origin) -> bool {
        if !matches!(self.stored.store.find(transaction), Ok(Some(_))) {
            return false;
        }
        let again = Parcel::Again {
            transaction: *transaction,
            requester: origin.requester.clone(),
        };
        // Without delivery the process is stopping.
        let _ = self.delivery.send(again);
        true
    }

    /// A body that is held may be in a certified block already: then its receipt was lost on the way.
    fn ask_again(&self, body: &Body, origin: Origin) {
        if !self.answer_executed(&body.transaction.id, &origin) {
            body.ask_again(origin);
        }
    }

    fn check_signatures(
        &self,
        fresh: Vec<(CheckedTransaction, Arrival)>,
        points: &mut KeyPoints,
    ) -> Vec<Arc<Body>> {
        if fresh.is_empty() {
            return Vec::new();
        }
        self.checked.add(fresh.len() as u64);
        let mut batch = SignatureBatch::new();
        for (CheckedTransaction { signed, id, .. }, _) in &fresh {
            signed.push_with_id(id, &mut batch);
        }
        let bad = batch
            .verify_with(keys::secret::random(), points)
            .err()
            .unwrap_or_default();
        let mut good = Vec::with_capacity(fresh.len());
        for (index, (transaction, arrival)) in fresh.into_iter().enumerate() {
            if bad.binary_search(&index).is_ok() {
                self.refuse(
                    arrival.origin.as_ref(),
                    &transaction.id,
                    refusal::BAD_SIGNATURE,
                    "the signature does not verify",
                );
            } else {
                good.push(Arc::new(Body::new(
                    transaction,
                    arrival.bytes,
                    arrival.origin,
                )));
            }
        }
        good
    }

    /// Keeps a good body; gives what the core is told of it.
    fn keep(&self, body: Arc<Body>, reason: Reason) -> Option<Request> {
        let request = body.request();
        let new = self.bodies.insert(body);
        (new || reason == Reason::AskedFor).then_some(request)
    }
}

enum Checked {
    /// Good so far, all but its signature.
    Fresh(CheckedTransaction, Arrival),
    /// It is held already.
    Held(Digest),
    /// Answered, or dropped.
    Done,
}
