//! Emergencies, tampering and erasure.

use contracts::records::command::{Basis, CodeHolder, TamperingKind};
use contracts::records::{Command, Event, Rejection};
use contracts::{EmergencyId, Purpose, Sealed, membership};

use crate::records::*;
use crate::scenario::*;

#[test]
fn a_doctor_opens_emergency_access_for_four_hours() {
    let scenario = with_record()
        .when(OTHER_DOCTOR, open_emergency())
        .then_events(events![Event::EmergencyOpened {
            emergency: EMERGENCY,
            patient: PATIENT,
            doctor: OTHER_DOCTOR,
            hospital: OTHER_HOSPITAL,
            until: NOW.plus(4 * HOUR),
            reason: commitment("unconscious"),
            viewer_name: sealed(),
        }]);
    let scenario = scenario
        .later(4 * HOUR - 1)
        .when(OTHER_DOCTOR, emergency_access())
        .then_accepted();
    scenario
        .later(1)
        .when(OTHER_DOCTOR, emergency_access())
        .then_rejected(Rejection::EmergencyOver);
}

#[test]
fn an_emergency_is_opened_by_an_affiliated_doctor_for_a_patient_and_once() {
    with_record()
        .when(DOCTOR, open_emergency())
        .then_rejected(Rejection::NotAffiliated);
    with_record()
        .when(HOSPITAL, open_emergency())
        .then_rejected(Rejection::NotAffiliated);
    emergency()
        .when(OTHER_DOCTOR, open_emergency())
        .then_rejected(Rejection::EmergencyExists);
    let reason = commitment("unconscious");
    let of = |patient, viewer| Command::OpenEmergency {
        emergency: EMERGENCY,
        patient,
        hospital: OTHER_HOSPITAL,
        reason,
        viewer,
    };
    world()
        .when(OTHER_DOCTOR, of(DOCTOR, sealed()))
        .then_rejected(Rejection::UnknownPatient);
    world()
        .when(OTHER_DOCTOR, of(PATIENT, Sealed(vec![])))
        .then_rejected(Rejection::SealedNotFit);
}

#[test]
fn an_emergency_opens_one_patients_records_to_one_doctor_for_emergency_treatment() {
    let scenario = emergency().given(registered_for(2, OTHER_PATIENT, HOSPITAL));
    let basis = Basis::Emergency {
        emergency: EMERGENCY,
    };
    let scenario = scenario
        .when(DOCTOR, emergency_access())
        .then_rejected(Rejection::NotTheEmergencyDoctor);
    let other = access_to(&[record(2)], basis, Purpose::EmergencyTreatment);
    let scenario = scenario
        .when(OTHER_DOCTOR, other)
        .then_rejected(Rejection::NotTheEmergencyPatient);
    let scenario = scenario
        .when(OTHER_DOCTOR, access(basis))
        .then_rejected(Rejection::PurposeDiffers);
    let unknown = Basis::Emergency {
        emergency: EmergencyId([0; 16]),
    };
    scenario
        .when(OTHER_DOCTOR, access(unknown))
        .then_rejected(Rejection::UnknownEmergency);
}

#[test]
fn a_doctor_who_left_the_hospital_has_no_emergency_access_any_more() {
    let ended = membership::Command::EndAffiliation {
        doctor: OTHER_DOCTOR,
    };
    let scenario = emergency().when(OTHER_HOSPITAL, ended).then_accepted();
    scenario
        .when(OTHER_DOCTOR, emergency_access())
        .then_rejected(Rejection::NotAffiliated);
}

#[test]
fn a_regulator_reviews_every_emergency_once() {
    let review = || Command::ReviewEmergency {
        emergency: EMERGENCY,
        justified: false,
    };
    world()
        .when(REGULATOR, review())
        .then_rejected(Rejection::UnknownEmergency);
    let scenario = emergency()
        .when(OTHER_HOSPITAL, review())
        .then_rejected(Rejection::NotRegulator);
    let reviewed = Event::EmergencyReviewed {
        emergency: EMERGENCY,
        regulator: REGULATOR,
        justified: false,
    };
    let scenario = scenario
        .when(REGULATOR, review())
        .then_events(events![reviewed]);
    scenario
        .when(REGULATOR, review())
        .then_rejected(Rejection::AlreadyReviewed);
}

#[test]
fn hospital_regulator_and_integrity_service_report_tampering() {
    for submitter in [HOSPITAL, REGULATOR, INTEGRITY] {
        with_record()
            .when(submitter, tampering(1))
            .then_events(events![Event::TamperingReported {
                record: record(1),
                patient: PATIENT,
                hospital: HOSPITAL,
                version: 1,
                kind: TamperingKind::Edited,
            }]);
    }
}

#[test]
fn others_report_no_tampering() {
    for submitter in [OTHER_HOSPITAL, DOCTOR, PATIENT, INSTITUTE] {
        with_record()
            .when(submitter, tampering(1))
            .then_rejected(Rejection::MayNotReport);
    }
}

#[test]
fn tampering_is_reported_of_a_version_that_exists_and_once() {
    let scenario = with_record()
        .when(HOSPITAL, tampering(2))
        .then_rejected(Rejection::UnknownVersion);
    let scenario = scenario
        .when(HOSPITAL, tampering(0))
        .then_rejected(Rejection::UnknownVersion);
    let scenario = scenario.when(HOSPITAL, tampering(1)).then_accepted();
    let scenario = scenario
        .when(REGULATOR, tampering(1))
        .then_rejected(Rejection::AlreadyReported);
    let other = Command::ReportTampering {
        record: record(1),
        version: 1,
        kind: TamperingKind::Deleted,
    };
    scenario.when(HOSPITAL, other).then_accepted();
}

#[test]
fn an_erased_record_is_never_viewed_again() {
    let gone = Event::RecordErased {
        record: record(1),
        patient: PATIENT,
        hospital: HOSPITAL,
    };
    let scenario = with_record()
        .when(PATIENT, Command::EraseRecord { record: record(1) })
        .then_events(events![gone]);
    let scenario = scenario
        .when(PATIENT, access(Basis::Owner))
        .then_rejected(Rejection::RecordErased);
    let scenario = scenario
        .when(DOCTOR, access(own_hospital()))
        .then_rejected(Rejection::RecordErased);
    scenario
        .when(PATIENT, Command::EraseRecord { record: record(1) })
        .then_rejected(Rejection::RecordErased);
}

#[test]
fn only_the_owner_has_a_record_erased() {
    for submitter in [OTHER_PATIENT, HOSPITAL, REGULATOR] {
        with_record()
            .when(submitter, Command::EraseRecord { record: record(1) })
            .then_rejected(Rejection::NotTheOwner);
    }
}

#[test]
fn the_hospital_certifies_an_erasure_once_after_it_was_asked_for() {
    let certify = || Command::CertifyErasure { record: record(1) };
    world()
        .when(HOSPITAL, certify())
        .then_rejected(Rejection::UnknownRecord);
    with_record()
        .when(HOSPITAL, certify())
        .then_rejected(Rejection::NotErased);
    let scenario = erased()
        .when(OTHER_HOSPITAL, certify())
        .then_rejected(Rejection::NotTheHospital);
    let expected = Event::ErasureCertified {
        record: record(1),
        hospital: HOSPITAL,
    };
    let scenario = scenario
        .when(HOSPITAL, certify())
        .then_events(events![expected]);
    let scenario = scenario
        .when(HOSPITAL, certify())
        .then_rejected(Rejection::AlreadyCertified);
    scenario
        .when(PATIENT, access(Basis::Owner))
        .then_rejected(Rejection::RecordErased);
}

#[test]
fn the_codes_of_an_erased_record_are_gone() {
    let scenario = erased();
    let codes = [CodeHolder::Patient, CodeHolder::Hospital];
    for holder in codes {
        let state = scenario
            .state
            .keys()
            .filter(|key| key[..2] == [2, 2] && key.last() == Some(&(holder as u8)));
        assert_eq!(state.count(), 0);
    }
}
