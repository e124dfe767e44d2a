//! What stands out in the use of this hospital's records. By the hospital or a regulator.
//!
//! The rules are plain counts over the views on the ledger and over codes shown with wrong patient IDs; they point at what
//! somebody should look at, and accuse nobody.

use std::sync::Arc;

use bus::Call;
use interfaces::records::{Anomaly, ListAnomalies};
use interfaces::time_text;
use keys::Role;
use ledger::Timestamp;
use sqlx::any::AnyRow;

use crate::facts::{column, parsed};
use crate::failure::Failure;
use crate::service::{Records, now_us};

/// How far back is looked, in microseconds: 30 days.
const WINDOW_US: i64 = 30 * 24 * 3_600_000_000;
/// So many patients of one viewer within one clock hour stand out.
const PATIENTS_AN_HOUR: i64 = 20;
/// So many emergencies of one doctor stand out.
const EMERGENCIES: i64 = 3;
/// So many wrong patient IDs with one code stand out.
const WRONG_IDS: i64 = 3;
/// Findings of one rule.
const FINDINGS_MAX: i64 = 100;

pub(super) async fn list_anomalies(
    records: Arc<Records>,
    call: Call,
    _request: ListAnomalies,
) -> Result<Vec<Anomaly>, Failure> {
    let caller = records.caller(&call)?;
    if !records.is_hospital(&caller) {
        caller.require(Role::Regulator)?;
    }
    let since = now_us().saturating_sub(WINDOW_US);
    let busy = sqlx::query(
        "SELECT viewer AS member, COUNT(DISTINCT patient) AS count, MAX(time) AS newest FROM ledger_views \
         WHERE time >= $1 AND basis <> 'owner' GROUP BY viewer, time / 3600000000 \
         HAVING COUNT(DISTINCT patient) >= $2 ORDER BY MAX(time) DESC LIMIT $3",
    )
    .bind(since)
    .bind(PATIENTS_AN_HOUR)
    .bind(FINDINGS_MAX)
    .fetch_all(records.reader())
    .await?;
    let often = sqlx::query(
        "SELECT ledger_emergencies.doctor AS member, COUNT(*) AS count, MAX(ledger_emergencies.time) AS newest \
         FROM ledger_emergencies JOIN emergencies ON emergencies.emergency = ledger_emergencies.emergency \
         WHERE ledger_emergencies.time >= $1 GROUP BY ledger_emergencies.doctor \
         HAVING COUNT(*) >= $2 ORDER BY MAX(ledger_emergencies.time) DESC LIMIT $3",
    )
    .bind(since)
    .bind(EMERGENCIES)
    .bind(FINDINGS_MAX)
    .fetch_all(records.reader())
    .await?;
    let guessed = sqlx::query(
        "SELECT record, wrong_patient_ids AS count FROM codes WHERE wrong_patient_ids >= $1 \
         ORDER BY wrong_patient_ids DESC, record LIMIT $2",
    )
    .bind(WRONG_IDS)
    .bind(FINDINGS_MAX)
    .fetch_all(records.reader())
    .await?;
    let mut found = Vec::new();
    for row in &busy {
        found.push(of_member("many_patients", row)?);
    }
    for row in &often {
        found.push(of_member("many_emergencies", row)?);
    }
    for row in &guessed {
        found.push(Anomaly {
            rule: "wrong_codes".to_owned(),
            member: None,
            record: Some(parsed(row, "record")?),
            count: column::<i64>(row, "count")?.unsigned_abs(),
            time: None,
        });
    }
    Ok(found)
}

fn of_member(rule: &str, row: &AnyRow) -> Result<Anomaly, Failure> {
    let newest: i64 = column(row, "newest")?;
    Ok(Anomaly {
        rule: rule.to_owned(),
        member: Some(parsed(row, "member")?),
        record: None,
        count: column::<i64>(row, "count")?.unsigned_abs(),
        time: Some(time_text(Timestamp(newest.unsigned_abs()))),
    })
}
