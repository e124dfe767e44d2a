//! Folding what becomes of applications' items that ask for this hospital's records.

use contracts::authorization::event::{Event as Authorization, Refuser};
use ledger::{LedgerId, canonical};

use crate::facts::Connection;
use crate::facts::deliveries::item_text;

pub(super) async fn fold(
    connection: &mut Connection,
    hospital_here: &LedgerId,
    decided: &Authorization,
) -> anyhow::Result<()> {
    let (item, state) = match decided {
        Authorization::ApplicationMade {
            application,
            purpose,
            ..
        } => {
            sqlx::query(
                "INSERT INTO ledger_applications (application, purpose) VALUES ($1, $2) ON CONFLICT (application) DO NOTHING",
            )
            .bind(application.to_string())
            .bind(canonical::encode(purpose))
            .execute(connection)
            .await?;
            return Ok(());
        }
        Authorization::ItemOpened {
            item,
            record,
            hospital,
            applicant,
            item_key,
            ..
        } => {
            if hospital == hospital_here {
                sqlx::query(
                    "INSERT INTO ledger_items (item, item_id, record, applicant, item_key, state) \
                     VALUES ($1, $2, $3, $4, $5, 'hospital_pending') ON CONFLICT (item) DO NOTHING",
                )
                .bind(item_text(item))
                .bind(canonical::encode(item))
                .bind(record.to_string())
                .bind(applicant.to_string())
                .bind(data_encoding::HEXLOWER.encode(item_key))
                .execute(connection)
                .await?;
            }
            return Ok(());
        }
        Authorization::HospitalApproved { item, .. } => (item, "patient_pending"),
        Authorization::PatientApproved { item } => (item, "approved"),
        Authorization::ItemRefused {
            item,
            refuser: Refuser::Hospital,
            ..
        } => (item, "refused_by_hospital"),
        Authorization::ItemRefused {
            item,
            refuser: Refuser::Patient,
            ..
        } => (item, "refused_by_patient"),
        Authorization::ItemReleased { item, .. } => (item, "released"),
        Authorization::ItemWithdrawn { item } => (item, "withdrawn"),
        Authorization::ItemExpired { item } => (item, "expired"),
        Authorization::ApplicationClosed { .. }
        | Authorization::GrantWithdrawn { .. }
        | Authorization::ReleaseDisputed { .. }
        | Authorization::DisputeSettled { .. } => return Ok(()),
    };
    sqlx::query("UPDATE ledger_items SET state = $1 WHERE item = $2")
        .bind(state)
        .bind(item_text(item))
        .execute(connection)
        .await?;
    Ok(())
}
