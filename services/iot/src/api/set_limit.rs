//! Sets the caller's limits for one vital sign; kept sealed, off the ledger. By the patient.

use std::sync::Arc;

use bus::Call;
use clinical::vitals::VitalSign;
use clinical::warning::Limit;
use interfaces::Problem;
use interfaces::identity::Done;
use interfaces::iot::SetLimit;
use keys::token::Role;
use submission::row::database;

use crate::service::Iot;
use crate::watch::limit_row;

pub(crate) async fn set_limit(
    iot: Arc<Iot>,
    call: Call,
    request: SetLimit,
) -> Result<Done, Problem> {
    let caller = iot.sessions.caller(&call)?;
    caller.require(Role::Patient)?;
    let patient = caller.ledger_id("devices")?;
    let sign = VitalSign::from_name(&request.loinc).ok_or_else(|| {
        Problem::bad_input("/loinc", "no vital sign known here has this LOINC code")
    })?;
    if request
        .low_milli
        .zip(request.high_milli)
        .is_some_and(|(low, high)| low >= high)
    {
        return Err(Problem::bad_input(
            "/low_milli",
            "the lower limit must be below the upper one",
        ));
    }
    let limit = Limit {
        low_milli: request.low_milli,
        high_milli: request.high_milli,
    };
    let mut transaction = iot.store.begin().await.map_err(database)?;
    sqlx::query(
        "INSERT INTO limits (patient, sign, sealed) VALUES ($1, $2, $3)
         ON CONFLICT (patient, sign) DO UPDATE SET sealed = excluded.sealed",
    )
    .bind(patient.to_string())
    .bind(i64::from(sign as u8))
    .bind(iot.seal_row(&patient, &limit_row(sign), &limit))
    .execute(&mut *transaction)
    .await
    .map_err(database)?;
    transaction.commit().await.map_err(database)?;
    Ok(Done {})
}
