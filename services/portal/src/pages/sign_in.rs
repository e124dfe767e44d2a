//! Signing in with user name and password, and signing out.

use axum::http::HeaderValue;
use axum::response::Response;
use interfaces::identity::{SignIn, SignOut};

use crate::answer::{Answer, redirect};
use crate::design::Html;
use crate::design::forms::{Control, Field, Form, error_summary};
use crate::design::text;
use crate::pages::factors::code_field;
use crate::pages::frame::local;
use crate::pages::passkeys;
use crate::session;
use crate::visit::{Page, Submitted, Visit, with_cookies};

/// `GET /sign-in`
pub(crate) async fn show(visit: Visit) -> Response {
    if visit.session.is_some() {
        return redirect("/");
    }
    let next = visit.query("next").unwrap_or_default();
    visit.page(page(&visit, &next, "", &[]))
}

/// The page again, after a passkey that opens nothing: removed, of another account, or never added here.
pub(super) fn passkey_refused(visit: &Visit, next: &str) -> Response {
    let errors = [(passkeys::SIGN_IN_FORM, visit.words.factors.passkey_refused)];
    visit.page_with(BAD_INPUT, page(visit, next, "", &errors))
}

fn page(visit: &Visit, next: &str, login: &str, errors: &[(&str, &'static str)]) -> Page {
    let words = visit.words.people;
    let ended = match visit.query("ended") {
        Some(_) if errors.is_empty() => {
            text::inset(visit.words.frame.important, text::paragraph(words.ended))
        }
        _ => Html::none(),
    };
    let form = Form {
        hidden: vec![("next", next.to_owned())],
        fields: vec![
            Field::line("login", words.login)
                .autocomplete("username")
                .width(20)
                .value(login)
                .error(errors),
            password_field(visit, "password", words.password, "current-password").error(errors),
            code_field(visit.words.factors.code)
                .hint(visit.words.factors.code_hint)
                .error(errors),
        ],
        busy: words.signing_in,
        ..Form::new("/sign-in", words.sign_in)
    };
    let links = text::paragraph_of(
        Html::text(words.no_account)
            .and(Html::text(" "))
            .and(text::link("/register", words.register)),
    )
    .and(text::paragraph_of(text::link(
        crate::pages::invitation::HERE,
        visit.words.desk.have_code,
    )))
    .and(text::paragraph_of(text::link(
        "/sign-in/key",
        words.with_key,
    )));
    Page {
        title: words.sign_in.to_owned(),
        content: Html::join([
            error_summary(visit.words.problems.check, errors),
            text::title(words.sign_in),
            ended,
            text::paragraph(words.sign_in_lead),
            form.html(),
            passkeys::sign_in_form(visit, next),
            links,
        ]),
        scripts: vec![passkeys::SCRIPT],
        ..Page::default()
    }
}

/// A password, which can be shown.
pub(crate) fn password_field<'a>(
    visit: &Visit,
    name: &'a str,
    label: &'static str,
    autocomplete: &'static str,
) -> Field<'a> {
    let words = visit.words.people;
    let texts = [
        words.show,
        words.hide,
        words.show_password,
        words.hide_password,
        words.password_shown,
        words.password_hidden,
    ];
    Field::new(
        name,
        label,
        Control::Password {
            autocomplete,
            texts,
        },
    )
}

/// `POST /sign-in`
pub(crate) async fn submit(form: Submitted) -> Answer {
    let visit = &form.visit;
    let words = visit.words.people;
    let (login, next) = (form.get("login"), form.get("next"));
    let mut errors = Vec::new();
    if login.is_empty() {
        errors.push(("login", words.enter_login));
    }
    if form.raw("password").is_empty() {
        errors.push(("password", words.enter_password));
    }
    if !errors.is_empty() {
        return Ok(visit.page_with(BAD_INPUT, page(visit, next, login, &errors)));
    }
    visit.portal.tries.count(visit.address)?;
    let asked = SignIn {
        login: login.to_owned(),
        password: form.raw("password").to_owned(),
        device: visit.device.clone(),
        second_factor: Some(form.get("code").to_owned()).filter(|code| !code.is_empty()),
    };
    match visit.ask(&asked).await {
        Ok(opened) => {
            let mut cookies = session::cookies_of(&visit.portal, &opened.token, login);
            let device = opened.device.as_deref().unwrap_or_default();
            cookies.extend(session::device_cookie(&visit.portal, device));
            Ok(with_cookies(redirect(local(next)), cookies))
        }
        Err(problem) if problem.status == 401 => {
            let factors = visit.words.factors;
            let errors = [match problem.kind.rsplit(':').next() {
                Some("second-factor-needed") => ("code", factors.code_needed),
                Some("second-factor-wrong") => ("code", factors.code_wrong),
                _ => ("login", words.wrong),
            }];
            Ok(visit.page_with(BAD_INPUT, page(visit, next, login, &errors)))
        }
        Err(problem) if problem.status == 403 => {
            let errors = [("login", words.not_yet)];
            Ok(visit.page_with(BAD_INPUT, page(visit, next, login, &errors)))
        }
        Err(problem) => Err(problem.into()),
    }
}

/// What a form with mistakes answers.
pub(crate) const BAD_INPUT: axum::http::StatusCode = axum::http::StatusCode::UNPROCESSABLE_ENTITY;

/// `POST /sign-out`
pub(crate) async fn sign_out(form: Submitted) -> Answer {
    let visit = &form.visit;
    if let Some(session) = &visit.session {
        visit.portal.viewed.forget(&session.session.session);
        // The cookies go in any case; a token that could not be revoked ends by itself.
        if let Err(problem) = visit.ask(&SignOut {}).await {
            tracing::warn!(%problem, "a session could not be ended at identity");
        }
    }
    let mut left = with_cookies(redirect("/signed-out"), session::no_cookies(&visit.portal));
    // Not the storage: members' own keys are there, which nobody can read out and nothing brings back.
    let cleared = HeaderValue::from_static("\"cache\"");
    left.headers_mut().insert("clear-site-data", cleared);
    Ok(left)
}

/// `GET /signed-out`
pub(crate) async fn signed_out(visit: Visit) -> Response {
    let words = visit.words.people;
    let content =
        text::paragraph(words.signed_out_lead).and(text::button("/sign-in", words.sign_in));
    visit.page(Page::new(words.signed_out, content))
}
