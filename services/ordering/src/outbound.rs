//! What goes out to the broker: one task that publishes, in the order given, what other threads hand over.

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
    sender: mpsc::Sender<Message>,
    dropped: chassis::metrics::Counter,
}

impl Outbound {
    /// Starts the task.
    pub fn start(client: async_nats::Client) -> Outbound {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        tokio::spawn(publish(client, receiver));
        let dropped = chassis::metrics::counter(
            "ordering_dropped_total",
            "messages dropped because the broker is slow",
        );
        Outbound { sender, dropped }
    }

    /// Publishes nothing.
    #[cfg(test)]
    pub fn nowhere() -> Outbound {
        let (sender, _) = mpsc::channel(1);
        let dropped = chassis::metrics::counter("test_dropped_total", "of tests");
        Outbound { sender, dropped }
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
        // Without a receiver the process is stopping.
        if let Err(mpsc::error::TrySendError::Full(_)) = self.sender.try_send(message) {
            self.dropped.add(1);
        }
    }
}

async fn publish(client: async_nats::Client, mut messages: mpsc::Receiver<Message>) {
    let mut group = Vec::with_capacity(256);
    while messages.recv_many(&mut group, 256).await > 0 {
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
