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
use submission::row::database;

use crate::search::{Dimension, Found, Query};
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
    // A common disease takes milliseconds: not on the threads that serve everybody.
    let found = tokio::task::spawn_blocking(move || {
        find(&index, &request, &codes, threshold, &handles, after)
    })
    .await
    .map_err(|_| Problem::failure("the search ended in the middle"))?;
    Ok(DiseaseSearchResult { disease, ..found })
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

/// The answer, without the disease's name; nothing but "suppressed" when fewer patients than the threshold have it.
fn find(
    index: &Index,
    request: &SearchDisease,
    codes: &BTreeSet<String>,
    threshold: u64,
    handles: &Pseudonyms,
    after: Option<RecordHandle>,
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
    let matches = search.search(&Query {
        codes,
        from_year: request.from_year,
        until_year: request.until_year,
    });
    let patients = matches.persons();
    if patients < threshold {
        return answer;
    }
    let shown = matches
        .persons_by_dimension()
        .map(|cells| suppress(&cells, threshold));
    let limit = request.page.limit() as usize;
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
