//! Changes of the replica set: which a run plans, and how the simulated contract decides about them.
//!
//! A change is a transaction like any other. The block that holds it, and in which the contract accepts it, announces the
//! next epoch; [`EpochDescription::last_height_within`] gives the last height of the one before. As in the governance
//! contract, a change is refused while another is still to take effect, a number that was used once is used by nobody
//! again, and a replica set does not shrink below four.

use std::collections::BTreeMap;
use std::rc::Rc;

use ledger::{
    Digest, Epoch, EpochDescription, Height, LedgerId, PublicKey, ReplicaDescription, ReplicaId,
};
use pbft::{Limits, Sequence};
use serde::Serialize;

use crate::plan::Behaviour;
use crate::random::Random;
use crate::signing::signer;

/// The first epoch of a simulated cluster: not the first of all, so that votes of an earlier one exist.
pub const FIRST_EPOCH: Epoch = Epoch(1);

/// Of so many seeds in 1,000 the replica set changes.
const CHANGES_PERMILLE: u64 = 300;

/// A replica set never shrinks below this.
const REPLICAS_MIN: usize = 4;

/// How often one change is asked for anew after the contract refused it, at most.
const ATTEMPTS_MAX: u64 = 200;

/// A change of the replica set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Another replica comes.
    Add(ReplicaId),
    /// One goes.
    Remove(ReplicaId),
    /// One goes and another comes in its stead, as one whose disk was lost does.
    Replace {
        /// Who goes.
        retire: ReplicaId,
        /// Who comes.
        add: ReplicaId,
    },
    /// One gets another key.
    Rotate(ReplicaId),
}

impl Change {
    /// The name under which reports count it.
    pub fn name(self) -> &'static str {
        match self {
            Change::Add(_) => "membership_added",
            Change::Remove(_) => "membership_removed",
            Change::Replace { .. } => "membership_replaced",
            Change::Rotate(_) => "membership_rotated",
        }
    }

    /// Who goes.
    pub fn retires(self) -> Option<ReplicaId> {
        match self {
            Change::Remove(retire) | Change::Replace { retire, .. } => Some(retire),
            Change::Add(_) | Change::Rotate(_) => None,
        }
    }

    /// Who comes.
    pub fn adds(self) -> Option<ReplicaId> {
        match self {
            Change::Add(add) | Change::Replace { add, .. } => Some(add),
            Change::Remove(_) | Change::Rotate(_) => None,
        }
    }
}

/// A change and when it is first asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PlannedChange {
    /// What changes.
    pub change: Change,
    /// When, in virtual time.
    pub at_us: u64,
}

/// A process that no replica of the first epoch is, with an empty disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Newcomer {
    /// The number of the replica that it is to be.
    pub replica: usize,
    /// When it starts, in virtual time: before it is let in or after.
    pub starts_us: u64,
}

/// What a plan says of membership.
#[derive(Debug, Clone, Default)]
pub struct Membership {
    /// The changes, in the order in which they take effect.
    pub changes: Vec<PlannedChange>,
    /// Who comes.
    pub newcomers: Vec<Newcomer>,
    /// Whether those who were taken out are stopped for good once the change is in force elsewhere.
    pub stops_retired: bool,
    /// How often, of 1,000 times, a fault falls into the middle of a change: a kill, or a partition.
    pub trouble_permille: u64,
}

/// Which replicas may do what they like, while a plan is drawn.
pub(crate) struct Suspects<'a> {
    /// The Byzantine ones.
    pub(crate) byzantine: &'a mut Vec<(usize, Behaviour)>,
    /// Those whose disk is damaged at some time.
    pub(crate) damaged: Vec<usize>,
}

impl Suspects<'_> {
    fn among(&self, members: &[usize]) -> Vec<usize> {
        let byzantine = self.byzantine.iter().map(|(id, _)| *id);
        let all = byzantine.chain(self.damaged.iter().copied());
        all.filter(|id| members.contains(id)).collect()
    }

    /// Whether a set tolerates its faulty ones.
    fn are_tolerated_by(&self, members: &[usize]) -> bool {
        self.among(members).len() <= (members.len() - 1) / 3
    }
}

impl Membership {
    /// One or two changes in some of the seeds. Each set that comes of them tolerates its faulty replicas, of which a
    /// newcomer may be one.
    pub(crate) fn of(
        random: &mut Random,
        replicas: usize,
        suspects: &mut Suspects<'_>,
        faulty_us: u64,
    ) -> Membership {
        let mut membership = Membership::default();
        if !random.chance(CHANGES_PERMILLE) {
            return membership;
        }
        let mut members: Vec<usize> = (0..replicas).collect();
        let mut at_us = 0;
        for _ in 0..random.between(1, 2) {
            let newcomer = replicas + membership.newcomers.len();
            let (change, after) = draw(random, &members, newcomer, suspects);
            at_us = random.between(at_us.max(faulty_us / 10), faulty_us * 4 / 5);
            membership.changes.push(PlannedChange { change, at_us });
            members = after;
            if change.adds().is_some() {
                let starts_us = random.between(0, faulty_us);
                membership.newcomers.push(Newcomer {
                    replica: newcomer,
                    starts_us,
                });
                let count = suspects.among(&members).len();
                if count < (members.len() - 1) / 3 && random.chance(200) {
                    let behaviour = random.pick(&Behaviour::ALL);
                    suspects.byzantine.push((newcomer, behaviour));
                }
            }
        }
        membership.stops_retired = random.chance(500);
        membership.trouble_permille = random.pick(&[0, 100, 300]);
        membership
    }
}

/// A change that leaves a set which tolerates its faulty replicas, and that set.
fn draw(
    random: &mut Random,
    members: &[usize],
    newcomer: usize,
    suspects: &Suspects<'_>,
) -> (Change, Vec<usize>) {
    loop {
        let faulty = suspects.among(members);
        let one = if !faulty.is_empty() && random.chance(500) {
            random.pick(&faulty)
        } else {
            random.pick(members)
        };
        let (one_id, newcomer_id) = (ReplicaId(one as u16), ReplicaId(newcomer as u16));
        let others = members.iter().copied().filter(|id| *id != one);
        let (change, after): (Change, Vec<usize>) = match random.below(4) {
            0 => {
                let after = members.iter().copied().chain([newcomer]);
                (Change::Add(newcomer_id), after.collect())
            }
            1 => (Change::Remove(one_id), others.collect()),
            2 => {
                let (retire, add) = (one_id, newcomer_id);
                let after = others.chain([newcomer]).collect();
                (Change::Replace { retire, add }, after)
            }
            _ => (Change::Rotate(one_id), members.to_vec()),
        };
        if after.len() >= REPLICAS_MIN && suspects.are_tolerated_by(&after) {
            return (change, after);
        }
    }
}

/// The numbers of the keys that a replica has: the one with which it begins, and the next.
pub fn key_numbers(replica: ReplicaId) -> [usize; 2] {
    let first = usize::from(replica.0);
    [first, first + 1_000]
}

fn described(replica: ReplicaId, key: PublicKey) -> ReplicaDescription {
    ReplicaDescription {
        replica,
        operator: LedgerId([replica.0 as u8; 16]),
        public_key: key,
    }
}

/// An epoch as the machine knows it.
#[derive(Debug, Clone)]
pub struct Announced {
    /// The height of the block that announced it; 0 for the first.
    pub at: Sequence,
    /// Its replicas.
    pub description: Rc<EpochDescription>,
}

/// What the simulated contract decides by: the same in all replicas.
#[derive(Debug)]
pub struct Contract {
    first: Rc<EpochDescription>,
    changes: Vec<Change>,
    /// Which change a transaction asks for.
    transactions: BTreeMap<Digest, usize>,
    real_signatures: bool,
    checkpoint_interval: u64,
    window: u64,
}

impl Contract {
    /// Of a cluster that begins with so many replicas.
    pub fn new(
        replicas: usize,
        changes: &[PlannedChange],
        limits: &Limits,
        real_signatures: bool,
    ) -> Contract {
        let key = |id: usize| signer(real_signatures, id).public_key();
        let replicas = (0..replicas).map(|id| described(ReplicaId(id as u16), key(id)));
        let attempts = |number| (0..ATTEMPTS_MAX).map(move |attempt| (number, attempt));
        let all = (0..changes.len()).flat_map(attempts);
        Contract {
            first: Rc::new(EpochDescription {
                epoch: FIRST_EPOCH,
                first_height: Height(1),
                replicas: replicas.collect(),
            }),
            changes: changes.iter().map(|planned| planned.change).collect(),
            transactions: all
                .map(|(number, attempt)| (Contract::transaction(number, attempt), number))
                .collect(),
            real_signatures,
            checkpoint_interval: limits.checkpoint_interval,
            window: limits.window,
        }
    }

    /// The transaction that asks for a change, once more after each refusal.
    pub fn transaction(number: usize, attempt: u64) -> Digest {
        let number = (number as u64).to_be_bytes();
        ledger::tagged(
            "simulator/change",
            &[&number, &attempt.min(ATTEMPTS_MAX - 1).to_be_bytes()],
        )
    }

    /// The number of the change that a transaction asks for, if it asks for one.
    pub fn number_of(&self, transaction: &Digest) -> Option<usize> {
        self.transactions.get(transaction).copied()
    }

    /// A change of the plan, by its number.
    pub fn change(&self, number: usize) -> Change {
        self.changes[number]
    }

    /// The epoch with which the chain begins.
    pub fn first(&self) -> Announced {
        Announced {
            at: Sequence(0),
            description: Rc::clone(&self.first),
        }
    }

    /// The epoch that a transaction announces in the block at `height`, after those that are known.
    pub fn decide(
        &self,
        transaction: &Digest,
        height: Sequence,
        known: &[Announced],
    ) -> Option<EpochDescription> {
        // Changes come in the order of the plan: another in between would leave a set that tolerates less.
        let number = self.transactions.get(transaction)?;
        let newest = &known.last()?.description;
        let is_pending = newest.first_height.0 > height.0;
        if is_pending || known.len() != *number + 1 {
            return None;
        }
        let last = EpochDescription::last_height_within(
            height.height(),
            self.checkpoint_interval,
            self.window,
        );
        Some(EpochDescription {
            epoch: Epoch(newest.epoch.0 + 1),
            first_height: last.next(),
            replicas: self.changed(self.changes[*number], &newest.replicas),
        })
    }

    /// The set that a change makes of another.
    pub fn changed(
        &self,
        change: Change,
        before: &[ReplicaDescription],
    ) -> Vec<ReplicaDescription> {
        let key = |number| signer(self.real_signatures, number).public_key();
        let mut replicas = before.to_vec();
        replicas.retain(|described| Some(described.replica) != change.retires());
        if let Some(add) = change.adds() {
            replicas.push(described(add, key(key_numbers(add)[0])));
            replicas.sort_by_key(|described| described.replica);
        }
        if let Change::Rotate(replica) = change {
            let rotated = replicas.iter_mut().filter(|it| it.replica == replica);
            rotated.for_each(|it| it.public_key = key(key_numbers(replica)[1]));
        }
        replicas
    }
}

/// The epoch that certifies a height, of those that are known.
pub fn epoch_at(known: &[Announced], height: Sequence) -> &Rc<EpochDescription> {
    let begun = |announced: &&Announced| announced.description.first_height.0 <= height.0;
    let found = known.iter().rev().find(begun);
    &found.unwrap_or(&known[0]).description
}

/// The last height of an epoch, once the one after it is known.
pub fn last_height(known: &[Announced], epoch: Epoch) -> Option<Sequence> {
    let next = known
        .iter()
        .find(|announced| announced.description.epoch > epoch)?;
    Some(Sequence(next.description.first_height.0 - 1))
}
