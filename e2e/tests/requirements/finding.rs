//! A hospital finds its records.

use std::collections::BTreeSet;

use contracts::RecordNumber;
use e2e::cast::{Cast, Hospital, made_up, until_some};
use e2e::system::Setup;
use interfaces::Page;
use interfaces::records::RecordSummary;
use serde_json::{Value, json};

async fn found(hospital: &Hospital, filter: Value) -> Vec<RecordSummary> {
    let mut asked = filter;
    asked["page"] = json!({ "limit": 500 });
    let page: Page<RecordSummary> = hospital
        .member
        .post(&hospital.path("records/search"), &asked)
        .await
        .unwrap();
    page.entries
}

fn numbers(records: &[RecordSummary]) -> BTreeSet<Option<RecordNumber>> {
    records.iter().map(|record| record.record).collect()
}

/// A90. Fault: a filter is taken from the request and not put into the question to the database.
#[tokio::test(flavor = "multi_thread")]
async fn a_hospital_finds_its_records_by_doctor_patient_date_and_disease() {
    let system = Setup::new().start();
    let cast = Cast::gather(&system).await;
    let people = made_up(2);
    let hospital = &cast.hospitals[0];
    for person in &people {
        cast.patient(person).await;
        until_some(async || {
            let report = hospital.import(&person.bundle).await.unwrap();
            (report.unchanged.len() == person.records).then_some(())
        })
        .await;
    }
    let all = found(hospital, json!({})).await;
    assert_eq!(
        all.len(),
        people.iter().map(|person| person.records).sum::<usize>()
    );

    // Patients divide the records between them; so do doctors; so does a day.
    for (name, of) in [
        ("patient", &|it: &RecordSummary| it.patient_number.clone()),
        ("doctor", &|it: &RecordSummary| it.doctor.clone()),
    ] as [(&str, &dyn Fn(&RecordSummary) -> Option<String>); 2]
    {
        let values: BTreeSet<String> = all.iter().filter_map(of).collect();
        assert!(!values.is_empty(), "no record names a {name}");
        for value in values {
            let expected: Vec<_> = all
                .iter()
                .filter(|record| of(record).as_ref() == Some(&value))
                .cloned()
                .collect();
            let filtered = found(hospital, json!({ name: value })).await;
            assert_eq!(numbers(&filtered), numbers(&expected), "{name} {value}");
        }
    }
    let mut starts: Vec<String> = all.iter().map(|record| record.start.clone()).collect();
    starts.sort();
    let day = starts[starts.len() / 2][..10].to_owned();
    let from = found(hospital, json!({ "from": day })).await;
    let until = found(hospital, json!({ "until": day })).await;
    assert!(!from.is_empty() && !until.is_empty());
    assert!(from.iter().all(|record| record.start[..10] >= *day));
    assert!(until.iter().all(|record| record.start[..10] < *day));
    assert_eq!(from.len() + until.len(), all.len());

    let diseased = found(hospital, json!({ "disease": "40055000" })).await;
    let otherwise = found(hospital, json!({ "disease": "J32.9" })).await;
    assert_eq!(numbers(&diseased), numbers(&otherwise));
    assert!(diseased.len() < all.len());
    assert!(numbers(&diseased).is_subset(&numbers(&all)));
}
