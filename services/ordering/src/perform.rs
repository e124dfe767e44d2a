//! What the core wants done, to those who do it: part of the core's thread.

use std::time::Instant;

use bus::ordering_wire::SubmitAnswer;
use bus::subjects;
use ledger::{Digest, ReplicaId};
use pbft::{Effect, HaltReason, Message, Order, Refusal};

use crate::core::{Core, FetchOrder};
use crate::delivery::Parcel;
use crate::journal::{Job, JournaledCertificate};
use crate::recent::Ordered;
use crate::replies;
use crate::run_blocks::Task;
use crate::wire::{self, Carried, Wire};

impl Core {
    pub(crate) fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Persist(pending) => {
                let bodies = self.bodies.get_all(pending.bodies());
                self.jobs.push(Job::Persist(pending, bodies));
            }
            Effect::CompactLog(records) => self.jobs.push(Job::Compact(records)),
            Effect::Broadcast(message) => {
                let said = &message.message().message;
                self.note_phase(said);
                if let Message::PrePrepare(proposal) = said {
                    // Clients send what they want ordered to the primary (§4.1): the others have it from here.
                    self.proposed
                        .extend(self.bodies.get_all(&proposal.batch.digests));
                }
                self.said.push(message.to_bytes());
            }
            Effect::Send { to, message } => {
                self.send(to, &Wire::Consensus(vec![message.to_bytes()], Vec::new()))
            }
            Effect::FetchBodies { digests, from } => self.send(from, &Wire::BodiesWanted(digests)),
            Effect::ForwardBodies { digests, to } => {
                for group in self.carried(&digests) {
                    self.send(to, &Wire::Relayed(group));
                }
            }
            Effect::PassOn { digests, to } => {
                for group in self.carried(&digests) {
                    self.send(to, &Wire::PassedOn(group));
                }
            }
            Effect::ForgetBodies(digests) => {
                self.bodies.forget(&digests);
                self.jobs.push(Job::Forget(digests));
            }
            Effect::Execute { order, digests } => self.execute(order, &digests),
            Effect::Certified {
                sequence,
                block,
                certificate,
            } => {
                let height = sequence.height();
                let kept = JournaledCertificate {
                    height,
                    block,
                    certificate: certificate.clone(),
                };
                self.jobs.push(Job::Certificate(kept));
                self.certified = Some(height);
                self.parcels.push_back((height, certificate));
            }
            Effect::FetchBlocks { first, last, peer } => {
                let epoch = self.epoch.epoch;
                self.order_blocks(FetchOrder {
                    first,
                    last,
                    peer,
                    epoch,
                });
            }
            Effect::Evidence(evidence) => {
                self.metrics.equivocations.add(1);
                tracing::error!(
                    replica = evidence.slot.replica.0,
                    "a replica signed two messages that contradict each other"
                );
                let turn = self.turn_after(evidence.slot.replica);
                self.accusations.add(evidence, turn, Instant::now());
            }
            Effect::Refused { digest, reason } => self.refuse(&digest, reason),
            Effect::EnteredView { view, primary } => {
                self.metrics.view_changes.add(1);
                tracing::info!(view = view.0, primary = primary.0, "entered a view");
            }
            Effect::LeftView {
                from,
                primary,
                reason,
            } => tracing::info!(view = from.0, primary = primary.0, %reason, "leaves the view"),
            Effect::EpochEnded(base) => self.enter_epoch(base),
            Effect::Halt(reason) => self.halt(reason),
        }
    }

    /// Bodies that are held, in groups that fit a message each.
    fn carried(&self, digests: &[Digest]) -> Vec<Vec<Carried>> {
        let bodies = self.bodies.get_all(digests);
        wire::grouped(bodies.iter().map(|body| Carried::from(&**body)))
    }

    /// What this replica says of a place tells which phase it has reached there; what it says again changes nothing.
    fn note_phase(&mut self, message: &Message) {
        let now = Some(Instant::now());
        match message {
            Message::PrePrepare(proposal) => {
                let ordered = self.ordered.entry(proposal.sequence).or_default();
                ordered.proposed = ordered.proposed.or(now);
            }
            Message::Prepare(vote) => {
                let ordered = self.ordered.entry(vote.sequence).or_default();
                ordered.proposed = ordered.proposed.or(now);
            }
            _ => {}
        }
    }

    fn execute(&mut self, order: Order, digests: &[Digest]) {
        let sequence = order.sequence;
        let ordered = Ordered {
            prepared: Some(Instant::now()),
            ..self.ordered.remove(&sequence).unwrap_or_default()
        };
        // Votes may be repeated after their place is executed.
        self.ordered = self.ordered.split_off(&sequence);
        let mut bodies = Vec::with_capacity(digests.len());
        for digest in digests {
            match self
                .bodies
                .get(digest)
                .or_else(|| self.left_out.get(digest).cloned())
            {
                Some(body) => bodies.push(body),
                // Ordered again after its block: execution would leave the repeat out.
                None if self.recent.place(digest).is_some() => {}
                None => {
                    return self.halt(HaltReason::Driver(
                        "a batch was handed over without all its bodies",
                    ));
                }
            }
        }
        self.metrics.batch.set(bodies.len() as i64);
        self.tell_execution(Task::Execute {
            order,
            bodies,
            ordered,
        });
    }

    fn refuse(&mut self, digest: &Digest, reason: Refusal) {
        if let Some(body) = self.bodies.get(digest)
            && let Some(origin) = body.origin()
        {
            let transaction = body.transaction.id;
            match reason {
                Refusal::Busy | Refusal::ClientBusy if !self.peers.says_busy(&transaction) => {}
                Refusal::Busy | Refusal::ClientBusy => {
                    let subject =
                        subjects::transaction_replies(self.identity.me, &origin.requester);
                    let busy = replies::encoded(vec![transaction], SubmitAnswer::Busy);
                    self.performers.outbound.publish(subject, busy);
                }
                Refusal::AlreadyExecuted => {
                    let requester = origin.requester.clone();
                    self.performers.delivery.give(Parcel::Again {
                        transaction,
                        requester,
                    });
                }
                // The submitter's clock says so as well.
                Refusal::Expired => {}
            }
        }
        self.bodies.forget(&[*digest]);
    }

    /// Says to all what there is to say, as one message.
    pub(crate) fn speak(&mut self) {
        if self.said.is_empty() {
            return;
        }
        let proposed = std::mem::take(&mut self.proposed);
        let mut bodies =
            wire::grouped(proposed.iter().map(|body| Carried::from(&**body))).into_iter();
        let mut messages = wire::together(std::mem::take(&mut self.said))
            .into_iter()
            .peekable();
        while let Some(group) = messages.next() {
            // Bodies are taken when what names them has been heard.
            let with_it = match messages.peek() {
                None => bodies.next().unwrap_or_default(),
                Some(_) => Vec::new(),
            };
            self.say_to_all(&Wire::Consensus(group, with_it));
        }
        for group in bodies {
            self.say_to_all(&Wire::Bodies(group));
        }
    }

    fn say_to_all(&mut self, message: &Wire) {
        let subject = subjects::pbft_all(self.epoch.epoch, self.identity.me);
        self.publish(subject, message);
    }

    fn send(&mut self, to: ReplicaId, message: &Wire) {
        let subject = subjects::pbft_to(self.epoch.epoch, self.identity.me, to);
        self.publish(subject, message);
    }

    fn publish(&mut self, subject: String, message: &Wire) {
        self.next_message += 1;
        self.has_published = true;
        for payload in wire::payloads(message, self.next_message) {
            self.performers.outbound.publish(subject.clone(), payload);
        }
    }

    /// Fetches one order after another. Who gave one knows when to give it up, so one that finds the queue full is lost
    /// like an answer that does not come; without the task that fetches, the process is stopping.
    pub(crate) fn order_blocks(&self, order: FetchOrder) {
        if self.performers.fetch.try_send(order).is_err() {
            tracing::info!(
                peer = order.peer.0,
                first = order.first.0,
                "blocks are not fetched: earlier orders wait"
            );
        }
    }
}
