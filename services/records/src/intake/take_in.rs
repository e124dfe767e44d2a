//! Taking planned records into the hospital's database, and on to the ledger. Safe to be stopped anywhere: each step
//! is found in the tables and goes on from there.

use clinical::canonical::CANONICAL_FORM_VERSION;
use contracts::RecordNumber;
use interfaces::records::RefusedEntry;

use super::PlannedRecord;
use crate::facts::versions::{self, ANNOUNCED, Version, VersionSecrets, WAITING};
use crate::facts::{patients, records};
use crate::failure::Failure;
use crate::projections;
use crate::service::{Records, random_record};

/// What became of a planned record in the hospital's database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Written; this version has to go to the ledger.
    Written(RecordNumber, u32),
    /// It was there with the same content.
    Unchanged(RecordNumber, u32),
    /// Turned down.
    Refused(RefusedEntry),
}

impl Records {
    /// Writes one planned record. The caller holds the lock of its patient.
    pub async fn take_in(&self, planned: &PlannedRecord) -> Result<Taken, Failure> {
        let patient_token = patients::token(&self.vault, &planned.rows.patient_number);
        match records::by_encounter(self.reader(), &self.vault, &planned.rows.key).await? {
            None => self.take_in_new(planned, &patient_token).await,
            Some(stored) if stored.patient_token != patient_token => Ok(refused(
                planned,
                "belongs to another patient of this hospital",
            )),
            Some(stored) => self.take_in_again(planned, &stored).await,
        }
    }

    async fn take_in_new(
        &self,
        planned: &PlannedRecord,
        patient_token: &str,
    ) -> Result<Taken, Failure> {
        let record = random_record();
        let mut transaction = self.store.begin().await?;
        patients::remember(&mut transaction, &self.vault, &planned.rows.patient_number).await?;
        let key = records::insert(
            &mut transaction,
            &self.vault,
            &record,
            patient_token,
            planned,
        )
        .await?;
        let announced = self.announced(record, 1);
        versions::put(
            &mut transaction,
            &self.vault,
            &key,
            &announced,
            &secrets_of(planned),
        )
        .await?;
        transaction.commit().await?;
        self.write_rows(planned, &record, 1).await
    }

    async fn take_in_again(
        &self,
        planned: &PlannedRecord,
        stored: &records::Stored,
    ) -> Result<Taken, Failure> {
        let known = versions::of_record(self.reader(), &stored.record).await?;
        let committed = projections::committed_versions(self.reader(), &stored.record).await?;
        let content = versions::content_token(&self.vault, &planned.digests[0]);
        let next = match known.last() {
            None => 1,
            Some(last) => {
                let open = last.state == ANNOUNCED || last.rejection.is_some();
                if last.content_token == content && !open {
                    return Ok(Taken::Unchanged(stored.record, last.version));
                }
                if committed.contains_key(&last.version) {
                    last.version + 1
                } else if open || last.state == WAITING {
                    last.version
                } else {
                    return Ok(refused(
                        planned,
                        "is being registered with other content right now; try again",
                    ));
                }
            }
        };
        let mut transaction = self.store.begin().await?;
        let announced = self.announced(stored.record, next);
        versions::put(
            &mut transaction,
            &self.vault,
            &stored.key,
            &announced,
            &secrets_of(planned),
        )
        .await?;
        records::update(&mut transaction, &self.vault, stored, planned).await?;
        transaction.commit().await?;
        self.write_rows(planned, &stored.record, next).await
    }

    async fn write_rows(
        &self,
        planned: &PlannedRecord,
        record: &RecordNumber,
        version: u32,
    ) -> Result<Taken, Failure> {
        self.database.put_encounter(&planned.rows).await?;
        let mut transaction = self.store.begin().await?;
        versions::set_state(&mut transaction, record, version, WAITING).await?;
        transaction.commit().await?;
        Ok(Taken::Written(*record, version))
    }

    fn announced(&self, record: RecordNumber, version: u32) -> Version {
        Version {
            record,
            version,
            state: ANNOUNCED.to_owned(),
            content_token: String::new(),
            mapping_version: self.database.mapping_version(),
            canonical_version: CANONICAL_FORM_VERSION,
            sealed: Vec::new(),
            transaction: None,
            attempt_until: 0,
            rejection: None,
        }
    }
}

fn secrets_of(planned: &PlannedRecord) -> VersionSecrets {
    VersionSecrets {
        digests: planned.digests,
        brief: planned.brief.clone(),
        claims: planned.claims.clone(),
        commitments: None,
    }
}

fn refused(planned: &PlannedRecord, reason: &str) -> Taken {
    let url = planned
        .rows
        .entries
        .iter()
        .find(|entry| entry.kind() == "Encounter")
        .map(|entry| entry.full_url.clone());
    let element = match url {
        Some(url) => format!("Bundle.entry.where(fullUrl = '{}')", url.replace('\'', "")),
        None => "Bundle".to_owned(),
    };
    Taken::Refused(RefusedEntry {
        element,
        reason: reason.to_owned(),
    })
}
