//! Searches a disease: brief, de-identified answers with small cells suppressed. By third parties and insurers (A53, A82).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bus::Call;
use clinical::terminology;
use interfaces::Problem;
use interfaces::index::{
    BriefRecord, DiseaseSearchResult, RecordHandle, SearchCell, SearchDisease,
};
use keys::pseudonym::Pseudonyms;
use keys::token::Role;
use ledger::LedgerId;
use submission::row::database;

use crate::differencing::{Asked, BUDGET, BUDGET_US, is_safe};
use crate::search::{Dimension, Found};
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
        Some(handle) => Some(handle.parse::<RecordHandle>().map_err(|_| {
            Problem::bad_input("/page/after", "not a handle that a page before gave")
        })?),
    };
    let handles = index.handles_of(&applicant);
    let asked = Asked {
        codes,
        from_year: request.from_year,
        until_year: request.until_year,
    };
    // One at a time: two searches at once would not know of each other.
    let _one = index.searching.lock().await;
    let before = searches_of(&index, &applicant).await?;
    let known = before.contains(&asked);
    if !known && before.len() >= BUDGET {
        return Err(Problem::new(
            429,
            "search-budget",
            "Too many different searches",
            format!(
                "{BUDGET} different searches are answered in thirty days; repeat earlier ones, or wait"
            ),
        ));
    }
    let limit = request.page.limit() as usize;
    // A common disease takes milliseconds: not on the threads that serve everybody.
    let searching = index.clone();
    let (asked, found) = tokio::task::spawn_blocking(move || {
        let safe = known || is_safe(&searching.search(), &before, &asked, threshold);
        let found = find(&searching, &asked, safe, threshold, &handles, after, limit);
        (asked, found)
    })
    .await
    .map_err(|_| Problem::failure("the search ended in the middle"))?;
    if !known && !found.suppressed {
        remember(&index, &applicant, &asked).await?;
    }
    Ok(DiseaseSearchResult { disease, ..found })
}

/// The searches that an applicant has had answered lately.
async fn searches_of(index: &Index, applicant: &LedgerId) -> Result<Vec<Asked>, Problem> {
    let since = chassis::clock::now().saturating_sub(BUDGET_US);
    let rows: Vec<(String,)> = sqlx::query_as(
        "SELECT asked_json FROM searches WHERE applicant = $1 AND answered_us >= $2 ORDER BY answered_us",
    )
    .bind(applicant.to_string())
    .bind(since as i64)
    .fetch_all(index.store.reader())
    .await
    .map_err(database)?;
    rows.iter()
        .map(|(json,)| serde_json::from_str(json))
        .collect::<Result<_, _>>()
        .map_err(|_| Problem::failure("a row of searches is malformed"))
}

/// Before the answer leaves: one that nobody remembers could be subtracted later.
async fn remember(index: &Index, applicant: &LedgerId, asked: &Asked) -> Result<(), Problem> {
    let json = serde_json::to_string(asked)
        .map_err(|_| Problem::failure("a search could not be written down"))?;
    let mut transaction = index.store.begin().await.map_err(database)?;
    sqlx::query(
        "INSERT INTO searches (applicant, asked_json, answered_us) VALUES ($1, $2, $3)
         ON CONFLICT (applicant, asked_json) DO UPDATE SET answered_us = excluded.answered_us",
    )
    .bind(applicant.to_string())
    .bind(json)
    .bind(chassis::clock::now() as i64)
    .execute(&mut *transaction)
    .await
    .map_err(database)?;
    transaction.commit().await.map_err(database)
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

/// The answer, without the disease's name; nothing but "suppressed" when fewer patients than the threshold have it, or when
/// it would tell about so few beside earlier answers.
fn find(
    index: &Index,
    asked: &Asked,
    safe: bool,
    threshold: u64,
    handles: &Pseudonyms,
    after: Option<RecordHandle>,
    limit: usize,
) -> DiseaseSearchResult {
    let mut answer = DiseaseSearchResult {
        disease: String::new(),
        patients: None,
        suppressed: true,
        cells: Vec::new(),
        records: Vec::new(),
        next: None,
    };
    let search = index.search();
    let matches = search.search(&asked.query());
    let patients = matches.persons();
    if patients < threshold || !safe {
        return answer;
    }
    let shown = matches
        .persons_by_dimension()
        .map(|cells| suppress(&cells, threshold));
    let (page, more) = matches.page(handles, after.map(|after| after.0), limit);
    answer.records = page.into_iter().map(|found| brief(found, &shown)).collect();
    answer.next = answer
        .records
        .last()
        .filter(|_| more)
        .map(|last| last.handle.to_string());
    for (dimension, cells) in Dimension::ALL.into_iter().zip(&shown) {
        answer
            .cells
            .extend(cells.iter().map(|(value, patients)| SearchCell {
                dimension: dimension.name().to_owned(),
                value: value.clone(),
                patients: *patients,
            }));
    }
    answer.patients = Some(patients);
    answer.suppressed = false;
    answer
}

/// A record's brief, without the values whose cells are suppressed.
fn brief(found: Found, shown: &[BTreeMap<String, Option<u64>>; 4]) -> BriefRecord {
    let is_shown = |place: usize, value: &str| shown[place].get(value).is_some_and(Option::is_some);
    let [hospital, age_band, sex, years] = found.values;
    BriefRecord {
        handle: RecordHandle(found.pseudonym),
        hospital: is_shown(0, &hospital).then_some(found.hospital),
        age_band: Some(age_band).filter(|value| is_shown(1, value)),
        sex: Some(sex).filter(|value| is_shown(2, value)),
        years: Some(years).filter(|value| is_shown(3, value)),
        class: found.class.text().to_owned(),
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
