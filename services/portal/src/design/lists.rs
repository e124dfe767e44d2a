//! Summary lists, cards, tables, paging.

use askama::Template;

use super::Html;

/// Facts: a name and a value a row.
#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<dl class="nhsuk-summary-list">{% for (name, value) in rows %}<div class="nhsuk-summary-list__row"><dt class="nhsuk-summary-list__key">{{ name }}</dt><dd class="nhsuk-summary-list__value">{{ value }}</dd></div>{% endfor %}</dl>"#
)]
struct SummaryList<'a> {
    rows: &'a [(&'a str, Html)],
}

/// Facts: a name and a value a row. Rows without a value are left out.
pub(crate) fn summary(rows: Vec<(&str, Html)>) -> Html {
    let rows: Vec<_> = rows
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect();
    Html::of(&SummaryList { rows: &rows })
}

/// One card of a list.
#[derive(Default)]
pub(crate) struct Card {
    /// Small, above the title.
    pub(crate) when: String,
    /// The title; a link where there is a path.
    pub(crate) title: String,
    /// Where it leads.
    pub(crate) path: Option<String>,
    /// Statuses.
    pub(crate) tags: Vec<Html>,
    /// A line or two.
    pub(crate) text: Html,
    /// A button or amount, beside the text where there is room.
    pub(crate) side: Html,
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<ul class="medshare-list">{% for card in cards %}<li><div class="medshare-row"><div>{% if !card.when.is_empty() %}<p class="medshare-when">{{ card.when }}</p>{% endif %}<h{{ level }}>{% if let Some(path) = card.path %}<a href="{{ path }}">{{ card.title }}</a>{% else %}{{ card.title }}{% endif %}</h{{ level }}>{{ card.text }}{% if !card.tags.is_empty() %}<div class="medshare-tags">{% for tag in card.tags %}{{ tag }}{% endfor %}</div>{% endif %}</div>{% if !card.side.is_empty() %}<div>{{ card.side }}</div>{% endif %}</div></li>{% endfor %}</ul>"#
)]
struct Cards<'a> {
    cards: &'a [Card],
    level: u8,
}

/// A list of cards, right below the page's title.
pub(crate) fn cards(cards: &[Card]) -> Html {
    Html::of(&Cards { cards, level: 2 })
}

/// A list of cards, below a section's title.
pub(crate) fn cards_in_section(cards: &[Card]) -> Html {
    Html::of(&Cards { cards, level: 3 })
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<table class="nhsuk-table nhsuk-table-responsive" role="table"><caption class="nhsuk-table__caption{% if repeats %} nhsuk-u-visually-hidden{% endif %}">{{ caption }}</caption><thead class="nhsuk-table__head" role="rowgroup"><tr role="row">{% for name in head %}<th role="columnheader" scope="col">{{ name }}</th>{% endfor %}</tr></thead><tbody class="nhsuk-table__body">{% for row in rows %}<tr role="row" class="nhsuk-table__row">{% for (name, value) in head.iter().zip(row.iter()) %}<td role="cell" class="nhsuk-table__cell"><span class="nhsuk-table-responsive__heading" aria-hidden="true">{{ name }} </span>{{ value }}</td>{% endfor %}</tr>{% endfor %}</tbody></table>"#
)]
struct Table<'a> {
    caption: &'a str,
    repeats: bool,
    head: &'a [&'a str],
    rows: &'a [Vec<Html>],
}

/// A table; on a phone each row becomes a block of names and values.
pub(crate) fn table(caption: &str, head: &[&str], rows: &[Vec<Html>]) -> Html {
    Html::of(&Table {
        caption,
        repeats: false,
        head,
        rows,
    })
}

/// A table whose section's title says already what it is.
pub(crate) fn table_in_section(caption: &str, head: &[&str], rows: &[Vec<Html>]) -> Html {
    Html::of(&Table {
        caption,
        repeats: true,
        head,
        rows,
    })
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<ul class="medshare-panels">{% for (name, content) in panels %}<li><h2>{{ name }}</h2>{{ content }}</li>{% endfor %}</ul>"#
)]
struct Panels<'a> {
    panels: &'a [(&'a str, Html)],
}

/// Figures side by side.
pub(crate) fn panels(panels: &[(&str, Html)]) -> Html {
    Html::of(&Panels { panels })
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<div class="medshare-buttons">{% if let Some((path, name)) = first %}<a class="nhsuk-button nhsuk-button--secondary" href="{{ path }}" role="button" draggable="false">{{ name }}</a>{% endif %}{% if let Some((path, name)) = next %}<a class="nhsuk-button nhsuk-button--secondary" href="{{ path }}" role="button" draggable="false">{{ name }}</a>{% endif %}</div>"#
)]
struct Paging<'a> {
    first: Option<(&'a str, &'a str)>,
    next: Option<(&'a str, &'a str)>,
}

/// Links to the newest part of a list and to the next: (path, name).
pub(crate) fn paging(first: Option<(&str, &str)>, next: Option<(&str, &str)>) -> Html {
    if first.is_none() && next.is_none() {
        return Html::none();
    }
    Html::of(&Paging { first, next })
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<ul class="nhsuk-task-list">{% for task in tasks %}<li class="nhsuk-task-list__item"><div class="nhsuk-task-list__name-and-hint"><div>{{ task.name }}</div><div class="nhsuk-task-list__hint">{{ task.hint }}</div></div><div class="nhsuk-task-list__status">{{ task.status }}</div></li>{% endfor %}</ul>"#
)]
struct Tasks<'a> {
    tasks: &'a [Task<'a>],
}

/// A step on the way of something.
pub(crate) struct Task<'a> {
    /// What.
    pub(crate) name: &'a str,
    /// When, or what it waits for.
    pub(crate) hint: Html,
    /// How it stands: a tag.
    pub(crate) status: Html,
}

/// The steps on the way of something, each with how it stands.
pub(crate) fn tasks(tasks: &[Task<'_>]) -> Html {
    Html::of(&Tasks { tasks })
}
