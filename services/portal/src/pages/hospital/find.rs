//! Finding a hospital's records by doctor, patient, date and disease, and opening one.

use contracts::{Purpose, RecordNumber};
use interfaces::records::{FindRecords, RecordSummary, ViewRecords};
use keys::token::Role;
use ledger::LedgerId;
use serde::{Deserialize, Serialize};

use super::emergency::{self, Case};
use super::{nowhere, workplaces, workplaces_with};
use crate::answer::{Answer, Refusal, redirect};
use crate::design::Html;
use crate::design::forms::{Control, Field, Form, error_summary};
use crate::design::lists::{self, Card};
use crate::design::text::{self, Colour};
use crate::pages::listing::Listing;
use crate::pages::receipts::just_done;
use crate::pages::{kinds, sign_in, viewed};
use crate::visit::{Page, Submitted, Visit};
use crate::words::fill;

const SEALED_AS: &str = "medshare/portal/search/v1";

/// What was searched. It goes through the address sealed: numbers of people stay out of histories and logs.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Search {
    hospital: Option<LedgerId>,
    doctor: String,
    patient: String,
    from: String,
    until: String,
    disease: String,
}

impl Search {
    fn of(visit: &Visit) -> Search {
        let search = visit.query("search");
        search
            .and_then(|text| visit.opened(SEALED_AS, &text))
            .unwrap_or_default()
    }

    fn is_empty(&self) -> bool {
        [
            &self.doctor,
            &self.patient,
            &self.from,
            &self.until,
            &self.disease,
        ]
        .iter()
        .all(|text| text.is_empty())
    }
}

/// `GET /hospital/records`
pub(crate) async fn list(visit: Visit) -> Answer {
    let search = Search::of(&visit);
    let given = |text: &String| (!text.is_empty()).then(|| text.clone());
    let asked = FindRecords {
        doctor: given(&search.doctor),
        patient: given(&search.patient),
        from: given(&search.from),
        until: given(&search.until),
        class: None,
        disease: given(&search.disease),
        page: visit.part(),
    };
    let mut found = workplaces_with(&visit, search.hospital, &asked).await?;
    let places: Vec<(LedgerId, String)> = found
        .iter()
        .map(|(hospital, name, _)| (*hospital, name.clone()))
        .collect();
    let chosen = places
        .iter()
        .position(|(hospital, _)| Some(*hospital) == search.hospital);
    if found.is_empty() {
        return nowhere(&visit);
    }
    let (hospital, name, found) = found.swap_remove(chosen.unwrap_or(0));
    let words = visit.words.staff;
    let cards: Vec<Card> = found
        .entries
        .iter()
        .map(|record| card(&visit, hospital, record))
        .collect();
    let list = if cards.is_empty() {
        text::empty(words.nothing_found, words.nothing_found_text)
    } else {
        lists::cards_in_section(&cards)
    };
    let path = format!(
        "/hospital/records?search={}",
        visit.sealed(SEALED_AS, &search)
    );
    let listing = Listing {
        id: "found",
        contracts: "records",
        path: &path,
        empty: (words.nothing_found, words.nothing_found_text),
    };
    let heading = match search.is_empty() {
        true => words.newest,
        false => words.found,
    };
    let form = search_form(&visit, &places, &search, &[]);
    let form = match search.is_empty() {
        true => form,
        false => text::details(words.change_search, form),
    };
    let title = match visit.is(Role::Hospital) || visit.is(Role::Clerk) {
        true => words.generated,
        false => words.find,
    };
    let content = Html::join([
        just_done(&visit, words.written),
        text::title_of(&name, title),
        text::lead(words.find_lead),
        match visit.is(Role::Clerk) {
            true => text::paragraph(visit.words.desk.about_withheld),
            false => Html::none(),
        },
        form,
        text::section(heading),
        list,
        listing.paging(&visit, found.next),
    ]);
    Ok(visit.page(Page {
        title: title.to_owned(),
        content,
        ..Page::default()
    }))
}

fn search_form(
    visit: &Visit,
    places: &[(LedgerId, String)],
    search: &Search,
    errors: &[(&str, &str)],
) -> Html {
    let words = visit.words.staff;
    let mut fields = Vec::new();
    if places.len() > 1 {
        let choices = places
            .iter()
            .map(|(id, name)| (id.to_string(), name.clone()))
            .collect();
        let chosen = search.hospital.map(|id| id.to_string()).unwrap_or_default();
        fields.push(
            Field::new("hospital", words.which_hospital, Control::Select(choices)).value(chosen),
        );
    }
    // What a record is about is not for clerks.
    let disease = Field::line("disease", words.disease)
        .hint(words.disease_hint)
        .width(20)
        .value(&search.disease);
    let disease = Some(disease).filter(|_| !visit.is(Role::Clerk));
    fields.extend([
        Field::line("patient", words.patient_number)
            .width(20)
            .value(&search.patient),
        Field::line("doctor", words.doctor_number)
            .width(20)
            .value(&search.doctor),
    ]);
    fields.extend(disease);
    fields.extend([
        Field::line("from", words.from)
            .hint(words.day_hint)
            .width(10)
            .value(&search.from)
            .error(errors),
        Field::line("until", words.until)
            .hint(words.day_hint)
            .width(10)
            .value(&search.until)
            .error(errors),
    ]);
    Form {
        hidden: visit.hidden(),
        fields,
        ..Form::new("/hospital/records", words.search)
    }
    .html()
}

fn card(visit: &Visit, hospital: LedgerId, record: &RecordSummary) -> Card {
    let words = &visit.words;
    let number = record.patient_number.as_deref().unwrap_or_default();
    let doctor = record.doctor.as_deref().unwrap_or_default();
    let facts = [
        (words.staff.patient_number, number),
        (words.staff.doctor_number, doctor),
    ];
    let facts: Vec<String> = facts
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    let side = match record.record {
        Some(number) if visit.is(Role::Doctor) => {
            let mut hidden = visit.hidden();
            hidden.push(("hospital", hospital.to_string()));
            hidden.push(("record", number.to_string()));
            hidden.extend(
                record
                    .patient
                    .map(|patient| ("patient", patient.to_string())),
            );
            Form {
                hidden,
                busy: words.patient.opening,
                look: " nhsuk-button--secondary nhsuk-button--small",
                about: &record.title,
                ..Form::new("/hospital/records/open", words.staff.open_record)
            }
            .html()
        }
        Some(_) if visit.is(Role::Clerk) => Html::none(),
        Some(number) => {
            let path = format!("/hospital/code/{hospital}/{number}");
            text::link(&path, words.staff.own_code)
        }
        None => text::tag(Colour::Grey, words.patient.waiting_record),
    };
    let (day, class) = (
        visit.locale.day(&record.start),
        kinds::class(words, &record.class),
    );
    // Clerks are not told what it is about.
    let (when, title) = match record.title.as_str() {
        "" => (day, class.to_owned()),
        title => (format!("{day} · {class}"), title.to_owned()),
    };
    Card {
        when,
        title,
        text: text::aside(&facts.join(" · ")),
        tags: match record.version {
            0 | 1 => Vec::new(),
            version => vec![text::tag(
                Colour::Blue,
                &fill(words.patient.version, &[("version", &version.to_string())]),
            )],
        },
        side,
        ..Card::default()
    }
}

/// `POST /hospital/records`
pub(crate) async fn search(form: Submitted) -> Answer {
    let visit = &form.visit;
    let search = Search {
        hospital: form.get("hospital").parse().ok(),
        doctor: form.get("doctor").to_owned(),
        patient: form.get("patient").to_owned(),
        from: form.get("from").to_owned(),
        until: form.get("until").to_owned(),
        disease: form.get("disease").to_owned(),
    };
    let words = visit.words.staff;
    let mut errors = Vec::new();
    for (field, text) in [("from", &search.from), ("until", &search.until)] {
        let day = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d");
        if !text.is_empty() && (day.is_err() || text.len() != 10) {
            errors.push((field, words.day_bad));
        }
    }
    if errors.is_empty() {
        let sealed = visit.sealed(SEALED_AS, &search);
        return Ok(redirect(&format!("/hospital/records?search={sealed}")));
    }
    let places = workplaces(visit).await?;
    let page = Page {
        title: words.find.to_owned(),
        content: Html::join([
            error_summary(visit.words.problems.check, &errors),
            text::title(words.find),
            search_form(visit, &places, &search, &errors),
        ]),
        ..Page::default()
    };
    Ok(visit.page_with(sign_in::BAD_INPUT, page))
}

/// `POST /hospital/records/open`
pub(crate) async fn open(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let hospital: LedgerId = form.id("hospital")?;
    let record: RecordNumber = form.id("record")?;
    let under = form.get("emergency");
    let (purpose, opened_under) = match under.is_empty() {
        true => (Purpose::Treatment, None),
        false => (Purpose::EmergencyTreatment, Some(form.id("emergency")?)),
    };
    // Where the ledger does not answer, no view can be committed: the emergency page says what can be done.
    let case = Case {
        hospital: hospital.to_string(),
        patient: form.get("patient").to_owned(),
        records: record.to_string(),
        ..Case::default()
    };
    if visit.portal.blocks.is_silent() {
        return emergency::unanswered(visit, case);
    }
    let opened = form
        .once(async {
            let asked = ViewRecords {
                records: vec![record],
                purpose,
                emergency: opened_under,
            };
            let answer = visit.ask_hospital(hospital, &asked);
            let opened = match opened_under {
                Some(_) => emergency::without_waiting_long(answer).await?,
                None => answer.await?,
            };
            viewed::keep(visit, "/hospital/records", hospital, opened)
        })
        .await;
    match opened {
        Err(Refusal(problem)) if emergency::is_without_answer(&problem) => {
            emergency::unanswered(visit, case)
        }
        other => other,
    }
}
