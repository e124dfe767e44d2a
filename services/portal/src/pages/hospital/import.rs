//! Importing records from a file: a FHIR R4 Bundle.

use interfaces::records::{ImportBundle, ImportReport};

use super::nowhere;
use crate::answer::{Answer, Refusal};
use crate::design::Html;
use crate::design::forms::{Control, Field, Form};
use crate::design::lists;
use crate::design::text;
use crate::pages::form_page::FormPage;
use crate::visit::{Page, Upload, Visit};

const HERE: &str = "/hospital/import";
/// Refused parts that are listed; how many there are is said.
const REFUSED_LISTED: usize = 100;

/// `GET /hospital/import`
pub(crate) async fn show(visit: Visit) -> Answer {
    if visit.signed_in()?.staff_of().is_none() {
        return nowhere(&visit);
    }
    Ok(page(&visit, &[]).answer(&visit))
}

fn page<'a>(visit: &Visit, errors: &'a [(&'a str, &'a str)]) -> FormPage<'a> {
    let words = visit.words.desk;
    let accept = ".json,application/json,application/fhir+json";
    let form = Form {
        hidden: visit.hidden(),
        fields: vec![
            Field::new("file", words.file, Control::File { accept })
                .hint(words.file_hint)
                .error(errors),
        ],
        busy: words.importing,
        ..Form::new(HERE, words.import)
    };
    FormPage {
        errors,
        ..FormPage::new(words.import, words.import_lead, form)
    }
}

/// `POST /hospital/import`: the report is the answer. Sent again, it takes in nothing twice.
pub(crate) async fn submit(Upload(form): Upload) -> Answer {
    let visit = &form.visit;
    let Some(hospital) = visit.signed_in()?.staff_of() else {
        return nowhere(visit);
    };
    let words = visit.words.desk;
    let bundle = form.raw("file").to_owned();
    if bundle.trim().is_empty() {
        return Ok(page(visit, &[("file", words.file_missing)]).answer(visit));
    }
    match visit.ask_hospital(hospital, &ImportBundle { bundle }).await {
        Ok(report) => Ok(visit.page(report_of(visit, &report))),
        Err(problem) if matches!(problem.status, 400 | 413 | 422) => {
            Ok(page(visit, &[("file", problem.detail.as_str())]).answer(visit))
        }
        Err(problem) => Err(Refusal::from(problem)),
    }
}

fn report_of(visit: &Visit, report: &ImportReport) -> Page {
    let words = visit.words.desk;
    let figure = |count: usize| text::span("medshare-figure", &visit.locale.number(count as u64));
    let figures = lists::panels(&[
        (words.registered, figure(report.registered.len())),
        (words.unchanged, figure(report.unchanged.len())),
        (words.waiting, figure(report.waiting as usize)),
        (words.refused, figure(report.refused.len())),
    ]);
    let rows: Vec<Vec<Html>> = report
        .refused
        .iter()
        .take(REFUSED_LISTED)
        .map(|refused| vec![Html::text(&refused.element), Html::text(&refused.reason)])
        .collect();
    let refused = match rows.is_empty() {
        true => Html::none(),
        false => lists::table(words.refused, &[words.element, words.reason], &rows),
    };
    let done = text::inset(visit.words.frame.done, text::paragraph(words.import_done));
    let content = Html::join([
        done,
        figures,
        refused,
        text::action_link("/hospital/records", visit.words.staff.find),
    ]);
    Page::new(words.import, content).below(HERE, words.tab_import)
}
