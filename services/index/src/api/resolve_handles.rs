//! The records behind an applicant's handles. By the authorization service.

use std::sync::Arc;

use bus::Call;
use contracts::RecordNumber;
use interfaces::Problem;
use interfaces::index::{ResolveHandles, ResolvedHandles};
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
    let handles = index.handles_of(&request.applicant);
    let mut records = Vec::with_capacity(request.handles.len());
    for handle in &request.handles {
        let record = RecordNumber(handles.id_of(handle.0));
        // Any 16 bytes lead to some number; one that was made up leads to a record that does not exist.
        let row = sqlx::query("SELECT 1 FROM heads WHERE record = $1")
            .bind(record.to_string())
            .fetch_optional(index.store.reader())
            .await
            .map_err(database)?;
        records.push(row.map(|_| record));
    }
    Ok(ResolvedHandles { records })
}
