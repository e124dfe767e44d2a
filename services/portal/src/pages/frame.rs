//! The start page, and the choice of a language.

use axum::http::{HeaderValue, header};
use axum::response::Response;

use crate::answer::{Answer, redirect};
use crate::design::Html;
use crate::design::lists;
use crate::design::text;
use crate::guard::LANGUAGE_COOKIE;
use crate::language::Language;
use crate::tabs;
use crate::visit::{Page, Submitted, Visit};

const YEAR_SECONDS: u32 = 365 * 24 * 3600;

/// `GET /`: what this is, or where the work of whoever is signed in begins.
pub(crate) async fn welcome(visit: Visit) -> Response {
    if let Some(session) = &visit.session {
        return redirect(tabs::home(session));
    }
    let words = visit.words.people;
    let content = text::lead(words.welcome_lead)
        .and(Html::join([text::button("/sign-in", words.sign_in)]))
        .and(text::paragraph_of(
            Html::text(words.no_account)
                .and(Html::text(" "))
                .and(text::link("/register", words.register)),
        ))
        .and(text::paragraph_of(text::link(
            "/sign-in/key",
            words.with_key,
        )));
    visit.page(Page::new(words.welcome, content))
}

/// `GET /me`: who is signed in, for members without pages of their own.
pub(crate) async fn me(visit: Visit) -> Answer {
    let session = visit.signed_in()?;
    let words = &visit.words;
    let id = session.member().map_or_else(Html::none, text::number);
    let content = Html::join([
        text::lead(match session.member() {
            Some(_) => words.staff.me_lead,
            None => words.people.me_lead,
        }),
        lists::summary(vec![
            (words.people.login, Html::text(&session.name)),
            (words.frame.your_id, id),
        ]),
        match session.session.sealed_secret {
            Some(_) => text::action_link("/factors", words.factors.title),
            None => Html::none(),
        },
        text::action_link("/sessions", words.people.sessions),
    ]);
    let title = match session.member() {
        Some(_) => words.staff.me,
        None => words.people.me,
    };
    Ok(visit.page(Page::new(title, content)))
}

/// `POST /language`
pub(crate) async fn choose_language(form: LanguageForm) -> Response {
    let mut response = redirect(local(&form.back));
    let cookie = format!(
        "{LANGUAGE_COOKIE}={}; Path=/; Max-Age={YEAR_SECONDS}; SameSite=Strict; HttpOnly",
        form.language.tag()
    );
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

/// A path of ours, or the start page: nothing leads elsewhere.
pub(crate) fn local(path: &str) -> &str {
    let ours = path.starts_with('/') && !path.starts_with("//") && !path.contains('\\');
    if ours { path } else { "/" }
}

/// The language switch: it changes nothing for anybody, so it needs no session.
pub(crate) struct LanguageForm {
    language: Language,
    back: String,
}

impl axum::extract::FromRequest<std::sync::Arc<crate::service::Portal>> for LanguageForm {
    type Rejection = crate::answer::Refusal;

    async fn from_request(
        request: axum::extract::Request,
        portal: &std::sync::Arc<crate::service::Portal>,
    ) -> Result<Self, Self::Rejection> {
        let form = Submitted::without_session(request, portal).await?;
        Ok(LanguageForm {
            language: Language::from_tag(form.get("language")).unwrap_or_default(),
            back: form.get("back").to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_to_another_site() {
        assert_eq!(local("/records?x=1"), "/records?x=1");
        for elsewhere in ["//evil.example", "https://evil.example", "/\\evil", ""] {
            assert_eq!(local(elsewhere), "/", "{elsewhere}");
        }
    }
}
