//! The authorization code of one record: shown, changed, withdrawn; a patient's own, or a hospital's own.

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
use crate::pages::kinds;
use crate::pages::receipts::just_done;
use crate::visit::{Page, Submitted, Visit, done};

/// Whose code it is, by the address: where its pages are, and the list above them.
struct Whose {
    root: &'static str,
    list: (&'static str, &'static str),
    hospital: bool,
}

impl Whose {
    fn of(visit: &Visit) -> Whose {
        if visit.path.starts_with("/hospital/") {
            Whose {
                root: "/hospital/code",
                list: ("/hospital/records", visit.words.staff.tab_generated),
                hospital: true,
            }
        } else {
            Whose {
                root: "/records/code",
                list: ("/records", visit.words.patient.tab_records),
                hospital: false,
            }
        }
    }

    fn path(&self, hospital: LedgerId, record: RecordNumber) -> String {
        format!("{}/{hospital}/{record}", self.root)
    }
}

/// The hospital and the record that an address names.
pub(crate) fn ids(hospital: &str, record: &str) -> Result<(LedgerId, RecordNumber), Refusal> {
    let unknown = || Problem::not_found("no such record");
    Ok((
        hospital.parse().map_err(|_| unknown())?,
        record.parse().map_err(|_| unknown())?,
    ))
}

/// `GET /records/code/{hospital}/{record}`, `/hospital/code/...`
pub(crate) async fn show(visit: Visit, Path((hospital, record)): Path<(String, String)>) -> Answer {
    visit.signed_in()?;
    let (hospital, record) = ids(&hospital, &record)?;
    let (words, whose) = (visit.words.patient, Whose::of(&visit));
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
    // Hospitals have none, and their row is left out.
    let patient_id = match account?.patient_id {
        Some(id) => text::span("medshare-code", &kinds::patient_id(&id)),
        None => Html::none(),
    };
    let withdraw = format!("{}/withdraw", whose.path(hospital, record));
    let facts = match &code {
        Some(code) => lists::summary(vec![
            (words.record_number, text::number(record)),
            (words.code, text::span("medshare-code", code)),
            (words.patient_id, patient_id),
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
        ..Form::new(whose.root, words.code_change)
    };
    let content = Html::join([
        just_done(&visit, visit.words.authorization.decided),
        text::lead(match whose.hospital {
            true => visit.words.staff.code_lead,
            false => words.code_lead,
        }),
        facts,
        match code {
            Some(_) => text::paragraph_of(text::link(&withdraw, words.code_withdraw)),
            None => Html::none(),
        },
        text::section(words.code_change),
        text::paragraph(words.code_change_text),
        form.html(),
    ]);
    let title = match whose.hospital {
        true => visit.words.staff.code_title,
        false => words.code_title,
    };
    Ok(visit.page(Page::new(title, content).below(whose.list.0, whose.list.1)))
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
        let path = Whose::of(visit).path(hospital, record);
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
    let (words, whose) = (visit.words.patient, Whose::of(&visit));
    let back = whose.path(hospital, record);
    let action = format!("{}/withdraw", whose.root);
    let mut hidden = visit.hidden();
    hidden.push(("hospital", hospital.to_string()));
    hidden.push(("record", record.to_string()));
    let form = Form {
        hidden,
        look: " nhsuk-button--warning",
        busy: visit.words.authorization.approving,
        cancel: Some((&back, visit.words.frame.cancel)),
        ..Form::new(&action, words.code_withdraw)
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
        let path = Whose::of(visit).path(hospital, record);
        Ok(done(&path, committed.transaction))
    })
    .await
}
