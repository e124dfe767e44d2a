//! What goes out to the broker: one task that publishes, in the order given, what other threads hand over.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_nats::HeaderMap;
use bytes::Bytes;
use ledger::Digest;
use tokio::sync::mpsc;

/// How many messages wait at most; what comes above it is dropped, as a lossy network would.
const WAITING_MAX: usize = 65_536;

struct Message {
    subject: String,
    payload: Bytes,
    headers: Option<HeaderMap>,
}

/// A handle to the publishing task; cheap to clone.
#[derive(Clone)]
pub struct Outbound {
    sender: mpsc::UnboundedSender<Message>,
    waiting: Arc<AtomicUsize>,
    dropped: chassis::metrics::Counter,
}

impl Outbound {
    /// Starts the task.
    pub fn start(client: async_nats::Client) -> Outbound {
        let (sender, receiver) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        tokio::spawn(publish(client, receiver, waiting.clone()));
        let dropped = chassis::metrics::counter(
            "ordering_dropped_total",
            "messages dropped because the broker is slow",
        );
        Outbound {
            sender,
            waiting,
            dropped,
        }
    }

    /// Publishes.
    pub fn publish(&self, subject: String, payload: Bytes) {
        self.send(Message {
            subject,
            payload,
            headers: None,
        });
    }

    /// Publishes a block with its hash as the message id, and the trace contexts in which its transactions go on.
    pub fn publish_block(
        &self,
        subject: String,
        payload: Bytes,
        hash: Digest,
        traceparents: Vec<String>,
    ) {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", hash.to_string());
        for traceparent in traceparents {
            headers.append(bus::trace_context::TRACEPARENT, traceparent);
        }
        self.send(Message {
            subject,
            payload,
            headers: Some(headers),
        });
    }

    fn send(&self, message: Message) {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING_MAX {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.dropped.add(1);
            return;
        }
        // Without a receiver the process is stopping.
        let _ = self.sender.send(message);
    }
}

async fn publish(
    client: async_nats::Client,
    mut messages: mpsc::UnboundedReceiver<Message>,
    waiting: Arc<AtomicUsize>,
) {
    let mut group = Vec::with_capacity(256);
    while messages.recv_many(&mut group, 256).await > 0 {
        waiting.fetch_sub(group.len(), Ordering::Relaxed);
        for message in group.drain(..) {
            let Message {
                subject,
                payload,
                headers,
            } = message;
            let result = match headers {
                None => client.publish(subject, payload).await,
                Some(headers) => client.publish_with_headers(subject, headers, payload).await,
            };
            if let Err(error) = result {
                tracing::warn!(%error, "the broker did not take a message");
            }
        }
    }
}
