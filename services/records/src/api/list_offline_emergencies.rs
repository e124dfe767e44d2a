//! What the journal of emergencies without the ledger has, and whether the ledger has it yet. A doctor sees the own
//! entries; the hospital and a regulator all.

use std::sync::Arc;

use bus::Call;
use interfaces::records::{ListOfflineEmergencies, OfflineEmergency};
use interfaces::{Page, time_text};
use keys::Role;
use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use super::list_emergencies::{justified, written_reason};
use super::page_start;
use crate::facts::{column, journal, parsed};
use crate::failure::Failure;
use crate::service::Records;

const COLUMNS: &str = "emergency_journal.number, emergency_journal.emergency, emergency_journal.entry, \
    emergency_journal.signature, emergencies.sealed, COALESCE(ledger_emergencies.transaction_id, '') AS transaction_id, \
    COALESCE(ledger_emergencies.review, -1) AS review";

pub(super) async fn list_offline_emergencies(
    records: Arc<Records>,
    call: Call,
    request: ListOfflineEmergencies,
) -> Result<Page<OfflineEmergency>, Failure> {
    let caller = records.caller(&call)?;
    let sees_all = records.is_hospital(&caller) || caller.session().has_role(Role::Regulator);
    let doctor = match sees_all {
        true => None,
        false => Some(records.doctor_id(&caller)?.to_string()),
    };
    let before: i64 = page_start(request.page.after.as_deref())?.unwrap_or(i64::MAX);
    let limit = request.page.limit() as usize;
    let mut conditions = vec!["emergency_journal.number < $1"];
    let mut values = Vec::new();
    if let Some(doctor) = doctor {
        values.push(doctor);
        conditions.push("emergency_journal.doctor = $3");
    }
    if let Some(emergency) = &request.emergency {
        conditions.push(match values.len() {
            0 => "emergency_journal.emergency = $3",
            _ => "emergency_journal.emergency = $4",
        });
        values.push(emergency.to_string());
    }
    let statement = format!(
        "SELECT {COLUMNS} FROM emergency_journal JOIN emergencies ON emergencies.emergency = emergency_journal.emergency \
         LEFT JOIN ledger_emergencies ON ledger_emergencies.emergency = emergency_journal.emergency \
         WHERE {} ORDER BY emergency_journal.number DESC LIMIT $2",
        conditions.join(" AND ")
    );
    let mut query = sqlx::query(AssertSqlSafe(statement))
        .bind(before)
        .bind(limit as i64 + 1);
    for value in values {
        query = query.bind(value);
    }
    let rows = query.fetch_all(records.reader()).await?;
    let mut entries = Vec::with_capacity(rows.len().min(limit));
    for row in rows.iter().take(limit) {
        entries.extend(entry(&records, row)?);
    }
    let last = rows
        .get(limit.wrapping_sub(1))
        .filter(|_| rows.len() > limit);
    let next = last
        .map(|row| column::<i64>(row, "number"))
        .transpose()?
        .map(|number| number.to_string());
    Ok(Page { entries, next })
}

fn entry(records: &Records, row: &AnyRow) -> Result<Option<OfflineEmergency>, Failure> {
    let Some(report) = journal::read(row, &records.key.public_key())? else {
        return Ok(None);
    };
    let transaction: String = column(row, "transaction_id")?;
    Ok(Some(OfflineEmergency {
        emergency: report.emergency,
        doctor: report.doctor,
        reason: written_reason(records, &report.emergency, row)?,
        records: report.records.iter().map(|(record, _)| *record).collect(),
        journaled: time_text(report.viewed_at),
        transaction: match transaction.is_empty() {
            true => None,
            false => Some(parsed(row, "transaction_id")?),
        },
        justified: justified(column(row, "review")?),
    }))
}
