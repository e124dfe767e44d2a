//! Searches a disease: brief, de-identified answers with small cells suppressed. By third parties and insurers (A53, A82).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bus::Call;
use clinical::terminology;
use contracts::RecordNumber;
use interfaces::Problem;
use interfaces::index::{
    BriefRecord, DiseaseSearchResult, RecordHandle, SearchCell, SearchDisease,
};
use keys::token::Role;
use ledger::LedgerId;
use sqlx::Row;
use submission::row::database;

use crate::search::{Dimension, Entry, Query};
use crate::service::Index;
use crate::suppression::suppress;

const THRESHOLD_UNTIL_KNOWN: i64 = 11;

pub(crate) async fn search_disease(
    index: Arc<Index>,
    call: Call,
    request: SearchDisease,
) -> Result<DiseaseSearchResult, Problem> {
    let caller = index.sessions.caller(&call)?;
    caller.require_any(&[Role::ThirdParty, Role::Insurer])?;
    let applicant = caller.member()?;
    let (disease, codes) = understood(&request.disease)?;
    let threshold = threshold(&index).await?;
    let after = match &request.page.after {
        None => None,
        Some(handle) => Some(record_of(&index, &applicant, handle).await?),
    };
    let found = find(&index, &request, &codes, threshold, after);
    let Some(found) = found else {
        return Ok(DiseaseSearchResult {
            disease,
            patients: None,
            suppressed: true,
            cells: Vec::new(),
            records: Vec::new(),
            next: None,
        });
    };
    let mut records = Vec::with_capacity(found.page.len());
    for (record, brief) in found.page {
        records.push(BriefRecord {
            handle: handle(&index, &applicant, &record).await?,
            ..brief
        });
    }
    let next = records
        .last()
        .filter(|_| found.more)
        .map(|last| last.handle.to_string());
    Ok(DiseaseSearchResult {
        disease,
        patients: Some(found.patients),
        suppressed: false,
        cells: found.cells,
        records,
        next,
    })
}

/// The codes that a search text means, and how it was understood: a SNOMED CT or ICD-10 code, or words of a name.
fn understood(text: &str) -> Result<(String, BTreeSet<String>), Problem> {
    let text = text.trim();
    if text.is_empty() || text.len() > 200 {
        return Err(Problem::bad_input(
            "/disease",
            "a SNOMED CT code, an ICD-10 code, or words of a disease's name",
        ));
    }
    let mut codes = terminology::search_codes(text);
    if !codes.is_empty() || text.bytes().all(|byte| byte.is_ascii_digit()) {
        let name = terminology::display("http://snomed.info/sct", text).unwrap_or(text);
        codes.insert(terminology::normal_icd10(text));
        return Ok((name.to_owned(), codes));
    }
    let words: Vec<String> = text
        .to_lowercase()
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    for (code, display) in terminology::conditions() {
        let display = display.to_lowercase();
        if words.iter().all(|word| display.contains(word.as_str())) {
            codes.extend(terminology::with_descendants(code));
        }
    }
    if codes.is_empty() {
        return Err(Problem::bad_input(
            "/disease",
            "no disease known here has this code or name",
        ));
    }
    Ok((text.to_owned(), codes))
}

/// What one search found, before handles are given out.
struct Found {
    patients: u64,
    cells: Vec<SearchCell>,
    page: Vec<(RecordNumber, BriefRecord)>,
    more: bool,
}

/// None when fewer patients than the threshold have it.
fn find(
    index: &Index,
    request: &SearchDisease,
    codes: &BTreeSet<String>,
    threshold: u64,
    after: Option<RecordNumber>,
) -> Option<Found> {
    let search = index.search();
    let matches = search.search(&Query {
        codes,
        from_year: request.from_year,
        until_year: request.until_year,
    });
    let patients = matches.persons();
    if patients < threshold {
        return None;
    }
    let shown: BTreeMap<Dimension, BTreeMap<String, Option<u64>>> = Dimension::ALL
        .into_iter()
        .map(|dimension| {
            (
                dimension,
                suppress(&matches.persons_by(dimension), threshold),
            )
        })
        .collect();
    let limit = request.page.limit() as usize;
    let entries = matches.after(after, limit + 1);
    let page = entries
        .iter()
        .take(limit)
        .map(|entry| (entry.record, brief(entry, &shown)))
        .collect();
    let cells = shown
        .iter()
        .flat_map(|(dimension, cells)| {
            cells.iter().map(|(value, patients)| SearchCell {
                dimension: dimension.name().to_owned(),
                value: value.clone(),
                patients: *patients,
            })
        })
        .collect();
    Some(Found {
        patients,
        cells,
        page,
        more: entries.len() > limit,
    })
}

/// A record's brief, without the values whose cells are suppressed.
fn brief(entry: &Entry, shown: &BTreeMap<Dimension, BTreeMap<String, Option<u64>>>) -> BriefRecord {
    let value = |dimension: Dimension| {
        let value = dimension.value(entry);
        shown[&dimension]
            .get(&value)
            .copied()
            .flatten()
            .map(|_| value)
    };
    BriefRecord {
        handle: RecordHandle([0; 16]),
        hospital: value(Dimension::Hospital).and_then(|hospital| hospital.parse::<LedgerId>().ok()),
        years: value(Dimension::Years),
        age_band: value(Dimension::AgeBand),
        sex: value(Dimension::Sex),
        class: entry.brief.class.text().to_owned(),
    }
}

async fn threshold(index: &Index) -> Result<u64, Problem> {
    let row: Option<(i64,)> =
        sqlx::query_as("SELECT value FROM parameters WHERE name = 'small_cell_threshold'")
            .fetch_optional(index.store.reader())
            .await
            .map_err(database)?;
    Ok(u64::try_from(row.map_or(THRESHOLD_UNTIL_KNOWN, |(value,)| value)).unwrap_or(u64::MAX))
}

/// The applicant's handle of a record: keyed, so that two applicants can't match theirs; remembered, to be resolved.
async fn handle(
    index: &Index,
    applicant: &LedgerId,
    record: &RecordNumber,
) -> Result<RecordHandle, Problem> {
    let derived = index.handles.derive_with(
        &[&applicant.0[..], &record.0[..]].concat(),
        b"medshare/index/handle/v1",
    );
    let mut handle = RecordHandle([0; 16]);
    handle.0.copy_from_slice(&derived.expose()[..16]);
    let mut transaction = index.store.begin().await.map_err(database)?;
    sqlx::query("INSERT INTO handles (handle, applicant, record) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
        .bind(handle.to_string())
        .bind(applicant.to_string())
        .bind(record.to_string())
        .execute(&mut *transaction)
        .await
        .map_err(database)?;
    transaction.commit().await.map_err(database)?;
    Ok(handle)
}

async fn record_of(
    index: &Index,
    applicant: &LedgerId,
    handle: &str,
) -> Result<RecordNumber, Problem> {
    let row = sqlx::query("SELECT record FROM handles WHERE handle = $1 AND applicant = $2")
        .bind(handle)
        .bind(applicant.to_string())
        .fetch_optional(index.store.reader())
        .await
        .map_err(database)?;
    let record = row
        .map(|row| row.try_get::<String, _>(0))
        .transpose()
        .map_err(database)?;
    record
        .and_then(|record| record.parse().ok())
        .ok_or_else(|| Problem::bad_input("/page/after", "not a handle that a page before gave"))
}
