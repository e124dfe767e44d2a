//! What can be asked of the records contract.

use ledger::{Commitment, LedgerId, PublicKey, Signature, Timestamp};
use serde::{Deserialize, Serialize};

use crate::identifier::{EmergencyId, GrantId, Purpose, RecordNumber, Sealed};

/// The most records of one patient that one [`Command::LogAccess`] covers.
pub const RECORDS_PER_ACCESS_MAX: usize = 256;

/// Who holds an authorization code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CodeHolder {
    /// The patient's code: opens the record to any hospital or third party.
    Patient,
    /// The hospital's code: opens it to doctors of other hospitals, while the patient's share-for-treatment consent is on.
    Hospital,
}

/// The lawful basis of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Basis {
    /// The patient views their own records.
    Owner,
    /// A doctor views records of the hospital they are affiliated with.
    OwnHospital {
        /// The hospital.
        hospital: LedgerId,
    },
    /// The holder of a grant reads what was released.
    Grant {
        /// The grant.
        grant: GrantId,
    },
    /// An emergency that the viewer opened.
    Emergency {
        /// The emergency.
        emergency: EmergencyId,
    },
    /// An emergency while the ledger could not be reached, as the hospital journaled it. Only
    /// [`Command::ReportOfflineEmergency`] makes views with this basis: it permits none.
    OfflineEmergency {
        /// The emergency.
        emergency: EmergencyId,
        /// When the content was shown, by the hospital's clock.
        viewed_at: Timestamp,
    },
    /// A guardian views for the patient who named them.
    Delegation,
}

/// What a guardian may do for a patient; each reaches the records under one ledger id of the patient's alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DelegationScope {
    /// Open the records, and read who viewed them.
    Read,
    /// Decide on applications for them.
    Decide,
    /// Both.
    ReadAndDecide,
}

impl DelegationScope {
    /// All of them.
    pub const ALL: [DelegationScope; 3] = [
        DelegationScope::Read,
        DelegationScope::Decide,
        DelegationScope::ReadAndDecide,
    ];

    /// Whether it covers opening records.
    pub fn reads(self) -> bool {
        self != DelegationScope::Decide
    }

    /// Whether it covers deciding on applications.
    pub fn decides(self) -> bool {
        self != DelegationScope::Read
    }
}

/// What was found to differ when a record was re-hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TamperingKind {
    /// The row's content no longer opens the commitment.
    Edited,
    /// The row is gone.
    Deleted,
    /// The row holds another record's content.
    Swapped,
    /// The row holds an earlier version's content.
    RolledBack,
}

/// A command of the records contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Puts the key data of a new record on the ledger. By the hospital that holds it.
    RegisterRecord(RegisterRecord),
    /// Puts a new version of a record on the ledger. By the hospital that holds it.
    AmendRecord {
        /// The record.
        record: RecordNumber,
        /// The new version: the current one plus 1.
        version: u32,
        /// Commitment to the new content.
        content: Commitment,
        /// Commitment to the new index row.
        index: Commitment,
    },
    /// Sets or changes an authorization code; the old one stops working. By the patient or the hospital, for their own code.
    SetCode {
        /// The record.
        record: RecordNumber,
        /// Whose code.
        holder: CodeHolder,
        /// The code.
        code: Code,
    },
    /// Withdraws an authorization code. By its holder.
    WithdrawCode {
        /// The record.
        record: RecordNumber,
        /// Whose code.
        holder: CodeHolder,
    },
    /// Opens one record to the submitter by an authorization code; counts as a view.
    RedeemCode {
        /// The record.
        record: RecordNumber,
        /// Whose code was shown.
        holder: CodeHolder,
        /// By the code's key over [`redemption_message`] (domain [`REDEMPTION_DOMAIN`]): the code itself is never shown.
        proof: Signature,
        /// For a doctor: the hospital they act for.
        hospital: Option<LedgerId>,
        /// Why.
        purpose: Purpose,
        /// The viewer's name, sealed to the patient and the regulator.
        viewer: Sealed,
    },
    /// Asks permission for a view; its event is the permission, and data leaves within 30 s of its block time. By the viewer.
    LogAccess {
        /// The records, all of one patient, ascending, 1 to [`RECORDS_PER_ACCESS_MAX`].
        records: Vec<RecordNumber>,
        /// On what basis.
        basis: Basis,
        /// Why.
        purpose: Purpose,
        /// The viewer's name, sealed to the patient and the regulator.
        viewer: Sealed,
    },
    /// Sets the patient's standing consents for the records under this ledger id. By the patient.
    SetConsent {
        /// Doctors of other hospitals may open records with the hospital's code.
        share_for_treatment: bool,
        /// Records may be found by, and applied for, research.
        research: bool,
    },
    /// Opens emergency access to one patient's records. By an affiliated doctor.
    OpenEmergency {
        /// The emergency's random id.
        emergency: EmergencyId,
        /// The patient.
        patient: LedgerId,
        /// The doctor's hospital.
        hospital: LedgerId,
        /// Commitment to the written reason.
        reason: Commitment,
        /// The doctor's name and the reason, sealed to the patient and the regulator.
        viewer: Sealed,
    },
    /// Closes the mandatory review of an emergency. By a regulator.
    ReviewEmergency {
        /// The emergency.
        emergency: EmergencyId,
        /// Whether the access was justified.
        justified: bool,
    },
    /// Reports that a hospital row no longer matches its commitment. By the hospital's service or a regulator.
    ReportTampering {
        /// The record.
        record: RecordNumber,
        /// The version checked.
        version: u32,
        /// What differs.
        kind: TamperingKind,
    },
    /// Asks for erasure; the record can no longer be viewed or applied for. By the patient.
    EraseRecord {
        /// The record.
        record: RecordNumber,
    },
    /// Certifies that salts, keys and rows of an erased record are destroyed. By the hospital.
    CertifyErasure {
        /// The record.
        record: RecordNumber,
    },
    /// Puts an emergency view on the ledger that a doctor had while the ledger could not be reached: it was journaled
    /// before the content was shown, and is told late. By the hospital that holds the records.
    ReportOfflineEmergency(ReportOfflineEmergency),
    /// Names a guardian for the records under this ledger id, or changes scope and end of one who is named. By the patient.
    NameGuardian {
        /// The guardian's ledger id, best made for this delegation alone: it may still wait for its endorsement.
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
    /// Ends a delegation: the guardian's next act is refused. By the patient or the guardian.
    EndDelegation {
        /// The patient.
        patient: LedgerId,
        /// The guardian.
        guardian: LedgerId,
    },
}

/// The key data of a new record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterRecord {
    /// Its random number.
    pub record: RecordNumber,
    /// The owner: the patient's ledger id in this hospital's context.
    pub patient: LedgerId,
    /// Commitment to patient, record, version, hospital and the canonical content (salt kept by the hospital).
    pub content: Commitment,
    /// Commitment to the row of the search index.
    pub index: Commitment,
    /// The patient's authorization code.
    pub patient_code: Code,
    /// The hospital's authorization code.
    pub hospital_code: Code,
}

/// An emergency view that was journaled while the ledger could not be reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportOfflineEmergency {
    /// The emergency's random id.
    pub emergency: EmergencyId,
    /// The doctor who viewed.
    pub doctor: LedgerId,
    /// The hospital the doctor acted for.
    pub hospital: LedgerId,
    /// The records and versions shown, all of one patient, ascending, 1 to [`RECORDS_PER_ACCESS_MAX`].
    pub records: Vec<(RecordNumber, u32)>,
    /// When they were shown, by the hospital's clock.
    pub viewed_at: Timestamp,
    /// Commitment to the written reason.
    pub reason: Commitment,
    /// The doctor's name and the reason, sealed to the patient and the regulator.
    pub viewer: Sealed,
}

/// What the ledger knows of an authorization code: never the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// Public half of the key derived from the code and the record number.
    pub key: PublicKey,
    /// How often it may be used; `u32::MAX` is without limit.
    pub uses: u32,
    /// Until when, exclusive.
    pub until: Timestamp,
}

/// Signature domain of [`redemption_message`].
pub const REDEMPTION_DOMAIN: &str = "medshare/redemption/v1";

/// What the code's key signs: chain id, redeemer, record, and the transaction's nonce (big-endian).
pub fn redemption_message(
    chain: &ledger::Digest,
    redeemer: &LedgerId,
    record: &RecordNumber,
    nonce: u64,
) -> Vec<u8> {
    [
        &chain.0[..],
        &redeemer.0[..],
        &record.0[..],
        &nonce.to_be_bytes()[..],
    ]
    .concat()
}

/// The parts a record's content commitment covers, in order, for [`Commitment::new`]:
/// patient, record, version (big-endian), hospital, digest of the canonical content.
pub fn content_parts(
    patient: &LedgerId,
    record: &RecordNumber,
    version: u32,
    hospital: &LedgerId,
    content: &ledger::Digest,
) -> [Vec<u8>; 5] {
    [
        patient.0.to_vec(),
        record.0.to_vec(),
        version.to_be_bytes().to_vec(),
        hospital.0.to_vec(),
        content.0.to_vec(),
    ]
}
