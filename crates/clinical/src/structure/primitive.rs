//! The primitive types of FHIR R4.

use crate::date::{Moment, Precision, clock_micros};
use crate::json::{Json, Number};
use crate::refusal::{Fault, Place, Refusal};

/// HTML elements that a narrative may use (FHIR R4 invariant txt-1); no script, form, frame or object.
const NARRATIVE_TAGS: &[&str] = &[
    "a",
    "abbr",
    "acronym",
    "b",
    "big",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "li",
    "ol",
    "p",
    "pre",
    "q",
    "samp",
    "small",
    "span",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "tt",
    "ul",
    "var",
];

/// Checks that `value` is a primitive of the FHIR type `kind`.
pub(super) fn check(value: &Json, kind: &str, place: &Place<'_>) -> Result<(), Refusal> {
    match kind {
        "boolean" => match value {
            Json::Bool(_) => Ok(()),
            _ => Err(place.refuse(Fault::WrongType {
                expected: "a boolean",
            })),
        },
        "decimal" | "integer" | "positiveInt" | "unsignedInt" => {
            let Json::Number(number) = value else {
                return Err(place.refuse(Fault::WrongType {
                    expected: "a number",
                }));
            };
            if is_number_of(kind, number) {
                Ok(())
            } else {
                Err(invalid(kind, place))
            }
        }
        _ => {
            let Json::String(text) = value else {
                return Err(place.refuse(Fault::WrongType {
                    expected: "a string",
                }));
            };
            if text.is_empty() {
                return Err(place.refuse(Fault::Empty));
            }
            if is_text_of(kind, text) {
                Ok(())
            } else {
                Err(invalid(kind, place))
            }
        }
    }
}

fn invalid(kind: &str, place: &Place<'_>) -> Refusal {
    place.refuse(Fault::InvalidValue {
        expected: kind.to_owned(),
    })
}

fn is_number_of(kind: &str, number: &Number) -> bool {
    let whole = number.text().parse::<i32>();
    match kind {
        "decimal" => true,
        "integer" => whole.is_ok(),
        "unsignedInt" => whole.is_ok_and(|value| value >= 0),
        _ => whole.is_ok_and(|value| value >= 1),
    }
}

fn is_text_of(kind: &str, text: &str) -> bool {
    match kind {
        "id" => is_id(text),
        "code" => text
            .split(' ')
            .all(|word| !word.is_empty() && !word.contains(char::is_whitespace)),
        "date" => Moment::parse(text).is_some_and(|moment| moment.precision != Precision::Time),
        "dateTime" => Moment::parse(text).is_some(),
        "instant" => Moment::parse(text).is_some_and(|moment| moment.precision == Precision::Time),
        "time" => clock_micros(text).is_some(),
        "uri" | "url" | "canonical" => !text.contains(char::is_whitespace),
        "oid" => text.strip_prefix("urn:oid:").is_some_and(is_oid),
        "uuid" => text.strip_prefix("urn:uuid:").is_some_and(is_uuid),
        "base64Binary" => is_base64(text),
        "xhtml" => is_narrative(text),
        _ => true,
    }
}

/// A FHIR logical id.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
}

fn is_oid(text: &str) -> bool {
    text.split('.').all(|part| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'))
    })
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups
            .iter()
            .all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn is_base64(text: &str) -> bool {
    let body: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    let padding = body.iter().rev().take_while(|byte| **byte == b'=').count();
    body.len().is_multiple_of(4)
        && padding <= 2
        && body[..body.len() - padding]
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'+' || *byte == b'/')
}

/// A `div` of allowed elements, without event handlers or script addresses.
fn is_narrative(text: &str) -> bool {
    let trimmed = text.trim_start();
    if !trimmed.starts_with("<div") {
        return false;
    }
    let lower = trimmed.to_ascii_lowercase();
    if lower.contains("javascript:") || lower.contains("vbscript:") || lower.contains("data:") {
        return false;
    }
    lower.split('<').skip(1).all(|rest| {
        let tag = rest.strip_prefix('/').unwrap_or(rest);
        if tag.starts_with("!--") {
            return true;
        }
        let end = tag
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(tag.len());
        let attributes = tag[end..].split('>').next().unwrap_or_default();
        NARRATIVE_TAGS.contains(&&tag[..end])
            && !attributes
                .split(|c: char| c.is_whitespace() || c == '/')
                .any(|word| word.starts_with("on"))
    })
}
