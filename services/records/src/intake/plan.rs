//! The plan of an import: which records a Bundle holds, and which of them are refused with which element.

use std::collections::BTreeSet;

use clinical::brief::Brief;
use clinical::bundle::Bundle;
use clinical::claim::{self, Charge};
use clinical::json::{Json, Limits};
use clinical::record::{identity_id, patient_number};
use clinical::split::{EncounterRecord, split};
use clinical::{Record, Refusal, canonical};
use contracts::settlement::command::BenefitCategory;
use interfaces::Problem;
use interfaces::records::RefusedEntry;
use ledger::{Digest, DigestAlgorithm};
use serde::{Deserialize, Serialize};

use crate::adapters::{EncounterRows, KEY_BYTES_MAX};

/// What a Bundle holds.
pub struct Plan {
    /// Records to take in, by start of the encounter.
    pub records: Vec<PlannedRecord>,
    /// Records turned down, with the element.
    pub refused: Vec<RefusedEntry>,
}

/// One record to take in.
#[derive(Clone, Debug)]
pub struct PlannedRecord {
    /// As the hospital's database takes it.
    pub rows: EncounterRows,
    /// Start of the encounter in microseconds since the Unix epoch; 0 if unknown.
    pub start_us: i64,
    /// What the encounter was for, in words.
    pub title: String,
    /// Digests of the canonical bytes in the current form, in the order of [`DigestAlgorithm::ALL`].
    pub digests: [Digest; 2],
    /// SNOMED CT and ICD-10 codes of the conditions.
    pub diseases: BTreeSet<String>,
    /// The brief facts for the search index, canonical bytes.
    pub brief: Vec<u8>,
    /// The charges.
    pub claims: Vec<PlannedClaim>,
}

/// One charge of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedClaim {
    /// Names the claim within the record: the Claim's full URL.
    pub url: String,
    /// Coarse category.
    pub category: BenefitCategory,
    /// Charged, in cents.
    pub charged: i64,
    /// The payer as the Claim gives it.
    pub payer: String,
    /// Year of service.
    pub year: u16,
}

/// Plans the import of one patient's Bundle. `hospital` names the hospital in the brief facts.
///
/// # Errors
/// A Bundle that can't be taken in at all, with the element.
pub fn plan(bundle: &str, hospital: &str) -> Result<Plan, Problem> {
    let refuse =
        |refusal: Refusal| Problem::bad_input(&refusal.expression, refusal.fault.to_string());
    let bundle = Bundle::parse(bundle.as_bytes(), &Limits::default()).map_err(refuse)?;
    let intake = split(bundle).map_err(refuse)?;
    let mut plan = Plan {
        records: Vec::new(),
        refused: Vec::new(),
    };
    for encounter in intake.records {
        match plan_record(encounter, hospital) {
            Ok(record) => plan.records.push(record),
            Err(refused) => plan.refused.push(refused),
        }
    }
    Ok(plan)
}

/// Plans a Bundle that must hold exactly one encounter.
///
/// # Errors
/// As [`plan`], and when it holds none, several, or one that is refused.
pub fn plan_single(bundle: &str, hospital: &str) -> Result<PlannedRecord, Problem> {
    let mut plan = plan(bundle, hospital)?;
    if let Some(refused) = plan.refused.pop() {
        return Err(Problem::bad_input(&refused.element, refused.reason));
    }
    match (plan.records.pop(), plan.records.is_empty()) {
        (Some(record), true) => Ok(record),
        _ => Err(Problem::bad_input(
            "Bundle.entry",
            "must hold exactly one Encounter",
        )),
    }
}

fn plan_record(encounter: EncounterRecord, hospital: &str) -> Result<PlannedRecord, RefusedEntry> {
    let record = encounter.record;
    let here = encounter
        .encounter_url
        .clone()
        .unwrap_or_else(|| record.entries()[0].full_url.clone());
    let refuse = |element: String, reason: &str| RefusedEntry {
        element,
        reason: reason.to_owned(),
    };
    let patient = record.patient();
    let number = patient_number(patient).ok_or_else(|| {
        refuse(
            "Bundle.entry.resource.ofType(Patient).identifier".into(),
            "holds no patient number",
        )
    })?;
    let charges = claim::charges(&record).map_err(|refusal| {
        refuse(
            place_in_bundle(&record, &refusal.expression),
            &refusal.fault.to_string(),
        )
    })?;
    if let Some(charge) = charges.iter().find(|charge| charge.amount_cents < 0) {
        return Err(refuse(
            format!("{}.resource.total", of_url(&charge.claim_url)),
            "must not be negative",
        ));
    }
    let long = record
        .entries()
        .iter()
        .find(|entry| entry.full_url.len() > KEY_BYTES_MAX);
    if let Some(entry) = long {
        let cut: String = entry.full_url.chars().take(40).collect();
        return Err(refuse(
            format!("Bundle.entry.where(fullUrl.startsWith('{cut}')).fullUrl"),
            "is too long",
        ));
    }
    if number.len() > KEY_BYTES_MAX {
        return Err(refuse(
            format!("{}.resource.subject", of_url(&here)),
            "the patient number is too long",
        ));
    }
    let started = encounter.started.or_else(|| record.started());
    let year = started.map_or(0, |moment| moment.day.year.clamp(0, 9999)) as u16;
    let key = encounter_key(&record, encounter.encounter_url.as_deref(), &number);
    let brief = Brief::of(&record, hospital);
    let diseases = brief.snomed.iter().chain(&brief.icd10).cloned().collect();
    let canonical = canonical::canonical_bytes(&record);
    let digests = DigestAlgorithm::ALL.map(|algorithm| algorithm.digest(&canonical));
    let rows = EncounterRows {
        key,
        identity_id: identity_id(patient),
        patient_name: name_text(patient),
        doctor: doctor_number(&record, encounter.practitioner_key.as_deref()),
        started: start_text(&record, started.map(clinical::date::Moment::utc_text)),
        class: class_of(&record),
        patient_number: number,
        entries: record.entries().to_vec(),
    };
    Ok(PlannedRecord {
        rows,
        start_us: started.map_or(0, |moment| moment.micros),
        title: title_of(&record),
        digests,
        diseases,
        brief: ledger::canonical::encode(&brief),
        claims: charges
            .into_iter()
            .map(|charge| planned_claim(charge, year))
            .collect(),
    })
}

/// The encounter's key in the hospital's database: its first identifier, else its full URL; hashed when too long.
fn encounter_key(record: &Record, url: Option<&str>, patient_number: &str) -> String {
    let identifier = record.encounter().and_then(|encounter| {
        let first = clinical::record::identifiers(encounter)
            .into_iter()
            .next()?;
        Some(format!("{}|{}", first.system, first.value))
    });
    let key = identifier
        .or_else(|| url.map(str::to_owned))
        .unwrap_or_else(|| format!("without-encounter:{patient_number}"));
    if key.len() <= KEY_BYTES_MAX {
        key
    } else {
        format!("sha256:{}", DigestAlgorithm::Sha256.digest(key.as_bytes()))
    }
}

/// The first practitioner's identifier without its system.
fn doctor_number(record: &Record, key: Option<&str>) -> Option<String> {
    let first = record.practitioners().first().and_then(|doctor| {
        clinical::record::identifiers(doctor)
            .into_iter()
            .next()
            .map(|identifier| identifier.value)
    });
    first.or_else(|| key.map(|key| key.rsplit('|').next().unwrap_or(key).to_owned()))
}

fn start_text(record: &Record, fallback: Option<String>) -> String {
    record
        .encounter()
        .and_then(|encounter| encounter.at(&["period", "start"])?.as_str())
        .map(str::to_owned)
        .or(fallback)
        .unwrap_or_default()
}

fn class_of(record: &Record) -> String {
    let class = record
        .encounter()
        .and_then(|encounter| encounter.at(&["class", "code"])?.as_str());
    class.unwrap_or_default().to_owned()
}

/// The encounter's type in words, else its reason, else its class.
fn title_of(record: &Record) -> String {
    let Some(encounter) = record.encounter() else {
        return "Without encounter".to_owned();
    };
    let words = |name: &str| {
        let concept = encounter.list(name).first()?;
        let coding = || concept.at(&["coding", "0", "display"])?.as_str();
        concept.text("text").or_else(coding).map(str::to_owned)
    };
    words("type")
        .or_else(|| words("reasonCode"))
        .unwrap_or_else(|| class_of(record))
}

fn name_text(patient: &Json) -> String {
    let Some(name) = patient.list("name").first() else {
        return String::new();
    };
    if let Some(text) = name.text("text") {
        return text.to_owned();
    }
    let given = name.list("given").iter().filter_map(Json::as_str);
    given
        .chain(name.text("family"))
        .collect::<Vec<_>>()
        .join(" ")
}

fn planned_claim(charge: Charge, year: u16) -> PlannedClaim {
    use clinical::claim::BenefitCategory as Found;
    let category = match charge.category {
        Found::Inpatient => BenefitCategory::Inpatient,
        Found::Outpatient => BenefitCategory::Outpatient,
        Found::Emergency => BenefitCategory::Emergency,
        Found::Pharmacy => BenefitCategory::Pharmacy,
        Found::Preventive => BenefitCategory::Preventive,
        Found::DentalVision => BenefitCategory::Other,
    };
    PlannedClaim {
        url: charge.claim_url,
        category,
        charged: charge.amount_cents,
        payer: charge.payer,
        year,
    }
}

/// `Bundle.entry[n]...` counts the record's entries, which are in another order than the file's: names the entry by
/// its full URL instead.
fn place_in_bundle(record: &Record, expression: &str) -> String {
    let counted = expression
        .strip_prefix("Bundle.entry[")
        .and_then(|rest| rest.split_once(']'));
    let Some((index, rest)) = counted else {
        return expression.to_owned();
    };
    match index
        .parse::<usize>()
        .ok()
        .and_then(|index| record.entries().get(index))
    {
        Some(entry) => format!("{}{rest}", of_url(&entry.full_url)),
        None => expression.to_owned(),
    }
}

fn of_url(url: &str) -> String {
    format!("Bundle.entry.where(fullUrl = '{}')", url.replace('\'', ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::bundle_text;

    #[test]
    fn a_plan_is_the_same_each_time_so_an_import_can_be_run_again() {
        let text = bundle_text("p1", "1.00");
        let (one, two) = (plan(&text, "h").unwrap(), plan(&text, "h").unwrap());
        assert_eq!(one.records.len(), 2);
        for (one, two) in one.records.iter().zip(&two.records) {
            assert_eq!((&one.rows.key, one.digests), (&two.rows.key, two.digests));
        }
    }

    #[test]
    fn changed_content_keeps_the_encounters_key_and_changes_the_digest() {
        let one = plan(&bundle_text("p1", "1.00"), "h").unwrap();
        let two = plan(&bundle_text("p1", "1.0"), "h").unwrap();
        assert_eq!(one.records[0].rows.key, two.records[0].rows.key);
        assert_ne!(one.records[0].digests, two.records[0].digests);
        assert_eq!(one.records[1].digests, two.records[1].digests);
    }

    #[test]
    fn a_claim_that_is_no_whole_number_of_cents_refuses_its_record_alone_and_names_the_element() {
        let text = bundle_text("p1", "1.00").replace("129.16", "129.161");
        let plan = plan(&text, "h").unwrap();
        assert_eq!(plan.records.len(), 1);
        assert_eq!(plan.refused.len(), 1);
        assert_eq!(
            plan.refused[0].element,
            "Bundle.entry.where(fullUrl = 'urn:uuid:claim-1').resource.total.value"
        );
    }

    #[test]
    fn a_malformed_bundle_is_refused_whole_with_the_element() {
        let text = bundle_text("p1", "1.00").replace("\"gender\":\"female\"", "\"gender\":\"f\"");
        let problem = plan(&text, "h").map(|_| ()).unwrap_err();
        assert_eq!(problem.status, 400);
        assert_eq!(
            problem.field.as_deref(),
            Some("Bundle.entry[0].resource.gender")
        );
    }

    #[test]
    fn the_plan_names_patient_doctor_class_start_and_charges() {
        let plan = plan(&bundle_text("p1", "1.00"), "h").unwrap();
        let first = &plan.records[0];
        assert_eq!(first.rows.patient_number, "MR-p1");
        assert_eq!(first.rows.identity_id.as_deref(), Some("999-00-p1"));
        assert_eq!(first.rows.doctor.as_deref(), Some("D-7"));
        assert_eq!(first.rows.class, "AMB");
        assert_eq!(first.title, "Check-up");
        assert!(first.diseases.contains("40055000"));
        assert_eq!(first.claims.len(), 1);
        assert_eq!(
            (first.claims[0].charged, first.claims[0].year),
            (12_916, 2015)
        );
        assert_eq!(first.claims[0].payer, "medicare");
    }
}
