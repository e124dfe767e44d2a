//! Emergency access (break-glass): one patient, a reason, everybody concerned told at once.

use contracts::RecordNumber;
use interfaces::records::OpenEmergency;
use ledger::LedgerId;

use crate::answer::Answer;
use crate::design::Html;
use crate::design::forms::{Control, Field, Form, error_summary};
use crate::design::lists;
use crate::design::text;
use crate::pages::sign_in;
use crate::visit::{Page, Submitted, Visit};

/// `GET /hospital/emergency`
pub(crate) async fn show(visit: Visit) -> Answer {
    visit.signed_in()?;
    let hospitals = hospitals(&visit).await;
    Ok(visit.page(page(&visit, hospitals, &|_| String::new(), &[])))
}

async fn hospitals(visit: &Visit) -> Vec<(String, String)> {
    let names = visit.hospital_names().await.into_iter();
    names.map(|(id, name)| (id.to_string(), name)).collect()
}

fn page(
    visit: &Visit,
    hospitals: Vec<(String, String)>,
    value: &dyn Fn(&str) -> String,
    errors: &[(&str, &str)],
) -> Page {
    let words = visit.words.staff;
    let form = Form {
        hidden: visit.hidden(),
        fields: vec![
            Field::new("hospital", words.which_hospital, Control::Select(hospitals))
                .value(value("hospital")),
            Field::line("patient", words.emergency_patient)
                .hint(words.emergency_patient_hint)
                .width(30)
                .value(value("patient"))
                .error(errors),
            Field::new(
                "records",
                words.emergency_records,
                Control::Text { rows: 3 },
            )
            .hint(words.emergency_records_hint)
            .value(value("records"))
            .error(errors),
            Field::new("reason", words.emergency_reason, Control::Text { rows: 3 })
                .value(value("reason"))
                .error(errors),
        ],
        busy: visit.words.patient.opening,
        look: " nhsuk-button--warning",
        ..Form::new("/hospital/emergency", words.emergency_open)
    };
    Page {
        title: words.emergency.to_owned(),
        content: Html::join([
            error_summary(visit.words.problems.check, errors),
            text::title(words.emergency),
            text::warning(visit.words.frame.important, words.emergency_lead),
            form.html(),
        ]),
        ..Page::default()
    }
}

/// `POST /hospital/emergency`: opened once; the records named are then opened one by one under it.
pub(crate) async fn submit(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let words = visit.words.staff;
    let patient = form.get("patient").to_ascii_lowercase().parse::<LedgerId>();
    let reason = form.get("reason");
    let mut errors = Vec::new();
    if patient.is_err() {
        errors.push(("patient", words.emergency_patient_bad));
    }
    if reason.is_empty() {
        errors.push(("reason", words.emergency_reason_bad));
    }
    let Ok(patient) = patient
        .map_err(|_| ())
        .and_then(|patient| match errors.is_empty() {
            true => Ok(patient),
            false => Err(()),
        })
    else {
        let hospitals = hospitals(visit).await;
        let value = |name: &str| form.get(name).to_owned();
        let page = page(visit, hospitals, &value, &errors);
        return Ok(visit.page_with(sign_in::BAD_INPUT, page));
    };
    let hospital: LedgerId = form.id("hospital")?;
    let records: Vec<RecordNumber> = form
        .get("records")
        .split_whitespace()
        .filter_map(|line| line.parse().ok())
        .collect();
    form.once(async {
        let question = OpenEmergency {
            patient,
            reason: reason.to_owned(),
        };
        let opened = visit.ask_hospital(hospital, &question).await?;
        let list: Vec<String> = records.iter().map(RecordNumber::to_string).collect();
        Ok(format!(
            "/hospital/emergency/{hospital}/{}?records={}&done={}",
            opened.emergency,
            list.join(","),
            opened.committed.transaction
        ))
    })
    .await
}

/// `GET /hospital/emergency/{hospital}/{emergency}`: what may be opened under it.
pub(crate) async fn opened(
    visit: Visit,
    axum::extract::Path((hospital, emergency)): axum::extract::Path<(String, String)>,
) -> Answer {
    visit.signed_in()?;
    let words = visit.words.staff;
    let records = visit.query("records").unwrap_or_default();
    let cards: Vec<lists::Card> = records
        .split(',')
        .filter(|record| !record.is_empty())
        .map(|record| {
            let mut hidden = visit.hidden();
            hidden.push(("hospital", hospital.clone()));
            hidden.push(("record", record.to_owned()));
            hidden.push(("emergency", emergency.clone()));
            let side = Form {
                hidden,
                busy: visit.words.patient.opening,
                look: " nhsuk-button--warning nhsuk-button--small",
                about: record,
                ..Form::new("/hospital/records/open", words.open_record)
            }
            .html();
            lists::Card {
                title: record.to_owned(),
                side,
                ..lists::Card::default()
            }
        })
        .collect();
    let content = Html::join([
        crate::pages::receipts::just_done(&visit, words.emergency_opened),
        lists::cards(&cards),
    ]);
    Ok(visit.page(
        Page::new(words.emergency, content).below("/hospital/emergency", words.tab_emergency),
    ))
}
