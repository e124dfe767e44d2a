//! What other contracts ask the membership contract.

use ledger::{LedgerId, Timestamp};

use super::command::MemberKind;
use super::event::Event;
use super::state::{self, Operators, Status};
use crate::{Context, State};

/// The kind of an active member; `None` if there is none, or it may not act.
pub(crate) fn active_kind(state: &State, member: &LedgerId) -> Option<MemberKind> {
    let entry = state::member(state, member)?;
    (entry.status == Status::Active).then_some(entry.kind)
}

/// Whether a member is active and of that kind.
pub(crate) fn is_active(state: &State, member: &LedgerId, kind: MemberKind) -> bool {
    active_kind(state, member) == Some(kind)
}

/// Whether the submitter is of that kind. (That it is active was checked before the contract was asked.)
pub(crate) fn submitter_is(state: &State, context: &Context, kind: MemberKind) -> bool {
    is_active(state, &context.submitter, kind)
}

/// Whether the member exists, active or not, and was not revoked: it can own money.
pub(crate) fn is_standing(state: &State, member: &LedgerId) -> bool {
    state::member(state, member)
        .is_some_and(|entry| matches!(entry.status, Status::Active | Status::Suspended))
}

/// Whether the member is of that kind and was not revoked; it may wait for endorsement, or be suspended.
pub(crate) fn is_registered(state: &State, member: &LedgerId, kind: MemberKind) -> bool {
    state::member(state, member)
        .is_some_and(|entry| entry.kind == kind && entry.status != Status::Revoked)
}

/// Whether the member is an active doctor who at that time acts for that active hospital.
pub(crate) fn acts_for(
    state: &State,
    doctor: &LedgerId,
    hospital: &LedgerId,
    time: Timestamp,
) -> bool {
    is_active(state, doctor, MemberKind::Doctor)
        && state::affiliation(state, doctor, hospital)
            .is_some_and(|affiliation| affiliation.from <= time && time < affiliation.until)
        && is_active(state, hospital, MemberKind::Hospital)
}

/// Whether the member is a doctor, active or not.
pub(crate) fn is_doctor(state: &State, member: &LedgerId) -> bool {
    state::member(state, member).is_some_and(|entry| entry.kind == MemberKind::Doctor)
}

/// Whether the member is an active node operator.
pub(crate) fn is_operator(state: &State, member: &LedgerId) -> bool {
    state::member(state, member)
        .is_some_and(|entry| entry.operator && entry.status == Status::Active)
}

/// How many node operators there are to vote at most (active or suspended).
pub(crate) fn operators_standing(state: &State) -> u16 {
    state::operators(state).standing
}

/// How many node operators must agree.
pub(crate) fn operator_quorum(state: &State) -> u16 {
    state::operators(state).quorum()
}

/// What node operators may decide about one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OperatorChange {
    Suspend,
    Reinstate,
    Revoke,
}

/// The event by which a node operator's standing changes; `None` if there is no such operator, or it stands so already.
pub(crate) fn operator_changed(
    state: &State,
    operator: &LedgerId,
    change: OperatorChange,
) -> Option<Event> {
    let entry = state::member(state, operator)?;
    let member = *operator;
    match (change, entry.status) {
        _ if !entry.is_standing_operator() => None,
        (OperatorChange::Suspend, Status::Active) => Some(Event::MemberSuspended { member }),
        (OperatorChange::Reinstate, Status::Suspended) => Some(Event::MemberReinstated { member }),
        (OperatorChange::Revoke, _) => Some(Event::MemberRevoked { member }),
        _ => None,
    }
}

/// Whether those left after such a change could still reach a quorum among themselves.
pub(crate) fn operators_can_agree_after(
    state: &State,
    operator: &LedgerId,
    change: OperatorChange,
) -> bool {
    let active = u16::from(is_operator(state, operator));
    let now = state::operators(state);
    let after = match change {
        OperatorChange::Reinstate => return true,
        OperatorChange::Suspend => Operators {
            active: now.active.saturating_sub(active),
            ..now
        },
        OperatorChange::Revoke => Operators {
            standing: now.standing.saturating_sub(1),
            active: now.active.saturating_sub(active),
        },
    };
    after.active >= after.quorum()
}
