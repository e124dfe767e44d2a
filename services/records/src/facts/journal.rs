//! The journal of emergency views while the ledger could not be reached: each entry is signed by the hospital, names the
//! digest of the one before, and is on disk before its content is shown. It is told to the ledger later.

use contracts::EmergencyId;
use contracts::records::command::ReportOfflineEmergency;
use keys::MemberKey;
use ledger::{Digest, DigestAlgorithm, PublicKey, Signature, canonical};
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AnyPool, Row};

use super::{Connection, column, parsed};
use crate::failure::Failure;

const DOMAIN: &str = "medshare/emergency-journal/v1";

/// What the hospital signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    /// Digest of the entry before; zero for the first.
    previous: Digest,
    report: ReportOfflineEmergency,
}

/// Adds an entry. The transaction's commit is its sync; one at a time ([`crate::service::Records::journal`]).
pub async fn append(
    connection: &mut Connection,
    key: &MemberKey,
    report: &ReportOfflineEmergency,
) -> Result<(), Failure> {
    let last =
        sqlx::query("SELECT number, entry FROM emergency_journal ORDER BY number DESC LIMIT 1")
            .fetch_optional(&mut *connection)
            .await?;
    let (number, previous) = match last {
        Some(row) => (
            row.try_get::<i64, _>(0)? + 1,
            DigestAlgorithm::Sha256.digest(&column::<Vec<u8>>(&row, "entry")?),
        ),
        None => (0, Digest::ZERO),
    };
    let entry = canonical::encode(&Entry {
        previous,
        report: report.clone(),
    });
    let signature = key.sign_message(DOMAIN, &entry);
    sqlx::query(
        "INSERT INTO emergency_journal (number, emergency, doctor, entry, signature) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(number)
    .bind(report.emergency.to_string())
    .bind(report.doctor.to_string())
    .bind(entry)
    .bind(signature.0.to_vec())
    .execute(connection)
    .await?;
    Ok(())
}

/// What the ledger does not have yet and is not on its way, oldest first.
pub async fn unreported(
    pool: &AnyPool,
    hospital: &PublicKey,
    settled: i64,
) -> Result<Vec<ReportOfflineEmergency>, Failure> {
    let rows = sqlx::query(
        "SELECT emergency, entry, signature FROM emergency_journal \
         WHERE attempt_until < $1 AND NOT EXISTS \
         (SELECT 1 FROM ledger_emergencies WHERE ledger_emergencies.emergency = emergency_journal.emergency) \
         ORDER BY number",
    )
    .bind(settled)
    .fetch_all(pool)
    .await?;
    let mut reports = Vec::with_capacity(rows.len());
    for row in rows {
        reports.extend(read(&row, hospital)?);
    }
    Ok(reports)
}

/// The report of a row (`emergency`, `entry`, `signature`); none when it is not what the hospital signed.
pub fn read(row: &AnyRow, hospital: &PublicKey) -> Result<Option<ReportOfflineEmergency>, Failure> {
    let entry: Vec<u8> = column(row, "entry")?;
    let signature: Vec<u8> = column(row, "signature")?;
    let holds = <[u8; 64]>::try_from(signature)
        .is_ok_and(|bytes| hospital.verify(DOMAIN, &entry, &Signature(bytes)).is_ok());
    let entry = canonical::decode::<Entry>(&entry).ok().filter(|_| holds);
    if entry.is_none() {
        let emergency: EmergencyId = parsed(row, "emergency")?;
        tracing::error!(%emergency, "an entry of the emergency journal was changed and is left out");
    }
    Ok(entry.map(|entry| entry.report))
}

/// Notes that an entry's transaction goes into the outbox.
pub async fn set_attempt(
    connection: &mut Connection,
    emergency: &EmergencyId,
    until: i64,
) -> Result<(), Failure> {
    sqlx::query("UPDATE emergency_journal SET attempt_until = $1 WHERE emergency = $2")
        .bind(until)
        .bind(emergency.to_string())
        .execute(connection)
        .await?;
    Ok(())
}
