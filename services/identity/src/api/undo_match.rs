//! Undoes a wrong match of a hospital's patient number. For that hospital's records service.

use std::sync::Arc;

use bus::Call;
use interfaces::Problem;
use interfaces::identity::{Done, UndoMatch};
use submission::row::database;

use super::match_patients::number_hash;
use crate::service::Identity;

pub(crate) async fn undo_match(
    identity: Arc<Identity>,
    call: Call,
    request: UndoMatch,
) -> Result<Done, Problem> {
    Identity::require_records_service(&call)?;
    identity
        .require_own_hospital(&call, &request.hospital)
        .await?;
    let mut transaction = identity.store.begin().await.map_err(database)?;
    let undone = sqlx::query("UPDATE matches SET undone = 1 WHERE hospital = $1 AND patient_number_hash = $2 AND undone = 0")
        .bind(request.hospital.to_string())
        .bind(number_hash(&identity, &request.hospital, &request.patient_number))
        .execute(&mut *transaction)
        .await
        .map_err(database)?;
    transaction.commit().await.map_err(database)?;
    if undone.rows_affected() == 0 {
        return Err(Problem::not_found(
            "this patient number is matched to nobody",
        ));
    }
    Ok(Done {})
}
