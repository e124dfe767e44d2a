//! Views of a hospital's records as a file: comma-separated, or FHIR R4 AuditEvents, one a line.

use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::header;
use axum::response::IntoResponse;
use interfaces::records::{ListViews, ViewTrace};
use interfaces::{PageRequest, Problem};
use ledger::LedgerId;
use tokio_stream::wrappers::ReceiverStream;

use super::chosen_hospital;
use crate::answer::Answer;
use crate::visit::Visit;

/// Views asked for at a time.
const PAGE: u32 = 500;
const HEAD: &str = "time,hospital,viewer,basis,purpose,records,transaction\r\n";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Csv,
    AuditEvents,
}

/// `GET /use/export/{file}`: `views.csv` or `audit-events.ndjson`, of the hospital, basis and viewer in the query.
pub(super) async fn export(visit: Visit, Path(file): Path<String>) -> Answer {
    visit.signed_in()?;
    let kind = match file.as_str() {
        "views.csv" => Kind::Csv,
        "audit-events.ndjson" => Kind::AuditEvents,
        _ => return Err(Problem::not_found("no such file").into()),
    };
    let (hospital, _) = chosen_hospital(&visit).await?;
    // The first part before anything is sent: a refusal is a page, not a broken file.
    let first = part(&visit, hospital, None).await?;
    let content_type = match kind {
        Kind::Csv => "text/csv; charset=utf-8",
        Kind::AuditEvents => "application/fhir+ndjson",
    };
    let disposition = format!("attachment; filename=\"{file}\"");
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(2);
    tokio::spawn(async move {
        let mut text = if kind == Kind::Csv { HEAD } else { "" }.to_owned();
        let mut page = first;
        loop {
            for view in &page.entries {
                match kind {
                    Kind::Csv => text.push_str(&row(hospital, view)),
                    Kind::AuditEvents => {
                        text.push_str(&audit_event(hospital, view).to_string());
                        text.push('\n');
                    }
                }
            }
            if sender.send(Ok(Bytes::from(text))).await.is_err() {
                return;
            }
            let Some(after) = page.next else { return };
            text = String::new();
            page = match part(&visit, hospital, Some(after)).await {
                Ok(page) => page,
                Err(problem) => {
                    tracing::warn!(%problem, "an export broke off");
                    // The browser sees that the file is not whole.
                    let broken = std::io::Error::other(problem.detail);
                    let _ = sender.send(Err(broken)).await;
                    return;
                }
            };
        }
    });
    Ok((
        [
            (header::CONTENT_TYPE, content_type.to_owned()),
            (header::CONTENT_DISPOSITION, disposition),
        ],
        Body::from_stream(ReceiverStream::new(receiver)),
    )
        .into_response())
}

async fn part(
    visit: &Visit,
    hospital: LedgerId,
    after: Option<String>,
) -> Result<interfaces::Page<ViewTrace>, Problem> {
    let asked = ListViews {
        basis: visit.query("basis"),
        viewer: visit.query("viewer").and_then(|text| text.parse().ok()),
        page: PageRequest {
            after,
            limit: Some(PAGE),
        },
    };
    visit.ask_hospital(hospital, &asked).await
}

/// A view as a line: ids, names of kinds and times alone, so that nothing needs quotes.
fn row(hospital: LedgerId, view: &ViewTrace) -> String {
    let records: Vec<String> = view.records.iter().map(ToString::to_string).collect();
    format!(
        "{},{hospital},{},{},{:?},{},{}\r\n",
        view.time,
        view.viewer,
        view.basis,
        view.purpose,
        records.join(" "),
        view.transaction
    )
}

/// A view as a FHIR R4 AuditEvent; the transaction that logged it is its id in the ledger.
fn audit_event(hospital: LedgerId, view: &ViewTrace) -> serde_json::Value {
    let entities: Vec<serde_json::Value> = view
        .records
        .iter()
        .map(|record| {
            serde_json::json!({
                "what": { "identifier": { "value": record.to_string() } },
                "role": {
                    "system": "http://terminology.hl7.org/CodeSystem/object-role",
                    "code": "3",
                    "display": "Report"
                },
            })
        })
        .collect();
    serde_json::json!({
        "resourceType": "AuditEvent",
        "id": view.transaction.to_string(),
        "type": {
            "system": "http://terminology.hl7.org/CodeSystem/audit-event-type",
            "code": "rest",
            "display": "RESTful Operation"
        },
        "action": "R",
        "recorded": view.time,
        "outcome": "0",
        "purposeOfEvent": [{ "text": format!("{:?} ({})", view.purpose, view.basis) }],
        "agent": [{
            "who": { "identifier": { "value": view.viewer.to_string() } },
            "requestor": true,
        }],
        "source": { "observer": { "identifier": { "value": hospital.to_string() } } },
        "entity": entities,
    })
}

#[cfg(test)]
mod tests {
    use contracts::{Purpose, RecordNumber};
    use ledger::Digest;

    use super::*;

    fn view() -> ViewTrace {
        ViewTrace {
            records: vec![RecordNumber([1; 16]), RecordNumber([2; 16])],
            time: "2026-01-02T03:04:05Z".to_owned(),
            viewer: LedgerId([3; 16]),
            viewer_name: None,
            basis: "emergency".to_owned(),
            purpose: Purpose::EmergencyTreatment,
            transaction: Digest([4; 32]),
        }
    }

    #[test]
    fn a_line_has_a_value_for_each_name_of_the_head() {
        let row = row(LedgerId([5; 16]), &view());
        assert_eq!(row.split(',').count(), HEAD.split(',').count());
        assert!(row.ends_with("\r\n") && !row.contains('"'), "{row}");
    }

    #[test]
    fn an_audit_event_has_what_fhir_requires_and_each_record() {
        let event = audit_event(LedgerId([5; 16]), &view());
        for required in ["type", "recorded", "agent", "source"] {
            assert!(!event[required].is_null(), "{required}");
        }
        assert_eq!(event["agent"][0]["requestor"], true);
        assert_eq!(event["entity"].as_array().unwrap().len(), 2);
    }
}
