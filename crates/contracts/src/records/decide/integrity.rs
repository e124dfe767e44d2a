//! Reports of tampering, and erasure.

use crate::identifier::RecordNumber;
use crate::membership::MemberKind;
use crate::membership::interface::active_kind;
use crate::records::command::TamperingKind;
use crate::records::event::Event;
use crate::records::interface::standing_record;
use crate::records::rejection::Rejection;
use crate::records::state::{self, Erasure};
use crate::rejection::ensure;
use crate::{Context, State};

pub(super) fn report_tampering(
    state: &State,
    context: &Context,
    record: RecordNumber,
    version: u32,
    kind: TamperingKind,
) -> Result<Event, Rejection> {
    let current = standing_record(state, &record)?;
    // A service that gets here is one whose registration lists this command.
    let watches = matches!(
        active_kind(state, &context.submitter),
        Some(MemberKind::Regulator | MemberKind::Service)
    );
    ensure(
        watches || current.hospital == context.submitter,
        Rejection::MayNotReport,
    )?;
    ensure(
        (1..=current.version).contains(&version),
        Rejection::UnknownVersion,
    )?;
    ensure(
        !state::is_reported(state, &record, version, kind),
        Rejection::AlreadyReported,
    )?;
    Ok(Event::TamperingReported {
        record,
        patient: current.patient,
        hospital: current.hospital,
        version,
        kind,
    })
}

pub(super) fn erase_record(
    state: &State,
    context: &Context,
    record: RecordNumber,
) -> Result<Event, Rejection> {
    let current = standing_record(state, &record)?;
    ensure(current.patient == context.submitter, Rejection::NotTheOwner)?;
    Ok(Event::RecordErased {
        record,
        patient: current.patient,
        hospital: current.hospital,
    })
}

pub(super) fn certify_erasure(
    state: &State,
    context: &Context,
    record: RecordNumber,
) -> Result<Event, Rejection> {
    let current = state::record(state, &record).ok_or(Rejection::UnknownRecord)?;
    ensure(
        current.hospital == context.submitter,
        Rejection::NotTheHospital,
    )?;
    match current.erasure {
        Erasure::None => Err(Rejection::NotErased),
        Erasure::Certified => Err(Rejection::AlreadyCertified),
        Erasure::Asked => Ok(Event::ErasureCertified {
            record,
            hospital: current.hospital,
        }),
    }
}
