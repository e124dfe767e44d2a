//! What the records contract keeps, under which keys, and how its events change it.

use ledger::{LedgerId, Timestamp};
use serde::{Deserialize, Serialize};

use super::command::{Code, CodeHolder, DelegationScope, TamperingKind};
use super::event::Event;
use crate::identifier::{EmergencyId, RecordNumber};
use crate::key::key;
use crate::{Contract, State};

const RECORD: u8 = 1;
const CONSENT: u8 = 2;
const EMERGENCY: u8 = 3;
const TAMPERING: u8 = 4;
const DELEGATION: u8 = 5;

/// How far a record's erasure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Erasure {
    /// It stands.
    None,
    /// The patient asked for it; nobody may view it any more.
    Asked,
    /// The hospital certified that salts, keys and rows are destroyed.
    Certified,
}

/// What is read for every view, hence small: commitments are in the events, decisions don't need them. The codes stand here and not under
/// keys of their own: every key of a registration costs each replica as much as the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) patient: LedgerId,
    pub(crate) hospital: LedgerId,
    pub(crate) version: u32,
    pub(crate) erasure: Erasure,
    /// The patient's and the hospital's; none where it is withdrawn.
    codes: [Option<Code>; 2],
}

impl Record {
    /// The code that this holder gives to others.
    pub(crate) fn code(&self, holder: CodeHolder) -> Option<Code> {
        self.codes[holder as usize]
    }
}

/// A patient's standing consents; both are on until the patient says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Consent {
    pub(crate) share_for_treatment: bool,
    pub(crate) research: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Emergency {
    pub(crate) patient: LedgerId,
    pub(crate) doctor: LedgerId,
    pub(crate) hospital: LedgerId,
    /// Exclusive.
    pub(crate) until: Timestamp,
    pub(crate) reviewed: bool,
}

/// What a guardian may do for a patient, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Delegation {
    pub(crate) scope: DelegationScope,
    /// Exclusive.
    pub(crate) until: Timestamp,
}

pub(crate) fn record(state: &State, number: &RecordNumber) -> Option<Record> {
    state.read(&record_key(number))
}

pub(crate) fn consent(state: &State, patient: &LedgerId) -> Consent {
    state.read(&consent_key(patient)).unwrap_or(Consent {
        share_for_treatment: true,
        research: true,
    })
}

pub(crate) fn emergency(state: &State, id: &EmergencyId) -> Option<Emergency> {
    state.read(&emergency_key(id))
}

pub(crate) fn delegation(
    state: &State,
    patient: &LedgerId,
    guardian: &LedgerId,
) -> Option<Delegation> {
    state.read(&delegation_key(patient, guardian))
}

pub(crate) fn is_reported(
    state: &State,
    record: &RecordNumber,
    version: u32,
    kind: TamperingKind,
) -> bool {
    state.contains(&tampering_key(record, version, kind))
}

fn record_key(number: &RecordNumber) -> Vec<u8> {
    key(Contract::Records, RECORD, &[&number.0])
}

fn consent_key(patient: &LedgerId) -> Vec<u8> {
    key(Contract::Records, CONSENT, &[&patient.0])
}

fn emergency_key(id: &EmergencyId) -> Vec<u8> {
    key(Contract::Records, EMERGENCY, &[&id.0])
}

fn delegation_key(patient: &LedgerId, guardian: &LedgerId) -> Vec<u8> {
    key(Contract::Records, DELEGATION, &[&patient.0, &guardian.0])
}

fn tampering_key(record: &RecordNumber, version: u32, kind: TamperingKind) -> Vec<u8> {
    key(
        Contract::Records,
        TAMPERING,
        &[&record.0, &version.to_be_bytes(), &[kind as u8]],
    )
}

/// Brings the state up to date with what was decided.
pub fn fold(state: &mut State, event: &Event) {
    match event {
        Event::RecordRegistered {
            record,
            patient,
            hospital,
            patient_code,
            hospital_code,
            ..
        } => {
            let entry = Record {
                patient: *patient,
                hospital: *hospital,
                version: 1,
                erasure: Erasure::None,
                codes: [Some(*patient_code), Some(*hospital_code)],
            };
            state.write(record_key(record), &entry);
        }
        Event::RecordAmended {
            record, version, ..
        } => change_record(state, record, |entry| entry.version = *version),
        Event::CodeSet {
            record,
            holder,
            code,
        } => change_record(state, record, |entry| {
            entry.codes[*holder as usize] = Some(*code);
        }),
        Event::CodeWithdrawn { record, holder } => {
            change_record(state, record, |entry| entry.codes[*holder as usize] = None);
        }
        Event::CodeRedeemed {
            record,
            holder,
            uses_left,
            ..
        } => change_record(state, record, |entry| {
            if let Some(code) = &mut entry.codes[*holder as usize] {
                code.uses = *uses_left;
            }
        }),
        Event::ConsentSet {
            patient,
            share_for_treatment,
            research,
        } => {
            let entry = Consent {
                share_for_treatment: *share_for_treatment,
                research: *research,
            };
            state.write(consent_key(patient), &entry);
        }
        Event::EmergencyOpened {
            emergency,
            patient,
            doctor,
            hospital,
            until,
            ..
        } => {
            let (patient, doctor, hospital, until) = (*patient, *doctor, *hospital, *until);
            state.write(
                emergency_key(emergency),
                &Emergency {
                    patient,
                    doctor,
                    hospital,
                    until,
                    reviewed: false,
                },
            );
        }
        Event::EmergencyReviewed { emergency: id, .. } => {
            if let Some(entry) = emergency(state, id) {
                state.write(
                    emergency_key(id),
                    &Emergency {
                        reviewed: true,
                        ..entry
                    },
                );
            }
        }
        Event::TamperingReported {
            record,
            version,
            kind,
            ..
        } => {
            state.write(tampering_key(record, *version, *kind), &());
        }
        Event::RecordErased { record, .. } => change_record(state, record, |entry| {
            entry.erasure = Erasure::Asked;
            entry.codes = [None; 2];
        }),
        Event::ErasureCertified { record, .. } => {
            change_record(state, record, |entry| entry.erasure = Erasure::Certified);
        }
        Event::GuardianNamed {
            patient,
            guardian,
            scope,
            until,
            ..
        } => {
            let entry = Delegation {
                scope: *scope,
                until: *until,
            };
            state.write(delegation_key(patient, guardian), &entry);
        }
        Event::DelegationEnded {
            patient, guardian, ..
        } => state.delete(delegation_key(patient, guardian)),
        // A trace: it permits one view and changes nothing.
        Event::AccessLogged { .. } => {}
    }
}

fn change_record(state: &mut State, number: &RecordNumber, change: impl FnOnce(&mut Record)) {
    if let Some(mut entry) = record(state, number) {
        change(&mut entry);
        state.write(record_key(number), &entry);
    }
}
