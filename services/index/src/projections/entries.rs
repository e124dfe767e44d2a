//! From rows to what a search may know of a record: nothing unless the ledger has it, its commitment opens with the row
//! handed in, it is not erased, and its patient does not refuse research.

use clinical::brief::Brief;
use contracts::RecordNumber;
use futures::{StreamExt as _, TryStreamExt as _};
use interfaces::index::IndexRow;
use ledger::{Commitment, canonical};
use sqlx::any::AnyRow;
use sqlx::{AnyPool, Row};

use crate::search::{Entry, Filling, SearchIndex};

/// Records asked for by one statement; there are only two statements, so that the database keeps them prepared.
const RECORDS_AT_ONCE: usize = 32;
/// Rows that are opened together on another thread while the next are read.
const ROWS_AT_ONCE: usize = 2_000;
/// Such parts at a time.
const PARTS_AT_ONCE: usize = 4;

const COUNTING_ROWS: &str = "SELECT heads.record, heads.commitment, index_rows.row_json FROM heads
     JOIN index_rows ON index_rows.record = heads.record AND index_rows.version = heads.version
     WHERE heads.erased = 0
       AND NOT EXISTS (SELECT 1 FROM research_refusals WHERE research_refusals.patient = heads.patient)";

/// What stands in the database for one record.
struct Stored {
    record: String,
    commitment: String,
    row: String,
}

/// The entries of those records that count, ascending by record.
pub(crate) async fn entries(
    pool: &AnyPool,
    records: &[RecordNumber],
) -> Result<Vec<Entry>, sqlx::Error> {
    let mut found = Vec::with_capacity(records.len());
    for part in records.chunks(RECORDS_AT_ONCE) {
        let places = if part.len() == 1 { 1 } else { RECORDS_AT_ONCE };
        let list: Vec<String> = (1..=places).map(|place| format!("${place}")).collect();
        let sql = format!("{COUNTING_ROWS} AND heads.record IN ({})", list.join(", "));
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
        for place in 0..places {
            // A record that is asked for twice is answered once.
            query = query.bind(part[place.min(part.len() - 1)].to_string());
        }
        for row in query.fetch_all(pool).await? {
            found.extend(opened(&stored(&row)?));
        }
    }
    found.sort_unstable_by_key(|entry| entry.record);
    Ok(found)
}

/// All that counts.
pub(crate) async fn load(pool: &AnyPool) -> anyhow::Result<SearchIndex> {
    let rows = sqlx::query(COUNTING_ROWS).fetch(pool);
    let mut parts = rows
        .and_then(|row| std::future::ready(stored(&row)))
        .try_chunks(ROWS_AT_ONCE)
        .map_err(|error| error.1)
        .map_ok(|part| {
            let opening = tokio::task::spawn_blocking(move || {
                part.iter().filter_map(opened).collect::<Vec<Entry>>()
            });
            async move {
                opening
                    .await
                    .map_err(|error| sqlx::Error::Protocol(error.to_string()))
            }
        })
        .try_buffer_unordered(PARTS_AT_ONCE)
        .boxed();
    let mut filling = Filling::default();
    while let Some(part) = parts.try_next().await? {
        for entry in &part {
            filling.add(entry);
        }
    }
    Ok(filling.finish())
}

fn stored(row: &AnyRow) -> Result<Stored, sqlx::Error> {
    Ok(Stored {
        record: row.try_get(0)?,
        commitment: row.try_get(1)?,
        row: row.try_get(2)?,
    })
}

fn opened(stored: &Stored) -> Option<Entry> {
    let record = &stored.record;
    let (Ok(number), Ok(commitment), Ok(row)) = (
        record.parse::<RecordNumber>(),
        serde_json::from_str::<Commitment>(&stored.commitment),
        serde_json::from_str::<IndexRow>(&stored.row),
    ) else {
        tracing::warn!(%record, "an index row can't be read and does not count");
        return None;
    };
    if row.record != number || !row.opens(&commitment) {
        tracing::warn!(%record, "an index row does not open its commitment and does not count");
        return None;
    }
    match canonical::decode::<Brief>(&row.facts.0) {
        Ok(brief) => Some(Entry {
            record: number,
            person: row.person,
            hospital: row.hospital,
            brief,
        }),
        Err(error) => {
            tracing::warn!(%record, %error, "an index row's facts can't be read");
            None
        }
    }
}
