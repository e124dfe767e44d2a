//! Devices, bindings, shares and warnings, folded from the ledger.

use contracts::Event;
use contracts::membership::command::MemberKind;
use contracts::membership::event::Event as Membership;
use contracts::telemetry::event::Event as Measured;
use ledger::LedgerId;
use store::projections::ProjectionTransaction;
use store::{ProjectedBlock, Projection};

/// Places of one block's warnings: more than a block can have.
const PLACES_PER_BLOCK: i64 = 10_000_000;

/// The projection `bindings`.
pub(crate) struct Bindings;

impl Projection for Bindings {
    const NAME: &'static str = "bindings";
    const VERSION: i64 = 1;

    async fn apply(
        &self,
        transaction: &mut ProjectionTransaction<'_>,
        block: &ProjectedBlock,
    ) -> anyhow::Result<()> {
        let time_us = block.header.time.0 as i64;
        for (number, event) in block.events.iter().enumerate() {
            match &event.event {
                Event::Membership(membership) => member(transaction, membership).await?,
                Event::Telemetry(measured) => {
                    let place = block.header.height.0 as i64 * PLACES_PER_BLOCK + number as i64;
                    fold(
                        transaction,
                        measured,
                        place,
                        time_us,
                        &event.transaction.to_string(),
                    )
                    .await?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn reset(&self, transaction: &mut ProjectionTransaction<'_>) -> anyhow::Result<()> {
        for table in ["device_members", "bindings", "shares", "warnings"] {
            sqlx::query(sqlx::AssertSqlSafe(format!("DELETE FROM {table}")))
                .execute(&mut **transaction)
                .await?;
        }
        Ok(())
    }
}

async fn member(
    transaction: &mut ProjectionTransaction<'_>,
    event: &Membership,
) -> Result<(), sqlx::Error> {
    match event {
        Membership::MemberRegistered {
            member,
            kind: MemberKind::Device,
            public_key,
            ..
        } => sqlx::query(
            "INSERT INTO device_members (device, public_key, status) VALUES ($1, $2, 'pending')",
        )
        .bind(member.to_string())
        .bind(public_key.to_string())
        .execute(&mut **transaction)
        .await
        .map(|_| ()),
        Membership::MemberActivated { member } | Membership::MemberReinstated { member } => {
            set_status(transaction, member, "active").await
        }
        Membership::MemberSuspended { member } => {
            set_status(transaction, member, "suspended").await
        }
        Membership::MemberRevoked { member } => set_status(transaction, member, "revoked").await,
        Membership::KeyRotated {
            member, public_key, ..
        } => sqlx::query("UPDATE device_members SET public_key = $1 WHERE device = $2")
            .bind(public_key.to_string())
            .bind(member.to_string())
            .execute(&mut **transaction)
            .await
            .map(|_| ()),
        _ => Ok(()),
    }
}

async fn set_status(
    transaction: &mut ProjectionTransaction<'_>,
    member: &LedgerId,
    status: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE device_members SET status = $1 WHERE device = $2")
        .bind(status)
        .bind(member.to_string())
        .execute(&mut **transaction)
        .await
        .map(|_| ())
}

async fn fold(
    transaction: &mut ProjectionTransaction<'_>,
    event: &Measured,
    place: i64,
    time_us: i64,
    id: &str,
) -> Result<(), sqlx::Error> {
    let query = match event {
        Measured::DeviceRegistered { device, patient } => sqlx::query(
            "INSERT INTO bindings (device, patient) VALUES ($1, $2) ON CONFLICT (device) DO UPDATE SET patient = excluded.patient",
        )
        .bind(device.to_string())
        .bind(patient.to_string()),
        Measured::DeviceUnregistered { device, .. } => sqlx::query("DELETE FROM bindings WHERE device = $1").bind(device.to_string()),
        Measured::WarningsShared { patient, hospital, until } => sqlx::query(
            "INSERT INTO shares (patient, hospital, from_us, until_us) VALUES ($1, $2, $3, $4)
             ON CONFLICT (patient, hospital) DO UPDATE SET from_us = excluded.from_us, until_us = excluded.until_us",
        )
        .bind(patient.to_string())
        .bind(hospital.to_string())
        .bind(time_us)
        .bind(until.0 as i64),
        Measured::ShareEnded { patient, hospital } => sqlx::query("UPDATE shares SET until_us = $1 WHERE patient = $2 AND hospital = $3")
            .bind(time_us)
            .bind(patient.to_string())
            .bind(hospital.to_string()),
        Measured::ReadingsAnchored { .. } => return Ok(()),
        Measured::WarningRaised { warning, device, patient, level, cause, .. } => sqlx::query(
            "INSERT INTO warnings (warning, place, device, patient, level, cause, time_us, transaction_id, acknowledged)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0)",
        )
        .bind(warning.to_string())
        .bind(place)
        .bind(device.to_string())
        .bind(patient.to_string())
        .bind(serde_json::to_string(level).unwrap_or_default())
        .bind(serde_json::to_string(cause).unwrap_or_default())
        .bind(time_us)
        .bind(id.to_owned()),
        Measured::WarningAcknowledged { warning, .. } => {
            sqlx::query("UPDATE warnings SET acknowledged = 1 WHERE warning = $1").bind(warning.to_string())
        }
    };
    query.execute(&mut **transaction).await.map(|_| ())
}
