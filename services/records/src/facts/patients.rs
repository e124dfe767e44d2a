//! The hospital's patients and the members behind them.

use interfaces::identity::PatientMatch;
use ledger::LedgerId;
use serde::{Deserialize, Serialize};
use sqlx::AnyPool;
use sqlx::any::AnyRow;

use super::{Connection, column, count};
use crate::failure::Failure;
use crate::vault::{self, Vault};

const NUMBER: &str = "medshare/records/patient-number/v1";
const MATCH: &str = "medshare/records/patient-match/v1";

/// A patient of the hospital.
#[derive(Clone, Debug)]
pub struct Patient {
    /// Keyed hash of the number.
    pub token: String,
    /// The hospital's number.
    pub number: String,
    /// The member, once found.
    pub matched: Option<Match>,
}

/// The member behind a patient number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    /// The ledger id at this hospital.
    pub patient: LedgerId,
    /// Its sealing key.
    pub sealing_key: [u8; 32],
    /// The ledger id in the insurance context.
    pub insured: LedgerId,
    /// What counts the person in the search index.
    pub person: [u8; 32],
}

impl Match {
    /// The match as identity tells it; none when its key is not one.
    pub fn of(found: &PatientMatch) -> Option<Match> {
        let sealing_key = found.sealing_key.0.as_slice().try_into().ok()?;
        Some(Match {
            patient: found.patient,
            sealing_key,
            insured: found.insured,
            person: found.person.0,
        })
    }
}

/// The keyed hash of a patient number.
pub fn token(vault: &Vault, number: &str) -> String {
    vault.token("patient", number.as_bytes())
}

/// Remembers a patient; nothing changes for one that is known.
pub async fn remember(
    connection: &mut Connection,
    vault: &Vault,
    number: &str,
) -> Result<String, Failure> {
    let token = token(vault, number);
    let sealed = vault::seal(&vault.patient_key(&token), NUMBER, &number.to_owned());
    sqlx::query("INSERT INTO patients (token, sealed_number) VALUES ($1, $2) ON CONFLICT (token) DO NOTHING")
        .bind(token.clone())
        .bind(sealed)
        .execute(connection)
        .await?;
    Ok(token)
}

/// One patient.
pub async fn find(pool: &AnyPool, vault: &Vault, token: &str) -> Result<Option<Patient>, Failure> {
    let row =
        sqlx::query("SELECT token, sealed_number, sealed_match FROM patients WHERE token = $1")
            .bind(token.to_owned())
            .fetch_optional(pool)
            .await?;
    row.map(|row| read(vault, &row)).transpose()
}

/// The patient that is matched to a ledger id at this hospital.
pub async fn by_ledger_id(
    pool: &AnyPool,
    vault: &Vault,
    patient: &LedgerId,
) -> Result<Option<Patient>, Failure> {
    let row =
        sqlx::query("SELECT token, sealed_number, sealed_match FROM patients WHERE ledger_id = $1")
            .bind(patient.to_string())
            .fetch_optional(pool)
            .await?;
    row.map(|row| read(vault, &row)).transpose()
}

/// Patients without a member.
pub async fn unmatched(pool: &AnyPool, vault: &Vault) -> Result<Vec<Patient>, Failure> {
    let rows = sqlx::query("SELECT token, sealed_number, sealed_match FROM patients WHERE ledger_id IS NULL ORDER BY token")
        .fetch_all(pool)
        .await?;
    rows.iter().map(|row| read(vault, row)).collect()
}

/// Patients without a member who have records, behind `after` by token, each with how many.
pub async fn waiting(
    pool: &AnyPool,
    vault: &Vault,
    after: &str,
    limit: i64,
) -> Result<Vec<(Patient, u32)>, Failure> {
    let rows = sqlx::query(
        "SELECT patients.token, patients.sealed_number, patients.sealed_match, waiting.count FROM (\
         SELECT patients.token, COUNT(*) AS count FROM patients \
         JOIN records ON records.patient_token = patients.token AND records.state = 'live' \
         WHERE patients.ledger_id IS NULL AND patients.token > $1 GROUP BY patients.token \
         ORDER BY patients.token LIMIT $2) AS waiting \
         JOIN patients ON patients.token = waiting.token ORDER BY patients.token",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| Ok((read(vault, row)?, count(row, "count")?)))
        .collect()
}

/// Keeps a match, or forgets it.
pub async fn set_match(
    connection: &mut Connection,
    vault: &Vault,
    token: &str,
    matched: Option<&Match>,
) -> Result<(), Failure> {
    let sealed = matched.map(|matched| vault::seal(&vault.patient_key(token), MATCH, matched));
    sqlx::query("UPDATE patients SET ledger_id = $1, sealed_match = $2 WHERE token = $3")
        .bind(matched.map(|matched| matched.patient.to_string()))
        .bind(sealed)
        .bind(token.to_owned())
        .execute(connection)
        .await?;
    Ok(())
}

fn read(vault: &Vault, row: &AnyRow) -> Result<Patient, Failure> {
    let token: String = column(row, "token")?;
    let key = vault.patient_key(&token);
    let number = vault::open(&key, NUMBER, &column::<Vec<u8>>(row, "sealed_number")?)?;
    let sealed: Option<Vec<u8>> = column(row, "sealed_match")?;
    let matched = sealed
        .map(|sealed| vault::open(&key, MATCH, &sealed))
        .transpose()?;
    Ok(Patient {
        token,
        number,
        matched,
    })
}
