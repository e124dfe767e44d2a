//! Delegation: a patient names a guardian, with a scope and an end; either ends it before.

use ledger::{LedgerId, Timestamp};

use crate::identifier::Sealed;
use crate::membership::MemberKind;
use crate::membership::interface::{is_registered, submitter_is};
use crate::records::command::DelegationScope;
use crate::records::event::Event;
use crate::records::interface::is_sealed_fit;
use crate::records::rejection::Rejection;
use crate::records::state;
use crate::rejection::ensure;
use crate::{Context, State};

/// A guardian as a patient names them.
pub(super) struct Named {
    pub(super) guardian: LedgerId,
    pub(super) scope: DelegationScope,
    pub(super) until: Timestamp,
    pub(super) patient_name: Sealed,
    pub(super) guardian_name: Sealed,
}

pub(super) fn name_guardian(
    state: &State,
    context: &Context,
    named: Named,
) -> Result<Event, Rejection> {
    ensure(
        is_sealed_fit(&named.patient_name) && is_sealed_fit(&named.guardian_name),
        Rejection::SealedNotFit,
    )?;
    ensure(
        submitter_is(state, context, MemberKind::Patient),
        Rejection::NotPatient,
    )?;
    // Whoever is not endorsed yet, or suspended, submits nothing: that is checked whenever the guardian acts.
    ensure(
        named.guardian != context.submitter
            && is_registered(state, &named.guardian, MemberKind::Patient),
        Rejection::NotAGuardian,
    )?;
    ensure(context.time < named.until, Rejection::EndNotAhead)?;
    Ok(Event::GuardianNamed {
        patient: context.submitter,
        guardian: named.guardian,
        scope: named.scope,
        until: named.until,
        patient_name: named.patient_name,
        guardian_name: named.guardian_name,
    })
}

pub(super) fn end_delegation(
    state: &State,
    context: &Context,
    patient: LedgerId,
    guardian: LedgerId,
) -> Result<Event, Rejection> {
    let by = context.submitter;
    ensure(
        by == patient || by == guardian,
        Rejection::NotOfTheDelegation,
    )?;
    let delegation =
        state::delegation(state, &patient, &guardian).ok_or(Rejection::NoDelegation)?;
    ensure(context.time < delegation.until, Rejection::DelegationOver)?;
    Ok(Event::DelegationEnded {
        patient,
        guardian,
        by,
    })
}
