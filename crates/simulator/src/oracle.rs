//! The invariants. Each is checked at the event that could break it; none looks into the core.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{Certificate, Digest, ReplicaId};
use pbft::message::Message;
use pbft::{Equivocation, Limits, Sequence, SignedMessage, Summary, Verifier, View};

use crate::disk::{Disk, VoteKey, vote_key};
use crate::machine::Block;

/// A violated invariant, in words.
pub type Violation = String;

/// What is known of the whole cluster, and must stay consistent.
pub struct Oracle {
    /// The one block at each height, with its state.
    chain: BTreeMap<Sequence, (Digest, Digest, Vec<Digest>)>,
    /// Heights for which a certificate was seen.
    certified: BTreeMap<Sequence, Digest>,
    /// What each replica signed for each slot.
    votes: BTreeMap<(usize, VoteKey), Digest>,
    /// The highest view in which each replica voted or for which it asked.
    views: BTreeMap<usize, View>,
    /// The bodies of every batch that was proposed.
    batches: BTreeMap<Digest, Vec<Digest>>,
    /// What clients asked for.
    requested: BTreeSet<Digest>,
    /// Where each request took effect.
    effective: BTreeMap<Digest, Sequence>,
    /// What clients were told: request and height.
    answered: BTreeMap<Digest, Sequence>,
    faulty: BTreeSet<usize>,
    limits: Limits,
}

macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(format!($($message)+));
        }
    };
}

impl Oracle {
    /// Nothing has happened yet; `faulty` replicas may do what they like.
    pub fn new(faulty: BTreeSet<usize>, limits: Limits) -> Oracle {
        Oracle {
            chain: BTreeMap::new(),
            certified: BTreeMap::new(),
            votes: BTreeMap::new(),
            views: BTreeMap::new(),
            batches: BTreeMap::new(),
            requested: BTreeSet::new(),
            effective: BTreeMap::new(),
            answered: BTreeMap::new(),
            faulty,
            limits,
        }
    }

    /// A batch is proposed, by whomever.
    pub fn proposed(&mut self, message: &SignedMessage) {
        if let Message::PrePrepare(proposal) = &message.message {
            let digest = proposal.batch.digest();
            self.batches
                .entry(digest)
                .or_insert_with(|| proposal.batch.digests.clone());
        }
    }

    /// A client asks for something.
    pub fn request(&mut self, digest: Digest) {
        self.requested.insert(digest);
    }

    /// The highest height that any correct replica stored.
    pub fn height(&self) -> Sequence {
        self.chain
            .last_key_value()
            .map_or(Sequence(0), |(sequence, _)| *sequence)
    }

    /// A correct replica stored a block.
    ///
    /// - 1: same height, same block.
    /// - 2: same height, same state.
    /// - 3: the chain is linked and its times increase (`previous_time`).
    /// - 4: only what clients asked for is ordered.
    /// - 5: a request takes effect once.
    pub fn block_stored(
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
        if let Some((known, state, _)) = self.chain.get(&sequence) {
            ensure!(*state == block.state, "two states at height {sequence}");
            ensure!(*known == hash, "two blocks at height {sequence}");
            return Ok(());
        }
        let previous = Sequence(sequence.0 - 1);
        if let Some((known, _, _)) = self.chain.get(&previous) {
            ensure!(
                *known == block.previous,
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
        self.chain
            .insert(sequence, (hash, block.state, block.digests.clone()));
        Ok(())
    }

    /// A correct replica has a certificate.
    ///
    /// - 6: it verifies: a quorum of distinct members.
    /// - 7: it is for the block at that height.
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
        let known = *self.certified.entry(sequence).or_insert(block);
        ensure!(known == block, "two certificates at height {sequence}");
        let stored = self.chain.get(&sequence).map(|(hash, _, _)| *hash);
        ensure!(
            stored == Some(block),
            "the certificate of {sequence} is not for the block there"
        );
        Ok(())
    }

    /// A client was answered.
    ///
    /// - 8: what was answered is on the certified chain.
    pub fn answered(&mut self, digest: Digest, sequence: Sequence) -> Result<(), Violation> {
        let is_there = self
            .chain
            .get(&sequence)
            .is_some_and(|(_, _, digests)| digests.contains(&digest));
        ensure!(
            is_there,
            "an answer names block {sequence}, which does not hold the request"
        );
        ensure!(
            self.certified.contains_key(&sequence),
            "an answer names block {sequence}, which is not certified"
        );
        self.answered.entry(digest).or_insert(sequence);
        Ok(())
    }

    /// A correct replica lets a message of its own out.
    ///
    /// - 9: one statement per slot, across restarts.
    /// - 10: votes are durable before they leave; a block vote, the block.
    /// - 11: a proposal or PREPARE leaves only with every body durable.
    /// - 12: the primary does not PREPARE.
    /// - 13: no vote in a view older than one that was asked for.
    /// - 14: votes stay below the high water mark.
    pub fn sent(
        &mut self,
        replica: usize,
        message: &SignedMessage,
        disk: &mut Disk,
        summary: &Summary,
        primary_of: impl Fn(View) -> ReplicaId,
    ) -> Result<(), Violation> {
        if usize::from(message.sender.0) != replica {
            return Ok(());
        }
        let Some((key, digest)) = vote_key(message) else {
            return Ok(());
        };
        let first = *self.votes.entry((replica, key)).or_insert(digest);
        ensure!(
            first == digest,
            "replica {replica} signed twice for {key:?}"
        );
        let (view, sequence, _) = key;
        match &message.message {
            Message::BlockVote(vote) => {
                let stored = disk.block(sequence).map(|stored| stored.hash);
                ensure!(
                    stored == Some(vote.block),
                    "replica {replica} voted for a block that it does not store"
                );
                return Ok(());
            }
            Message::Prepare(_) => {
                ensure!(
                    message.sender != primary_of(view),
                    "the primary {replica} sent a PREPARE"
                );
            }
            Message::ViewChange(_) | Message::NewView(_) => {
                let highest = self.views.entry(replica).or_insert(view);
                *highest = view.max(*highest);
            }
            _ => {}
        }
        ensure!(
            disk.has_synced(&message.signature),
            "replica {replica} sent a vote before it was durable: {key:?}"
        );
        if let Message::Prepare(_) | Message::PrePrepare(_) = &message.message {
            let highest = self.views.get(&replica).copied().unwrap_or_default();
            ensure!(
                view >= highest,
                "replica {replica} voted in view {view} after asking for {highest}"
            );
            let high = summary.stable.plus(self.limits.window);
            ensure!(
                sequence <= high,
                "replica {replica} voted for {sequence} above the high water mark {high}"
            );
        }
        if let Message::PrePrepare(_) | Message::Prepare(_) = &message.message {
            self.proposed(message);
            let bodies = self.batches.get(&digest).into_iter().flatten();
            let durable = bodies.into_iter().all(|body| disk.has_body(body));
            ensure!(
                durable,
                "replica {replica} voted at {sequence} for bodies that are not durable"
            );
        }
        Ok(())
    }

    /// A correct replica took a step.
    ///
    /// - 15: the marks are in order and never go back.
    /// - 16: memory is bounded.
    pub fn stepped(
        &self,
        replica: usize,
        before: &Summary,
        after: &Summary,
    ) -> Result<(), Violation> {
        ensure!(
            after.certified <= after.executed,
            "replica {replica} certified more than it executed"
        );
        let grows = after.executed >= before.executed
            && after.certified >= before.certified
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
            after.requests <= limits.pool_requests_max,
            "replica {replica} keeps {} requests",
            after.requests
        );
        let bodies =
            limits.pool_requests_max + 8 * limits.window as usize * limits.batch_digests_max;
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
    pub fn accused(&self, evidence: &Equivocation) -> Result<(), Violation> {
        let accused = usize::from(evidence.replica.0);
        ensure!(
            self.faulty.contains(&accused),
            "the correct replica {accused} is accused: {evidence:?}"
        );
        Ok(())
    }
}
