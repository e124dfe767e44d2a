//! What hospitals and devices hand in, under mutated inputs (see the crate `fuzzing`): no panic, and what is accepted
//! keeps its meaning.

use clinical::brief::Brief;
use clinical::bundle::Bundle;
use clinical::canonical::{canonical_bytes, parse_canonical};
use clinical::claim::charges;
use clinical::deidentify::release_bytes;
use clinical::generator::{Course, Plan, patients, vital_series};
use clinical::json::Limits;
use clinical::personal::personal_strings;
use clinical::record::Record;
use clinical::split::split;
use clinical::vitals::Clock;
use clinical::warning::{PatientSettings, assess};
use clinical::{physionet, senml};

const NOW: u64 = 1_500_000_000_000_000;
const CLOCK: Clock = Clock {
    now_micros: NOW,
    ahead_micros_max: 60_000_000,
    age_micros_max: 86_400_000_000,
};

/// Everything that the services do with a record that was taken in.
fn use_record(record: &Record) {
    let bytes = canonical_bytes(record);
    let again = parse_canonical(&bytes).expect("a canonical form reads back");
    assert_eq!(canonical_bytes(&again), bytes, "and is canonical");
    let _ = charges(record);
    let _ = Brief::of(record, "hospital").icd10_categories();
    let _ = release_bytes(record, &[7; 32]);
    let _ = personal_strings(&record.to_bundle());
}

#[test]
fn fuzz_fhir_bundle() {
    let plan = Plan {
        patients: 3,
        ..Plan::default()
    };
    // Records of one encounter each are small; a mutation hits something that matters more often.
    let records = patients(&plan).flat_map(|bundle| {
        let bundle = Bundle::from_json(bundle).expect("a made-up Bundle");
        let intake = split(bundle).expect("a made-up patient");
        intake.records.into_iter().take(4)
    });
    let bundles: Vec<Vec<u8>> = records
        .map(|encounter| canonical_bytes(&encounter.record))
        .collect();
    fuzzing::target("clinical-fhir-bundle")
        .json(bundles)
        .run(|bytes| {
            if let Ok(record) = Record::parse(bytes, &Limits::default()) {
                use_record(&record);
            }
            let Ok(bundle) = Bundle::parse(bytes, &Limits::default()) else {
                return false;
            };
            if let Ok(intake) = split(bundle) {
                intake.records.iter().for_each(|it| use_record(&it.record));
            }
            true
        });
}

#[test]
fn fuzz_senml_pack() {
    let series = |course| vital_series(1, 1, course, NOW - 3_600_000_000, 6, 10);
    let packs = [Course::Stable, Course::Deteriorating]
        .map(|course| senml::write("urn:dev:mac:0024befffe804ff1:", &series(course)));
    // What devices send and our own writer does not: kelvin, base values, alternative names, data, sums.
    let by_hand =
        br#"[{"bn":"ward3/","bt":-10,"bu":"K","bv":0.5,"bs":1,"n":"temperature","v":309.75,"s":2},
        {"n":"8310-5","u":"Cel","v":36.6,"ut":3},{"n":"spo2","u":"%","v":97,"t":1.5e1},
        {"n":"consciousness","vs":"A"},{"n":"x","vd":"aGk"},{"n":"y","vb":true}]"#;
    fuzzing::target("clinical-senml")
        .json(packs.into_iter().chain([by_hand.to_vec()]))
        .run(|bytes| {
            let Ok(pack) = senml::readings(bytes, &CLOCK) else {
                return false;
            };
            assert!(pack.readings.iter().all(|it| it.check(&CLOCK).is_ok()));
            let _ = assess(&pack.readings, &PatientSettings::default(), NOW);
            let written = senml::write("urn:dev:x:", &pack.readings);
            let again = senml::readings(&written, &CLOCK).expect("our own pack reads");
            assert_eq!(again.readings, pack.readings, "a pack keeps its readings");
            true
        });
}

#[test]
fn fuzz_physionet_series() {
    let text = "Time,Parameter,Value\n00:00,RecordID,132539\n00:00,Age,54\n00:00,Gender,0\n00:07,HR,73\n\
        00:07,Temp,35.1\n01:37,NISysABP,147\n02:37,SaO2,97\n47:37,RespRate,19\n47:37,GCS,15\n";
    fuzzing::target("clinical-physionet")
        .bytes([text.as_bytes().to_vec()])
        .run(|bytes| {
            let text = String::from_utf8_lossy(bytes);
            let Ok(series) = physionet::parse(&text) else {
                return false;
            };
            let _ = assess(&series.at(NOW), &PatientSettings::default(), NOW);
            true
        });
}
