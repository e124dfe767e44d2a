//! Views: the committed event is the permission.

use ledger::LedgerId;

use crate::authorization::interface::grant;
use crate::authorization::state::GrantStanding;
use crate::identifier::{EmergencyId, GrantId, Purpose, RecordNumber, Sealed};
use crate::membership::interface::acts_for;
use crate::records::command::{Basis, DelegationScope, RECORDS_PER_ACCESS_MAX};
use crate::records::event::Event;
use crate::records::interface::{ensure_guardian, is_sealed_fit, standing_record};
use crate::records::rejection::Rejection;
use crate::records::state::{self, Record};
use crate::rejection::ensure;
use crate::{Context, State};

pub(super) fn log_access(
    state: &State,
    context: &Context,
    numbers: &[RecordNumber],
    basis: Basis,
    purpose: Purpose,
    viewer: Sealed,
) -> Result<Event, Rejection> {
    ensure(is_sealed_fit(&viewer), Rejection::SealedNotFit)?;
    ensure(are_in_order(numbers), Rejection::RecordsOutOfOrder)?;
    let records = numbers
        .iter()
        .map(|number| standing_record(state, number))
        .collect::<Result<Vec<Record>, _>>()?;
    let patient = records[0].patient;
    ensure(
        records.iter().all(|record| record.patient == patient),
        Rejection::DifferentPatients,
    )?;
    let mut shown: Vec<(RecordNumber, u32)> = numbers
        .iter()
        .copied()
        .zip(records.iter().map(|record| record.version))
        .collect();
    match basis {
        Basis::Owner => ensure(patient == context.submitter, Rejection::NotTheOwner)?,
        Basis::OwnHospital { hospital } => check_own_hospital(state, context, &records, &hospital)?,
        Basis::Grant { grant } => {
            shown = vec![check_grant(state, context, numbers, &grant, purpose)?]
        }
        Basis::Emergency { emergency } => {
            check_emergency(state, context, &patient, &emergency, purpose)?
        }
        Basis::Delegation => {
            ensure_guardian(state, context, &patient, DelegationScope::reads)?;
            ensure(
                purpose == Purpose::PatientRequest,
                Rejection::PurposeDiffers,
            )?;
        }
        Basis::OfflineEmergency { .. } => return Err(Rejection::NotAPermission),
    }
    Ok(Event::AccessLogged {
        records: shown,
        patient,
        viewer: context.submitter,
        basis,
        purpose,
        viewer_name: viewer,
    })
}

/// Whether there are some, not too many, ascending and each once.
pub(super) fn are_in_order(numbers: &[RecordNumber]) -> bool {
    (1..=RECORDS_PER_ACCESS_MAX).contains(&numbers.len())
        && numbers.windows(2).all(|pair| pair[0] < pair[1])
}

fn check_own_hospital(
    state: &State,
    context: &Context,
    records: &[Record],
    hospital: &LedgerId,
) -> Result<(), Rejection> {
    ensure(
        acts_for(state, &context.submitter, hospital, context.time),
        Rejection::NotAffiliated,
    )?;
    ensure(
        records.iter().all(|record| record.hospital == *hospital),
        Rejection::HospitalDiffers,
    )
}

/// The record and version that the grant was given for; a later version was not approved.
fn check_grant(
    state: &State,
    context: &Context,
    numbers: &[RecordNumber],
    id: &GrantId,
    purpose: Purpose,
) -> Result<(RecordNumber, u32), Rejection> {
    let grant = grant(state, id).ok_or(Rejection::UnknownGrant)?;
    ensure(
        grant.applicant == context.submitter,
        Rejection::NotTheGrantee,
    )?;
    ensure(
        grant.standing == GrantStanding::Given,
        Rejection::GrantEnded,
    )?;
    ensure(context.time < grant.until, Rejection::GrantOver)?;
    ensure(numbers == [grant.record], Rejection::NotTheGrantedRecord)?;
    ensure(grant.purpose == purpose, Rejection::PurposeDiffers)?;
    Ok((grant.record, grant.version))
}

fn check_emergency(
    state: &State,
    context: &Context,
    patient: &LedgerId,
    id: &EmergencyId,
    purpose: Purpose,
) -> Result<(), Rejection> {
    let emergency = state::emergency(state, id).ok_or(Rejection::UnknownEmergency)?;
    ensure(
        emergency.doctor == context.submitter,
        Rejection::NotTheEmergencyDoctor,
    )?;
    ensure(
        acts_for(state, &context.submitter, &emergency.hospital, context.time),
        Rejection::NotAffiliated,
    )?;
    ensure(context.time < emergency.until, Rejection::EmergencyOver)?;
    ensure(
        emergency.patient == *patient,
        Rejection::NotTheEmergencyPatient,
    )?;
    ensure(
        purpose == Purpose::EmergencyTreatment,
        Rejection::PurposeDiffers,
    )
}
