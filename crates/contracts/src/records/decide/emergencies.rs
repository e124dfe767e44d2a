//! Emergency access (break-glass): one patient, one doctor, a few hours, always reviewed.

use ledger::{Commitment, LedgerId};

use crate::governance::Parameter;
use crate::governance::interface::duration_us;
use crate::identifier::{EmergencyId, Sealed};
use crate::membership::MemberKind;
use crate::membership::interface::{acts_for, is_active, submitter_is};
use crate::records::event::Event;
use crate::records::interface::is_sealed_fit;
use crate::records::rejection::Rejection;
use crate::records::state;
use crate::rejection::ensure;
use crate::{Context, State};

pub(super) fn open_emergency(
    state: &State,
    context: &Context,
    emergency: EmergencyId,
    patient: LedgerId,
    hospital: LedgerId,
    reason: Commitment,
    viewer: Sealed,
) -> Result<Event, Rejection> {
    ensure(is_sealed_fit(&viewer), Rejection::SealedNotFit)?;
    let doctor = context.submitter;
    ensure(
        acts_for(state, &doctor, &hospital, context.time),
        Rejection::NotAffiliated,
    )?;
    ensure(
        is_active(state, &patient, MemberKind::Patient),
        Rejection::UnknownPatient,
    )?;
    ensure(
        state::emergency(state, &emergency).is_none(),
        Rejection::EmergencyExists,
    )?;
    let until = context
        .time
        .plus(duration_us(state, Parameter::EmergencyDurationUs));
    Ok(Event::EmergencyOpened {
        emergency,
        patient,
        doctor,
        hospital,
        until,
        reason,
        viewer_name: viewer,
    })
}

pub(super) fn review_emergency(
    state: &State,
    context: &Context,
    emergency: EmergencyId,
    justified: bool,
) -> Result<Event, Rejection> {
    ensure(
        submitter_is(state, context, MemberKind::Regulator),
        Rejection::NotRegulator,
    )?;
    let entry = state::emergency(state, &emergency).ok_or(Rejection::UnknownEmergency)?;
    ensure(!entry.reviewed, Rejection::AlreadyReviewed)?;
    Ok(Event::EmergencyReviewed {
        emergency,
        regulator: context.submitter,
        justified,
    })
}
