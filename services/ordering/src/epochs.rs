//! The epochs of the chain: which replicas order and certify a height, the proofs of it, and who checks by them.
//!
//! Descriptions come from executed blocks (they announce epochs ahead); links, which go into receipts, from certified
//! ones. All threads share one [`Epochs`].

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use ledger::{
    BlockProofs, CertifiedBlock, Digest, Epoch, EpochDescription, EpochLink, Height, OutcomeLeaf,
    ReplicaId, Timestamp,
};
use pbft::{Base, Configuration, Ed25519, Limits, Sequence, Verifier};

/// What is known of the chain's epochs.
pub struct Epochs {
    chain: Digest,
    limits: Limits,
    known: RwLock<Known>,
}

struct Known {
    /// From epoch 0 on, without gaps.
    descriptions: Vec<EpochDescription>,
    /// The link at `i` leads to epoch `i + 1`.
    links: Vec<EpochLink>,
    /// Verifiers for certificates, by epoch.
    certificates: BTreeMap<Epoch, Arc<Verifier>>,
}

impl Epochs {
    /// Epoch 0, and those after it that were announced.
    pub fn new(
        chain: Digest,
        limits: Limits,
        first: EpochDescription,
        announced: Vec<EpochDescription>,
    ) -> Epochs {
        let epochs = Epochs {
            chain,
            limits,
            known: RwLock::new(Known {
                descriptions: vec![first],
                links: Vec::new(),
                certificates: BTreeMap::new(),
            }),
        };
        for description in announced {
            epochs.announce(description);
        }
        epochs
    }

    /// The chain.
    pub fn chain(&self) -> Digest {
        self.chain
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The epoch that certifies a height, as far as it is announced.
    pub fn at(&self, height: Height) -> EpochDescription {
        let known = self.read();
        let found = known
            .descriptions
            .iter()
            .rev()
            .find(|description| description.first_height <= height);
        found.unwrap_or(&known.descriptions[0]).clone()
    }

    /// Whether an epoch before this one named the replica.
    pub fn named_before(&self, epoch: Epoch, replica: ReplicaId) -> bool {
        let known = self.read();
        let mut earlier = known
            .descriptions
            .iter()
            .take_while(|description| description.epoch < epoch);
        earlier.any(|description| description.replica(replica).is_some())
    }

    /// The last height of an epoch, once the one after it is announced.
    pub fn last_height(&self, epoch: Epoch) -> Option<Height> {
        let known = self.read();
        let next = known
            .descriptions
            .iter()
            .find(|description| description.epoch > epoch)?;
        Some(Height(next.first_height.0 - 1))
    }

    /// Takes an announcement of an executed block; gives the last height of the epoch before. Known ones change
    /// nothing.
    pub fn announce(&self, description: EpochDescription) -> Option<Height> {
        let mut known = self.write();
        let newest = known.descriptions.last().map(|last| last.epoch.0);
        if newest.map(|newest| newest + 1) != Some(description.epoch.0) {
            return None;
        }
        let last = Height(description.first_height.0 - 1);
        known.descriptions.push(description);
        Some(last)
    }

    /// Takes the link that a certified block holds, if it announces an epoch.
    pub fn note_link(&self, certified: &CertifiedBlock) {
        let Some(announced) = announced_in(&certified.block.outcomes) else {
            return;
        };
        let mut known = self.write();
        if known.links.len() as u64 + 1 == announced.epoch.0 {
            known.links.extend(BlockProofs::new(certified).epoch_link());
        }
    }

    /// The links from epoch 0 to that epoch: what a receipt of a block of it carries.
    pub fn links_to(&self, epoch: Epoch) -> Vec<EpochLink> {
        let known = self.read();
        let count = usize::try_from(epoch.0).unwrap_or(usize::MAX);
        known.links.iter().take(count).cloned().collect()
    }

    /// All links.
    pub fn links(&self) -> Vec<EpochLink> {
        self.read().links.clone()
    }

    /// The consensus configuration of `replica` in the epoch of which `base` is the block before.
    pub fn configuration(&self, replica: ReplicaId, base: Base) -> Configuration {
        Configuration {
            chain: self.chain,
            epoch: self.at(base.sequence.next().height()),
            replica,
            base,
            limits: self.limits.clone(),
        }
    }

    /// Who checks consensus messages of the epoch that stands on `base`.
    pub fn verifier(&self, base: Base) -> Arc<Verifier> {
        // Which replica it is does not matter for checking.
        let configuration = self.configuration(ReplicaId(0), base);
        Arc::new(Verifier::new(&configuration, Arc::new(Ed25519::default())))
    }

    /// Who checks certificates of the epoch that a height belongs to (the block before the epoch plays no part).
    pub fn certificates_at(&self, height: Height) -> Arc<Verifier> {
        let description = self.at(height);
        let mut known = self.write();
        let entry = known.certificates.entry(description.epoch);
        entry
            .or_insert_with(|| {
                let configuration = Configuration {
                    chain: self.chain,
                    epoch: description,
                    replica: ReplicaId(0),
                    base: Base {
                        sequence: Sequence(0),
                        block: Digest::ZERO,
                        time: Timestamp(0),
                    },
                    limits: self.limits.clone(),
                };
                Arc::new(Verifier::new(&configuration, Arc::new(Ed25519::default())))
            })
            .clone()
    }
}

/// The epoch that a block's outcomes announce. Those of the genesis block announce none.
pub fn announced_in(outcomes: &[OutcomeLeaf]) -> Option<EpochDescription> {
    outcomes
        .iter()
        .filter(|leaf| leaf.outcome.is_accepted())
        .find_map(OutcomeLeaf::epoch_started)
}
