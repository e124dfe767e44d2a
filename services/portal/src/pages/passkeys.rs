//! Passkeys: adding and removing them, and signing in with one.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use interfaces::identity::{
    AddPasskey, BeginPasskey, BeginPasskeySignIn, GetSecondFactor, ListPasskeys, PasskeySummary,
    RemovePasskey, SignInWithPasskey,
};
use interfaces::{Base64, Problem};
use serde_json::json;

use super::factors::{code_field, code_of, errors_of};
use super::frame::local;
use super::sign_in::{BAD_INPUT, passkey_refused, password_field};
use crate::answer::{Answer, Refusal, redirect};
use crate::design::Html;
use crate::design::forms::{Control, Field, Form, error_summary};
use crate::design::lists::{self, Card};
use crate::design::text;
use crate::session;
use crate::visit::{Page, Submitted, Visit, with_cookies};
use crate::words::fill;

/// The page's script.
pub(super) const SCRIPT: &str = "passkeys.js";

/// The id of the form on the sign-in page.
pub(super) const SIGN_IN_FORM: &str = "passkey-form";

#[derive(askama::Template)]
#[template(
    ext = "html",
    source = r#"<form id="{{ id }}" action="/sign-in/passkey" method="post" data-passkey data-no-secret="{{ no_secret }}" data-not-confirmed="{{ not_confirmed }}"><input type="hidden" name="next" value="{{ next }}"><input type="hidden" name="ceremony" value=""><input type="hidden" name="credential" value=""><input type="hidden" name="secret" value=""><p class="nhsuk-error-message" role="alert" data-problem></p><div class="medshare-buttons"><button class="nhsuk-button nhsuk-button--secondary" type="submit" data-busy="{{ busy }}">{{ button }}</button></div></form>"#
)]
struct SignInForm<'a> {
    id: &'a str,
    no_secret: &'a str,
    not_confirmed: &'a str,
    next: &'a str,
    busy: &'a str,
    button: &'a str,
}

/// The button on the sign-in page.
pub(super) fn sign_in_form(visit: &Visit, next: &str) -> Html {
    let words = visit.words.factors;
    Html::of(&SignInForm {
        id: SIGN_IN_FORM,
        no_secret: words.passkey_no_secret,
        not_confirmed: words.passkey_not_confirmed,
        next,
        busy: visit.words.people.signing_in,
        button: words.passkey_sign_in,
    })
}

/// `POST /sign-in/passkey/challenge`: what authenticators are to be asked, as JSON for the page's script.
pub(crate) async fn sign_in_challenge(form: Submitted) -> Answer {
    form.visit.portal.tries.count(form.visit.address)?;
    let asked = form.visit.ask(&BeginPasskeySignIn {}).await?;
    Ok(Json(asked).into_response())
}

/// `POST /sign-in/passkey`
pub(crate) async fn sign_in(form: Submitted) -> Answer {
    let visit = &form.visit;
    let asked = SignInWithPasskey {
        ceremony: form.get("ceremony").to_owned(),
        credential: credential(&form)?,
        secret: secret(&form)?,
    };
    let opened = match visit.ask(&asked).await {
        Ok(opened) => opened,
        // What a browser sends that is no passkey's is refused alike.
        Err(problem) if matches!(problem.status, 400 | 401 | 403) => {
            return Ok(passkey_refused(visit, form.get("next")));
        }
        Err(problem) => return Err(problem.into()),
    };
    let mut cookies = session::cookies_of(&visit.portal, &opened.session.token, &opened.login);
    let device = opened.session.device.as_deref().unwrap_or_default();
    cookies.extend(session::device_cookie(&visit.portal, device));
    Ok(with_cookies(redirect(local(form.get("next"))), cookies))
}

fn credential(form: &Submitted) -> Result<serde_json::Value, Refusal> {
    serde_json::from_str(form.get("credential"))
        .map_err(|_| Problem::bad_input("credential", "not what a browser gives").into())
}

fn secret(form: &Submitted) -> Result<Base64, Refusal> {
    data_encoding::BASE64URL_NOPAD
        .decode(form.get("secret").as_bytes())
        .map(Base64)
        .map_err(|_| Problem::bad_input("secret", "not base64url").into())
}

/// `GET /factors/passkeys`
pub(crate) async fn show(visit: Visit) -> Answer {
    visit.signed_in()?;
    let page = page(&visit, &[]).await?;
    Ok(visit.page(page))
}

async fn page(visit: &Visit, errors: &[(&str, &'static str)]) -> Result<Page, Problem> {
    let words = visit.words.factors;
    let (passkeys, factor) =
        tokio::join!(visit.ask(&ListPasskeys {}), visit.ask(&GetSecondFactor {}));
    let (passkeys, app) = (passkeys?, factor?.authenticator_app);
    let cards: Vec<Card> = passkeys.iter().map(|one| card(visit, one)).collect();
    let changed = match visit.query("changed") {
        Some(_) => text::inset(
            visit.words.frame.done,
            text::paragraph(words.passkeys_changed),
        ),
        None => Html::none(),
    };
    let list = match cards.is_empty() {
        true => Html::none(),
        false => lists::cards(&cards),
    };
    let content = Html::join([
        error_summary(visit.words.problems.check, errors),
        text::title(words.passkeys),
        changed,
        text::lead(words.passkeys_lead),
        list,
        text::section(words.passkey_add),
        Html::of(&Refusals {
            no_secret: words.passkey_no_secret,
            not_confirmed: words.passkey_not_confirmed,
        }),
        add_form(visit, app),
        removal(visit, &passkeys, app, errors),
    ]);
    Ok(Page {
        title: words.passkeys.to_owned(),
        content,
        scripts: vec![SCRIPT],
        ..Page::default()
    }
    .below("/factors", words.title))
}

/// What the script says when an authenticator cannot protect keys, or does not confirm.
#[derive(askama::Template)]
#[template(
    ext = "html",
    source = r#"<div data-no-secret="{{ no_secret }}" data-not-confirmed="{{ not_confirmed }}"></div>"#
)]
struct Refusals<'a> {
    no_secret: &'a str,
    not_confirmed: &'a str,
}

fn card(visit: &Visit, passkey: &PasskeySummary) -> Card {
    let words = visit.words.factors;
    let added = visit.locale.time(&passkey.created);
    let used = passkey.used.as_ref().map(|time| visit.locale.time(time));
    Card {
        title: passkey.name.clone(),
        text: text::aside(&match used {
            Some(used) => fill(words.passkey_used, &[("added", &added), ("used", &used)]),
            None => fill(words.passkey_added, &[("added", &added)]),
        }),
        ..Card::default()
    }
}

fn add_form(visit: &Visit, app: bool) -> Html {
    let words = visit.words.factors;
    let mut hidden = visit.hidden();
    for name in ["ceremony", "credential", "secret"] {
        hidden.push((name, String::new()));
    }
    let mut fields = vec![
        Field::line("name", words.passkey_name)
            .hint(words.passkey_name_hint)
            .width(20),
        password_field(visit, "password", words.password_now, "current-password"),
    ];
    if app {
        fields.push(code_field(words.code));
    }
    Form {
        id: "add-passkey",
        hidden,
        fields,
        busy: words.working,
        ..Form::new("/factors/passkeys", words.passkey_add)
    }
    .html()
}

fn removal(
    visit: &Visit,
    passkeys: &[PasskeySummary],
    app: bool,
    errors: &[(&str, &'static str)],
) -> Html {
    if passkeys.is_empty() {
        return Html::none();
    }
    let words = visit.words.factors;
    let choices = passkeys
        .iter()
        .map(|one| (one.passkey.clone(), one.name.clone()))
        .collect();
    let mut fields = vec![
        Field::new("passkey", words.passkey, Control::Select(choices)),
        password_field(
            visit,
            "password-again",
            words.password_now,
            "current-password",
        )
        .error(errors),
    ];
    if app {
        fields.push(Field {
            name: "code-again",
            ..code_field(words.code)
        });
    }
    let form = Form {
        hidden: visit.hidden(),
        fields,
        busy: words.working,
        look: " nhsuk-button--secondary",
        ..Form::new("/factors/passkeys/remove", words.passkey_remove)
    };
    text::section(words.passkey_remove).and(form.html())
}

/// `POST /factors/passkeys/challenge`: what the authenticator is to be asked, or what was wrong, as JSON for the page's script.
pub(crate) async fn challenge(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let question = BeginPasskey {
        password: form.raw("password").to_owned(),
        second_factor: code_of(&form, "code"),
    };
    match visit.ask(&question).await {
        Ok(asked) => Ok(Json(asked).into_response()),
        Err(problem) => {
            let errors = errors_of(visit, problem)?;
            let error = errors.first().map_or("", |(_, text)| *text);
            Ok(refused(error))
        }
    }
}

fn refused(error: &str) -> Response {
    (
        StatusCode::UNPROCESSABLE_ENTITY,
        Json(json!({ "error": error })),
    )
        .into_response()
}

/// `POST /factors/passkeys`
pub(crate) async fn add(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let name = match form.get("name") {
        "" => visit.words.factors.passkey.to_owned(),
        name => name.chars().take(60).collect(),
    };
    let question = AddPasskey {
        ceremony: form.get("ceremony").to_owned(),
        credential: credential(&form)?,
        secret: secret(&form)?,
        name,
    };
    visit.ask(&question).await?;
    Ok(redirect("/factors/passkeys?changed=yes"))
}

/// `POST /factors/passkeys/remove`
pub(crate) async fn remove(form: Submitted) -> Answer {
    let visit = &form.visit;
    visit.signed_in()?;
    let question = RemovePasskey {
        passkey: form.get("passkey").to_owned(),
        password: form.raw("password-again").to_owned(),
        second_factor: code_of(&form, "code-again"),
    };
    match visit.ask(&question).await {
        Ok(_) => Ok(redirect("/factors/passkeys?changed=yes")),
        Err(problem) => {
            let text = errors_of(visit, problem)?
                .first()
                .map_or("", |(_, text)| *text);
            let page = page(visit, &[("password-again", text)]).await?;
            Ok(visit.page_with(BAD_INPUT, page))
        }
    }
}
