//! Hands out released content after the read is committed, within 30 s of its block time. By the applicant.

use std::sync::Arc;
use std::time::Duration;

use bus::Call;
use interfaces::authorization::{CollectReleased, ReleasedContent};
use interfaces::{Base64, Problem};
use keys::token::Role;
use sqlx::Row;
use submission::row::database;

use crate::service::Authorization;

/// Data leaves within so long of the view's block time (`docs/contracts.md`, LogAccess).
const COLLECT_WITHIN_US: u64 = 30_000_000;
const LOOK_AGAIN: Duration = Duration::from_millis(20);
const LOOKS: usize = 100;

pub(crate) async fn collect_released(
    authorization: Arc<Authorization>,
    call: Call,
    request: CollectReleased,
) -> Result<ReleasedContent, Problem> {
    let caller = authorization.sessions.caller(&call)?;
    caller.require_any(&[Role::ThirdParty, Role::Insurer])?;
    let refused = || {
        Problem::forbidden(
            "no view of yours was committed under this transaction in the last 30 seconds",
        )
    };
    let (grant, viewer, time_us) = committed_view(&authorization, &request.transaction.to_string())
        .await?
        .ok_or_else(refused)?;
    if viewer != caller.member()?.to_string() || chassis::clock::now() > time_us + COLLECT_WITHIN_US
    {
        return Err(refused());
    }
    let item = authorization
        .item_of_grant(&grant)
        .await?
        .ok_or_else(refused)?;
    let (Some(ciphertext), Some(release), Some(sealed_key)) =
        (item.ciphertext, item.release, item.sealed_key)
    else {
        return Err(Problem::failure("a released item's row is incomplete"));
    };
    if item.summary.grant_withdrawn {
        return Err(Problem::forbidden("the patient has withdrawn this grant"));
    }
    let delivered: Option<(Vec<u8>,)> = sqlx::query_as("SELECT ciphertext FROM deliveries WHERE application = $1 AND item_index = $2 AND digest = $3")
        .bind(item.summary.item.application.to_string())
        .bind(i64::from(item.summary.item.index))
        .bind(ciphertext.to_string())
        .fetch_optional(authorization.store.reader())
        .await
        .map_err(database)?;
    let (delivered,) = delivered
        .ok_or_else(|| Problem::failure("the delivery store has lost this item's ciphertext"))?;
    Ok(ReleasedContent {
        item: item.summary.item,
        record: item.summary.record,
        sealed_key: Base64(sealed_key),
        ciphertext: Base64(delivered),
        release,
    })
}

/// Grant, viewer and block time of a committed view; waits a little for this service's own projection.
async fn committed_view(
    authorization: &Authorization,
    transaction: &str,
) -> Result<Option<(String, String, u64)>, Problem> {
    for _ in 0..LOOKS {
        let row = sqlx::query(
            "SELECT grant_id, viewer, time_us FROM grant_views WHERE transaction_id = $1",
        )
        .bind(transaction)
        .fetch_optional(authorization.store.reader())
        .await
        .map_err(database)?;
        if let Some(row) = row {
            let time_us: i64 = row.try_get(2).map_err(database)?;
            return Ok(Some((
                row.try_get(0).map_err(database)?,
                row.try_get(1).map_err(database)?,
                time_us as u64,
            )));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(None)
}
