//! What handlers give back: a page, another place to go, or a problem that becomes a page.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use interfaces::Problem;

use crate::design::Html;
use crate::design::text;
use crate::visit::{Page, Visit};
use crate::words::problems::Problems;

/// What a handler gives back.
pub(crate) type Answer = Result<Response, Refusal>;

/// A problem on its way to become a page.
#[derive(Clone, Debug)]
pub(crate) struct Refusal(pub(crate) Problem);

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Refusal {
        Refusal(problem)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = status_of(&self.0);
        let mut response = status.into_response();
        // The guard, which knows the language, makes the page of it.
        response.extensions_mut().insert(self);
        response
    }
}

fn status_of(problem: &Problem) -> StatusCode {
    StatusCode::from_u16(problem.status)
        .ok()
        .filter(|status| status.is_client_error() || status.is_server_error())
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Leads somewhere else by GET (303): reloading what comes does not repeat what was done.
pub(crate) fn redirect(path: &str) -> Response {
    let place = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response()
}

/// The page of a problem: what happened, and what to do next.
pub(crate) fn problem_page(visit: &Visit, problem: &Problem) -> Response {
    let words = visit.words.problems;
    let (title, next) = explained(words, problem);
    let mut content = text::paragraph(next);
    if problem.status != 404 {
        content = content.and(text::details(
            words.details,
            text::paragraph(&problem.to_string()).and(match &problem.rejection {
                Some(rejection) => text::paragraph_of(text::number(rejection)),
                None => Html::none(),
            }),
        ));
    }
    if problem.status >= 500 {
        content = content.and(text::paragraph_of(
            Html::text(format!("{}: ", words.trace)).and(text::number(&visit.trace)),
        ));
    }
    let mut buttons = Html::none();
    if problem.status == 503 || problem.status == 504 || problem.status == 429 {
        buttons = buttons.and(text::paragraph_of(text::link(&visit.path, words.try_again)));
    }
    let content = content
        .and(buttons)
        .and(text::paragraph_of(text::link("/", words.go_home)));
    visit.page_with(status_of(problem), Page::new(title, content))
}

fn explained(words: &Problems, problem: &Problem) -> (&'static str, &'static str) {
    if problem.kind.ends_with(":stale-form") {
        return (words.stale_form, words.stale_form_next);
    }
    if problem.kind.ends_with(":altered-record") {
        return (words.altered, words.altered_next);
    }
    let rejection = problem.rejection.as_deref().unwrap_or_default();
    if rejection.ends_with(":InsufficientFunds") {
        return (words.funds, words.funds_next);
    }
    match problem.status {
        404 | 405 => (words.not_found, words.not_found_next),
        401 | 403 => (words.forbidden, words.forbidden_next),
        409 => (words.conflict, words.conflict_next),
        429 => (words.too_many, words.too_many_next),
        503 => (words.busy, words.busy_next),
        504 => (words.timeout, words.timeout_next),
        400..=499 => (words.bad_request, words.bad_request_next),
        _ => (words.failure, words.failure_next),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;
    use crate::words::Words;

    #[test]
    fn want_of_money_and_an_altered_record_are_told_from_coming_too_late() {
        for language in [Language::English, Language::Chinese] {
            let words = Words::of(language).problems;
            let rejected = |name: &str| {
                let problem = Problem::rejected("00", format!("4:5:{name}"), "no");
                explained(words, &problem).0
            };
            assert_eq!(rejected("InsufficientFunds"), words.funds);
            assert_eq!(rejected("SharePaidBefore"), words.conflict);
            let altered = explained(words, &Problem::altered_record());
            assert_eq!(altered, (words.altered, words.altered_next));
        }
    }
}
