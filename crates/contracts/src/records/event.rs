//! What the records contract decided.

use ledger::{Commitment, LedgerId, Timestamp};
use serde::{Deserialize, Serialize};

use super::command::{Basis, Code, CodeHolder, DelegationScope, TamperingKind};
use crate::identifier::{EmergencyId, Purpose, RecordNumber, Sealed};

/// An event of the records contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A record's key data is on the ledger (version 1).
    RecordRegistered {
        /// The record.
        record: RecordNumber,
        /// Its owner.
        patient: LedgerId,
        /// The hospital that holds it.
        hospital: LedgerId,
        /// Commitment to its content.
        content: Commitment,
        /// Commitment to its index row.
        index: Commitment,
        /// The patient's code.
        patient_code: Code,
        /// The hospital's code.
        hospital_code: Code,
    },
    /// A record has a new version.
    RecordAmended {
        /// The record.
        record: RecordNumber,
        /// Its owner.
        patient: LedgerId,
        /// The hospital that holds it.
        hospital: LedgerId,
        /// The new version.
        version: u32,
        /// Commitment to its content.
        content: Commitment,
        /// Commitment to its index row.
        index: Commitment,
    },
    /// An authorization code was set or changed.
    CodeSet {
        /// The record.
        record: RecordNumber,
        /// Whose code.
        holder: CodeHolder,
        /// The code.
        code: Code,
    },
    /// An authorization code was withdrawn.
    CodeWithdrawn {
        /// The record.
        record: RecordNumber,
        /// Whose code.
        holder: CodeHolder,
    },
    /// A code opened a record: the permission for one view, and its trace.
    CodeRedeemed {
        /// The record.
        record: RecordNumber,
        /// Version shown.
        version: u32,
        /// Its owner.
        patient: LedgerId,
        /// The hospital that holds it.
        hospital: LedgerId,
        /// Who redeemed.
        viewer: LedgerId,
        /// Whose code.
        holder: CodeHolder,
        /// Uses left.
        uses_left: u32,
        /// Why.
        purpose: Purpose,
        /// The viewer's name, sealed.
        viewer_name: Sealed,
    },
    /// A view was permitted and is about to happen.
    AccessLogged {
        /// The records with the versions shown, ascending.
        records: Vec<(RecordNumber, u32)>,
        /// Their owner.
        patient: LedgerId,
        /// Who views.
        viewer: LedgerId,
        /// On what basis.
        basis: Basis,
        /// Why.
        purpose: Purpose,
        /// The viewer's name, sealed.
        viewer_name: Sealed,
    },
    /// The patient's standing consents under one ledger id.
    ConsentSet {
        /// The patient.
        patient: LedgerId,
        /// Doctors of other hospitals may open records with the hospital's code.
        share_for_treatment: bool,
        /// Records may be found by, and applied for, research.
        research: bool,
    },
    /// A doctor opened emergency access, or had it while the ledger could not be reached.
    EmergencyOpened {
        /// The emergency.
        emergency: EmergencyId,
        /// The patient.
        patient: LedgerId,
        /// The doctor.
        doctor: LedgerId,
        /// The doctor's hospital.
        hospital: LedgerId,
        /// End of the access, exclusive; for an emergency that is reported late, when the records were shown.
        until: Timestamp,
        /// Commitment to the written reason.
        reason: Commitment,
        /// The doctor's name and the reason, sealed.
        viewer_name: Sealed,
    },
    /// An emergency was reviewed.
    EmergencyReviewed {
        /// The emergency.
        emergency: EmergencyId,
        /// The regulator.
        regulator: LedgerId,
        /// Whether it was justified.
        justified: bool,
    },
    /// A hospital row no longer matches the ledger.
    TamperingReported {
        /// The record.
        record: RecordNumber,
        /// Its owner.
        patient: LedgerId,
        /// The hospital that holds it.
        hospital: LedgerId,
        /// The version checked.
        version: u32,
        /// What differs.
        kind: TamperingKind,
    },
    /// The patient had a record erased.
    RecordErased {
        /// The record.
        record: RecordNumber,
        /// Its owner.
        patient: LedgerId,
        /// The hospital that holds it.
        hospital: LedgerId,
    },
    /// Salts, keys and rows of an erased record are destroyed.
    ErasureCertified {
        /// The record.
        record: RecordNumber,
        /// The hospital that held it.
        hospital: LedgerId,
    },
    /// A patient named a guardian, or changed what and until when.
    GuardianNamed {
        /// The patient.
        patient: LedgerId,
        /// The guardian.
        guardian: LedgerId,
        /// What the guardian may do.
        scope: DelegationScope,
        /// Until when, exclusive.
        until: Timestamp,
        /// The patient's name, sealed to the guardian and the regulator.
        patient_name: Sealed,
        /// The guardian's name, sealed to the patient and the regulator.
        guardian_name: Sealed,
    },
    /// A delegation was ended before its time.
    DelegationEnded {
        /// The patient.
        patient: LedgerId,
        /// The guardian.
        guardian: LedgerId,
        /// Which of the two ended it.
        by: LedgerId,
    },
}
