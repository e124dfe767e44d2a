//! Which rows count: the head of every record on the ledger, consents, and the parameters of suppression.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use clinical::brief::Brief;
use contracts::Event;
use contracts::RecordNumber;
use contracts::governance::command::Change;
use contracts::governance::event::Event as Governed;
use contracts::records::event::Event as Recorded;
use interfaces::index::IndexRow;
use ledger::{Commitment, LedgerId, canonical};
use sqlx::{AnyPool, Row};
use store::projections::ProjectionTransaction;
use store::{ProjectedBlock, ProjectedEvent, Projection, Store};

use crate::search::{Entry, SearchIndex};

/// The projection `heads`.
pub(crate) struct Heads {
    store: Store,
    search: Arc<RwLock<SearchIndex>>,
}

impl Heads {
    /// Fills the search index from the rows that are there.
    pub(crate) async fn load(
        store: Store,
        search: Arc<RwLock<SearchIndex>>,
    ) -> Result<Heads, sqlx::Error> {
        let rows = sqlx::query("SELECT record FROM heads WHERE erased = 0")
            .fetch_all(store.reader())
            .await?;
        let heads = Heads { store, search };
        for row in rows {
            let record: String = row.try_get(0)?;
            if let Ok(record) = record.parse() {
                heads.refresh(&record).await?;
            }
        }
        Ok(heads)
    }

    /// Puts a record's current row into the search index, or takes it out.
    async fn refresh(&self, record: &RecordNumber) -> Result<(), sqlx::Error> {
        let entry = entry(self.store.reader(), record).await?;
        let mut search = self.search.write().unwrap_or_else(PoisonError::into_inner);
        match entry {
            Some(entry) => search.put(entry),
            None => search.remove(record),
        }
        Ok(())
    }

    async fn refresh_patient(&self, patient: &LedgerId) -> Result<(), sqlx::Error> {
        let rows = sqlx::query("SELECT record FROM heads WHERE patient = $1")
            .bind(patient.to_string())
            .fetch_all(self.store.reader())
            .await?;
        for row in rows {
            let record: String = row.try_get(0)?;
            if let Ok(record) = record.parse() {
                self.refresh(&record).await?;
            }
        }
        Ok(())
    }
}

/// What a search may know of a record: nothing unless the ledger has it, its commitment opens with the row handed in, it
/// is not erased, and its patient does not refuse research.
pub(crate) async fn entry(
    pool: &AnyPool,
    record: &RecordNumber,
) -> Result<Option<Entry>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT heads.commitment, index_rows.row_json FROM heads
         JOIN index_rows ON index_rows.record = heads.record AND index_rows.version = heads.version
         WHERE heads.record = $1 AND heads.erased = 0
           AND NOT EXISTS (SELECT 1 FROM research_refusals WHERE research_refusals.patient = heads.patient)",
    )
    .bind(record.to_string())
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let (commitment, json): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    let (Ok(commitment), Ok(row)) = (
        serde_json::from_str::<Commitment>(&commitment),
        serde_json::from_str::<IndexRow>(&json),
    ) else {
        return Ok(None);
    };
    if !row.opens(&commitment) {
        tracing::warn!(%record, "an index row does not open its commitment and does not count");
        return Ok(None);
    }
    let brief: Brief = match canonical::decode(&row.facts.0) {
        Ok(brief) => brief,
        Err(error) => {
            tracing::warn!(%record, %error, "an index row's facts can't be read");
            return Ok(None);
        }
    };
    Ok(Some(Entry {
        record: *record,
        person: row.person,
        hospital: row.hospital,
        brief,
    }))
}

impl Projection for Heads {
    const NAME: &'static str = "heads";
    const VERSION: i64 = 1;

    async fn apply(
        &self,
        transaction: &mut ProjectionTransaction<'_>,
        block: &ProjectedBlock,
    ) -> anyhow::Result<()> {
        for event in &block.events {
            match &event.event {
                Event::Records(recorded) => fold(transaction, recorded).await?,
                Event::Governance(governed) => parameter(transaction, governed).await?,
                _ => {}
            }
        }
        Ok(())
    }

    async fn reset(&self, transaction: &mut ProjectionTransaction<'_>) -> anyhow::Result<()> {
        for table in ["heads", "research_refusals", "parameters"] {
            sqlx::query(sqlx::AssertSqlSafe(format!("DELETE FROM {table}")))
                .execute(&mut **transaction)
                .await?;
        }
        Ok(())
    }

    async fn after_commit(&self, events: &[ProjectedEvent]) {
        let mut records = BTreeSet::new();
        let mut patients = BTreeSet::new();
        for event in events {
            match &event.event {
                Event::Records(Recorded::RecordRegistered { record, .. })
                | Event::Records(Recorded::RecordAmended { record, .. })
                | Event::Records(Recorded::RecordErased { record, .. }) => {
                    records.insert(*record);
                }
                Event::Records(Recorded::ConsentSet { patient, .. }) => {
                    patients.insert(*patient);
                }
                _ => {}
            }
        }
        for record in &records {
            if let Err(error) = self.refresh(record).await {
                tracing::error!(%error, %record, "the search index is behind");
            }
        }
        for patient in &patients {
            if let Err(error) = self.refresh_patient(patient).await {
                tracing::error!(%error, "the search index is behind");
            }
        }
    }
}

async fn fold(
    transaction: &mut ProjectionTransaction<'_>,
    event: &Recorded,
) -> Result<(), sqlx::Error> {
    match event {
        Recorded::RecordRegistered {
            record,
            patient,
            index,
            ..
        } => head(transaction, record, 1, patient, index).await,
        Recorded::RecordAmended {
            record,
            version,
            patient,
            index,
            ..
        } => head(transaction, record, *version, patient, index).await,
        Recorded::RecordErased { record, .. } => {
            sqlx::query("UPDATE heads SET erased = 1 WHERE record = $1")
                .bind(record.to_string())
                .execute(&mut **transaction)
                .await?;
            sqlx::query("DELETE FROM index_rows WHERE record = $1")
                .bind(record.to_string())
                .execute(&mut **transaction)
                .await?;
            sqlx::query("DELETE FROM code_locators WHERE record = $1")
                .bind(record.to_string())
                .execute(&mut **transaction)
                .await?;
            Ok(())
        }
        Recorded::ConsentSet {
            patient, research, ..
        } => {
            let sql = if *research {
                "DELETE FROM research_refusals WHERE patient = $1"
            } else {
                "INSERT INTO research_refusals (patient) VALUES ($1) ON CONFLICT DO NOTHING"
            };
            sqlx::query(sql)
                .bind(patient.to_string())
                .execute(&mut **transaction)
                .await
                .map(|_| ())
        }
        _ => Ok(()),
    }
}

async fn head(
    transaction: &mut ProjectionTransaction<'_>,
    record: &RecordNumber,
    version: u32,
    patient: &LedgerId,
    index: &Commitment,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO heads (record, version, patient, commitment, erased) VALUES ($1, $2, $3, $4, 0)
         ON CONFLICT (record) DO UPDATE SET version = excluded.version, commitment = excluded.commitment",
    )
    .bind(record.to_string())
    .bind(i64::from(version))
    .bind(patient.to_string())
    .bind(serde_json::to_string(index).unwrap_or_default())
    .execute(&mut **transaction)
    .await
    .map(|_| ())
}

async fn parameter(
    transaction: &mut ProjectionTransaction<'_>,
    event: &Governed,
) -> Result<(), sqlx::Error> {
    let (parameter, value) = match event {
        Governed::ParameterFounded { parameter, value } => (parameter, value),
        Governed::ChangeAdopted {
            change: Change::SetParameter { parameter, value },
            ..
        } => (parameter, value),
        _ => return Ok(()),
    };
    sqlx::query("INSERT INTO parameters (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
        .bind(parameter.name())
        .bind(*value)
        .execute(&mut **transaction)
        .await
        .map(|_| ())
}
