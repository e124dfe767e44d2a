//! The hospital's records: where their rows are, and what they are found by.

use contracts::RecordNumber;
use keys::ContentKey;
use serde::{Deserialize, Serialize};
use sqlx::AnyPool;
use sqlx::any::AnyRow;

use super::{Connection, column, record_of};
use crate::failure::Failure;
use crate::intake::PlannedRecord;
use crate::vault::{self, Vault};

/// What a summary is sealed as.
pub const SUMMARY: &str = "medshare/records/summary/v1";

/// In use.
pub const LIVE: &str = "live";
/// Given up after a wrong match: the same encounter has another number now.
pub const DETACHED: &str = "detached";
/// Erased: nothing of it is left.
pub const ERASED: &str = "erased";

/// A record of this hospital.
pub struct Stored {
    /// The record's number; on the ledger once it is registered.
    pub record: RecordNumber,
    /// Keyed hash of the patient number.
    pub patient_token: String,
    /// Its key.
    pub key: ContentKey,
    /// What staff see of it.
    pub summary: Summary,
    /// Start of the encounter, microseconds since the Unix epoch.
    pub start_us: i64,
}

/// What staff see of a record, sealed under its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The encounter's key in the hospital's database.
    pub encounter: String,
    /// The hospital's patient number.
    pub patient_number: String,
    /// The doctor's number.
    pub doctor: Option<String>,
    /// Start, as the encounter gives it.
    pub start: String,
    /// Encounter class.
    pub class: String,
    /// What it was for.
    pub title: String,
}

impl Summary {
    /// The summary of a planned record.
    pub fn of(planned: &PlannedRecord) -> Summary {
        let rows = &planned.rows;
        Summary {
            encounter: rows.key.clone(),
            patient_number: rows.patient_number.clone(),
            doctor: rows.doctor.clone(),
            start: rows.started.clone(),
            class: rows.class.clone(),
            title: planned.title.clone(),
        }
    }
}

/// Columns that [`read`] needs.
pub const COLUMNS: &str =
    "records.record, records.patient_token, records.wrapped_key, records.sealed, records.start_us";

/// Enters a new record under a random number.
pub async fn insert(
    connection: &mut Connection,
    vault: &Vault,
    record: &RecordNumber,
    patient_token: &str,
    planned: &PlannedRecord,
) -> Result<ContentKey, Failure> {
    let key = ContentKey::random();
    sqlx::query(
        "INSERT INTO records (record, patient_token, encounter_token, state, wrapped_key, sealed, doctor_token, start_us, class) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(record.to_string())
    .bind(patient_token.to_owned())
    .bind(encounter_token(vault, &planned.rows.key))
    .bind(LIVE)
    .bind(vault.wrap_record_key(patient_token, record, &key))
    .bind(vault::seal(&key, SUMMARY, &Summary::of(planned)))
    .bind(planned.rows.doctor.as_deref().map(|doctor| doctor_token(vault, doctor)))
    .bind(planned.start_us)
    .bind(planned.rows.class.clone())
    .execute(&mut *connection)
    .await?;
    set_diseases(connection, vault, record, planned).await?;
    Ok(key)
}

/// Brings what a record is found by up to date with new content.
pub async fn update(
    connection: &mut Connection,
    vault: &Vault,
    stored: &Stored,
    planned: &PlannedRecord,
) -> Result<(), Failure> {
    sqlx::query("UPDATE records SET sealed = $1, doctor_token = $2, start_us = $3, class = $4 WHERE record = $5")
        .bind(vault::seal(&stored.key, SUMMARY, &Summary::of(planned)))
        .bind(planned.rows.doctor.as_deref().map(|doctor| doctor_token(vault, doctor)))
        .bind(planned.start_us)
        .bind(planned.rows.class.clone())
        .bind(stored.record.to_string())
        .execute(&mut *connection)
        .await?;
    set_diseases(connection, vault, &stored.record, planned).await
}

async fn set_diseases(
    connection: &mut Connection,
    vault: &Vault,
    record: &RecordNumber,
    planned: &PlannedRecord,
) -> Result<(), Failure> {
    sqlx::query("DELETE FROM diseases WHERE record = $1")
        .bind(record.to_string())
        .execute(&mut *connection)
        .await?;
    for code in &planned.diseases {
        sqlx::query("INSERT INTO diseases (token, record, start_us) VALUES ($1, $2, $3) ON CONFLICT (token, record) DO NOTHING")
            .bind(disease_token(vault, code))
            .bind(record.to_string())
            .bind(planned.start_us)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// The record in use of an encounter.
pub async fn by_encounter(
    pool: &AnyPool,
    vault: &Vault,
    encounter: &str,
) -> Result<Option<Stored>, Failure> {
    let statement = "SELECT records.record, records.patient_token, records.wrapped_key, records.sealed, records.start_us \
                     FROM records WHERE encounter_token = $1 AND state = 'live'";
    let row = sqlx::query(statement)
        .bind(encounter_token(vault, encounter))
        .fetch_optional(pool)
        .await?;
    row.map(|row| read(vault, &row)).transpose()
}

/// The record of a number, if it is in use.
pub async fn find(
    pool: &AnyPool,
    vault: &Vault,
    record: &RecordNumber,
) -> Result<Option<Stored>, Failure> {
    let statement = "SELECT records.record, records.patient_token, records.wrapped_key, records.sealed, records.start_us \
                     FROM records WHERE record = $1 AND state = 'live'";
    let row = sqlx::query(statement)
        .bind(record.to_string())
        .fetch_optional(pool)
        .await?;
    row.map(|row| read(vault, &row)).transpose()
}

/// All records in use of a patient.
pub async fn of_patient(
    pool: &AnyPool,
    vault: &Vault,
    patient_token: &str,
) -> Result<Vec<Stored>, Failure> {
    let statement = "SELECT records.record, records.patient_token, records.wrapped_key, records.sealed, records.start_us \
                     FROM records WHERE patient_token = $1 AND state = 'live' ORDER BY start_us, record";
    let rows = sqlx::query(statement)
        .bind(patient_token.to_owned())
        .fetch_all(pool)
        .await?;
    rows.iter().map(|row| read(vault, row)).collect()
}

/// Forgets a record's key and everything it is found by; `state` is [`DETACHED`] or [`ERASED`].
pub async fn destroy(
    connection: &mut Connection,
    record: &RecordNumber,
    state: &'static str,
) -> Result<(), Failure> {
    for statement in [
        "DELETE FROM diseases WHERE record = $1",
        "DELETE FROM codes WHERE record = $1",
        "DELETE FROM claims WHERE record = $1",
        "DELETE FROM deliveries WHERE record = $1",
        "DELETE FROM versions WHERE record = $1",
    ] {
        sqlx::query(statement)
            .bind(record.to_string())
            .execute(&mut *connection)
            .await?;
    }
    let nothing: Vec<u8> = Vec::new();
    sqlx::query(
        "UPDATE records SET state = $1, encounter_token = $2, wrapped_key = $3, sealed = $4, patient_token = '', \
         doctor_token = NULL, start_us = 0, class = '' WHERE record = $5",
    )
    .bind(state)
    .bind(format!("{state}:{record}"))
    .bind(nothing.clone())
    .bind(nothing)
    .bind(record.to_string())
    .execute(connection)
    .await?;
    Ok(())
}

/// Reads a row of [`COLUMNS`].
pub fn read(vault: &Vault, row: &AnyRow) -> Result<Stored, Failure> {
    let record = record_of(row)?;
    let patient_token: String = column(row, "patient_token")?;
    let key = vault.unwrap_record_key(
        &patient_token,
        &record,
        &column::<Vec<u8>>(row, "wrapped_key")?,
    )?;
    let summary = vault::open(&key, SUMMARY, &column::<Vec<u8>>(row, "sealed")?)?;
    Ok(Stored {
        record,
        patient_token,
        key,
        summary,
        start_us: column(row, "start_us")?,
    })
}

/// Keyed hash of an encounter's key.
pub fn encounter_token(vault: &Vault, encounter: &str) -> String {
    vault.token("encounter", encounter.as_bytes())
}

/// Keyed hash of a doctor's number.
pub fn doctor_token(vault: &Vault, doctor: &str) -> String {
    vault.token("doctor", doctor.as_bytes())
}

/// Keyed hash of a SNOMED CT or ICD-10 code.
pub fn disease_token(vault: &Vault, code: &str) -> String {
    vault.token("disease", code.as_bytes())
}
