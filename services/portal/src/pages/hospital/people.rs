//! Doctors who act for the hospital, and patients who have not enrolled.

use interfaces::records::{AffiliateDoctor, ListWaitingPatients, WaitingPatient};
use ledger::LedgerId;

use super::nowhere;
use crate::answer::Answer;
use crate::design::Html;
use crate::design::forms::{Field, Form, error_summary};
use crate::design::lists;
use crate::design::text;
use crate::pages::listing::Listing;
use crate::pages::receipts::just_done;
use crate::pages::sign_in;
use crate::visit::{Page, Submitted, Visit, done};

const HERE: &str = "/hospital/people";
const DAYS_MAX: u32 = 3_650;

/// `GET /hospital/people`
pub(crate) async fn show(visit: Visit) -> Answer {
    let Some(hospital) = visit.signed_in()?.staff_of() else {
        return nowhere(&visit);
    };
    let asked = ListWaitingPatients { page: visit.part() };
    let waiting = visit.ask_hospital(hospital, &asked).await?;
    let words = visit.words.staff;
    let content = Html::join([
        just_done(&visit, visit.words.authorization.decided),
        text::section(words.doctors),
        text::paragraph(words.doctors_lead),
        form(&visit, hospital, "", "365", &[]),
        waiting_patients(&visit, HERE, waiting),
    ]);
    Ok(visit.page(Page::new(words.people, content)))
}

/// The patients who have not enrolled, on a page of their own path.
pub(super) fn waiting_patients(
    visit: &Visit,
    path: &str,
    waiting: interfaces::Page<WaitingPatient>,
) -> Html {
    let words = visit.words.staff;
    let rows: Vec<Vec<Html>> = waiting
        .entries
        .iter()
        .map(|patient| {
            vec![
                Html::text(&patient.patient_number),
                Html::text(visit.locale.number(patient.records.into())),
            ]
        })
        .collect();
    let list = if rows.is_empty() {
        text::empty(words.no_waiting, words.no_waiting_text)
    } else {
        lists::table_in_section(
            words.waiting_patients,
            &[words.patient_number, words.records],
            &rows,
        )
    };
    let listing = Listing {
        id: "waiting",
        contracts: "",
        path,
        empty: (words.no_waiting, words.no_waiting_text),
    };
    Html::join([
        text::section(words.waiting_patients),
        text::paragraph(words.waiting_patients_lead),
        list,
        listing.paging(visit, waiting.next),
    ])
}

fn form(
    visit: &Visit,
    hospital: LedgerId,
    doctor: &str,
    days: &str,
    errors: &[(&str, &str)],
) -> Html {
    let words = visit.words.staff;
    let mut hidden = visit.hidden();
    hidden.push(("hospital", hospital.to_string()));
    Form {
        hidden,
        fields: vec![
            Field::line("doctor", words.doctor_id)
                .width(30)
                .value(doctor)
                .error(errors),
            Field::line("days", words.days)
                .width(5)
                .value(days)
                .error(errors),
        ],
        busy: visit.words.authorization.approving,
        ..Form::new("/hospital/people", words.affiliate)
    }
    .html()
}

/// `POST /hospital/people`
pub(crate) async fn affiliate(submitted: Submitted) -> Answer {
    let visit = &submitted.visit;
    visit.signed_in()?;
    let hospital: LedgerId = submitted.id("hospital")?;
    let words = visit.words.staff;
    let doctor = submitted
        .get("doctor")
        .to_ascii_lowercase()
        .parse::<LedgerId>();
    let days = submitted.get("days").parse::<u32>().ok();
    let days = days.filter(|days| *days <= DAYS_MAX);
    let mut errors = Vec::new();
    if doctor.is_err() {
        errors.push(("doctor", words.doctor_bad));
    }
    if days.is_none() {
        errors.push(("days", words.days_bad));
    }
    let (Ok(doctor), Some(days)) = (doctor, days) else {
        let page = Page {
            title: words.people.to_owned(),
            content: Html::join([
                error_summary(visit.words.problems.check, &errors),
                text::title(words.people),
                form(
                    visit,
                    hospital,
                    submitted.get("doctor"),
                    submitted.get("days"),
                    &errors,
                ),
            ]),
            ..Page::default()
        };
        return Ok(visit.page_with(sign_in::BAD_INPUT, page));
    };
    submitted
        .once(async {
            let committed = visit
                .ask_hospital(hospital, &AffiliateDoctor { doctor, days })
                .await?;
            Ok(done("/hospital/people", committed.transaction))
        })
        .await
}
