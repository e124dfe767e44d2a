//! What the driver of a replica does, simulated: effects are performed on disk, network and executor.

use std::rc::Rc;

use ledger::{Certificate, Digest, ReplicaId};
use pbft::message::Message;
use pbft::{Effect, ExecutedBlock, Input, Request, Sequence, SignedMessage, Suspicion, Verified};

use crate::client::Client;
use crate::cluster::{Cluster, Event, Packet};
use crate::disk::LogWrite;
use crate::event::Reason;
use crate::network::Delivery;
use crate::node::{Done, Node, Task};
use crate::plan::Behaviour;

impl Cluster {
    pub(crate) fn perform(&mut self, index: usize, effect: Effect, summary: &pbft::Summary) {
        match effect {
            Effect::Persist(pending) => {
                let replica = self.nodes[index].replica_id;
                if let Some(message) = pending
                    .message(replica)
                    .filter(|_| self.nodes[index].is_correct())
                {
                    self.oracle.signed(message);
                    if let Some(judge) = self.judge_of(message.epoch) {
                        let result = judge.signs(message);
                        self.check(result);
                    }
                }
                let wanted = pending.certificates();
                if let Some(wanted) =
                    wanted.filter(|wanted| wanted.0 > 0 && !self.nodes[index].is_certified(*wanted))
                {
                    self.violate(format!(
                        "{replica} asks for certificates up to {wanted} and did not give them"
                    ));
                }
                self.write_log(index, LogWrite::Append(Box::new(pending)));
            }
            Effect::CompactLog(records) => self.write_log(index, LogWrite::Replace(records)),
            Effect::Broadcast(message) => {
                let message = message.message();
                self.check_sent(index, message, summary);
                let own = self.nodes[index].replica_id;
                let others = (0..self.nodes.len()).filter(|to| self.nodes[*to].replica_id != own);
                let proposes = matches!(message.message, Message::PrePrepare(_));
                self.send(index, others.collect(), message, proposes);
            }
            Effect::Send { to, message } => {
                self.check_sent(index, message.message(), summary);
                let receivers = self.processes_of(to);
                self.send(index, receivers, message.message(), false);
            }
            Effect::FetchBodies { digests, from } => {
                for to in self.processes_of(from) {
                    let digests = digests.clone();
                    let from = index;
                    self.transmit(index, to, Event::BodyRequest { to, from, digests });
                }
            }
            Effect::ForwardBodies { digests, to } => {
                self.note("forwarded");
                self.forward(index, &digests, to, Reason::Relayed);
            }
            Effect::PassOn { digests, to } => {
                self.note("passed_on");
                self.forward(index, &digests, to, Reason::Submitted);
            }
            Effect::ForgetBodies(digests) => self.forget(index, &digests),
            Effect::Refused { digest, .. } => self.forget(index, &[digest]),
            Effect::Execute { order, digests } => {
                self.push_task(index, Task::Execute(order, digests));
            }
            Effect::Certified {
                sequence,
                block,
                certificate,
            } => self.certified(index, sequence, block, certificate),
            Effect::FetchBlocks { first, last, peer } => {
                self.note("state_transfer");
                self.fetch_blocks(index, first, last, peer);
            }
            Effect::Evidence(evidence) => {
                self.note("equivocation_proven");
                if self.is_correct(index) {
                    let result = self.oracle.accused(&evidence);
                    self.check(result);
                }
            }
            Effect::EnteredView { .. } => self.note("view_entered"),
            Effect::LeftView { reason, .. } => self.note(match reason {
                Suspicion::Timeout(_) => "left_view_timeout",
                Suspicion::NotOpened => "left_view_not_opened",
                Suspicion::TooSlow => "left_view_too_slow",
                Suspicion::Turn => "left_view_turn",
                Suspicion::Others => "left_view_others",
            }),
            Effect::EpochEnded(base) => self.enter_epoch(index, base),
            Effect::Halt(reason) => {
                if self.is_correct(index) {
                    self.violate(format!("the correct replica {index} halted: {reason}"));
                } else {
                    self.note("faulty_replica_halted");
                }
            }
        }
    }

    fn write_log(&mut self, index: usize, write: LogWrite) {
        self.nodes[index].disk.queue.push_back(write);
        self.start_sync(index);
    }

    fn check_sent(&mut self, index: usize, message: &SignedMessage, summary: &pbft::Summary) {
        let node = &self.nodes[index];
        if !node.is_correct() || message.sender != node.replica_id {
            return;
        }
        let knows_end = node.epoch() > message.epoch || node.last_height().is_some();
        let result = self.oracle.sent(message, &node.disk, summary, knows_end);
        if let Some(judge) = self.judge_of(message.epoch) {
            judge.leaves(message);
        }
        self.check(result);
    }

    fn forward(&mut self, index: usize, digests: &[Digest], to: ReplicaId, reason: Reason) {
        for node in self.processes_of(to) {
            for digest in digests.iter().copied() {
                let client = self.owners.get(&digest).copied().unwrap_or(0);
                let submission = Event::Submission {
                    node,
                    digest,
                    client,
                    reason,
                };
                self.transmit(index, node, submission);
            }
        }
    }

    fn forget(&mut self, index: usize, digests: &[Digest]) {
        let node = &mut self.nodes[index];
        for digest in digests {
            node.bodies.remove(digest);
            node.disk.bodies.remove(digest);
        }
    }

    /// Sends a message as the sender's behaviour has it; with a proposal said to all, the bodies that it names.
    fn send(
        &mut self,
        from: usize,
        receivers: Vec<usize>,
        message: &SignedMessage,
        proposes: bool,
    ) {
        let Some(behaviour) = self.nodes[from].behaviour else {
            if let Some(packet) = self.verified(from, message) {
                let bodies = self.bodies_with(from, message, proposes);
                for to in receivers {
                    self.transmit_packet(from, to, 0, &packet, &bodies);
                }
            }
            return;
        };
        let sender = self.nodes[from].replica_id;
        for to in receivers {
            let receiver = self.nodes[to].replica_id;
            let twisted =
                self.adversary
                    .twist(behaviour, sender, receiver, message, &mut self.random);
            for (message, later) in twisted {
                if let Some(packet) = self.verified(from, &message) {
                    // One that keeps bodies to itself is asked for them.
                    let shares = proposes && self.random.chance(500);
                    let bodies = self.bodies_with(from, &message, shares);
                    self.transmit_packet(from, to, later, &packet, &bodies);
                }
            }
        }
    }

    /// The bodies that travel with a message.
    fn bodies_with(&self, from: usize, message: &SignedMessage, proposes: bool) -> Rc<[Digest]> {
        match &message.message {
            Message::PrePrepare(proposal) if proposes => {
                let digests = proposal.batch.digests.iter().copied();
                let held = digests.filter(|digest| self.nodes[from].has_body(digest));
                held.collect()
            }
            _ => Rc::default(),
        }
    }

    /// What the core is told of bodies.
    pub(crate) fn requests(&self, index: usize, digests: &[Digest]) -> Vec<Request> {
        let valid_until = self.nodes[index].moment(self.now).wall.plus(20_000_000);
        let request = |digest: &Digest| {
            let client = self.owners.get(digest).copied();
            Request {
                digest: *digest,
                client: Client::ledger_id(client.unwrap_or(self.plan.clients)),
                valid_until,
            }
        };
        digests.iter().map(request).collect()
    }

    /// The message as its receivers' verification, from bytes, lets it through; what it refuses goes nowhere.
    pub(crate) fn verified(&mut self, from: usize, message: &SignedMessage) -> Option<Packet> {
        let Some(verifier) = self.verifiers.get(&message.epoch) else {
            // Of an epoch in which nobody is.
            return None;
        };
        match verifier.verify_bytes(&message.to_bytes()) {
            Ok(verified) => {
                self.oracle.proposed(verified.get());
                if !self.is_correct(from) {
                    let result = self.oracle.accepted(verified.get());
                    self.check(result);
                }
                if let Message::NewView(opening) = &verified.get().message
                    && let Some(judge) = self.judge_of(message.epoch)
                {
                    judge.opened(opening);
                }
                Some(Rc::new(verified))
            }
            Err(error) if self.is_correct(from) => {
                self.violate(format!(
                    "a message of the correct replica {from} is refused: {error}: {message:?}"
                ));
                None
            }
            Err(_) => {
                self.note("refused_message");
                None
            }
        }
    }

    pub(crate) fn transmit_packet(
        &mut self,
        from: usize,
        to: usize,
        later: u64,
        packet: &Packet,
        bodies: &Rc<[Digest]>,
    ) {
        let delivery = self
            .network
            .delivery(&self.plan, &mut self.random, from, to);
        let event = || Event::Packet {
            to,
            message: Rc::clone(packet),
            bodies: Rc::clone(bodies),
        };
        match delivery {
            Delivery::Lost => self.note("lost"),
            Delivery::Once(delay) => self.schedule(delay + later, event()),
            Delivery::Twice(first, second) => {
                self.note("duplicated");
                self.schedule(first + later, event());
                self.schedule(second + later, event());
            }
        }
    }

    /// A message arrives.
    pub(crate) fn receive(&mut self, to: usize, packet: &Packet, bodies: &[Digest]) {
        let node = &self.nodes[to];
        let message: &Verified<SignedMessage> = packet;
        if let Some(behaviour) = node.behaviour {
            // A twin does not listen to the other one.
            if behaviour == Behaviour::Twin && message.get().sender == node.replica_id {
                return;
            }
            self.adversary.hear(message.get());
        }
        if !self.is_of_epoch(to, packet) {
            return;
        }
        self.step(to, Input::Message(message.clone()));
        let Some(replica) = self.nodes[to].replica.as_ref() else {
            return;
        };
        let wanted: Vec<Digest> = bodies
            .iter()
            .filter(|digest| replica.wants(digest))
            .copied()
            .collect();
        if !wanted.is_empty() {
            self.note("body_with_proposal");
            self.nodes[to].bodies.extend(wanted.iter().copied());
            let requests = self.requests(to, &wanted);
            self.step(to, Input::BodiesHeld(requests));
        }
    }

    /// Puts an event that is no consensus message on a link.
    pub(crate) fn transmit(&mut self, from: usize, to: usize, event: Event) {
        match self
            .network
            .delivery(&self.plan, &mut self.random, from, to)
        {
            Delivery::Lost => self.note("lost"),
            Delivery::Once(delay) | Delivery::Twice(delay, _) => self.schedule(delay, event),
        }
    }

    pub(crate) fn start_sync(&mut self, index: usize) {
        let longest = if self.network.healed {
            500
        } else {
            self.plan.sync_us
        };
        let delay = self.random.between(30, longest.max(30));
        let node = &mut self.nodes[index];
        if node.disk.syncing == 0 && !node.disk.queue.is_empty() {
            node.disk.syncing = node.disk.queue.len();
            let incarnation = node.incarnation;
            let node = index;
            self.schedule(delay, Event::Synced { node, incarnation });
        }
    }

    /// A group sync ended. On a full disk it failed: the process ends, and syncs nothing again.
    pub(crate) fn synced(&mut self, index: usize) {
        let now = self.now;
        let node = &mut self.nodes[index];
        match node.disk.finish_sync(now, node.replica_id) {
            Some(entries) => {
                self.step(index, Input::Persisted(entries));
                self.start_sync(index);
            }
            None => {
                self.note("sync_failed");
                // Nothing is written after a write that failed.
                self.nodes[index].disk.queue.clear();
                self.crash_node(index);
            }
        }
    }

    pub(crate) fn push_task(&mut self, index: usize, task: Task) {
        if !self.nodes[index].is_up() {
            return;
        }
        self.nodes[index].tasks.push_back(task);
        if self.nodes[index].tasks.len() == 1 {
            self.schedule_task(index);
        }
    }

    fn schedule_task(&mut self, node: usize) {
        let delay = self.random.between(20, self.plan.sync_us.clamp(20, 2_000));
        let incarnation = self.nodes[node].incarnation;
        self.schedule(delay, Event::TaskDone { node, incarnation });
    }

    pub(crate) fn task_done(&mut self, index: usize) {
        let before = self.nodes[index].taken_back;
        let announced_before = self.nodes[index].announcements_taken_back;
        let done = self.nodes[index].do_task();
        if !self.nodes[index].tasks.is_empty() {
            self.schedule_task(index);
        }
        for _ in before..self.nodes[index].taken_back {
            self.note("taken_back");
        }
        for _ in announced_before..self.nodes[index].announcements_taken_back {
            self.note("change_taken_back");
        }
        if self.is_correct(index) {
            match &done {
                Some(Done::Executed(block)) => {
                    let batch = self.nodes[index].block(block.sequence);
                    let batch = batch.and_then(|it| Some((it.block.epoch, it.batch?)));
                    if let Some((epoch, batch)) = batch
                        && let Some(judge) = self.judge_of(epoch)
                    {
                        judge.executed(block.block, batch);
                    }
                }
                Some(Done::Installed(blocks, _)) => {
                    for proof in blocks.iter().map(|block| &block.get().proof) {
                        self.check_certified(
                            index,
                            proof.sequence(),
                            proof.block(),
                            proof.certificate(),
                        );
                    }
                }
                _ => {}
            }
        }
        self.start_sync(index);
        if let Some(Done::Executed(ExecutedBlock { ends: Some(_), .. })) = &done {
            self.trouble_network();
        }
        if let Some(Done::Installed(_, Some(last))) = &done {
            self.note("change_fetched");
            self.step(index, Input::EpochEnds(*last));
        }
        if let Some(input) = done.and_then(Node::input_of) {
            self.step(index, input);
        }
    }

    /// A correct replica holds a certified block: it is judged with its certificate.
    pub(crate) fn check_certified(
        &mut self,
        index: usize,
        sequence: Sequence,
        block: Digest,
        certificate: &Certificate,
    ) {
        let node = &self.nodes[index];
        let previous = node.block(Sequence(sequence.0 - 1));
        let previous_time = previous.map_or(node.genesis().time, |it| it.block.time);
        let Some(stored) = node.block(sequence) else {
            return self.violate(format!("block {sequence} is certified and not there"));
        };
        let (known, changes) = (
            self.verifiers.get(&stored.block.epoch),
            self.oracle.changes(),
        );
        let Some(verifier) = known else {
            return self.violate(format!(
                "block {sequence} is of an epoch in which nobody is"
            ));
        };
        let result = self
            .oracle
            .block_certified(&stored.block, stored.hash, previous_time.0)
            .and_then(|()| {
                self.oracle
                    .certified(verifier, sequence, block, certificate)
            });
        self.check(result);
        if self.oracle.changes() > changes {
            let change = self.plan.membership.changes[changes].change;
            self.note("membership_change");
            self.note(change.name());
        }
    }
}
