//! Whether a patient ID belongs to a ledger id. For hospitals' records services; the same work whatever the answer.

use std::sync::Arc;

use bus::Call;
use interfaces::Problem;
use interfaces::identity::{CheckPatientId, PatientIdCheck};
use submission::row::database;
use subtle::ConstantTimeEq;

use crate::patient_id::normalised;
use crate::service::Identity;

pub(crate) async fn check_patient_id(
    identity: Arc<Identity>,
    call: Call,
    request: CheckPatientId,
) -> Result<PatientIdCheck, Problem> {
    Identity::require_records_service(&call)?;
    let row: Option<(Option<String>,)> = sqlx::query_as(
        "SELECT accounts.patient_id FROM ledger_ids JOIN accounts ON accounts.account = ledger_ids.account WHERE ledger_ids.ledger_id = $1",
    )
    .bind(request.patient.to_string())
    .fetch_optional(identity.store.reader())
    .await
    .map_err(database)?;
    let known = row
        .and_then(|(patient_id,)| patient_id)
        .unwrap_or_else(|| "----------".to_owned());
    let shown = normalised(&request.patient_id);
    Ok(PatientIdCheck {
        belongs: bool::from(known.as_bytes().ct_eq(shown.as_bytes())),
    })
}
