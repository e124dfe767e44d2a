//! What the telemetry contract keeps, under which keys, and how its events change it.

use ledger::{LedgerId, Timestamp};

use super::event::Event;
use crate::identifier::WarningId;
use crate::key::key;
use crate::{Contract, State};

const DEVICE: u8 = 1;
const SHARE: u8 = 2;
const BATCH: u8 = 3;
const WARNING: u8 = 4;
const ACKNOWLEDGEMENT: u8 = 5;

/// The patient whom a device measures.
pub(crate) fn patient_of(state: &State, device: &LedgerId) -> Option<LedgerId> {
    state.read(&device_key(device))
}

/// The end (exclusive) of a hospital's share of a patient's warnings.
pub(crate) fn share_until(
    state: &State,
    patient: &LedgerId,
    hospital: &LedgerId,
) -> Option<Timestamp> {
    state.read(&share_key(patient, hospital))
}

/// The number of the last anchored batch; 0 before the first.
pub(crate) fn last_batch(state: &State) -> u64 {
    state.read(&batch_key()).unwrap_or_default()
}

/// The patient whom a warning is about.
pub(crate) fn patient_warned(state: &State, warning: &WarningId) -> Option<LedgerId> {
    state.read(&warning_key(warning))
}

pub(crate) fn is_acknowledged(state: &State, warning: &WarningId, by: &LedgerId) -> bool {
    state.contains(&acknowledgement_key(warning, by))
}

fn device_key(device: &LedgerId) -> Vec<u8> {
    key(Contract::Telemetry, DEVICE, &[&device.0])
}

fn share_key(patient: &LedgerId, hospital: &LedgerId) -> Vec<u8> {
    key(Contract::Telemetry, SHARE, &[&patient.0, &hospital.0])
}

fn batch_key() -> Vec<u8> {
    key(Contract::Telemetry, BATCH, &[])
}

fn warning_key(warning: &WarningId) -> Vec<u8> {
    key(Contract::Telemetry, WARNING, &[&warning.0])
}

fn acknowledgement_key(warning: &WarningId, by: &LedgerId) -> Vec<u8> {
    key(Contract::Telemetry, ACKNOWLEDGEMENT, &[&warning.0, &by.0])
}

/// Brings the state up to date with what was decided.
pub fn fold(state: &mut State, event: &Event) {
    match event {
        Event::DeviceRegistered { device, patient } => state.write(device_key(device), patient),
        Event::DeviceUnregistered { device, .. } => state.delete(device_key(device)),
        Event::WarningsShared {
            patient,
            hospital,
            until,
        } => state.write(share_key(patient, hospital), until),
        Event::ShareEnded { patient, hospital } => state.delete(share_key(patient, hospital)),
        Event::ReadingsAnchored { batch, .. } => state.write(batch_key(), batch),
        Event::WarningRaised {
            warning, patient, ..
        } => state.write(warning_key(warning), patient),
        Event::WarningAcknowledged { warning, by } => {
            state.write(acknowledgement_key(warning, by), &())
        }
    }
}
