//! Messages of other replicas: put together and verified on the core's own thread, those at hand as one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use ledger::transaction::wire_digest;
use ledger::{Digest, Epoch, KeyPoints, ReplicaId};
use pbft::statement::Statement;
use pbft::{Message, Request, Sequence, SignedMessage, Verified, Verifier};

use crate::bodies_wanted::Wanted;
use crate::how_far::HowFar;
use crate::intake::{Arrival, Intake, Reason};
use crate::peers::Peers;
use crate::quota::Quota;
use crate::watch::Watch;
use crate::wire::{Assembly, Carried, MESSAGES_TOGETHER_MAX, Wire};

/// How many messages of the next epoch are kept until it begins here as well.
const EARLY_MAX: usize = 1_024;

/// How many blocks a replica may lack that takes part; more are made between two of its words about itself only under
/// load, when it votes as well.
const BEHIND_MAX: u64 = 64;

/// What verification needs.
pub struct Parts {
    /// This replica.
    pub me: ReplicaId,
    /// The rule of the epoch in force.
    pub verifier: Arc<Verifier>,
    /// Who asks how far others are.
    pub how_far: HowFar,
    /// Who is heard of.
    pub peers: Arc<Peers>,
    /// Who looks for the bodies that others ask for.
    pub bodies_wanted: std::sync::mpsc::SyncSender<Wanted>,
    /// Where transactions are checked.
    pub intake: Intake,
    /// Who notices what becomes of the others.
    pub watch: Watch,
}

/// What comes in from other replicas.
pub struct Inbound {
    parts: Parts,
    assembly: Assembly,
    quota: Quota,
    /// Consensus messages at hand, each with who delivered it.
    unverified: Vec<(ReplicaId, SignedMessage)>,
    /// Transactions at hand that proposals may name.
    unchecked: Vec<Carried>,
    /// The keys of their submitters.
    points: KeyPoints,
    /// Messages of the next epoch.
    early: VecDeque<(Epoch, ReplicaId, Bytes)>,
    refused: chassis::metrics::Counter,
    over_quota: chassis::metrics::Counter,
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

/// Whether a replica that says this takes part in what is ordered now, `certified` being the newest certified height here:
/// it votes, or has all blocks but the latest. One that catches up speaks as well, and has nothing to answer with.
fn takes_part(message: &Message, certified: Sequence) -> bool {
    match message {
        Message::Status(status) => status.certified.plus(BEHIND_MAX) >= certified,
        other => Statement::of(other).phase.binds(),
    }
}

impl Inbound {
    /// Without a message.
    pub fn new(parts: Parts) -> Inbound {
        Inbound {
            parts,
            assembly: Assembly::default(),
            quota: Quota::default(),
            unverified: Vec::new(),
            unchecked: Vec::new(),
            points: KeyPoints::new(),
            early: VecDeque::new(),
            refused: chassis::metrics::counter(
                "ordering_refused_messages_total",
                "messages that did not verify",
            ),
            over_quota: chassis::metrics::counter(
                "ordering_over_quota_messages_total",
                "messages that were not looked at: more than one replica's share",
            ),
        }
    }

    /// Who notices what becomes of the others.
    pub fn watch(&mut self) -> &mut Watch {
        &mut self.parts.watch
    }

    /// Who asks how far others are.
    pub fn how_far(&mut self) -> &mut HowFar {
        &mut self.parts.how_far
    }

    /// Another epoch begins, with its rule.
    pub fn begin_epoch(&mut self, verifier: Arc<Verifier>) {
        let epoch = verifier.epoch();
        self.parts.verifier = verifier;
        // Messages of the old epoch are worth nothing any more.
        self.unverified.clear();
        self.unchecked.clear();
        for (of, from, payload) in std::mem::take(&mut self.early) {
            if of == epoch {
                self.take(from, &payload);
            }
        }
    }

    /// A message from the broker.
    pub fn hear(&mut self, subject: &str, payload: Bytes) {
        let me = self.parts.me;
        let Some((of, from)) = origin(subject).filter(|(_, from)| *from != me) else {
            return;
        };
        let epoch = self.parts.verifier.epoch();
        if of == epoch {
            self.take(from, &payload);
        } else if of > epoch {
            // We are late; whoever is ahead has what we lack.
            self.parts.how_far.ask(from, Instant::now());
            if of.0 == epoch.0 + 1 && self.early.len() < EARLY_MAX {
                self.early.push_back((of, from, payload));
            }
        }
    }

    /// A message of the epoch in force.
    fn take(&mut self, from: ReplicaId, payload: &Bytes) {
        match self.assembly.take(from, payload) {
            None => {}
            Some(Wire::Consensus(messages, bodies)) => {
                self.unchecked.extend(bodies);
                let now = Instant::now();
                for bytes in messages.into_iter().take(MESSAGES_TOGETHER_MAX) {
                    if !self.quota.takes(from, now) {
                        self.over_quota.add(1);
                        continue;
                    }
                    match SignedMessage::from_bytes(&bytes) {
                        Ok(message) => self.unverified.push((from, message)),
                        Err(error) => self.refuse(from, &error),
                    }
                }
            }
            Some(Wire::BodiesWanted(wires)) => {
                let epoch = self.parts.verifier.epoch();
                // With many questions open, this one is lost like a message is, and asked again.
                let wanted = Wanted { epoch, from, wires };
                let _ = self.parts.bodies_wanted.try_send(wanted);
            }
            Some(Wire::Bodies(bodies)) => self.unchecked.extend(bodies),
            Some(Wire::Relayed(bodies)) => self.check(bodies, Reason::Relayed),
            Some(Wire::PassedOn(bodies)) => self.check(bodies, Reason::PassedOn),
            Some(Wire::Piece { .. }) => {}
        }
    }

    /// Verifies what is at hand, and gives what is good in the order in which it came. COMMITs up to
    /// `certified` say nothing new, and are passed over.
    pub fn verified(&mut self, certified: Sequence) -> Vec<Verified<SignedMessage>> {
        let is_late = |signed: &SignedMessage| match &signed.message {
            Message::Commit(vote) => vote.sequence <= certified,
            _ => false,
        };
        let mut at_hand = std::mem::take(&mut self.unverified);
        at_hand.retain(|(_, signed)| !is_late(signed));
        if at_hand.is_empty() {
            return Vec::new();
        }
        let (deliverers, messages): (Vec<ReplicaId>, Vec<SignedMessage>) =
            at_hand.into_iter().unzip();
        let verified = self
            .parts
            .verifier
            .verify_all(messages, keys::secret::random());
        let now = Instant::now();
        let mut good = Vec::with_capacity(verified.len());
        for (from, verified) in deliverers.into_iter().zip(verified) {
            match verified {
                Ok(message) if is_taken_from(from, message.get()) => {
                    let signed = message.get();
                    if signed.sender == from {
                        self.parts.watch.hear(signed, certified, now);
                        if takes_part(&signed.message, certified) {
                            self.parts.peers.note(from);
                        }
                    }
                    good.push(message);
                }
                Ok(_) => self.refused.add(1),
                Err(error) => self.refuse(from, &error),
            }
        }
        good
    }

    fn refuse(&self, from: ReplicaId, error: &dyn std::fmt::Display) {
        self.refused.add(1);
        tracing::debug!(from = from.0, %error, "a message was refused");
    }

    fn check(&self, bodies: Vec<Carried>, reason: Reason) {
        let arrivals = bodies.into_iter().map(Carried::into_arrival).collect();
        self.parts.intake.take(reason, arrivals);
    }

    /// Checks the bodies at hand that are `wanted`; others cost no signature check. Gives those of a few that are good.
    pub fn bodies(&mut self, wanted: impl Fn(&Digest) -> bool) -> Vec<Request> {
        let arrivals: Vec<Arrival> = std::mem::take(&mut self.unchecked)
            .into_iter()
            .filter(|carried| wanted(&wire_digest(&carried.bytes)))
            .map(Carried::into_arrival)
            .collect();
        if arrivals.is_empty() {
            return Vec::new();
        }
        self.parts.intake.take_proposed(arrivals, &mut self.points)
    }
}

#[cfg(test)]
mod tests {
    use pbft::message::{Status, Vote};

    use super::*;

    #[test]
    fn who_catches_up_has_no_turn_to_answer_until_it_has_what_the_others_have() {
        let status = |certified: u64| {
            Message::Status(Status {
                view: pbft::View(0),
                changing: false,
                stable: Sequence(0),
                executed: Sequence(certified),
                certified: Sequence(certified),
                asks: None,
            })
        };
        assert!(!takes_part(&status(10), Sequence(1_000)));
        assert!(takes_part(&status(990), Sequence(1_000)));
        assert!(takes_part(&status(1_100), Sequence(1_000)));
        assert!(!takes_part(
            &Message::BatchQuery(Vec::new()),
            Sequence(1_000)
        ));
        let vote = Vote {
            view: pbft::View(0),
            sequence: Sequence(1_001),
            digest: ledger::Digest::ZERO,
        };
        assert!(takes_part(&Message::Commit(vote), Sequence(1_000)));
    }
}
