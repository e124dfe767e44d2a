//! Transactions that other replicas ask for, looked up on a thread of their own: it may have to read block files.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use bus::subjects;
use ledger::{Digest, Epoch, ReplicaId, SignedTransaction};

use crate::body::BodyPool;
use crate::delivery::Stored;
use crate::outbound::Outbound;
use crate::recent::RecentBlocks;
use crate::wire::{self, Carried, Wire};

/// How many questions wait at most.
pub const QUESTIONS_MAX: usize = 64;

/// Bodies that one request may ask for.
const BODIES_WANTED_MAX: usize = 4_096;

/// A question.
#[derive(Debug)]
pub struct Wanted {
    /// The epoch in which it was asked.
    pub epoch: Epoch,
    /// Who asks.
    pub from: ReplicaId,
    /// The transactions, by wire digest.
    pub wires: Vec<Digest>,
}

/// Where bodies are found.
pub struct Library {
    /// This replica.
    pub me: ReplicaId,
    /// The bodies at hand.
    pub bodies: Arc<BodyPool>,
    /// The latest blocks.
    pub recent: Arc<RecentBlocks>,
    /// The block files.
    pub stored: Arc<Stored>,
    /// The broker.
    pub outbound: Outbound,
}

impl Library {
    /// Answers until nobody can ask any more.
    pub fn run(self, questions: &Receiver<Wanted>) {
        let mut number = 0;
        while let Ok(question) = questions.recv() {
            self.answer(&question, &mut number);
        }
    }

    fn answer(&self, question: &Wanted, number: &mut u64) {
        let wires = &question.wires[..question.wires.len().min(BODIES_WANTED_MAX)];
        let found = wires.iter().filter_map(|wire| match self.bodies.get(wire) {
            Some(body) => Some(Carried::from(&*body)),
            None => self.ordered_body(wire).map(Carried::of_nobody),
        });
        let subject = subjects::pbft_to(question.epoch, self.me, question.from);
        for group in wire::grouped(found) {
            *number += 1;
            for payload in wire::payloads(&Wire::Bodies(group), u64::MAX - *number) {
                self.outbound.publish(subject.clone(), payload);
            }
        }
    }

    /// A transaction of a recent block, from memory or from the block files.
    fn ordered_body(&self, wire: &Digest) -> Option<Vec<u8>> {
        let (height, index) = self.recent.place(wire)?;
        if let Some(block) = self
            .recent
            .get(height.0)
            .and_then(|recent| recent.block.clone())
        {
            return block
                .transactions
                .get(index)
                .map(SignedTransaction::to_bytes);
        }
        // Damage of the files is found and named by whoever needs the block itself.
        let certified = self.stored.block(height).ok()??;
        certified
            .block
            .transactions
            .get(index)
            .map(SignedTransaction::to_bytes)
    }
}
