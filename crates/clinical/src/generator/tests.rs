use std::collections::BTreeSet;

use super::*;
use crate::bundle::Bundle;
use crate::canonical::canonical_bytes;
use crate::hospital::hospital_of;
use crate::json::Limits;
use crate::split::split;
use crate::vitals::Clock;
use crate::warning::{Escalation, PatientSettings, assess};

#[test]
fn the_same_seed_gives_the_same_patients_and_another_seed_others() {
    let plan = Plan::default();
    let first: Vec<Json> = patients(&plan).collect();
    assert_eq!(first, patients(&plan).collect::<Vec<_>>());
    assert_eq!(
        first[7],
        patients(&Plan {
            first: 7,
            patients: 1,
            ..plan
        })
        .next()
        .unwrap()
    );
    assert_ne!(first[0], patient(&Plan { seed: 2, ..plan }, 0));
}

#[test]
fn generated_patients_are_accepted_for_any_seed_and_number() {
    for seed in [1, 2, 77, u64::MAX] {
        for number in [0, 1, 31, 32, 9_999, 123_456] {
            let made = patient(
                &Plan {
                    seed,
                    ..Plan::default()
                },
                number,
            );
            let bundle = Bundle::parse(&made.to_bytes(), &Limits::default())
                .unwrap_or_else(|refusal| panic!("{refusal}"));
            let intake = split(bundle).unwrap();
            assert!(!intake.records.is_empty(), "seed {seed} patient {number}");
            for record in &intake.records {
                canonical_bytes(&record.record);
                assert!(!crate::claim::charges(&record.record).unwrap().is_empty());
            }
        }
    }
}

#[test]
fn the_marked_diseases_hold_for_every_seed() {
    for seed in 0..40 {
        let marked: Vec<(bool, bool)> = (0..32)
            .map(|number| marked_diseases(seed, number))
            .collect();
        assert_eq!(
            marked.iter().filter(|(sinusitis, _)| *sinusitis).count(),
            12
        );
        assert_eq!(
            marked
                .iter()
                .filter(|(_, hypertension)| *hypertension)
                .count(),
            9
        );
        let plan = Plan {
            seed,
            ..Plan::default()
        };
        for (number, (sinusitis, hypertension)) in marked.into_iter().enumerate() {
            let text = patient(&plan, number).to_string();
            assert_eq!(
                text.contains("\"40055000\""),
                sinusitis,
                "seed {seed} patient {number}"
            );
            assert_eq!(
                text.contains("\"38341003\""),
                hypertension,
                "seed {seed} patient {number}"
            );
        }
    }
}

#[test]
fn organizations_alternate_between_two_hospitals_and_identity_ids_are_unique() {
    let mut ids = BTreeSet::new();
    for made in patients(&Plan {
        patients: 200,
        ..Plan::default()
    }) {
        let intake = split(Bundle::from_json(made).unwrap()).unwrap();
        ids.insert(crate::record::identity_id(&intake.patient.resource).unwrap());
        for record in &intake.records {
            assert!(hospital_of(record.organization_key.as_deref().unwrap(), 2) < 2);
            assert!(record.practitioner_key.is_some());
        }
    }
    assert_eq!(ids.len(), 200);
}

#[test]
fn series_do_what_their_course_says() {
    let start = 1_700_000_000_000_000;
    let settings = PatientSettings::default();
    let clock = Clock {
        now_micros: start,
        ahead_micros_max: u64::MAX / 4,
        age_micros_max: 0,
    };
    for number in 0..20 {
        for course in [Course::Stable, Course::Deteriorating, Course::LosingContact] {
            let series = vital_series(5, number, course, start, 48, 5);
            let accepted: Vec<_> = series
                .iter()
                .copied()
                .filter(|reading| reading.check(&clock).is_ok())
                .collect();
            assert_eq!(
                accepted.len() < series.len(),
                course == Course::LosingContact
            );
            let mut worst = None;
            for sample in 0..48u64 {
                let now = start + sample * 5 * 60_000_000;
                let so_far: Vec<_> = accepted
                    .iter()
                    .copied()
                    .filter(|reading| reading.at_micros <= now)
                    .collect();
                worst = worst.max(assess(&so_far, &settings, now).escalation);
            }
            let expected = (course == Course::Deteriorating).then_some(Escalation::Emergency);
            assert_eq!(worst, expected, "{course:?} {number}");
        }
    }
}
