//! A hospital's database as intake and ledger fill it, without either: for measurements with a million records.

use std::path::Path;

use contracts::RecordNumber;
use keys::{ContentKey, MemberKey, Secret};
use ledger::{Commitment, DigestAlgorithm, LedgerId, canonical};
use store::Store;
use store::row;
use store::rows::{Insert, Rows};

use crate::facts::patients;
use crate::facts::records::{LIVE, SUMMARY, Summary, disease_token, doctor_token, encounter_token};
use crate::migrations::MIGRATIONS;
use crate::projections::Ledger;
use crate::vault::{self, Vault};

/// A made-up record.
#[derive(Clone, Debug)]
pub struct Filled {
    /// Its number, of hex text as everywhere.
    pub record: RecordNumber,
    /// The owner's ledger id.
    pub patient: LedgerId,
    /// The hospital's patient number.
    pub patient_number: String,
    /// The author's number.
    pub doctor: String,
    /// A SNOMED CT code.
    pub disease: String,
    /// Start, RFC 3339, and in microseconds since the Unix epoch.
    pub start: (String, i64),
    /// What it was for.
    pub title: String,
}

static RECORDS: Insert = Insert::new(
    "records",
    &[
        "record",
        "patient_token",
        "encounter_token",
        "state",
        "wrapped_key",
        "sealed",
        "doctor_token",
        "start_us",
        "class",
    ],
    0,
    "",
);
static DISEASES: Insert = Insert::new("diseases", &["token", "record", "start_us"], 0, "");
static ON_LEDGER: Insert = Insert::new(
    "ledger_records",
    &["record", "patient", "version", "erased", "certified"],
    0,
    "",
);
static VERSIONS: Insert = Insert::new(
    "ledger_versions",
    &["record", "version", "commitment", "transaction_id"],
    0,
    "",
);

/// Makes the tables in `url` and puts records into them, for the hospital whose key is in `key_file` and whose master
/// secret is in `master_file`; the first part may be followed by more.
///
/// # Errors
/// What the database says, or a key file that can't be read.
pub async fn fill(
    url: &str,
    key_file: &Path,
    master_file: &Path,
    parts: impl Iterator<Item = Vec<Filled>>,
) -> anyhow::Result<u64> {
    let key = MemberKey::load(key_file)?;
    let vault = Vault::new(key.ledger_id(), &Secret::load(master_file)?);
    let store = Store::open(url, MIGRATIONS).await?;
    store::projections::keep_rows::<Ledger>(&store).await?;
    let mut count = 0;
    for part in parts {
        let mut rows =
            Rows::in_order(&["records", "diseases", "ledger_records", "ledger_versions"]);
        for filled in &part {
            put(&mut rows, &vault, filled);
        }
        let mut transaction = store.begin().await?;
        rows.flush(&mut transaction).await?;
        transaction.commit().await?;
        count += part.len() as u64;
    }
    store.close().await;
    Ok(count)
}

fn put(rows: &mut Rows, vault: &Vault, filled: &Filled) {
    let record = &filled.record;
    let key = ContentKey::random();
    let patient_token = patients::token(vault, &filled.patient_number);
    let summary = Summary {
        encounter: record.to_string(),
        patient_number: filled.patient_number.clone(),
        doctor: Some(filled.doctor.clone()),
        start: filled.start.0.clone(),
        class: "AMB".to_owned(),
        title: filled.title.clone(),
    };
    rows.insert(
        &RECORDS,
        row![
            record.to_string(),
            patient_token.clone(),
            encounter_token(vault, &summary.encounter),
            LIVE,
            vault.wrap_record_key(&patient_token, record, &key),
            vault::seal(&key, SUMMARY, &summary),
            doctor_token(vault, &filled.doctor),
            filled.start.1,
            "AMB",
        ],
    );
    rows.insert(
        &DISEASES,
        row![
            disease_token(vault, &filled.disease),
            record.to_string(),
            filled.start.1
        ],
    );
    rows.insert(
        &ON_LEDGER,
        row![
            record.to_string(),
            filled.patient.to_string(),
            1_i64,
            0_i64,
            1_i64
        ],
    );
    let commitment = Commitment::new(DigestAlgorithm::Sha256, &[7; 32], &[&record.0]);
    rows.insert(
        &VERSIONS,
        row![
            record.to_string(),
            1_i64,
            canonical::encode(&commitment),
            commitment.value.to_string(),
        ],
    );
}
