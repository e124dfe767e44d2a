//! The cluster: a queue of events in virtual time, and what each of them does.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::rc::Rc;

use ledger::{
    Digest, Epoch, EpochDescription, Height, LedgerId, ReplicaDescription, ReplicaId, Timestamp,
};
use pbft::{Base, Configuration, Input, Sequence, SignedMessage, Verified, Verifier};

use crate::client::Client;
use crate::machine::StoredBlock;
use crate::network::Network;
use crate::node::{Node, Task};
use crate::oracle::{Oracle, Violation};
use crate::plan::Plan;
use crate::random::Random;
use crate::report::Outcome;
use crate::signing::{scheme, signer};

/// The wall clock at virtual time 0.
pub const WALL_START_US: u64 = 1_700_000_000_000_000;
/// A run that has not ended by then is a violation.
const EVENTS_MAX: u64 = 2_000_000;

/// What can happen.
#[derive(Debug)]
pub(crate) enum Event {
    Packet {
        to: usize,
        message: Rc<Verified<SignedMessage>>,
    },
    Wakeup {
        node: usize,
        incarnation: u64,
    },
    Synced {
        node: usize,
        incarnation: u64,
    },
    TaskDone {
        node: usize,
        incarnation: u64,
    },
    ClientActs {
        client: usize,
        attempt: u64,
    },
    Submission {
        node: usize,
        digest: Digest,
        client: usize,
    },
    Answer {
        client: usize,
        digest: Digest,
        sequence: Sequence,
    },
    BodyRequest {
        to: usize,
        from: usize,
        digests: Vec<Digest>,
    },
    Bodies {
        to: usize,
        digests: Vec<Digest>,
    },
    BlockRequest {
        to: usize,
        from: usize,
        first: Sequence,
        last: Sequence,
    },
    Blocks {
        to: usize,
        from: usize,
        blocks: Vec<StoredBlock>,
    },
    Restart {
        node: usize,
    },
    Fault(crate::fault::Fault),
    Heal,
    CheckConverged,
}

struct Scheduled {
    at: u64,
    ordinal: u64,
    event: Event,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.ordinal) == (other.at, other.ordinal)
    }
}
impl Eq for Scheduled {}
impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.at, other.ordinal).cmp(&(self.at, self.ordinal))
    }
}

/// A whole cluster.
pub struct Cluster {
    /// Virtual time in microseconds.
    pub now: u64,
    /// The processes.
    pub nodes: Vec<Node>,
    /// The network.
    pub network: Network,
    /// The clients.
    pub clients: Vec<Client>,
    /// Faults and rare things that happened, by kind.
    pub faults: BTreeMap<String, u64>,
    /// The first violation.
    pub violation: Option<Violation>,
    pub(crate) plan: Plan,
    pub(crate) random: Random,
    pub(crate) verifier: Verifier,
    pub(crate) oracle: Oracle,
    pub(crate) owners: BTreeMap<Digest, usize>,
    pub(crate) chain: Digest,
    events: BinaryHeap<Scheduled>,
    ordinal: u64,
    count: u64,
    trace: u64,
    finished: bool,
}

impl Cluster {
    /// A cluster that follows `plan`, with chance seeded by `seed`.
    pub fn new(plan: Plan, seed: u64) -> Cluster {
        let mut random = Random::new(seed ^ 0x51ab_5eed);
        let chain = ledger::tagged("simulator/chain", &[&seed.to_be_bytes()]);
        let configuration = |id: usize| configuration(&plan, chain, id);
        let verifier = Verifier::new(&configuration(0), scheme(plan.real_signatures));
        let behaviour = |id: usize| {
            plan.byzantine
                .iter()
                .find(|(faulty, _)| *faulty == id)
                .map(|(_, how)| *how)
        };
        let mut nodes: Vec<Node> = (0..plan.replicas)
            .map(|id| Node::new(id, configuration(id), behaviour(id)))
            .collect();
        for node in &mut nodes {
            node.real_signatures = plan.real_signatures;
            node.clock_offset = random.between(0, 2 * plan.skew_us) as i64 - plan.skew_us as i64;
        }
        let faulty: BTreeSet<usize> = plan.byzantine.iter().map(|(id, _)| *id).collect();
        let mut cluster = Cluster {
            now: 0,
            nodes,
            network: Network::default(),
            clients: (0..plan.clients).map(Client::new).collect(),
            faults: BTreeMap::new(),
            violation: None,
            oracle: Oracle::new(faulty, plan.limits.clone()),
            plan,
            random,
            verifier,
            owners: BTreeMap::new(),
            chain,
            events: BinaryHeap::new(),
            ordinal: 0,
            count: 0,
            trace: 0,
            finished: false,
        };
        cluster.begin();
        cluster
    }

    fn begin(&mut self) {
        for node in 0..self.nodes.len() {
            self.schedule(0, Event::Restart { node });
        }
        for client in 0..self.clients.len() {
            let at = self.random.between(0, 50_000);
            self.schedule(at, Event::ClientActs { client, attempt: 0 });
        }
        self.schedule(self.plan.faulty_us, Event::Heal);
        self.schedule_faults();
        for (_, behaviour) in self.plan.byzantine.clone() {
            self.note(&format!("byzantine_{behaviour:?}"));
        }
    }

    pub(crate) fn schedule(&mut self, delay: u64, event: Event) {
        self.ordinal += 1;
        self.events.push(Scheduled {
            at: self.now + delay,
            ordinal: self.ordinal,
            event,
        });
    }

    pub(crate) fn note(&mut self, kind: &str) {
        *self.faults.entry(kind.to_owned()).or_default() += 1;
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
        while self.violation.is_none() && self.events.peek().is_some_and(|next| next.at <= end) {
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
        self.happen(event);
        true
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
            Event::Packet { to, message } => self.step(to, Input::Message((*message).clone())),
            Event::Wakeup { node, incarnation } if self.is_current(node, incarnation) => {
                if self.nodes[node].wakeup == Some(self.now) {
                    self.nodes[node].wakeup = None;
                    self.step(node, Input::Wakeup);
                }
            }
            Event::Synced { node, incarnation } if self.is_current(node, incarnation) => {
                let entries = self.nodes[node].disk.finish_sync();
                self.step(node, Input::Persisted(entries));
                self.start_sync(node);
            }
            Event::TaskDone { node, incarnation } if self.is_current(node, incarnation) => {
                self.task_done(node)
            }
            Event::Wakeup { .. } | Event::Synced { .. } | Event::TaskDone { .. } => {}
            Event::ClientActs { client, attempt } => self.client_acts(client, attempt),
            Event::Submission {
                node,
                digest,
                client,
            } => self.submission(node, digest, client),
            Event::Answer {
                client,
                digest,
                sequence,
            } => self.answer(client, digest, sequence),
            Event::BodyRequest { to, from, digests } => {
                let node = &self.nodes[to];
                let found: Vec<Digest> = digests
                    .into_iter()
                    .filter(|digest| node.has_body(digest))
                    .collect();
                if node.replica.is_some() && !found.is_empty() {
                    self.transmit(
                        to,
                        from,
                        Event::Bodies {
                            to: from,
                            digests: found,
                        },
                    );
                }
            }
            Event::Bodies { to, digests } => {
                self.nodes[to].bodies.extend(digests.iter().copied());
                self.step(to, Input::BodiesHeld(digests));
            }
            Event::BlockRequest {
                to,
                from,
                first,
                last,
            } => self.block_request(to, from, first, last),
            Event::Blocks { to, from, blocks } => self.push_task(to, Task::Install(from, blocks)),
            Event::Restart { node } => self.restart(node),
            Event::Fault(fault) => self.fault(fault),
            Event::Heal => self.heal(),
            Event::CheckConverged => self.check_converged(),
        }
    }

    fn is_current(&self, node: usize, incarnation: u64) -> bool {
        self.nodes[node].incarnation == incarnation && self.nodes[node].replica.is_some()
    }

    pub(crate) fn is_correct(&self, node: usize) -> bool {
        self.nodes[node].behaviour.is_none()
    }

    /// The summaries of correct replicas that are up.
    pub fn summaries(&self) -> impl Iterator<Item = pbft::Summary> + '_ {
        self.nodes
            .iter()
            .filter(|node| node.behaviour.is_none())
            .filter_map(|node| Some(node.replica.as_ref()?.summary()))
    }

    pub(crate) fn state_of_nodes(&self) -> String {
        let states = self.nodes.iter().map(|node| {
            let summary = node.replica.as_ref().map(pbft::Replica::summary);
            format!("{}{:?}: {summary:?}", node.id, node.behaviour)
        });
        states.collect::<Vec<_>>().join("\n")
    }

    /// Gives an input to a replica that is up, and performs what it wants.
    pub fn step(&mut self, id: usize, input: Input) {
        let moment = self.nodes[id].moment(self.now);
        let Some(replica) = self.nodes[id].replica.as_mut() else {
            return;
        };
        let before = replica.summary();
        let effects = replica.step(moment, input);
        let after = replica.summary();
        self.fold_trace(
            id as u64 ^ (effects.len() as u64) << 8 ^ after.executed.0 << 20 ^ after.view.0 << 40,
        );
        if self.is_correct(id) {
            let result = self.oracle.stepped(id, &before, &after);
            self.check(result);
        }
        for effect in effects {
            self.perform(id, effect, &after);
        }
        self.schedule_wakeup(id);
    }

    fn schedule_wakeup(&mut self, id: usize) {
        let node = &self.nodes[id];
        let Some(wanted) = node.replica.as_ref().and_then(pbft::Replica::next_wakeup) else {
            return;
        };
        let at = node.virtual_time(wanted).max(self.now + 1);
        if node.wakeup.is_none_or(|scheduled| scheduled > at) {
            let incarnation = node.incarnation;
            self.nodes[id].wakeup = Some(at);
            self.schedule(
                at - self.now,
                Event::Wakeup {
                    node: id,
                    incarnation,
                },
            );
        }
    }

    fn restart(&mut self, id: usize) {
        if self.nodes[id].replica.is_some() {
            return;
        }
        if let Err(error) = self.nodes[id].start(self.now, &self.verifier) {
            self.violate(format!("replica {id} does not start again: {error}"));
            return;
        }
        self.step(id, Input::Wakeup);
    }

    /// The faults end; now everything must be answered.
    fn heal(&mut self) {
        self.network.heal();
        for id in 0..self.nodes.len() {
            self.nodes[id].clock_offset = self.nodes[id].clock_offset.clamp(-300_000, 300_000);
            self.restart(id);
        }
        self.schedule(100_000, Event::CheckConverged);
    }

    fn check_converged(&mut self) {
        let clients_done = self
            .clients
            .iter()
            .all(|client| client.finished >= self.plan.requests);
        let heights: BTreeSet<u64> = self
            .summaries()
            .map(|summary| summary.certified.0)
            .collect();
        let executed = self
            .summaries()
            .all(|summary| summary.certified == summary.executed);
        if clients_done && heights.len() == 1 && executed {
            self.finished = true;
        } else if self.now > self.plan.faulty_us + self.plan.heal_us {
            let waiting: Vec<usize> = self
                .clients
                .iter()
                .filter(|client| client.waiting.is_some())
                .map(|client| client.number)
                .collect();
            let states = self.state_of_nodes();
            self.violate(format!(
                "not converged after the heal; clients waiting: {waiting:?}\n{states}"
            ));
        } else {
            self.schedule(100_000, Event::CheckConverged);
        }
    }
}

fn configuration(plan: &Plan, chain: Digest, id: usize) -> Configuration {
    let replicas = (0..plan.replicas)
        .map(|id| ReplicaDescription {
            replica: ReplicaId(id as u16),
            operator: LedgerId([id as u8; 16]),
            public_key: signer(plan.real_signatures, id).public_key(),
        })
        .collect();
    Configuration {
        chain,
        epoch: EpochDescription {
            epoch: Epoch(0),
            first_height: Height(1),
            replicas,
        },
        replica: ReplicaId(id as u16),
        base: Base {
            sequence: Sequence(0),
            block: ledger::tagged("simulator/genesis", &[&chain.0]),
            time: Timestamp(WALL_START_US - 1_000_000),
        },
        limits: plan.limits.clone(),
    }
}
