//! Registering with a code that a hospital handed out.

use axum::response::Response;
use interfaces::staff::AcceptInvitation;
use keys::AuthorizationCode;

use crate::answer::Answer;
use crate::design::Html;
use crate::design::forms::{Field, Form};
use crate::design::lists;
use crate::design::text;
use crate::pages::form_page::{FormPage, mistakes};
use crate::pages::register::PASSWORD_CHARACTERS_MIN;
use crate::pages::sign_in::password_field;
use crate::visit::{Page, Submitted, Visit};

/// Where a code is entered.
pub(crate) const HERE: &str = "/invitation";

/// `GET /invitation`
pub(crate) async fn show(visit: Visit) -> Response {
    page(&visit, "", "", &[]).answer(&visit)
}

fn page<'a>(
    visit: &Visit,
    code: &str,
    login: &str,
    errors: &'a [(&'a str, &'a str)],
) -> FormPage<'a> {
    let (words, people) = (visit.words.desk, visit.words.people);
    let form = Form {
        hidden: visit.hidden(),
        fields: vec![
            Field::line("code", words.code)
                .hint(words.accept_code_hint)
                .value(code)
                .error(errors),
            Field::line("login", people.choose_login)
                .autocomplete("username")
                .width(20)
                .value(login)
                .error(errors),
            password_field(visit, "password", people.choose_password, "new-password")
                .hint(people.password_hint)
                .error(errors),
        ],
        busy: people.registering,
        ..Form::new(HERE, people.register)
    };
    FormPage {
        errors,
        below: Some(("/sign-in", people.sign_in)),
        ..FormPage::new(words.accept_title, words.accept_lead, form)
    }
}

/// `POST /invitation`: the answer is shown at once, for the patient ID in it is nowhere else. Sent again, it is refused.
pub(crate) async fn submit(form: Submitted) -> Answer {
    let visit = &form.visit;
    let (words, people) = (visit.words.desk, visit.words.people);
    let (code, login, password) = (form.get("code"), form.get("login"), form.raw("password"));
    let errors = mistakes(&[
        (
            "code",
            code.parse::<AuthorizationCode>().is_err(),
            visit.words.staff.code_bad,
        ),
        ("login", login.is_empty(), people.enter_login),
        (
            "password",
            password.chars().count() < PASSWORD_CHARACTERS_MIN,
            people.password_short,
        ),
    ]);
    if !errors.is_empty() {
        return Ok(page(visit, code, login, &errors).answer(visit));
    }
    visit.portal.tries.count(visit.address)?;
    let asked = AcceptInvitation {
        code: code.to_owned(),
        login: login.to_owned(),
        password: password.to_owned(),
    };
    match visit.ask(&asked).await {
        Ok(registered) => Ok(visit.page(ready(visit, registered.patient_id.as_deref()))),
        Err(problem) if problem.status == 404 => {
            Ok(page(visit, code, login, &[("code", words.accept_wrong)]).answer(visit))
        }
        Err(problem) if matches!(problem.status, 400 | 409) => {
            let field = match problem.field.as_deref() {
                Some("/password") => "password",
                _ => "login",
            };
            Ok(page(visit, code, login, &[(field, problem.detail.as_str())]).answer(visit))
        }
        Err(problem) => Err(problem.into()),
    }
}

fn ready(visit: &Visit, patient_id: Option<&str>) -> Page {
    let (words, people) = (visit.words.desk, visit.words.people);
    let sign_in = text::button("/sign-in", people.sign_in);
    let Some(id) = patient_id else {
        let content = text::lead(words.accept_ready_lead).and(sign_in);
        return Page::new(words.accept_ready, content);
    };
    let content = Html::join([
        text::lead(people.registered_lead),
        lists::summary(vec![(people.patient_id, text::span("medshare-code", id))]),
        text::inset(
            visit.words.frame.important,
            text::paragraph(people.patient_id_hint),
        ),
        sign_in,
    ]);
    Page::new(people.registered, content)
}
