//! One subscription for all answers to this process, handed at once to those who wait.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_nats::Message;
use futures::StreamExt;
use tokio::sync::mpsc;

/// What comes for a waiter.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// An answer.
    Message(Message),
    /// The server denied what the waiter had published.
    Denied,
}

#[derive(Debug)]
struct Waiter {
    number: u64,
    published_to: String,
    sender: mpsc::Sender<Incoming>,
}

/// Those who wait, by the last token of the subject they wait on.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    numbers: AtomicU64,
    waiters: Mutex<HashMap<String, Vec<Waiter>>>,
}

/// One who waits; stops waiting when dropped.
#[derive(Debug)]
pub(crate) struct Waiting {
    waiters: Arc<Waiters>,
    token: String,
    number: u64,
    receiver: mpsc::Receiver<Incoming>,
}

impl Waiters {
    /// Waits for messages whose subject ends in `token`, after publishing to `published_to`.
    pub(crate) fn wait(
        self: &Arc<Self>,
        token: &str,
        published_to: &str,
        capacity: usize,
    ) -> Waiting {
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
    pub(crate) fn deliver(&self, token: &str, message: &Message) {
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

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Waiter>>> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// The next that comes.
    pub(crate) async fn next(&mut self) -> Incoming {
        match self.receiver.recv().await {
            Some(incoming) => incoming,
            // The sender lives in the table until this is dropped.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Waiting {
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

/// Drains a subscription for as long as the connection lives.
pub(crate) fn drain(mut subscription: async_nats::Subscriber, waiters: Arc<Waiters>) {
    tokio::spawn(async move {
        while let Some(message) = subscription.next().await {
            if let Some(token) = message.subject.as_str().rsplit('.').next() {
                waiters.deliver(token, &message);
            }
        }
    });
}
