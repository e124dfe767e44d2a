//! The registration desk: a patient who is here gets a code to register with; those whose records wait are listed.

use interfaces::records::ListWaitingPatients;
use interfaces::staff::{Invitation, InvitePerson, InvitedKind};

use super::{nowhere, people};
use crate::answer::Answer;
use crate::design::Html;
use crate::design::forms::{Field, Form};
use crate::design::lists;
use crate::design::text;
use crate::pages::form_page::{FormPage, borrowed};
use crate::visit::{Page, Submitted, Visit};
use crate::words::fill;

const HERE: &str = "/hospital/desk";

/// `GET /hospital/desk`
pub(crate) async fn show(visit: Visit) -> Answer {
    let Some(hospital) = visit.signed_in()?.staff_of() else {
        return nowhere(&visit);
    };
    let asked = ListWaitingPatients { page: visit.part() };
    let waiting = visit.ask_hospital(hospital, &asked).await?;
    let words = visit.words.desk;
    let content = Html::join([
        text::lead(words.lead),
        form(&visit, "", "", &[]).html(),
        people::waiting_patients(&visit, HERE, waiting),
    ]);
    Ok(visit.page(Page::new(words.title, content)))
}

fn form<'a>(visit: &Visit, name: &str, identity_id: &str, errors: &[(&str, &'a str)]) -> Form<'a> {
    let words = visit.words.desk;
    Form {
        hidden: visit.hidden(),
        fields: vec![
            Field::line("real_name", words.real_name)
                .value(name)
                .error(errors),
            Field::line("identity_id", words.identity_id)
                .hint(words.identity_hint)
                .width(20)
                .value(identity_id)
                .error(errors),
        ],
        ..Form::new(HERE, words.invite)
    }
}

/// `POST /hospital/desk`: the code is in this answer and nowhere else.
pub(crate) async fn invite(submitted: Submitted) -> Answer {
    let visit = &submitted.visit;
    let words = visit.words.desk;
    match invited(&submitted, InvitedKind::Patient).await? {
        Ok(invitation) => {
            let name = submitted.get("real_name");
            let next = text::action_link(HERE, words.next_patient);
            Ok(handed_over(
                visit,
                name,
                &invitation,
                next,
                HERE,
                words.title,
            ))
        }
        Err(errors) => {
            let errors = borrowed(&errors);
            let form = form(
                visit,
                submitted.get("real_name"),
                submitted.get("identity_id"),
                &errors,
            );
            let page = FormPage {
                errors: &errors,
                ..FormPage::new(words.title, words.lead, form)
            };
            Ok(page.answer(visit))
        }
    }
}

/// What is wrong with a form: field, text.
pub(super) type Mistakes = Vec<(&'static str, String)>;

/// Invites whoever a form names, or says what is wrong with it.
pub(super) async fn invited(
    submitted: &Submitted,
    kind: InvitedKind,
) -> Result<Result<Invitation, Mistakes>, crate::answer::Refusal> {
    let visit = &submitted.visit;
    visit.signed_in()?;
    let words = visit.words.desk;
    let labels = match kind {
        InvitedKind::Patient => (words.real_name, words.identity_id),
        InvitedKind::Clerk => (words.clerk_name, words.staff_number),
    };
    let mut errors: Mistakes = Vec::new();
    for (field, label) in [("real_name", labels.0), ("identity_id", labels.1)] {
        if submitted.get(field).is_empty() {
            let text = fill(visit.words.people.required, &[("field", label)]);
            errors.push((field, text));
        }
    }
    if !errors.is_empty() {
        return Ok(Err(errors));
    }
    let asked = InvitePerson {
        kind,
        real_name: submitted.get("real_name").to_owned(),
        identity_id: submitted.get("identity_id").to_owned(),
    };
    match visit.ask(&asked).await {
        Ok(invitation) => Ok(Ok(invitation)),
        Err(problem) if problem.status == 409 => {
            Ok(Err(vec![("identity_id", words.taken.to_owned())]))
        }
        Err(problem) if problem.status == 400 => Ok(Err(vec![("identity_id", problem.detail)])),
        Err(problem) => Err(problem.into()),
    }
}

/// The page that shows a code.
pub(super) fn handed_over(
    visit: &Visit,
    name: &str,
    invitation: &Invitation,
    next: Html,
    above: &str,
    above_name: &str,
) -> axum::response::Response {
    let words = visit.words.desk;
    let lead = fill(
        words.code_lead,
        &[("name", name), ("link", words.have_code)],
    );
    let content = Html::join([
        text::lead(&lead),
        lists::summary(vec![
            (words.code, text::span("medshare-code", &invitation.code)),
            (
                words.code_until,
                Html::text(visit.locale.time(&invitation.until)),
            ),
        ]),
        text::inset(
            visit.words.frame.important,
            text::paragraph(words.code_once),
        ),
        next,
    ]);
    visit.page(Page::new(words.code_title, content).below(above, above_name))
}
