//! Finds records of this hospital: metadata only. By the hospital, its doctors and its clerks. What a record
//! is about is not for clerks: they find by number and date, and see that it is there.

use std::sync::Arc;

use bus::Call;
use clinical::date::Moment;
use contracts::RecordNumber;
use interfaces::records::{FindRecords, RecordSummary};
use interfaces::{Page, Problem};
use sqlx::AssertSqlSafe;

use super::{Place, page_start};
use crate::facts::{patients, records as record_facts};
use crate::failure::{Failure, forbidden};
use crate::service::Records;
use crate::vault::Vault;

/// The value of a condition.
enum Value {
    Text(String),
    Number(i64),
}

pub(super) async fn find_records(
    records: Arc<Records>,
    call: Call,
    request: FindRecords,
) -> Result<Page<RecordSummary>, Failure> {
    let caller = records.caller(&call)?;
    let is_clerk = records.acts_as_clerk(&caller);
    if is_clerk && request.disease.is_some() {
        return Err(forbidden());
    }
    if !is_clerk && !records.is_hospital(&caller) {
        records.own_doctor_id(&caller).await?;
    }
    let limit = request.page.limit();
    let (statement, values) = statement(&records.vault, &request, limit)?;
    let mut query = sqlx::query(AssertSqlSafe(statement));
    for value in values {
        query = match value {
            Value::Text(text) => query.bind(text),
            Value::Number(number) => query.bind(number),
        };
    }
    let rows = query.fetch_all(records.reader()).await?;
    let mut page = records.page_of(&rows, limit, true).await?;
    if is_clerk {
        for entry in &mut page.entries {
            entry.title.clear();
        }
    }
    Ok(page)
}

/// What finds a page of `limit` records and one more, with its values. However many records there are, it reads about as
/// many as it gives: it walks an index from where the page begins.
fn statement(
    vault: &Vault,
    request: &FindRecords,
    limit: u32,
) -> Result<(String, Vec<Value>), Failure> {
    // A patient has few records; those of a disease may be very many.
    let by_disease = request
        .disease
        .as_ref()
        .filter(|_| request.patient.is_none());
    let list = match by_disease {
        Some(_) => "diseases",
        None => "records",
    };
    let (mut conditions, mut values) = conditions(vault, request, list)?;
    values.push(Value::Number(i64::from(limit) + 1));
    let part = format!(
        "ORDER BY {list}.start_us DESC, {list}.record DESC LIMIT ${}",
        values.len()
    );
    let columns = record_facts::COLUMNS;
    let Some(disease) = by_disease else {
        if let Some(disease) = &request.disease {
            let tokens = disease_tokens(vault, disease).join(", ");
            conditions.push(format!(
                "EXISTS (SELECT 1 FROM diseases WHERE diseases.record = records.record AND diseases.token IN ({tokens}))"
            ));
        }
        let conditions = conditions.join(" AND ");
        return Ok((
            format!("SELECT {columns} FROM records WHERE {conditions} {part}"),
            values,
        ));
    };
    // A page of each code, and of all those the page.
    let conditions = conditions.join(" AND ");
    let pages: Vec<String> = disease_tokens(vault, disease)
        .iter()
        .map(|token| {
            format!(
                "SELECT * FROM (SELECT diseases.record FROM diseases JOIN records ON records.record = diseases.record \
                 WHERE diseases.token = {token} AND {conditions} {part}) AS page"
            )
        })
        .collect();
    let statement = format!(
        "SELECT {columns} FROM records WHERE records.record IN ({}) ORDER BY records.start_us DESC, records.record DESC LIMIT ${}",
        pages.join(" UNION "),
        values.len()
    );
    Ok((statement, values))
}

/// Conditions on what is listed; `list` is the table whose `start_us` and `record` the list is ordered by.
fn conditions(
    vault: &Vault,
    request: &FindRecords,
    list: &str,
) -> Result<(Vec<String>, Vec<Value>), Failure> {
    let mut conditions = vec!["records.state = 'live'".to_owned()];
    let mut values = Vec::new();
    let mut add = |condition: String, value: Value| {
        values.push(value);
        conditions.push(condition.replace('?', &format!("${}", values.len())));
    };
    if let Some(doctor) = &request.doctor {
        add(
            "records.doctor_token = ?".to_owned(),
            Value::Text(record_facts::doctor_token(vault, doctor)),
        );
    }
    if let Some(patient) = &request.patient {
        add(
            "records.patient_token = ?".to_owned(),
            Value::Text(patients::token(vault, patient)),
        );
    }
    if let Some(from) = &request.from {
        add(
            format!("{list}.start_us >= ?"),
            Value::Number(day_start("from", from)?),
        );
    }
    if let Some(until) = &request.until {
        add(
            format!("{list}.start_us < ?"),
            Value::Number(day_start("until", until)?),
        );
    }
    if let Some(class) = &request.class {
        add("records.class = ?".to_owned(), Value::Text(class.clone()));
    }
    if let Some(Place(start, record)) =
        page_start::<Place<i64, RecordNumber>>(request.page.after.as_deref())?
    {
        values.push(Value::Number(start));
        let first = values.len();
        values.push(Value::Text(record.to_string()));
        // The first part is what an index is walked by, from here on.
        conditions.push(format!(
            "{list}.start_us <= ${first} AND ({list}.start_us < ${first} OR {list}.record < ${})",
            first + 1
        ));
    }
    Ok((conditions, values))
}

/// A disease's tokens as text of SQL. They are hex: nothing in them can end the text.
fn disease_tokens(vault: &Vault, disease: &str) -> Vec<String> {
    let codes = disease_codes(disease);
    let tokens = codes
        .iter()
        .map(|code| record_facts::disease_token(vault, code));
    tokens.map(|token| format!("'{token}'")).collect()
}

/// The codes as records hold them: the one asked for, the kinds of the disease, and its other spelling.
fn disease_codes(disease: &str) -> Vec<String> {
    let disease = disease.trim();
    let mut codes = clinical::terminology::search_codes(disease);
    codes.insert(disease.to_owned());
    codes.insert(clinical::terminology::normal_icd10(disease));
    codes.into_iter().collect()
}

fn day_start(field: &str, text: &str) -> Result<i64, Failure> {
    let moment = Moment::parse(text).filter(|_| text.len() == 10);
    moment
        .map(|moment| moment.micros)
        .ok_or_else(|| Problem::bad_input(field, "must be a day, YYYY-MM-DD").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_the_list_is_read_back_from_its_text() {
        let place = Place(-5_i64, RecordNumber([7; 16]));
        assert_eq!(place.to_string().parse(), Ok(place));
        assert!("x.y".parse::<Place<i64, RecordNumber>>().is_err());
    }

    /// How SQLite goes about finding what is asked for.
    async fn plan_of(request: &FindRecords) -> String {
        let database = store::testing::TestDatabase::sqlite();
        let store = database.open(crate::migrations::MIGRATIONS).await;
        let vault = Vault::new(ledger::LedgerId([1; 16]), &keys::Secret::random());
        let (statement, values) = statement(&vault, request, 25).unwrap();
        let explained = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let mut query = sqlx::query(explained);
        for value in values {
            query = match value {
                Value::Text(text) => query.bind(text),
                Value::Number(number) => query.bind(number),
            };
        }
        let rows = query.fetch_all(store.reader()).await.unwrap();
        let steps: Vec<String> = rows
            .iter()
            .map(|row| sqlx::Row::get::<String, _>(row, "detail"))
            .collect();
        steps.join("\n")
    }

    fn page_in_the_middle() -> interfaces::PageRequest {
        interfaces::PageRequest {
            after: Some(Place(7_i64, RecordNumber([7; 16])).to_string()),
            limit: Some(25),
        }
    }

    #[tokio::test]
    async fn every_list_of_records_walks_an_index_in_the_order_of_the_list() {
        let some = |text: &str| Some(text.to_owned());
        let page = page_in_the_middle();
        for (request, index) in [
            (FindRecords::default(), "records_start"),
            (
                FindRecords {
                    doctor: some("D-1"),
                    ..FindRecords::default()
                },
                "records_doctor",
            ),
            (
                FindRecords {
                    patient: some("N-1"),
                    disease: some("J20"),
                    ..FindRecords::default()
                },
                "records_patient",
            ),
        ] {
            let request = FindRecords {
                page: page.clone(),
                ..request
            };
            let plan = plan_of(&request).await;
            assert!(plan.contains(&format!("INDEX {index} ")), "{plan}");
            assert!(!plan.contains("USE TEMP B-TREE FOR ORDER BY"), "{plan}");
        }
    }

    #[tokio::test]
    async fn a_list_of_a_disease_reads_a_page_of_each_of_its_codes() {
        let request = FindRecords {
            disease: Some("40055000".to_owned()),
            page: page_in_the_middle(),
            ..FindRecords::default()
        };
        let plan = plan_of(&request).await;
        assert!(
            plan.contains("INDEX diseases_start (token=? AND start_us<?)"),
            "{plan}"
        );
        assert!(!plan.contains("SCAN records"), "{plan}");
        // Only the few records of those pages are sorted.
        let sorted = plan.matches("USE TEMP B-TREE FOR ORDER BY").count();
        assert!(sorted <= 1, "{plan}");
    }

    #[test]
    fn only_whole_days_are_taken() {
        assert_eq!(day_start("from", "1970-01-02").unwrap(), 86_400_000_000);
        for text in ["1970", "1970-13-01", "01.02.1970", "1970-01-02T00:00:00Z"] {
            assert!(day_start("from", text).is_err(), "{text}");
        }
    }
}
