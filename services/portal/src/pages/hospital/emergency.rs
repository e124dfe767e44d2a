//! Emergency access (break-glass): one patient, a reason, everybody concerned told at once. While the ledger does not answer,
//! the page offers the way that goes without it ([`super::offline_emergency`]).

use contracts::RecordNumber;
use interfaces::Problem;
use interfaces::records::OpenEmergency;
use ledger::LedgerId;
use serde::{Deserialize, Serialize};

use super::offline_emergency;
use crate::answer::{Answer, Refusal, redirect};
use crate::design::forms::{Control, Field, Form};
use crate::design::lists;
use crate::design::text;
use crate::live::SILENT_AFTER;
use crate::pages::form_page::{FormPage, mistakes};
use crate::pages::receipts::just_done;
use crate::visit::{Page, Submitted, Visit};

pub(super) const HERE: &str = "/hospital/emergency";
const SEALED_AS: &str = "medshare/portal/emergency/v1";

/// One emergency as it was typed, or as a found record says it. It goes through addresses sealed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Case {
    pub(super) hospital: String,
    pub(super) patient: String,
    pub(super) records: String,
    pub(super) reason: String,
    /// Whether the ledger was asked in vain.
    pub(super) unanswered: bool,
}

/// A case that can be asked about.
pub(super) struct Checked {
    pub(super) hospital: LedgerId,
    pub(super) patient: LedgerId,
    pub(super) records: Vec<RecordNumber>,
}

impl Case {
    /// The case that the address holds; else an empty one.
    pub(super) fn of(visit: &Visit) -> Case {
        visit
            .query("case")
            .and_then(|text| visit.opened(SEALED_AS, &text))
            .unwrap_or_default()
    }

    /// What a form says.
    pub(super) fn typed(form: &Submitted) -> Case {
        let field = |name| form.get(name).to_owned();
        Case {
            hospital: field("hospital"),
            patient: field("patient"),
            records: field("records"),
            reason: field("reason"),
            unanswered: false,
        }
    }

    /// A page with this case in its address.
    pub(super) fn at(&self, visit: &Visit, path: &str) -> String {
        match self == &Case::default() {
            true => path.to_owned(),
            false => format!("{path}?case={}", visit.sealed(SEALED_AS, self)),
        }
    }

    /// The records' numbers; none when one of them is not a number.
    fn numbers(&self) -> Option<Vec<RecordNumber>> {
        let separated = |character: char| character.is_whitespace() || character == ',';
        let numbers = self
            .records
            .split(separated)
            .filter(|number| !number.is_empty());
        numbers.map(|number| number.parse().ok()).collect()
    }

    /// The case, or what is wrong with it: field, text.
    ///
    /// # Errors
    /// The mistakes.
    pub(super) fn checked(
        &self,
        visit: &Visit,
        needs_records: bool,
    ) -> Result<Checked, Vec<(&'static str, &'static str)>> {
        let words = visit.words.emergency;
        let hospital = self.hospital.parse().ok();
        let patient = self.patient.to_ascii_lowercase().parse().ok();
        let numbers = self.numbers();
        let records_wrong = numbers
            .as_ref()
            .is_none_or(|numbers| needs_records && numbers.is_empty());
        let errors = mistakes(&[
            ("hospital", hospital.is_none(), words.hospital_bad),
            ("patient", patient.is_none(), words.patient_bad),
            ("records", records_wrong, words.records_bad),
            ("reason", self.reason.is_empty(), words.reason_bad),
        ]);
        match (hospital, patient, numbers) {
            (Some(hospital), Some(patient), Some(records)) if errors.is_empty() => Ok(Checked {
                hospital,
                patient,
                records,
            }),
            _ => Err(errors),
        }
    }

    /// The fields of a form for it.
    pub(super) async fn fields<'a>(
        &self,
        visit: &Visit,
        errors: &[(&str, &'a str)],
    ) -> Vec<Field<'a>>
    where
        'static: 'a,
    {
        let words = visit.words.emergency;
        let names = visit.hospital_names().await.into_iter();
        let hospitals = names.map(|(id, name)| (id.to_string(), name)).collect();
        let which = visit.words.staff.which_hospital;
        vec![
            Field::new("hospital", which, Control::Select(hospitals))
                .value(&self.hospital)
                .error(errors),
            Field::line("patient", words.patient)
                .hint(words.patient_hint)
                .width(30)
                .value(&self.patient)
                .error(errors),
            Field::new("records", words.records, Control::Text { rows: 3 })
                .hint(words.records_hint)
                .value(&self.records)
                .error(errors),
            Field::new("reason", words.reason, Control::Text { rows: 3 })
                .value(&self.reason)
                .error(errors),
        ]
    }
}

/// Whether a problem says that the ledger did not answer.
pub(super) fn is_without_answer(problem: &Problem) -> bool {
    matches!(problem.status, 503 | 504)
}

/// In an emergency nobody waits for the ledger longer than until the hospital, too, takes it for unreachable: what is opened
/// late all the same is on the ledger, and told to everybody concerned.
pub(super) async fn without_waiting_long<T>(
    asked: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    let late = |_| {
        Problem::new(
            504,
            "unanswered",
            "No answer in time",
            "the ledger did not answer",
        )
    };
    tokio::time::timeout(SILENT_AFTER, asked)
        .await
        .map_err(late)?
}

/// Where a doctor goes on whom the ledger does not answer: the emergency page, which then offers the way without it.
pub(super) fn unanswered(visit: &Visit, case: Case) -> Answer {
    let case = Case {
        unanswered: true,
        ..case
    };
    Ok(redirect(&case.at(visit, HERE)))
}

/// `GET /hospital/emergency`
pub(crate) async fn show(visit: Visit) -> Answer {
    visit.signed_in()?;
    let case = Case::of(&visit);
    Ok(page(&visit, &case, &[]).await.answer(&visit))
}

async fn page<'a>(visit: &Visit, case: &Case, errors: &'a [(&'a str, &'a str)]) -> FormPage<'a> {
    let words = visit.words.emergency;
    let form = Form {
        hidden: visit.hidden(),
        fields: case.fields(visit, errors).await,
        busy: visit.words.patient.opening,
        look: " nhsuk-button--warning",
        ..Form::new(HERE, words.open)
    };
    let lead = match case.unanswered || visit.portal.blocks.is_silent() {
        true => {
            let path = case.at(visit, offline_emergency::HERE);
            text::warning_of(
                words.silent,
                text::paragraph(words.silent_text).and(text::warning_button(&path, words.without)),
            )
        }
        false => text::warning(visit.words.frame.important, words.lead),
    };
    FormPage {
        lead,
        errors,
        after: offline_emergency::own(visit).await,
        ..FormPage::new(words.title, "", form)
    }
}

/// `POST /hospital/emergency`: opened once; the records named are then opened one by one under it.
pub(crate) async fn submit(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let case = Case::typed(&form);
    let checked = match case.checked(visit, false) {
        Ok(checked) => checked,
        Err(errors) => return Ok(page(visit, &case, &errors).await.answer(visit)),
    };
    // In an emergency nobody waits a minute for what will not come.
    if visit.portal.blocks.is_silent() {
        return unanswered(visit, case);
    }
    let opened = form.once(open(visit, &checked, &case.reason)).await;
    match opened {
        Err(Refusal(problem)) if is_without_answer(&problem) => unanswered(visit, case),
        other => other,
    }
}

async fn open(visit: &Visit, case: &Checked, reason: &str) -> Result<String, Refusal> {
    let question = OpenEmergency {
        patient: case.patient,
        reason: reason.to_owned(),
    };
    let opened = without_waiting_long(visit.ask_hospital(case.hospital, &question)).await?;
    let list: Vec<String> = case.records.iter().map(RecordNumber::to_string).collect();
    Ok(format!(
        "{HERE}/{}/{}?records={}&done={}",
        case.hospital,
        opened.emergency,
        list.join(","),
        opened.committed.transaction
    ))
}

/// `GET /hospital/emergency/{hospital}/{emergency}`: what may be opened under it.
pub(crate) async fn opened(
    visit: Visit,
    axum::extract::Path((hospital, emergency)): axum::extract::Path<(String, String)>,
) -> Answer {
    visit.signed_in()?;
    let words = visit.words.emergency;
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
                ..Form::new("/hospital/records/open", visit.words.staff.open_record)
            }
            .html();
            lists::Card {
                title: record.to_owned(),
                side,
                ..lists::Card::default()
            }
        })
        .collect();
    let list = match cards.is_empty() {
        true => text::paragraph(words.opened_none).and(text::action_link(
            "/hospital/records",
            visit.words.staff.find,
        )),
        false => lists::cards(&cards),
    };
    let content = just_done(&visit, words.opened).and(list);
    Ok(visit.page(Page::new(words.title, content).below(HERE, visit.words.staff.tab_emergency)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_one_a_line_and_a_wrong_number_is_not_passed_over() {
        let number = RecordNumber([7; 16]);
        let case = |records: String| Case {
            records,
            ..Case::default()
        };
        let two = case(format!("{number}\n  {number},\n"));
        assert_eq!(two.numbers(), Some(vec![number, number]));
        assert_eq!(case(String::new()).numbers(), Some(Vec::new()));
        assert_eq!(case(format!("{number}\nnumber")).numbers(), None);
    }

    #[test]
    fn only_silence_leads_to_the_way_without_the_ledger() {
        assert!(is_without_answer(&Problem::new(504, "x", "x", "x")));
        assert!(is_without_answer(&Problem::new(503, "x", "x", "x")));
        assert!(!is_without_answer(&Problem::new(403, "x", "x", "x")));
        assert!(!is_without_answer(&Problem::new(409, "x", "x", "x")));
    }
}
