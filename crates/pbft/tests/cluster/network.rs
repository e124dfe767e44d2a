//! Four cores in one thread: a queue of events in virtual time, disks that sync in 100 µs, executors that hash.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ledger::{
    Certificate, Digest, Epoch, EpochDescription, Height, LedgerId, ReplicaDescription, ReplicaId,
    SigningKey, Timestamp,
};
use pbft::{
    Base, Configuration, Durable, Ed25519, Effect, ExecutedBlock, Input, InstalledBlock, Limits,
    Message, Moment, Order, Pending, Replica, Request, Sequence, SignedMessage, StoredChain,
    Suspicion, Verifier, Waiter,
};

pub const MILLISECOND: u64 = 1_000;
pub const SECOND: u64 = 1_000_000;
const WALL: u64 = 1_700_000_000_000_000;

/// How long a message takes, if it arrives: from, to, message.
pub type Link = Box<dyn Fn(usize, usize, &SignedMessage) -> Option<u64>>;

/// A link without faults.
pub fn fair() -> Link {
    Box::new(|_, _, _| Some(300))
}

enum Event {
    Input(usize, Input),
    Request(usize, Digest),
    Addressed(usize, Digest),
    Relayed(usize, Digest),
}

#[derive(Clone)]
struct Block {
    hash: Digest,
    time: Timestamp,
    digests: Vec<Digest>,
    /// The order by which it was executed here.
    run: Option<u64>,
    certificate: Option<Certificate>,
}

/// The cluster.
pub struct Cluster {
    pub replicas: Vec<Replica>,
    pub now: u64,
    pub link: Link,
    /// Who left a view by itself, and why.
    pub left: Vec<(usize, Suspicion)>,
    /// Bases of the next epoch, by replica.
    pub ended: BTreeMap<usize, Base>,
    /// Digests that never reach a replica by themselves.
    pub withheld: Option<(usize, Digest)>,
    /// What backups relayed to the primary, each time.
    pub relayed: Vec<Digest>,
    /// What was sent to a backup as the primary, and went on to the primary.
    pub passed_on: Vec<Digest>,
    /// How many executed blocks gave way to others, by replica.
    pub taken_back: [usize; 4],
    verifier: Verifier,
    chains: Vec<Vec<Block>>,
    events: BTreeMap<(u64, u64), Event>,
    ordinal: u64,
}

fn key(replica: u16) -> SigningKey {
    SigningKey::from_seed([replica as u8 + 1; 32])
}

/// Small marks, so that checkpoints are soon.
pub fn limits() -> Limits {
    Limits {
        checkpoint_interval: 4,
        window: 8,
        ..Limits::default()
    }
}

fn configuration(replica: usize, limits: &Limits) -> Configuration {
    let member = |id: u16| ReplicaDescription {
        replica: ReplicaId(id),
        operator: LedgerId([id as u8; 16]),
        public_key: key(id).public_key(),
    };
    Configuration {
        chain: Digest([9; 32]),
        epoch: EpochDescription {
            epoch: Epoch(0),
            first_height: Height(1),
            replicas: (0..4).map(member).collect(),
        },
        replica: ReplicaId(replica as u16),
        base: Base {
            sequence: Sequence(0),
            block: Digest([1; 32]),
            time: Timestamp(WALL - SECOND),
        },
        limits: limits.clone(),
    }
}

fn durable<T>(value: T) -> Durable<T> {
    let mut group = Durable::after(vec![value], |_| Ok::<(), ()>(())).expect("syncs");
    group.remove(0)
}

pub fn digest(number: u64) -> Digest {
    ledger::tagged("request", &[&number.to_be_bytes()])
}

impl Cluster {
    pub fn new(limits: Limits, link: Link) -> Cluster {
        let moment = Moment {
            monotonic: Timestamp(0),
            wall: Timestamp(WALL),
        };
        let start = |id: usize| {
            let configuration = configuration(id, &limits);
            let signer = Box::new(key(id as u16));
            let chain = StoredChain::default();
            Replica::restore(configuration, signer, Vec::new(), chain, moment).expect("starts")
        };
        Cluster {
            replicas: (0..4).map(start).collect(),
            now: 0,
            link,
            left: Vec::new(),
            ended: BTreeMap::new(),
            withheld: None,
            relayed: Vec::new(),
            passed_on: Vec::new(),
            taken_back: [0; 4],
            verifier: Verifier::new(&configuration(0, &limits), Arc::new(Ed25519::default())),
            chains: (0..4).map(|_| Vec::new()).collect(),
            events: BTreeMap::new(),
            ordinal: 0,
        }
    }

    fn schedule(&mut self, delay: u64, event: Event) {
        self.ordinal += 1;
        self.events.insert((self.now + delay, self.ordinal), event);
    }

    /// A client sends request `number` to everybody.
    pub fn submit(&mut self, number: u64) {
        self.submit_to(0..4, number);
    }

    /// A client sends requests one after another, one every 10 ms.
    pub fn submit_steadily(&mut self, numbers: std::ops::Range<u64>) {
        for number in numbers {
            self.submit(number);
            self.run_for(10 * MILLISECOND);
        }
    }

    /// A client's request reaches only some.
    pub fn submit_to(&mut self, nodes: std::ops::Range<usize>, number: u64) {
        for node in nodes {
            self.schedule(200, Event::Request(node, digest(number)));
        }
    }

    /// A client takes this replica for the primary, and sends its request there alone.
    pub fn address(&mut self, node: usize, number: u64) {
        self.schedule(200, Event::Addressed(node, digest(number)));
    }

    /// Gives every replica an input.
    pub fn tell(&mut self, node: usize, input: Input) {
        self.step(node, input);
    }

    /// Lets time pass.
    pub fn run_for(&mut self, duration: u64) {
        let end = self.now + duration;
        loop {
            let event = self.events.first_key_value().map(|((at, _), _)| *at);
            let wakeup = (0..4)
                .filter_map(|node| Some((self.replicas[node].next_wakeup()?.0, node)))
                .min();
            match (event, wakeup) {
                (Some(at), _) if at <= end && wakeup.is_none_or(|(wake, _)| at <= wake) => {
                    self.now = self.now.max(at);
                    let (_, event) = self.events.pop_first().expect("it was seen");
                    self.happen(event);
                }
                (_, Some((at, node))) if at <= end => {
                    self.now = self.now.max(at);
                    self.step(node, Input::Wakeup);
                }
                _ => break,
            }
        }
        self.now = end;
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Input(node, input) => self.step(node, input),
            Event::Request(node, digest) => {
                if self.withheld != Some((node, digest)) {
                    self.step(node, Input::Submitted(vec![request(digest)]));
                }
            }
            Event::Addressed(node, digest) => {
                self.step(node, Input::Addressed(vec![request(digest)]));
            }
            Event::Relayed(node, digest) => {
                if self.withheld != Some((node, digest)) {
                    self.step(node, Input::Relayed(vec![request(digest)]));
                }
            }
        }
    }

    fn step(&mut self, node: usize, input: Input) {
        let moment = Moment {
            monotonic: Timestamp(self.now),
            wall: Timestamp(WALL + self.now),
        };
        let effects = self.replicas[node].step(moment, input);
        for effect in effects {
            self.perform(node, effect);
        }
    }

    fn perform(&mut self, node: usize, effect: Effect) {
        match effect {
            Effect::Persist(pending) => self.persist(node, pending),
            Effect::Broadcast(message) => {
                for to in (0..4).filter(|to| *to != node) {
                    self.send(node, to, message.message());
                }
            }
            Effect::Send { to, message } => self.send(node, usize::from(to.0), message.message()),
            Effect::FetchBodies { digests, .. } => {
                let held = digests.into_iter().map(request).collect();
                self.schedule(500, Event::Input(node, Input::BodiesHeld(held)));
            }
            Effect::ForwardBodies { digests, to } => {
                for digest in digests {
                    self.relayed.push(digest);
                    self.schedule(500, Event::Relayed(usize::from(to.0), digest));
                }
            }
            Effect::PassOn { digests, to } => {
                for digest in digests {
                    self.passed_on.push(digest);
                    self.schedule(500, Event::Request(usize::from(to.0), digest));
                }
            }
            Effect::Execute { order, digests } => self.execute(node, order, digests),
            Effect::Certified {
                sequence,
                certificate,
                ..
            } => self.chains[node][sequence.0 as usize - 1].certificate = Some(certificate),
            Effect::FetchBlocks { first, last, peer } => {
                self.fetch(node, first, last, usize::from(peer.0))
            }
            Effect::LeftView { reason, .. } => self.left.push((node, reason)),
            Effect::EpochEnded(base) => drop(self.ended.insert(node, base)),
            Effect::Halt(reason) => panic!("replica {node} halts: {reason}"),
            Effect::CompactLog(_)
            | Effect::ForgetBodies(_)
            | Effect::Evidence(_)
            | Effect::Refused { .. }
            | Effect::EnteredView { .. } => {}
        }
    }

    fn persist(&mut self, node: usize, pending: Pending) {
        let input = Input::Persisted(vec![durable(pending)]);
        self.schedule(100, Event::Input(node, input));
    }

    fn send(&mut self, from: usize, to: usize, message: &SignedMessage) {
        if let Some(delay) = (self.link)(from, to, message) {
            let verified = self.verifier.verify(message.clone()).expect("verifies");
            self.schedule(delay, Event::Input(to, Input::Message(verified)));
        }
    }

    fn execute(&mut self, node: usize, order: Order, digests: Vec<Digest>) {
        let Order {
            sequence,
            run,
            after,
            time,
            ..
        } = order;
        let (chain, below) = (&mut self.chains[node], sequence.0 as usize - 1);
        let is_certified = chain
            .get(below)
            .is_some_and(|block| block.certificate.is_some());
        if is_certified || chain.len() < below {
            return;
        }
        self.taken_back[node] += chain.len() - below;
        chain.truncate(below);
        if chain.last().and_then(|block| block.run) != after {
            return;
        }
        let previous = chain.last().map_or(Digest::ZERO, |block| block.hash);
        let content: Vec<u8> = digests.iter().flat_map(|digest| digest.0).collect();
        let (place, at) = (sequence.0.to_be_bytes(), time.0.to_be_bytes());
        let hash = ledger::tagged("block", &[&previous.0, &place, &at, &content]);
        chain.push(Block {
            hash,
            time,
            digests,
            run: Some(run),
            certificate: None,
        });
        let executed = ExecutedBlock {
            sequence,
            run,
            block: hash,
            ends: None,
        };
        self.schedule(100, Event::Input(node, Input::Executed(executed)));
    }

    /// One that is no replica here has all that `node` has; gives its number.
    pub fn copy_chain(&mut self, node: usize) -> usize {
        self.chains.push(self.chains[node].clone());
        self.chains.len() - 1
    }

    fn fetch(&mut self, node: usize, first: Sequence, last: Sequence, peer: usize) {
        let mut installed = Vec::new();
        for place in first.0..=last.0 {
            let Some(block) = self.chains[peer].get(place as usize - 1) else {
                break;
            };
            let Some(certificate) = block.certificate.clone() else {
                break;
            };
            let proof = self
                .verifier
                .certified(Sequence(place), block.hash, certificate.clone())
                .expect("certified");
            let copy = Block {
                hash: block.hash,
                time: block.time,
                digests: block.digests.clone(),
                run: None,
                certificate: Some(certificate),
            };
            installed.push(durable(InstalledBlock {
                proof,
                time: copy.time,
                digests: copy.digests.clone(),
            }));
            let own = &mut self.chains[node];
            match own.get_mut(place as usize - 1) {
                Some(known) if known.hash == copy.hash => known.certificate = copy.certificate,
                _ => {
                    own.truncate(place as usize - 1);
                    own.push(copy);
                }
            }
        }
        let peer = ReplicaId(peer as u16);
        let input = if installed.is_empty() {
            Input::FetchFailed { peer }
        } else {
            Input::BlocksInstalled(installed)
        };
        self.schedule(1_000, Event::Input(node, input));
    }

    /// The requests in the certified blocks of a replica.
    pub fn ordered(&self, node: usize) -> BTreeSet<Digest> {
        let certified = self.replicas[node].summary().certified.0 as usize;
        self.chains[node][..certified]
            .iter()
            .flat_map(|block| block.digests.iter().copied())
            .collect()
    }

    /// How often a replica left a view because a request waited too long.
    pub fn timeouts(&self) -> usize {
        let waited = Suspicion::Timeout(Waiter::Request);
        self.left.iter().filter(|(_, why)| *why == waited).count()
    }

    /// No two replicas have different certified blocks at one height.
    pub fn assert_no_fork(&self) {
        let certified = |chain: &[Block]| -> Vec<Digest> {
            let blocks = chain.iter().take_while(|block| block.certificate.is_some());
            blocks.map(|block| block.hash).collect()
        };
        let first = certified(&self.chains[0]);
        for chain in &self.chains[1..] {
            for (one, other) in first.iter().zip(certified(chain)) {
                assert_eq!(*one, other);
            }
        }
    }
}

fn request(digest: Digest) -> Request {
    Request {
        digest,
        client: LedgerId([1; 16]),
        valid_until: Timestamp(u64::MAX),
    }
}

/// Whether a message proposes something.
pub fn proposes(message: &SignedMessage) -> bool {
    matches!(message.message, Message::PrePrepare(_))
}
