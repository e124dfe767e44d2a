//! The own records at this hospital: metadata only. By the patient, or a guardian who may read.

use std::sync::Arc;

use bus::Call;
use contracts::RecordNumber;
use interfaces::Page;
use interfaces::records::{ListOwnRecords, RecordSummary};
use sqlx::AssertSqlSafe;

use super::{Place, page_start};
use crate::facts::records as record_facts;
use crate::failure::Failure;
use crate::service::Records;

pub(super) async fn list_own_records(
    records: Arc<Records>,
    call: Call,
    request: ListOwnRecords,
) -> Result<Page<RecordSummary>, Failure> {
    let caller = records.caller(&call)?;
    let patient = records
        .patient_asked_for(&caller, request.acting_for)
        .await?;
    let Place(start, record) = page_start(request.page.after.as_deref())?
        .unwrap_or(Place(i64::MAX, RecordNumber([0xff; 16])));
    let limit = request.page.limit();
    let statement = format!(
        "SELECT {} FROM records JOIN ledger_records ON ledger_records.record = records.record \
         WHERE ledger_records.patient = $1 AND ledger_records.erased = 0 AND records.state = 'live' \
         AND records.start_us <= $2 AND (records.start_us < $2 OR records.record < $3) \
         ORDER BY records.start_us DESC, records.record DESC LIMIT $4",
        record_facts::COLUMNS
    );
    let rows = sqlx::query(AssertSqlSafe(statement))
        .bind(patient.to_string())
        .bind(start)
        .bind(record.to_string())
        .bind(i64::from(limit) + 1)
        .fetch_all(records.reader())
        .await?;
    records.page_of(&rows, limit, false).await
}
