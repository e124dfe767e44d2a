//! What replicas execute here: a small deterministic machine with at-most-once execution, and its blocks.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use ledger::{Certificate, Digest, Epoch, EpochDescription, Timestamp};
use pbft::Sequence;

use crate::membership::{Announced, Contract, epoch_at};

/// A block of the simulated chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The epoch that certifies it.
    pub epoch: Epoch,
    /// Its height.
    pub sequence: Sequence,
    /// The hash of the block before.
    pub previous: Digest,
    /// Its time.
    pub time: Timestamp,
    /// Its transactions.
    pub digests: Vec<Digest>,
    /// For each transaction whether it took effect (false: it was executed before).
    pub effective: Vec<bool>,
    /// The epoch that it announces, when it holds a change of the replica set.
    pub announced: Option<Rc<EpochDescription>>,
    /// The state after it.
    pub state: Digest,
}

impl Block {
    /// The block's hash.
    pub fn hash(&self) -> Digest {
        let digests: Vec<u8> = self.digests.iter().flat_map(|digest| digest.0).collect();
        let effective: Vec<u8> = self
            .effective
            .iter()
            .map(|effective| u8::from(*effective))
            .collect();
        let (height, time) = (self.sequence.0.to_be_bytes(), self.time.0.to_be_bytes());
        let announced = self.announced.as_deref().map(ledger::canonical::encode);
        ledger::tagged(
            "simulator/block",
            &[
                &height,
                &self.previous.0,
                &time,
                &self.state.0,
                &effective,
                &digests,
                &self.epoch.0.to_be_bytes(),
                &announced.unwrap_or_default(),
            ],
        )
    }

    /// The last height of the epoch, when the block announces the next.
    pub fn ends(&self) -> Option<Sequence> {
        let announced = self.announced.as_ref()?;
        Some(Sequence(announced.first_height.0 - 1))
    }
}

/// A stored block with its certificate, once there is one.
#[derive(Debug, Clone)]
pub struct StoredBlock {
    /// The block.
    pub block: Block,
    /// Its hash.
    pub hash: Digest,
    /// Its certificate.
    pub certificate: Option<Certificate>,
    /// The digest of the batch that it was executed from, if it was.
    pub batch: Option<Digest>,
}

/// The state of the machine: the tip of the chain and what has taken effect.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Height of the last block.
    pub height: Sequence,
    /// Hash of the last block.
    pub tip: Digest,
    /// Time of the last block.
    pub time: Timestamp,
    state: Digest,
    done: BTreeMap<Digest, Sequence>,
    contract: Rc<Contract>,
    /// The epochs that were announced, from the first on.
    epochs: Vec<Announced>,
}

impl Machine {
    /// The machine at the base of the chain.
    pub fn new(base: &pbft::Base, contract: Rc<Contract>) -> Machine {
        let epochs = vec![contract.first()];
        Machine {
            contract,
            epochs,
            height: base.sequence,
            tip: base.block,
            time: base.time,
            state: Digest::default(),
            done: BTreeMap::new(),
        }
    }

    /// What is written to disk at a checkpoint: everything, and above all what was executed.
    pub fn snapshot(&self) -> Machine {
        #[cfg(feature = "mutants")]
        if pbft::Mutant::DedupAbsentFromSnapshot.is_active() {
            let done = BTreeMap::new();
            return Machine {
                done,
                ..self.clone()
            };
        }
        self.clone()
    }

    /// The height at which a transaction took effect, if it did.
    pub fn done_at(&self, digest: &Digest) -> Option<Sequence> {
        self.done.get(digest).copied()
    }

    /// The epochs that were announced, from the first on; the latest may be by a block that gives way yet.
    pub fn epochs(&self) -> &[Announced] {
        &self.epochs
    }

    /// The block that these transactions make next; the machine is not changed.
    pub fn block(&self, time: Timestamp, digests: &[Digest]) -> Block {
        let mut seen = BTreeSet::new();
        let effective: Vec<bool> = digests
            .iter()
            .map(|digest| !self.done.contains_key(digest) && seen.insert(*digest))
            .collect();
        let applied: Vec<u8> = digests
            .iter()
            .zip(&effective)
            .filter(|(_, effective)| **effective)
            .flat_map(|(digest, _)| digest.0)
            .collect();
        let state = ledger::tagged("simulator/state", &[&self.state.0, &applied]);
        let sequence = self.height.next();
        let decide = |digest| self.contract.decide(digest, sequence, &self.epochs);
        let mut taking_effect = digests.iter().zip(&effective).filter(|(_, is)| **is);
        let announced = taking_effect.find_map(|(digest, _)| decide(digest));
        Block {
            epoch: epoch_at(&self.epochs, sequence).epoch,
            announced: announced.map(Rc::new),
            sequence,
            previous: self.tip,
            time,
            digests: digests.to_vec(),
            effective,
            state,
        }
    }

    /// Goes back to where the machine stood after `last`, or at the base of the chain.
    pub fn take_back_to(&mut self, last: Option<&StoredBlock>, base: &pbft::Base) {
        match last {
            Some(last) => {
                self.height = last.block.sequence;
                self.tip = last.hash;
                self.time = last.block.time;
                self.state = last.block.state;
            }
            None => *self = Machine::new(base, Rc::clone(&self.contract)),
        }
        let height = self.height;
        self.done.retain(|_, at| *at <= height);
        self.epochs.retain(|announced| announced.at <= height);
    }

    /// Takes a block that [`Machine::block`] made.
    pub fn apply(&mut self, block: &Block, hash: Digest) {
        self.height = block.sequence;
        self.tip = hash;
        self.time = block.time;
        self.state = block.state;
        let effective = block
            .digests
            .iter()
            .zip(&block.effective)
            .filter(|(_, effective)| **effective);
        self.done
            .extend(effective.map(|(digest, _)| (*digest, block.sequence)));
        self.epochs
            .extend(block.announced.iter().map(|description| Announced {
                at: block.sequence,
                description: Rc::clone(description),
            }));
    }
}
