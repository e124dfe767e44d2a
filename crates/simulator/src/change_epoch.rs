//! From one epoch to the next, while the cluster runs: what `services/ordering` does in `change_epoch.rs`, `seat.rs` and
//! `inbound.rs`, and those who ask for changes.

use std::rc::Rc;

use ledger::{Digest, ReplicaId};
use pbft::{Base, Input, Sequence};

use crate::client::RETRY_US;
use crate::cluster::{Cluster, Event, Packet};
use crate::membership::{Contract, FIRST_EPOCH};
use crate::node::Node;
use crate::plan::Behaviour;

/// How many messages of the next epoch are kept until it begins here as well.
const EARLY_MAX: usize = 1_024;

/// How long after one question to a replica that is ahead the next is asked.
const ASK_AHEAD_AFTER_US: u64 = 200_000;

/// How long a process whose epoch is to end waits before it asks again how far the others are.
const ASK_AT_END_AFTER_US: u64 = 1_000_000;

impl Cluster {
    pub(crate) fn schedule_changes(&mut self) {
        for (number, planned) in self.plan.membership.changes.clone().iter().enumerate() {
            let attempt = 0;
            self.schedule(planned.at_us, Event::ChangeActs { number, attempt });
        }
        for newcomer in self.plan.membership.newcomers.clone() {
            let node = newcomer.replica;
            self.schedule(newcomer.starts_us, Event::Restart { node });
        }
    }

    /// Those who want a change ask every replica for it again and again, and anew when the contract has refused it.
    pub(crate) fn change_acts(&mut self, number: usize, attempt: u64) {
        let mut attempt = attempt;
        let digest = Contract::transaction(number, attempt);
        match self.oracle.is_adopted(&digest) {
            Some(true) => return,
            Some(false) => {
                self.note("membership_refused");
                attempt += 1;
            }
            None => {}
        }
        let digest = Contract::transaction(number, attempt);
        self.oracle.request(digest);
        self.submit_everywhere(self.plan.clients, digest);
        self.schedule(RETRY_US, Event::ChangeActs { number, attempt });
    }

    /// A process begins in an epoch: what the restored core has to say, and whether its epoch is to end.
    pub(crate) fn begin_epoch(&mut self, index: usize) {
        self.introduce_epoch(index);
        if let Some(last) = self.nodes[index].last_height() {
            self.step(index, Input::EpochEnds(last));
        }
        self.step(index, Input::Wakeup);
    }

    /// Whoever judges or attacks learns of the epoch in which a process begins.
    fn introduce_epoch(&mut self, index: usize) {
        let node = &self.nodes[index];
        let (replica, configuration) = (node.replica_id, node.configuration());
        let epoch = configuration.epoch.epoch;
        if node.is_correct() {
            let entered = (&configuration.epoch, configuration.base);
            let result = self.oracle.epoch_entered(replica, entered.0, entered.1);
            self.check(result);
        }
        if !self.verifiers.contains_key(&epoch) {
            let node = &self.nodes[index];
            let description = node.configuration().epoch.clone();
            self.verifiers.insert(epoch, node.verifier.clone());
            self.adversary.learn(&description);
            self.judge_epoch(&description);
        }
    }

    /// The epoch in force at a process is over, and `base` was its last block: the next begins. What waits to be ordered
    /// waits on.
    pub(crate) fn enter_epoch(&mut self, index: usize, base: Base) {
        let before = &self.nodes[index];
        let summary = before.replica.as_ref().map(pbft::Replica::summary);
        let was_primary = summary.is_some_and(|summary| summary.primary == before.replica_id);
        match self.nodes[index].enter_epoch(base, self.now) {
            Ok(true) => self.note("epoch_entered"),
            Ok(false) if !self.is_correct(index) => return,
            Ok(false) => {
                return self.violate(format!(
                    "the epoch ended at replica {index}, which knows of no next"
                ));
            }
            Err(error) => {
                return self.violate(format!("the next epoch cannot begin at {index}: {error}"));
            }
        }
        let node = &mut self.nodes[index];
        let epoch = node.epoch();
        let early = std::mem::take(&mut node.early);
        if node.is_retired() {
            self.note("retired");
            if self.plan.membership.stops_retired && self.is_correct(index) {
                self.schedule(RETRY_US, Event::Stop { node: index });
            }
        }
        self.trouble(index);
        for message in early {
            if message.get().epoch == epoch {
                let packet = Event::Packet {
                    to: index,
                    message,
                    bodies: Rc::default(),
                };
                self.schedule(1, packet);
            }
        }
        self.begin_epoch(index);
        self.submit_again(index, was_primary);
    }

    /// Those who run a replica that was taken out stop it for good, once a correct replica of a later set holds, on its disk,
    /// what ended the epoch: until then the others may need its vote.
    pub(crate) fn stop_retired(&mut self, index: usize) {
        let node = &self.nodes[index];
        let first = node.configuration().epoch.first_height;
        let is_heir = |other: &&Node| {
            other.index != index
                && other.is_correct()
                && other.replica.is_some()
                && other.epoch() >= node.epoch()
                && other.disk.certified() + 1 >= first.0
        };
        if !node.is_retired() || !self.nodes.iter().any(|other| is_heir(&other)) {
            return self.schedule(RETRY_US, Event::Stop { node: index });
        }
        self.note("stopped_for_good");
        self.kill_node(index);
        self.nodes[index].is_stopped = true;
    }

    /// Faults like to fall into the middle of a change: now and then the process is killed among the next effects.
    pub(crate) fn trouble(&mut self, index: usize) {
        let permille = self.plan.membership.trouble_permille;
        if permille > 0 && !self.network.healed && self.random.chance(permille) {
            self.note("kill_in_change");
            self.nodes[index].killed_after_effects = Some(self.random.below(40));
        }
    }

    /// A process has executed a change, which may give way yet: now and then the network falls apart.
    pub(crate) fn trouble_network(&mut self) {
        let permille = self.plan.membership.trouble_permille;
        if permille > 0 && !self.network.healed && self.random.chance(permille / 3) {
            self.note("partition_in_change");
            self.partition();
        }
    }

    /// What waited in the old epoch waits in the new one. What its primary had, others may not have.
    fn submit_again(&mut self, index: usize, was_primary: bool) {
        let node = &self.nodes[index];
        if node.replica.is_none() {
            return;
        }
        let waiting = node.bodies.iter().copied();
        let waiting: Vec<Digest> = waiting
            .filter(|digest| node.machine.done_at(digest).is_none())
            .collect();
        let requests = self.requests(index, &waiting);
        self.step(
            index,
            if was_primary {
                Input::Addressed(requests)
            } else {
                Input::Submitted(requests)
            },
        );
    }

    /// Whether a message is of the epoch in force at its receiver. One of the next is kept until that begins, and tells that
    /// its sender is ahead; one of an earlier is worth nothing.
    pub(crate) fn is_of_epoch(&mut self, to: usize, packet: &Packet) -> bool {
        let (epoch, of) = (self.nodes[to].epoch(), packet.get().epoch);
        if of <= epoch || !self.nodes[to].is_up() {
            if of < epoch {
                self.note("message_of_earlier_epoch");
            }
            return of == epoch;
        }
        if of.0 == epoch.0 + 1 && self.nodes[to].early.len() < EARLY_MAX {
            self.note("message_of_later_epoch");
            self.nodes[to].early.push_back(Rc::clone(packet));
        }
        self.ask_ahead(to, packet.get().sender);
        false
    }

    /// While its epoch is to end, a process asks the epoch's replicas now and then how far they are: one of them may have
    /// what the others lack, and say nothing by itself, because it was taken out.
    pub(crate) fn ask_at_end(&mut self, index: usize) {
        let node = &self.nodes[index];
        let is_due = node.asked_at_end_us + ASK_AT_END_AFTER_US <= self.now;
        if !is_due || node.replica.is_none() || node.last_height().is_none() {
            return;
        }
        self.nodes[index].asked_at_end_us = self.now;
        for peer in self.nodes[index].members() {
            self.ask_ahead(index, peer);
        }
    }

    /// Asks a replica that is ahead how far it is. Each is asked in its own time: were only one asked at a time, one that lies
    /// and speaks often could keep all others from being asked.
    fn ask_ahead(&mut self, from: usize, peer: ReplicaId) {
        let last = self.nodes[from].asked_ahead_us.get(&peer);
        let is_asked = last.is_some_and(|last| self.now < last + ASK_AHEAD_AFTER_US);
        if is_asked || peer == self.nodes[from].replica_id {
            return;
        }
        if let Some(to) = self.processes_of(peer).first().copied() {
            self.nodes[from].asked_ahead_us.insert(peer, self.now);
            self.transmit(from, to, Event::HeightRequest { to, from });
        }
    }

    /// Somebody asks up to where a process has certificates.
    pub(crate) fn height_request(&mut self, to: usize, from: usize) {
        let node = &self.nodes[to];
        if !node.is_up() || node.behaviour == Some(Behaviour::Silent) {
            return;
        }
        let (peer, certified) = (node.replica_id, Sequence(node.disk.certified()));
        let certified = match node.behaviour {
            Some(Behaviour::ForgingHistory) => certified.plus(1_000),
            _ => certified,
        };
        let (to, from) = (from, to);
        let answer = Event::Claimed {
            to,
            peer,
            certified,
        };
        self.transmit(from, to, answer);
    }

    /// What a process that does not vote makes of an input.
    pub(crate) fn observe(&mut self, index: usize, input: Input) {
        let now = self.now;
        let node = &mut self.nodes[index];
        let Some(observer) = node.observer.as_mut() else {
            return;
        };
        match input {
            Input::BlocksInstalled(blocks) => {
                observer.installed(now);
                let last = blocks.last().map(|block| block.get());
                let ends = node.last_height();
                if let Some(last) = last.filter(|last| Some(last.proof.sequence()) == ends) {
                    let base = Base {
                        sequence: last.proof.sequence(),
                        block: last.proof.block(),
                        time: last.time,
                    };
                    self.enter_epoch(index, base);
                }
            }
            Input::FetchFailed { peer } => observer.failed(now, peer),
            // An observer keeps nothing for anybody: what clients want ordered is with those who vote.
            Input::Submitted(requests)
            | Input::Addressed(requests)
            | Input::Relayed(requests)
            | Input::BodiesHeld(requests) => {
                for request in requests {
                    node.bodies.remove(&request.digest);
                }
            }
            Input::Wakeup if !self.is_correct(index) => self.haunt(index),
            _ => {}
        }
        self.order_blocks(index);
    }

    fn order_blocks(&mut self, index: usize) {
        let node = &self.nodes[index];
        let (certified, last, me) = (node.certified(), node.last_height(), node.replica_id);
        let others: Vec<ReplicaId> = node.members().into_iter().filter(|it| *it != me).collect();
        let now = self.now;
        let observer = self.nodes[index].observer.as_mut();
        let wanted = observer.and_then(|it| it.order(now, certified, last, &others));
        if let Some(wanted) = wanted {
            self.note("observer_fetch");
            self.fetch_blocks(index, wanted.first, wanted.last, wanted.peer);
        }
    }

    pub(crate) fn fetch_blocks(
        &mut self,
        from: usize,
        first: Sequence,
        last: Sequence,
        peer: ReplicaId,
    ) {
        for to in self.processes_of(peer).into_iter().take(1) {
            let request = Event::BlockRequest {
                to,
                from,
                first,
                last,
            };
            self.transmit(from, to, request);
        }
    }

    /// A faulty replica that was taken out goes on sending: what it heard, and votes of its own.
    fn haunt(&mut self, index: usize) {
        let node = &self.nodes[index];
        let (epoch, me, certified) = (node.epoch(), node.replica_id, node.certified());
        if matches!(node.behaviour, None | Some(Behaviour::Silent)) || epoch == FIRST_EPOCH {
            return;
        }
        let words = self
            .adversary
            .haunting_words(me, epoch, certified, &mut self.random);
        for message in words {
            self.note("word_of_one_taken_out");
            let Some(packet) = self.verified(index, &message) else {
                continue;
            };
            for to in 0..self.nodes.len() {
                if self.nodes[to].replica_id != me {
                    self.transmit_packet(index, to, 0, &packet, &Rc::default());
                }
            }
        }
    }
}
