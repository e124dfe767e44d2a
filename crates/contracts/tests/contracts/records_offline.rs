//! Emergency views while the ledger could not be reached, told late by the hospital that journaled them.

use contracts::records::command::{Basis, ReportOfflineEmergency};
use contracts::records::{Command, Event, Rejection};
use contracts::{Purpose, Sealed, membership};

use crate::records::*;
use crate::scenario::*;

fn report() -> ReportOfflineEmergency {
    ReportOfflineEmergency {
        emergency: EMERGENCY,
        doctor: OTHER_DOCTOR,
        hospital: OTHER_HOSPITAL,
        records: vec![(record(1), 1)],
        viewed_at: NOW,
        reason: commitment("unconscious"),
        viewer: sealed(),
    }
}

fn with(change: impl FnOnce(&mut ReportOfflineEmergency)) -> Command {
    let mut report = report();
    change(&mut report);
    Command::ReportOfflineEmergency(report)
}

#[test]
fn an_emergency_view_without_the_ledger_is_told_late_with_its_time_and_awaits_review() {
    let basis = Basis::OfflineEmergency {
        emergency: EMERGENCY,
        viewed_at: NOW,
    };
    let scenario = with_record()
        .later(6 * HOUR)
        .when(HOSPITAL, with(|_| ()))
        .then_events(events![
            Event::EmergencyOpened {
                emergency: EMERGENCY,
                patient: PATIENT,
                doctor: OTHER_DOCTOR,
                hospital: OTHER_HOSPITAL,
                until: NOW,
                reason: commitment("unconscious"),
                viewer_name: sealed(),
            },
            Event::AccessLogged {
                records: vec![(record(1), 1)],
                patient: PATIENT,
                viewer: OTHER_DOCTOR,
                basis,
                purpose: Purpose::EmergencyTreatment,
                viewer_name: sealed(),
            },
        ]);
    let scenario = scenario
        .when(OTHER_DOCTOR, emergency_access())
        .then_rejected(Rejection::EmergencyOver);
    let review = Command::ReviewEmergency {
        emergency: EMERGENCY,
        justified: true,
    };
    let scenario = scenario.when(REGULATOR, review).then_accepted();
    scenario
        .when(HOSPITAL, with(|_| ()))
        .then_rejected(Rejection::EmergencyExists);
}

#[test]
fn only_the_hospital_that_holds_the_records_tells_of_such_a_view() {
    let told_by = |submitter| with_record().when(submitter, with(|_| ()));
    told_by(OTHER_DOCTOR).then_rejected(Rejection::NotHospital);
    told_by(REGULATOR).then_rejected(Rejection::NotHospital);
    told_by(OTHER_HOSPITAL).then_rejected(Rejection::NotTheHospital);
}

#[test]
fn what_a_hospital_tells_of_such_a_view_must_be_possible() {
    let scenario = || with_record().given(registered_for(2, OTHER_PATIENT, HOSPITAL));
    let told = |change: fn(&mut ReportOfflineEmergency)| scenario().when(HOSPITAL, with(change));
    told(|it| it.records.clear()).then_rejected(Rejection::RecordsOutOfOrder);
    told(|it| it.records.push((record(1), 1))).then_rejected(Rejection::RecordsOutOfOrder);
    told(|it| it.records.push((record(2), 1))).then_rejected(Rejection::DifferentPatients);
    told(|it| it.records[0].0 = record(9)).then_rejected(Rejection::UnknownRecord);
    told(|it| it.records[0].1 = 2).then_rejected(Rejection::UnknownVersion);
    told(|it| it.records[0].1 = 0).then_rejected(Rejection::UnknownVersion);
    told(|it| it.doctor = INSTITUTE).then_rejected(Rejection::NotADoctor);
    told(|it| it.viewed_at = NOW.plus(1)).then_rejected(Rejection::ShownInTheFuture);
    told(|it| it.viewer = Sealed(Vec::new())).then_rejected(Rejection::SealedNotFit);
}

#[test]
fn such_a_view_is_told_whatever_has_changed_since() {
    let ended = membership::Command::EndAffiliation {
        doctor: OTHER_DOCTOR,
    };
    let erased = Command::EraseRecord { record: record(1) };
    with_record()
        .when(OTHER_HOSPITAL, ended)
        .then_accepted()
        .when(PATIENT, erased)
        .then_accepted()
        .when(HOSPITAL, with(|_| ()))
        .then_accepted();
}

#[test]
fn such_a_view_permits_none() {
    let basis = Basis::OfflineEmergency {
        emergency: EMERGENCY,
        viewed_at: NOW,
    };
    emergency()
        .when(
            OTHER_DOCTOR,
            access_to(&[record(1)], basis, Purpose::EmergencyTreatment),
        )
        .then_rejected(Rejection::NotAPermission);
}
