//! Takes index rows before their records are committed. By hospitals' records services. A row counts once the record's
//! commitment on the ledger opens with it, so a wrong row is without effect.

use std::sync::Arc;

use bus::Call;
use interfaces::Problem;
use interfaces::identity::Done;
use interfaces::index::PutIndexRows;
use submission::row::database;

use crate::projections::heads::entry;
use crate::service::Index;

pub(crate) async fn put_index_rows(
    index: Arc<Index>,
    call: Call,
    request: PutIndexRows,
) -> Result<Done, Problem> {
    Index::require_records_service(&call)?;
    let mut transaction = index.store.begin().await.map_err(database)?;
    for row in &request.rows {
        sqlx::query(
            "INSERT INTO index_rows (record, version, row_json) VALUES ($1, $2, $3)
             ON CONFLICT (record, version) DO UPDATE SET row_json = excluded.row_json",
        )
        .bind(row.record.to_string())
        .bind(i64::from(row.version))
        .bind(serde_json::to_string(row).map_err(|error| Problem::failure(error.to_string()))?)
        .execute(&mut *transaction)
        .await
        .map_err(database)?;
    }
    transaction.commit().await.map_err(database)?;
    for row in &request.rows {
        if let Some(entry) = entry(index.store.reader(), &row.record)
            .await
            .map_err(database)?
        {
            index.search_mut().put(entry);
        }
    }
    Ok(Done {})
}
