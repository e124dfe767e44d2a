//! Registration of patients and doctors.

use axum::response::Response;
use contracts::membership::command::MemberKind;
use interfaces::identity::RegisterPerson;

use crate::answer::Answer;
use crate::design::Html;
use crate::design::forms::{Control, Field, Form, error_summary};
use crate::design::lists;
use crate::design::text;
use crate::pages::form_page::borrowed;
use crate::pages::sign_in::{BAD_INPUT, password_field};
use crate::visit::{Page, Submitted, Visit};
use crate::words::fill;

/// What a password has at least.
pub(crate) const PASSWORD_CHARACTERS_MIN: usize = 12;

/// `GET /register`
pub(crate) async fn show(visit: Visit) -> Response {
    visit.page(page(&visit, &Filled::default(), &[]))
}

/// What was filled in already; never the password.
#[derive(Default)]
struct Filled<'a> {
    kind: &'a str,
    real_name: &'a str,
    identity_id: &'a str,
    login: &'a str,
}

fn page(visit: &Visit, filled: &Filled<'_>, errors: &[(&str, &str)]) -> Page {
    let words = visit.words.people;
    let kind = if filled.kind.is_empty() {
        "Patient"
    } else {
        filled.kind
    };
    let kinds = vec![
        (
            "Patient".to_owned(),
            words.a_patient.to_owned(),
            String::new(),
        ),
        (
            "Doctor".to_owned(),
            words.a_doctor.to_owned(),
            String::new(),
        ),
    ];
    let form = Form {
        hidden: visit.hidden(),
        fields: vec![
            Field::new("kind", words.i_am, Control::Radios(kinds)).value(kind),
            Field::line("real_name", words.real_name)
                .autocomplete("name")
                .value(filled.real_name)
                .error(errors),
            Field::line("identity_id", words.identity_id)
                .hint(words.identity_hint)
                .width(20)
                .value(filled.identity_id)
                .error(errors),
            Field::line("login", words.choose_login)
                .autocomplete("username")
                .width(20)
                .value(filled.login)
                .error(errors),
            password_field(visit, "password", words.choose_password, "new-password")
                .hint(words.password_hint)
                .error(errors),
        ],
        busy: words.registering,
        ..Form::new("/register", words.register)
    };
    Page {
        title: words.register_title.to_owned(),
        content: Html::join([
            error_summary(visit.words.problems.check, errors),
            text::title(words.register_title),
            text::paragraph(words.register_lead),
            text::paragraph_of(text::link(
                crate::pages::invitation::HERE,
                visit.words.desk.have_code,
            )),
            form.html(),
        ]),
        ..Page::default()
    }
    .below("/sign-in", words.sign_in)
}

/// `POST /register`: the answer is shown at once, for the patient ID in it is nowhere else. Sent again, it is refused: the
/// login is taken.
pub(crate) async fn submit(form: Submitted) -> Answer {
    let visit = &form.visit;
    let words = visit.words.people;
    let filled = Filled {
        kind: form.get("kind"),
        real_name: form.get("real_name"),
        identity_id: form.get("identity_id"),
        login: form.get("login"),
    };
    let mut errors: Vec<(&str, String)> = Vec::new();
    for (field, value, label) in [
        ("real_name", filled.real_name, words.real_name),
        ("identity_id", filled.identity_id, words.identity_id),
        ("login", filled.login, words.choose_login),
    ] {
        if value.is_empty() {
            errors.push((field, fill(words.required, &[("field", label)])));
        }
    }
    let password = form.raw("password");
    if password.chars().count() < PASSWORD_CHARACTERS_MIN {
        errors.push(("password", words.password_short.to_owned()));
    }
    if !errors.is_empty() {
        let errors = borrowed(&errors);
        return Ok(visit.page_with(BAD_INPUT, page(visit, &filled, &errors)));
    }
    visit.portal.tries.count(visit.address)?;
    let asked = RegisterPerson {
        kind: match filled.kind {
            "Doctor" => MemberKind::Doctor,
            _ => MemberKind::Patient,
        },
        real_name: filled.real_name.to_owned(),
        identity_id: filled.identity_id.to_owned(),
        login: filled.login.to_owned(),
        password: password.to_owned(),
    };
    match visit.ask(&asked).await {
        Ok(registered) => {
            let id = registered.patient_id.unwrap_or_default();
            let mut content = text::lead(words.registered_lead);
            if !id.is_empty() {
                content = content
                    .and(lists::summary(vec![(
                        words.patient_id,
                        text::span("medshare-code", &id),
                    )]))
                    .and(text::inset(
                        visit.words.frame.important,
                        text::paragraph(words.patient_id_hint),
                    ));
            }
            let content = content.and(text::button("/sign-in", words.sign_in));
            Ok(visit.page(Page::new(words.registered, content)))
        }
        Err(problem) if matches!(problem.status, 400 | 409) => {
            let errors = [("login", problem.detail.as_str())];
            Ok(visit.page_with(BAD_INPUT, page(visit, &filled, &errors)))
        }
        Err(problem) => Err(problem.into()),
    }
}
