//! Index: disease search with brief, de-identified answers.

use contracts::RecordNumber;
use ledger::{Commitment, Digest, DigestAlgorithm, LedgerId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::identity::Done;
use crate::{Base64, PageRequest, use_case};

/// Searches a disease. By a third party or an insurer.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchDisease {
    /// SNOMED CT or ICD-10 code, or words of a disease's name.
    pub disease: String,
    /// Only encounters in or after this year.
    #[serde(default)]
    pub from_year: Option<u16>,
    /// Only encounters in or before this year.
    #[serde(default)]
    pub until_year: Option<u16>,
    /// Which part.
    #[serde(default)]
    pub page: PageRequest,
}
use_case!("index", "search_disease", SearchDisease -> DiseaseSearchResult);

/// Brief, de-identified answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiseaseSearchResult {
    /// The disease, as understood.
    pub disease: String,
    /// Patients found; none when fewer than the small-cell threshold (nothing else is shown then).
    pub patients: Option<u64>,
    /// Whether the answer is suppressed because too few patients have the disease.
    pub suppressed: bool,
    /// Patients by hospital, age band and sex; small cells and their complements are suppressed (no number).
    pub cells: Vec<SearchCell>,
    /// Records to apply for.
    pub records: Vec<BriefRecord>,
    /// Give it back as `page.after` for more.
    pub next: Option<String>,
}

/// A cell of a breakdown, counted in patients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SearchCell {
    /// `hospital`, `age_band`, `sex` or `years`.
    pub dimension: String,
    /// The value.
    pub value: String,
    /// Patients; none when suppressed.
    pub patients: Option<u64>,
}

/// The brief information of one record. A value whose cell is suppressed is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BriefRecord {
    /// Stands for the record, for this applicant alone: give it to `apply_for_records`.
    #[schema(value_type = String)]
    pub handle: RecordHandle,
    /// The hospital that holds it.
    #[schema(value_type = Option<String>)]
    pub hospital: Option<LedgerId>,
    /// Five years in which the encounter was, `2010-2014`.
    pub years: Option<String>,
    /// Age band at the encounter.
    pub age_band: Option<String>,
    /// Administrative sex.
    pub sex: Option<String>,
    /// Encounter class.
    pub class: String,
}

ledger::identifier16! {
    /// What stands for a record in one applicant's search answers; two applicants' handles can't be matched.
    RecordHandle
}

/// The records behind an applicant's handles. For the authorization service.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ResolveHandles {
    /// Whose handles.
    pub applicant: LedgerId,
    /// The handles.
    pub handles: Vec<RecordHandle>,
}
use_case!("index", "resolve_handles", ResolveHandles -> ResolvedHandles);

/// Records, in the order asked; none for a handle that was never given to this applicant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ResolvedHandles {
    /// One a handle.
    pub records: Vec<Option<RecordNumber>>,
}

/// Hands in index rows before their records are committed. By a hospital's records service.
#[derive(Clone, Serialize, Deserialize)]
pub struct PutIndexRows {
    /// The rows.
    pub rows: Vec<IndexRow>,
}
use_case!("index", "put_index_rows", PutIndexRows -> Done);

/// A row of the search index; it counts once its record's commitment on the ledger opens with it.
#[derive(Clone, Serialize, Deserialize)]
pub struct IndexRow {
    /// The record.
    pub record: RecordNumber,
    /// The version.
    pub version: u32,
    /// The hospital.
    pub hospital: LedgerId,
    /// The patient's ledger id at the hospital.
    pub patient: LedgerId,
    /// Counts patients across hospitals (`identity::PatientMatch::person`).
    pub person: Digest,
    /// The brief facts: canonical bytes of a `clinical::brief::Brief`.
    pub facts: Base64,
    /// Salt of the index commitment.
    pub salt: Digest,
}

impl IndexRow {
    /// The commitment to this row, as `RegisterRecord` and `AmendRecord` put it on the ledger: over record, version
    /// (big-endian), hospital, patient, person and facts, in this order.
    pub fn commitment(&self, algorithm: DigestAlgorithm) -> Commitment {
        let version = self.version.to_be_bytes();
        let parts: [&[u8]; 6] = [
            &self.record.0,
            &version,
            &self.hospital.0,
            &self.patient.0,
            &self.person.0,
            &self.facts.0,
        ];
        Commitment::new(algorithm, &self.salt.0, &parts)
    }

    /// Whether the ledger's commitment is to this row.
    pub fn opens(&self, commitment: &Commitment) -> bool {
        self.commitment(commitment.algorithm) == *commitment
    }
}

/// Says which record a code opens. By hospitals' records services; the locator is one-way.
#[derive(Clone, Serialize, Deserialize)]
pub struct PutCodeLocators {
    /// Locator of a code, and its record; an older locator of the same record and holder is forgotten.
    pub locators: Vec<CodeLocator>,
}
use_case!("index", "put_code_locators", PutCodeLocators -> Done);

/// Where a code leads.
#[derive(Clone, Serialize, Deserialize)]
pub struct CodeLocator {
    /// Derived from the code alone (`keys::code`).
    pub locator: Digest,
    /// The record.
    pub record: RecordNumber,
    /// `patient` or `hospital`.
    pub holder: String,
    /// Bus name of the records service that holds the record.
    pub service: String,
}

/// Finds the record a code opens. For the gateway.
#[derive(Clone, Serialize, Deserialize)]
pub struct LocateCode {
    /// Derived from the code alone.
    pub locator: Digest,
}
use_case!("index", "locate_code", LocateCode -> LocatedCode);

/// Where a code leads.
#[derive(Clone, Serialize, Deserialize)]
pub struct LocatedCode {
    /// The record.
    pub record: RecordNumber,
    /// Bus name of the records service.
    pub service: String,
}
