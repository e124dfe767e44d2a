//! Undoes a wrong match of a patient number: the patient's records wait again under new numbers, and the wrong member
//! can't view the old ones. By the hospital.

use std::sync::Arc;

use bus::Call;
use interfaces::Problem;
use interfaces::identity::{Done, UndoMatch};
use interfaces::records::UndoPatientMatch;

use crate::facts::records::{self as record_facts, DETACHED, Stored};
use crate::facts::{patients, versions};
use crate::failure::Failure;
use crate::intake::canonical_of_rows;
use crate::service::{Records, random_record};

pub(super) async fn undo_patient_match(
    records: Arc<Records>,
    call: Call,
    request: UndoPatientMatch,
) -> Result<Done, Failure> {
    records.hospital_caller(&call)?;
    let token = patients::token(&records.vault, &request.patient_number);
    let _lock = records.patients.lock(&token).await;
    let patient = patients::find(records.reader(), &records.vault, &token).await?;
    if patient.is_none_or(|patient| patient.matched.is_none()) {
        return Err(Problem::not_found("no member is matched to this patient number").into());
    }
    // Identity first: otherwise the wrong member would be found again at once. Both steps can be repeated.
    let undo = UndoMatch {
        hospital: records.hospital,
        patient_number: request.patient_number,
    };
    records.ask_identity(None, &undo).await?;
    let stored = record_facts::of_patient(records.reader(), &records.vault, &token).await?;
    let mut renewals = Vec::with_capacity(stored.len());
    for stored in &stored {
        renewals.push((stored.record, records.renewal(stored).await?));
    }
    let mut transaction = records.store.begin().await?;
    for (record, renewal) in renewals {
        record_facts::destroy(&mut transaction, &record, DETACHED).await?;
        if let Some(renewal) = renewal {
            renewal.enter(&records, &mut transaction, &token).await?;
        }
    }
    patients::set_match(&mut transaction, &records.vault, &token, None).await?;
    transaction.commit().await?;
    records.work.notify_one();
    Ok(Done {})
}

/// A record's rows under a new number.
struct Renewal {
    planned: crate::intake::PlannedRecord,
    mapping_version: u32,
    canonical_version: u16,
}

impl Records {
    /// What is needed to register the rows of a record again; none when the rows are gone.
    async fn renewal(&self, stored: &Stored) -> Result<Option<Renewal>, Failure> {
        let Some(newest) = self.newest_version(&stored.record).await? else {
            return Ok(None);
        };
        let rows = self
            .database
            .read_encounter(newest.mapping_version, &stored.summary.encounter)
            .await?;
        let Some(bytes) = canonical_of_rows(rows, newest.canonical_version) else {
            return Ok(None);
        };
        let text = String::from_utf8(bytes).map_err(|_| Failure::Row("content"))?;
        let mut planned = crate::intake::plan_single(&text, &self.hospital.to_string())?;
        planned.rows.key = stored.summary.encounter.clone();
        planned.rows.patient_number = stored.summary.patient_number.clone();
        Ok(Some(Renewal {
            planned,
            mapping_version: newest.mapping_version,
            canonical_version: newest.canonical_version,
        }))
    }
}

impl Renewal {
    async fn enter(
        self,
        records: &Records,
        connection: &mut crate::facts::Connection,
        token: &str,
    ) -> Result<(), Failure> {
        let record = random_record();
        let key =
            record_facts::insert(connection, &records.vault, &record, token, &self.planned).await?;
        let version = versions::Version {
            record,
            version: 1,
            state: versions::WAITING.to_owned(),
            content_token: String::new(),
            mapping_version: self.mapping_version,
            canonical_version: self.canonical_version,
            sealed: Vec::new(),
            transaction: None,
            attempt_until: 0,
            rejection: None,
        };
        let secrets = versions::VersionSecrets {
            digests: self.planned.digests,
            brief: self.planned.brief,
            claims: self.planned.claims,
            commitments: None,
        };
        versions::put(connection, &records.vault, &key, &version, &secrets).await
    }
}
