//! Signing in with a key that the browser holds: organisations, regulators, operators.

use axum::Json;
use axum::response::{IntoResponse, Response};
use interfaces::Base64;
use interfaces::Problem;
use interfaces::identity::{GetMember, GetSignInChallenge, SignInWithKey};
use ledger::LedgerId;

use super::frame::local;
use crate::answer::{Answer, Refusal, redirect};
use crate::design::Html;
use crate::design::text;
use crate::session;
use crate::visit::{Page, Submitted, Visit, with_cookies};

#[derive(askama::Template)]
#[template(
    ext = "html",
    source = r#"<noscript><p>{{ needs_script }}</p></noscript><form action="/sign-in/key" method="post" data-sign-in><input type="hidden" name="next" value="{{ next }}"><input type="hidden" name="member" value=""><input type="hidden" name="challenge" value=""><input type="hidden" name="signature" value=""><div class="nhsuk-form-group"><label class="nhsuk-label nhsuk-label--s" for="key-file">{{ label }}</label><div class="nhsuk-hint" id="key-file-hint">{{ hint }}</div><p class="nhsuk-error-message" role="alert" data-problem></p><input class="nhsuk-file-upload" id="key-file" type="file" accept="application/json,.json" aria-describedby="key-file-hint"></div><div class="medshare-buttons"><button class="nhsuk-button" type="submit" data-busy="{{ busy }}">{{ button }}</button></div></form>"#
)]
struct KeyForm<'a> {
    needs_script: &'a str,
    next: &'a str,
    label: &'a str,
    hint: &'a str,
    busy: &'a str,
    button: &'a str,
}

/// `GET /sign-in/key`
pub(crate) async fn show(visit: Visit) -> Response {
    if visit.session.is_some() {
        return redirect("/");
    }
    let words = visit.words.people;
    let next = visit.query("next").unwrap_or_default();
    let form = KeyForm {
        needs_script: words.key_needs_script,
        next: &next,
        label: words.key_file,
        hint: words.key_file_hint,
        busy: words.key_signing_in,
        button: words.sign_in,
    };
    let content = Html::join([text::lead(words.key_lead), Html::of(&form)]);
    let mut page = Page::new(words.key_title, content).below("/sign-in", words.sign_in);
    page.scripts.push("keys.js");
    visit.page(page)
}

/// `POST /sign-in/key/challenge`: what to sign, as JSON for the page's script.
pub(crate) async fn challenge(form: Submitted) -> Answer {
    form.visit.portal.tries.count(form.visit.address)?;
    let member: LedgerId = form.id("member")?;
    let challenge = form.visit.ask(&GetSignInChallenge { member }).await?;
    Ok(Json(challenge).into_response())
}

/// `POST /sign-in/key`
pub(crate) async fn submit(form: Submitted) -> Answer {
    let visit = &form.visit;
    let bytes = |name: &str| {
        data_encoding::BASE64URL_NOPAD
            .decode(form.get(name).as_bytes())
            .map(Base64)
            .map_err(|_| Refusal::from(Problem::bad_input(name, "not base64url")))
    };
    let asked = SignInWithKey {
        member: form.id("member")?,
        challenge: bytes("challenge")?,
        signature: bytes("signature")?,
    };
    // 401 would lead back here in a circle.
    let opened = visit
        .ask(&asked)
        .await
        .map_err(|problem| match problem.status {
            401 => Problem::forbidden(problem.detail),
            _ => problem,
        })?;
    let member = asked.member;
    let name = match visit.ask(&GetMember { member }).await {
        Ok(summary) => summary.name.unwrap_or_else(|| member.to_string()),
        Err(_) => member.to_string(),
    };
    let cookies = session::cookies_of(&visit.portal, &opened.token, &name);
    Ok(with_cookies(redirect(local(form.get("next"))), cookies))
}
