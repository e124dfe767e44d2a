//! A page with one form: what is wrong with what was entered, what was just done, a title, what it is for, the form.

use axum::http::StatusCode;
use axum::response::Response;

use super::receipts::just_done;
use super::sign_in::BAD_INPUT;
use crate::design::Html;
use crate::design::forms::{Form, error_summary};
use crate::design::text;
use crate::visit::{Page, Visit};

/// A page with one form.
pub(crate) struct FormPage<'a> {
    /// The page's title.
    pub(crate) title: &'a str,
    /// Between title and form: what it is for, what to know first.
    pub(crate) lead: Html,
    /// What is said of a form that was sent and is on the ledger; nothing for forms that lead elsewhere.
    pub(crate) done: &'a str,
    /// What is wrong with what was entered: field, text.
    pub(crate) errors: &'a [(&'a str, &'a str)],
    /// The form.
    pub(crate) form: Form<'a>,
    /// What follows the form.
    pub(crate) after: Html,
    /// The page above: path and name.
    pub(crate) below: Option<(&'a str, &'a str)>,
}

impl<'a> FormPage<'a> {
    /// A page with a title, a line on what it is for (where there is one), and a form.
    pub(crate) fn new(title: &'a str, lead: &str, form: Form<'a>) -> FormPage<'a> {
        FormPage {
            title,
            lead: match lead {
                "" => Html::none(),
                lead => text::lead(lead),
            },
            done: "",
            errors: &[],
            form,
            after: Html::none(),
            below: None,
        }
    }

    fn page(&self, visit: &Visit) -> Page {
        let done = match self.done {
            "" => Html::none(),
            done => just_done(visit, done),
        };
        let back = self
            .below
            .map(|(path, name)| (path.to_owned(), name.to_owned()));
        Page {
            title: self.title.to_owned(),
            back,
            content: Html::join([
                error_summary(visit.words.problems.check, self.errors),
                done,
                text::title(self.title),
                self.lead.clone(),
                self.form.html(),
                self.after.clone(),
            ]),
            ..Page::default()
        }
    }

    /// The page, under the status that tells whether what was entered will do.
    pub(crate) fn answer(&self, visit: &Visit) -> Response {
        let status = match self.errors.is_empty() {
            true => StatusCode::OK,
            false => BAD_INPUT,
        };
        visit.page_with(status, self.page(visit))
    }
}

/// The mistakes among checks (field, whether it is wrong, text).
pub(crate) fn mistakes<'a>(checks: &[(&'a str, bool, &'a str)]) -> Vec<(&'a str, &'a str)> {
    checks
        .iter()
        .filter(|(_, wrong, _)| *wrong)
        .map(|(name, _, text)| (*name, *text))
        .collect()
}

/// Mistakes whose texts were made for the occasion, as forms take them.
pub(crate) fn borrowed<'a>(mistakes: &'a [(&'a str, String)]) -> Vec<(&'a str, &'a str)> {
    mistakes
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_wrong_is_a_mistake() {
        let checks = [("plan", false, "a number"), ("from", true, "a year")];
        assert_eq!(mistakes(&checks), [("from", "a year")]);
    }
}
