//! The protocol once more, as rules over what has been said: written apart from `pbft`, small enough to be checked
//! exhaustively ([`small`]), and general enough to judge every vote of a simulated run ([`trace`]).
//!
//! Nothing is ever unsaid and nothing has to arrive: a rule looks at everything that was said so far, in any order,
//! which covers every loss, delay and reordering. Faulty replicas have said everything that a signature of theirs
//! can say, at any time; so they need no steps of their own. Section numbers are those of Castro and Liskov,
//! OSDI 1999.

use std::collections::BTreeMap;

use ledger::{Digest, ReplicaId};
use pbft::message::ViewChange;
use pbft::{Batch, Sequence, View};

pub mod small;
pub mod trace;

/// Who takes part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members {
    /// The replicas, ascending.
    pub replicas: Vec<ReplicaId>,
    /// Which of them may say anything.
    pub faulty: Vec<ReplicaId>,
}

impl Members {
    /// ceil((n + f + 1) / 2), with f = floor((n - 1) / 3).
    pub fn quorum(&self) -> usize {
        let replicas = self.replicas.len();
        (replicas + (replicas - 1) / 3 + 1).div_ceil(2)
    }

    /// p = v mod |R| (§4).
    pub fn primary(&self, view: View) -> ReplicaId {
        self.replicas[(view.0 % self.replicas.len() as u64) as usize]
    }

    /// Whether a replica may say anything.
    pub fn is_faulty(&self, replica: ReplicaId) -> bool {
        self.faulty.contains(&replica)
    }
}

/// What correct replicas have said.
pub trait Said {
    /// What can be ordered.
    type Value: Copy + Eq;

    /// Who takes part.
    fn members(&self) -> &Members;
    /// Whether the primary of the view, being correct, proposed this, alone or in its new view.
    fn is_proposed(&self, view: View, place: Sequence, value: Self::Value) -> bool;
    /// How many correct replicas sent this PREPARE.
    fn prepares(&self, view: View, place: Sequence, value: Self::Value) -> usize;
    /// How many correct replicas sent this COMMIT.
    fn commits(&self, view: View, place: Sequence, value: Self::Value) -> usize;

    /// §4.2: a backup may have received this proposal.
    fn may_be_proposed(&self, view: View, place: Sequence, value: Self::Value) -> bool {
        let members = self.members();
        members.is_faulty(members.primary(view)) || self.is_proposed(view, place, value)
    }

    /// §4.2 prepared(m, v, n): the proposal and quorum - 1 PREPAREs of backups; then COMMIT may be said, and a
    /// certificate may stand in a view change (§4.4).
    fn may_be_prepared(&self, view: View, place: Sequence, value: Self::Value) -> bool {
        let members = self.members();
        let primary = members.primary(view);
        let backups = members.faulty.iter().filter(|faulty| **faulty != primary);
        self.may_be_proposed(view, place, value)
            && self.prepares(view, place, value) + backups.count() >= members.quorum() - 1
    }

    /// §4.2 committed-local(m, v, n): a quorum of COMMITs.
    fn may_be_decided(&self, view: View, place: Sequence, value: Self::Value) -> bool {
        let members = self.members();
        self.commits(view, place, value) + members.faulty.len() >= members.quorum()
    }
}

/// What one view change claims: the stable checkpoint, and what was prepared above it in which view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim<V> {
    /// The stable checkpoint.
    pub stable: Sequence,
    /// Place, view and value.
    pub prepared: Vec<(Sequence, View, V)>,
}

/// §4.4, the set O: for each place from the latest stable checkpoint to the highest prepared place the value prepared in
/// the highest view, or none (the null request).
pub fn implied<V: Copy + Ord>(claims: &[Claim<V>]) -> Vec<(Sequence, Option<V>)> {
    let low = claims
        .iter()
        .map(|claim| claim.stable)
        .max()
        .unwrap_or_default();
    let mut chosen: BTreeMap<Sequence, (View, V)> = BTreeMap::new();
    for (place, view, value) in claims
        .iter()
        .flat_map(|claim| claim.prepared.iter().copied())
    {
        if place > low {
            let best = chosen.entry(place).or_insert((view, value));
            *best = (*best).max((view, value));
        }
    }
    let high = chosen.last_key_value().map_or(low, |(place, _)| *place);
    (low.0 + 1..=high.0)
        .map(|place| {
            let place = Sequence(place);
            (place, chosen.get(&place).map(|(_, value)| *value))
        })
        .collect()
}

/// [`implied`] for the view changes of a real NEW-VIEW.
pub fn implied_proposals<'a>(
    changes: impl Iterator<Item = &'a ViewChange>,
) -> Vec<(Sequence, Digest)> {
    let claims: Vec<Claim<Digest>> = changes.map(claim).collect();
    let null = Batch::null().digest();
    implied(&claims)
        .into_iter()
        .map(|(place, value)| (place, value.unwrap_or(null)))
        .collect()
}

/// What a real VIEW-CHANGE claims.
pub fn claim(change: &ViewChange) -> Claim<Digest> {
    let prepared = change.prepared.iter();
    Claim {
        stable: change.stable.sequence,
        prepared: prepared
            .map(|certificate| (certificate.sequence, certificate.view, certificate.digest))
            .collect(),
    }
}
