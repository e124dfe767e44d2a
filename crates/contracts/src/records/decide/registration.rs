//! New records and new versions.

use ledger::Commitment;

use super::codes::check_limits;
use crate::identifier::RecordNumber;
use crate::membership::MemberKind;
use crate::membership::interface::{is_active, submitter_is};
use crate::records::command::RegisterRecord;
use crate::records::event::Event;
use crate::records::interface::standing_record;
use crate::records::rejection::Rejection;
use crate::records::state;
use crate::rejection::ensure;
use crate::{Context, State};

pub(super) fn register_record(
    state: &State,
    context: &Context,
    new: RegisterRecord,
) -> Result<Event, Rejection> {
    ensure(
        submitter_is(state, context, MemberKind::Hospital),
        Rejection::NotHospital,
    )?;
    ensure(
        state::record(state, &new.record).is_none(),
        Rejection::RecordExists,
    )?;
    ensure(
        is_active(state, &new.patient, MemberKind::Patient),
        Rejection::UnknownPatient,
    )?;
    // Whether the codes' keys are weak is checked when one is redeemed: it costs as much as a signature.
    check_limits(context, &new.patient_code)?;
    check_limits(context, &new.hospital_code)?;
    Ok(Event::RecordRegistered {
        record: new.record,
        patient: new.patient,
        hospital: context.submitter,
        content: new.content,
        index: new.index,
        patient_code: new.patient_code,
        hospital_code: new.hospital_code,
    })
}

pub(super) fn amend_record(
    state: &State,
    context: &Context,
    record: RecordNumber,
    version: u32,
    content: Commitment,
    index: Commitment,
) -> Result<Event, Rejection> {
    let current = standing_record(state, &record)?;
    ensure(
        current.hospital == context.submitter,
        Rejection::NotTheHospital,
    )?;
    ensure(
        current.version.checked_add(1) == Some(version),
        Rejection::StaleVersion,
    )?;
    Ok(Event::RecordAmended {
        record,
        patient: current.patient,
        hospital: current.hospital,
        version,
        content,
        index,
    })
}
