//! Authorization codes, sealed under their record's key, by the public key that the ledger has of them.

use contracts::RecordNumber;
use contracts::records::command::{Code, CodeHolder};
use keys::{AuthorizationCode, ContentKey};
use ledger::{PublicKey, Timestamp};
use sqlx::AnyPool;

use super::{Connection, column, record_of};
use crate::failure::Failure;
use crate::vault;

const CODE: &str = "medshare/records/code/v1";

/// Ten years in microseconds: how long a code lasts unless told.
pub const DEFAULT_VALIDITY_US: u64 = 3_652 * 86_400 * 1_000_000;

/// A code that was drawn for a record.
pub struct DrawnCode {
    /// The code.
    pub code: AuthorizationCode,
    /// Whose it is.
    pub holder: CodeHolder,
    /// What the ledger learns of it.
    pub public: Code,
}

impl DrawnCode {
    /// Draws a fresh code.
    pub fn draw(
        record: &RecordNumber,
        holder: CodeHolder,
        uses: u32,
        until: Timestamp,
    ) -> DrawnCode {
        let code = AuthorizationCode::random();
        let public = Code {
            key: code.key(&record.0).public_key(),
            uses,
            until,
        };
        DrawnCode {
            code,
            holder,
            public,
        }
    }
}

/// The number of a holder in tables.
pub fn holder_number(holder: CodeHolder) -> i64 {
    match holder {
        CodeHolder::Patient => 0,
        CodeHolder::Hospital => 1,
    }
}

fn holder_of(number: i64) -> Result<CodeHolder, Failure> {
    match number {
        0 => Ok(CodeHolder::Patient),
        1 => Ok(CodeHolder::Hospital),
        _ => Err(Failure::Row("holder")),
    }
}

/// Keeps a drawn code; the index does not know its locator yet.
pub async fn insert(
    connection: &mut Connection,
    key: &ContentKey,
    record: &RecordNumber,
    drawn: &DrawnCode,
) -> Result<(), Failure> {
    sqlx::query(
        "INSERT INTO codes (public_key, record, holder, sealed, uses, until, located) VALUES ($1, $2, $3, $4, $5, $6, 0)",
    )
    .bind(drawn.public.key.to_string())
    .bind(record.to_string())
    .bind(holder_number(drawn.holder))
    .bind(vault::seal(key, CODE, drawn.code.expose_bytes()))
    .bind(i64::from(drawn.public.uses))
    .bind(i64::try_from(drawn.public.until.0).unwrap_or(i64::MAX))
    .execute(connection)
    .await?;
    Ok(())
}

/// How often a code may be shown with a wrong patient ID; from then on it opens nothing.
pub const WRONG_PATIENT_IDS_MAX: u32 = 10;

/// How often a code was shown with a wrong patient ID.
pub async fn wrong_patient_ids(pool: &AnyPool, public_key: &PublicKey) -> Result<u32, Failure> {
    let row = sqlx::query("SELECT wrong_patient_ids FROM codes WHERE public_key = $1")
        .bind(public_key.to_string())
        .fetch_optional(pool)
        .await?;
    row.map_or(Ok(0), |row| super::count(&row, "wrong_patient_ids"))
}

/// The right patient ID was shown: whoever has it may go on.
pub async fn forget_wrong_patient_ids(
    connection: &mut Connection,
    public_key: &PublicKey,
) -> Result<(), Failure> {
    sqlx::query("UPDATE codes SET wrong_patient_ids = 0 WHERE public_key = $1")
        .bind(public_key.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

/// Counts one more.
pub async fn count_wrong_patient_id(
    connection: &mut Connection,
    public_key: &PublicKey,
) -> Result<(), Failure> {
    sqlx::query("UPDATE codes SET wrong_patient_ids = wrong_patient_ids + 1 WHERE public_key = $1")
        .bind(public_key.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

/// All codes ever drawn for a record that are still kept.
pub async fn of_record(
    pool: &AnyPool,
    key: &ContentKey,
    record: &RecordNumber,
) -> Result<Vec<DrawnCode>, Failure> {
    let rows =
        sqlx::query("SELECT public_key, holder, sealed, uses, until FROM codes WHERE record = $1")
            .bind(record.to_string())
            .fetch_all(pool)
            .await?;
    rows.iter()
        .map(|row| {
            let bytes = vault::open(key, CODE, &column::<Vec<u8>>(row, "sealed")?)?;
            let public: PublicKey = super::parsed(row, "public_key")?;
            Ok(DrawnCode {
                code: AuthorizationCode::from_bytes(bytes),
                holder: holder_of(column(row, "holder")?)?,
                public: Code {
                    key: public,
                    uses: super::count(row, "uses")?,
                    until: Timestamp(column::<i64>(row, "until")?.unsigned_abs()),
                },
            })
        })
        .collect()
}

/// Records with codes on the ledger of which the index was not told.
pub async fn unlocated(pool: &AnyPool) -> Result<Vec<(RecordNumber, PublicKey)>, Failure> {
    let rows = sqlx::query(
        "SELECT codes.record, codes.public_key FROM codes JOIN ledger_codes ON ledger_codes.record = codes.record \
         AND ledger_codes.public_key = codes.public_key WHERE codes.located = 0 ORDER BY codes.record LIMIT 256",
    )
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| Ok((record_of(row)?, super::parsed(row, "public_key")?)))
        .collect()
}

/// Notes that the index knows a code's locator.
pub async fn set_located(
    connection: &mut Connection,
    public_key: &PublicKey,
) -> Result<(), Failure> {
    sqlx::query("UPDATE codes SET located = 1 WHERE public_key = $1")
        .bind(public_key.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

/// Forgets all codes of a record that was never registered.
pub async fn remove_all(connection: &mut Connection, record: &RecordNumber) -> Result<(), Failure> {
    sqlx::query("DELETE FROM codes WHERE record = $1")
        .bind(record.to_string())
        .execute(connection)
        .await?;
    Ok(())
}
