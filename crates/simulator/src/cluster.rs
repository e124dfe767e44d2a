//! The cluster: a queue of events in virtual time, and what each of them does.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use ledger::{Digest, Epoch, EpochDescription, ReplicaId, Timestamp};
use pbft::{
    Base, Configuration, Input, Sequence, SignatureScheme, SignedMessage, Verified, Verifier,
};

use crate::byzantine::Adversary;
use crate::client::Client;
use crate::event::{Queue, Reason, Scheduled};
use crate::membership::{Contract, FIRST_EPOCH};
use crate::model::Members;
use crate::model::trace::Trace;
use crate::network::Network;
use crate::node::{Node, StartError};
use crate::oracle::{Oracle, Violation};
use crate::plan::{Behaviour, Plan};
use crate::random::Random;
use crate::report::Outcome;

pub(crate) use crate::event::Event;

/// The wall clock at virtual time 0.
pub const WALL_START_US: u64 = 1_700_000_000_000_000;
/// A run that has not ended by then is a violation.
const EVENTS_MAX: u64 = 2_000_000;

/// A verified message on its way, shared by its receivers.
pub(crate) type Packet = Rc<Verified<SignedMessage>>;

/// A whole cluster.
pub struct Cluster {
    /// Virtual time in microseconds.
    pub now: u64,
    /// The processes: the replicas in order, then the second halves of twins.
    pub nodes: Vec<Node>,
    /// The network.
    pub network: Network,
    /// The clients.
    pub clients: Vec<Client>,
    /// Faults and rare things that happened, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// The first violation.
    pub violation: Option<Violation>,
    /// What happened, a line an event, once [`Cluster::keep_log`] was called.
    pub log: Option<String>,
    pub(crate) plan: Plan,
    pub(crate) random: Random,
    /// Who checks what is said, by epoch.
    pub(crate) verifiers: BTreeMap<Epoch, Verifier>,
    pub(crate) oracle: Oracle,
    pub(crate) adversary: Adversary,
    pub(crate) owners: BTreeMap<Digest, usize>,
    /// Who judges votes, by epoch, once [`Cluster::judge_by_model`] was called.
    pub(crate) judges: Option<BTreeMap<Epoch, Trace>>,
    events: Queue,
    count: u64,
    trace: u64,
    pub(crate) finished: bool,
}

impl Cluster {
    /// A cluster that follows `plan`, with chance seeded by `seed`.
    pub fn new(plan: Plan, seed: u64) -> Cluster {
        let mut random = Random::new(seed ^ 0x51ab_5eed);
        let chain = ledger::tagged("simulator/chain", &[&seed.to_be_bytes()]);
        let contract = Rc::new(Contract::new(
            plan.replicas,
            &plan.membership.changes,
            &plan.limits,
            plan.real_signatures,
        ));
        let mut nodes = nodes(&plan, chain, &contract);
        for node in &mut nodes {
            node.clock_offset = random.between(0, 2 * plan.skew_us) as i64 - plan.skew_us as i64;
        }
        let faulty: BTreeSet<ReplicaId> = plan
            .byzantine
            .iter()
            .map(|(id, _)| ReplicaId(*id as u16))
            .collect();
        let mut cluster = Cluster {
            now: 0,
            nodes,
            network: Network::default(),
            clients: (0..plan.clients).map(Client::new).collect(),
            faults: BTreeMap::new(),
            violation: None,
            log: None,
            oracle: Oracle::new(contract, faulty, plan.limits.clone()),
            adversary: Adversary::new(&plan, chain),
            plan,
            random,
            verifiers: BTreeMap::new(),
            owners: BTreeMap::new(),
            judges: None,
            events: Queue::default(),
            count: 0,
            trace: 0,
            finished: false,
        };
        cluster.begin();
        cluster
    }

    fn begin(&mut self) {
        let newcomers = self.plan.replicas..self.plan.replicas_ever();
        for node in (0..self.nodes.len()).filter(|node| !newcomers.contains(node)) {
            self.schedule(0, Event::Restart { node });
        }
        for client in 0..self.clients.len() {
            let at = self.random.between(0, 50_000);
            self.schedule(at, Event::ClientActs { client, attempt: 0 });
        }
        self.schedule(self.plan.faulty_us, Event::Heal);
        self.schedule_faults();
        self.schedule_changes();
        for (_, behaviour) in self.plan.byzantine.clone() {
            self.note(behaviour.name());
        }
    }

    /// From now on every event is written down.
    pub fn keep_log(&mut self) {
        self.log.get_or_insert_default();
    }

    /// From now on every vote of a correct replica is judged by the rules of the model.
    pub fn judge_by_model(&mut self) {
        self.judges = Some(BTreeMap::new());
    }

    /// A judge for another epoch, if there are judges.
    pub(crate) fn judge_epoch(&mut self, description: &EpochDescription) {
        let Some(judges) = &mut self.judges else {
            return;
        };
        let replicas = description.replicas.iter();
        let replicas: Vec<ReplicaId> = replicas.map(|described| described.replica).collect();
        let is_faulty = |replica: &&ReplicaId| {
            let mut processes = self.nodes.iter().filter(|it| it.replica_id == **replica);
            processes.any(|node| !node.is_correct())
        };
        let faulty = replicas.iter().filter(is_faulty).copied().collect();
        let base = Sequence(description.first_height.0 - 1);
        let judge = Trace::new(Members { replicas, faulty }, base);
        judges.insert(description.epoch, judge);
    }

    /// The judge of what is said in an epoch.
    pub(crate) fn judge_of(&mut self, epoch: Epoch) -> Option<&mut Trace> {
        self.judges.as_mut()?.get_mut(&epoch)
    }

    /// What faulty replicas heard (the first thousand messages).
    pub fn heard_by_faulty(&self) -> &[SignedMessage] {
        self.adversary.captured()
    }

    /// The verification that all replicas use in the first epoch.
    ///
    /// # Panics
    /// If nothing has begun.
    pub fn verifier(&self) -> Verifier {
        self.verifiers[&FIRST_EPOCH].clone()
    }

    /// The same under another rule of which signatures to accept.
    pub fn verifier_with(&self, scheme: Arc<dyn SignatureScheme>) -> Verifier {
        Verifier::new(self.nodes[0].configuration(), scheme)
    }

    /// Gives a request to these processes, without a client that waits for it.
    pub fn submit_to(&mut self, request: Digest, processes: impl Iterator<Item = usize>) {
        self.oracle.request(request);
        for node in processes {
            let (digest, client) = (request, 0);
            let submission = Event::Submission {
                node,
                digest,
                client,
                reason: Reason::Submitted,
            };
            self.schedule(100, submission);
        }
    }

    pub(crate) fn schedule(&mut self, delay: u64, event: Event) {
        self.events.push(self.now + delay, event);
    }

    pub(crate) fn note(&mut self, kind: &'static str) {
        *self.faults.entry(kind).or_default() += 1;
    }

    /// Runs to the end: everything answered after the heal, or a violation.
    pub fn run(&mut self, seed: u64) -> Outcome {
        while !self.finished && self.violation.is_none() {
            if !self.advance() {
                self.violate("nothing happens any more".to_owned());
            }
            if self.count > EVENTS_MAX {
                self.violate(format!(
                    "no end after {EVENTS_MAX} events: {}",
                    self.state_of_nodes()
                ));
            }
        }
        if let Some(judges) = &self.judges {
            let judged = judges.values().map(Trace::judged).sum();
            self.faults.insert("votes_judged", judged);
        }
        Outcome {
            seed,
            events: self.count,
            height: self.oracle.height().0,
            view: self
                .summaries()
                .map(|summary| summary.view.0)
                .max()
                .unwrap_or(0),
            faults: self.faults.clone(),
            violation: self.violation.clone(),
            trace: format!("{:016x}", self.trace),
        }
    }

    /// Lets virtual time pass (for scenario tests); stops at a violation.
    pub fn run_for(&mut self, duration_us: u64) {
        let end = self.now + duration_us;
        while self.violation.is_none() && self.events.next_at().is_some_and(|next| next <= end) {
            self.advance();
        }
        self.now = self.now.max(end);
    }

    fn advance(&mut self) -> bool {
        let Some(Scheduled { at, event, .. }) = self.events.pop() else {
            return false;
        };
        self.now = at;
        self.count += 1;
        self.fold_trace(at);
        if let Some(log) = &mut self.log {
            event.write_line(at, log);
        }
        self.happen(event);
        true
    }

    /// How many events have happened.
    pub fn events(&self) -> u64 {
        self.count
    }

    pub(crate) fn fold_trace(&mut self, word: u64) {
        self.trace = (self.trace ^ word)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29);
    }

    pub(crate) fn violate(&mut self, violation: Violation) {
        self.violation
            .get_or_insert(format!("at {} us: {violation}", self.now));
    }

    pub(crate) fn check(&mut self, result: Result<(), Violation>) {
        if let Err(violation) = result {
            self.violate(violation);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Packet {
                to,
                message,
                bodies,
            } => self.receive(to, &message, &bodies),
            Event::Wakeup { node, incarnation } if self.is_current(node, incarnation) => {
                if self.nodes[node].wakeup == Some(self.now) {
                    self.nodes[node].wakeup = None;
                    self.step(node, Input::Wakeup);
                    self.ask_at_end(node);
                }
            }
            Event::Synced { node, incarnation } if self.is_current(node, incarnation) => {
                self.synced(node);
            }
            Event::TaskDone { node, incarnation } if self.is_current(node, incarnation) => {
                self.task_done(node);
            }
            Event::Wakeup { .. } | Event::Synced { .. } | Event::TaskDone { .. } => {}
            Event::ClientActs { client, attempt } => self.client_acts(client, attempt),
            Event::Submission {
                node,
                digest,
                client,
                reason,
            } => self.submission(node, digest, client, reason),
            Event::Answer {
                client,
                digest,
                sequence,
            } => self.answer(client, digest, sequence),
            Event::ChangeActs { number, attempt } => self.change_acts(number, attempt),
            Event::Stop { node } => self.stop_retired(node),
            Event::HeightRequest { to, from } => self.height_request(to, from),
            Event::Claimed {
                to,
                peer,
                certified,
            } => self.step(to, Input::Claimed { peer, certified }),
            Event::BodyRequest { to, from, digests } => self.body_request(to, from, digests),
            Event::Bodies { to, digests } => {
                self.nodes[to].bodies.extend(digests.iter().copied());
                let requests = self.requests(to, &digests);
                self.step(to, Input::BodiesHeld(requests));
            }
            Event::BlockRequest {
                to,
                from,
                first,
                last,
            } => self.block_request(to, from, first, last),
            Event::Blocks { to, from, blocks } => {
                self.push_task(to, crate::node::Task::Install(from, blocks));
            }
            Event::Restart { node } => self.restart(node),
            Event::Fault(fault) => self.fault(fault),
            Event::Heal => self.heal(),
            Event::CheckConverged => self.check_converged(),
        }
    }

    fn body_request(&mut self, to: usize, from: usize, digests: Vec<Digest>) {
        let node = &self.nodes[to];
        let found: Vec<Digest> = digests
            .into_iter()
            .filter(|digest| node.has_body(digest))
            .collect();
        if node.is_up() && !found.is_empty() {
            let (to, from, digests) = (from, to, found);
            self.transmit(from, to, Event::Bodies { to, digests });
        }
    }

    fn is_current(&self, node: usize, incarnation: u64) -> bool {
        self.nodes[node].incarnation == incarnation && self.nodes[node].is_up()
    }

    pub(crate) fn is_correct(&self, node: usize) -> bool {
        self.nodes[node].is_correct()
    }

    /// The processes that a replica consists of: one, or two twins.
    pub(crate) fn processes_of(&self, replica: ReplicaId) -> Vec<usize> {
        self.nodes
            .iter()
            .filter(|node| node.replica_id == replica)
            .map(|node| node.index)
            .collect()
    }

    /// The summaries of correct replicas that are up.
    pub fn summaries(&self) -> impl Iterator<Item = pbft::Summary> + '_ {
        self.nodes
            .iter()
            .filter(|node| node.is_correct())
            .filter_map(|node| Some(node.replica.as_ref()?.summary()))
    }

    /// Gives an input to a replica that is up, and performs what it wants.
    pub fn step(&mut self, index: usize, input: Input) {
        if self.nodes[index].observer.is_some() {
            self.observe(index, input);
            return self.schedule_wakeup(index);
        }
        let moment = self.nodes[index].moment(self.now);
        let Some(replica) = self.nodes[index].replica.as_mut() else {
            return;
        };
        let before = replica.summary();
        let effects = replica.step(moment, input);
        let after = replica.summary();
        self.fold_trace(
            index as u64
                ^ (effects.len() as u64) << 8
                ^ after.executed.0 << 20
                ^ after.view.0 << 40,
        );
        if self.is_correct(index) {
            let replica = self.nodes[index].replica_id;
            let result = self.oracle.stepped(replica, &before, &after);
            self.check(result);
        }
        for effect in effects {
            if self.is_killed_here(index) {
                self.note("crash_at_effect");
                self.crash_node(index);
            }
            if !self.nodes[index].is_up() {
                return;
            }
            self.perform(index, effect, &after);
        }
        self.schedule_wakeup(index);
    }

    /// Counts the effects that are left to a process that is to be killed among them.
    fn is_killed_here(&mut self, index: usize) -> bool {
        match &mut self.nodes[index].killed_after_effects {
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        }
    }

    fn schedule_wakeup(&mut self, index: usize) {
        let node = &self.nodes[index];
        let wanted = node.replica.as_ref().and_then(pbft::Replica::next_wakeup);
        let wanted = wanted.map(|wanted| node.virtual_time(wanted));
        let observer = node.observer.as_ref();
        let Some(wanted) = observer.map(|it| it.next_wakeup()).or(wanted) else {
            return;
        };
        let at = wanted.max(self.now + 1);
        if node.wakeup.is_none_or(|scheduled| scheduled > at) {
            let incarnation = node.incarnation;
            self.nodes[index].wakeup = Some(at);
            let node = index;
            self.schedule(at - self.now, Event::Wakeup { node, incarnation });
        }
    }

    pub(crate) fn restart(&mut self, index: usize) {
        if self.nodes[index].is_up() || self.nodes[index].is_stopped {
            return;
        }
        if self.now < self.nodes[index].disk.unreadable_until_us {
            let node = index;
            return self.schedule(200_000, Event::Restart { node });
        }
        self.repair_blocks(index);
        let epoch = self.nodes[index].epoch();
        match self.nodes[index].start(self.now) {
            Ok(()) => {
                if self.nodes[index].epoch() < epoch {
                    // The process died before what ended that epoch was durable.
                    self.note("epoch_lived_again");
                }
                self.begin_epoch(index);
            }
            Err(StartError::Damaged) if !self.is_correct(index) => self.note("damaged_log_refused"),
            Err(error) if self.is_correct(index) => {
                self.violate(format!("replica {index} does not start again: {error:?}"));
            }
            Err(_) => self.note("faulty_replica_does_not_start"),
        }
    }
}

/// The processes of all replicas that there will ever be, then the second halves of twins.
fn nodes(plan: &Plan, chain: Digest, contract: &Rc<Contract>) -> Vec<Node> {
    let is_twin = |id: &usize| plan.behaviour(*id) == Some(Behaviour::Twin);
    let all = 0..plan.replicas_ever();
    let twins = all.clone().filter(is_twin);
    let configuration = |id: usize| Configuration {
        chain,
        epoch: contract.first().description.as_ref().clone(),
        replica: ReplicaId(id as u16),
        base: Base {
            sequence: Sequence(0),
            block: ledger::tagged("simulator/genesis", &[&chain.0]),
            time: Timestamp(WALL_START_US - 1_000_000),
        },
        limits: plan.limits.clone(),
    };
    let node = |(index, id)| {
        let (behaviour, contract) = (plan.behaviour(id), Rc::clone(contract));
        let (configuration, real) = (configuration(id), plan.real_signatures);
        Node::new(index, configuration, behaviour, contract, real)
    };
    all.chain(twins).enumerate().map(node).collect()
}
