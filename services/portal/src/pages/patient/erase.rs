//! Erasing one record for good.

use axum::extract::Path;
use interfaces::records::EraseRecord;

use super::codes::ids;
use crate::answer::Answer;
use crate::design::Html;
use crate::design::forms::{Control, Field, Form};
use crate::design::lists;
use crate::design::text;
use crate::pages::form_page::FormPage;
use crate::visit::{Submitted, Visit, done};

/// `GET /records/erase/{hospital}/{record}`
pub(crate) async fn ask(visit: Visit, Path((hospital, record)): Path<(String, String)>) -> Answer {
    visit.signed_in()?;
    page(&visit, &hospital, &record, &[]).await
}

async fn page(visit: &Visit, hospital: &str, record: &str, errors: &[(&str, &str)]) -> Answer {
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
    Ok(FormPage {
        lead: Html::join([
            lists::summary(vec![
                (words.hospital, Html::text(place)),
                (words.record_number, text::number(record)),
            ]),
            text::paragraph(words.erase_text),
            text::paragraph(words.erase_stays),
        ]),
        errors,
        below: Some(("/records", words.tab_records)),
        ..FormPage::new(words.erase_ask, "", form)
    }
    .answer(visit))
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
        return page(visit, &hospital, &record, &errors).await;
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
