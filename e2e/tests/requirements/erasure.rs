//! What is erased is nowhere.

use std::collections::BTreeSet;
use std::path::Path;

use aho_corasick::AhoCorasick;
use contracts::Event;
use contracts::records::event::Event as Records;
use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER};
use e2e::canary::files;
use e2e::cast::{Cast, made_up, until_some};
use e2e::chain::events;
use e2e::system::Setup;
use interfaces::Page;
use interfaces::records::{RecordSummary, ViewedRecords};
use serde_json::{Value, json};
use sqlx::{AnyConnection, Connection as _, Row as _};

/// Files that hold one of the strings, with how many.
fn holders(folder: &Path, strings: &BTreeSet<Vec<u8>>) -> Vec<(String, usize)> {
    let search = AhoCorasick::new(strings).expect("a search");
    let mut found = Vec::new();
    for file in files(folder) {
        let bytes = std::fs::read(&file).unwrap_or_default();
        let of_file: BTreeSet<_> = search
            .find_overlapping_iter(&bytes)
            .map(|one| one.pattern())
            .collect();
        if !of_file.is_empty() {
            let name = file.strip_prefix(folder).unwrap().display().to_string();
            found.push((name, of_file.len()));
        }
    }
    found
}

/// What a hospital keeps for itself: people and places that other records name as well.
const SHARED: [&str; 5] = [
    "Patient",
    "Practitioner",
    "PractitionerRole",
    "Organization",
    "Location",
];

/// Ids of a record's own resources: nothing else in the system is called so.
fn ids(value: &Value, found: &mut BTreeSet<Vec<u8>>) {
    match value {
        Value::Object(fields) => {
            if let Some(id) = fields.get("id").and_then(Value::as_str)
                && id.len() >= 30
                && let Some(kind) = fields.get("resourceType").and_then(Value::as_str)
                && !SHARED.contains(&kind)
            {
                found.insert(id.as_bytes().to_vec());
            }
            fields.values().for_each(|field| ids(field, found));
        }
        Value::Array(values) => values.iter().for_each(|value| ids(value, found)),
        _ => {}
    }
}

/// What seals a record, from the hospital's own tables: wrapped key and sealed facts, as bytes and as text.
async fn secrets(file: &Path, record: &str) -> BTreeSet<Vec<u8>> {
    sqlx::any::install_default_drivers();
    let mut database = AnyConnection::connect(&format!("sqlite://{}", file.display()))
        .await
        .unwrap();
    let row = sqlx::query("SELECT wrapped_key, sealed FROM records WHERE record = $1")
        .bind(record)
        .fetch_one(&mut database)
        .await
        .unwrap();
    let mut found = BTreeSet::new();
    for place in 0..2 {
        let bytes: Vec<u8> = row.get(place);
        // The beginning is a random nonce: as good as all of it, and on one page of the file.
        let begin = &bytes[..24];
        for text in [
            HEXLOWER.encode(begin),
            BASE64_NOPAD.encode(begin),
            BASE64URL_NOPAD.encode(begin),
        ] {
            found.insert(text.into_bytes());
        }
        found.insert(begin.to_vec());
    }
    found
}

/// A94. Fault: erasing leaves rows, keys, index facts, logs of a database, or pages that were freed and not overwritten.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_patient_had_erased_is_in_no_file_of_any_process() {
    let system = Setup::new().start();
    let cast = Cast::gather(&system).await;
    let person = &made_up(1)[0];
    let patient = cast.patient(person).await;
    let hospital = cast.hospitals[0].clone();
    hospital.import(&person.bundle).await.unwrap();
    let page = until_some(async || {
        let page: Page<RecordSummary> = patient
            .member
            .get(&hospital.path("records/own"))
            .await
            .ok()?;
        let all = page.entries.iter().filter(|entry| entry.record.is_some());
        (all.count() == person.records).then_some(page)
    })
    .await;
    let record = page.entries[0].record.unwrap();
    let wanted = json!({ "records": [record], "purpose": "PatientRequest" });
    let viewed: ViewedRecords = patient
        .member
        .post(&hospital.path("records/views"), &wanted)
        .await
        .unwrap();
    let content = viewed.records[0].content.clone().expect("its content");
    let content: Value = serde_json::from_str(&content).unwrap();
    let mut strings = BTreeSet::new();
    ids(&content, &mut strings);
    assert!(strings.len() >= 2, "{content}");
    let own = system
        .process("records-lakeside")
        .join("data/records-lakeside.db");
    let keys = secrets(&own, &record.to_string()).await;
    // The search finds them where they are.
    let before = holders(system.root(), &strings);
    assert!(
        before.iter().any(|(file, _)| file.contains("hospital.db")),
        "{before:?}"
    );
    assert!(!holders(system.root(), &keys).is_empty());

    let path = hospital.path(&format!("records/{record}"));
    let _: Value = patient.member.delete(&path).await.unwrap();
    until_some(async || {
        let certified = events(&system.blocks(0)).into_iter().any(|decided| {
            matches!(decided.event, Event::Records(Records::ErasureCertified { record: of, .. }) if of == record)
        });
        certified.then_some(())
    })
    .await;
    // Certified is what was destroyed before. The index has heard of it from the ledger, a moment later at most.
    let mut everything = strings;
    everything.extend(keys);
    let left = holders(system.root(), &everything);
    assert!(left.is_empty(), "erased, and still in: {left:?}");
    let index = system.process("index").join("data/index.db");
    let index = format!("sqlite://{}", index.display());
    until_some(async || {
        let mut database = AnyConnection::connect(&index).await.ok()?;
        let count = "SELECT COUNT(*) FROM index_rows WHERE record = $1";
        let (rows,): (i64,) = sqlx::query_as(count)
            .bind(record.to_string())
            .fetch_one(&mut database)
            .await
            .ok()?;
        (rows == 0).then_some(())
    })
    .await;
    // The patient's other records are as they were.
    let others: Page<RecordSummary> = patient
        .member
        .get(&hospital.path("records/own"))
        .await
        .unwrap();
    assert_eq!(others.entries.len(), person.records - 1);
}
