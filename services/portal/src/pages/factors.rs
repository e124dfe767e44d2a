//! How a natural person proves who they are: authenticator app, recovery codes, password, and proving it again.

use interfaces::Problem;
use interfaces::identity::{
    BeginSecondFactor, ChangePassword, ConfirmSecondFactor, EndSecondFactor, GetSecondFactor,
    RecoveryCodes, RenewRecoveryCodes, StepUp,
};
use keys::token::Role;

use super::frame::local;
use super::sign_in::{BAD_INPUT, password_field};
use crate::answer::{Answer, redirect};
use crate::design::Html;
use crate::design::forms::{Field, Form, error_summary};
use crate::design::lists;
use crate::design::text;
use crate::session;
use crate::visit::{Page, Submitted, Visit, with_cookies};
use crate::words::fill;

/// `GET /factors`
pub(crate) async fn show(visit: Visit) -> Answer {
    visit.signed_in()?;
    let words = visit.words.factors;
    let factor = visit.ask(&GetSecondFactor {}).await?;
    let (state, of_app) = match factor.authenticator_app {
        true => (words.app_on, words.app_end),
        false => (words.app_off, words.app_set_up),
    };
    let left = fill(
        words.codes_left,
        &[("count", &factor.recovery_codes_left.to_string())],
    );
    let codes = match factor.authenticator_app {
        true => text::action_link("/factors/codes", words.codes_renew),
        false => Html::none(),
    };
    let changed = match visit.query("changed") {
        Some(_) => text::inset(visit.words.frame.done, text::paragraph(words.changed)),
        None => Html::none(),
    };
    let content = Html::join([
        changed,
        text::lead(words.lead),
        lists::summary(vec![
            (words.app, Html::text(state)),
            (words.codes, Html::text(left)),
        ]),
        text::action_link("/factors/app", of_app),
        codes,
        text::action_link("/factors/passkeys", words.passkeys),
        text::action_link("/factors/password", words.password),
        text::action_link("/sessions", visit.words.people.sessions),
    ]);
    let (above, name) = match visit.is(Role::Patient) {
        true => ("/settings", visit.words.patient.tab_settings),
        false => ("/me", visit.words.people.me),
    };
    Ok(visit.page(Page::new(words.title, content).below(above, name)))
}

/// One form that asks for the present factors, and what comes with it.
struct Asked<'a> {
    action: &'a str,
    title: &'a str,
    lead: &'a str,
    button: &'a str,
    /// Above the form.
    told: Html,
    /// Whether it asks for a second factor, and as what.
    code: Option<&'a str>,
    new_password: bool,
    hidden: Vec<(&'a str, String)>,
    /// Where whoever does not go on gets back to; to the list of factors with none.
    back: Option<String>,
}

impl<'a> Asked<'a> {
    fn new(action: &'a str, title: &'a str, lead: &'a str) -> Asked<'a> {
        Asked {
            action,
            title,
            lead,
            button: title,
            told: Html::none(),
            code: None,
            new_password: false,
            hidden: Vec::new(),
            back: None,
        }
    }

    fn page(self, visit: &Visit, errors: &[(&str, &'static str)]) -> Page {
        let words = visit.words.factors;
        let mut fields = vec![
            password_field(visit, "password", words.password_now, "current-password").error(errors),
        ];
        if self.new_password {
            let field = password_field(visit, "new_password", words.password_new, "new-password");
            fields.push(field.hint(visit.words.people.password_hint).error(errors));
        }
        if let Some(label) = self.code {
            fields.push(code_field(label).error(errors));
        }
        let mut hidden = visit.hidden();
        hidden.extend(self.hidden);
        let (back, back_name) = match &self.back {
            Some(back) => (back.as_str(), visit.words.frame.back),
            None => ("/factors", words.title),
        };
        let form = Form {
            hidden,
            fields,
            busy: words.working,
            cancel: Some((back, visit.words.frame.cancel)),
            ..Form::new(self.action, self.button)
        };
        Page {
            title: self.title.to_owned(),
            content: Html::join([
                error_summary(visit.words.problems.check, errors),
                text::title(self.title),
                text::lead(self.lead),
                self.told,
                form.html(),
            ]),
            ..Page::default()
        }
        .below(back, back_name)
    }
}

/// A one-time or recovery code.
pub(crate) fn code_field(label: &str) -> Field<'_> {
    Field::line("code", label)
        .autocomplete("one-time-code")
        .width(20)
}

/// What was typed as a one-time or recovery code.
pub(super) fn code_of(form: &Submitted, field: &str) -> Option<String> {
    Some(form.get(field).to_owned()).filter(|code| !code.is_empty())
}

/// What was wrong with the factors that were shown, by field; other problems stay problems.
pub(super) fn errors_of(
    visit: &Visit,
    problem: Problem,
) -> Result<Vec<(&'static str, &'static str)>, Problem> {
    let words = visit.words.factors;
    let of_kind = |kind: &str| problem.kind.ends_with(&format!(":{kind}"));
    if of_kind("wrong-password") {
        return Ok(vec![("password", words.password_wrong)]);
    }
    if of_kind("second-factor-needed") {
        return Ok(vec![("code", words.code_needed)]);
    }
    if of_kind("second-factor-wrong") || problem.field.as_deref() == Some("/code") {
        return Ok(vec![("code", words.code_wrong)]);
    }
    if problem.field.as_deref() == Some("/new_password") {
        return Ok(vec![("new_password", words.password_easy)]);
    }
    Err(problem)
}

fn again(visit: &Visit, asked: Asked<'_>, problem: Problem) -> Answer {
    let errors = errors_of(visit, problem)?;
    Ok(visit.page_with(BAD_INPUT, asked.page(visit, &errors)))
}

fn setting_up(visit: &Visit) -> Asked<'static> {
    let words = visit.words.factors;
    Asked::new("/factors/app", words.app_set_up, words.app_set_up_lead)
}

fn switching_off(visit: &Visit) -> Asked<'static> {
    let words = visit.words.factors;
    Asked {
        code: Some(words.code),
        ..Asked::new("/factors/app/end", words.app_end, words.app_end_lead)
    }
}

/// `GET /factors/app`
pub(crate) async fn show_app(visit: Visit) -> Answer {
    visit.signed_in()?;
    let asked = match visit.ask(&GetSecondFactor {}).await?.authenticator_app {
        true => switching_off(&visit),
        false => setting_up(&visit),
    };
    Ok(visit.page(asked.page(&visit, &[])))
}

/// `POST /factors/app`
pub(crate) async fn begin_app(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let question = BeginSecondFactor {
        password: form.raw("password").to_owned(),
    };
    match visit.ask(&question).await {
        Ok(told) => Ok(visit.page(confirming(visit, &told.secret, &told.uri).page(visit, &[]))),
        Err(problem) => again(visit, setting_up(visit), problem),
    }
}

fn confirming<'a>(visit: &Visit, secret: &str, uri: &str) -> Asked<'a> {
    let words = visit.words.factors;
    Asked {
        button: words.app_confirm,
        told: Html::join([
            lists::summary(vec![(words.app_secret, text::number(secret))]),
            text::paragraph_of(text::link(uri, words.app_open)),
        ]),
        code: Some(words.code_of_app),
        hidden: vec![("secret", secret.to_owned()), ("uri", uri.to_owned())],
        ..Asked::new(
            "/factors/app/confirm",
            words.app_set_up,
            words.app_secret_lead,
        )
    }
}

/// `POST /factors/app/confirm`
pub(crate) async fn confirm_app(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let question = ConfirmSecondFactor {
        password: form.raw("password").to_owned(),
        code: form.get("code").to_owned(),
    };
    match visit.ask(&question).await {
        Ok(codes) => Ok(visit.page(codes_page(visit, &codes))),
        Err(problem) => {
            // The address came from identity by way of this browser's own form; nothing else is made a link.
            let uri = form.get("uri");
            let uri = if uri.starts_with("otpauth://totp/") {
                uri
            } else {
                ""
            };
            again(visit, confirming(visit, form.get("secret"), uri), problem)
        }
    }
}

fn codes_page(visit: &Visit, codes: &RecoveryCodes) -> Page {
    let words = visit.words.factors;
    let content = Html::join([
        text::inset(visit.words.frame.done, text::paragraph(words.changed)),
        text::lead(words.codes_lead),
        Html::join(
            codes
                .codes
                .iter()
                .map(|code| text::paragraph_of(text::number(code)))
                .collect::<Vec<_>>(),
        ),
        text::button("/factors", words.go_on),
    ]);
    Page::new(words.codes, content)
}

/// `POST /factors/app/end`
pub(crate) async fn end_app(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let question = EndSecondFactor {
        password: form.raw("password").to_owned(),
        second_factor: code_of(&form, "code"),
    };
    match visit.ask(&question).await {
        Ok(_) => Ok(redirect("/factors?changed=yes")),
        Err(problem) => again(visit, switching_off(visit), problem),
    }
}

fn renewing(visit: &Visit) -> Asked<'static> {
    let words = visit.words.factors;
    Asked {
        code: Some(words.code),
        ..Asked::new("/factors/codes", words.codes_renew, words.codes_renew_lead)
    }
}

/// `GET /factors/codes`
pub(crate) async fn show_codes(visit: Visit) -> Answer {
    visit.signed_in()?;
    Ok(visit.page(renewing(&visit).page(&visit, &[])))
}

/// `POST /factors/codes`
pub(crate) async fn renew_codes(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let question = RenewRecoveryCodes {
        password: form.raw("password").to_owned(),
        second_factor: code_of(&form, "code"),
    };
    match visit.ask(&question).await {
        Ok(codes) => Ok(visit.page(codes_page(visit, &codes))),
        Err(problem) => again(visit, renewing(visit), problem),
    }
}

fn changing_password(visit: &Visit, with_app: bool) -> Asked<'static> {
    let words = visit.words.factors;
    Asked {
        code: with_app.then_some(words.code),
        new_password: true,
        ..Asked::new("/factors/password", words.password, words.password_lead)
    }
}

/// `GET /factors/password`
pub(crate) async fn show_password(visit: Visit) -> Answer {
    visit.signed_in()?;
    let app = visit.ask(&GetSecondFactor {}).await?.authenticator_app;
    Ok(visit.page(changing_password(&visit, app).page(&visit, &[])))
}

/// `POST /factors/password`
pub(crate) async fn change_password(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let question = ChangePassword {
        password: form.raw("password").to_owned(),
        new_password: form.raw("new_password").to_owned(),
        second_factor: code_of(&form, "code"),
    };
    match visit.ask(&question).await {
        Ok(_) => Ok(redirect("/factors?changed=yes")),
        Err(problem) => {
            let app = visit.ask(&GetSecondFactor {}).await?.authenticator_app;
            again(visit, changing_password(visit, app), problem)
        }
    }
}

fn proving<'a>(visit: &Visit, next: &str, with_app: bool) -> Asked<'a> {
    let words = visit.words.factors;
    Asked {
        button: words.step_up_do,
        code: with_app.then_some(words.code),
        hidden: vec![("next", local(next).to_owned())],
        back: Some(local(next).to_owned()),
        ..Asked::new("/step-up", words.step_up, words.step_up_lead)
    }
}

/// `GET /step-up`: where a page leads that asks for a recent proof.
pub(crate) async fn ask_again(visit: Visit) -> Answer {
    visit.signed_in()?;
    let app = visit.ask(&GetSecondFactor {}).await?.authenticator_app;
    let next = visit.query("next").unwrap_or_default();
    Ok(visit.page(proving(&visit, &next, app).page(&visit, &[])))
}

/// `POST /step-up`
pub(crate) async fn step_up(form: Submitted) -> Answer {
    let visit = &form.visit;
    let name = visit.signed_in()?.name.clone();
    let question = StepUp {
        password: form.raw("password").to_owned(),
        second_factor: code_of(&form, "code"),
    };
    match visit.ask(&question).await {
        Ok(opened) => {
            let cookies = session::cookies_of(&visit.portal, &opened.token, &name);
            Ok(with_cookies(redirect(local(form.get("next"))), cookies))
        }
        Err(problem) => {
            let app = visit.ask(&GetSecondFactor {}).await?.authenticator_app;
            again(visit, proving(visit, form.get("next"), app), problem)
        }
    }
}
