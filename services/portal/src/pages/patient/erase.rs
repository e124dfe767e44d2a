//! Erasing one record for good.

use axum::extract::Path;
use interfaces::records::EraseRecord;

use super::codes::ids;
use crate::answer::Answer;
use crate::design::Html;
use crate::design::forms::{Control, Field, Form, error_summary};
use crate::design::lists;
use crate::design::text;
use crate::pages::sign_in;
use crate::visit::{Page, Submitted, Visit, done};

/// `GET /records/erase/{hospital}/{record}`
pub(crate) async fn ask(visit: Visit, Path((hospital, record)): Path<(String, String)>) -> Answer {
    visit.signed_in()?;
    let page = page(&visit, &hospital, &record, &[]).await?;
    Ok(visit.page(page))
}

async fn page(
    visit: &Visit,
    hospital: &str,
    record: &str,
    errors: &[(&str, &str)],
) -> Result<Page, crate::answer::Refusal> {
    let (hospital, record) = ids(hospital, record)?;
    let words = visit.words.patient;
    let names = visit.hospital_names().await;
    let place = names.get(&hospital).map_or("", String::as_str);
    let action = format!("/records/erase/{hospital}/{record}");
    let sure = vec![("yes".to_owned(), words.erase_sure.to_owned(), String::new())];
    let form = Form {
        hidden: visit.hidden(),
        fields: vec![
            Field::new("sure", words.erase_confirm, Control::Checkboxes(sure)).error(errors),
        ],
        look: " nhsuk-button--warning",
        busy: visit.words.authorization.approving,
        cancel: Some(("/records", visit.words.frame.cancel)),
        ..Form::new(&action, words.erase)
    };
    Ok(Page {
        title: words.erase_ask.to_owned(),
        content: Html::join([
            error_summary(visit.words.problems.check, errors),
            text::title(words.erase_ask),
            lists::summary(vec![
                (words.hospital, Html::text(place)),
                (words.record_number, text::number(record)),
            ]),
            text::paragraph(words.erase_text),
            text::paragraph(words.erase_stays),
            form.html(),
        ]),
        ..Page::default()
    }
    .below("/records", words.tab_records))
}

/// `POST /records/erase/{hospital}/{record}`
pub(crate) async fn erase(
    Path((hospital, record)): Path<(String, String)>,
    form: Submitted,
) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    if form.get("sure") != "yes" {
        let errors = [("sure", visit.words.patient.erase_unsure)];
        let page = page(visit, &hospital, &record, &errors).await?;
        return Ok(visit.page_with(sign_in::BAD_INPUT, page));
    }
    let (hospital, record) = ids(&hospital, &record)?;
    form.once(async {
        let committed = visit
            .ask_hospital(hospital, &EraseRecord { record })
            .await?;
        visit
            .portal
            .viewed
            .forget(&visit.signed_in()?.session.session);
        Ok(done("/records", committed.transaction))
    })
    .await
}
