//! A device that was heard and then is not: readings that stop are a finding, too.

use std::sync::Arc;
use std::time::Duration;

use chassis::Shutdown;
use contracts::telemetry::command::{WarningCause, WarningLevel};
use interfaces::iot::WarningReason;
use sqlx::Row;

use super::{Words, raise};
use crate::service::{Iot, now_us};

/// Looks for silent devices until told to stop.
pub(crate) async fn run(iot: Arc<Iot>, shutdown: Shutdown) {
    let every = Duration::from_secs((iot.readings.silence_seconds / 4).clamp(1, 30));
    loop {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = shutdown.requested() => return,
        }
        if let Err(error) = look(&iot).await {
            tracing::warn!(%error, "silent devices could not be looked for");
        }
    }
}

async fn look(iot: &Iot) -> anyhow::Result<()> {
    let since = now_us().saturating_sub(iot.readings.silence_seconds * 1_000_000) as i64;
    let mut transaction = iot.store.begin().await?;
    let rows = sqlx::query(
        "SELECT device_counters.device, bindings.patient FROM device_counters
         JOIN bindings ON bindings.device = device_counters.device
         WHERE device_counters.silent = 0 AND device_counters.heard_us < $1 LIMIT 100",
    )
    .bind(since)
    .fetch_all(&mut *transaction)
    .await?;
    for row in &rows {
        let (device, patient): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        sqlx::query("UPDATE device_counters SET silent = 1 WHERE device = $1")
            .bind(&device)
            .execute(&mut *transaction)
            .await?;
        let words = Words {
            message: "the device sends no readings any more".to_owned(),
            reasons: vec![WarningReason::Silence],
        };
        let (level, cause) = (WarningLevel::Low, WarningCause::Silence);
        raise(
            iot,
            &mut transaction,
            &device.parse()?,
            &patient.parse()?,
            level,
            cause,
            words,
            Vec::new(),
        )
        .await?;
    }
    transaction.commit().await?;
    if !rows.is_empty() {
        iot.desk.outbox().wake();
    }
    Ok(())
}
