//! Warnings for the caller, newest first: the patient's own, or those shared with a hospital (A74).

use std::sync::Arc;

use bus::Call;
use interfaces::iot::{ListWarnings, WarningReason, WarningSummary};
use interfaces::{Page, Problem};
use keys::token::Role;
use ledger::LedgerId;
use sqlx::Row;
use sqlx::any::AnyRow;
use submission::row::{database, parse, time_text};

use crate::service::{Iot, now_us};
use crate::watch::{WarningDetail, reasons_row};

const COLUMNS: &str = "SELECT warnings.warning, warnings.place, warnings.device, warnings.patient, warnings.level, warnings.cause,
    warnings.time_us, warnings.transaction_id, warnings.acknowledged, warning_details.sealed, warning_details.reasons
    FROM warnings LEFT JOIN warning_details ON warning_details.warning = warnings.warning";

pub(crate) async fn list_warnings(
    iot: Arc<Iot>,
    call: Call,
    request: ListWarnings,
) -> Result<Page<WarningSummary>, Problem> {
    let caller = iot.sessions.caller(&call)?;
    let (relation, member) = if caller.session().has_role(Role::Patient) {
        (
            "warnings.patient = $1 AND $4 = $4",
            caller.ledger_id("devices")?,
        )
    } else {
        caller.require(Role::Hospital)?;
        let shared = "EXISTS (SELECT 1 FROM shares WHERE shares.patient = warnings.patient AND shares.hospital = $1
             AND shares.until_us > $4 AND warnings.time_us >= shares.from_us)";
        (shared, caller.member()?)
    };
    let before: i64 = match &request.page.after {
        None => i64::MAX,
        Some(place) => place.parse().map_err(|_| {
            Problem::bad_input("/page/after", "not a place that a page before gave")
        })?,
    };
    let limit = request.page.limit() as usize;
    let sql = format!(
        "{COLUMNS} WHERE {relation} AND warnings.place < $2 ORDER BY warnings.place DESC LIMIT $3"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(member.to_string())
        .bind(before)
        .bind(limit as i64 + 1)
        .bind(now_us() as i64)
        .fetch_all(iot.store.reader())
        .await
        .map_err(database)?;
    let entries = rows
        .iter()
        .take(limit)
        .map(|row| summary(&iot, row))
        .collect::<Result<Vec<_>, _>>()?;
    let last = rows
        .get(limit.wrapping_sub(1))
        .filter(|_| rows.len() > limit);
    let next = last
        .map(|row| row.try_get::<i64, _>(1))
        .transpose()
        .map_err(database)?
        .map(|place| place.to_string());
    Ok(Page { entries, next })
}

fn summary(iot: &Iot, row: &AnyRow) -> Result<WarningSummary, Problem> {
    let text = |place: usize| row.try_get::<String, _>(place).map_err(database);
    let patient: LedgerId = parse(&text(3)?)?;
    let sealed: Option<Vec<u8>> = row.try_get(9).map_err(database)?;
    let warning = text(0)?;
    let detail: Option<WarningDetail> =
        sealed.and_then(|sealed| iot.open_row(&patient, &warning, &sealed));
    let reasons: Option<Vec<u8>> = row.try_get(10).map_err(database)?;
    let reasons: Option<Vec<WarningReason>> =
        reasons.and_then(|sealed| iot.open_row(&patient, &reasons_row(&warning), &sealed));
    let malformed = |_| Problem::failure("a warning's row is malformed");
    Ok(WarningSummary {
        warning: parse(&warning)?,
        device: parse(&text(2)?)?,
        level: serde_json::from_str(&text(4)?).map_err(malformed)?,
        cause: serde_json::from_str(&text(5)?).map_err(malformed)?,
        message: detail.map(|detail| detail.message).unwrap_or_default(),
        reasons: reasons.unwrap_or_default(),
        time: time_text(row.try_get(6).map_err(database)?),
        acknowledged: row.try_get::<i64, _>(8).map_err(database)? != 0,
        transaction: parse(&text(7)?)?,
    })
}
