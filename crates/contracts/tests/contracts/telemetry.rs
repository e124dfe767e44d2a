//! Devices, readings, warnings.

use contracts::telemetry::command::{WarningCause, WarningLevel};
use contracts::telemetry::{Command, Event, Rejection};
use contracts::{WarningId, membership};
use ledger::{Digest, Timestamp};

use crate::scenario::*;

fn warning(number: u8) -> WarningId {
    WarningId([number; 16])
}

pub fn raise(number: u8) -> Command {
    let (level, cause) = (WarningLevel::High, WarningCause::Score);
    Command::RaiseWarning {
        warning: warning(number),
        device: DEVICE,
        level,
        cause,
        detail: commitment("detail"),
    }
}

pub fn register() -> Command {
    Command::RegisterDevice { device: DEVICE }
}

fn registered() -> Scenario {
    world().when(PATIENT, register()).then_accepted()
}

pub fn share(until: Timestamp) -> Command {
    Command::ShareWarnings {
        hospital: HOSPITAL,
        until,
    }
}

pub fn acknowledge() -> Command {
    Command::AcknowledgeWarning {
        warning: warning(1),
    }
}

fn warned() -> Scenario {
    registered().when(IOT, raise(1)).then_accepted()
}

#[test]
fn a_patient_registers_a_device() {
    let expected = Event::DeviceRegistered {
        device: DEVICE,
        patient: PATIENT,
    };
    world()
        .when(PATIENT, register())
        .then_events(events![expected]);
}

#[test]
fn only_a_patient_registers_only_an_active_device_that_is_nobodys() {
    world()
        .when(HOSPITAL, register())
        .then_rejected(Rejection::NotPatient);
    world()
        .when(PATIENT, Command::RegisterDevice { device: DOCTOR })
        .then_rejected(Rejection::NotDevice);
    let suspended = world()
        .when(
            REGULATOR,
            membership::Command::SuspendMember { member: DEVICE },
        )
        .then_accepted();
    suspended
        .when(PATIENT, register())
        .then_rejected(Rejection::NotDevice);
    registered()
        .when(OTHER_PATIENT, register())
        .then_rejected(Rejection::DeviceTaken);
    registered()
        .when(PATIENT, register())
        .then_rejected(Rejection::DeviceTaken);
}

#[test]
fn a_patient_ends_the_own_devices_registration() {
    let unregister = || Command::UnregisterDevice { device: DEVICE };
    world()
        .when(PATIENT, unregister())
        .then_rejected(Rejection::DeviceNotRegistered);
    let scenario = registered()
        .when(OTHER_PATIENT, unregister())
        .then_rejected(Rejection::NotTheDevicesPatient);
    let expected = Event::DeviceUnregistered {
        device: DEVICE,
        patient: PATIENT,
    };
    let scenario = scenario
        .when(PATIENT, unregister())
        .then_events(events![expected]);
    let scenario = scenario
        .when(IOT, raise(1))
        .then_rejected(Rejection::DeviceNotRegistered);
    scenario.when(OTHER_PATIENT, register()).then_accepted();
}

#[test]
fn a_patient_shares_warnings_with_a_hospital_until_a_moment_or_until_the_share_is_ended() {
    let until = NOW.plus(HOUR);
    let shared = Event::WarningsShared {
        patient: PATIENT,
        hospital: HOSPITAL,
        until,
    };
    let scenario = world()
        .when(PATIENT, share(until))
        .then_events(events![shared]);
    let end = || Command::EndShare { hospital: HOSPITAL };
    scenario
        .clone()
        .later(HOUR)
        .when(PATIENT, end())
        .then_rejected(Rejection::NotShared);
    let ended = Event::ShareEnded {
        patient: PATIENT,
        hospital: HOSPITAL,
    };
    let scenario = scenario.when(PATIENT, end()).then_events(events![ended]);
    scenario
        .when(PATIENT, end())
        .then_rejected(Rejection::NotShared);
}

#[test]
fn warnings_are_shared_by_a_patient_with_a_hospital_for_a_time_ahead() {
    world()
        .when(DOCTOR, share(NOW.plus(1)))
        .then_rejected(Rejection::NotPatient);
    world()
        .when(PATIENT, share(NOW))
        .then_rejected(Rejection::EndNotAhead);
    let wrong = Command::ShareWarnings {
        hospital: DOCTOR,
        until: NOW.plus(1),
    };
    world()
        .when(PATIENT, wrong)
        .then_rejected(Rejection::UnknownHospital);
}

pub fn anchor(readings: u32, batch: u64) -> Command {
    Command::AnchorReadings {
        root: Digest([3; 32]),
        readings,
        batch,
    }
}

#[test]
fn batches_of_readings_are_anchored_in_order_without_gaps() {
    let anchored = |batch| Event::ReadingsAnchored {
        root: Digest([3; 32]),
        readings: 5,
        batch,
    };
    let scenario = world()
        .when(IOT, anchor(5, 2))
        .then_rejected(Rejection::BatchOutOfOrder);
    let scenario = scenario
        .when(IOT, anchor(5, 0))
        .then_rejected(Rejection::BatchOutOfOrder);
    let scenario = scenario
        .when(IOT, anchor(5, 1))
        .then_events(events![anchored(1)]);
    let scenario = scenario
        .when(IOT, anchor(5, 1))
        .then_rejected(Rejection::BatchOutOfOrder);
    let scenario = scenario
        .when(IOT, anchor(5, 2))
        .then_events(events![anchored(2)]);
    scenario
        .when(IOT, anchor(0, 3))
        .then_rejected(Rejection::BatchEmpty);
}

#[test]
fn only_the_service_for_devices_anchors_and_warns() {
    for submitter in [PATIENT, HOSPITAL, DEVICE, OPERATOR] {
        world()
            .when(submitter, anchor(5, 1))
            .then_rejected(Rejection::NotService);
        registered()
            .when(submitter, raise(1))
            .then_rejected(Rejection::NotService);
    }
}

#[test]
fn a_warning_is_about_the_devices_patient() {
    registered()
        .when(IOT, raise(1))
        .then_events(events![Event::WarningRaised {
            warning: warning(1),
            device: DEVICE,
            patient: PATIENT,
            level: WarningLevel::High,
            cause: WarningCause::Score,
            detail: commitment("detail"),
        }]);
}

#[test]
fn a_warning_is_raised_once_by_an_active_registered_device() {
    warned()
        .when(IOT, raise(1))
        .then_rejected(Rejection::WarningExists);
    world()
        .when(IOT, raise(1))
        .then_rejected(Rejection::DeviceNotRegistered);
    let revoked = registered()
        .when(
            REGULATOR,
            membership::Command::RevokeMember { member: DEVICE },
        )
        .then_accepted();
    revoked
        .when(IOT, raise(1))
        .then_rejected(Rejection::NotDevice);
}

#[test]
fn the_patient_acknowledges_a_warning_once() {
    let seen = Event::WarningAcknowledged {
        warning: warning(1),
        by: PATIENT,
    };
    let scenario = warned()
        .when(PATIENT, acknowledge())
        .then_events(events![seen]);
    scenario
        .when(PATIENT, acknowledge())
        .then_rejected(Rejection::AlreadyAcknowledged);
    registered()
        .when(PATIENT, acknowledge())
        .then_rejected(Rejection::UnknownWarning);
}

#[test]
fn a_hospital_acknowledges_what_is_shared_with_it_as_long_as_it_is() {
    let scenario = warned()
        .when(HOSPITAL, acknowledge())
        .then_rejected(Rejection::MayNotAcknowledge);
    let scenario = scenario
        .when(PATIENT, share(NOW.plus(HOUR)))
        .then_accepted();
    let scenario = scenario
        .when(OTHER_HOSPITAL, acknowledge())
        .then_rejected(Rejection::MayNotAcknowledge);
    scenario
        .clone()
        .later(HOUR)
        .when(HOSPITAL, acknowledge())
        .then_rejected(Rejection::MayNotAcknowledge);
    scenario.when(HOSPITAL, acknowledge()).then_accepted();
}
