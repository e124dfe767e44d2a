//! Batches of readings on the ledger: one Merkle root over the leaves of all packs since the batch before.

use std::sync::Arc;
use std::time::Duration;

use chassis::Shutdown;
use contracts::telemetry::command::Command;
use ledger::{Digest, LedgerId, merkle};
use sqlx::Row;
use store::OutboxError;

use crate::packs::{Pack, pack_row};
use crate::service::Iot;

/// Packs in one batch at most.
const PACKS_PER_BATCH: i64 = 8_192;

/// Anchors until told to stop: one batch at a time, numbered without gaps.
pub(crate) async fn run(iot: Arc<Iot>, shutdown: Shutdown) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(iot.readings.anchor_every_ms)) => {}
            () = shutdown.requested() => return Ok(()),
        }
        loop {
            match anchor(&iot).await {
                // More wait than one batch takes.
                Ok(true) if !shutdown.is_requested() => {}
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(%error, "readings could not be anchored yet");
                    break;
                }
            }
        }
    }
}

/// Anchors one batch; says whether more may wait.
async fn anchor(iot: &Iot) -> anyhow::Result<bool> {
    finish_last(iot).await?;
    let rows = sqlx::query("SELECT place, device, patient, sealed FROM packs WHERE batch IS NULL ORDER BY place LIMIT $1")
        .bind(PACKS_PER_BATCH)
        .fetch_all(iot.store.reader())
        .await?;
    let Some(last) = rows.last() else {
        return Ok(false);
    };
    let more = rows.len() as i64 == PACKS_PER_BATCH;
    let last: i64 = last.try_get(0)?;
    let mut leaves: Vec<Digest> = Vec::new();
    for row in &rows {
        let (place, device, patient): (i64, String, String) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let (device, patient): (LedgerId, LedgerId) = (device.parse()?, patient.parse()?);
        let sealed: Vec<u8> = row.try_get(3)?;
        let pack: Pack = iot
            .open_row(&patient, &pack_row(place), &sealed)
            .ok_or_else(|| anyhow::anyhow!("pack {place} does not open: its row was altered"))?;
        leaves.extend(pack.leaves(&device, &patient));
    }
    let batch: i64 = sqlx::query("SELECT COALESCE(MAX(batch), 0) + 1 FROM batches")
        .fetch_one(iot.store.reader())
        .await?
        .try_get(0)?;
    let root = root(&leaves);
    let readings = leaves.len() as u32;
    let signed = signed(iot, root, readings, batch as u64);
    let mut transaction = iot.store.begin().await?;
    sqlx::query("UPDATE packs SET batch = $1 WHERE batch IS NULL AND place <= $2")
        .bind(batch)
        .bind(last)
        .execute(&mut *transaction)
        .await?;
    sqlx::query(
        "INSERT INTO batches (batch, root, readings, transaction_id) VALUES ($1, $2, $3, $4)",
    )
    .bind(batch)
    .bind(root.to_string())
    .bind(i64::from(readings))
    .bind(signed.id().to_string())
    .execute(&mut *transaction)
    .await?;
    store::outbox::put(&mut transaction, &signed).await?;
    transaction.commit().await?;
    finish_last(iot).await?;
    Ok(more)
}

fn root(leaves: &[Digest]) -> Digest {
    let leaves: Vec<&[u8]> = leaves.iter().map(|leaf| &leaf.0[..]).collect();
    merkle::root(&leaves)
}

fn signed(iot: &Iot, root: Digest, readings: u32, batch: u64) -> ledger::SignedTransaction {
    let command = contracts::Command::from(Command::AnchorReadings {
        root,
        readings,
        batch,
    });
    iot.member.sign(
        iot.desk
            .body(iot.member.ledger_id(), iot.member.public_key(), &command),
    )
}

/// Sees the last batch through: a transaction that expired is signed anew, since numbers have no gaps.
async fn finish_last(iot: &Iot) -> anyhow::Result<()> {
    let row = sqlx::query(
        "SELECT batch, root, readings, transaction_id, anchored FROM batches ORDER BY batch DESC LIMIT 1",
    )
    .fetch_optional(iot.store.reader())
    .await?;
    let Some(row) = row else { return Ok(()) };
    let (batch, root, readings, id): (i64, String, i64, String) = (
        row.try_get(0)?,
        row.try_get(1)?,
        row.try_get(2)?,
        row.try_get(3)?,
    );
    if row.try_get::<i64, _>(4)? != 0 {
        return Ok(());
    }
    match iot.desk.outbox().wait(&id.parse()?).await {
        // Long ago: the outbox has forgotten it. If it was anchored, the contract turns down the second of that number.
        Err(OutboxError::Expired | OutboxError::Unknown) => {
            let signed = signed(iot, root.parse()?, readings as u32, batch as u64);
            let mut transaction = iot.store.begin().await?;
            sqlx::query("UPDATE batches SET transaction_id = $1 WHERE batch = $2")
                .bind(signed.id().to_string())
                .bind(batch)
                .execute(&mut *transaction)
                .await?;
            store::outbox::put(&mut transaction, &signed).await?;
            transaction.commit().await?;
            iot.desk.outbox().wait(&signed.id()).await?;
        }
        Ok(_) => {}
        Err(error) => return Err(error.into()),
    }
    let mut transaction = iot.store.begin().await?;
    sqlx::query("UPDATE batches SET anchored = 1 WHERE batch = $1")
        .bind(batch)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}
