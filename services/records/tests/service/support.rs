//! What the tests share: imports, a patient with records, edits behind the back.

use contracts::records::event::Event as RecordEvent;
use contracts::settlement::event::Event as Settled;
use contracts::{Event, Purpose, RecordNumber};
use interfaces::Problem;
use interfaces::records::{AffiliateDoctor, FindRecords, ImportBundle, ImportReport, ViewRecords};
use ledger::Timestamp;
use sqlx::{AssertSqlSafe, Connection, Executor};
use store::testing::TestDatabase;

use crate::bundles::bundle_text;
use crate::consortium::Consortium;

pub const IDENTITY_ID: &str = "999-00-p1";

pub async fn start(mapping: &str) -> Consortium {
    Consortium::start(mapping, TestDatabase::sqlite()).await
}

pub async fn import(consortium: &Consortium, value: &str) -> ImportReport {
    let bundle = bundle_text("p1", value);
    consortium
        .ask(&consortium.north, ImportBundle { bundle })
        .await
        .unwrap()
}

/// An enrolled patient with two registered records; the one with the measured value first.
pub async fn with_records(mapping: &str) -> (Consortium, Vec<RecordNumber>) {
    let consortium = start(mapping).await;
    let records = fill(&consortium).await;
    (consortium, records)
}

pub async fn fill(consortium: &Consortium) -> Vec<RecordNumber> {
    consortium.enrol(IDENTITY_ID, &consortium.patient);
    let report = import(consortium, "1.00").await;
    assert_eq!(
        (
            report.registered.len(),
            report.waiting,
            report.refused.len()
        ),
        (2, 0, 0)
    );
    consortium
        .ask(
            &consortium.north,
            affiliation(consortium.doctor.key.ledger_id()),
        )
        .await
        .unwrap();
    let found = consortium
        .ask(&consortium.north, FindRecords::default())
        .await
        .unwrap();
    let mut records: Vec<_> = found
        .entries
        .into_iter()
        .map(|entry| (entry.start, entry.record.unwrap()))
        .collect();
    records.sort();
    records.into_iter().map(|(_, record)| record).collect()
}

pub fn affiliation(doctor: ledger::LedgerId) -> AffiliateDoctor {
    AffiliateDoctor { doctor, days: 30 }
}

pub fn view(records: &[RecordNumber], purpose: Purpose) -> ViewRecords {
    ViewRecords {
        records: records.to_vec(),
        purpose,
        emergency: None,
    }
}

pub async fn edit(consortium: &Consortium, statement: &str) {
    sqlx::any::install_default_drivers();
    let mut connection = sqlx::AnyConnection::connect(&consortium.hospital_url())
        .await
        .unwrap();
    connection
        .execute(sqlx::raw_sql("PRAGMA busy_timeout = 10000"))
        .await
        .unwrap();
    connection
        .execute(sqlx::raw_sql(AssertSqlSafe(statement.to_owned())))
        .await
        .unwrap();
}

pub fn status<T>(answer: Result<T, Problem>) -> u16 {
    answer.map_or_else(|problem| problem.status, |_| 200)
}

pub fn is_registered(event: &Event) -> bool {
    matches!(event, Event::Records(RecordEvent::RecordRegistered { .. }))
}

pub fn is_claim(event: &Event) -> bool {
    matches!(
        event,
        Event::Settlement(Settled::ClaimAdjudicated { .. } | Settled::ClaimPended { .. })
    )
}

pub fn south_affiliation(consortium: &Consortium) -> contracts::membership::Command {
    let now = chassis::clock::now();
    contracts::membership::Command::AffiliateDoctor {
        doctor: consortium.visitor.key.ledger_id(),
        from: Timestamp(now - 1_000_000),
        until: Timestamp(now + 3_600_000_000),
    }
}
