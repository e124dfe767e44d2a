//! Medical history: the records of all hospitals together, newest first.

use contracts::{Purpose, RecordNumber};
use interfaces::records::{ListOwnRecords, RecordSummary, ViewRecords};
use ledger::LedgerId;

use super::merged::{merged, missing_part, sealed_next};
use crate::answer::Answer;
use crate::design::Html;
use crate::design::forms::Form;
use crate::design::lists::{self, Card};
use crate::design::text::{self, Colour};
use crate::pages::listing::Listing;
use crate::pages::receipts::just_done;
use crate::pages::{kinds, viewed};
use crate::viewed::Opened;
use crate::visit::{Page, Submitted, Visit};
use crate::words::fill;

/// `GET /records`
pub(crate) async fn list(visit: Visit) -> Answer {
    let page = merged(
        &visit,
        |page| ListOwnRecords {
            acting_for: None,
            page,
        },
        |record| (record.start.clone(), record.record),
    )
    .await?;
    let words = visit.words.patient;
    let list = Listing {
        id: "records",
        contracts: "records",
        path: "/records",
        empty: (words.no_records, words.no_records_text),
    };
    let content = Html::join([
        just_done(&visit, words.erased),
        text::lead(words.records_lead),
        missing_part(&visit, &page.away).await,
        list.living(&visit, shown(&visit, &page.entries, None).await),
        list.paging(&visit, sealed_next(&visit, &page)),
    ]);
    Ok(visit.page(Page::new(words.records, content)))
}

/// The records by year; those of a patient for whom one acts are opened as theirs.
pub(super) async fn shown(
    visit: &Visit,
    records: &[RecordSummary],
    acting_for: Option<LedgerId>,
) -> Html {
    let words = visit.words.patient;
    if records.is_empty() {
        return text::empty(words.no_records, words.no_records_text);
    }
    let names = visit.hospital_names().await;
    let mut parts = Vec::new();
    for year in records.chunk_by(|one, other| one.start.get(..4) == other.start.get(..4)) {
        let cards: Vec<Card> = year
            .iter()
            .map(|record| card(visit, record, names.get(&record.hospital), acting_for))
            .collect();
        parts.push(text::section(&visit.locale.year(&year[0].start)));
        parts.push(lists::cards_in_section(&cards));
    }
    Html::join(parts)
}

fn card(
    visit: &Visit,
    record: &RecordSummary,
    hospital: Option<&String>,
    acting_for: Option<LedgerId>,
) -> Card {
    let words = &visit.words;
    let when = visit.locale.day(&record.start);
    let place = hospital.map_or("", String::as_str);
    let kind = kinds::class(words, &record.class);
    let side = match record.record {
        Some(number) => open_button(visit, record, number, acting_for),
        None => text::tag(Colour::Grey, words.patient.waiting_record),
    };
    let version = fill(
        words.patient.version,
        &[("version", &record.version.to_string())],
    );
    let versions = if record.version > 1 {
        vec![text::tag(Colour::Blue, &version)]
    } else {
        Vec::new()
    };
    Card {
        when: format!("{when} · {place}"),
        title: record.title.clone(),
        text: text::aside(kind),
        tags: versions,
        side,
        ..Card::default()
    }
}

/// Opening is an act of its own: it is recorded before anything is shown.
fn open_button(
    visit: &Visit,
    record: &RecordSummary,
    number: RecordNumber,
    acting_for: Option<LedgerId>,
) -> Html {
    let mut hidden = visit.hidden();
    hidden.push(("hospital", record.hospital.to_string()));
    hidden.push(("record", number.to_string()));
    let action = match acting_for {
        None => "/records/open",
        Some(patient) => {
            hidden.push(("patient", patient.to_string()));
            "/acting/open"
        }
    };
    Form {
        hidden,
        busy: visit.words.patient.opening,
        look: " nhsuk-button--secondary nhsuk-button--small",
        about: &record.title,
        ..Form::new(action, visit.words.patient.open)
    }
    .html()
}

/// `POST /records/open`
pub(crate) async fn open(form: Submitted) -> Answer {
    open_for(form, None).await
}

/// Opens a record, for the patient or whoever acts for them.
pub(super) async fn open_for(form: Submitted, acting_for: Option<LedgerId>) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let hospital: LedgerId = form.id("hospital")?;
    let record: RecordNumber = form.id("record")?;
    form.once(async {
        let asked = ViewRecords {
            records: vec![record],
            purpose: Purpose::PatientRequest,
            emergency: None,
        };
        let opened = visit.ask_hospital(hospital, &asked).await?;
        let opened = Opened {
            acting_for,
            ..Opened::from(opened)
        };
        let below = match acting_for {
            None => "/records".to_owned(),
            Some(patient) => format!("/acting/{hospital}/{patient}"),
        };
        viewed::keep(visit, &below, hospital, opened)
    })
    .await
}
