//! Finds records of this hospital: metadata only. By the hospital or its doctors.

use std::sync::Arc;

use bus::Call;
use clinical::date::Moment;
use contracts::RecordNumber;
use interfaces::records::{FindRecords, RecordSummary};
use interfaces::{Page, Problem};
use sqlx::AssertSqlSafe;

use super::{Place, page_start};
use crate::facts::{patients, records as record_facts};
use crate::failure::Failure;
use crate::service::Records;

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
    if !records.is_hospital(&caller) {
        records.own_doctor_id(&caller).await?;
    }
    let (conditions, values) = conditions(&records, &request)?;
    let limit = request.page.limit();
    let statement = format!(
        "SELECT {} FROM records WHERE {} ORDER BY records.start_us DESC, records.record DESC LIMIT ${}",
        record_facts::COLUMNS,
        conditions.join(" AND "),
        values.len() + 1
    );
    let mut query = sqlx::query(AssertSqlSafe(statement));
    for value in values {
        query = match value {
            Value::Text(text) => query.bind(text),
            Value::Number(number) => query.bind(number),
        };
    }
    let rows = query
        .bind(i64::from(limit) + 1)
        .fetch_all(records.reader())
        .await?;
    records.page_of(&rows, limit, true).await
}

fn conditions(
    records: &Records,
    request: &FindRecords,
) -> Result<(Vec<String>, Vec<Value>), Failure> {
    let mut conditions = vec!["records.state = 'live'".to_owned()];
    let mut values = Vec::new();
    let mut add = |condition: &str, value: Value| {
        values.push(value);
        conditions.push(condition.replace('?', &format!("${}", values.len())));
    };
    if let Some(doctor) = &request.doctor {
        add(
            "records.doctor_token = ?",
            Value::Text(record_facts::doctor_token(&records.vault, doctor)),
        );
    }
    if let Some(patient) = &request.patient {
        add(
            "records.patient_token = ?",
            Value::Text(patients::token(&records.vault, patient)),
        );
    }
    if let Some(from) = &request.from {
        add(
            "records.start_us >= ?",
            Value::Number(day_start("from", from)?),
        );
    }
    if let Some(until) = &request.until {
        add(
            "records.start_us < ?",
            Value::Number(day_start("until", until)?),
        );
    }
    if let Some(class) = &request.class {
        add("records.class = ?", Value::Text(class.clone()));
    }
    if let Some(disease) = &request.disease {
        let codes = disease_codes(disease);
        let tokens = codes
            .iter()
            .map(|code| record_facts::disease_token(&records.vault, code));
        // Tokens are hex: nothing in them can end the text.
        let list: Vec<String> = tokens.map(|token| format!("'{token}'")).collect();
        conditions_in(&mut conditions, &list);
    }
    if let Some(Place(start, record)) =
        page_start::<Place<i64, RecordNumber>>(request.page.after.as_deref())?
    {
        values.push(Value::Number(start));
        let first = values.len();
        values.push(Value::Text(record.to_string()));
        // The first part is what an index is walked by, from here on.
        conditions.push(format!(
            "records.start_us <= ${first} AND (records.start_us < ${first} OR records.record < ${})",
            first + 1
        ));
    }
    Ok((conditions, values))
}

fn conditions_in(conditions: &mut Vec<String>, list: &[String]) {
    let tokens = list.join(", ");
    conditions.push(format!("records.record IN (SELECT diseases.record FROM diseases WHERE diseases.token IN ({tokens}))"));
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

    #[test]
    fn only_whole_days_are_taken() {
        assert_eq!(day_start("from", "1970-01-02").unwrap(), 86_400_000_000);
        for text in ["1970", "1970-13-01", "01.02.1970", "1970-01-02T00:00:00Z"] {
            assert!(day_start("from", text).is_err(), "{text}");
        }
    }
}
