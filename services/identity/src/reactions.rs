//! Registrations that expired on their way are sent again: the possession proof is kept with the ledger id.

use std::sync::Arc;
use std::time::Duration;

use chassis::Shutdown;
use contracts::membership::command::RegisterMember;
use ledger::canonical;
use sqlx::Row;

use crate::service::{Identity, now};

/// A transaction lives a minute; after two the outbox has given it up.
const RESEND_AFTER_US: u64 = 120_000_000;

/// Looks every 30 s for ledger ids that the ledger does not know, and submits their registration again. The membership
/// contract takes a member once, so a repeat is harmless.
pub(crate) async fn resend_registrations(identity: Arc<Identity>, shutdown: Shutdown) {
    loop {
        tokio::select! {
            () = shutdown.requested() => return,
            () = tokio::time::sleep(Duration::from_secs(30)) => {}
        }
        if let Err(error) = resend(&identity).await {
            tracing::warn!(%error, "registrations could not be sent again");
        }
    }
}

async fn resend(identity: &Identity) -> anyhow::Result<()> {
    let rows = sqlx::query(
        "SELECT ledger_id, registration FROM ledger_ids
         WHERE submitted_us < $1 AND NOT EXISTS (SELECT 1 FROM members WHERE member = ledger_ids.ledger_id) LIMIT 100",
    )
    .bind(now().0.saturating_sub(RESEND_AFTER_US) as i64)
    .fetch_all(identity.store.reader())
    .await?;
    for row in rows {
        let ledger_id: String = row.try_get(0)?;
        let registration: Vec<u8> = row.try_get(1)?;
        let command: RegisterMember = canonical::decode(&registration)?;
        let mut transaction = identity.store.begin().await?;
        sqlx::query("UPDATE ledger_ids SET submitted_us = $1 WHERE ledger_id = $2")
            .bind(now().0 as i64)
            .bind(&ledger_id)
            .execute(&mut *transaction)
            .await?;
        store::outbox::put(&mut transaction, &identity.registration(command)).await?;
        transaction.commit().await?;
        identity.desk.outbox().wake();
        tracing::info!(%ledger_id, "registration sent again");
    }
    Ok(())
}
