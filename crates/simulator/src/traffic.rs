//! Clients, answers, and blocks that replicas fetch from each other.

use ledger::{Digest, LedgerId, Timestamp};
use pbft::{Input, Request, Sequence};

use crate::client::RETRY_US;
use crate::cluster::{Cluster, Event};
use crate::machine::StoredBlock;
use crate::plan::Behaviour;

impl Cluster {
    pub(crate) fn certified(
        &mut self,
        id: usize,
        sequence: Sequence,
        block: Digest,
        certificate: ledger::Certificate,
    ) {
        if self.is_correct(id) {
            let result = self
                .oracle
                .certified(&self.verifier, sequence, block, &certificate);
            self.check(result);
        }
        let node = &mut self.nodes[id];
        node.disk.certify(sequence, certificate);
        let digests = node
            .disk
            .block(sequence)
            .map(|stored| stored.block.digests.clone())
            .unwrap_or_default();
        if self.is_correct(id) {
            for digest in digests {
                self.send_answer(digest, sequence);
            }
        }
    }

    pub(crate) fn send_answer(&mut self, digest: Digest, sequence: Sequence) {
        let Some(client) = self.owners.get(&digest).copied() else {
            return;
        };
        if let Some(delay) = self
            .network
            .client_delays(&self.plan, &mut self.random)
            .first()
        {
            self.schedule(
                *delay,
                Event::Answer {
                    client,
                    digest,
                    sequence,
                },
            );
        }
    }

    pub(crate) fn client_acts(&mut self, number: usize, attempt: u64) {
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
            None if client.finished >= self.plan.requests => return,
            None => client.next_request(),
        };
        self.owners.insert(digest, number);
        self.oracle.request(digest);
        for node in 0..self.nodes.len() {
            for delay in self.network.client_delays(&self.plan, &mut self.random) {
                self.schedule(
                    delay,
                    Event::Submission {
                        node,
                        digest,
                        client: number,
                    },
                );
            }
        }
        self.schedule(
            RETRY_US,
            Event::ClientActs {
                client: number,
                attempt: next,
            },
        );
    }

    /// A request arrives at a process: answered if it is done, taken in otherwise.
    pub(crate) fn submission(&mut self, id: usize, digest: Digest, client: usize) {
        if self.nodes[id].replica.is_none() {
            return;
        }
        if self.nodes[id].machine.is_done(&digest) {
            let certified = self.nodes[id].disk.certified();
            let mut blocks = self.nodes[id].disk.blocks[..certified as usize].iter();
            let found = blocks.find(|stored| stored.block.digests.contains(&digest));
            if let Some(sequence) = found
                .map(|stored| stored.block.sequence)
                .filter(|_| self.is_correct(id))
            {
                self.send_answer(digest, sequence);
            }
            return;
        }
        let ledger_id: LedgerId = self.clients[client].ledger_id();
        let valid_until = self.nodes[id].moment(self.now).wall.plus(20_000_000);
        self.nodes[id].bodies.insert(digest);
        self.step(
            id,
            Input::Submitted(Request {
                digest,
                client: ledger_id,
                valid_until,
            }),
        );
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
            1_000
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
        let node = &self.nodes[to];
        if node.replica.is_none() || node.behaviour == Some(Behaviour::Silent) {
            return;
        }
        let mut blocks: Vec<StoredBlock> = (first.0..=last.0)
            .map_while(|height| node.disk.block(Sequence(height)))
            .take_while(|stored| stored.certificate.is_some())
            .cloned()
            .collect();
        if node.behaviour == Some(Behaviour::ForgingHistory) {
            self.note("forged_blocks");
            for stored in &mut blocks {
                stored.block.digests.reverse();
                stored.block.time = Timestamp(stored.block.time.0 + 1);
            }
        }
        self.transmit(
            to,
            from,
            Event::Blocks {
                to: from,
                from: to,
                blocks,
            },
        );
    }
}
