//! Commands and events, field by field.

use askama::Template;
use serde_json::Value;

use super::frame::number_link;
use crate::design::Html;
use crate::design::text;
use crate::language::Language;
use crate::visit::Visit;
use crate::words::explorer::spoken;

/// A command's or event's fields, indented as they nest.
pub(in crate::explorer) fn fields(value: &Value) -> Html {
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
pub(super) struct Fields<'a> {
    pub(super) rows: &'a [(String, Html)],
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
pub(in crate::explorer) fn events(visit: &Visit, events: &[ledger_view::EventView]) -> Html {
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
    fn records_are_links_and_markup_in_fields_is_text() {
        let record = "ab".repeat(16);
        let shown = fields(&serde_json::json!({ "record": record, "name": "<b>" })).to_string();
        assert!(shown.contains(&format!("/explorer/records/{record}")));
        assert!(shown.contains("&lt;b&gt;") && !shown.contains("<b>"));
    }
}
