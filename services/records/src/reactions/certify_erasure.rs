//! After a patient had a record erased: rows, salts and keys are destroyed first, then that is certified.

use contracts::RecordNumber;
use contracts::records::command::Command;

use crate::facts::{records as record_facts, versions};
use crate::failure::Failure;
use crate::projections;
use crate::service::{Records, now_us};

impl Records {
    /// Destroys and certifies every erased record.
    pub(super) async fn certify_erasures(&self) -> Result<(), Failure> {
        for record in projections::records_to_certify(self.reader(), now_us()).await? {
            self.destroy_record(&record).await?;
            let outgoing = self.outgoing(record, Command::CertifyErasure { record });
            let mut transaction = self.store.begin().await?;
            sqlx::query(
                "INSERT INTO erasures (record, attempt_until) VALUES ($1, $2) \
                 ON CONFLICT (record) DO UPDATE SET attempt_until = excluded.attempt_until",
            )
            .bind(record.to_string())
            .bind(outgoing.valid_until())
            .execute(&mut *transaction)
            .await?;
            store::outbox::put(&mut transaction, &outgoing.signed).await?;
            transaction.commit().await?;
            self.wait_all(vec![outgoing]).await;
        }
        Ok(())
    }

    async fn destroy_record(&self, record: &RecordNumber) -> Result<(), Failure> {
        let Some(stored) = record_facts::find(self.reader(), &self.vault, record).await? else {
            return Ok(());
        };
        let _lock = self.patients.lock(&stored.patient_token).await;
        // The hospital's rows first: their key in its database is known only while the record's own key is.
        for version in versions::of_record(self.reader(), record).await? {
            self.database
                .delete_encounter(version.mapping_version, &stored.summary.encounter)
                .await?;
        }
        let mut transaction = self.store.begin().await?;
        record_facts::destroy(&mut transaction, record, record_facts::ERASED).await?;
        transaction.commit().await?;
        self.store.forget_deleted().await?;
        Ok(())
    }
}
