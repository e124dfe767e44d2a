//! One subscription for all answers to this process, handed at once to those who wait.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_nats::Message;
use futures::StreamExt;
use ledger::{Digest, ReplicaId, canonical};
use tokio::sync::mpsc;

use crate::ordering_wire::SubmitReply;
use crate::subjects;

/// What comes for a waiter.
#[derive(Debug)]
pub(crate) enum Incoming<T = Message> {
    /// An answer.
    Message(T),
    /// The server denied what the waiter had published.
    Denied,
}

/// A replica's answer to transactions, for one who waits for one of them.
#[derive(Debug, Clone)]
pub(crate) struct OfReplica {
    /// Whose answer.
    pub(crate) replica: ReplicaId,
    /// The answer.
    pub(crate) reply: Arc<SubmitReply>,
    /// The transaction's place in it.
    pub(crate) place: usize,
}

#[derive(Debug)]
struct Waiter<T> {
    number: u64,
    published_to: String,
    sender: mpsc::Sender<Incoming<T>>,
}

/// Those who wait, by what they wait on: the last token of a subject, or a transaction's id.
#[derive(Debug)]
pub(crate) struct Waiters<T = Message> {
    numbers: AtomicU64,
    waiters: Mutex<HashMap<String, Vec<Waiter<T>>>>,
}

impl<T> Default for Waiters<T> {
    fn default() -> Waiters<T> {
        Waiters {
            numbers: AtomicU64::new(0),
            waiters: Mutex::default(),
        }
    }
}

/// One who waits; stops waiting when dropped.
#[derive(Debug)]
pub(crate) struct Waiting<T = Message> {
    waiters: Arc<Waiters<T>>,
    token: String,
    number: u64,
    receiver: mpsc::Receiver<Incoming<T>>,
}

impl Waiters<OfReplica> {
    /// Waits for what replicas answer to a transaction, after publishing it to `published_to`.
    pub(crate) fn wait_for(
        self: &Arc<Self>,
        transaction: &Digest,
        published_to: &str,
        capacity: usize,
    ) -> Waiting<OfReplica> {
        self.wait(&transaction.to_string(), published_to, capacity)
    }

    /// Hands a replica's answer to those who wait for one of its transactions.
    fn deliver_reply(&self, message: &Message) {
        let responder = message.subject.as_str().split('.').nth(1);
        let Some(replica) = responder.and_then(subjects::replica_of) else {
            return;
        };
        let Ok(reply) = canonical::decode::<SubmitReply>(&message.payload) else {
            tracing::warn!(replica = replica.0, "a replica's answer can't be read");
            return;
        };
        let reply = Arc::new(reply);
        for (place, transaction) in reply.transactions.iter().enumerate() {
            let of_replica = OfReplica {
                replica,
                reply: reply.clone(),
                place,
            };
            self.deliver(&transaction.to_string(), &of_replica);
        }
    }
}

impl<T: Clone> Waiters<T> {
    /// Waits for messages whose subject ends in `token`, after publishing to `published_to`.
    pub(crate) fn wait(
        self: &Arc<Self>,
        token: &str,
        published_to: &str,
        capacity: usize,
    ) -> Waiting<T> {
        let (sender, receiver) = mpsc::channel(capacity);
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let waiter = Waiter {
            number,
            published_to: published_to.to_owned(),
            sender,
        };
        self.lock()
            .entry(token.to_owned())
            .or_default()
            .push(waiter);
        Waiting {
            waiters: self.clone(),
            token: token.to_owned(),
            number,
            receiver,
        }
    }

    /// Hands one message out; nobody waiting is normal (a late or second answer).
    pub(crate) fn deliver(&self, token: &str, message: &T) {
        if let Some(waiters) = self.lock().get(token) {
            for waiter in waiters {
                // A full queue means more answers than the waiter asked for: the rest is not needed.
                let _ = waiter.sender.try_send(Incoming::Message(message.clone()));
            }
        }
    }

    /// Tells those who published to `subject` that the server denied it.
    pub(crate) fn denied(&self, subject: &str) {
        for waiter in self.lock().values().flatten() {
            if waiter.published_to.eq_ignore_ascii_case(subject) {
                let _ = waiter.sender.try_send(Incoming::Denied);
            }
        }
    }
}

impl<T> Waiters<T> {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Waiter<T>>>> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Waiting<T> {
    /// The next that comes.
    pub(crate) async fn next(&mut self) -> Incoming<T> {
        match self.receiver.recv().await {
            Some(incoming) => incoming,
            // The sender lives in the table until this is dropped.
            None => std::future::pending().await,
        }
    }
}

impl<T> Drop for Waiting<T> {
    fn drop(&mut self) {
        let mut table = self.waiters.lock();
        if let Some(waiters) = table.get_mut(&self.token) {
            waiters.retain(|waiter| waiter.number != self.number);
            if waiters.is_empty() {
                table.remove(&self.token);
            }
        }
    }
}

/// Drains the subscription for all answers, for as long as the connection lives.
pub(crate) fn drain(
    mut subscription: async_nats::Subscriber,
    waiters: Arc<Waiters>,
    submitters: Arc<Waiters<OfReplica>>,
) {
    tokio::spawn(async move {
        while let Some(message) = subscription.next().await {
            match message.subject.as_str().rsplit('.').next() {
                Some(subjects::TRANSACTIONS) => submitters.deliver_reply(&message),
                Some(token) => waiters.deliver(token, &message),
                None => {}
            }
        }
    });
}
