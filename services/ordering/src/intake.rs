//! Checks transactions on threads of their own: form, chain, validity, then signatures in batches, each once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bus::ordering_wire::{SUBMITTED_TOGETHER_MAX, Submission, Submitted, refusal};
use bus::subjects;
use bytes::Bytes;
use execution::CheckedTransaction;
use ledger::transaction::{MAX_VALIDITY_US, id_of_signed_bytes, wire_digest};
use ledger::{
    Digest, KeyPoints, ReplicaId, SignatureBatch, SignedTransaction, TransactionError, canonical,
};
use pbft::Request;

use crate::body::{Body, BodyPool, Origin};
use crate::delivery::{Deliverer, Parcel, Stored};
use crate::inbox::Inbox;
use crate::outbound::Outbound;
use crate::peers::Peers;
use crate::replies::{Answers, NoReceipt};
use crate::worker;

/// How far the submitter's clock may be ahead of ours, in microseconds.
const CLOCK_TOLERANCE_US: u64 = 2_000_000;

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

/// The transactions of a submission, and why they came to the replica `me`; `None` when it can't be read, or holds too many.
pub fn arrivals_of(
    me: ReplicaId,
    requester: &Arc<str>,
    submission: &[u8],
) -> Option<(Reason, Vec<Arrival>)> {
    let Submission {
        addressed,
        transactions,
    } = canonical::decode(submission).ok()?;
    let arrival = |Submitted { bytes, traceparent }| Arrival {
        bytes: bytes.into(),
        origin: Some(Origin {
            requester: requester.clone(),
            traceparent,
        }),
    };
    let reason = match addressed {
        None => Reason::Submitted,
        Some(replica) if replica == me => Reason::Addressed,
        Some(_) => Reason::Witnessed,
    };
    let is_taken = transactions.len() <= SUBMITTED_TOGETHER_MAX;
    is_taken.then(|| (reason, transactions.into_iter().map(arrival).collect()))
}

/// Why transactions came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A submitter wants them ordered, and told every replica so.
    Submitted,
    /// A submitter wants them ordered by this replica, which it takes for the primary.
    Addressed,
    /// A submitter wants them ordered by another replica, and this one to watch over it.
    Witnessed,
    /// The same, and another replica, which was taken for the primary, sends them on.
    PassedOn,
    /// A backup relays them: the primary seems not to have them.
    Relayed,
    /// A proposal names them.
    Proposed,
}

impl Reason {
    /// Whether clients sent them, not replicas of their own accord: they wait with all others, and are refused where there is no room.
    pub fn is_of_client(self) -> bool {
        !matches!(self, Reason::Relayed | Reason::Proposed)
    }
}

/// What was found good. (What clients sent may have been ordered before: what came for a proposal that came to nothing is held,
/// and the core may know of no request for it until it is submitted again.)
#[derive(Debug)]
pub struct Admitted {
    /// Why it came.
    pub reason: Reason,
    /// The transactions.
    pub requests: Vec<Request>,
}

impl Admitted {
    /// Without those whose bodies were forgotten since they were found good: what the core is told of, it takes for held.
    pub fn still_held(mut self, bodies: &BodyPool) -> Admitted {
        bodies.retain_held(&mut self.requests);
        self
    }
}

/// The checking threads, from outside; cheap to clone. They end with the last clone.
#[derive(Clone)]
pub struct Intake {
    inbox: Arc<Open>,
    checker: Arc<Checker>,
    admit: Arc<dyn Fn(Admitted) + Send + Sync>,
}

/// An inbox that is closed when nobody can put anything in any more.
struct Open(Arc<Inbox>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.close();
    }
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
    pub delivery: Deliverer,
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
        admit: impl Fn(Admitted) + Send + Sync + 'static,
    ) -> Intake {
        let inbox = Arc::new(Inbox::default());
        let checker = Arc::new(checker);
        let admit: Arc<dyn Fn(Admitted) + Send + Sync> = Arc::new(admit);
        for number in 0..threads.max(1) {
            let (checker, inbox, admit) = (checker.clone(), inbox.clone(), admit.clone());
            std::thread::Builder::new()
                .name(format!("intake-{number}"))
                .spawn(move || {
                    let mut points = KeyPoints::new();
                    while let Some((reason, arrivals)) = inbox.next(CHECKED_TOGETHER_MAX) {
                        let requests = checker.check(reason, arrivals, &mut points);
                        if !requests.is_empty() {
                            admit(Admitted { reason, requests });
                        }
                    }
                })
                .expect("a thread can be started");
        }
        Intake {
            inbox: Arc::new(Open(inbox)),
            checker,
            admit,
        }
    }

    /// Hands transactions over; when the threads are too far behind, submitters hear "busy" at once.
    pub fn take(&self, reason: Reason, arrivals: Vec<Arrival>) {
        let mut answers = Answers::default();
        for refused in self.inbox.0.put(reason, arrivals) {
            if let Some(origin) = &refused.origin {
                let transaction = id_of_signed_bytes(&refused.bytes);
                self.checker.say_busy(origin, transaction, &mut answers);
            }
        }
        self.checker.send(answers);
    }

    /// As [`Intake::take`]; a few are checked on the calling thread when no others wait.
    pub fn take_here(&self, reason: Reason, arrivals: Vec<Arrival>, points: &mut KeyPoints) {
        if arrivals.is_empty() {
            return;
        }
        if !worker::is_small(arrivals.len()) || !self.inbox.0.is_empty() {
            return self.take(reason, arrivals);
        }
        let requests = self.checker.check(reason, arrivals, points);
        if !requests.is_empty() {
            (self.admit)(Admitted { reason, requests });
        }
    }

    /// Checks transactions that a proposal names; what is good is held. A few are checked on the calling thread, and given; of others
    /// the core is told.
    pub fn take_proposed(&self, arrivals: Vec<Arrival>, points: &mut KeyPoints) -> Vec<Request> {
        if !worker::is_small(arrivals.len()) {
            self.take(Reason::Proposed, arrivals);
            return Vec::new();
        }
        self.checker.check(Reason::Proposed, arrivals, points)
    }

    /// Tells a submitter that what it published can't be read. There is no id to answer under but the digest of the bytes: a reply
    /// tells whoever looks.
    pub fn refuse_unread(&self, requester: &Arc<str>, payload: &[u8]) {
        let mut answers = Answers::default();
        let refused = NoReceipt::Refused(refusal::MALFORMED, "not a submission");
        answers.add(requester, refused, wire_digest(payload));
        self.checker.send(answers);
    }
}

impl Checker {
    /// Tells submitters what they hear instead of receipts.
    fn send(&self, answers: Answers) {
        for (requester, reply) in answers.into_messages() {
            let subject = subjects::transaction_replies(self.replica, &requester);
            self.outbound.publish(subject, reply);
        }
    }

    /// Says that there is no room for a transaction, if this replica is one of those that do.
    fn say_busy(&self, origin: &Origin, transaction: Digest, answers: &mut Answers) {
        if self.peers.says_busy(&transaction) {
            answers.add(&origin.requester, NoReceipt::Busy, transaction);
        }
    }

    /// Checks transactions; gives what the core is told of those that are good, and holds them.
    fn check(
        &self,
        reason: Reason,
        arrivals: Vec<Arrival>,
        points: &mut KeyPoints,
    ) -> Vec<Request> {
        let now = chassis::clock::now();
        let mut held = Vec::new();
        let mut fresh = Vec::new();
        let mut answers = Answers::default();
        for arrival in arrivals {
            match self.check_form(reason, arrival, now, &mut answers) {
                Checked::Fresh(transaction, arrival) => fresh.push((transaction, arrival)),
                Checked::Held(request) => held.push(request),
                Checked::Done => {}
            }
        }
        let good = self.check_signatures(reason, fresh, points, &mut answers);
        self.send(answers);
        held.extend(good.into_iter().map(|body| self.keep(body)));
        held
    }

    /// Everything but the signature. Whether the key is weak costs a point decompression and is not asked here:
    /// weak keys are refused at enrolment, and execution refuses every key that is not the submitter's current one.
    fn check_form(
        &self,
        reason: Reason,
        arrival: Arrival,
        now: u64,
        answers: &mut Answers,
    ) -> Checked {
        let wire = wire_digest(&arrival.bytes);
        if let Some(body) = self.bodies.get(&wire) {
            if reason == Reason::Witnessed {
                // It came with a proposal, which is all that is watched for. Nobody asked this replica for an answer.
                return Checked::Done;
            }
            if let Some(origin) = arrival.origin {
                if reason != Reason::Submitted {
                    body.note_origin(origin);
                } else if !self.answer_executed(&body.transaction.id, &origin) {
                    body.ask_again(origin);
                }
            }
            return Checked::Held(body.request());
        }
        // Replicas hear no answers.
        let origin = arrival.origin.as_ref().filter(|_| reason.is_of_client());
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
                refuse(answers, origin, wire, code, text);
                return Checked::Done;
            }
        };
        let id = id_of_signed_bytes(&arrival.bytes);
        if signed.body.chain != self.chain {
            refuse(
                answers,
                origin,
                id,
                refusal::FOREIGN_CHAIN,
                "the transaction is for another chain",
            );
            return Checked::Done;
        }
        if reason == Reason::Proposed {
            // Block time decides about its validity.
            return Checked::Fresh(CheckedTransaction { signed, id, wire }, arrival);
        }
        let has_ended = signed.body.valid_until.0 < now;
        let may_be_executed = self.stored.executed.may_hold(&id);
        if reason == Reason::Witnessed && (has_ended || may_be_executed && self.has_receipt(&id)) {
            return Checked::Done;
        }
        if let Some(origin) = origin
            && (has_ended || may_be_executed)
            && self.answer_executed(&id, origin)
        {
            return Checked::Done;
        }
        if has_ended {
            refuse(
                answers,
                origin,
                id,
                refusal::EXPIRED,
                "the transaction's validity has ended",
            );
            return Checked::Done;
        }
        if signed.body.valid_until.0 > now + MAX_VALIDITY_US + CLOCK_TOLERANCE_US {
            refuse(
                answers,
                origin,
                id,
                refusal::TOO_LONG_VALID,
                "the transaction is valid for more than 60 seconds",
            );
            return Checked::Done;
        }
        let is_queue_full =
            reason.is_of_client() && self.waiting.load(Ordering::Relaxed) >= self.waiting_max;
        if is_queue_full || self.bodies.len() >= self.bodies_max {
            if let Some(origin) = origin {
                self.say_busy(origin, id, answers);
            }
            return Checked::Done;
        }
        Checked::Fresh(CheckedTransaction { signed, id, wire }, arrival)
    }

    /// Whether it is in a certified block.
    fn has_receipt(&self, transaction: &Digest) -> bool {
        matches!(self.stored.store.receipts().find(transaction), Ok(Some(_)))
    }

    /// Whoever asks again for something that is in a certified block gets its receipt.
    fn answer_executed(&self, transaction: &Digest, origin: &Origin) -> bool {
        if !self.has_receipt(transaction) {
            return false;
        }
        let again = Parcel::Again {
            transaction: *transaction,
            requester: origin.requester.clone(),
        };
        self.delivery.give(again);
        true
    }

    fn check_signatures(
        &self,
        reason: Reason,
        fresh: Vec<(CheckedTransaction, Arrival)>,
        points: &mut KeyPoints,
        answers: &mut Answers,
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
                refuse(
                    answers,
                    arrival.origin.as_ref().filter(|_| reason.is_of_client()),
                    transaction.id,
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
    fn keep(&self, body: Arc<Body>) -> Request {
        let request = body.request();
        self.bodies.insert(body);
        request
    }
}

fn refuse(
    answers: &mut Answers,
    origin: Option<&Origin>,
    transaction: Digest,
    code: u16,
    reason: &'static str,
) {
    if let Some(origin) = origin {
        let refused = NoReceipt::Refused(code, reason);
        answers.add(&origin.requester, refused, transaction);
    }
}

enum Checked {
    /// Good so far, all but its signature.
    Fresh(CheckedTransaction, Arrival),
    /// It is held already. (It may be in a certified block: then its receipt was lost on the way, and is sent again.)
    Held(Request),
    /// Answered, or dropped.
    Done,
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;
    use std::sync::{Mutex, RwLock};

    use ledger::{Epoch, EpochDescription, Height, Timestamp};

    use super::*;
    use crate::blocks::BlockFiles;
    use crate::delivery::{Delivery, Tip};
    use crate::epochs::Epochs;
    use crate::executed::LatelyExecuted;
    use crate::fixtures;
    use crate::state::StateStore;

    fn checker(folder: &std::path::Path) -> Checker {
        let chain = fixtures::transaction(0).body.chain;
        let epoch = EpochDescription {
            epoch: Epoch(0),
            first_height: Height(0),
            replicas: Vec::new(),
        };
        let tip = Tip {
            height: Height(0),
            time: Timestamp(0),
            hash: Digest::ZERO,
        };
        let stored = Stored {
            folder: folder.join("blocks"),
            store: StateStore::open(&folder.join("state")).unwrap(),
            tip: RwLock::new(tip),
            transactions: AtomicU64::new(0),
            epochs: Arc::new(Epochs::new(
                chain,
                pbft::Limits::default(),
                epoch,
                Vec::new(),
            )),
            executed: LatelyExecuted::new([]),
        };
        let (stored, peers) = (Arc::new(stored), Arc::new(Peers::new(ReplicaId(0), [])));
        let (files, _) = BlockFiles::open(&folder.join("blocks")).unwrap();
        let delivery = Delivery::new(
            ReplicaId(0),
            stored.clone(),
            Arc::new(Mutex::new(files)),
            Arc::default(),
            peers.clone(),
            Arc::default(),
        );
        Checker {
            chain,
            replica: ReplicaId(0),
            bodies: Arc::default(),
            stored,
            delivery: worker::Worker::new(delivery).0,
            outbound: Outbound::nowhere(),
            peers,
            waiting: Arc::default(),
            waiting_max: 10,
            bodies_max: 10,
            checked: chassis::metrics::counter("test_checked_total", "of tests"),
        }
    }

    /// What the core hears when these bytes come.
    fn admitted(checker: &Checker, reason: Reason, bytes: &Bytes) -> Vec<Digest> {
        let arrival = Arrival {
            bytes: bytes.clone(),
            origin: None,
        };
        let requests = checker.check(reason, vec![arrival], &mut KeyPoints::new());
        requests.iter().map(|request| request.digest).collect()
    }

    /// A body that came for a proposal is in nobody's queue: should the proposal come to nothing, only its submitter, or who
    /// relays it, can bring it back.
    #[test]
    fn what_is_held_and_submitted_again_is_handed_to_the_core_again() {
        let folder = tempfile::tempdir().unwrap();
        let checker = checker(folder.path());
        let valid = chassis::clock::now() + MAX_VALIDITY_US / 2;
        let signed = fixtures::transaction_valid_until(1, Timestamp(valid));
        let bytes = Bytes::from(signed.to_bytes());
        let wire = wire_digest(&bytes);
        assert_eq!(admitted(&checker, Reason::Proposed, &bytes), [wire]);
        assert_eq!(admitted(&checker, Reason::Submitted, &bytes), [wire]);
        assert_eq!(admitted(&checker, Reason::Relayed, &bytes), [wire]);
    }

    /// The core would take it for a repeat, and the replica answer it a second time.
    #[test]
    fn what_is_watched_and_came_with_its_proposal_is_not_looked_at_again() {
        let folder = tempfile::tempdir().unwrap();
        let checker = checker(folder.path());
        let valid = chassis::clock::now() + MAX_VALIDITY_US / 2;
        let signed = |nonce| fixtures::transaction_valid_until(nonce, Timestamp(valid)).to_bytes();
        let (proposed, withheld) = (Bytes::from(signed(1)), Bytes::from(signed(2)));
        admitted(&checker, Reason::Proposed, &proposed);
        assert!(admitted(&checker, Reason::Witnessed, &proposed).is_empty());
        let wire = wire_digest(&withheld);
        assert_eq!(admitted(&checker, Reason::Witnessed, &withheld), [wire]);
    }

    #[test]
    fn a_submission_holds_so_many_transactions_and_not_one_more() {
        let requester: Arc<str> = "records-north".into();
        let submitted = |number: usize| Submitted {
            bytes: number.to_be_bytes().to_vec(),
            traceparent: (number == 1).then(|| "00-1-2-01".to_owned()),
        };
        let encoded = |count: usize| {
            let transactions = (0..count).map(submitted).collect();
            canonical::encode(&Submission {
                addressed: Some(ReplicaId(2)),
                transactions,
            })
        };
        let arrivals_of = |me, bytes: &[u8]| super::arrivals_of(ReplicaId(me), &requester, bytes);
        let (reason, arrivals) = arrivals_of(2, &encoded(SUBMITTED_TOGETHER_MAX)).unwrap();
        assert_eq!(reason, Reason::Addressed);
        assert_eq!(arrivals.len(), SUBMITTED_TOGETHER_MAX);
        assert_eq!(arrivals[2].bytes[..], 2_usize.to_be_bytes());
        let origins = arrivals
            .iter()
            .filter_map(|arrival| arrival.origin.as_ref());
        let traced: Vec<bool> = origins.map(|origin| origin.traceparent.is_some()).collect();
        assert!(traced[1] && !traced[0] && traced.len() == arrivals.len());
        let (reason, _) = arrivals_of(3, &encoded(1)).unwrap();
        assert_eq!(reason, Reason::Witnessed);
        assert!(arrivals_of(2, &encoded(SUBMITTED_TOGETHER_MAX + 1)).is_none());
        assert!(arrivals_of(2, b"\x01\x02").is_none());
    }

    fn body(nonce: u64) -> Arc<Body> {
        let signed = fixtures::transaction(nonce);
        let bytes = signed.to_bytes();
        let (id, wire) = (signed.id(), wire_digest(&bytes));
        let checked = CheckedTransaction { signed, id, wire };
        Arc::new(Body::new(checked, bytes.into(), None))
    }

    #[test]
    fn the_core_is_told_of_no_body_that_it_forgot_meanwhile() {
        let bodies = BodyPool::default();
        let (kept, forgotten) = (body(1), body(2));
        bodies.insert(kept.clone());
        bodies.insert(forgotten.clone());
        let both = [kept.request(), forgotten.request()];
        bodies.forget(&[forgotten.wire()]);
        let admitted = Admitted {
            reason: Reason::Submitted,
            requests: both.to_vec(),
        };
        assert_eq!(admitted.still_held(&bodies).requests, [kept.request()]);
    }
}
