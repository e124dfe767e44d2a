//! Versions of records: what was, is or will be committed to.

use contracts::RecordNumber;
use keys::ContentKey;
use ledger::{Commitment, Digest};
use serde::{Deserialize, Serialize};
use sqlx::AnyPool;
use sqlx::any::AnyRow;
use store::Store;

use super::{Connection, column, count, record_of};
use crate::failure::Failure;
use crate::intake::PlannedClaim;
use crate::vault::{self, Vault};

/// The hospital's row is about to be written: the content is there, or the version never was.
pub const ANNOUNCED: &str = "announced";
/// The hospital's row is written; the patient has not enrolled yet.
pub const WAITING: &str = "waiting";
/// Salts, codes and commitments are drawn; the index may have them.
pub const PREPARED: &str = "prepared";
/// The transaction is in the outbox, or was.
pub const SUBMITTED: &str = "submitted";
/// It is on the ledger, and has been for a while: nothing is to be done about it. Most versions are settled, and whoever
/// looks for work passes them over by an index.
pub const SETTLED: &str = "settled";

/// So many submitted versions are looked through for work before it is asked which of them can be settled.
const SUBMITTED_MAX: i64 = 256;

/// One version of a record.
#[derive(Clone, Debug)]
pub struct Version {
    /// The record.
    pub record: RecordNumber,
    /// Its number, from 1.
    pub version: u32,
    /// [`ANNOUNCED`], [`WAITING`], [`PREPARED`], [`SUBMITTED`] or [`SETTLED`].
    pub state: String,
    /// Keyed hash of the SHA-256 digest of the canonical bytes.
    pub content_token: String,
    /// The mapping version it was written under.
    pub mapping_version: u32,
    /// The canonical form's version.
    pub canonical_version: u16,
    /// What is secret about it, sealed.
    pub sealed: Vec<u8>,
    /// The last transaction for it.
    pub transaction: Option<String>,
    /// Until when the last transaction for it is valid; 0 when there was none.
    pub attempt_until: i64,
    /// What the contract said to the last transaction, if that was no.
    pub rejection: Option<String>,
}

/// What is secret about a version, sealed under the record's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionSecrets {
    /// Digests of the canonical bytes, in the order of [`ledger::DigestAlgorithm::ALL`].
    pub digests: [Digest; 2],
    /// Brief facts for the index, canonical bytes.
    pub brief: Vec<u8>,
    /// The charges.
    pub claims: Vec<PlannedClaim>,
    /// Drawn when it was prepared.
    pub commitments: Option<Commitments>,
}

/// What goes to the ledger, and the salts that open it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commitments {
    /// Salt of the content commitment.
    pub salt: [u8; 32],
    /// Commitment to the content.
    pub content: Commitment,
    /// Salt of the index commitment.
    pub index_salt: [u8; 32],
    /// Commitment to the index row.
    pub index: Commitment,
}

impl Version {
    /// Opens its secrets.
    pub fn secrets(&self, key: &ContentKey) -> Result<VersionSecrets, Failure> {
        vault::open_version(key, &self.record, self.version, &self.sealed)
    }

    /// Whether its transaction may still be on its way at `now`.
    pub fn is_under_way(&self, now: i64) -> bool {
        self.state == SUBMITTED && self.attempt_until + crate::service::SETTLING_US > now
    }
}

/// The keyed hash by which equal contents are found.
pub fn content_token(vault: &Vault, digest: &Digest) -> String {
    vault.token("content", &digest.0)
}

/// Enters a version, or replaces one that was never submitted.
pub async fn put(
    connection: &mut Connection,
    vault: &Vault,
    key: &ContentKey,
    version: &Version,
    secrets: &VersionSecrets,
) -> Result<(), Failure> {
    sqlx::query(
        "INSERT INTO versions (record, version, state, content_token, mapping_version, canonical_version, sealed) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (record, version) DO UPDATE SET state = excluded.state, \
         content_token = excluded.content_token, mapping_version = excluded.mapping_version, \
         canonical_version = excluded.canonical_version, sealed = excluded.sealed, rejection = NULL",
    )
    .bind(version.record.to_string())
    .bind(i64::from(version.version))
    .bind(version.state.clone())
    .bind(content_token(vault, &secrets.digests[0]))
    .bind(i64::from(version.mapping_version))
    .bind(i64::from(version.canonical_version))
    .bind(vault::seal_version(key, &version.record, version.version, secrets))
    .execute(connection)
    .await?;
    Ok(())
}

/// Moves a version on.
pub async fn set_state(
    connection: &mut Connection,
    record: &RecordNumber,
    version: u32,
    state: &'static str,
) -> Result<(), Failure> {
    sqlx::query("UPDATE versions SET state = $1 WHERE record = $2 AND version = $3")
        .bind(state)
        .bind(record.to_string())
        .bind(i64::from(version))
        .execute(connection)
        .await?;
    Ok(())
}

/// Notes that a transaction for a version goes into the outbox.
pub async fn set_submitted(
    connection: &mut Connection,
    record: &RecordNumber,
    version: u32,
    transaction: &Digest,
    valid_until: i64,
) -> Result<(), Failure> {
    sqlx::query(
        "UPDATE versions SET state = $1, transaction_id = $2, attempt_until = $3, rejection = NULL \
         WHERE record = $4 AND version = $5",
    )
    .bind(SUBMITTED)
    .bind(transaction.to_string())
    .bind(valid_until)
    .bind(record.to_string())
    .bind(i64::from(version))
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes that the contract said no.
pub async fn set_rejected(
    connection: &mut Connection,
    record: &RecordNumber,
    version: u32,
    rejection: &str,
) -> Result<(), Failure> {
    sqlx::query("UPDATE versions SET rejection = $1 WHERE record = $2 AND version = $3")
        .bind(rejection.to_owned())
        .bind(record.to_string())
        .bind(i64::from(version))
        .execute(connection)
        .await?;
    Ok(())
}

/// Removes a version that never became one.
pub async fn remove(
    connection: &mut Connection,
    record: &RecordNumber,
    version: u32,
) -> Result<(), Failure> {
    sqlx::query("DELETE FROM versions WHERE record = $1 AND version = $2")
        .bind(record.to_string())
        .bind(i64::from(version))
        .execute(connection)
        .await?;
    Ok(())
}

/// All versions of a record, ascending.
pub async fn of_record(pool: &AnyPool, record: &RecordNumber) -> Result<Vec<Version>, Failure> {
    let rows = sqlx::query("SELECT * FROM versions WHERE record = $1 ORDER BY version")
        .bind(record.to_string())
        .fetch_all(pool)
        .await?;
    rows.iter().map(read).collect()
}

/// All versions of a patient's records in use that are not on the ledger, by record and ascending.
pub async fn open_of_patient(pool: &AnyPool, patient_token: &str) -> Result<Vec<Version>, Failure> {
    let rows = sqlx::query(
        "SELECT versions.* FROM versions JOIN records ON records.record = versions.record \
         LEFT JOIN ledger_versions ON ledger_versions.record = versions.record AND ledger_versions.version = versions.version \
         WHERE records.patient_token = $1 AND records.state = 'live' AND ledger_versions.record IS NULL \
         AND versions.state IN ('announced', 'waiting', 'prepared', 'submitted') \
         ORDER BY records.start_us, versions.record, versions.version",
    )
    .bind(patient_token.to_owned())
    .fetch_all(pool)
    .await?;
    rows.iter().map(read).collect()
}

/// Settles submitted versions that the ledger has, once there are many.
pub async fn settle(store: &Store) -> Result<(), Failure> {
    let row = sqlx::query("SELECT COUNT(*) AS submitted FROM versions WHERE state = 'submitted'")
        .fetch_one(store.reader())
        .await?;
    if column::<i64>(&row, "submitted")? < SUBMITTED_MAX {
        return Ok(());
    }
    let mut transaction = store.begin().await?;
    sqlx::query(
        "UPDATE versions SET state = $1 WHERE state = 'submitted' AND EXISTS (SELECT 1 FROM ledger_versions \
         WHERE ledger_versions.record = versions.record AND ledger_versions.version = versions.version)",
    )
    .bind(SETTLED)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(())
}

/// Records and versions that hold this content.
pub async fn with_content(
    pool: &AnyPool,
    token: &str,
) -> Result<Vec<(RecordNumber, u32)>, Failure> {
    let rows = sqlx::query(
        "SELECT record, version FROM versions WHERE content_token = $1 ORDER BY record, version",
    )
    .bind(token.to_owned())
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| Ok((record_of(row)?, count(row, "version")?)))
        .collect()
}

/// Patients that have a version which is not on the ledger, was not turned down, and has a member behind it or was
/// only announced.
pub async fn patients_with_work(pool: &AnyPool, now: i64) -> Result<Vec<String>, Failure> {
    let rows = sqlx::query(
        "SELECT DISTINCT records.patient_token FROM versions JOIN records ON records.record = versions.record \
         JOIN patients ON patients.token = records.patient_token \
         LEFT JOIN ledger_versions ON ledger_versions.record = versions.record AND ledger_versions.version = versions.version \
         WHERE versions.state IN ('announced', 'waiting', 'prepared', 'submitted') \
         AND records.state = 'live' AND ledger_versions.record IS NULL AND versions.rejection IS NULL \
         AND (versions.state = 'announced' OR patients.ledger_id IS NOT NULL) \
         AND (versions.state <> 'submitted' OR versions.attempt_until < $1) ORDER BY records.patient_token",
    )
    .bind(now - crate::service::SETTLING_US)
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| column(row, "patient_token"))
        .collect()
}

fn read(row: &AnyRow) -> Result<Version, Failure> {
    Ok(Version {
        record: record_of(row)?,
        version: count(row, "version")?,
        state: column(row, "state")?,
        content_token: column(row, "content_token")?,
        mapping_version: count(row, "mapping_version")?,
        canonical_version: u16::try_from(column::<i64>(row, "canonical_version")?)
            .map_err(|_| Failure::Row("canonical_version"))?,
        sealed: column(row, "sealed")?,
        transaction: column(row, "transaction_id")?,
        attempt_until: column(row, "attempt_until")?,
        rejection: column(row, "rejection")?,
    })
}
