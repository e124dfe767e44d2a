//! Which rows count: the head of every record on the ledger, consents, and the parameters of suppression.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use contracts::Event;
use contracts::RecordNumber;
use contracts::governance::command::Change;
use contracts::governance::event::Event as Governed;
use contracts::records::event::Event as Recorded;
use ledger::{Commitment, LedgerId};
use sqlx::Row;
use store::projections::ProjectionTransaction;
use store::rows::{Insert, Rows};
use store::{ProjectedBlock, ProjectedEvent, Projection, Store, row};

use super::entries;
use crate::search::SearchIndex;

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
    ) -> anyhow::Result<Heads> {
        let began = std::time::Instant::now();
        let filled = entries::load(store.reader()).await?;
        tracing::info!(
            records = filled.len(),
            seconds = began.elapsed().as_secs_f64(),
            "the search index is filled"
        );
        *search.write().unwrap_or_else(PoisonError::into_inner) = filled;
        Ok(Heads { store, search })
    }

    /// Puts records' current rows into the search index, or takes them out.
    async fn refresh(&self, records: &[RecordNumber]) -> Result<(), sqlx::Error> {
        let current = entries::entries(self.store.reader(), records).await?;
        let mut search = self.search.write().unwrap_or_else(PoisonError::into_inner);
        for record in records {
            match current.binary_search_by_key(record, |entry| entry.record) {
                Ok(place) => search.put(&current[place]),
                Err(_) => search.remove(record),
            }
        }
        Ok(())
    }

    async fn records_of(&self, patient: &LedgerId) -> Result<Vec<RecordNumber>, sqlx::Error> {
        let rows = sqlx::query("SELECT record FROM heads WHERE patient = $1")
            .bind(patient.to_string())
            .fetch_all(self.store.reader())
            .await?;
        let mut records = Vec::with_capacity(rows.len());
        for row in rows {
            records.extend(row.try_get::<String, _>(0)?.parse::<RecordNumber>());
        }
        Ok(records)
    }
}

impl Projection for Heads {
    const NAME: &'static str = "heads";
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
        for event in blocks.iter().flat_map(|block| &block.events) {
            match &event.event {
                Event::Records(recorded) => fold(&mut rows, recorded),
                Event::Governance(governed) => parameter(&mut rows, governed),
                _ => {}
            }
        }
        rows.flush(transaction).await?;
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
        let erased = |event: &ProjectedEvent| {
            matches!(event.event, Event::Records(Recorded::RecordErased { .. }))
        };
        if events.iter().any(erased)
            && let Err(error) = self.store.forget_deleted().await
        {
            tracing::error!(%error, "rows of erased records are still in the database's log");
        }
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
        for patient in &patients {
            match self.records_of(patient).await {
                Ok(of_patient) => records.extend(of_patient),
                Err(error) => tracing::error!(%error, "the search index is behind"),
            }
        }
        let records: Vec<RecordNumber> = records.into_iter().collect();
        if let Err(error) = self.refresh(&records).await {
            tracing::error!(%error, "the search index is behind");
        }
    }
}

static PUT_HEAD: Insert = Insert::new(
    "heads",
    &["record", "version", "patient", "commitment", "erased"],
    1,
    "ON CONFLICT (record) DO UPDATE SET version = excluded.version, commitment = excluded.commitment",
);
static PUT_REFUSAL: Insert = Insert::new(
    "research_refusals",
    &["patient"],
    0,
    "ON CONFLICT DO NOTHING",
);
static PUT_PARAMETER: Insert = Insert::new(
    "parameters",
    &["name", "value"],
    1,
    "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
);

fn fold(rows: &mut Rows, event: &Recorded) {
    match event {
        Recorded::RecordRegistered {
            record,
            patient,
            index,
            ..
        } => head(rows, record, 1, patient, index),
        Recorded::RecordAmended {
            record,
            version,
            patient,
            index,
            ..
        } => {
            head(rows, record, *version, patient, index);
            // Versions only grow: what was handed in for earlier ones can't count again.
            rows.execute(
                "index_rows",
                "DELETE FROM index_rows WHERE record = $1 AND version < $2",
                row![record.to_string(), *version],
            );
        }
        Recorded::RecordErased { record, .. } => {
            let of_record = || row![record.to_string()];
            rows.execute(
                "heads",
                "UPDATE heads SET erased = 1 WHERE record = $1",
                of_record(),
            );
            rows.execute(
                "index_rows",
                "DELETE FROM index_rows WHERE record = $1",
                of_record(),
            );
            rows.execute(
                "code_locators",
                "DELETE FROM code_locators WHERE record = $1",
                of_record(),
            );
        }
        Recorded::ConsentSet {
            patient,
            research: true,
            ..
        } => rows.execute(
            "research_refusals",
            "DELETE FROM research_refusals WHERE patient = $1",
            row![patient.to_string()],
        ),
        Recorded::ConsentSet { patient, .. } => {
            rows.insert(&PUT_REFUSAL, row![patient.to_string()]);
        }
        _ => {}
    }
}

/// A record's newest version, as the ledger has it.
pub(crate) fn head(
    rows: &mut Rows,
    record: &RecordNumber,
    version: u32,
    patient: &LedgerId,
    index: &Commitment,
) {
    let commitment = serde_json::to_string(index).unwrap_or_default();
    let row = row![
        record.to_string(),
        version,
        patient.to_string(),
        commitment,
        0_i64
    ];
    rows.insert(&PUT_HEAD, row);
}

fn parameter(rows: &mut Rows, event: &Governed) {
    let (parameter, value) = match event {
        Governed::ParameterFounded { parameter, value } => (parameter, value),
        Governed::ChangeAdopted {
            change: Change::SetParameter { parameter, value },
            ..
        } => (parameter, value),
        _ => return,
    };
    rows.insert(&PUT_PARAMETER, row![parameter.name(), *value]);
}
