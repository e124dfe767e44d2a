//! Records: one service per hospital.

use contracts::authorization::command::RefusalReason;
use contracts::records::command::{CodeHolder, DelegationScope, TamperingKind};
use contracts::{EmergencyId, ItemId, Purpose, RecordNumber};
use ledger::{Digest, LedgerId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::identity::Done;
use crate::{CommandReply, Committed, Page, PageRequest, use_case};

/// Takes a FHIR R4 Bundle into the hospital's database and registers each encounter as a record. By the hospital. May be run again: nothing doubles.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportBundle {
    /// The Bundle, as JSON text.
    pub bundle: String,
}
use_case!("records", "import_bundle", ImportBundle -> ImportReport);

/// What an import took, what it refused, and what waits.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ImportReport {
    /// Records registered by this import.
    pub registered: Vec<RegisteredRecord>,
    /// Records that were there already, unchanged.
    #[schema(value_type = Vec<String>)]
    pub unchanged: Vec<RecordNumber>,
    /// Records in the hospital's database whose patient has not enrolled: they register themselves on enrolment.
    pub waiting: u32,
    /// What was refused, with the element.
    pub refused: Vec<RefusedEntry>,
}

/// A record that is on the ledger.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RegisteredRecord {
    /// The record.
    #[schema(value_type = String)]
    pub record: RecordNumber,
    /// Its receipt.
    pub committed: Committed,
}

/// A refused part of a Bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusedEntry {
    /// FHIRPath of the element.
    pub element: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Writes one encounter as a record. By a doctor of this hospital (custodial), who becomes its author.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteRecord {
    /// A FHIR R4 Bundle with one Encounter of a patient of this hospital, as JSON text.
    pub bundle: String,
}
use_case!("records", "write_record", WriteRecord -> RegisteredRecord);

/// Writes a new version of a record. By the hospital, or a doctor affiliated with it.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AmendRecord {
    /// The record.
    #[schema(value_type = String)]
    pub record: RecordNumber,
    /// The version that is amended: must be the current one.
    pub version: u32,
    /// The new content: a FHIR R4 Bundle with the one Encounter, as JSON text.
    pub bundle: String,
}
use_case!("records", "amend_record", AmendRecord -> CommandReply);

/// Finds records of this hospital: metadata only. By the hospital or its doctors.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FindRecords {
    /// The author's number in the hospital (FHIR Practitioner identifier).
    #[serde(default)]
    pub doctor: Option<String>,
    /// The hospital's patient number.
    #[serde(default)]
    pub patient: Option<String>,
    /// Encounters that start on or after this day (YYYY-MM-DD).
    #[serde(default)]
    pub from: Option<String>,
    /// Encounters that start before this day.
    #[serde(default)]
    pub until: Option<String>,
    /// Encounter class (v3 ActCode: AMB, EMER, IMP ...).
    #[serde(default)]
    pub class: Option<String>,
    /// SNOMED CT or ICD-10 code of a condition.
    #[serde(default)]
    pub disease: Option<String>,
    /// Which part.
    #[serde(default)]
    pub page: PageRequest,
}
use_case!("records", "find_records", FindRecords -> Page<RecordSummary>);

/// The own records at this hospital: metadata only. By the patient, or a guardian who may read.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListOwnRecords {
    /// The patient whose guardian asks: their ledger id at this hospital.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub acting_for: Option<LedgerId>,
    /// Which part.
    #[serde(default)]
    pub page: PageRequest,
}
use_case!("records", "list_own_records", ListOwnRecords -> Page<RecordSummary>);

/// A record's metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordSummary {
    /// The record; none while it waits for its patient to enrol.
    #[schema(value_type = Option<String>)]
    pub record: Option<RecordNumber>,
    /// Current version.
    pub version: u32,
    /// The hospital that holds it.
    #[schema(value_type = String)]
    pub hospital: LedgerId,
    /// The owner's ledger id at this hospital.
    #[schema(value_type = Option<String>)]
    pub patient: Option<LedgerId>,
    /// The hospital's patient number (hospital and its doctors only).
    pub patient_number: Option<String>,
    /// The author's number.
    pub doctor: Option<String>,
    /// Start of the encounter, RFC 3339.
    pub start: String,
    /// Encounter class.
    pub class: String,
    /// What the encounter was for, in words.
    pub title: String,
    /// Transaction of the current version.
    #[schema(value_type = Option<String>)]
    pub transaction: Option<Digest>,
}

/// Views records: the view is committed before the content leaves. By the patient, a guardian who may read, a doctor of this hospital, or a doctor with an opened emergency.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ViewRecords {
    /// The records, of one patient, 1 to 256.
    #[schema(value_type = Vec<String>)]
    pub records: Vec<RecordNumber>,
    /// Why.
    #[schema(value_type = String)]
    pub purpose: Purpose,
    /// The emergency that permits it, where that is the basis.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub emergency: Option<EmergencyId>,
}
use_case!("records", "view_records", ViewRecords -> ViewedRecords);

/// Content that was viewed, and the trace of the view.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct ViewedRecords {
    /// The view's receipt.
    pub committed: Committed,
    /// The records.
    pub records: Vec<ViewedRecord>,
}

/// One record's content.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct ViewedRecord {
    /// The record.
    #[schema(value_type = String)]
    pub record: RecordNumber,
    /// The version.
    pub version: u32,
    /// The canonical FHIR Bundle as JSON text; none when it was found tampered with.
    pub content: Option<String>,
    /// `verified`, or what was found when it was re-hashed.
    pub integrity: Integrity,
    /// Salt of the content commitment, so that the viewer can check it against the ledger.
    #[schema(value_type = String)]
    pub salt: Digest,
    /// The transaction that committed to this version.
    #[schema(value_type = String)]
    pub registration: Digest,
}

/// What re-hashing found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Integrity {
    /// The content opens its commitment on the ledger.
    Verified,
    /// Edited.
    Edited,
    /// Deleted.
    Deleted,
    /// Another record's content.
    Swapped,
    /// An earlier version's content.
    RolledBack,
}

impl From<TamperingKind> for Integrity {
    fn from(kind: TamperingKind) -> Integrity {
        match kind {
            TamperingKind::Edited => Integrity::Edited,
            TamperingKind::Deleted => Integrity::Deleted,
            TamperingKind::Swapped => Integrity::Swapped,
            TamperingKind::RolledBack => Integrity::RolledBack,
        }
    }
}

/// Opens one record by an authorization code and the patient ID. By a doctor (committed at once) or a third party (which signs: see [`RedeemReply`]).
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RedeemCode {
    /// The record (the gateway fills it in from the code's locator).
    #[schema(value_type = String)]
    pub record: RecordNumber,
    /// The code, 24 characters, groups and case as you like.
    pub code: String,
    /// The patient ID.
    pub patient_id: String,
    /// Why.
    #[schema(value_type = String)]
    pub purpose: Purpose,
}
use_case!("records", "redeem_code", RedeemCode -> RedeemReply);

/// The record, or what the redeemer has to sign first.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RedeemReply {
    /// Committed and shown.
    Viewed(ViewedRecords),
    /// Sign, hand in by `submit_signature`, then fetch with `collect_view` within 30 s.
    SignatureNeeded(crate::UnsignedCommand),
}

/// Collects the content of a view that the caller signed with the own key, within 30 s of its block time.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CollectView {
    /// The transaction that logged the view or redeemed the code.
    #[schema(value_type = String)]
    pub transaction: Digest,
}
use_case!("records", "collect_view", CollectView -> ViewedRecords);

/// Shows an authorization code to its holder. By the patient (patient's code) or the hospital (hospital's code).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShowCode {
    /// The record.
    #[schema(value_type = String)]
    pub record: RecordNumber,
}
use_case!("records", "show_code", ShowCode -> ShownCode);

/// An authorization code, for its holder.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct ShownCode {
    /// The record.
    #[schema(value_type = String)]
    pub record: RecordNumber,
    /// Whose code.
    #[schema(value_type = String)]
    pub holder: CodeHolder,
    /// The code, in groups of four.
    pub code: String,
    /// How often it was shown with a wrong patient ID since it last opened the record; after ten it opens nothing until it is changed.
    pub wrong_patient_ids: u32,
    /// Receipt of the command that set it, after a change.
    pub committed: Option<Committed>,
}

/// Changes an authorization code: a new one is drawn and the old one stops working. By its holder.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeCode {
    /// The record.
    #[schema(value_type = String)]
    pub record: RecordNumber,
    /// How often the new one may be used; without limit unless told.
    #[serde(default)]
    pub uses: Option<u32>,
    /// For how many hours; ten years unless told.
    #[serde(default)]
    pub hours: Option<u32>,
}
use_case!("records", "change_code", ChangeCode -> ShownCode);

/// Withdraws an authorization code. By its holder.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WithdrawCode {
    /// The record.
    #[schema(value_type = String)]
    pub record: RecordNumber,
}
use_case!("records", "withdraw_code", WithdrawCode -> Committed);

/// Sets the patient's standing consents at this hospital. By the patient.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetConsent {
    /// Doctors of other hospitals may open records with the hospital's code.
    pub share_for_treatment: bool,
    /// Records may be found by, and applied for, research.
    pub research: bool,
}
use_case!("records", "set_consent", SetConsent -> Committed);

/// Names a guardian for the patient's records at this hospital, or changes scope and end of one who is named. By the patient.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NameGuardian {
    /// The guardian's patient ID.
    pub patient_id: String,
    /// The guardian's name, as the guardian registered: a wrong one is answered as an unknown patient ID is.
    pub name: String,
    /// `Read`, `Decide` or `ReadAndDecide`.
    #[schema(value_type = String)]
    pub scope: DelegationScope,
    /// For how many days, 1 to 3,660.
    pub days: u32,
}
use_case!("records", "name_guardian", NameGuardian -> Committed);

/// Ends a delegation: the guardian's next act is refused. By the patient, or the guardian.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndDelegation {
    /// The patient's ledger id at this hospital.
    #[schema(value_type = String)]
    pub patient: LedgerId,
    /// The guardian's ledger id.
    #[schema(value_type = String)]
    pub guardian: LedgerId,
}
use_case!("records", "end_delegation", EndDelegation -> Committed);

/// The guardians whom the caller named at this hospital, and the patients here for whom the caller may act. By patients.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListDelegations {}
use_case!("records", "list_delegations", ListDelegations -> Delegations);

/// Delegations of one person at one hospital.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Delegations {
    /// What the caller gave, ended ones included.
    pub given: Vec<Delegation>,
    /// What the caller holds now.
    pub held: Vec<Delegation>,
}

/// One delegation, as one of the two sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Delegation {
    /// The patient's ledger id at this hospital.
    #[schema(value_type = String)]
    pub patient: LedgerId,
    /// The guardian's ledger id for this patient.
    #[schema(value_type = String)]
    pub guardian: LedgerId,
    /// The other's name.
    pub name: Option<String>,
    /// `Read`, `Decide` or `ReadAndDecide`.
    #[schema(value_type = String)]
    pub scope: DelegationScope,
    /// Until when, exclusive, RFC 3339.
    pub until: String,
    /// `holds`, `waiting` (for the guardian's endorsement), `ended` or `over`.
    pub state: String,
}

/// The patient's standing consents at this hospital, as they are. By the patient.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GetConsent {}
use_case!("records", "get_consent", GetConsent -> Consent);

/// Standing consents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Consent {
    /// Doctors of other hospitals may open records with the hospital's code.
    pub share_for_treatment: bool,
    /// Records may be found by, and applied for, research.
    pub research: bool,
}

/// Opens emergency access to one patient. By a doctor; the patient and the regulator are told at once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenEmergency {
    /// The patient, by ledger id at this hospital.
    #[schema(value_type = String)]
    pub patient: LedgerId,
    /// Why, in words.
    pub reason: String,
}
use_case!("records", "open_emergency", OpenEmergency -> OpenedEmergency);

/// An opened emergency.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OpenedEmergency {
    /// Give it to `view_records`.
    #[schema(value_type = String)]
    pub emergency: EmergencyId,
    /// Its receipt.
    pub committed: Committed,
}

/// Views records in an emergency while the ledger cannot be reached: journaled before they are shown, told to the ledger
/// later, and always reviewed. By a doctor; refused (409, `ledger-answers`) while the ledger can be reached.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ViewInOfflineEmergency {
    /// The patient, by ledger id at this hospital.
    #[schema(value_type = String)]
    pub patient: LedgerId,
    /// The records, 1 to 256, all of this patient.
    #[schema(value_type = Vec<String>)]
    pub records: Vec<RecordNumber>,
    /// Why, in words.
    pub reason: String,
}
use_case!("records", "view_in_offline_emergency", ViewInOfflineEmergency -> JournaledView);

/// Records shown from the hospital's journal of emergencies.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct JournaledView {
    /// The emergency, under which the view will stand on the ledger.
    #[schema(value_type = String)]
    pub emergency: EmergencyId,
    /// When it was journaled: RFC 3339.
    pub journaled: String,
    /// The records.
    pub records: Vec<ViewedRecord>,
}

/// What this hospital's journal of emergencies without the ledger has, newest first, and whether the ledger has it yet. A
/// doctor sees the own entries; the hospital and a regulator all.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListOfflineEmergencies {
    /// Only this one.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub emergency: Option<EmergencyId>,
    /// Which part.
    #[serde(default)]
    pub page: PageRequest,
}
use_case!("records", "list_offline_emergencies", ListOfflineEmergencies -> Page<OfflineEmergency>);

/// An entry of the journal of emergencies without the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OfflineEmergency {
    /// The emergency, under which the view stands on the ledger, or will.
    #[schema(value_type = String)]
    pub emergency: EmergencyId,
    /// The doctor who viewed.
    #[schema(value_type = String)]
    pub doctor: LedgerId,
    /// The records that were shown.
    #[schema(value_type = Vec<String>)]
    pub records: Vec<RecordNumber>,
    /// Why, in the doctor's words.
    pub reason: String,
    /// When it was journaled, before the records were shown: RFC 3339.
    pub journaled: String,
    /// The transaction that told the ledger; none while it has not been told.
    #[schema(value_type = Option<String>)]
    pub transaction: Option<Digest>,
    /// What the review said; none while it is open.
    pub justified: Option<bool>,
}

/// Emergencies that were opened at this hospital, newest first. By the hospital or a regulator.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListEmergencies {
    /// Only those whose review is open.
    #[serde(default)]
    pub unreviewed: bool,
    /// Which part.
    #[serde(default)]
    pub page: PageRequest,
}
use_case!("records", "list_emergencies", ListEmergencies -> Page<EmergencySummary>);

/// An emergency access, for those who review it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EmergencySummary {
    /// The emergency.
    #[schema(value_type = String)]
    pub emergency: EmergencyId,
    /// The patient, by ledger id at this hospital.
    #[schema(value_type = String)]
    pub patient: LedgerId,
    /// The doctor who opened it.
    #[schema(value_type = String)]
    pub doctor: LedgerId,
    /// Why, in the doctor's words.
    pub reason: String,
    /// When it was opened, RFC 3339 (block time).
    pub time: String,
    /// End of the access, RFC 3339; of a view without the ledger when it was journaled.
    pub until: String,
    /// Whether records were shown while the ledger could not be reached: journaled first, told to the ledger later.
    pub without_ledger: bool,
    /// What the review said; none while it is open.
    pub justified: Option<bool>,
    /// The transaction that opened it.
    #[schema(value_type = String)]
    pub transaction: Digest,
}

/// Closes the review of an emergency. By a regulator (holds the own key).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewEmergency {
    /// The emergency.
    #[schema(value_type = String)]
    pub emergency: EmergencyId,
    /// Whether the access was justified.
    pub justified: bool,
}
use_case!("records", "review_emergency", ReviewEmergency -> CommandReply);

/// What stands out in the use of this hospital's records during the last 30 days. By the hospital or a regulator.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListAnomalies {}
use_case!("records", "list_anomalies", ListAnomalies -> Vec<Anomaly>);

/// Something that stands out, by a rule of `docs/security.md`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Anomaly {
    /// `many_patients` (one viewer, many patients within an hour), `many_emergencies` (of one doctor) or `wrong_codes` (an
    /// authorization code shown with wrong patient IDs).
    pub rule: String,
    /// Who, where it is about somebody.
    #[schema(value_type = Option<String>)]
    pub member: Option<LedgerId>,
    /// Which record, where it is about one.
    #[schema(value_type = Option<String>)]
    pub record: Option<RecordNumber>,
    /// How many patients, emergencies or wrong IDs.
    pub count: u64,
    /// The newest time it is about, RFC 3339; none where none is kept.
    pub time: Option<String>,
}

/// Who viewed the caller's records at this hospital. By the patient.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListViewsOfOwnRecords {
    /// The patient whose guardian asks: their ledger id at this hospital. Viewers' names are the patient's to open.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub acting_for: Option<LedgerId>,
    /// Only views by others.
    #[serde(default)]
    pub by_others: bool,
    /// Which part.
    #[serde(default)]
    pub page: PageRequest,
}
use_case!("records", "list_views_of_own_records", ListViewsOfOwnRecords -> Page<ViewTrace>);

/// All views of this hospital's records, newest first; viewers by ledger id. By the hospital or a regulator.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListViews {
    /// Only these bases: as in [`ViewTrace::basis`].
    #[serde(default)]
    pub basis: Option<String>,
    /// Only by this viewer.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub viewer: Option<LedgerId>,
    /// Which part.
    #[serde(default)]
    pub page: PageRequest,
}
use_case!("records", "list_views", ListViews -> Page<ViewTrace>);

/// One view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ViewTrace {
    /// The records.
    #[schema(value_type = Vec<String>)]
    pub records: Vec<RecordNumber>,
    /// When: block time, or of an `offline_emergency` when it was journaled, RFC 3339.
    pub time: String,
    /// The viewer's ledger id.
    #[schema(value_type = String)]
    pub viewer: LedgerId,
    /// The viewer's name, opened for the patient.
    pub viewer_name: Option<String>,
    /// `owner`, `own_hospital`, `grant`, `emergency`, `offline_emergency`, `delegation`, `patient_code` or `hospital_code`.
    pub basis: String,
    /// Why.
    #[schema(value_type = String)]
    pub purpose: Purpose,
    /// The transaction.
    #[schema(value_type = String)]
    pub transaction: Digest,
}

/// The hospital's decision on an item: on approval the content is sealed and delivered first. By the hospital.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecideItemAsHospital {
    /// The item.
    #[schema(value_type = Object)]
    pub item: ItemId,
    /// Approve, or refuse with a reason.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub refuse: Option<RefusalReason>,
}
use_case!("records", "decide_item_as_hospital", DecideItemAsHospital -> Committed);

/// Lets a doctor act for this hospital. By the hospital.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AffiliateDoctor {
    /// The doctor.
    #[schema(value_type = String)]
    pub doctor: LedgerId,
    /// For how many days from now; 0 ends the affiliation.
    pub days: u32,
}
use_case!("records", "affiliate_doctor", AffiliateDoctor -> Committed);

/// Patients whose records wait for their enrolment, in no order that says anything. By the hospital and its clerks.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListWaitingPatients {
    /// Which part.
    #[serde(default)]
    pub page: PageRequest,
}
use_case!("records", "list_waiting_patients", ListWaitingPatients -> Page<WaitingPatient>);

/// A patient of the hospital who has not enrolled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WaitingPatient {
    /// The hospital's number.
    pub patient_number: String,
    /// How many records wait.
    pub records: u32,
}

/// Undoes a wrong match of a patient number: the records of that patient wait again and can't be viewed by the wrong member. By the hospital.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UndoPatientMatch {
    /// The hospital's number.
    pub patient_number: String,
}
use_case!("records", "undo_patient_match", UndoPatientMatch -> Done);

/// Re-hashes every record of this hospital and reports what does not match. By the hospital or a regulator.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SweepIntegrity {}
use_case!("records", "sweep_integrity", SweepIntegrity -> SweepReport);

/// What a sweep found.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SweepReport {
    /// Records checked.
    pub checked: u64,
    /// Records that do not match.
    pub tampered: Vec<TamperedRecord>,
}

/// A record that no longer matches the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TamperedRecord {
    /// The record.
    #[schema(value_type = String)]
    pub record: RecordNumber,
    /// What was found.
    pub integrity: Integrity,
    /// The report's transaction.
    #[schema(value_type = Option<String>)]
    pub transaction: Option<Digest>,
}

/// Erases a record: content, salts and keys are destroyed. By the patient.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EraseRecord {
    /// The record.
    #[schema(value_type = String)]
    pub record: RecordNumber,
}
use_case!("records", "erase_record", EraseRecord -> Committed);
