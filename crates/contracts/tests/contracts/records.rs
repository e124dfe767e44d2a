//! Records, views, consents, emergencies, tampering, erasure.

use contracts::records::command::{Basis, CodeHolder, RegisterRecord, TamperingKind};
use contracts::records::{Command, Event, Rejection};
use contracts::{EmergencyId, GrantId, Purpose, RecordNumber, Sealed, membership};
use ledger::LedgerId;

use crate::scenario::*;

const EMERGENCY: EmergencyId = EmergencyId([8; 16]);

pub fn registration(number: u8) -> RegisterRecord {
    RegisterRecord {
        record: record(number),
        patient: PATIENT,
        content: commitment("content"),
        index: commitment("index"),
        patient_code: code(110),
        hospital_code: code(111),
    }
}

/// [`HOSPITAL`] holds record `number` of `patient`.
pub fn registered_for(number: u8, patient: LedgerId, hospital: LedgerId) -> Event {
    Event::RecordRegistered {
        record: record(number),
        patient,
        hospital,
        content: commitment("content"),
        index: commitment("index"),
        patient_code: code(110),
        hospital_code: code(111),
    }
}

/// The world with record 1 of the patient at the hospital.
pub fn with_record() -> Scenario {
    world().given(registered_for(1, PATIENT, HOSPITAL))
}

fn amendment(version: u32) -> Command {
    Command::AmendRecord {
        record: record(1),
        version,
        content: commitment("new"),
        index: commitment("new index"),
    }
}

pub fn access_to(records: &[RecordNumber], basis: Basis, purpose: Purpose) -> Command {
    Command::LogAccess {
        records: records.to_vec(),
        basis,
        purpose,
        viewer: sealed(),
    }
}

pub fn access(basis: Basis) -> Command {
    access_to(&[record(1)], basis, Purpose::Treatment)
}

pub fn tampering(version: u32) -> Command {
    Command::ReportTampering {
        record: record(1),
        version,
        kind: TamperingKind::Edited,
    }
}

fn own_hospital() -> Basis {
    Basis::OwnHospital { hospital: HOSPITAL }
}

fn erased() -> Scenario {
    with_record()
        .when(PATIENT, Command::EraseRecord { record: record(1) })
        .then_accepted()
}

#[test]
fn a_hospital_registers_a_record_of_a_patient() {
    world()
        .when(HOSPITAL, Command::RegisterRecord(registration(1)))
        .then_events(events![registered_for(1, PATIENT, HOSPITAL)]);
}

#[test]
fn only_a_hospital_registers_records() {
    for submitter in [DOCTOR, PATIENT, INSTITUTE, REGULATOR] {
        world()
            .when(submitter, Command::RegisterRecord(registration(1)))
            .then_rejected(Rejection::NotHospital);
    }
}

#[test]
fn a_record_number_is_used_once() {
    with_record()
        .when(OTHER_HOSPITAL, Command::RegisterRecord(registration(1)))
        .then_rejected(Rejection::RecordExists);
}

#[test]
fn a_record_belongs_to_an_active_patient() {
    for patient in [NEWCOMER, DOCTOR, HOSPITAL] {
        let wrong = RegisterRecord {
            patient,
            ..registration(1)
        };
        world()
            .when(HOSPITAL, Command::RegisterRecord(wrong))
            .then_rejected(Rejection::UnknownPatient);
    }
    let suspended = world()
        .when(
            REGULATOR,
            membership::Command::SuspendMember { member: PATIENT },
        )
        .then_accepted();
    suspended
        .when(HOSPITAL, Command::RegisterRecord(registration(1)))
        .then_rejected(Rejection::UnknownPatient);
}

#[test]
fn both_codes_of_a_new_record_can_be_used() {
    let mut used_up = registration(1);
    used_up.patient_code.uses = 0;
    world()
        .when(HOSPITAL, Command::RegisterRecord(used_up))
        .then_rejected(Rejection::CodeNotFit);
    let mut over = registration(1);
    over.hospital_code.until = NOW;
    world()
        .when(HOSPITAL, Command::RegisterRecord(over))
        .then_rejected(Rejection::CodeNotFit);
}

#[test]
fn the_hospital_amends_its_record_version_by_version() {
    let amended = |version| Event::RecordAmended {
        record: record(1),
        patient: PATIENT,
        hospital: HOSPITAL,
        version,
        content: commitment("new"),
        index: commitment("new index"),
    };
    let scenario = with_record()
        .when(HOSPITAL, amendment(2))
        .then_events(events![amended(2)]);
    let scenario = scenario
        .when(HOSPITAL, amendment(2))
        .then_rejected(Rejection::StaleVersion);
    let scenario = scenario
        .when(HOSPITAL, amendment(4))
        .then_rejected(Rejection::StaleVersion);
    scenario
        .when(HOSPITAL, amendment(3))
        .then_events(events![amended(3)]);
}

#[test]
fn nobody_amends_anothers_record_or_an_unknown_or_erased_one() {
    with_record()
        .when(OTHER_HOSPITAL, amendment(2))
        .then_rejected(Rejection::NotTheHospital);
    world()
        .when(HOSPITAL, amendment(2))
        .then_rejected(Rejection::UnknownRecord);
    erased()
        .when(HOSPITAL, amendment(2))
        .then_rejected(Rejection::RecordErased);
}

#[test]
fn a_patient_views_own_records_from_several_hospitals_in_one_access() {
    let scenario = with_record().given(registered_for(2, PATIENT, OTHER_HOSPITAL));
    let scenario = scenario.when(HOSPITAL, amendment(2)).then_accepted();
    let command = access_to(
        &[record(1), record(2)],
        Basis::Owner,
        Purpose::PatientRequest,
    );
    scenario
        .when(PATIENT, command)
        .then_events(events![Event::AccessLogged {
            records: vec![(record(1), 2), (record(2), 1)],
            patient: PATIENT,
            viewer: PATIENT,
            basis: Basis::Owner,
            purpose: Purpose::PatientRequest,
            viewer_name: sealed(),
        }]);
}

#[test]
fn nobody_views_as_owner_what_is_anothers() {
    for viewer in [OTHER_PATIENT, DOCTOR, HOSPITAL, REGULATOR] {
        with_record()
            .when(viewer, access(Basis::Owner))
            .then_rejected(Rejection::NotTheOwner);
    }
}

#[test]
fn one_access_is_for_ascending_records_of_one_patient() {
    let scenario = with_record()
        .given(registered_for(2, PATIENT, HOSPITAL))
        .given(registered_for(3, OTHER_PATIENT, HOSPITAL));
    let refused = |records: &[RecordNumber], rejection| {
        scenario
            .clone()
            .when(
                PATIENT,
                access_to(records, Basis::Owner, Purpose::Treatment),
            )
            .then_rejected(rejection);
    };
    refused(&[], Rejection::RecordsOutOfOrder);
    refused(&[record(2), record(1)], Rejection::RecordsOutOfOrder);
    refused(&[record(1), record(1)], Rejection::RecordsOutOfOrder);
    refused(&[record(1), record(3)], Rejection::DifferentPatients);
    refused(&[record(1), record(9)], Rejection::UnknownRecord);
}

#[test]
fn one_access_is_for_256_records_at_most() {
    let number = |index: u16| {
        let mut bytes = [0; 16];
        bytes[14..].copy_from_slice(&index.to_be_bytes());
        RecordNumber(bytes)
    };
    let mut scenario = world();
    for index in 0..257 {
        let Event::RecordRegistered {
            patient,
            hospital,
            content,
            index: row,
            patient_code,
            hospital_code,
            ..
        } = registered_for(1, PATIENT, HOSPITAL)
        else {
            unreachable!()
        };
        let record = number(index);
        let event = Event::RecordRegistered {
            record,
            patient,
            hospital,
            content,
            index: row,
            patient_code,
            hospital_code,
        };
        scenario = scenario.given(event);
    }
    let all: Vec<RecordNumber> = (0..257).map(number).collect();
    let command = |count| access_to(&all[..count], Basis::Owner, Purpose::Treatment);
    let scenario = scenario.when(PATIENT, command(256)).then_accepted();
    scenario
        .when(PATIENT, command(257))
        .then_rejected(Rejection::RecordsOutOfOrder);
}

#[test]
fn a_doctor_views_records_of_the_own_hospital() {
    with_record()
        .when(DOCTOR, access(own_hospital()))
        .then_events(events![Event::AccessLogged {
            records: vec![(record(1), 1)],
            patient: PATIENT,
            viewer: DOCTOR,
            basis: own_hospital(),
            purpose: Purpose::Treatment,
            viewer_name: sealed(),
        }]);
}

#[test]
fn a_doctor_does_not_view_another_hospitals_records() {
    let other = Basis::OwnHospital {
        hospital: OTHER_HOSPITAL,
    };
    with_record()
        .when(OTHER_DOCTOR, access(other))
        .then_rejected(Rejection::HospitalDiffers);
    with_record()
        .when(OTHER_DOCTOR, access(own_hospital()))
        .then_rejected(Rejection::NotAffiliated);
}

#[test]
fn who_is_no_doctor_does_not_view_as_one() {
    for viewer in [HOSPITAL, REGULATOR, INSTITUTE, PATIENT] {
        with_record()
            .when(viewer, access(own_hospital()))
            .then_rejected(Rejection::NotAffiliated);
    }
}

#[test]
fn a_doctor_views_only_while_the_affiliation_lasts() {
    let affiliation = |from, until| membership::Command::AffiliateDoctor {
        doctor: DOCTOR,
        from,
        until,
    };
    let future = affiliation(NOW.plus(HOUR), NOW.plus(2 * HOUR));
    let scenario = with_record().when(HOSPITAL, future).then_accepted();
    let scenario = scenario
        .when(DOCTOR, access(own_hospital()))
        .then_rejected(Rejection::NotAffiliated);
    let scenario = scenario
        .later(HOUR)
        .when(DOCTOR, access(own_hospital()))
        .then_accepted();
    scenario
        .later(HOUR)
        .when(DOCTOR, access(own_hospital()))
        .then_rejected(Rejection::NotAffiliated);
}

#[test]
fn a_doctor_of_a_suspended_hospital_does_not_view_for_it() {
    let scenario = with_record()
        .when(
            REGULATOR,
            membership::Command::SuspendMember { member: HOSPITAL },
        )
        .then_accepted();
    scenario
        .when(DOCTOR, access(own_hospital()))
        .then_rejected(Rejection::NotAffiliated);
}

#[test]
fn the_viewers_name_is_sealed_and_short() {
    for bytes in [0, 513] {
        let command = Command::LogAccess {
            records: vec![record(1)],
            basis: Basis::Owner,
            purpose: Purpose::Treatment,
            viewer: Sealed(vec![0; bytes]),
        };
        with_record()
            .when(PATIENT, command)
            .then_rejected(Rejection::SealedNotFit);
    }
}

/// Item 0 was released to the institute for research.
fn granted() -> (Scenario, Basis) {
    let scenario = crate::authorization::released();
    let grant = contracts::authorization::grant_of(&crate::authorization::item(0));
    (scenario, Basis::Grant { grant })
}

fn granted_access(basis: Basis) -> Command {
    access_to(&[record(1)], basis, Purpose::Research)
}

#[test]
fn the_applicant_reads_the_released_version_under_the_grant() {
    let (scenario, basis) = granted();
    let scenario = scenario.when(HOSPITAL, amendment(2)).then_accepted();
    scenario
        .when(INSTITUTE, granted_access(basis))
        .then_events(events![Event::AccessLogged {
            records: vec![(record(1), 1)],
            patient: PATIENT,
            viewer: INSTITUTE,
            basis,
            purpose: Purpose::Research,
            viewer_name: sealed(),
        }]);
}

#[test]
fn a_grant_opens_nothing_to_others_or_for_another_purpose_or_of_another_record() {
    let (scenario, basis) = granted();
    let scenario = scenario.given(registered_for(2, PATIENT, HOSPITAL));
    let scenario = scenario
        .when(OTHER_INSTITUTE, granted_access(basis))
        .then_rejected(Rejection::NotTheGrantee);
    let scenario = scenario
        .when(INSTITUTE, access(basis))
        .then_rejected(Rejection::PurposeDiffers);
    let both = access_to(&[record(1), record(2)], basis, Purpose::Research);
    let scenario = scenario
        .when(INSTITUTE, both)
        .then_rejected(Rejection::NotTheGrantedRecord);
    let other = access_to(&[record(2)], basis, Purpose::Research);
    let scenario = scenario
        .when(INSTITUTE, other)
        .then_rejected(Rejection::NotTheGrantedRecord);
    let unknown = Basis::Grant {
        grant: GrantId([0; 16]),
    };
    scenario
        .when(INSTITUTE, granted_access(unknown))
        .then_rejected(Rejection::UnknownGrant);
}

#[test]
fn the_next_read_after_a_grant_was_withdrawn_is_refused() {
    let (scenario, basis) = granted();
    let scenario = scenario
        .when(INSTITUTE, granted_access(basis))
        .then_accepted();
    let Basis::Grant { grant } = basis else {
        unreachable!()
    };
    let scenario = scenario
        .when(
            PATIENT,
            contracts::authorization::Command::WithdrawGrant { grant },
        )
        .then_accepted();
    scenario
        .when(INSTITUTE, granted_access(basis))
        .then_rejected(Rejection::GrantEnded);
}

#[test]
fn a_grant_ends_with_its_end_date() {
    let (scenario, basis) = granted();
    let scenario = scenario
        .later(30 * DAY - 1)
        .when(INSTITUTE, granted_access(basis))
        .then_accepted();
    scenario
        .later(1)
        .when(INSTITUTE, granted_access(basis))
        .then_rejected(Rejection::GrantOver);
}

fn open_emergency() -> Command {
    let (emergency, reason) = (EMERGENCY, commitment("unconscious"));
    Command::OpenEmergency {
        emergency,
        patient: PATIENT,
        hospital: OTHER_HOSPITAL,
        reason,
        viewer: sealed(),
    }
}

fn emergency() -> Scenario {
    with_record()
        .when(OTHER_DOCTOR, open_emergency())
        .then_accepted()
}

fn emergency_access() -> Command {
    access_to(
        &[record(1)],
        Basis::Emergency {
            emergency: EMERGENCY,
        },
        Purpose::EmergencyTreatment,
    )
}

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
fn only_a_patient_sets_consents() {
    let set = || Command::SetConsent {
        share_for_treatment: false,
        research: true,
    };
    let expected = Event::ConsentSet {
        patient: PATIENT,
        share_for_treatment: false,
        research: true,
    };
    world().when(PATIENT, set()).then_events(events![expected]);
    world()
        .when(HOSPITAL, set())
        .then_rejected(Rejection::NotPatient);
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
fn an_erased_record_is_not_read_under_a_grant() {
    let (scenario, basis) = granted();
    let scenario = scenario
        .when(PATIENT, Command::EraseRecord { record: record(1) })
        .then_accepted();
    scenario
        .when(INSTITUTE, granted_access(basis))
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
