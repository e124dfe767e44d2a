//! Applications, items, grants and notices, folded from the ledger.

use contracts::authorization::event::{Event as Authorized, Refuser};
use contracts::membership::event::Event as Membership;
use contracts::records::command::Basis;
use contracts::records::event::Event as Recorded;
use contracts::{Event, GrantId, ItemId};
use ledger::{Digest, LedgerId};
use sqlx::Row;
use store::projections::ProjectionTransaction;
use store::{ProjectedBlock, Projection};

/// Places of one block's rows: more than a block can have.
const PLACES_PER_BLOCK: i64 = 10_000_000;

/// The projection `workflow`.
pub(crate) struct Workflow;

impl Projection for Workflow {
    const NAME: &'static str = "workflow";
    const VERSION: i64 = 1;

    async fn apply(
        &self,
        transaction: &mut ProjectionTransaction<'_>,
        block: &ProjectedBlock,
    ) -> anyhow::Result<()> {
        let mut fold = Fold {
            rows: transaction,
            place: block.header.height.0 as i64 * PLACES_PER_BLOCK,
            time_us: block.header.time.0 as i64,
            transaction: Digest::default(),
        };
        for event in &block.events {
            fold.transaction = event.transaction;
            match &event.event {
                Event::Authorization(authorized) => fold.authorized(authorized).await?,
                Event::Membership(membership) => fold.named(membership).await?,
                Event::Records(recorded) => fold.viewed(recorded).await?,
                _ => {}
            }
        }
        Ok(())
    }

    async fn reset(&self, transaction: &mut ProjectionTransaction<'_>) -> anyhow::Result<()> {
        for table in [
            "organisations",
            "applications",
            "items",
            "item_transactions",
            "notices",
            "grant_views",
        ] {
            sqlx::query(sqlx::AssertSqlSafe(format!("DELETE FROM {table}")))
                .execute(&mut **transaction)
                .await?;
        }
        Ok(())
    }
}

struct Fold<'a, 't> {
    rows: &'a mut ProjectionTransaction<'t>,
    place: i64,
    time_us: i64,
    transaction: Digest,
}

/// Whom an item concerns.
struct Parties {
    applicant: String,
    hospital: String,
    patient: String,
    hospital_approved: bool,
}

impl Fold<'_, '_> {
    fn next_place(&mut self) -> i64 {
        self.place += 1;
        self.place
    }

    async fn authorized(&mut self, event: &Authorized) -> Result<(), sqlx::Error> {
        match event {
            Authorized::ApplicationMade { application, applicant, purpose, until, .. } => {
                sqlx::query("INSERT INTO applications (application, applicant, purpose, until_us) VALUES ($1, $2, $3, $4)")
                    .bind(application.to_string())
                    .bind(applicant.to_string())
                    .bind(crate::rows::purpose_name(*purpose))
                    .bind(until.0 as i64)
                    .execute(&mut **self.rows)
                    .await
                    .map(|_| ())
            }
            Authorized::ItemOpened { .. } => self.opened(event).await,
            Authorized::HospitalApproved { item, ciphertext, release, .. } => {
                sqlx::query(
                    "UPDATE items SET state = 'patient_pending', hospital_approved = 1, ciphertext = $1, release_commitment = $2
                     WHERE application = $3 AND item_index = $4",
                )
                .bind(ciphertext.to_string())
                .bind(serde_json::to_string(release).unwrap_or_default())
                .bind(item.application.to_string())
                .bind(i64::from(item.index))
                .execute(&mut **self.rows)
                .await?;
                self.trace(item).await?;
                let parties = self.parties(item).await?;
                self.notify(&parties.patient, "decision_needed", item).await
            }
            Authorized::PatientApproved { item } => self.moved(item, "approved", &[]).await,
            Authorized::ItemRefused { item, refuser, .. } => {
                let state = match refuser {
                    Refuser::Hospital => "refused_by_hospital",
                    Refuser::Patient => "refused_by_patient",
                };
                self.moved(item, state, &["refused"]).await
            }
            Authorized::ItemReleased { item, grant, sealed_key, .. } => {
                sqlx::query("UPDATE items SET grant_id = $1, sealed_key = $2 WHERE application = $3 AND item_index = $4")
                    .bind(grant.to_string())
                    .bind(sealed_key.0.clone())
                    .bind(item.application.to_string())
                    .bind(i64::from(item.index))
                    .execute(&mut **self.rows)
                    .await?;
                self.moved(item, "released", &["released"]).await
            }
            Authorized::ItemWithdrawn { item } => self.moved(item, "withdrawn", &["withdrawn"]).await,
            Authorized::ItemExpired { item } => self.moved(item, "expired", &["expired"]).await,
            Authorized::ApplicationClosed { .. } => Ok(()),
            Authorized::GrantWithdrawn { grant, item } => {
                sqlx::query("UPDATE items SET grant_withdrawn = 1 WHERE grant_id = $1")
                    .bind(grant.to_string())
                    .execute(&mut **self.rows)
                    .await?;
                self.trace(item).await?;
                let parties = self.parties(item).await?;
                self.notify(&parties.applicant, "grant_withdrawn", item).await
            }
            Authorized::ReleaseDisputed { item, .. } => self.moved(item, "disputed", &[]).await,
            Authorized::DisputeSettled { item, reversed } => {
                self.moved(item, if *reversed { "reversed" } else { "released" }, &[]).await
            }
        }
    }

    async fn opened(&mut self, event: &Authorized) -> Result<(), sqlx::Error> {
        let Authorized::ItemOpened {
            item,
            record,
            hospital,
            patient,
            applicant,
            price,
            item_key,
            deadline,
        } = event
        else {
            return Ok(());
        };
        sqlx::query(
            "INSERT INTO items (application, item_index, place, record, hospital, patient, applicant, price, item_key, state,
                 hospital_approved, deadline_us, grant_withdrawn)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'hospital_pending', 0, $10, 0)",
        )
        .bind(item.application.to_string())
        .bind(i64::from(item.index))
        .bind(self.next_place())
        .bind(record.to_string())
        .bind(hospital.to_string())
        .bind(patient.to_string())
        .bind(applicant.to_string())
        .bind(*price)
        .bind(Digest(*item_key).to_string())
        .bind(deadline.0 as i64)
        .execute(&mut **self.rows)
        .await?;
        self.trace(item).await?;
        self.notify(&hospital.to_string(), "decision_needed", item)
            .await
    }

    /// A new state, its trace, and notices to the applicant and, where it had a part, to the patient.
    async fn moved(
        &mut self,
        item: &ItemId,
        state: &str,
        notices: &[&str],
    ) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE items SET state = $1 WHERE application = $2 AND item_index = $3")
            .bind(state)
            .bind(item.application.to_string())
            .bind(i64::from(item.index))
            .execute(&mut **self.rows)
            .await?;
        self.trace(item).await?;
        let parties = self.parties(item).await?;
        for kind in notices {
            self.notify(&parties.applicant, kind, item).await?;
            if parties.hospital_approved {
                self.notify(&parties.patient, kind, item).await?;
            }
            if matches!(*kind, "expired" | "withdrawn") {
                self.notify(&parties.hospital, kind, item).await?;
            }
        }
        Ok(())
    }

    async fn parties(&mut self, item: &ItemId) -> Result<Parties, sqlx::Error> {
        let row = sqlx::query("SELECT applicant, hospital, patient, hospital_approved FROM items WHERE application = $1 AND item_index = $2")
            .bind(item.application.to_string())
            .bind(i64::from(item.index))
            .fetch_one(&mut **self.rows)
            .await?;
        Ok(Parties {
            applicant: row.try_get(0)?,
            hospital: row.try_get(1)?,
            patient: row.try_get(2)?,
            hospital_approved: row.try_get::<i64, _>(3)? != 0,
        })
    }

    async fn trace(&mut self, item: &ItemId) -> Result<(), sqlx::Error> {
        sqlx::query("INSERT INTO item_transactions (application, item_index, place, transaction_id) VALUES ($1, $2, $3, $4)")
            .bind(item.application.to_string())
            .bind(i64::from(item.index))
            .bind(self.next_place())
            .bind(self.transaction.to_string())
            .execute(&mut **self.rows)
            .await
            .map(|_| ())
    }

    async fn notify(
        &mut self,
        recipient: &str,
        kind: &str,
        item: &ItemId,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO notices (recipient, place, kind, application, item_index, time_us, transaction_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(recipient)
        .bind(self.next_place())
        .bind(kind)
        .bind(item.application.to_string())
        .bind(i64::from(item.index))
        .bind(self.time_us)
        .bind(self.transaction.to_string())
        .execute(&mut **self.rows)
        .await
        .map(|_| ())
    }

    async fn named(&mut self, event: &Membership) -> Result<(), sqlx::Error> {
        let (member, name): (&LedgerId, &str) = match event {
            Membership::FounderNamed {
                member,
                name: Some(name),
                ..
            } => (member, name),
            Membership::MemberRegistered {
                member,
                name: Some(name),
                ..
            } => (member, name),
            _ => return Ok(()),
        };
        sqlx::query("INSERT INTO organisations (member, name) VALUES ($1, $2) ON CONFLICT (member) DO NOTHING")
            .bind(member.to_string())
            .bind(name)
            .execute(&mut **self.rows)
            .await
            .map(|_| ())
    }

    async fn viewed(&mut self, event: &Recorded) -> Result<(), sqlx::Error> {
        let Recorded::AccessLogged {
            viewer,
            basis: Basis::Grant { grant },
            ..
        } = event
        else {
            return Ok(());
        };
        let grant: &GrantId = grant;
        sqlx::query("INSERT INTO grant_views (transaction_id, grant_id, viewer, time_us) VALUES ($1, $2, $3, $4)")
            .bind(self.transaction.to_string())
            .bind(grant.to_string())
            .bind(viewer.to_string())
            .bind(self.time_us)
            .execute(&mut **self.rows)
            .await
            .map(|_| ())
    }
}
