//! Takes index rows before their records are committed. By hospitals' records services. A row counts once the record's
//! commitment on the ledger opens with it, so a wrong row is without effect.

use std::sync::Arc;

use bus::Call;
use contracts::RecordNumber;
use interfaces::Problem;
use interfaces::identity::Done;
use interfaces::index::{IndexRow, PutIndexRows};
use store::rows::{Insert, Rows};
use store::{Store, row};
use submission::row::database;

use crate::projections::entries::entries;
use crate::service::Index;

pub(crate) async fn put_index_rows(
    index: Arc<Index>,
    call: Call,
    request: PutIndexRows,
) -> Result<Done, Problem> {
    Index::require_records_service(&call)?;
    put(&index.store, &request.rows).await?;
    let records: Vec<RecordNumber> = request.rows.iter().map(|row| row.record).collect();
    for entry in entries(index.store.reader(), &records)
        .await
        .map_err(database)?
    {
        index.search_mut().put(&entry);
    }
    Ok(Done {})
}

static PUT_ROW: Insert = Insert::new(
    "index_rows",
    &["record", "version", "row_json"],
    2,
    "ON CONFLICT (record, version) DO UPDATE SET row_json = excluded.row_json",
);

/// Keeps rows that were handed in.
pub(crate) async fn put(store: &Store, handed_in: &[IndexRow]) -> Result<(), Problem> {
    let mut rows = Rows::new();
    for handed in handed_in {
        let json =
            serde_json::to_string(handed).map_err(|error| Problem::failure(error.to_string()))?;
        rows.insert(
            &PUT_ROW,
            row![handed.record.to_string(), handed.version, json],
        );
    }
    let mut transaction = store.begin().await.map_err(database)?;
    rows.flush(&mut transaction).await.map_err(database)?;
    transaction.commit().await.map_err(database)
}
