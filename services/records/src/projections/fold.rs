//! Folding committed events into rows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use contracts::membership::event::Event as Membership;
use contracts::records::command::Basis;
use contracts::records::event::Event as RecordEvent;
use contracts::settlement::event::Event as Settlement;
use contracts::{Event, RecordNumber};
use ledger::{Commitment, LedgerId, canonical};
use sqlx::{AssertSqlSafe, Row};
use store::projections::{ProjectedBlock, ProjectedEvent, Projection};
use tokio::sync::Notify;

use super::{items, members};
use crate::facts::Connection;
use crate::facts::codes::holder_number;
use crate::service::time_us;

/// The rows of this hospital.
pub struct Ledger {
    /// The hospital.
    pub hospital: LedgerId,
    /// Wakes the reactions.
    pub work: Arc<Notify>,
    /// Set when a member was activated: waiting patients may be found now.
    pub activated: Arc<AtomicBool>,
}

/// Whether an event may let a waiting patient's records go on.
pub fn member_activated(event: &Event) -> bool {
    matches!(
        event,
        Event::Membership(Membership::MemberActivated { .. } | Membership::MemberReinstated { .. })
    )
}

impl Projection for Ledger {
    const NAME: &'static str = "records";
    const VERSION: i64 = 2;

    async fn apply(
        &self,
        transaction: &mut store::projections::ProjectionTransaction<'_>,
        block: &ProjectedBlock,
    ) -> anyhow::Result<()> {
        for (position, event) in block.events.iter().enumerate() {
            self.fold(transaction, event, i64::try_from(position)?)
                .await?;
        }
        Ok(())
    }

    async fn reset(
        &self,
        transaction: &mut store::projections::ProjectionTransaction<'_>,
    ) -> anyhow::Result<()> {
        for table in [
            "ledger_members",
            "ledger_affiliations",
            "ledger_records",
            "ledger_versions",
            "ledger_codes",
            "ledger_views",
            "ledger_emergencies",
            "ledger_applications",
            "ledger_items",
            "ledger_claims",
            "ledger_findings",
            "ledger_consents",
        ] {
            sqlx::query(AssertSqlSafe(format!("DELETE FROM {table}")))
                .execute(&mut **transaction)
                .await?;
        }
        Ok(())
    }

    async fn after_commit(&self, events: &[ProjectedEvent]) {
        if events.iter().any(|event| member_activated(&event.event)) {
            self.activated.store(true, Ordering::Release);
        }
        self.work.notify_one();
    }
}

impl Ledger {
    async fn fold(
        &self,
        connection: &mut Connection,
        event: &ProjectedEvent,
        position: i64,
    ) -> anyhow::Result<()> {
        match &event.event {
            Event::Membership(membership) => members::fold(connection, membership).await,
            Event::Records(records) => self.fold_record(connection, event, records, position).await,
            Event::Authorization(authorization) => {
                items::fold(connection, &self.hospital, authorization).await
            }
            Event::Settlement(settlement) => self.fold_claim(connection, settlement).await,
            Event::Telemetry(_) | Event::Governance(_) => Ok(()),
        }
    }

    async fn fold_record(
        &self,
        connection: &mut Connection,
        event: &ProjectedEvent,
        decided: &RecordEvent,
        position: i64,
    ) -> anyhow::Result<()> {
        match decided {
            RecordEvent::RecordRegistered {
                record,
                patient,
                hospital,
                content,
                patient_code,
                hospital_code,
                ..
            } => {
                if *hospital == self.hospital {
                    put_record(connection, record, patient).await?;
                    put_version(connection, record, 1, content, event).await?;
                    for (holder, code) in [(0, patient_code), (1, hospital_code)] {
                        put_code(connection, record, holder, code).await?;
                    }
                }
            }
            RecordEvent::RecordAmended {
                record,
                hospital,
                version,
                content,
                ..
            } => {
                if *hospital == self.hospital {
                    sqlx::query("UPDATE ledger_records SET version = $1 WHERE record = $2")
                        .bind(i64::from(*version))
                        .bind(record.to_string())
                        .execute(&mut *connection)
                        .await?;
                    put_version(connection, record, *version, content, event).await?;
                }
            }
            RecordEvent::CodeSet {
                record,
                holder,
                code,
            } => {
                if is_own(connection, record).await? {
                    put_code(connection, record, holder_number(*holder), code).await?;
                }
            }
            RecordEvent::ConsentSet {
                patient,
                share_for_treatment,
                research,
            } => {
                sqlx::query(
                    "INSERT INTO ledger_consents (patient, share_for_treatment, research) VALUES ($1, $2, $3) \
                     ON CONFLICT (patient) DO UPDATE SET share_for_treatment = $2, research = $3",
                )
                .bind(patient.to_string())
                .bind(i64::from(*share_for_treatment))
                .bind(i64::from(*research))
                .execute(connection)
                .await?;
            }
            RecordEvent::CodeWithdrawn { record, holder } => {
                sqlx::query("DELETE FROM ledger_codes WHERE record = $1 AND holder = $2")
                    .bind(record.to_string())
                    .bind(holder_number(*holder))
                    .execute(connection)
                    .await?;
            }
            RecordEvent::CodeRedeemed {
                record,
                version,
                patient,
                hospital,
                viewer,
                holder,
                uses_left,
                purpose,
                viewer_name,
            } => {
                if *hospital == self.hospital {
                    sqlx::query(
                        "UPDATE ledger_codes SET uses_left = $1 WHERE record = $2 AND holder = $3",
                    )
                    .bind(i64::from(*uses_left))
                    .bind(record.to_string())
                    .bind(holder_number(*holder))
                    .execute(&mut *connection)
                    .await?;
                    let basis = if holder_number(*holder) == 0 {
                        "patient_code"
                    } else {
                        "hospital_code"
                    };
                    let view = View {
                        patient,
                        viewer,
                        basis,
                        purpose,
                        name: &viewer_name.0,
                        records: &[(*record, *version)],
                    };
                    put_view(connection, event, position, view).await?;
                }
            }
            RecordEvent::AccessLogged {
                records,
                patient,
                viewer,
                basis,
                purpose,
                viewer_name,
            } => {
                if let Some((first, _)) = records.first()
                    && is_own(connection, first).await?
                {
                    let view = View {
                        patient,
                        viewer,
                        basis: basis_text(basis),
                        purpose,
                        name: &viewer_name.0,
                        records,
                    };
                    put_view(connection, event, position, view).await?;
                }
            }
            RecordEvent::EmergencyOpened {
                emergency,
                patient,
                doctor,
                hospital,
                until,
                ..
            } => {
                sqlx::query(
                    "INSERT INTO ledger_emergencies (emergency, patient, doctor, hospital, until) VALUES ($1, $2, $3, $4, $5) \
                     ON CONFLICT (emergency) DO NOTHING",
                )
                .bind(emergency.to_string())
                .bind(patient.to_string())
                .bind(doctor.to_string())
                .bind(hospital.to_string())
                .bind(time_us(*until))
                .execute(connection)
                .await?;
            }
            RecordEvent::TamperingReported {
                record,
                hospital,
                version,
                kind,
                ..
            } => {
                if *hospital == self.hospital {
                    sqlx::query(
                        "INSERT INTO ledger_findings (record, version, kind, transaction_id) VALUES ($1, $2, $3, $4) \
                         ON CONFLICT (record, version, kind) DO NOTHING",
                    )
                    .bind(record.to_string())
                    .bind(i64::from(*version))
                    .bind(*kind as i64)
                    .bind(event.transaction.to_string())
                    .execute(connection)
                    .await?;
                }
            }
            RecordEvent::RecordErased { record, .. } => {
                set_erased(connection, record, "erased").await?
            }
            RecordEvent::ErasureCertified { record, .. } => {
                set_erased(connection, record, "certified").await?
            }
            RecordEvent::EmergencyReviewed { .. } => {}
        }
        Ok(())
    }

    async fn fold_claim(
        &self,
        connection: &mut Connection,
        decided: &Settlement,
    ) -> anyhow::Result<()> {
        let reference = match decided {
            Settlement::ClaimAdjudicated {
                claim, hospital, ..
            }
            | Settlement::ClaimPended {
                claim, hospital, ..
            } if *hospital == self.hospital => claim,
            _ => return Ok(()),
        };
        sqlx::query(
            "INSERT INTO ledger_claims (reference) VALUES ($1) ON CONFLICT (reference) DO NOTHING",
        )
        .bind(reference.0.to_string())
        .execute(connection)
        .await?;
        Ok(())
    }
}

async fn put_record(
    connection: &mut Connection,
    record: &RecordNumber,
    patient: &LedgerId,
) -> anyhow::Result<()> {
    sqlx::query(
        "INSERT INTO ledger_records (record, patient, version, erased, certified) VALUES ($1, $2, 1, 0, 0) \
         ON CONFLICT (record) DO NOTHING",
    )
    .bind(record.to_string())
    .bind(patient.to_string())
    .execute(connection)
    .await?;
    Ok(())
}

async fn put_version(
    connection: &mut Connection,
    record: &RecordNumber,
    version: u32,
    content: &Commitment,
    event: &ProjectedEvent,
) -> anyhow::Result<()> {
    sqlx::query(
        "INSERT INTO ledger_versions (record, version, commitment, transaction_id) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (record, version) DO NOTHING",
    )
    .bind(record.to_string())
    .bind(i64::from(version))
    .bind(canonical::encode(content))
    .bind(event.transaction.to_string())
    .execute(connection)
    .await?;
    Ok(())
}

async fn put_code(
    connection: &mut Connection,
    record: &RecordNumber,
    holder: i64,
    code: &contracts::records::command::Code,
) -> anyhow::Result<()> {
    sqlx::query(
        "INSERT INTO ledger_codes (record, holder, public_key, uses_left, until) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (record, holder) DO UPDATE SET public_key = excluded.public_key, uses_left = excluded.uses_left, \
         until = excluded.until",
    )
    .bind(record.to_string())
    .bind(holder)
    .bind(code.key.to_string())
    .bind(i64::from(code.uses))
    .bind(time_us(code.until))
    .execute(connection)
    .await?;
    Ok(())
}

struct View<'a> {
    patient: &'a LedgerId,
    viewer: &'a LedgerId,
    basis: &'static str,
    purpose: &'a contracts::Purpose,
    name: &'a [u8],
    records: &'a [(RecordNumber, u32)],
}

async fn put_view(
    connection: &mut Connection,
    event: &ProjectedEvent,
    position: i64,
    view: View<'_>,
) -> anyhow::Result<()> {
    sqlx::query(
        "INSERT INTO ledger_views (height, position, transaction_id, patient, viewer, basis, purpose, viewer_name, records, time) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (height, position) DO NOTHING",
    )
    .bind(i64::try_from(event.height.0)?)
    .bind(position)
    .bind(event.transaction.to_string())
    .bind(view.patient.to_string())
    .bind(view.viewer.to_string())
    .bind(view.basis)
    .bind(canonical::encode(view.purpose))
    .bind(view.name.to_vec())
    .bind(canonical::encode(&view.records.to_vec()))
    .bind(time_us(event.time))
    .execute(connection)
    .await?;
    Ok(())
}

async fn set_erased(
    connection: &mut Connection,
    record: &RecordNumber,
    column: &str,
) -> anyhow::Result<()> {
    sqlx::query(AssertSqlSafe(format!(
        "UPDATE ledger_records SET {column} = 1 WHERE record = $1"
    )))
    .bind(record.to_string())
    .execute(connection)
    .await?;
    Ok(())
}

async fn is_own(connection: &mut Connection, record: &RecordNumber) -> anyhow::Result<bool> {
    let row = sqlx::query("SELECT COUNT(*) FROM ledger_records WHERE record = $1")
        .bind(record.to_string())
        .fetch_one(connection)
        .await?;
    Ok(row.try_get::<i64, _>(0)? > 0)
}

fn basis_text(basis: &Basis) -> &'static str {
    match basis {
        Basis::Owner => "owner",
        Basis::OwnHospital { .. } => "own_hospital",
        Basis::Grant { .. } => "grant",
        Basis::Emergency { .. } => "emergency",
    }
}
