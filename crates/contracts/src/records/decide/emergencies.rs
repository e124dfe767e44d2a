//! Emergency access (break-glass): one patient, one doctor, a few hours, always reviewed.

use ledger::{Commitment, LedgerId};

use crate::governance::Parameter;
use crate::governance::interface::duration_us;
use crate::identifier::{EmergencyId, Purpose, RecordNumber, Sealed};
use crate::membership::MemberKind;
use crate::membership::interface::{acts_for, is_active, is_doctor, submitter_is};
use crate::records::command::{Basis, ReportOfflineEmergency};
use crate::records::decide::access::are_in_order;
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

/// The view has been: whatever has changed since (an affiliation ended, a record erased, a member suspended), it is told.
pub(super) fn report_offline_emergency(
    state: &State,
    context: &Context,
    report: ReportOfflineEmergency,
) -> Result<[Event; 2], Rejection> {
    ensure(is_sealed_fit(&report.viewer), Rejection::SealedNotFit)?;
    ensure(
        submitter_is(state, context, MemberKind::Hospital),
        Rejection::NotHospital,
    )?;
    let numbers: Vec<RecordNumber> = report.records.iter().map(|(number, _)| *number).collect();
    ensure(are_in_order(&numbers), Rejection::RecordsOutOfOrder)?;
    let mut patient = None;
    for (number, version) in &report.records {
        let record = state::record(state, number).ok_or(Rejection::UnknownRecord)?;
        ensure(
            record.hospital == context.submitter,
            Rejection::NotTheHospital,
        )?;
        ensure(
            (1..=record.version).contains(version),
            Rejection::UnknownVersion,
        )?;
        let same = *patient.get_or_insert(record.patient) == record.patient;
        ensure(same, Rejection::DifferentPatients)?;
    }
    let patient = patient.ok_or(Rejection::RecordsOutOfOrder)?;
    ensure(is_doctor(state, &report.doctor), Rejection::NotADoctor)?;
    ensure(
        report.viewed_at <= context.time,
        Rejection::ShownInTheFuture,
    )?;
    ensure(
        state::emergency(state, &report.emergency).is_none(),
        Rejection::EmergencyExists,
    )?;
    let (emergency, viewed_at) = (report.emergency, report.viewed_at);
    let opened = Event::EmergencyOpened {
        emergency,
        patient,
        doctor: report.doctor,
        hospital: report.hospital,
        until: viewed_at,
        reason: report.reason,
        viewer_name: report.viewer.clone(),
    };
    let logged = Event::AccessLogged {
        records: report.records,
        patient,
        viewer: report.doctor,
        basis: Basis::OfflineEmergency {
            emergency,
            viewed_at,
        },
        purpose: Purpose::EmergencyTreatment,
        viewer_name: report.viewer,
    };
    Ok([opened, logged])
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
