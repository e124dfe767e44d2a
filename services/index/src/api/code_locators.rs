//! Which record a code opens: handed in by hospitals' records services, asked by the gateway.

use std::sync::Arc;

use bus::Call;
use interfaces::Problem;
use interfaces::identity::Done;
use interfaces::index::{LocateCode, LocatedCode, PutCodeLocators};
use sqlx::Row;
use submission::row::database;

use crate::service::Index;

/// By hospitals' records services, each for itself; an older locator of the same record and holder is forgotten.
pub(crate) async fn put_code_locators(
    index: Arc<Index>,
    call: Call,
    request: PutCodeLocators,
) -> Result<Done, Problem> {
    Index::require_records_service(&call)?;
    if let Some(place) = request
        .locators
        .iter()
        .position(|locator| locator.service != call.caller)
    {
        return Err(Problem::bad_input(
            &format!("/locators/{place}/service"),
            "a records service hands in its own codes only",
        ));
    }
    let mut transaction = index.store.begin().await.map_err(database)?;
    for locator in &request.locators {
        sqlx::query(
            "INSERT INTO code_locators (locator, record, holder, service) VALUES ($1, $2, $3, $4)
             ON CONFLICT (record, holder) DO UPDATE SET locator = excluded.locator WHERE code_locators.service = excluded.service",
        )
        .bind(locator.locator.to_string())
        .bind(locator.record.to_string())
        .bind(&locator.holder)
        .bind(&locator.service)
        .execute(&mut *transaction)
        .await
        .map_err(database)?;
    }
    transaction.commit().await.map_err(database)?;
    Ok(Done {})
}

/// By the gateway. What is not there is answered like what may not be seen.
pub(crate) async fn locate_code(
    index: Arc<Index>,
    call: Call,
    request: LocateCode,
) -> Result<LocatedCode, Problem> {
    if !call.caller.starts_with("gateway") && !call.caller.starts_with("portal") {
        return Err(Problem::forbidden("this is for gateways"));
    }
    let row = sqlx::query("SELECT record, service FROM code_locators WHERE locator = $1")
        .bind(request.locator.to_string())
        .fetch_optional(index.store.reader())
        .await
        .map_err(database)?;
    let refused = || Problem::forbidden("code and patient ID open nothing");
    let row = row.ok_or_else(refused)?;
    let record: String = row.try_get(0).map_err(database)?;
    Ok(LocatedCode {
        record: record.parse().map_err(|_| refused())?,
        service: row.try_get(1).map_err(database)?,
    })
}
