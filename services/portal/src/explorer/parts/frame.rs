//! The explorer's navigation, cards, columns, and small things inside them.

use askama::Template;
use ledger::LedgerId;

use super::fields::Fields;
use crate::design::Html;
use crate::design::text;
use crate::visit::Visit;
use crate::words::explorer::Explorer as Words;

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

pub(super) fn navigation(visit: &Visit, here: &str) -> Html {
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

/// Several things in one cell of a table: they stay together where a phone shows name and value side by side.
pub(in crate::explorer) fn cell(content: Html) -> Html {
    Html::of(&Cell { content: &content })
}

/// What stands below, in small, within a cell.
pub(in crate::explorer) fn sub(content: &Html) -> Html {
    Html::of(&Sub { content })
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<span class="explorer-sub">{{ content }}</span>"#
)]
struct Sub<'a> {
    content: &'a Html,
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
pub(in crate::explorer) fn short(hash: &str) -> String {
    format!("{}…", hash.chars().take(10).collect::<String>())
}

/// A link in the numbers' type.
pub(in crate::explorer) fn number_link(path: &str, text: &str) -> Html {
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
pub(in crate::explorer) fn member(
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
pub(in crate::explorer) fn card(title: &str, side: Html, content: Html) -> Html {
    card_of("", title, side, content)
}

/// As [`card`], with an id.
pub(in crate::explorer) fn card_of(id: &str, title: &str, side: Html, content: Html) -> Html {
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
pub(in crate::explorer) fn columns(parts: &[Html]) -> Html {
    Html::of(&Columns { parts })
}

/// Facts of a card: names and values, in little room.
pub(in crate::explorer) fn facts(rows: Vec<(String, Html)>) -> Html {
    Html::of(&Fields { rows: &rows })
}
