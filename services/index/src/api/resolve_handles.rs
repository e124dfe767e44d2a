//! The records behind an applicant's handles. By the authorization service.

use std::sync::Arc;

use bus::Call;
use interfaces::Problem;
use interfaces::index::{ResolveHandles, ResolvedHandles};
use sqlx::Row;
use submission::row::database;

use crate::service::Index;

pub(crate) async fn resolve_handles(
    index: Arc<Index>,
    call: Call,
    request: ResolveHandles,
) -> Result<ResolvedHandles, Problem> {
    if call.caller != "authorization" {
        return Err(Problem::forbidden("this is for the authorization service"));
    }
    let mut records = Vec::with_capacity(request.handles.len());
    for handle in &request.handles {
        let row = sqlx::query("SELECT record FROM handles WHERE handle = $1 AND applicant = $2")
            .bind(handle.to_string())
            .bind(request.applicant.to_string())
            .fetch_optional(index.store.reader())
            .await
            .map_err(database)?;
        let record = row
            .map(|row| row.try_get::<String, _>(0))
            .transpose()
            .map_err(database)?;
        records.push(record.and_then(|record| record.parse().ok()));
    }
    Ok(ResolvedHandles { records })
}
