//! Messages of other replicas: received, put together, verified on a thread of their own, handed to the core.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, sync_channel};

use async_nats::Message;
use bytes::Bytes;
use futures::StreamExt;
use ledger::ReplicaId;
use pbft::{Input, Verifier};

use crate::body::BodyPool;
use crate::core::Heard;
use crate::delivery::Stored;
use crate::intake::{Arrival, Intake, Reason};
use crate::outbound::Outbound;
use crate::peers::Peers;
use crate::recent::RecentBlocks;
use crate::wire::{self, Assembly, Wire};

/// How many messages wait to be verified; what comes above it is lost, and asked for again.
const WAITING_MAX: usize = 8_192;

/// Bodies that one request may ask for.
const BODIES_WANTED_MAX: usize = 4_096;

type Incoming = (ReplicaId, Bytes);

/// What verification needs.
pub struct Inbound {
    /// This replica.
    pub me: ReplicaId,
    /// Its epoch.
    pub epoch: ledger::Epoch,
    /// The rule.
    pub verifier: Verifier,
    /// Who is heard of.
    pub peers: Arc<Peers>,
    /// The bodies, for those who ask.
    pub bodies: Arc<BodyPool>,
    /// The latest blocks, for those who ask for bodies that are in them.
    pub recent: Arc<RecentBlocks>,
    /// The block files, likewise.
    pub stored: Arc<Stored>,
    /// Where transactions are checked.
    pub intake: Intake,
    /// The broker.
    pub outbound: Outbound,
    /// The core.
    pub core: Sender<Heard>,
}

/// Who a consensus subject says that a message is from; the broker lets a replica publish under its own number only.
fn sender(subject: &str) -> Option<ReplicaId> {
    subject.split('.').nth(2)?.parse().ok().map(ReplicaId)
}

/// Receives into the verifying thread's queue until the connection ends.
async fn receive(
    mut subscription: async_nats::Subscriber,
    me: ReplicaId,
    queue: SyncSender<Incoming>,
) {
    let lost = chassis::metrics::counter(
        "ordering_lost_total",
        "consensus messages lost to a full queue",
    );
    while let Some(Message {
        subject, payload, ..
    }) = subscription.next().await
    {
        let Some(from) = sender(&subject).filter(|from| *from != me) else {
            continue;
        };
        if queue.try_send((from, payload)).is_err() {
            lost.add(1);
        }
    }
}

impl Inbound {
    /// Starts the thread and the tasks that feed it.
    pub fn start(self, to_all: async_nats::Subscriber, to_me: async_nats::Subscriber) {
        let (queue, messages) = sync_channel(WAITING_MAX);
        tokio::spawn(receive(to_all, self.me, queue.clone()));
        tokio::spawn(receive(to_me, self.me, queue));
        std::thread::Builder::new()
            .name("inbound".to_owned())
            .spawn(move || self.run(&messages))
            .expect("a thread can be started");
    }

    fn run(self, messages: &Receiver<Incoming>) {
        let refused = chassis::metrics::counter(
            "ordering_refused_messages_total",
            "messages that did not verify",
        );
        let mut assembly = Assembly::default();
        let mut number = 0;
        while let Ok((from, payload)) = messages.recv() {
            match assembly.take(from, &payload) {
                None => {}
                Some(Wire::Consensus(bytes)) => match self.verifier.verify_bytes(&bytes) {
                    Ok(message) if message.get().sender == from => {
                        self.peers.note(from);
                        if self
                            .core
                            .send(Heard::Input(Input::Message(message)))
                            .is_err()
                        {
                            return;
                        }
                    }
                    Ok(_) => refused.add(1),
                    Err(error) => {
                        refused.add(1);
                        tracing::debug!(from = from.0, %error, "a message was refused");
                    }
                },
                Some(Wire::BodiesWanted(wanted)) => self.serve_bodies(from, &wanted, &mut number),
                Some(Wire::Bodies(bodies)) => self.check(bodies, Reason::AskedFor),
                Some(Wire::Relayed(bodies)) => self.check(bodies, Reason::Submitted),
                Some(Wire::Piece { .. }) => {}
            }
        }
    }

    fn check(&self, bodies: Vec<Vec<u8>>, reason: Reason) {
        let arrivals = bodies
            .into_iter()
            .map(|bytes| Arrival {
                bytes: bytes.into(),
                origin: None,
            })
            .collect();
        self.intake.take(reason, arrivals);
    }

    /// A transaction of a recent block, from memory or from the block files.
    fn ordered_body(&self, wire: &ledger::Digest) -> Option<Vec<u8>> {
        let (height, index) = self.recent.place(wire)?;
        if let Some(block) = self
            .recent
            .get(height.0)
            .and_then(|recent| recent.block.clone())
        {
            return block
                .transactions
                .get(index)
                .map(ledger::SignedTransaction::to_bytes);
        }
        // Damage of the files is found and named by whoever needs the block itself.
        let certified = self.stored.block(height).ok()??;
        certified
            .block
            .transactions
            .get(index)
            .map(ledger::SignedTransaction::to_bytes)
    }

    fn serve_bodies(&self, to: ReplicaId, wanted: &[ledger::Digest], number: &mut u64) {
        let wanted = &wanted[..wanted.len().min(BODIES_WANTED_MAX)];
        let found = wanted
            .iter()
            .filter_map(|wire| match self.bodies.get(wire) {
                Some(body) => Some(body.bytes.to_vec()),
                None => self.ordered_body(wire),
            });
        let subject = bus::subjects::pbft_to(self.epoch, self.me, to);
        for group in wire::grouped(found) {
            *number += 1;
            for payload in wire::payloads(&Wire::Bodies(group), u64::MAX - *number) {
                self.outbound.publish(subject.clone(), payload);
            }
        }
    }
}
