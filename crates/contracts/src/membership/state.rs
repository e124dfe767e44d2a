//! What the membership contract keeps, under which keys, and how its events change it.

use ledger::{ContractId, LedgerId, PublicKey, Timestamp};
use serde::{Deserialize, Serialize};

use super::command::MemberKind;
use super::event::Event;
use crate::key::{id_at, key};
use crate::{Contract, State, View};

const MEMBER: u8 = 1;
const ALLOWED: u8 = 2;
const ENDORSEMENT: u8 = 3;
const OPERATORS: u8 = 4;
const AFFILIATION: u8 = 5;

/// More node operators than any consortium has; bounds the scan over endorsements and votes.
pub(crate) const OPERATORS_MAX: usize = 1_000;

/// Where a membership stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Status {
    /// Registered, not endorsed enough.
    Pending,
    /// May act.
    Active,
    /// May not act until reinstated.
    Suspended,
    /// Ended for good.
    Revoked,
}

/// What is read for every transaction, hence small.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) kind: MemberKind,
    pub(crate) status: Status,
    /// Endorses and votes: a node operator by kind, or the operator of a founding replica.
    pub(crate) operator: bool,
    pub(crate) public_key: PublicKey,
}

impl Member {
    /// Whether it is a node operator that was admitted and not revoked: it counts towards the quorum.
    pub(crate) fn is_standing_operator(&self) -> bool {
        self.operator && matches!(self.status, Status::Active | Status::Suspended)
    }
}

/// How many node operators there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Operators {
    /// Active or suspended: a quorum is counted over these, so that a suspension never lowers the bar.
    pub(crate) standing: u16,
    /// Active: these can vote.
    pub(crate) active: u16,
}

impl Operators {
    /// ceil((n + f + 1) / 2) with f = floor((n - 1) / 3): as many as replicas need to agree.
    pub(crate) fn quorum(self) -> u16 {
        let faulty = self.standing.saturating_sub(1) / 3;
        (self.standing + faulty + 1).div_ceil(2)
    }
}

/// When a doctor acts for a hospital.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Affiliation {
    pub(crate) from: Timestamp,
    /// Exclusive.
    pub(crate) until: Timestamp,
}

pub(crate) fn member(state: &State, id: &LedgerId) -> Option<Member> {
    state.read(&member_key(id))
}

pub(crate) fn is_allowed(
    state: &State,
    service: &LedgerId,
    contract: ContractId,
    number: u16,
) -> bool {
    let allowed: Vec<(ContractId, u16)> = state
        .read(&key(Contract::Membership, ALLOWED, &[&service.0]))
        .unwrap_or_default();
    allowed.binary_search(&(contract, number)).is_ok()
}

pub(crate) fn operators(state: &State) -> Operators {
    state
        .read(&key(Contract::Membership, OPERATORS, &[]))
        .unwrap_or_default()
}

pub(crate) fn affiliation(
    state: &State,
    doctor: &LedgerId,
    hospital: &LedgerId,
) -> Option<Affiliation> {
    state.read(&affiliation_key(doctor, hospital))
}

pub(crate) fn has_endorsed(state: &State, member: &LedgerId, operator: &LedgerId) -> bool {
    state.contains(&endorsement_key(member, operator))
}

/// Who endorsed a member so far.
pub(crate) fn endorsers(state: &State, member: &LedgerId) -> Vec<LedgerId> {
    let prefix = key(Contract::Membership, ENDORSEMENT, &[&member.0]);
    state
        .scan(&prefix, OPERATORS_MAX)
        .iter()
        .map(|(key, _)| LedgerId(id_at(key, prefix.len())))
        .collect()
}

fn member_key(id: &LedgerId) -> Vec<u8> {
    key(Contract::Membership, MEMBER, &[&id.0])
}

fn affiliation_key(doctor: &LedgerId, hospital: &LedgerId) -> Vec<u8> {
    key(Contract::Membership, AFFILIATION, &[&doctor.0, &hospital.0])
}

fn endorsement_key(member: &LedgerId, operator: &LedgerId) -> Vec<u8> {
    key(Contract::Membership, ENDORSEMENT, &[&member.0, &operator.0])
}

/// Brings the state up to date with what was decided.
pub fn fold(state: &mut State, event: &Event) {
    match event {
        Event::MemberRegistered {
            member,
            kind,
            public_key,
            allowed,
            ..
        } => {
            let operator = *kind == MemberKind::NodeOperator;
            let entry = Member {
                kind: *kind,
                status: Status::Pending,
                operator,
                public_key: *public_key,
            };
            enter(state, member, &entry, allowed);
        }
        Event::FounderNamed {
            member,
            kind,
            public_key,
            allowed,
            operator,
            ..
        } => {
            let entry = Member {
                kind: *kind,
                status: Status::Pending,
                operator: *operator,
                public_key: *public_key,
            };
            enter(state, member, &entry, allowed);
            set_status(state, member, Status::Active);
        }
        Event::MemberEndorsed {
            member, operator, ..
        } => state.write(endorsement_key(member, operator), &()),
        Event::MemberActivated { member } => set_status(state, member, Status::Active),
        Event::DoctorAffiliated {
            doctor,
            hospital,
            from,
            until,
        } => {
            state.write(
                affiliation_key(doctor, hospital),
                &Affiliation {
                    from: *from,
                    until: *until,
                },
            );
        }
        Event::AffiliationEnded { doctor, hospital } => {
            state.delete(affiliation_key(doctor, hospital))
        }
        Event::MemberSuspended { member } => set_status(state, member, Status::Suspended),
        Event::MemberReinstated { member } => set_status(state, member, Status::Active),
        Event::MemberRevoked { member } => set_status(state, member, Status::Revoked),
        Event::KeyRotated {
            member: id,
            public_key,
            ..
        } => {
            if let Some(entry) = member(state, id) {
                state.write(
                    member_key(id),
                    &Member {
                        public_key: *public_key,
                        ..entry
                    },
                );
            }
        }
    }
}

fn enter(state: &mut State, id: &LedgerId, entry: &Member, allowed: &Vec<(ContractId, u16)>) {
    state.write(member_key(id), entry);
    if !allowed.is_empty() {
        state.write(key(Contract::Membership, ALLOWED, &[&id.0]), allowed);
    }
}

fn set_status(state: &mut State, id: &LedgerId, status: Status) {
    let Some(entry) = member(state, id) else {
        return;
    };
    if entry.operator {
        let standing =
            |status: Status| u16::from(matches!(status, Status::Active | Status::Suspended));
        let active = |status: Status| u16::from(status == Status::Active);
        let before = operators(state);
        let after = Operators {
            standing: before.standing + standing(status) - standing(entry.status),
            active: before.active + active(status) - active(entry.status),
        };
        state.write(key(Contract::Membership, OPERATORS, &[]), &after);
    }
    state.write(member_key(id), &Member { status, ..entry });
}
