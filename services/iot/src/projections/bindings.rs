//! Devices, bindings, shares and warnings, folded from the ledger.

use contracts::Event;
use contracts::membership::command::MemberKind;
use contracts::membership::event::Event as Membership;
use contracts::telemetry::event::Event as Measured;
use ledger::{Digest, LedgerId};
use store::projections::ProjectionTransaction;
use store::rows::{Insert, Rows};
use store::{ProjectedBlock, Projection, row};

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
        self.apply_all(transaction, &[block]).await
    }

    async fn apply_all(
        &self,
        transaction: &mut ProjectionTransaction<'_>,
        blocks: &[&ProjectedBlock],
    ) -> anyhow::Result<()> {
        let mut rows = Rows::new();
        for block in blocks {
            let time_us = block.header.time.0 as i64;
            for (number, event) in block.events.iter().enumerate() {
                match &event.event {
                    Event::Membership(membership) => member(&mut rows, membership),
                    Event::Telemetry(measured) => {
                        let place = block.header.height.0 as i64 * PLACES_PER_BLOCK + number as i64;
                        fold(&mut rows, measured, place, time_us, &event.transaction);
                    }
                    _ => {}
                }
            }
        }
        rows.flush(transaction).await?;
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

static PUT_DEVICE: Insert =
    Insert::new("device_members", &["device", "public_key", "status"], 0, "");
static PUT_BINDING: Insert = Insert::new(
    "bindings",
    &["device", "patient"],
    1,
    "ON CONFLICT (device) DO UPDATE SET patient = excluded.patient",
);
static PUT_SHARE: Insert = Insert::new(
    "shares",
    &["patient", "hospital", "from_us", "until_us"],
    2,
    "ON CONFLICT (patient, hospital) DO UPDATE SET from_us = excluded.from_us, until_us = excluded.until_us",
);
static PUT_WARNING: Insert = Insert::new(
    "warnings",
    &[
        "warning",
        "place",
        "device",
        "patient",
        "level",
        "cause",
        "time_us",
        "transaction_id",
        "acknowledged",
    ],
    0,
    "",
);

fn member(rows: &mut Rows, event: &Membership) {
    match event {
        Membership::MemberRegistered {
            member,
            kind: MemberKind::Device,
            public_key,
            ..
        } => rows.insert(
            &PUT_DEVICE,
            row![member.to_string(), public_key.to_string(), "pending"],
        ),
        Membership::MemberActivated { member } | Membership::MemberReinstated { member } => {
            set_status(rows, member, "active");
        }
        Membership::MemberSuspended { member } => set_status(rows, member, "suspended"),
        Membership::MemberRevoked { member } => set_status(rows, member, "revoked"),
        Membership::KeyRotated {
            member, public_key, ..
        } => rows.execute(
            "device_members",
            "UPDATE device_members SET public_key = $1 WHERE device = $2",
            row![public_key.to_string(), member.to_string()],
        ),
        _ => {}
    }
}

fn set_status(rows: &mut Rows, member: &LedgerId, status: &str) {
    rows.execute(
        "device_members",
        "UPDATE device_members SET status = $1 WHERE device = $2",
        row![status, member.to_string()],
    );
}

fn fold(rows: &mut Rows, event: &Measured, place: i64, time_us: i64, transaction: &Digest) {
    match event {
        Measured::DeviceRegistered { device, patient } => {
            rows.insert(&PUT_BINDING, row![device.to_string(), patient.to_string()])
        }
        Measured::DeviceUnregistered { device, .. } => rows.execute(
            "bindings",
            "DELETE FROM bindings WHERE device = $1",
            row![device.to_string()],
        ),
        Measured::WarningsShared {
            patient,
            hospital,
            until,
        } => rows.insert(
            &PUT_SHARE,
            row![
                patient.to_string(),
                hospital.to_string(),
                time_us,
                until.0 as i64
            ],
        ),
        Measured::ShareEnded { patient, hospital } => rows.execute(
            "shares",
            "UPDATE shares SET until_us = $1 WHERE patient = $2 AND hospital = $3",
            row![time_us, patient.to_string(), hospital.to_string()],
        ),
        Measured::ReadingsAnchored { .. } => {}
        Measured::WarningRaised {
            warning,
            device,
            patient,
            level,
            cause,
            ..
        } => rows.insert(
            &PUT_WARNING,
            row![
                warning.to_string(),
                place,
                device.to_string(),
                patient.to_string(),
                serde_json::to_string(level).unwrap_or_default(),
                serde_json::to_string(cause).unwrap_or_default(),
                time_us,
                transaction.to_string(),
                0_i64
            ],
        ),
        Measured::WarningAcknowledged { warning, .. } => rows.execute(
            "warnings",
            "UPDATE warnings SET acknowledged = 1 WHERE warning = $1",
            row![warning.to_string()],
        ),
    }
}
