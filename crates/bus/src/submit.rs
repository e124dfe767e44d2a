//! Submitting a signed transaction, until its certified receipt.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ledger::{Digest, Epoch, Receipt, ReplicaId, SignedTransaction, Timestamp, canonical};
use tokio::sync::mpsc;
use tracing::Instrument;

use crate::ordering_wire::{
    ReceiptReply, ReceiptRequest, SUBMITTED_TOGETHER_MAX, Submission, SubmitAnswer, Submitted,
};
use crate::waiting::{Incoming, OfReplica, Waiting};
use crate::{Addressing, Bus, Patience, Route, subjects, trace_context};

/// How long after the end of validity the ledger may take to show whether it was in time.
const GRACE_US: u64 = 30_000_000;
/// How often replicas are asked whether it was.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(1);
const REPLY_SLOTS: usize = 16;
/// How many transactions wait to be published at most; whoever submits more waits.
const SUBMISSIONS_MAX: usize = 1_024;

/// Why there is no receipt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The replicas have too much to do; the same bytes may be sent again later.
    #[error("the ordering service is busy")]
    Busy,
    /// Its validity ended, and replicas past that block time say that it was not executed: it never will be.
    #[error("the transaction expired before it was ordered")]
    Expired,
    /// More than f replicas refuse it: it can never be committed.
    #[error("refused by the ordering service ({code}): {reason}")]
    Refused {
        /// A number of [`crate::ordering_wire::refusal`].
        code: u16,
        /// For people.
        reason: String,
    },
    /// The transaction is for another chain, too large, or its signature does not verify: it was not sent.
    #[error("not a transaction of this chain: {0}")]
    Invalid(String),
    /// No word, until long after the end of validity: it may have been executed. Ask again with [`Bus::receipt`].
    #[error("the ordering service does not answer")]
    Unanswered,
    /// The broker does not let this process submit.
    #[error("the bus does not let this process submit transactions")]
    Denied,
}

impl Bus {
    /// Publishes the transaction and waits for its receipt, sending identical bytes again until its validity ends: first to the
    /// primary ([`Addressing`]), then to every replica.
    ///
    /// The receipt is verified against the genesis file. Its outcome may be a rejection by the contract.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn submit(&self, transaction: &SignedTransaction) -> Result<Receipt, SubmitError> {
        let span = tracing::info_span!("submit", transaction = %transaction.id(), contract = transaction.body.contract.0);
        self.submit_in_span(transaction).instrument(span).await
    }

    async fn submit_in_span(
        &self,
        transaction: &SignedTransaction,
    ) -> Result<Receipt, SubmitError> {
        if transaction.body.chain != self.inner.chain {
            return Err(SubmitError::Invalid("it names another chain".into()));
        }
        transaction
            .verify()
            .map_err(|error| SubmitError::Invalid(error.to_string()))?;
        let bytes = transaction.to_bytes();
        if bytes.len() > ledger::transaction::MAX_TRANSACTION_BYTES {
            return Err(SubmitError::Invalid("it has more than 64 KiB".into()));
        }
        let id = transaction.id();
        let subject = subjects::transactions(self.user());
        let (submissions, patience) = (&self.inner.submissions, &self.inner.patience);
        let submitters = &self.inner.submitters;
        let mut waiting = submitters.wait_for(&id, &subject, REPLY_SLOTS);
        let mut verdicts = Verdicts::of(self.epoch().fault_tolerance());
        let valid_until = transaction.body.valid_until;
        let (started, mut pause) = (Instant::now(), patience.first());
        let submitted = Submitted {
            bytes,
            traceparent: trace_context::traceparent(),
        };
        submissions.send(submitted.clone()).await;
        loop {
            let heard = self.hear(&mut waiting, &submitted, &id, &mut verdicts);
            match tokio::time::timeout(pause, heard).await {
                Ok(end) => {
                    if end.is_ok() {
                        patience.learn(started.elapsed());
                    }
                    return end;
                }
                Err(_) if chassis::clock::now() > valid_until.0 => {
                    return self.settle(&id, valid_until).await;
                }
                // A receipt may have been lost on the way, and the repeat as well.
                Err(_) => {
                    if let Ok(Some(receipt)) = self.receipt(&id).await {
                        return Ok(receipt);
                    }
                }
            }
            self.inner.addressing.doubt();
            submissions.send_to_all(submitted.clone()).await;
            pause = Patience::longer(pause);
        }
    }

    /// Listens until a receipt verifies or enough replicas agree on another end.
    async fn hear(
        &self,
        waiting: &mut Waiting<OfReplica>,
        submitted: &Submitted,
        id: &Digest,
        verdicts: &mut Verdicts,
    ) -> Result<Receipt, SubmitError> {
        loop {
            let OfReplica {
                replica,
                reply,
                place,
            } = match waiting.next().await {
                Incoming::Message(of_replica) => of_replica,
                Incoming::Denied => return Err(SubmitError::Denied),
            };
            let verdict = match &reply.answer {
                SubmitAnswer::Receipts(receipts) => {
                    if let Some(receipt) = receipts.receipt(place)
                        && self.is_receipt_of(&receipt, id).await
                    {
                        return Ok(receipt);
                    }
                    continue;
                }
                SubmitAnswer::Busy => SubmitError::Busy,
                SubmitAnswer::Refused { code, reason } => SubmitError::Refused {
                    code: *code,
                    reason: reason.clone(),
                },
            };
            let is_first_refusal =
                verdicts.is_empty() && matches!(verdict, SubmitError::Refused { .. });
            if let Some(end) = verdicts.add(replica, verdict) {
                return Err(end);
            }
            if is_first_refusal {
                // One alone is not believed, and perhaps only this one has it. (What "busy" says comes with the next pause: who has too
                // much to do is not helped by more.)
                self.inner.submissions.send_to_all(submitted.clone()).await;
            }
        }
    }

    /// After the end of validity: a receipt, or proof enough that there never will be one.
    async fn settle(&self, id: &Digest, valid_until: Timestamp) -> Result<Receipt, SubmitError> {
        while chassis::clock::now() < valid_until.0.saturating_add(GRACE_US) {
            let mut past = 0;
            for (_, answer) in self.ask_all(&ReceiptRequest { transaction: *id }).await {
                match answer {
                    Ok(ReceiptReply::Found(bytes)) => {
                        if let Some(receipt) = self.verified_receipt_now(&bytes, id).await {
                            return Ok(receipt);
                        }
                    }
                    Ok(ReceiptReply::NotFound { time, .. }) if time > valid_until => past += 1,
                    Ok(ReceiptReply::NotFound { .. }) | Err(_) => {}
                }
            }
            if past > self.epoch().fault_tolerance() {
                return Err(SubmitError::Expired);
            }
            tokio::time::sleep(ASK_AGAIN_AFTER).await;
        }
        Err(SubmitError::Unanswered)
    }

    /// The receipt in `bytes` if it verifies for `transaction`.
    async fn verified_receipt_now(&self, bytes: &[u8], transaction: &Digest) -> Option<Receipt> {
        let receipt = Receipt::from_bytes(bytes).ok()?;
        self.is_receipt_of(&receipt, transaction)
            .await
            .then_some(receipt)
    }

    /// Whether the receipt verifies for `transaction`; asks for newer epochs when it names one.
    async fn is_receipt_of(&self, receipt: &Receipt, transaction: &Digest) -> bool {
        let is_its = self.verifies_for(receipt, transaction);
        if is_its {
            if receipt.header.epoch > self.epoch().epoch {
                // Not needed to trust the receipt, but for the next questions.
                let _ = self.refresh_epochs().await;
            }
            self.learn_primary(receipt.header.epoch, receipt.certificate.view);
        }
        is_its
    }

    /// A verified certificate names this view of an epoch.
    pub(crate) fn learn_primary(&self, epoch: Epoch, view: u64) {
        if let Some(epoch) = self.inner.epochs.get(epoch) {
            self.inner.addressing.learn(&epoch, view);
        }
    }

    pub(crate) fn verified_receipt(&self, bytes: &[u8], transaction: &Digest) -> Option<Receipt> {
        let receipt = Receipt::from_bytes(bytes).ok()?;
        self.verifies_for(&receipt, transaction).then_some(receipt)
    }

    fn verifies_for(&self, receipt: &Receipt, transaction: &Digest) -> bool {
        match receipt.verify_from(&self.inner.chain, &self.inner.genesis.epoch) {
            Ok(verified) => verified.transaction() == *transaction,
            Err(error) => {
                tracing::warn!(%error, "a receipt does not verify");
                false
            }
        }
    }
}

/// What this process submits, on its way: a task publishes what is at hand as one message.
#[derive(Debug, Clone)]
pub(crate) struct Submissions(mpsc::Sender<Sending>);

#[derive(Debug)]
struct Sending {
    submitted: Submitted,
    /// To every replica, whoever the primary is.
    to_all: bool,
}

impl Submissions {
    /// Starts the task; it ends with the last clone.
    pub(crate) fn start(
        client: async_nats::Client,
        user: &str,
        addressing: Arc<Addressing>,
    ) -> Submissions {
        let (sender, receiver) = mpsc::channel(SUBMISSIONS_MAX);
        tokio::spawn(publish_all(client, user.to_owned(), addressing, receiver));
        Submissions(sender)
    }

    /// Waits for room. A connection that is down buffers or loses what it is given: it is sent again.
    async fn send(&self, submitted: Submitted) {
        self.hand_over(submitted, false).await;
    }

    /// As [`Submissions::send`], to every replica.
    async fn send_to_all(&self, submitted: Submitted) {
        self.hand_over(submitted, true).await;
    }

    async fn hand_over(&self, submitted: Submitted, to_all: bool) {
        // Without the task the runtime is ending.
        let _ = self.0.send(Sending { submitted, to_all }).await;
    }
}

async fn publish_all(
    client: async_nats::Client,
    user: String,
    addressing: Arc<Addressing>,
    mut submissions: mpsc::Receiver<Sending>,
) {
    let mut at_hand = Vec::new();
    while submissions
        .recv_many(&mut at_hand, SUBMITTED_TOGETHER_MAX)
        .await
        > 0
    {
        let (to_all, others): (Vec<Sending>, Vec<Sending>) =
            at_hand.drain(..).partition(|sending| sending.to_all);
        for (sendings, is_addressed) in [(others, true), (to_all, false)] {
            if sendings.is_empty() {
                continue;
            }
            let route = if is_addressed {
                addressing.next()
            } else {
                Route::All
            };
            let submitted = sendings.into_iter().map(|sending| sending.submitted);
            // What is lost is sent again.
            let _ = publish(&client, &user, &route, submitted).await;
        }
    }
}

/// Publishes transactions of a user on their route, in order, in as few messages as hold them.
///
/// # Errors
/// When the connection is closed.
pub async fn publish(
    client: &async_nats::Client,
    user: &str,
    route: &Route,
    transactions: impl IntoIterator<Item = Submitted>,
) -> Result<(), async_nats::PublishError> {
    let subjects = route.subjects(user);
    for group in Submission::grouped(route.addressed(), transactions) {
        let message = Bytes::from(canonical::encode(&group));
        for subject in &subjects {
            client.publish(subject.clone(), message.clone()).await?;
        }
    }
    Ok(())
}

/// What single replicas say; it counts once f + 1 say the same kind of thing.
struct Verdicts {
    fault_tolerance: usize,
    said: BTreeMap<ReplicaId, SubmitError>,
}

impl Verdicts {
    fn of(fault_tolerance: usize) -> Verdicts {
        Verdicts {
            fault_tolerance,
            said: BTreeMap::new(),
        }
    }

    fn is_empty(&self) -> bool {
        self.said.is_empty()
    }

    fn add(&mut self, replica: ReplicaId, verdict: SubmitError) -> Option<SubmitError> {
        self.said.insert(replica, verdict.clone());
        let same = self
            .said
            .values()
            .filter(|said| is_alike(said, &verdict))
            .count();
        (same > self.fault_tolerance).then_some(verdict)
    }
}

fn is_alike(one: &SubmitError, other: &SubmitError) -> bool {
    match (one, other) {
        (SubmitError::Refused { code: one, .. }, SubmitError::Refused { code: other, .. }) => {
            one == other
        }
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_replica_alone_cannot_refuse_a_transaction() {
        let mut verdicts = Verdicts::of(1);
        let refused = |reason: &str| SubmitError::Refused {
            code: 3,
            reason: reason.into(),
        };
        assert_eq!(verdicts.add(ReplicaId(0), refused("a")), None);
        assert_eq!(verdicts.add(ReplicaId(0), refused("b")), None);
        assert_eq!(verdicts.add(ReplicaId(1), SubmitError::Busy), None);
        assert_eq!(verdicts.add(ReplicaId(2), refused("c")), Some(refused("c")));
    }
}
