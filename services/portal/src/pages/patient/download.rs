//! Everything the hospitals hold of a patient, as one file. Each record in it is a recorded view.

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use contracts::{Purpose, RecordNumber};
use interfaces::records::{ListOwnRecords, ViewRecords};
use interfaces::{PageRequest, Problem};
use ledger::LedgerId;
use tokio::sync::mpsc::Sender;
use tokio_stream::wrappers::ReceiverStream;

use super::merged::own_hospitals;
use crate::answer::Answer;
use crate::design::forms::Form;
use crate::design::text;
use crate::visit::{Page, Submitted, Visit};

/// Records opened at a time; each such view is one entry of the ledger.
const RECORDS_AT_ONCE: u32 = 64;

/// `GET /settings/download`
pub(crate) async fn ask(visit: Visit) -> Answer {
    visit.signed_in()?;
    let words = visit.words.patient;
    let form = Form {
        hidden: visit.hidden(),
        cancel: Some(("/settings", visit.words.frame.cancel)),
        ..Form::new("/settings/download", words.download_button)
    };
    let content = text::lead(words.download_lead)
        .and(text::paragraph(words.download_text))
        .and(form.html());
    Ok(visit.page(Page::new(words.download_all, content).below("/settings", words.tab_settings)))
}

/// `POST /settings/download`: a FHIR Bundle of the records' Bundles, sent as the hospitals give them out.
pub(crate) async fn download(form: Submitted) -> Answer {
    let visit = form.visit;
    let hospitals = own_hospitals(&visit).await?;
    let (sender, receiver) = tokio::sync::mpsc::channel(2);
    tokio::spawn(async move {
        if let Err(problem) = send_all(&visit, &hospitals, &sender).await {
            tracing::warn!(%problem, "a download broke off");
            // The browser sees that the file is not whole.
            let _ = sender
                .send(Err(std::io::Error::other(problem.detail)))
                .await;
        }
    });
    let response: Response = (
        [
            (header::CONTENT_TYPE, "application/fhir+json"),
            (
                header::CONTENT_DISPOSITION,
                "attachment; filename=\"medshare-records.json\"",
            ),
        ],
        Body::from_stream(ReceiverStream::new(receiver)),
    )
        .into_response();
    Ok(response)
}

type Chunk = Result<Bytes, std::io::Error>;

async fn send_all(
    visit: &Visit,
    hospitals: &[(LedgerId, LedgerId)],
    sender: &Sender<Chunk>,
) -> Result<(), Problem> {
    let mut first = true;
    send(
        sender,
        r#"{"resourceType":"Bundle","type":"collection","entry":["#.to_owned(),
    )
    .await?;
    for (hospital, _) in hospitals {
        let mut after = None;
        loop {
            let asked = ListOwnRecords {
                acting_for: None,
                page: PageRequest {
                    after,
                    limit: Some(RECORDS_AT_ONCE),
                },
            };
            let page = visit.ask_hospital(*hospital, &asked).await?;
            let records = page.entries.iter().filter_map(|record| record.record);
            for entry in opened(visit, *hospital, records.collect()).await? {
                let joint = if first { "" } else { "," };
                first = false;
                send(sender, format!("{joint}{{\"resource\":{entry}}}")).await?;
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    send(sender, "]}".to_owned()).await
}

async fn send(sender: &Sender<Chunk>, text: String) -> Result<(), Problem> {
    let sent = sender.send(Ok(Bytes::from(text))).await;
    sent.map_err(|_| Problem::failure("the browser went away"))
}

/// The records' content; of one that does not match the ledger, an OperationOutcome that says so.
async fn opened(
    visit: &Visit,
    hospital: LedgerId,
    records: Vec<RecordNumber>,
) -> Result<Vec<String>, Problem> {
    if records.is_empty() {
        return Ok(Vec::new());
    }
    let asked = ViewRecords {
        records,
        purpose: Purpose::PatientRequest,
        emergency: None,
    };
    let viewed = visit.ask_hospital(hospital, &asked).await?;
    let content = viewed.records.into_iter().map(|record| {
        record.content.unwrap_or_else(|| {
            let text = format!("record {} does not match the ledger", record.record);
            serde_json::json!({
                "resourceType": "OperationOutcome",
                "issue": [{ "severity": "error", "code": "security", "diagnostics": text }],
            })
            .to_string()
        })
    });
    Ok(content.collect())
}
