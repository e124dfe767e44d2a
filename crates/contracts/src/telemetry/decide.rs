//! The rules of telemetry.

use ledger::{Digest, LedgerId, Timestamp};

use super::command::Command;
use super::event::Event;
use super::rejection::Rejection;
use super::state;
use crate::identifier::WarningId;
use crate::membership::MemberKind;
use crate::membership::interface::{is_active, submitter_is};
use crate::rejection::ensure;
use crate::{Context, State};

/// Decides a command of the telemetry contract.
///
/// # Errors
/// [`crate::Rejection`].
pub fn decide(
    state: &State,
    context: &Context,
    command: Command,
) -> Result<Vec<crate::Event>, crate::Rejection> {
    let event = match command {
        Command::RegisterDevice { device } => register_device(state, context, device),
        Command::UnregisterDevice { device } => unregister_device(state, context, device),
        Command::ShareWarnings { hospital, until } => {
            share_warnings(state, context, hospital, until)
        }
        Command::EndShare { hospital } => end_share(state, context, hospital),
        Command::AnchorReadings {
            root,
            readings,
            batch,
        } => anchor_readings(state, context, root, readings, batch),
        Command::RaiseWarning {
            warning,
            device,
            level,
            cause,
            detail,
        } => {
            let patient = warned_patient(state, context, &warning, &device)?;
            Ok(Event::WarningRaised {
                warning,
                device,
                patient,
                level,
                cause,
                detail,
            })
        }
        Command::AcknowledgeWarning { warning } => acknowledge_warning(state, context, warning),
    }?;
    Ok(vec![event.into()])
}

fn register_device(state: &State, context: &Context, device: LedgerId) -> Result<Event, Rejection> {
    ensure(
        submitter_is(state, context, MemberKind::Patient),
        Rejection::NotPatient,
    )?;
    ensure(
        is_active(state, &device, MemberKind::Device),
        Rejection::NotDevice,
    )?;
    ensure(
        state::patient_of(state, &device).is_none(),
        Rejection::DeviceTaken,
    )?;
    Ok(Event::DeviceRegistered {
        device,
        patient: context.submitter,
    })
}

fn unregister_device(
    state: &State,
    context: &Context,
    device: LedgerId,
) -> Result<Event, Rejection> {
    let patient = state::patient_of(state, &device).ok_or(Rejection::DeviceNotRegistered)?;
    ensure(
        patient == context.submitter,
        Rejection::NotTheDevicesPatient,
    )?;
    Ok(Event::DeviceUnregistered { device, patient })
}

fn share_warnings(
    state: &State,
    context: &Context,
    hospital: LedgerId,
    until: Timestamp,
) -> Result<Event, Rejection> {
    ensure(
        submitter_is(state, context, MemberKind::Patient),
        Rejection::NotPatient,
    )?;
    ensure(
        is_active(state, &hospital, MemberKind::Hospital),
        Rejection::UnknownHospital,
    )?;
    ensure(context.time < until, Rejection::EndNotAhead)?;
    Ok(Event::WarningsShared {
        patient: context.submitter,
        hospital,
        until,
    })
}

fn end_share(state: &State, context: &Context, hospital: LedgerId) -> Result<Event, Rejection> {
    let patient = context.submitter;
    let until = state::share_until(state, &patient, &hospital).ok_or(Rejection::NotShared)?;
    ensure(context.time < until, Rejection::NotShared)?;
    Ok(Event::ShareEnded { patient, hospital })
}

fn anchor_readings(
    state: &State,
    context: &Context,
    root: Digest,
    readings: u32,
    batch: u64,
) -> Result<Event, Rejection> {
    ensure(
        submitter_is(state, context, MemberKind::Service),
        Rejection::NotService,
    )?;
    ensure(readings > 0, Rejection::BatchEmpty)?;
    ensure(
        state::last_batch(state).checked_add(1) == Some(batch),
        Rejection::BatchOutOfOrder,
    )?;
    Ok(Event::ReadingsAnchored {
        root,
        readings,
        batch,
    })
}

fn warned_patient(
    state: &State,
    context: &Context,
    warning: &WarningId,
    device: &LedgerId,
) -> Result<LedgerId, Rejection> {
    ensure(
        submitter_is(state, context, MemberKind::Service),
        Rejection::NotService,
    )?;
    ensure(
        state::patient_warned(state, warning).is_none(),
        Rejection::WarningExists,
    )?;
    ensure(
        is_active(state, device, MemberKind::Device),
        Rejection::NotDevice,
    )?;
    state::patient_of(state, device).ok_or(Rejection::DeviceNotRegistered)
}

fn acknowledge_warning(
    state: &State,
    context: &Context,
    warning: WarningId,
) -> Result<Event, Rejection> {
    let by = context.submitter;
    let patient = state::patient_warned(state, &warning).ok_or(Rejection::UnknownWarning)?;
    let shared =
        || state::share_until(state, &patient, &by).is_some_and(|until| context.time < until);
    ensure(patient == by || shared(), Rejection::MayNotAcknowledge)?;
    ensure(
        !state::is_acknowledged(state, &warning, &by),
        Rejection::AlreadyAcknowledged,
    )?;
    Ok(Event::WarningAcknowledged { warning, by })
}
