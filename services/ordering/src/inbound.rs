//! Messages of other replicas: received, put together, verified on a thread of their own, handed to the core.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender};

use async_nats::Message;
use bytes::Bytes;
use futures::StreamExt;
use ledger::{Epoch, ReplicaId};
use pbft::statement::Statement;
use pbft::{Input, Message as Said, SignedMessage};

use crate::body::BodyPool;
use crate::core::Heard;
use crate::delivery::Stored;
use crate::intake::{Arrival, Intake, Reason};
use crate::outbound::Outbound;
use crate::peers::Peers;
use crate::recent::RecentBlocks;
use crate::seat::CurrentVerifier;
use crate::wire::{self, Assembly, Wire};

/// How many messages wait to be verified; what comes above it is lost, and asked for again.
pub const WAITING_MAX: usize = 8_192;

/// How many messages of the next epoch are kept until it begins here as well.
const EARLY_MAX: usize = 1_024;

/// How many messages are verified together at most.
const VERIFIED_TOGETHER_MAX: usize = 64;

/// Bodies that one request may ask for.
const BODIES_WANTED_MAX: usize = 4_096;

/// What the verifying thread hears.
#[derive(Debug)]
pub enum Incoming {
    /// A message: of which epoch, from whom.
    Message(Epoch, ReplicaId, Bytes),
    /// Another epoch began: there is another verifier.
    EpochBegan,
}

/// What verification needs.
pub struct Inbound {
    /// This replica.
    pub me: ReplicaId,
    /// The rule of the epoch in force.
    pub verifier: Arc<CurrentVerifier>,
    /// Where those are named that are in a later epoch.
    pub ahead: tokio::sync::mpsc::Sender<ReplicaId>,
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

/// The verifying thread's own memory.
struct Desk {
    assembly: Assembly,
    number: u64,
    /// Consensus messages at hand, each with who delivered it.
    unverified: Vec<(ReplicaId, SignedMessage)>,
    /// Messages of the next epoch.
    early: VecDeque<(Epoch, ReplicaId, Bytes)>,
    refused: chassis::metrics::Counter,
}

/// The epoch and the sender that a consensus subject names; the broker lets a replica publish under its own number
/// only.
fn origin(subject: &str) -> Option<(Epoch, ReplicaId)> {
    let mut tokens = subject.split('.').skip(1);
    let epoch = tokens.next()?.parse().ok()?;
    let sender = tokens.next()?.parse().ok()?;
    Some((Epoch(epoch), ReplicaId(sender)))
}

/// Whether a verified message counts although another delivered it than signed it: replicas relay pre-prepares and
/// new views of others. What binds nobody (a status, say) could be an old one, and counts from its author only.
fn is_taken_from(from: ReplicaId, signed: &SignedMessage) -> bool {
    signed.sender == from || Statement::of(&signed.message).phase.binds()
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
        let Some((epoch, from)) = origin(&subject).filter(|(_, from)| *from != me) else {
            continue;
        };
        if queue
            .try_send(Incoming::Message(epoch, from, payload))
            .is_err()
        {
            lost.add(1);
        }
    }
}

impl Inbound {
    /// Starts the thread on its queue, and the tasks that feed it.
    pub fn start(
        self,
        queue: SyncSender<Incoming>,
        messages: Receiver<Incoming>,
        to_all: async_nats::Subscriber,
        to_me: async_nats::Subscriber,
    ) {
        tokio::spawn(receive(to_all, self.me, queue.clone()));
        tokio::spawn(receive(to_me, self.me, queue));
        std::thread::Builder::new()
            .name("inbound".to_owned())
            .spawn(move || self.run(&messages))
            .expect("a thread can be started");
    }

    fn run(self, messages: &Receiver<Incoming>) {
        let mut desk = Desk {
            assembly: Assembly::default(),
            number: 0,
            unverified: Vec::new(),
            early: VecDeque::new(),
            refused: chassis::metrics::counter(
                "ordering_refused_messages_total",
                "messages that did not verify",
            ),
        };
        while let Ok(first) = messages.recv() {
            let mut next = Some(first);
            // What is at hand is verified as one.
            while let Some(incoming) = next {
                self.hear(&mut desk, incoming);
                let room = desk.unverified.len() < VERIFIED_TOGETHER_MAX;
                next = if room { messages.try_recv().ok() } else { None };
            }
            self.verify(&mut desk);
        }
    }

    fn hear(&self, desk: &mut Desk, incoming: Incoming) {
        let epoch = self.verifier.get().epoch();
        match incoming {
            Incoming::Message(of, from, payload) if of > epoch => {
                // We are late; whoever is ahead has what we lack. A full queue knows it already.
                let _ = self.ahead.try_send(from);
                if of.0 == epoch.0 + 1 && desk.early.len() < EARLY_MAX {
                    desk.early.push_back((of, from, payload));
                }
            }
            Incoming::Message(of, from, payload) if of == epoch => self.take(desk, from, &payload),
            Incoming::Message(..) => {}
            Incoming::EpochBegan => {
                for (of, from, payload) in std::mem::take(&mut desk.early) {
                    if of == epoch {
                        self.take(desk, from, &payload);
                    }
                }
            }
        }
    }

    /// A message of the epoch in force.
    fn take(&self, desk: &mut Desk, from: ReplicaId, payload: &Bytes) {
        match desk.assembly.take(from, payload) {
            None => {}
            Some(Wire::Consensus(bytes)) => match SignedMessage::from_bytes(&bytes) {
                Ok(message) => desk.unverified.push((from, message)),
                Err(error) => {
                    desk.refused.add(1);
                    tracing::debug!(from = from.0, %error, "a message was refused");
                }
            },
            Some(Wire::BodiesWanted(wanted)) => {
                self.serve_bodies(from, &wanted, &mut desk.number);
            }
            Some(Wire::Bodies(bodies)) => self.check(bodies, Reason::AskedFor),
            Some(Wire::Relayed(bodies)) => self.check(bodies, Reason::Submitted),
            Some(Wire::Piece { .. }) => {}
        }
    }

    /// Verifies what is at hand, and tells the core in the order in which it came.
    fn verify(&self, desk: &mut Desk) {
        let certified = self.stored.tip().height;
        // Votes for a block that has its certificate say nothing new: the core drops them.
        let is_late = |signed: &SignedMessage| match &signed.message {
            Said::BlockVote(vote) => vote.sequence.height() <= certified,
            _ => false,
        };
        let mut at_hand = std::mem::take(&mut desk.unverified);
        at_hand.retain(|(_, signed)| !is_late(signed));
        let (deliverers, messages): (Vec<ReplicaId>, Vec<SignedMessage>) =
            at_hand.into_iter().unzip();
        let verified = self
            .verifier
            .get()
            .verify_all(messages, keys::secret::random());
        for (from, verified) in deliverers.into_iter().zip(verified) {
            match verified {
                Ok(message) if is_taken_from(from, message.get()) => {
                    if message.get().sender == from {
                        self.peers.note(from);
                    }
                    // Without a core the process is stopping.
                    let _ = self.core.send(Heard::Input(Input::Message(message)));
                }
                Ok(_) => desk.refused.add(1),
                Err(error) => {
                    desk.refused.add(1);
                    tracing::debug!(from = from.0, %error, "a message was refused");
                }
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
        let subject = bus::subjects::pbft_to(self.verifier.get().epoch(), self.me, to);
        for group in wire::grouped(found) {
            *number += 1;
            for payload in wire::payloads(&Wire::Bodies(group), u64::MAX - *number) {
                self.outbound.publish(subject.clone(), payload);
            }
        }
    }
}
