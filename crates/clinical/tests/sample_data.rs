//! Claims about real input: the Synthea Bundles and the PhysioNet series.
//!
//! With MEDSHARE_SAMPLE_DATA naming a folder of FHIR R4 Bundles (and MEDSHARE_SAMPLE_VITALS one of
//! PhysioNet 2012 series) these run on that data; the counts are those of the 32-patient sample.
//! Without, they run on what the generator makes.

use std::collections::{BTreeMap, BTreeSet};

use clinical::brief::Brief;
use clinical::bundle::Bundle;
use clinical::canonical::{canonical_bytes, parse_canonical};
use clinical::claim::charges;
use clinical::deidentify::{deidentify, release_bytes};
use clinical::generator;
use clinical::hospital::hospital_of;
use clinical::json::{Json, Limits};
use clinical::personal::{PersonalKind, personal_strings};
use clinical::record::identity_id;
use clinical::split::{Intake, split};

/// Name and bytes of each Bundle, and whether they are the sample data.
fn bundles() -> (Vec<(String, Vec<u8>)>, bool) {
    let Some(folder) = std::env::var_os("MEDSHARE_SAMPLE_DATA") else {
        let made = generator::patients(&generator::Plan::default());
        let named = made
            .enumerate()
            .map(|(at, bundle)| (format!("generated {at}"), bundle.to_bytes()));
        return (named.collect(), false);
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the sample data folder") {
        let path = entry.expect("an entry of the folder").path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            found.push((
                path.display().to_string(),
                std::fs::read(&path).expect("a Bundle"),
            ));
        }
    }
    found.sort();
    (found, true)
}

fn intakes() -> (Vec<Intake>, bool) {
    let (bundles, sample) = bundles();
    let read = |(name, bytes): &(String, Vec<u8>)| {
        let bundle = Bundle::parse(bytes, &Limits::default())
            .unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        split(bundle).unwrap_or_else(|refusal| panic!("{name}: {refusal}"))
    };
    (bundles.iter().map(read).collect(), sample)
}

#[test]
fn thirty_two_patients_give_their_records_and_claims_and_nothing_is_dropped() {
    let (bundles, sample) = bundles();
    let mut records = 0;
    let mut claims = 0;
    let mut placed = [0usize; 6];
    for (name, bytes) in &bundles {
        let bundle = Bundle::parse(bytes, &Limits::default())
            .unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        let before: BTreeSet<String> = bundle
            .entries
            .iter()
            .map(|entry| entry.full_url.clone())
            .collect();
        let encounters = bundle
            .entries
            .iter()
            .filter(|entry| entry.kind() == "Encounter")
            .count();
        let intake = split(bundle).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        assert_eq!(intake.records.len(), encounters, "{name}");
        let mut owners: BTreeMap<String, usize> = BTreeMap::new();
        for record in &intake.records {
            claims += charges(&record.record)
                .unwrap_or_else(|refusal| panic!("{name}: {refusal}"))
                .len();
            for entry in record.record.entries() {
                *owners.entry(entry.full_url.clone()).or_default() += 1;
                let directory = matches!(entry.kind(), "Patient" | "Practitioner" | "Organization");
                assert!(
                    directory || owners[&entry.full_url] == 1,
                    "{name}: {} is in two records",
                    entry.full_url
                );
            }
        }
        assert_eq!(
            owners.into_keys().collect::<BTreeSet<_>>(),
            before,
            "{name}"
        );
        records += intake.records.len();
        placed
            .iter_mut()
            .zip(intake.placed_by_rule)
            .for_each(|(sum, count)| *sum += count);
    }
    assert_eq!(bundles.len(), 32);
    if sample {
        assert_eq!((records, claims), (572, 740));
        // Every Goal has a CarePlan that refers to it; the 15 AllergyIntolerances go by date.
        assert_eq!(placed, [572, 5473, 0, 41, 15, 0], "see docs/sample-data.md");
    } else {
        assert!(
            records > 32 * 5 && claims >= records,
            "{records} records, {claims} claims"
        );
    }
}

#[test]
fn every_record_reads_back_from_its_canonical_bytes_and_from_rows_in_any_order() {
    for record in intakes().0.iter().flat_map(|intake| &intake.records) {
        let bytes = canonical_bytes(&record.record);
        let again = parse_canonical(&bytes).expect("canonical bytes");
        assert_eq!(canonical_bytes(&again), bytes);
        let mut rows = record.record.entries().to_vec();
        rows.reverse();
        // A table keeps each resource as text of its own.
        for row in &mut rows {
            row.resource = Json::parse(&row.resource.to_bytes(), "Resource", &Limits::default())
                .expect("a row");
        }
        let assembled = clinical::Record::from_entries(rows).expect("a record of rows");
        assert_eq!(canonical_bytes(&assembled), bytes);
    }
}

#[test]
fn chronic_sinusitis_shows_and_hypertension_hides_under_the_threshold_of_eleven_patients() {
    let (intakes, sample) = intakes();
    let mut patients: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for (at, intake) in intakes.iter().enumerate() {
        for record in &intake.records {
            for code in Brief::of(&record.record, "h").snomed {
                patients.entry(code).or_default().insert(at);
            }
        }
    }
    let count = |code: &str| patients.get(code).map_or(0, BTreeSet::len);
    assert!(count("40055000") >= 11, "{}", count("40055000"));
    assert!(
        (1..=10).contains(&count("38341003")),
        "{}",
        count("38341003")
    );
    if sample {
        assert_eq!(
            (count("40055000"), count("38341003"), count("444814009")),
            (12, 10, 23)
        );
    }
    for code in patients.keys() {
        assert!(
            !clinical::terminology::translate(code).is_empty(),
            "{code} has no ICD-10 code"
        );
    }
}

#[test]
fn two_hospitals_share_the_organizations_and_many_patients_have_records_in_both() {
    let (intakes, sample) = intakes();
    let mut records = [0usize; 2];
    let mut both = 0;
    for intake in &intakes {
        let hospitals: Vec<usize> = intake
            .records
            .iter()
            .map(|one| hospital_of(one.organization_key.as_deref().expect("an organization"), 2))
            .collect();
        hospitals
            .iter()
            .for_each(|hospital| records[*hospital] += 1);
        both += usize::from(hospitals.contains(&0) && hospitals.contains(&1));
    }
    if sample {
        assert_eq!((records, both), ([276, 296], 12), "see docs/sample-data.md");
    } else {
        let total: usize = records.iter().sum();
        assert!(
            records.iter().all(|count| *count * 3 >= total),
            "{records:?}"
        );
        assert!(both >= 20, "{both} patients with records in both");
    }
}

#[test]
fn released_copies_are_accepted_by_fhir_and_hold_no_personal_string() {
    for intake in &intakes().0 {
        let personal: Vec<String> = personal_strings(&intake.patient.resource)
            .into_iter()
            .chain(
                intake
                    .practitioners
                    .iter()
                    .flat_map(|one| personal_strings(&one.resource)),
            )
            .filter(|one| one.is_distinctive() && one.kind != PersonalKind::Text)
            .map(|one| one.text.to_lowercase())
            .collect();
        assert!(personal.len() > 5);
        for record in &intake.records {
            let copy = deidentify(&record.record, &[3; 32]);
            let root = clinical::refusal::Place::root("Bundle");
            clinical::structure::check_resource(&copy, &root).expect("a copy that FHIR accepts");
            assert_eq!(release_bytes(&record.record, &[3; 32]), copy.to_bytes());
            // Displays of standard terms are other people's words: a name that is also a common word
            // may stand there.
            let text = copy.to_string().to_lowercase();
            let displays = displays(&copy).to_lowercase();
            for word in &personal {
                assert_eq!(
                    text.matches(word).count(),
                    displays.matches(word).count(),
                    "{word}"
                );
            }
        }
    }
}

fn displays(json: &Json) -> String {
    match json {
        Json::Object(object) => {
            let inner = object.iter().map(|(name, value)| match value {
                Json::String(text) if name == "display" => format!("{text}\n"),
                other => displays(other),
            });
            inner.collect()
        }
        Json::Array(items) => items.iter().map(displays).collect(),
        _ => String::new(),
    }
}

#[test]
fn every_patient_has_an_identity_id_of_their_own() {
    let (intakes, _) = intakes();
    let ids: BTreeSet<String> = intakes
        .iter()
        .map(|intake| identity_id(&intake.patient.resource).expect("an identity ID"))
        .collect();
    assert_eq!(ids.len(), intakes.len());
}

#[test]
fn the_intensive_care_series_are_read_and_assessed() {
    let Some(folder) = std::env::var_os("MEDSHARE_SAMPLE_VITALS") else {
        return;
    };
    let mut series = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the series folder") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a series");
        series.push(
            clinical::physionet::parse(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display())),
        );
    }
    assert_eq!(series.len(), 120);
    let mut totals = 0;
    let mut warned = 0;
    let mut with_oxygen = 0;
    for stay in &series {
        assert!(!stay.readings.is_empty());
        let readings = stay.at(1_000_000_000_000_000);
        let settings = clinical::warning::PatientSettings {
            age_years: stay.age_years,
            ..Default::default()
        };
        with_oxygen += usize::from(
            readings
                .iter()
                .any(|one| one.sign == clinical::vitals::VitalSign::OxygenConcentration),
        );
        let mut any = (false, false);
        for hour in 1..48u64 {
            let now = 1_000_000_000_000_000 + hour * 3_600_000_000;
            let so_far: Vec<_> = readings
                .iter()
                .copied()
                .filter(|one| one.at_micros <= now)
                .collect();
            let found = clinical::warning::assess(&so_far, &settings, now);
            any.0 |= found.score.is_some_and(|score| score.total.is_some());
            any.1 |= found.escalation.is_some();
        }
        totals += usize::from(any.0);
        warned += usize::from(any.1);
    }
    assert_eq!(with_oxygen, 36);
    assert!(totals > 0 && totals <= 36, "{totals}");
    assert!(warned > 60, "{warned}");
}
