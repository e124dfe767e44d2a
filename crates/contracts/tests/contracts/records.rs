//! Records, views, consents, emergencies, tampering, erasure.

use contracts::records::command::{Basis, RegisterRecord, TamperingKind};
use contracts::records::{Command, Event, Rejection};
use contracts::{EmergencyId, GrantId, Purpose, RecordNumber, Sealed, membership};
use ledger::LedgerId;

use crate::scenario::*;

pub const EMERGENCY: EmergencyId = EmergencyId([8; 16]);

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

pub fn amendment(version: u32) -> Command {
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

pub fn own_hospital() -> Basis {
    Basis::OwnHospital { hospital: HOSPITAL }
}

pub fn erased() -> Scenario {
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
pub fn granted() -> (Scenario, Basis) {
    let scenario = crate::authorization::released();
    let grant = contracts::authorization::grant_of(&crate::authorization::item(0));
    (scenario, Basis::Grant { grant })
}

pub fn granted_access(basis: Basis) -> Command {
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

pub fn open_emergency() -> Command {
    let (emergency, reason) = (EMERGENCY, commitment("unconscious"));
    Command::OpenEmergency {
        emergency,
        patient: PATIENT,
        hospital: OTHER_HOSPITAL,
        reason,
        viewer: sealed(),
    }
}

pub fn emergency() -> Scenario {
    with_record()
        .when(OTHER_DOCTOR, open_emergency())
        .then_accepted()
}

pub fn emergency_access() -> Command {
    access_to(
        &[record(1)],
        Basis::Emergency {
            emergency: EMERGENCY,
        },
        Purpose::EmergencyTreatment,
    )
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
