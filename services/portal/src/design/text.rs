//! Headings, paragraphs, links, tags, notices.

use askama::Template;

use super::Html;

/// A tag's colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    Grey,
    Green,
    Blue,
    Red,
    Orange,
    Yellow,
}

impl Colour {
    fn class(self) -> &'static str {
        match self {
            Colour::Grey => "nhsuk-tag--grey",
            Colour::Green => "nhsuk-tag--green",
            Colour::Blue => "nhsuk-tag--blue",
            Colour::Red => "nhsuk-tag--red",
            Colour::Orange => "nhsuk-tag--orange",
            Colour::Yellow => "nhsuk-tag--yellow",
        }
    }
}

macro_rules! template {
    ($name:ident, $lifetime:lifetime, $source:literal, { $($field:ident: $type:ty),* $(,)? }) => {
        #[derive(Template)]
        #[template(ext = "html", source = $source)]
        struct $name<$lifetime> { $($field: $type),* }
    };
}

template!(Heading1, 'a, r#"{% if !caption.is_empty() %}<span class="nhsuk-caption-l">{{ caption }}</span>{% endif %}<h1 class="nhsuk-heading-l">{{ text }}</h1>"#, { text: &'a str, caption: &'a str });
template!(Heading2, 'a, r#"<h2 class="nhsuk-heading-m">{{ text }}</h2>"#, { text: &'a str });
template!(Paragraph, 'a, r#"<p class="{{ class }}">{{ text }}</p>"#, { class: &'a str, text: &'a Html });
template!(Link, 'a, r#"<a href="{{ path }}">{{ text }}</a>"#, { path: &'a str, text: &'a str });
template!(ActionLink, 'a, r#"<p><a class="nhsuk-action-link" href="{{ path }}"><svg class="nhsuk-icon nhsuk-icon--arrow-right-circle" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="16" height="16" focusable="false" aria-hidden="true"><path d="M12 2a10 10 0 0 0-10 9h11.7l-4-4a1 1 0 0 1 1.5-1.4l5.6 5.7a1 1 0 0 1 0 1.4l-5.6 5.7a1 1 0 0 1-1.5 0 1 1 0 0 1 0-1.4l4-4H2A10 10 0 1 0 12 2z"/></svg><span class="nhsuk-action-link__text">{{ text }}</span></a></p>"#, { path: &'a str, text: &'a str });
template!(Tag, 'a, r#"<strong class="nhsuk-tag {{ class }}">{{ text }}</strong>"#, { class: &'a str, text: &'a str });
template!(Button, 'a, r#"<a class="nhsuk-button{{ class }}" href="{{ path }}" role="button" draggable="false" data-module="nhsuk-button">{{ text }}</a>"#, { class: &'a str, path: &'a str, text: &'a str });
template!(Inset, 'a, r#"<div class="nhsuk-inset-text"><span class="nhsuk-u-visually-hidden">{{ label }}: </span>{{ content }}</div>"#, { label: &'a str, content: &'a Html });
template!(Warning, 'a, r#"<div class="nhsuk-warning-callout"><h2 class="nhsuk-warning-callout__label">{{ title }}</h2>{{ content }}</div>"#, { title: &'a str, content: &'a Html });
template!(Details, 'a, r#"<details class="nhsuk-details"><summary class="nhsuk-details__summary"><span class="nhsuk-details__summary-text">{{ summary }}</span></summary><div class="nhsuk-details__text">{{ content }}</div></details>"#, { summary: &'a str, content: &'a Html });
template!(Empty, 'a, r#"<div class="medshare-empty"><h2>{{ title }}</h2><p>{{ text }}</p></div>"#, { title: &'a str, text: &'a str });
template!(Live, 'a, r##"<p class="medshare-live" id="live">{{ mark }}</p><div id="{{ id }}" data-live="{{ contracts }}" hx-get="{{ path }}" hx-trigger="ledger-changed from:body" hx-select="#{{ id }}" hx-swap="outerHTML" hx-target="this">{{ content }}</div>"##, { id: &'a str, contracts: &'a str, path: &'a str, mark: &'a str, content: &'a Html });

/// The page's title.
pub(crate) fn title(text: &str) -> Html {
    Html::of(&Heading1 { text, caption: "" })
}

/// The page's title, below a caption.
pub(crate) fn title_of(caption: &str, text: &str) -> Html {
    Html::of(&Heading1 { text, caption })
}

/// A section's title.
pub(crate) fn section(text: &str) -> Html {
    Html::of(&Heading2 { text })
}

/// A paragraph.
pub(crate) fn paragraph(text: &str) -> Html {
    paragraph_of(Html::text(text))
}

/// A paragraph of markup.
pub(crate) fn paragraph_of(text: Html) -> Html {
    Html::of(&Paragraph {
        class: "nhsuk-body",
        text: &text,
    })
}

/// The first paragraph of a page, a little larger.
pub(crate) fn lead(text: &str) -> Html {
    Html::of(&Paragraph {
        class: "medshare-lead",
        text: &Html::text(text),
    })
}

/// Small and grey: when, where.
pub(crate) fn aside(text: &str) -> Html {
    Html::of(&Paragraph {
        class: "medshare-when",
        text: &Html::text(text),
    })
}

/// Text of a class of ours inside a line.
pub(crate) fn span(class: &str, text: &str) -> Html {
    template!(Span, 'a, r#"<span class="{{ class }}">{{ text }}</span>"#, { class: &'a str, text: &'a str });
    Html::of(&Span { class, text })
}

/// An id or digest.
pub(crate) fn number(text: impl std::fmt::Display) -> Html {
    span("medshare-number", &text.to_string())
}

/// A link inside a line.
pub(crate) fn link(path: &str, text: &str) -> Html {
    Html::of(&Link { path, text })
}

/// A link that is the next thing to do.
pub(crate) fn action_link(path: &str, text: &str) -> Html {
    Html::of(&ActionLink { path, text })
}

/// A status.
pub(crate) fn tag(colour: Colour, text: &str) -> Html {
    Html::of(&Tag {
        class: colour.class(),
        text,
    })
}

/// A link that looks like a button.
pub(crate) fn button(path: &str, text: &str) -> Html {
    Html::of(&Button {
        class: "",
        path,
        text,
    })
}

/// A link that looks like a button of less weight.
pub(crate) fn secondary_button(path: &str, text: &str) -> Html {
    Html::of(&Button {
        class: " nhsuk-button--secondary",
        path,
        text,
    })
}

/// What happens, in this order.
pub(crate) fn steps(steps: &[&str]) -> Html {
    template!(Steps, 'a, r#"<ol class="nhsuk-list nhsuk-list--number">{% for step in steps %}<li>{{ step }}</li>{% endfor %}</ol>"#, { steps: &'a [&'a str] });
    Html::of(&Steps { steps })
}

/// Something set apart.
pub(crate) fn inset(label: &str, content: Html) -> Html {
    Html::of(&Inset {
        label,
        content: &content,
    })
}

/// Something to know before going on.
pub(crate) fn warning(title: &str, text: &str) -> Html {
    warning_of(title, paragraph(text))
}

/// Something to know before going on, in markup.
pub(crate) fn warning_of(title: &str, content: Html) -> Html {
    Html::of(&Warning {
        title,
        content: &content,
    })
}

/// A link that looks like a button for what is not done lightly.
pub(crate) fn warning_button(path: &str, text: &str) -> Html {
    Html::of(&Button {
        class: " nhsuk-button--warning",
        path,
        text,
    })
}

/// Something that opens on request.
pub(crate) fn details(summary: &str, content: Html) -> Html {
    Html::of(&Details {
        summary,
        content: &content,
    })
}

/// What a list says while nothing is in it.
pub(crate) fn empty(title: &str, text: &str) -> Html {
    Html::of(&Empty { title, text })
}

/// A part of a page that follows the ledger: asked for again when a block has touched one of `contracts`.
pub(crate) fn live(id: &str, contracts: &str, path: &str, mark: &str, content: Html) -> Html {
    Html::of(&Live {
        id,
        contracts,
        path,
        mark,
        content: &content,
    })
}
