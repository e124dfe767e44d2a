//! A simulated run, judged by the rules of the model: every vote that a correct replica signs must be one that the
//! model allows, given what was said before it.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{Certificate, Digest, ReplicaId};
use pbft::message::{Message, NewView, SignedViewChange, ViewChange, Vote};
use pbft::{Sequence, SignedMessage, View};

use super::{Members, Said, claim, implied_proposals};
use crate::oracle::{Violation, ensure};

type Signers = BTreeSet<ReplicaId>;

/// What correct replicas have said so far in a run.
#[derive(Debug)]
pub struct Trace {
    members: Members,
    /// The last place of the epoch before.
    base: Sequence,
    proposals: BTreeSet<(View, Sequence, Digest)>,
    prepares: BTreeMap<(View, Sequence, Digest), Signers>,
    /// By place first, to find out whether anything is decided there.
    commits: BTreeMap<(Sequence, View, Digest), Signers>,
    /// The batches that gave a block.
    executed: BTreeMap<Digest, BTreeSet<Digest>>,
    /// Who committed to a block, in which view.
    certifies: BTreeMap<(Sequence, View, Digest), Signers>,
    /// Signed view changes, by the digest of what they say.
    view_changes: BTreeSet<(ReplicaId, View, Digest)>,
    /// The openings of each view that verification let through.
    openings: BTreeMap<View, Vec<Opening>>,
    /// The highest view that each replica asked for or opened, once that left it.
    left: BTreeMap<ReplicaId, View>,
    /// The latest COMMIT at each place that left a replica.
    committed: BTreeMap<ReplicaId, BTreeMap<Sequence, (View, Digest)>>,
    /// How many votes were judged.
    judged: u64,
}

#[derive(Debug, PartialEq, Eq)]
struct Opening {
    proposals: BTreeMap<Sequence, Digest>,
    /// The last place that the opening settles.
    high: Sequence,
}

impl Opening {
    fn of(opening: &NewView) -> Opening {
        let proposals: BTreeMap<Sequence, Digest> = opening
            .proposals
            .iter()
            .map(|proposal| (proposal.sequence, proposal.digest))
            .collect();
        let changes = opening.view_changes.iter();
        let low = changes.map(|signed| signed.change.stable.sequence).max();
        let high = proposals.last_key_value().map(|(place, _)| *place);
        Opening {
            high: high.or(low).unwrap_or_default(),
            proposals,
        }
    }

    fn allows(&self, place: Sequence, digest: Digest) -> bool {
        place > self.high || self.proposals.get(&place) == Some(&digest)
    }
}

impl Said for Trace {
    type Value = Digest;

    fn members(&self) -> &Members {
        &self.members
    }

    fn is_proposed(&self, view: View, place: Sequence, value: Digest) -> bool {
        let by_opening = self.openings.get(&view).into_iter().flatten();
        self.proposals.contains(&(view, place, value))
            || by_opening
                .into_iter()
                .any(|opening| opening.proposals.get(&place) == Some(&value))
    }

    fn prepares(&self, view: View, place: Sequence, value: Digest) -> usize {
        self.correct_of(self.prepares.get(&(view, place, value)))
    }

    fn commits(&self, view: View, place: Sequence, value: Digest) -> usize {
        self.correct_of(self.commits.get(&(place, view, value)))
    }
}

impl Trace {
    /// Nothing has been said in an epoch of these replicas that stands on `base`.
    pub fn new(members: Members, base: Sequence) -> Trace {
        Trace {
            members,
            base,
            proposals: BTreeSet::new(),
            prepares: BTreeMap::new(),
            commits: BTreeMap::new(),
            executed: BTreeMap::new(),
            certifies: BTreeMap::new(),
            view_changes: BTreeSet::new(),
            openings: BTreeMap::new(),
            left: BTreeMap::new(),
            committed: BTreeMap::new(),
            judged: 0,
        }
    }

    /// From now on a replica counts as faulty.
    pub fn distrust(&mut self, replica: ReplicaId) {
        if self.members.replicas.contains(&replica) {
            self.members.faulty.push(replica);
        }
    }

    /// How many votes were judged.
    pub fn judged(&self) -> u64 {
        self.judged
    }

    fn correct_of(&self, signers: Option<&Signers>) -> usize {
        let signers = signers.into_iter().flatten();
        signers
            .filter(|signer| !self.members.is_faulty(**signer))
            .count()
    }

    /// A correct replica signs a vote.
    ///
    /// # Errors
    /// What the model does not allow.
    pub fn signs(&mut self, message: &SignedMessage) -> Result<(), Violation> {
        let sender = message.sender;
        match &message.message {
            Message::PrePrepare(proposal) => {
                let (view, place) = (proposal.view, proposal.sequence);
                let digest = proposal.batch.digest();
                ensure!(
                    self.members.primary(view) == sender,
                    "model: {sender} proposes in view {view}, which is not its own"
                );
                self.check_open(sender, view, place, digest)?;
                self.proposals.insert((view, place, digest));
            }
            Message::Prepare(vote) => {
                ensure!(
                    self.members.primary(vote.view) != sender,
                    "model: the primary {sender} of view {} sends a PREPARE",
                    vote.view
                );
                self.check_open(sender, vote.view, vote.sequence, vote.digest)?;
                ensure!(
                    self.may_be_proposed(vote.view, vote.sequence, vote.digest),
                    "model: {sender} PREPAREs what nobody proposed: {vote:?}"
                );
                let slot = (vote.view, vote.sequence, vote.digest);
                self.prepares.entry(slot).or_default().insert(sender);
            }
            Message::Commit(vote) => self.check_commit(sender, vote)?,
            Message::ViewChange(change) => self.check_view_change(sender, change)?,
            Message::NewView(opening) => self.check_opening(sender, opening)?,
            Message::Status(_)
            | Message::BatchQuery(_)
            | Message::BatchAnswer(_)
            | Message::Recalled(_) => return Ok(()),
        }
        self.judged += 1;
        Ok(())
    }

    /// A vote leaves a correct replica: from now on it binds.
    pub fn leaves(&mut self, message: &SignedMessage) {
        match &message.message {
            Message::Commit(vote) => {
                let Some(batch) = self.batch_of(vote) else {
                    return;
                };
                let own = self.committed.entry(message.sender).or_default();
                let latest = own.entry(vote.sequence).or_insert((vote.view, batch));
                *latest = (*latest).max((vote.view, batch));
            }
            Message::ViewChange(ViewChange { view, .. })
            | Message::NewView(NewView { view, .. }) => {
                let left = self.left.entry(message.sender).or_insert(*view);
                *left = (*left).max(*view);
            }
            _ => {}
        }
    }

    /// Verification let a NEW-VIEW through, whoever made it.
    pub fn opened(&mut self, opening: &NewView) {
        let known = self.openings.entry(opening.view).or_default();
        let new = Opening::of(opening);
        if !known.contains(&new) {
            known.push(new);
        }
    }

    /// §4.4: nothing is said in a view that was left, nor against the proposals that opened it.
    fn check_open(
        &self,
        sender: ReplicaId,
        view: View,
        place: Sequence,
        digest: Digest,
    ) -> Result<(), Violation> {
        let left = self.left.get(&sender).copied().unwrap_or_default();
        ensure!(
            view >= left,
            "model: {sender} votes in view {view} after leaving it for {left}"
        );
        let mut openings = self.openings.get(&view).into_iter().flatten();
        ensure!(
            view == View(0) || openings.any(|opening| opening.allows(place, digest)),
            "model: {sender} votes in view {view} for what no opening of it allows at {place}"
        );
        Ok(())
    }

    /// A correct replica executed a batch: this block came of it.
    pub fn executed(&mut self, block: Digest, batch: Digest) {
        self.executed.entry(block).or_default().insert(batch);
    }

    /// The batch that a COMMIT stands for: one that gave its block, and may be prepared in its view.
    fn batch_of(&self, vote: &Vote) -> Option<Digest> {
        let batches = self.executed.get(&vote.digest)?;
        let mut batches = batches.iter().copied();
        batches.find(|batch| self.may_be_prepared(vote.view, vote.sequence, *batch))
    }

    /// §4.2 and §5.1: a COMMIT is to the block that comes of a batch prepared in its view, and speaks for every place below.
    fn check_commit(&mut self, sender: ReplicaId, vote: &Vote) -> Result<(), Violation> {
        let (view, place) = (vote.view, vote.sequence);
        let Some(batch) = self.batch_of(vote) else {
            return Err(format!(
                "model: {sender} COMMITs to a block of no batch that is prepared: {vote:?}"
            ));
        };
        self.check_open(sender, view, place, batch)?;
        let below = Sequence(place.0 - 1);
        let commits = self.commits.range((below, view, Digest::ZERO)..);
        let mut commits =
            commits.take_while(|((place, in_view, _), _)| (*place, *in_view) == (below, view));
        ensure!(
            below <= self.base
                || commits.any(|(_, signers)| signers.contains(&sender))
                || self.is_decided(below),
            "model: {sender} COMMITs at {place} in view {view}, and place {below} is open"
        );
        let voters = self.certifies.entry((place, view, vote.digest));
        voters.or_default().insert(sender);
        let slot = (place, view, batch);
        self.commits.entry(slot).or_default().insert(sender);
        Ok(())
    }

    /// Whether something may be decided at a place, in whatever view.
    fn is_decided(&self, place: Sequence) -> bool {
        let from = (place, View(0), Digest::ZERO);
        let mut slots = self
            .commits
            .range(from..(place.next(), View(0), Digest::ZERO));
        slots.any(|((_, view, digest), _)| self.may_be_decided(*view, place, *digest))
    }

    fn check_certificate(
        &self,
        place: Sequence,
        block: Digest,
        certificate: &Certificate,
    ) -> Result<(), Violation> {
        let slot = (place, View(certificate.view), block);
        let correct = self.correct_of(self.certifies.get(&slot));
        ensure!(
            correct + self.members.faulty.len() >= self.members.quorum()
                && certificate.votes.len() >= self.members.quorum(),
            "model: a checkpoint at {place} that no quorum voted for"
        );
        Ok(())
    }

    /// A claim holds what can be proven.
    fn check_claims(&self, change: &ViewChange) -> Result<(), Violation> {
        if let Some(certificate) = &change.stable.certificate {
            self.check_certificate(change.stable.sequence, change.stable.block, certificate)?;
        }
        for (place, view, digest) in claim(change).prepared {
            ensure!(
                self.may_be_prepared(view, place, digest),
                "model: a view change claims what was not prepared: view {view}, place {place}"
            );
        }
        Ok(())
    }

    /// §4.4: a view change claims what can be proven, and everything that its sender committed to above its stable
    /// checkpoint.
    fn check_view_change(
        &mut self,
        sender: ReplicaId,
        change: &ViewChange,
    ) -> Result<(), Violation> {
        self.check_claims(change)?;
        let claimed = claim(change).prepared;
        let own = self.committed.get(&sender).into_iter().flatten();
        for (place, (view, digest)) in own.filter(|(place, _)| **place > change.stable.sequence) {
            let kept = claimed.iter().any(|(at, prepared_in, value)| {
                at == place && (prepared_in > view || prepared_in == view && value == digest)
            });
            ensure!(
                kept,
                "model: {sender} asks for view {} and conceals what it committed to at {place}",
                change.view
            );
        }
        let said = pbft::statement::Statement::of_view_change(change);
        self.view_changes.insert((sender, change.view, said.digest));
        Ok(())
    }

    /// §4.4: a primary opens its view with what a quorum of view changes implies.
    fn check_opening(&mut self, sender: ReplicaId, opening: &NewView) -> Result<(), Violation> {
        ensure!(
            self.members.primary(opening.view) == sender,
            "model: {sender} opens view {}, which is not its own",
            opening.view
        );
        let senders: Signers = opening.view_changes.iter().map(|it| it.sender).collect();
        ensure!(
            senders.len() >= self.members.quorum(),
            "model: view {} is opened without a quorum",
            opening.view
        );
        for SignedViewChange { sender, change, .. } in &opening.view_changes {
            if self.members.is_faulty(*sender) {
                self.check_claims(change)?;
                continue;
            }
            let said = pbft::statement::Statement::of_view_change(change);
            ensure!(
                self.view_changes
                    .contains(&(*sender, change.view, said.digest)),
                "model: view {} is opened with a view change that {sender} never signed",
                opening.view
            );
        }
        let implied = implied_proposals(opening.view_changes.iter().map(|it| &it.change));
        let stated = opening
            .proposals
            .iter()
            .map(|proposal| (proposal.sequence, proposal.digest));
        ensure!(
            implied.into_iter().eq(stated),
            "model: view {} is opened with other proposals than are implied",
            opening.view
        );
        self.opened(opening);
        Ok(())
    }
}
