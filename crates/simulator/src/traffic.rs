//! Clients, answers, and blocks that replicas fetch from each other.

use ledger::{Digest, ReplicaId, Timestamp};
use pbft::{Input, Sequence};

use crate::client::RETRY_US;
use crate::cluster::{Cluster, Event};
use crate::event::Reason;
use crate::machine::StoredBlock;
use crate::network::Delivery;
use crate::plan::Behaviour;

/// How often a client sends an old request once more, of 1,000.
const REPEAT_PERMILLE: u64 = 60;
/// How often a client knows the primary, of 1,000.
const KNOWS_PRIMARY_PERMILLE: u64 = 800;
/// How often everybody hears of a new request at once, of 1,000.
const WATCHED_PERMILLE: u64 = 250;

impl Cluster {
    pub(crate) fn certified(
        &mut self,
        index: usize,
        sequence: Sequence,
        block: Digest,
        certificate: ledger::Certificate,
    ) {
        let is_correct = self.is_correct(index);
        if is_correct {
            self.check_certified(index, sequence, block, &certificate);
        }
        let announces = self.nodes[index]
            .block(sequence)
            .and_then(|it| it.block.ends());
        if announces.is_some() {
            self.trouble(index);
        }
        let node = &mut self.nodes[index];
        node.certify(sequence, certificate);
        let digests = node
            .block(sequence)
            .map(|stored| stored.block.digests.clone())
            .unwrap_or_default();
        self.start_sync(index);
        if is_correct {
            for digest in digests {
                self.send_answer(digest, sequence);
            }
        }
    }

    pub(crate) fn send_answer(&mut self, digest: Digest, sequence: Sequence) {
        let Some(client) = self.owners.get(&digest).copied() else {
            return;
        };
        let delivery = self.network.client_delivery(&self.plan, &mut self.random);
        if let Delivery::Once(delay) | Delivery::Twice(delay, _) = delivery {
            self.schedule(
                delay,
                Event::Answer {
                    client,
                    digest,
                    sequence,
                },
            );
        }
    }

    /// Whether every client got everything that it wanted.
    pub(crate) fn clients_are_done(&self) -> bool {
        self.clients
            .iter()
            .all(|client| client.finished >= self.plan.requests)
    }

    pub(crate) fn client_acts(&mut self, number: usize, attempt: u64) {
        // Those who are done go on while others wait, so that nobody is served only because the others have
        // fallen silent.
        let goes_on = !self.clients_are_done();
        let is_done = self.clients[number].finished >= self.plan.requests;
        let client = &mut self.clients[number];
        if client.attempt != attempt {
            return;
        }
        client.attempt += 1;
        let next = client.attempt;
        let digest = match client.waiting {
            Some(digest) => {
                self.note("client_retry");
                digest
            }
            None if is_done && !goes_on => return,
            None => client.next_request(),
        };
        let is_retry = self.owners.insert(digest, number).is_some();
        self.oracle.request(digest);
        if is_retry {
            self.submit_everywhere(number, digest);
        } else {
            self.submit_to_primary(number, digest);
        }
        if self.random.chance(REPEAT_PERMILLE) {
            let made = &self.clients[number].made;
            let old = made[self.random.below(made.len() as u64) as usize];
            self.note("client_repeat");
            self.submit_everywhere(number, old);
        }
        self.schedule(
            RETRY_US,
            Event::ClientActs {
                client: number,
                attempt: next,
            },
        );
    }

    pub(crate) fn submit_everywhere(&mut self, client: usize, digest: Digest) {
        for node in 0..self.nodes.len() {
            self.submit(node, digest, client, Reason::Submitted);
        }
    }

    /// A client sends a new request to whom it takes for the primary (mostly it is right), and by chance to everybody.
    fn submit_to_primary(&mut self, client: usize, digest: Digest) {
        let newest = self.summaries().max_by_key(|summary| summary.view);
        let primary = match newest {
            Some(newest) if self.random.chance(KNOWS_PRIMARY_PERMILLE) => newest.primary,
            _ => ReplicaId(self.random.below(self.plan.replicas as u64) as u16),
        };
        let is_watched = self.random.chance(WATCHED_PERMILLE);
        self.note(if is_watched {
            "client_watched"
        } else {
            "client_to_primary"
        });
        for node in 0..self.nodes.len() {
            if self.nodes[node].replica_id == primary {
                self.submit(node, digest, client, Reason::Addressed);
            } else if is_watched {
                self.submit(node, digest, client, Reason::Submitted);
            }
        }
    }

    fn submit(&mut self, node: usize, digest: Digest, client: usize, reason: Reason) {
        let delivery = self.network.client_delivery(&self.plan, &mut self.random);
        let submission = || Event::Submission {
            node,
            digest,
            client,
            reason,
        };
        match delivery {
            Delivery::Lost => {}
            Delivery::Once(delay) => self.schedule(delay, submission()),
            Delivery::Twice(first, second) => {
                self.schedule(first, submission());
                self.schedule(second, submission());
            }
        }
    }

    /// A request arrives at a process: answered if it is done, taken in otherwise.
    pub(crate) fn submission(
        &mut self,
        index: usize,
        digest: Digest,
        client: usize,
        reason: Reason,
    ) {
        let node = &mut self.nodes[index];
        let is_censored = node.behaviour == Some(Behaviour::Censoring) && client.is_multiple_of(2);
        if !node.is_up() || is_censored {
            return;
        }
        if let Some(sequence) = node.machine.done_at(&digest) {
            if node.is_certified(sequence) && node.is_correct() {
                self.send_answer(digest, sequence);
            }
            return;
        }
        node.bodies.insert(digest);
        let requests = self.requests(index, &[digest]);
        let input = match reason {
            Reason::Submitted => Input::Submitted(requests),
            Reason::Addressed => Input::Addressed(requests),
            Reason::Relayed => Input::Relayed(requests),
        };
        self.step(index, input);
    }

    pub(crate) fn answer(&mut self, number: usize, digest: Digest, sequence: Sequence) {
        let result = self.oracle.answered(digest, sequence);
        self.check(result);
        let client = &mut self.clients[number];
        if client.waiting != Some(digest) {
            return;
        }
        client.waiting = None;
        client.finished += 1;
        client.attempt += 1;
        let attempt = client.attempt;
        let pause = if self.network.healed {
            5_000
        } else {
            self.random.between(0, self.plan.think_us_max)
        };
        self.schedule(
            pause,
            Event::ClientActs {
                client: number,
                attempt,
            },
        );
    }

    pub(crate) fn block_request(
        &mut self,
        to: usize,
        from: usize,
        first: Sequence,
        last: Sequence,
    ) {
        let behaviour = self.nodes[to].behaviour;
        if !self.nodes[to].is_up() || behaviour == Some(Behaviour::Silent) {
            return;
        }
        self.repair_blocks(to);
        let node = &self.nodes[to];
        let mut blocks: Vec<StoredBlock> = (first.0..=last.0)
            .map_while(|height| node.disk.block(Sequence(height)))
            .take_while(|stored| stored.certificate.is_some() && stored.block.hash() == stored.hash)
            .cloned()
            .collect();
        if behaviour == Some(Behaviour::ForgingHistory) {
            self.note("forged_blocks");
            for stored in &mut blocks {
                stored.block.digests.reverse();
                stored.block.time = Timestamp(stored.block.time.0 + 1);
            }
        }
        let from_replica = ReplicaId(self.nodes[to].replica_id.0);
        self.transmit(
            to,
            from,
            Event::Blocks {
                to: from,
                from: from_replica,
                blocks,
            },
        );
    }

    /// Stored blocks are hashed when they are read; those that are not what they were are fetched again from
    /// whoever has them, proven by their hash.
    pub(crate) fn repair_blocks(&mut self, index: usize) {
        if self.plan.every.block_flip_us == 0 {
            return;
        }
        for sequence in self.nodes[index].disk.damaged_blocks() {
            let wanted = self.nodes[index].disk.block(sequence).map(|it| it.hash);
            let found = self.nodes.iter().find_map(|node| {
                let stored = node.disk.block(sequence)?;
                (Some(stored.block.hash()) == wanted).then(|| stored.block.clone())
            });
            if let Some(block) = found {
                self.nodes[index].disk.blocks[sequence.0 as usize - 1].block = block;
                self.note("block_repaired");
            }
        }
    }
}
