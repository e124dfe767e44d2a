//! Claims of records on their way to adjudication.

use contracts::RecordNumber;
use contracts::settlement::command::ClaimReference;
use keys::ContentKey;
use ledger::{Commitment, DigestAlgorithm};
use sqlx::AnyPool;

use super::{Connection, column, count, record_of};
use crate::failure::Failure;
use crate::intake::PlannedClaim;
use crate::vault::{self, Vault};

const CLAIM: &str = "medshare/records/claim/v1";

/// A claim that waits to be submitted.
pub struct OpenClaim {
    /// Its natural key.
    pub reference: ClaimReference,
    /// The record.
    pub record: RecordNumber,
    /// The claim, sealed under the record's key.
    pub sealed: Vec<u8>,
}

/// A claim's natural key: keyed by the record's salt, over record, version and place.
pub fn reference(
    salt: &[u8; 32],
    record: &RecordNumber,
    version: u32,
    place: u32,
) -> ClaimReference {
    let parts: [&[u8]; 4] = [
        b"claim",
        &record.0,
        &version.to_be_bytes(),
        &place.to_be_bytes(),
    ];
    ClaimReference(Commitment::new(DigestAlgorithm::Sha256, salt, &parts).value)
}

/// Enters the claims of a version; a claim that an earlier version had is not entered again.
pub async fn insert(
    connection: &mut Connection,
    vault: &Vault,
    key: &ContentKey,
    salt: &[u8; 32],
    (record, version): (&RecordNumber, u32),
    claims: &[PlannedClaim],
) -> Result<(), Failure> {
    for (place, claim) in claims.iter().enumerate() {
        let place = u32::try_from(place).map_err(|_| Failure::Row("place"))?;
        sqlx::query(
            "INSERT INTO claims (reference, record, version, claim_token, sealed) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT DO NOTHING",
        )
        .bind(reference(salt, record, version, place).0.to_string())
        .bind(record.to_string())
        .bind(i64::from(version))
        .bind(vault.token("claim", claim.url.as_bytes()))
        .bind(vault::seal(key, CLAIM, claim))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Claims whose record version is on the ledger and that are not adjudicated, pended or on their way.
pub async fn open(pool: &AnyPool, now: i64, limit: i64) -> Result<Vec<OpenClaim>, Failure> {
    let rows = sqlx::query(
        "SELECT claims.reference, claims.record, claims.version, claims.sealed FROM claims \
         JOIN ledger_versions ON ledger_versions.record = claims.record AND ledger_versions.version = claims.version \
         LEFT JOIN ledger_claims ON ledger_claims.reference = claims.reference \
         WHERE claims.settled = 0 AND claims.attempt_until < $1 AND claims.rejection IS NULL \
         AND ledger_claims.reference IS NULL ORDER BY claims.reference LIMIT $2",
    )
    .bind(now - crate::service::SETTLING_US)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| {
            count(row, "version")?;
            Ok(OpenClaim {
                reference: ClaimReference(super::parsed(row, "reference")?),
                record: record_of(row)?,
                sealed: column(row, "sealed")?,
            })
        })
        .collect()
}

/// Opens a claim.
pub fn read(key: &ContentKey, claim: &OpenClaim) -> Result<PlannedClaim, Failure> {
    vault::open(key, CLAIM, &claim.sealed)
}

/// Notes that a claim's transaction goes into the outbox.
pub async fn set_attempt(
    connection: &mut Connection,
    reference: &ClaimReference,
    until: i64,
) -> Result<(), Failure> {
    sqlx::query("UPDATE claims SET attempt_until = $1 WHERE reference = $2")
        .bind(until)
        .bind(reference.0.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

/// Notes what became of a claim: settled, or turned down.
pub async fn set_outcome(
    connection: &mut Connection,
    reference: &ClaimReference,
    rejection: Option<&str>,
) -> Result<(), Failure> {
    sqlx::query("UPDATE claims SET settled = $1, rejection = $2 WHERE reference = $3")
        .bind(i64::from(rejection.is_none()))
        .bind(rejection.map(str::to_owned))
        .bind(reference.0.to_string())
        .execute(connection)
        .await?;
    Ok(())
}
