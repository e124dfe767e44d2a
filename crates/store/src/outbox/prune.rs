//! What ended long ago leaves the outbox, so that it does not grow for ever.
//!
//! A restart needs what is pending, and nothing else: pending rows are never pruned. Ended rows answer those who ask
//! again; nobody of the service's own does so later than a few seconds after the end of validity, and a caller who lost
//! an answer is given an hour. After that the receipt is had from the ordering service, which keeps it for ever.

use std::sync::Arc;
use std::time::Duration;

use super::{Inner, State};
use crate::database::Store;

/// How long ended rows are kept after the end of their validity, in microseconds.
pub const KEPT_US: u64 = 3_600_000_000;
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Rows deleted in one database transaction: it is the writer's turn that others wait for.
const ROWS_AT_ONCE: i64 = 500;

/// Prunes until shutdown.
pub(super) async fn run(inner: Arc<Inner>) {
    loop {
        match prune(&inner.store, chassis::clock::now()).await {
            Ok(0) => {}
            Ok(rows) => tracing::debug!(rows, "ended transactions left the outbox"),
            Err(error) => tracing::warn!(%error, "the outbox can't be pruned yet"),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = inner.shutdown.requested() => return,
        }
    }
}

/// Deletes what ended, or never got its signature, and whose validity ended [`KEPT_US`] before `now_us`; says how many
/// rows that were.
///
/// # Errors
/// What the database says.
pub async fn prune(store: &Store, now_us: u64) -> Result<u64, sqlx::Error> {
    let before = i64::try_from(now_us.saturating_sub(KEPT_US)).unwrap_or(i64::MAX);
    let mut pruned = 0;
    for state in [
        State::Committed,
        State::Refused,
        State::Expired,
        State::Unsigned,
    ] {
        loop {
            let mut transaction = store.begin().await?;
            let rows = sqlx::query(
                "DELETE FROM outbox WHERE transaction_id IN \
                 (SELECT transaction_id FROM outbox WHERE state = $1 AND valid_until < $2 LIMIT $3)",
            )
            .bind(state.name())
            .bind(before)
            .bind(ROWS_AT_ONCE)
            .execute(&mut *transaction)
            .await?
            .rows_affected();
            transaction.commit().await?;
            pruned += rows;
            if rows < ROWS_AT_ONCE as u64 {
                break;
            }
        }
    }
    Ok(pruned)
}
