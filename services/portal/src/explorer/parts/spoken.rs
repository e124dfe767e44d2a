//! Times, counts, and the names of contracts and commands as the visitor reads them.

use askama::Template;
use ledger::Outcome;

use super::frame::navigation;
use crate::design::Html;
use crate::design::text::{self, Colour};
use crate::language::Language;
use crate::visit::{Page, Visit};
use crate::words::explorer::{Explorer as Words, spoken, spoken_chinese};
use crate::words::fill;

impl Visit {
    /// The explorer's words.
    pub(in crate::explorer) fn explorer_words(&self) -> &'static Words {
        Words::of(self.language)
    }

    /// Microseconds since 1970 as this visitor reads times, to the second.
    pub(in crate::explorer) fn moment(&self, time_us: u64) -> Html {
        let rfc3339 = interfaces::time_text(ledger::Timestamp(time_us));
        let time = chrono::DateTime::parse_from_rfc3339(&rfc3339).unwrap_or_default();
        let local = time.with_timezone(&self.locale.offset);
        let shown = format!("{}:{}", self.locale.time(&rfc3339), local.format("%S"));
        Html::of(&Time {
            kept_as: "time",
            time_us,
            rfc3339: &rfc3339,
            shown: &shown,
        })
    }

    /// How long ago, kept up to date by the page.
    pub(in crate::explorer) fn ago(&self, time_us: u64) -> Html {
        let seconds = chassis::clock::now().saturating_sub(time_us) / 1_000_000;
        let words = self.explorer_words();
        let (text, count) = match seconds {
            0..60 => (words.ago_seconds, seconds),
            60..3_600 => (words.ago_minutes, seconds / 60),
            3_600..86_400 => (words.ago_hours, seconds / 3_600),
            _ => (words.ago_days, seconds / 86_400),
        };
        let rfc3339 = interfaces::time_text(ledger::Timestamp(time_us));
        Html::of(&Time {
            kept_as: "ago",
            time_us,
            rfc3339: &rfc3339,
            shown: &fill(text, &[("count", &count.to_string())]),
        })
    }

    /// A count with its thousands apart.
    pub(in crate::explorer) fn count(&self, count: u64) -> String {
        self.locale.number(count)
    }

    /// A contract's name.
    pub(in crate::explorer) fn contract(&self, contract: u16) -> &'static str {
        let words = self.explorer_words();
        match contract {
            1 => words.membership,
            2 => words.records,
            3 => words.authorization,
            4 => words.settlement,
            5 => words.telemetry,
            6 => words.governance,
            _ => words.system,
        }
    }

    /// A command's name in words.
    pub(in crate::explorer) fn spoken(&self, name: &str) -> String {
        match self.language {
            Language::English => spoken(name),
            Language::Chinese => spoken_chinese(name).to_owned(),
        }
    }

    /// How many transactions a block has.
    pub(in crate::explorer) fn transactions(&self, count: u64) -> String {
        let words = self.explorer_words();
        match count {
            0 => words.empty_block.to_owned(),
            1 => words.one_transaction.to_owned(),
            _ => fill(words.count_transactions, &[("count", &self.count(count))]),
        }
    }

    /// Accepted, or rejected with the contract's reason.
    pub(in crate::explorer) fn outcome(&self, outcome: Outcome) -> Html {
        let words = self.explorer_words();
        match contracts::Rejection::from_outcome(outcome) {
            None => text::tag(Colour::Green, words.accepted),
            Some(_) => text::tag(Colour::Red, words.rejected),
        }
    }

    /// A page of the explorer, with its navigation.
    pub(in crate::explorer) fn explorer_page(
        &self,
        title: &str,
        here: &str,
        content: Html,
    ) -> Page {
        let mut page = Page::new(title, content);
        page.content = navigation(self, here).and(page.content);
        page.wide = true;
        page.scripts = vec!["browser/explorer.js"];
        page
    }
}

/// A time; the page's script keeps it as it is called: `time` in the visitor's own zone, `ago` up to date.
#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<time datetime="{{ rfc3339 }}" data-{{ kept_as }}="{{ time_us }}">{{ shown }}</time>"#
)]
struct Time<'a> {
    kept_as: &'static str,
    time_us: u64,
    rfc3339: &'a str,
    shown: &'a str,
}
