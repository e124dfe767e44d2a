//! The patient's authorization code of one record: shown, changed, withdrawn.

use axum::extract::Path;
use contracts::RecordNumber;
use interfaces::Problem;
use interfaces::identity::GetOwnAccount;
use interfaces::records::{ChangeCode, ShowCode, WithdrawCode};
use ledger::LedgerId;

use crate::answer::{Answer, Refusal};
use crate::design::Html;
use crate::design::forms::{Control, Field, Form};
use crate::design::lists;
use crate::design::text;
use crate::pages::receipts::just_done;
use crate::visit::{Page, Submitted, Visit, done};

fn path_of(hospital: LedgerId, record: RecordNumber) -> String {
    format!("/records/code/{hospital}/{record}")
}

fn ids(hospital: &str, record: &str) -> Result<(LedgerId, RecordNumber), Refusal> {
    let unknown = || Problem::not_found("no such record");
    Ok((
        hospital.parse().map_err(|_| unknown())?,
        record.parse().map_err(|_| unknown())?,
    ))
}

/// `GET /records/code/{hospital}/{record}`
pub(crate) async fn show(visit: Visit, Path((hospital, record)): Path<(String, String)>) -> Answer {
    visit.signed_in()?;
    let (hospital, record) = ids(&hospital, &record)?;
    let words = visit.words.patient;
    let question = ShowCode { record };
    let (shown, account) = tokio::join!(
        visit.ask_hospital(hospital, &question),
        visit.ask(&GetOwnAccount {})
    );
    let code = match shown {
        Ok(shown) => Some(shown.code),
        Err(problem) if problem.status == 404 => None,
        Err(problem) => return Err(problem.into()),
    };
    let patient_id = account?.patient_id.unwrap_or_default();
    let withdraw = format!("{}/withdraw", path_of(hospital, record));
    let facts = match &code {
        Some(code) => lists::summary(vec![
            (words.code, text::span("medshare-code", code)),
            (words.patient_id, text::span("medshare-code", &patient_id)),
        ]),
        None => text::paragraph(words.code_none),
    };
    let mut hidden = visit.hidden();
    hidden.push(("hospital", hospital.to_string()));
    hidden.push(("record", record.to_string()));
    let choice = |pairs: [(&str, &str); 3]| {
        Control::Radios(
            pairs
                .map(|(value, name)| (value.to_owned(), name.to_owned(), String::new()))
                .into(),
        )
    };
    let form = Form {
        hidden,
        fields: vec![
            Field::new(
                "uses",
                words.code_uses,
                choice([
                    ("any", words.code_uses_any),
                    ("1", words.code_uses_once),
                    ("5", words.code_uses_five),
                ]),
            )
            .value("any"),
            Field::new(
                "hours",
                words.code_hours,
                choice([
                    ("any", words.code_hours_any),
                    ("24", words.code_hours_day),
                    ("168", words.code_hours_week),
                ]),
            )
            .value("any"),
        ],
        busy: visit.words.authorization.approving,
        look: " nhsuk-button--secondary",
        ..Form::new("/records/code", words.code_change)
    };
    let content = Html::join([
        just_done(&visit, visit.words.authorization.decided),
        text::lead(words.code_lead),
        facts,
        match code {
            Some(_) => text::paragraph_of(text::link(&withdraw, words.code_withdraw)),
            None => Html::none(),
        },
        text::section(words.code_change),
        text::paragraph(words.code_change_text),
        form.html(),
    ]);
    Ok(visit.page(Page::new(words.code_title, content).below("/records", words.tab_records)))
}

/// `POST /records/code`
pub(crate) async fn change(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let (hospital, record) = ids(form.get("hospital"), form.get("record"))?;
    let question = ChangeCode {
        record,
        uses: form.get("uses").parse().ok(),
        hours: form.get("hours").parse().ok(),
    };
    form.once(async {
        let changed = visit.ask_hospital(hospital, &question).await?;
        let path = path_of(hospital, record);
        Ok(match changed.committed {
            Some(committed) => done(&path, committed.transaction),
            None => path,
        })
    })
    .await
}

/// `GET /records/code/{hospital}/{record}/withdraw`
pub(crate) async fn ask_to_withdraw(
    visit: Visit,
    Path((hospital, record)): Path<(String, String)>,
) -> Answer {
    visit.signed_in()?;
    let (hospital, record) = ids(&hospital, &record)?;
    let words = visit.words.patient;
    let back = path_of(hospital, record);
    let mut hidden = visit.hidden();
    hidden.push(("hospital", hospital.to_string()));
    hidden.push(("record", record.to_string()));
    let form = Form {
        hidden,
        look: " nhsuk-button--warning",
        busy: visit.words.authorization.approving,
        cancel: Some((&back, visit.words.frame.cancel)),
        ..Form::new("/records/code/withdraw", words.code_withdraw)
    };
    let content = text::paragraph(words.code_withdraw_text).and(form.html());
    Ok(visit.page(Page::new(words.code_withdraw_ask, content).below(&back, words.code)))
}

/// `POST /records/code/withdraw`
pub(crate) async fn withdraw(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let (hospital, record) = ids(form.get("hospital"), form.get("record"))?;
    form.once(async {
        let committed = visit
            .ask_hospital(hospital, &WithdrawCode { record })
            .await?;
        Ok(done(&path_of(hospital, record), committed.transaction))
    })
    .await
}
