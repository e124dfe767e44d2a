//! What the driver of a replica does, simulated: effects are performed on disk, network and executor.

use std::rc::Rc;

use ledger::{Digest, ReplicaId};
use pbft::{Effect, SignedMessage, View};

use crate::cluster::{Cluster, Event};
use crate::disk::LogWrite;
use crate::node::{Done, Node, Task};
use crate::signing::signer;

impl Cluster {
    pub(crate) fn perform(&mut self, id: usize, effect: Effect, summary: &pbft::Summary) {
        match effect {
            Effect::Persist(pending) => {
                self.nodes[id]
                    .disk
                    .queue
                    .push_back(LogWrite::Append(Box::new(pending)));
                self.start_sync(id);
            }
            Effect::CompactLog(records) => {
                self.nodes[id]
                    .disk
                    .queue
                    .push_back(LogWrite::Replace(records));
                self.start_sync(id);
            }
            Effect::Broadcast(message) => {
                let message = message.message();
                self.check_sent(id, message, summary);
                for to in (0..self.nodes.len()).filter(|to| *to != id) {
                    self.send(id, to, message);
                }
            }
            Effect::Send { to, message } => {
                self.check_sent(id, message.message(), summary);
                self.send(id, usize::from(to.0), message.message());
            }
            Effect::FetchBodies { digests, from } => {
                let to = usize::from(from.0);
                self.transmit(
                    id,
                    to,
                    Event::BodyRequest {
                        to,
                        from: id,
                        digests,
                    },
                );
            }
            Effect::ForwardBodies { digests, to } => {
                self.note("forwarded");
                for digest in digests {
                    let (node, client) = (
                        usize::from(to.0),
                        self.owners.get(&digest).copied().unwrap_or(0),
                    );
                    self.transmit(
                        id,
                        node,
                        Event::Submission {
                            node,
                            digest,
                            client,
                        },
                    );
                }
            }
            Effect::ForgetBodies(digests) => self.forget(id, &digests),
            Effect::Refused { digest, .. } => self.forget(id, &[digest]),
            Effect::Execute {
                sequence,
                digests,
                time,
                ..
            } => {
                self.push_task(id, Task::Execute(sequence, digests, time));
            }
            Effect::Certified {
                sequence,
                block,
                certificate,
            } => self.certified(id, sequence, block, certificate),
            Effect::FetchBlocks { first, last, peer } => {
                self.note("state_transfer");
                let to = usize::from(peer.0);
                self.transmit(
                    id,
                    to,
                    Event::BlockRequest {
                        to,
                        from: id,
                        first,
                        last,
                    },
                );
            }
            Effect::Evidence(evidence) => {
                self.note("equivocation_proven");
                let result = self.oracle.accused(&evidence);
                if self.is_correct(id) {
                    self.check(result);
                }
            }
            Effect::EnteredView { .. } => self.note("view_entered"),
            Effect::Halt(reason) => {
                if self.is_correct(id) {
                    self.violate(format!("the correct replica {id} halted: {reason}"));
                }
            }
        }
    }

    fn check_sent(&mut self, id: usize, message: &SignedMessage, summary: &pbft::Summary) {
        if !self.is_correct(id) {
            return;
        }
        let replicas = self.nodes.len() as u64;
        let primary_of = |view: View| ReplicaId((view.0 % replicas) as u16);
        let result = self
            .oracle
            .sent(id, message, &mut self.nodes[id].disk, summary, primary_of);
        self.check(result);
    }

    fn forget(&mut self, id: usize, digests: &[Digest]) {
        let node = &mut self.nodes[id];
        for digest in digests {
            node.bodies.remove(digest);
            node.disk.bodies.remove(digest);
        }
    }

    /// Sends a message as the sender's behaviour has it; it is verified as the receiver would.
    fn send(&mut self, from: usize, to: usize, message: &SignedMessage) {
        let node = &mut self.nodes[from];
        let twisted = match node.behaviour {
            Some(behaviour) => {
                let key = signer(node.real_signatures, from);
                node.twister
                    .twist(behaviour, key.as_ref(), from, &self.chain, to, message)
            }
            None => Some(message.clone()),
        };
        let Some(message) = twisted else { return };
        match self.verifier.verify_bytes(&message.to_bytes()) {
            Ok(verified) => {
                self.oracle.proposed(verified.get());
                self.transmit(
                    from,
                    to,
                    Event::Packet {
                        to,
                        message: Rc::new(verified),
                    },
                );
            }
            Err(error) if self.is_correct(from) => {
                self.violate(format!(
                    "a message of the correct replica {from} is refused: {error}: {message:?}"
                ));
            }
            Err(_) => self.note("refused_message"),
        }
    }

    /// Puts an event on a link.
    pub(crate) fn transmit(&mut self, from: usize, to: usize, event: Event) {
        let delays = self.network.delays(&self.plan, &mut self.random, from, to);
        match delays[..] {
            [] => self.note("lost"),
            [delay] => self.schedule(delay, event),
            [first, second, ..] => {
                self.note("duplicated");
                if let Event::Packet { to, message } = &event {
                    let again = Event::Packet {
                        to: *to,
                        message: Rc::clone(message),
                    };
                    self.schedule(second, again);
                }
                self.schedule(first, event);
            }
        }
    }

    pub(crate) fn start_sync(&mut self, id: usize) {
        let longest = if self.network.healed {
            500
        } else {
            self.plan.sync_us
        };
        let delay = self.random.between(30, longest.max(30));
        let node = &mut self.nodes[id];
        if node.disk.syncing == 0 && !node.disk.queue.is_empty() {
            node.disk.syncing = node.disk.queue.len();
            let incarnation = node.incarnation;
            self.schedule(
                delay,
                Event::Synced {
                    node: id,
                    incarnation,
                },
            );
        }
    }

    pub(crate) fn push_task(&mut self, id: usize, task: Task) {
        if self.nodes[id].replica.is_none() {
            return;
        }
        self.nodes[id].tasks.push_back(task);
        if self.nodes[id].tasks.len() == 1 {
            self.schedule_task(id);
        }
    }

    fn schedule_task(&mut self, id: usize) {
        let delay = self.random.between(20, self.plan.sync_us.clamp(20, 2_000));
        let incarnation = self.nodes[id].incarnation;
        self.schedule(
            delay,
            Event::TaskDone {
                node: id,
                incarnation,
            },
        );
    }

    pub(crate) fn task_done(&mut self, id: usize) {
        let previous_time = self.nodes[id].machine.time.0;
        let mut stored = Vec::new();
        let done = self.nodes[id].do_task(&self.verifier, &mut stored);
        if !self.nodes[id].tasks.is_empty() {
            self.schedule_task(id);
        }
        if self.is_correct(id) {
            let mut previous_time = previous_time;
            for stored in &stored {
                let result = self
                    .oracle
                    .block_stored(&stored.block, stored.hash, previous_time);
                previous_time = stored.block.time.0;
                self.check(result);
            }
            if let Some(Done::Installed(blocks)) = &done {
                for proof in blocks.iter().map(|block| &block.get().proof) {
                    let (sequence, block, certificate) =
                        (proof.sequence(), proof.block(), proof.certificate());
                    let result =
                        self.oracle
                            .certified(&self.verifier, sequence, block, certificate);
                    self.check(result);
                }
            }
        }
        if let Some(done) = done {
            self.step(id, Node::input_of(done));
        }
    }
}
