//! Emergencies that were opened at this hospital, for their review. By the hospital or a regulator.

use std::sync::Arc;

use bus::Call;
use contracts::EmergencyId;
use interfaces::records::{EmergencySummary, ListEmergencies};
use interfaces::{Page, time_text};
use keys::Role;
use ledger::Timestamp;
use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use super::open_emergency::reason_context;
use super::page_start;
use crate::facts::{column, parsed};
use crate::failure::Failure;
use crate::service::Records;

pub(super) async fn list_emergencies(
    records: Arc<Records>,
    call: Call,
    request: ListEmergencies,
) -> Result<Page<EmergencySummary>, Failure> {
    let caller = records.caller(&call)?;
    if !records.is_hospital(&caller) {
        caller.require(Role::Regulator)?;
    }
    let before: i64 = page_start(request.page.after.as_deref())?.unwrap_or(i64::MAX);
    let limit = request.page.limit() as usize;
    let open = if request.unreviewed {
        "AND ledger_emergencies.review < 0"
    } else {
        ""
    };
    // Opened here: the written reason is a fact of this hospital.
    let rows = sqlx::query(AssertSqlSafe(format!(
        "SELECT ledger_emergencies.emergency, ledger_emergencies.patient, ledger_emergencies.doctor, ledger_emergencies.until, \
         ledger_emergencies.place, ledger_emergencies.time, ledger_emergencies.transaction_id, ledger_emergencies.review, emergencies.sealed, \
         COALESCE(emergency_journal.emergency, '') AS journaled \
         FROM ledger_emergencies LEFT JOIN emergency_journal ON emergency_journal.emergency = ledger_emergencies.emergency JOIN emergencies ON emergencies.emergency = ledger_emergencies.emergency \
         WHERE ledger_emergencies.place < $1 {open} ORDER BY ledger_emergencies.place DESC LIMIT $2"
    )))
    .bind(before)
    .bind(limit as i64 + 1)
    .fetch_all(records.reader())
    .await?;
    let entries = rows
        .iter()
        .take(limit)
        .map(|row| summary(&records, row))
        .collect::<Result<Vec<_>, Failure>>()?;
    let last = rows
        .get(limit.wrapping_sub(1))
        .filter(|_| rows.len() > limit);
    let next = last
        .map(|row| column::<i64>(row, "place"))
        .transpose()?
        .map(|place| place.to_string());
    Ok(Page { entries, next })
}

fn summary(records: &Records, row: &AnyRow) -> Result<EmergencySummary, Failure> {
    let emergency: EmergencyId = parsed(row, "emergency")?;
    let time = |name| Ok::<_, Failure>(Timestamp(column::<i64>(row, name)?.unsigned_abs()));
    let reason = written_reason(records, &emergency, row)?;
    Ok(EmergencySummary {
        emergency,
        patient: parsed(row, "patient")?,
        doctor: parsed(row, "doctor")?,
        reason,
        time: time_text(time("time")?),
        until: time_text(time("until")?),
        without_ledger: !column::<String>(row, "journaled")?.is_empty(),
        justified: justified(column(row, "review")?),
        transaction: parsed(row, "transaction_id")?,
    })
}

/// The reason of a row (`sealed`), opened.
pub(super) fn written_reason(
    records: &Records,
    emergency: &EmergencyId,
    row: &AnyRow,
) -> Result<String, Failure> {
    let sealed: Vec<u8> = column(row, "sealed")?;
    let (_, reason): ([u8; 32], String) = records
        .vault
        .open_own(&reason_context(emergency), &sealed)?;
    Ok(reason)
}

/// What a review said, as the table holds it.
pub(super) fn justified(review: i64) -> Option<bool> {
    match review {
        ..0 => None,
        review => Some(review != 0),
    }
}
