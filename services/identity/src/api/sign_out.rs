//! Ends the session of the token that comes with the call. By whoever is signed in.

use std::sync::Arc;

use bus::Call;
use interfaces::Problem;
use interfaces::identity::{Done, SignOut};
use submission::row::database;

use crate::service::{Identity, now};

pub(crate) async fn sign_out(
    identity: Arc<Identity>,
    call: Call,
    _request: SignOut,
) -> Result<Done, Problem> {
    let caller = identity.caller(&call).await?;
    let mut transaction = identity.store.begin().await.map_err(database)?;
    sqlx::query(
        "INSERT INTO ended_sessions (session, ended_us) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    )
    .bind(&caller.session().session)
    .bind(now().0 as i64)
    .execute(&mut *transaction)
    .await
    .map_err(database)?;
    // An ended session matters as long as its token would still be valid.
    let over = now().0.saturating_sub(identity.session_us);
    sqlx::query("DELETE FROM ended_sessions WHERE ended_us < $1")
        .bind(over as i64)
        .execute(&mut *transaction)
        .await
        .map_err(database)?;
    transaction.commit().await.map_err(database)?;
    Ok(Done {})
}
