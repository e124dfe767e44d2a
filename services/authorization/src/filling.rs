//! The desk as the ledger fills it, without the ledger: for measurements with a hundred thousand applications.

use contracts::{ApplicationId, Purpose, RecordNumber};
use ledger::{Digest, LedgerId};
use store::Store;
use store::row;
use store::rows::{Insert, Rows};

use crate::migrations::MIGRATIONS;
use crate::rows::purpose_name;

/// A made-up application for one record, which its hospital has approved.
#[derive(Clone, Debug)]
pub struct Filled {
    /// Its id.
    pub application: ApplicationId,
    /// Where in the ledger it stands, as one number that grows.
    pub place: i64,
    /// The record.
    pub record: RecordNumber,
    /// Its hospital.
    pub hospital: LedgerId,
    /// Its owner.
    pub patient: LedgerId,
    /// Who applies.
    pub applicant: LedgerId,
    /// `patient_pending`, `patient_refused` and so on.
    pub state: &'static str,
}

static APPLICATIONS: Insert = Insert::new(
    "applications",
    &["application", "applicant", "purpose", "until_us"],
    0,
    "",
);
static STATEMENTS: Insert = Insert::new("statements", &["application", "statement", "salt"], 0, "");
static ITEMS: Insert = Insert::new(
    "items",
    &[
        "application",
        "item_index",
        "place",
        "record",
        "hospital",
        "patient",
        "applicant",
        "price",
        "item_key",
        "state",
        "hospital_approved",
        "deadline_us",
        "grant_withdrawn",
    ],
    0,
    "",
);
static TRANSACTIONS: Insert = Insert::new(
    "item_transactions",
    &["application", "item_index", "place", "transaction_id"],
    0,
    "",
);

/// A day far ahead, in microseconds since the Unix epoch.
const FAR_AHEAD_US: i64 = 4_000_000_000_000_000;

/// Puts applications into the tables in `url`, which the service has made and goes on using; the first part may be followed
/// by more.
///
/// # Errors
/// What the database says.
pub async fn fill(url: &str, parts: impl Iterator<Item = Vec<Filled>>) -> anyhow::Result<u64> {
    let store = Store::open(url, MIGRATIONS).await?;
    let mut count = 0;
    for part in parts {
        let mut rows =
            Rows::in_order(&["applications", "statements", "items", "item_transactions"]);
        for filled in &part {
            put(&mut rows, filled);
        }
        let mut transaction = store.begin().await?;
        rows.flush(&mut transaction).await?;
        transaction.commit().await?;
        count += part.len() as u64;
    }
    store.close().await;
    Ok(count)
}

fn put(rows: &mut Rows, filled: &Filled) {
    let application = filled.application.to_string();
    let applicant = filled.applicant.to_string();
    let digest = Digest([7; 32]).to_string();
    rows.insert(
        &APPLICATIONS,
        row![
            application.clone(),
            applicant.clone(),
            purpose_name(Purpose::Research),
            FAR_AHEAD_US,
        ],
    );
    rows.insert(
        &STATEMENTS,
        row![
            application.clone(),
            "A study, as measurements have them.",
            digest.clone()
        ],
    );
    rows.insert(
        &ITEMS,
        row![
            application.clone(),
            0_i64,
            filled.place,
            filled.record.to_string(),
            filled.hospital.to_string(),
            filled.patient.to_string(),
            applicant,
            100_i64,
            digest.clone(),
            filled.state,
            1_i64,
            FAR_AHEAD_US,
            0_i64,
        ],
    );
    rows.insert(
        &TRANSACTIONS,
        row![application, 0_i64, filled.place, digest],
    );
}
