//! The invariants. Each is checked at the event that could break it; none looks into the core.
//!
//! Numbers are those of the table in `docs/testing.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use ledger::{Certificate, Digest, Epoch, ReplicaId};
use pbft::{Equivocation, Limits, Sequence, Summary, Verifier, View};

use crate::disk::VoteKey;
use crate::machine::Block;
use crate::membership::{Announced, Contract};

mod epochs;
mod proofs;
mod votes;

/// A violated invariant, in words.
pub type Violation = String;

/// What is known of the whole cluster, and must stay consistent.
pub struct Oracle {
    /// The one certified block at each height.
    chain: BTreeMap<Sequence, Known>,
    /// Heights for which a certificate was seen.
    certified: BTreeMap<Sequence, Digest>,
    /// What each correct replica sent for each slot.
    votes: BTreeMap<(Epoch, ReplicaId, VoteKey), Digest>,
    /// What each correct replica signed (a crash may have kept it from leaving, and from being remembered).
    signed: BTreeSet<(Epoch, ReplicaId, VoteKey, Digest)>,
    /// The block that correct replicas commit to in each view and place of an epoch.
    commits: BTreeMap<(Epoch, View, Sequence), Digest>,
    /// The highest view of each epoch in which each replica voted or for which it asked.
    views: BTreeMap<(Epoch, ReplicaId), View>,
    /// The bodies of every batch that was proposed.
    batches: BTreeMap<Digest, Vec<Digest>>,
    /// What clients asked for.
    requested: BTreeSet<Digest>,
    /// Where each request took effect.
    effective: BTreeMap<Digest, Sequence>,
    faulty: BTreeSet<ReplicaId>,
    contract: Rc<Contract>,
    /// The epochs that certified blocks announced, from the first on.
    epochs: Vec<Announced>,
    limits: Limits,
}

struct Known {
    hash: Digest,
    state: Digest,
    digests: Vec<Digest>,
}

macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(format!($($message)+));
        }
    };
}
pub(crate) use ensure;

impl Oracle {
    /// Nothing has happened yet; `faulty` replicas may do what they like.
    pub fn new(contract: Rc<Contract>, faulty: BTreeSet<ReplicaId>, limits: Limits) -> Oracle {
        Oracle {
            chain: BTreeMap::new(),
            certified: BTreeMap::new(),
            votes: BTreeMap::new(),
            signed: BTreeSet::new(),
            commits: BTreeMap::new(),
            views: BTreeMap::new(),
            batches: BTreeMap::new(),
            requested: BTreeSet::new(),
            effective: BTreeMap::new(),
            faulty,
            epochs: vec![contract.first()],
            contract,
            limits,
        }
    }

    /// From now on a replica counts as faulty.
    pub fn distrust(&mut self, replica: ReplicaId) {
        self.faulty.insert(replica);
    }

    /// A client asks for something.
    pub fn request(&mut self, digest: Digest) {
        self.requested.insert(digest);
    }

    /// The highest height that any correct replica holds a certificate of.
    pub fn height(&self) -> Sequence {
        self.chain
            .last_key_value()
            .map_or(Sequence(0), |(sequence, _)| *sequence)
    }

    /// A correct replica holds a block as certified.
    ///
    /// - 1: same height, same block.
    /// - 2: same height, same state.
    /// - 3: the chain is linked and its times increase (`previous_time`).
    /// - 4: only what clients asked for is ordered.
    /// - 5: a request takes effect once.
    ///
    /// # Errors
    /// The violation.
    pub fn block_certified(
        &mut self,
        block: &Block,
        hash: Digest,
        previous_time: u64,
    ) -> Result<(), Violation> {
        let sequence = block.sequence;
        ensure!(
            block.time.0 > previous_time,
            "block time does not increase at {sequence}"
        );
        if let Some(known) = self.chain.get(&sequence) {
            ensure!(
                known.state == block.state,
                "two states at height {sequence}"
            );
            ensure!(known.hash == hash, "two blocks at height {sequence}");
            return Ok(());
        }
        let previous = Sequence(sequence.0 - 1);
        if let Some(known) = self.chain.get(&previous) {
            ensure!(
                known.hash == block.previous,
                "block {sequence} does not follow its predecessor"
            );
        }
        for (digest, effective) in block.digests.iter().zip(&block.effective) {
            ensure!(
                self.requested.contains(digest),
                "nobody asked for a transaction in block {sequence}"
            );
            if *effective {
                let first = self.effective.insert(*digest, sequence);
                ensure!(
                    first.is_none(),
                    "a request took effect at {first:?} and at {sequence}"
                );
            }
        }
        self.check_epoch_of(block)?;
        let (state, digests) = (block.state, block.digests.clone());
        let known = Known {
            hash,
            state,
            digests,
        };
        self.chain.insert(sequence, known);
        Ok(())
    }

    /// A correct replica has a certificate.
    ///
    /// - 6: it verifies, and by our own count a quorum of distinct members of its height's epoch signed it.
    /// - 7: it is for the block at that height.
    ///
    /// # Errors
    /// The violation.
    pub fn certified(
        &mut self,
        verifier: &Verifier,
        sequence: Sequence,
        block: Digest,
        certificate: &Certificate,
    ) -> Result<(), Violation> {
        let verified = verifier.certified(sequence, block, certificate.clone());
        ensure!(
            verified.is_ok(),
            "the certificate of {sequence} does not verify: {verified:?}"
        );
        let epoch = self.epoch_at(sequence);
        ensure!(
            certificate.epoch == epoch,
            "block {sequence} is certified by epoch {}, and belongs to epoch {epoch}",
            certificate.epoch
        );
        self.check_commits(sequence, block, certificate)?;
        let known = *self.certified.entry(sequence).or_insert(block);
        ensure!(known == block, "two certificates at height {sequence}");
        let stored = self.chain.get(&sequence).map(|known| known.hash);
        ensure!(
            stored == Some(block),
            "the certificate of {sequence} is not for the block there"
        );
        Ok(())
    }

    /// A client was answered.
    ///
    /// - 8: what was answered is on the certified chain.
    ///
    /// # Errors
    /// The violation.
    pub fn answered(&self, digest: Digest, sequence: Sequence) -> Result<(), Violation> {
        let is_there = self
            .chain
            .get(&sequence)
            .is_some_and(|known| known.digests.contains(&digest));
        ensure!(
            is_there,
            "an answer names block {sequence}, which does not hold the request"
        );
        ensure!(
            self.certified.contains_key(&sequence),
            "an answer names block {sequence}, which is not certified"
        );
        Ok(())
    }

    /// A correct replica took a step.
    ///
    /// - 15: the marks are in order and never go back.
    /// - 16: memory is bounded.
    ///
    /// # Errors
    /// The violation.
    pub fn stepped(
        &self,
        replica: ReplicaId,
        before: &Summary,
        after: &Summary,
    ) -> Result<(), Violation> {
        ensure!(
            after.certified <= after.executed,
            "replica {replica} certified more than it executed"
        );
        let grows = after.certified >= before.certified
            && after.stable >= before.stable
            && after.view >= before.view;
        ensure!(
            grows,
            "replica {replica} went back: {before:?} to {after:?}"
        );
        let limits = &self.limits;
        ensure!(
            after.slots as u64 <= 3 * limits.window,
            "replica {replica} keeps {} slots",
            after.slots
        );
        ensure!(
            after.requests <= 2 * limits.pool_requests_max,
            "replica {replica} keeps {} requests",
            after.requests
        );
        let bodies =
            2 * limits.pool_requests_max + 8 * limits.window as usize * limits.batch_digests_max;
        ensure!(
            after.bodies <= bodies,
            "replica {replica} keeps {} bodies",
            after.bodies
        );
        Ok(())
    }

    /// A correct replica reports equivocation.
    ///
    /// - 17: only faulty replicas are accused.
    ///
    /// # Errors
    /// The violation.
    pub fn accused(&self, evidence: &Equivocation) -> Result<(), Violation> {
        ensure!(
            self.faulty.contains(&evidence.slot.replica),
            "the correct replica {} is accused: {evidence:?}",
            evidence.slot.replica
        );
        Ok(())
    }
}
