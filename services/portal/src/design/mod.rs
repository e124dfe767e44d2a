//! The design system: every component once, each a template and the data it shows. Pages are made of these and nothing
//! else, so what is accessible here is accessible everywhere.
//!
//! | module | what |
//! |---|---|
//! | [`text`] | headings, paragraphs, tags, notices |
//! | [`lists`] | summary lists, cards, tables, paging |
//! | [`forms`] | fields, forms, error summaries |
//! | [`frame`] | what is around every page |

pub(crate) mod forms;
pub(crate) mod frame;
pub(crate) mod lists;
pub(crate) mod text;

use askama::Template;

/// Markup that is safe to put into a page: everything in it was escaped where it came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Html(String);

impl askama::filters::HtmlSafe for Html {}

impl std::fmt::Display for Html {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Html {
    /// A template's markup.
    pub(crate) fn of(template: &impl Template) -> Html {
        Html(
            template
                .render()
                .expect("rendering into memory does not fail"),
        )
    }

    /// Text, escaped.
    pub(crate) fn text(text: impl AsRef<str>) -> Html {
        let mut escaped = String::with_capacity(text.as_ref().len());
        for character in text.as_ref().chars() {
            match character {
                '&' => escaped.push_str("&amp;"),
                '<' => escaped.push_str("&lt;"),
                '>' => escaped.push_str("&gt;"),
                '"' => escaped.push_str("&quot;"),
                '\'' => escaped.push_str("&#39;"),
                other => escaped.push(other),
            }
        }
        Html(escaped)
    }

    /// One after another.
    pub(crate) fn join(parts: impl IntoIterator<Item = Html>) -> Html {
        Html(parts.into_iter().map(|part| part.0).collect())
    }

    /// Nothing.
    pub(crate) fn none() -> Html {
        Html::default()
    }

    /// Whether there is nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// This, then more.
    pub(crate) fn and(mut self, more: Html) -> Html {
        self.0.push_str(&more.0);
        self
    }
}

impl From<Html> for String {
    fn from(html: Html) -> String {
        html.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_looks_like_markup_is_shown_as_text() {
        let shown = Html::text("<b title='x'>\"&\"</b>").to_string();
        assert_eq!(
            shown,
            "&lt;b title=&#39;x&#39;&gt;&quot;&amp;&quot;&lt;/b&gt;"
        );
        let paragraph = text::paragraph("<script>").to_string();
        assert!(!paragraph.contains("<script>"), "{paragraph}");
    }
}
