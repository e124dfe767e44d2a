//! What the explorer's pages are made of: its navigation, figures, block tiles, bars, lists of transactions.

use askama::Template;
use ledger::{CertifiedBlock, Digest, LedgerId, Outcome};
use serde_json::Value;

use super::fold::kind_of;
use super::rows::BlockRow;
use crate::design::Html;
use crate::design::text::{self, Colour};
use crate::language::Language;
use crate::visit::{Page, Visit};
use crate::words::explorer::{Explorer as Words, spoken, spoken_chinese};
use crate::words::fill;

impl Visit {
    /// The explorer's words.
    pub(super) fn explorer_words(&self) -> &'static Words {
        Words::of(self.language)
    }

    /// Microseconds since 1970 as this visitor reads times, to the second.
    pub(super) fn moment(&self, time_us: u64) -> Html {
        let rfc3339 = interfaces::time_text(ledger::Timestamp(time_us));
        let time = chrono::DateTime::parse_from_rfc3339(&rfc3339).unwrap_or_default();
        let local = time.with_timezone(&self.locale.offset);
        let shown = format!("{}:{}", self.locale.time(&rfc3339), local.format("%S"));
        Html::of(&Moment {
            time_us,
            rfc3339: &rfc3339,
            shown: &shown,
        })
    }

    /// How long ago, kept up to date by the page.
    pub(super) fn ago(&self, time_us: u64) -> Html {
        let seconds = chassis::clock::now().saturating_sub(time_us) / 1_000_000;
        let words = self.explorer_words();
        let (text, count) = match seconds {
            0..60 => (words.ago_seconds, seconds),
            60..3_600 => (words.ago_minutes, seconds / 60),
            3_600..86_400 => (words.ago_hours, seconds / 3_600),
            _ => (words.ago_days, seconds / 86_400),
        };
        let rfc3339 = interfaces::time_text(ledger::Timestamp(time_us));
        Html::of(&Ago {
            time_us,
            rfc3339: &rfc3339,
            shown: &fill(text, &[("count", &count.to_string())]),
        })
    }

    /// A count with its thousands apart.
    pub(super) fn count(&self, count: u64) -> String {
        self.locale.number(count)
    }

    /// A contract's name.
    pub(super) fn contract(&self, contract: u16) -> &'static str {
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
    pub(super) fn spoken(&self, name: &str) -> String {
        match self.language {
            Language::English => spoken(name),
            Language::Chinese => spoken_chinese(name).to_owned(),
        }
    }

    /// How many transactions a block has.
    pub(super) fn transactions(&self, count: u64) -> String {
        let words = self.explorer_words();
        match count {
            0 => words.empty_block.to_owned(),
            1 => words.one_transaction.to_owned(),
            _ => fill(words.count_transactions, &[("count", &self.count(count))]),
        }
    }

    /// Accepted, or rejected with the contract's reason.
    pub(super) fn outcome(&self, outcome: Outcome) -> Html {
        let words = self.explorer_words();
        match contracts::Rejection::from_outcome(outcome) {
            None => text::tag(Colour::Green, words.accepted),
            Some(_) => text::tag(Colour::Red, words.rejected),
        }
    }

    /// A page of the explorer, with its navigation.
    pub(super) fn explorer_page(&self, title: &str, here: &str, content: Html) -> Page {
        let mut page = Page::new(title, content);
        page.content = navigation(self, here).and(page.content);
        page.wide = true;
        page.scripts = vec!["browser/explorer.js"];
        page
    }
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<time datetime="{{ rfc3339 }}" data-time="{{ time_us }}">{{ shown }}</time>"#
)]
struct Moment<'a> {
    time_us: u64,
    rfc3339: &'a str,
    shown: &'a str,
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<time datetime="{{ rfc3339 }}" data-ago="{{ time_us }}">{{ shown }}</time>"#
)]
struct Ago<'a> {
    time_us: u64,
    rfc3339: &'a str,
    shown: &'a str,
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r##"<div class="explorer-head" data-ago-seconds="{{ words.ago_seconds }}" data-ago-minutes="{{ words.ago_minutes }}" data-ago-hours="{{ words.ago_hours }}" data-ago-days="{{ words.ago_days }}"><nav class="explorer-nav" aria-label="{{ words.sections }}"><ul>{% for (path, name) in entries %}<li><a href="{{ path }}"{% if *path == here %} aria-current="page"{% endif %}>{{ name }}</a></li>{% endfor %}</ul></nav><form class="explorer-search" action="/explorer/search" role="search"><label class="nhsuk-u-visually-hidden" for="q">{{ words.search }}</label><input class="nhsuk-input" id="q" name="q" type="text" enterkeyhint="search" autocomplete="off" spellcheck="false" placeholder="{{ words.search_hint }}" title="{{ words.search_hint }}"><button class="explorer-search__button">{{ words.search_button }}</button></form></div>"##
)]
struct Navigation<'a> {
    words: &'a Words,
    here: &'a str,
    entries: &'a [(&'a str, &'a str)],
}

fn navigation(visit: &Visit, here: &str) -> Html {
    let words = visit.explorer_words();
    Html::of(&Navigation {
        words,
        here,
        entries: &[
            ("/explorer", words.overview),
            ("/explorer/blocks", words.blocks),
            ("/explorer/transactions", words.transactions),
            ("/explorer/nodes", words.nodes),
            ("/explorer/checkpoint", words.checkpoint),
            ("/verify", words.verify),
        ],
    })
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<dl class="explorer-figures">{% for figure in figures %}<div><dt>{{ figure.name }}</dt><dd id="{{ figure.id }}">{{ figure.value }}</dd></div>{% endfor %}</dl>"#
)]
struct Figures<'a> {
    figures: &'a [Figure<'a>],
}

/// One of the numbers at the top.
pub(super) struct Figure<'a> {
    pub(super) id: &'a str,
    pub(super) name: &'a str,
    pub(super) value: Html,
}

/// Numbers at the top of a page.
pub(super) fn figures(figures: &[Figure<'_>]) -> Html {
    Html::of(&Figures { figures })
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r##"<li class="explorer-tile{% if block.transactions == 0 %} explorer-tile--empty{% endif %}" data-height="{{ block.height }}"><a href="/explorer/blocks/{{ block.height }}"><span class="explorer-tile__height">{{ height }}</span><span class="explorer-tile__count">{{ count }}</span>{{ bar }}<span class="explorer-tile__age">{{ ago }}</span></a></li>"##
)]
struct Tile<'a> {
    block: &'a BlockRow,
    height: &'a str,
    count: &'a str,
    bar: &'a Html,
    ago: &'a Html,
}

/// A block of the live strip.
pub(super) fn tile(visit: &Visit, block: &BlockRow) -> Html {
    Html::of(&Tile {
        block,
        height: &visit.count(block.height),
        count: &visit.transactions(block.transactions),
        bar: &bar(&block.contracts),
        ago: &visit.ago(block.time_us),
    })
}

/// The contracts of a block's transactions, ascending, with how many there are of each.
pub(super) fn contracts_in(block: &CertifiedBlock) -> Vec<(u16, u64)> {
    let mut counts = std::collections::BTreeMap::new();
    for transaction in &block.block.transactions {
        *counts.entry(kind_of(transaction).0).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<svg class="explorer-bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" focusable="false">{% for (from, width, contract) in segments %}<rect class="kind-{{ contract }}" x="{{ from }}" y="0" width="{{ width }}" height="6"/>{% endfor %}</svg>"#
)]
struct Bar<'a> {
    segments: &'a [(String, String, u16)],
}

/// Shares of the contracts, as one bar.
fn bar(kinds: &[(u16, u64)]) -> Html {
    let all: u64 = kinds.iter().map(|(_, count)| count).sum();
    let mut before = 0;
    let mut segments = Vec::new();
    for (contract, count) in kinds {
        let share = |count: u64| format!("{:.2}", 100.0 * count as f64 / all.max(1) as f64);
        segments.push((share(before), share(*count), *contract));
        before += count;
    }
    Html::of(&Bar {
        segments: &segments,
    })
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<ul class="explorer-legend">{% for (contract, name) in entries %}<li><svg viewBox="0 0 10 10" width="12" height="12" aria-hidden="true" focusable="false"><rect class="kind-{{ contract }}" width="10" height="10" rx="2"/></svg>{{ name }}</li>{% endfor %}</ul>"#
)]
struct Legend<'a> {
    entries: &'a [(u16, &'a str)],
}

/// Which colour is which contract's.
pub(super) fn legend(visit: &Visit) -> Html {
    let entries: Vec<(u16, &str)> = (1..=6).map(|it| (it, visit.contract(it))).collect();
    Html::of(&Legend { entries: &entries })
}

/// A transaction of a list.
pub(super) struct Listed {
    pub(super) id: Digest,
    pub(super) height: u64,
    pub(super) place: u32,
    pub(super) time_us: u64,
    pub(super) contract: u16,
    pub(super) name: String,
    pub(super) outcome: Outcome,
}

/// The transaction at a place of a block.
pub(super) fn listed(block: &CertifiedBlock, place: u32) -> Option<Listed> {
    let transaction = block.block.transactions.get(place as usize)?;
    let leaf = block.block.outcomes.get(place as usize + 1)?;
    let body = &transaction.body;
    Some(Listed {
        id: leaf.transaction,
        height: block.block.header.height.0,
        place,
        time_us: block.block.header.time.0,
        contract: body.contract.0,
        name: ledger_view::command_name(body.contract, &body.command)
            .unwrap_or_else(|| body.contract.to_string()),
        outcome: leaf.outcome,
    })
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r##"<li class="explorer-entry"><svg viewBox="0 0 10 10" width="12" height="12" aria-hidden="true" focusable="false"><rect class="kind-{{ entry.contract }}" width="10" height="10" rx="2"/></svg><a class="explorer-entry__name" href="/explorer/transactions/{{ entry.id }}">{{ name }}<span class="nhsuk-u-visually-hidden"> {{ short }}</span></a><span class="explorer-entry__id" aria-hidden="true">{{ short }}</span><span class="explorer-entry__outcome">{{ outcome }}</span><span class="explorer-entry__when"><a href="/explorer/blocks/{{ entry.height }}">{{ height }}</a> · {{ ago }}</span></li>"##
)]
struct Entry<'a> {
    entry: &'a Listed,
    name: &'a str,
    short: &'a str,
    height: &'a str,
    outcome: &'a Html,
    ago: &'a Html,
}

/// One line of a list of transactions.
pub(super) fn entry(visit: &Visit, entry: &Listed) -> Html {
    Html::of(&Entry {
        entry,
        name: &visit.spoken(&entry.name),
        short: &short(&entry.id.to_string()),
        height: &visit.count(entry.height),
        outcome: &visit.outcome(entry.outcome),
        ago: &visit.ago(entry.time_us),
    })
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<ul class="explorer-entries" id="{{ id }}">{% for entry in entries %}{{ entry }}{% endfor %}</ul>"#
)]
struct Entries<'a> {
    id: &'a str,
    entries: &'a [Html],
}

/// A list of transactions.
pub(super) fn entries(visit: &Visit, id: &str, listed: &[Listed]) -> Html {
    let entries: Vec<Html> = listed.iter().map(|it| entry(visit, it)).collect();
    Html::of(&Entries {
        id,
        entries: &entries,
    })
}

/// Several things in one cell of a table: they stay together where a phone shows name and value side by side.
pub(super) fn cell(content: Html) -> Html {
    Html::of(&Cell { content: &content })
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<div class="explorer-cell">{{ content }}</div>"#
)]
struct Cell<'a> {
    content: &'a Html,
}

/// The first characters of a hash.
pub(super) fn short(hash: &str) -> String {
    format!("{}…", hash.chars().take(10).collect::<String>())
}

/// A link in the numbers' type.
pub(super) fn number_link(path: &str, text: &str) -> Html {
    Html::of(&NumberLink { path, text })
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<a class="medshare-number" href="{{ path }}">{{ text }}</a>"#
)]
struct NumberLink<'a> {
    path: &'a str,
    text: &'a str,
}

/// A member: an organisation by its public name, others by their pseudonym.
pub(super) fn member(
    names: &std::collections::BTreeMap<String, String>,
    member: &LedgerId,
) -> Html {
    let id = member.to_string();
    match names.get(&id) {
        Some(name) => Html::text(format!("{name} ")).and(text::number(short(&id))),
        None => text::number(&id),
    }
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<section class="explorer-card"{% if !id.is_empty() %} id="{{ id }}"{% endif %}><div class="explorer-card__head"><h2>{{ title }}</h2>{{ side }}</div>{{ content }}</section>"#
)]
struct Card<'a> {
    id: &'a str,
    title: &'a str,
    side: &'a Html,
    content: &'a Html,
}

/// A part of a page with its own title, and perhaps a link beside it.
pub(super) fn card(title: &str, side: Html, content: Html) -> Html {
    card_of("", title, side, content)
}

/// As [`card`], with an id.
pub(super) fn card_of(id: &str, title: &str, side: Html, content: Html) -> Html {
    Html::of(&Card {
        id,
        title,
        side: &side,
        content: &content,
    })
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<div class="explorer-columns">{% for part in parts %}<div>{{ part }}</div>{% endfor %}</div>"#
)]
struct Columns<'a> {
    parts: &'a [Html],
}

/// Parts side by side where there is room.
pub(super) fn columns(parts: &[Html]) -> Html {
    Html::of(&Columns { parts })
}

/// Facts of a card: names and values, in little room.
pub(super) fn facts(rows: Vec<(String, Html)>) -> Html {
    Html::of(&Fields { rows: &rows })
}

/// A command's or event's fields, indented as they nest.
pub(super) fn fields(value: &Value) -> Html {
    match value {
        Value::Object(entries) => {
            let rows = entries.iter().map(|(name, value)| {
                (
                    name.replace('_', " "),
                    linked(name, value).unwrap_or_else(|| fields(value)),
                )
            });
            let rows: Vec<(String, Html)> = rows.collect();
            Html::of(&Fields { rows: &rows })
        }
        Value::Array(entries) if entries.is_empty() => Html::text("–"),
        Value::Array(entries) => {
            let entries: Vec<Html> = entries.iter().map(fields).collect();
            Html::of(&Items { entries: &entries })
        }
        Value::String(text) if text.len() > 24 => text::number(text),
        Value::String(text) => Html::text(text),
        Value::Null => Html::text("–"),
        other => Html::text(other.to_string()),
    }
}

/// A record number leads to its record.
fn linked(name: &str, value: &Value) -> Option<Html> {
    let number = value
        .as_str()
        .filter(|text| name == "record" && text.len() == 32)?;
    Some(number_link(&format!("/explorer/records/{number}"), number))
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<dl class="explorer-fields">{% for (name, value) in rows %}<div><dt>{{ name }}</dt><dd>{{ value }}</dd></div>{% endfor %}</dl>"#
)]
struct Fields<'a> {
    rows: &'a [(String, Html)],
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<ul class="explorer-items">{% for entry in entries %}<li>{{ entry }}</li>{% endfor %}</ul>"#
)]
struct Items<'a> {
    entries: &'a [Html],
}

/// Events, each with its name and fields.
pub(super) fn events(visit: &Visit, events: &[ledger_view::EventView]) -> Html {
    let shown = events.iter().map(|event| {
        let (name, value) = match &event.event {
            Value::Object(entries) if entries.len() == 1 => entries
                .iter()
                .next()
                .map_or((String::new(), Value::Null), |(name, value)| {
                    (name.clone(), value.clone())
                }),
            Value::String(name) => (name.clone(), Value::Null),
            other => (event.contract.clone(), other.clone()),
        };
        let title = match visit.language {
            Language::English => spoken(&name),
            Language::Chinese => name,
        };
        Html::of(&EventPart {
            title: &title,
            contract: &event.contract,
            fields: &if value.is_null() {
                Html::none()
            } else {
                fields(&value)
            },
        })
    });
    Html::join(shown)
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<div class="explorer-event"><h3>{{ title }} <span class="medshare-muted">{{ contract }}</span></h3>{{ fields }}</div>"#
)]
struct EventPart<'a> {
    title: &'a str,
    contract: &'a str,
    fields: &'a Html,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_fills_its_width_whatever_the_counts() {
        let drawn = bar(&[(1, 1), (2, 2), (4, 1)]).to_string();
        for part in ["x=\"0.00\"", "width=\"50.00\"", "x=\"75.00\"", "kind-4"] {
            assert!(drawn.contains(part), "{part} in {drawn}");
        }
    }

    #[test]
    fn records_are_links_and_markup_in_fields_is_text() {
        let record = "ab".repeat(16);
        let shown = fields(&serde_json::json!({ "record": record, "name": "<b>" })).to_string();
        assert!(shown.contains(&format!("/explorer/records/{record}")));
        assert!(shown.contains("&lt;b&gt;") && !shown.contains("<b>"));
    }
}
