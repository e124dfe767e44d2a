//! The structure of FHIR R4 resources: which elements exist, of which type, how often, with which
//! closed lists of codes.
//!
//! The table `structure/r4.txt` is derived from FHIR 4.0.1 by `e2e/fhir_validation/derive_structure.py`.
//! Resources of other FHIR versions show themselves by elements or codes that R4 does not have, and
//! are refused by name of that element. Codes of open value sets are never checked: R4 does not.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::json::Json;
use crate::refusal::{Fault, Place, Refusal};

mod primitive;

/// One element of a type.
#[derive(Debug)]
struct Element {
    kind: &'static str,
    repeats: bool,
    required: bool,
    /// Name of the choice (`value` for `valueString`) and whether one of its forms is required.
    choice: Option<(&'static str, bool)>,
    codes: Vec<&'static str>,
}

/// One type.
#[derive(Debug, Default)]
struct Type {
    resource: bool,
    elements: BTreeMap<&'static str, Element>,
}

fn table() -> &'static BTreeMap<&'static str, Type> {
    static TABLE: OnceLock<BTreeMap<&'static str, Type>> = OnceLock::new();
    TABLE.get_or_init(|| read_table(include_str!("../structure/r4.txt")))
}

fn read_table(text: &'static str) -> BTreeMap<&'static str, Type> {
    let mut types: BTreeMap<&'static str, Type> = BTreeMap::new();
    let mut current = "";
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        let Some(name) = words.next() else { continue };
        if !line.starts_with(' ') {
            current = name;
            types.entry(name).or_default().resource = words.next() == Some("resource");
            continue;
        }
        let kind = words.next().unwrap_or_default();
        let mut element = Element {
            kind,
            repeats: false,
            required: false,
            choice: None,
            codes: Vec::new(),
        };
        for word in words {
            match word.split_at(1) {
                ("*", _) => element.repeats = true,
                ("!", _) => element.required = true,
                ("?", choice) => {
                    let base = choice.trim_end_matches('!');
                    element.choice = Some((base, choice.ends_with('!')));
                }
                ("=", codes) => element.codes = codes.split(',').collect(),
                _ => {}
            }
        }
        types
            .entry(current)
            .or_default()
            .elements
            .insert(name, element);
    }
    types
}

/// Whether `name` is a resource type of FHIR R4.
pub fn is_resource_type(name: &str) -> bool {
    table().get(name).is_some_and(|found| found.resource)
}

/// What the table says of the element `name` of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rule {
    /// The element's type.
    pub(crate) kind: &'static str,
    /// Whether it is an array.
    pub(crate) repeats: bool,
    /// Whether it (or another form of its choice) must be present.
    pub(crate) required: bool,
}

/// The rule of the element `name` of the type `kind`, if FHIR R4 has it.
pub(crate) fn rule(kind: &str, name: &str) -> Option<Rule> {
    let element = table().get(kind)?.elements.get(name)?;
    let required = element.required || element.choice.is_some_and(|(_, required)| required);
    Some(Rule {
        kind: element.kind,
        repeats: element.repeats,
        required,
    })
}

/// Whether `kind` is a type with elements (not a primitive).
pub(crate) fn is_complex(kind: &str) -> bool {
    table()
        .get(kind)
        .is_some_and(|known| !known.elements.is_empty())
}

/// Checks a resource against FHIR R4, contained resources and Bundle entries included.
///
/// # Errors
/// The first element that FHIR R4 does not allow.
pub fn check_resource(resource: &Json, place: &Place<'_>) -> Result<(), Refusal> {
    let Some(object) = resource.as_object() else {
        return Err(place.refuse(Fault::WrongType {
            expected: "an object",
        }));
    };
    let type_place = place.name("resourceType");
    let name = object
        .get("resourceType")
        .ok_or_else(|| type_place.refuse(Fault::Missing))?
        .as_str()
        .ok_or_else(|| {
            type_place.refuse(Fault::WrongType {
                expected: "a string",
            })
        })?;
    match table().get(name) {
        Some(known) if known.resource && known.elements.is_empty() => {
            check_loosely(resource, place)
        }
        Some(known) if known.resource => check_object(object, known, place),
        _ => Err(type_place.refuse(Fault::UnknownResourceType)),
    }
}

/// For resource types whose elements the table does not hold: only what FHIR says of all JSON.
fn check_loosely(value: &Json, place: &Place<'_>) -> Result<(), Refusal> {
    match value {
        Json::Object(object) if object.is_empty() => Err(place.refuse(Fault::Empty)),
        Json::Array(items) if items.is_empty() => Err(place.refuse(Fault::Empty)),
        Json::String(text) if text.is_empty() => Err(place.refuse(Fault::Empty)),
        Json::Object(object) => object
            .iter()
            .try_for_each(|(name, inner)| check_loosely(inner, &place.name(name))),
        Json::Array(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(at, inner)| check_loosely(inner, &place.index(at))),
        _ => Ok(()),
    }
}

fn check_object(
    object: &BTreeMap<String, Json>,
    known: &Type,
    place: &Place<'_>,
) -> Result<(), Refusal> {
    if object.is_empty() {
        return Err(place.refuse(Fault::Empty));
    }
    let mut choices: Vec<(&str, &str)> = Vec::new();
    for (name, value) in object {
        if name == "resourceType" && known.resource {
            continue;
        }
        let here = place.name(name);
        let bare = name.strip_prefix('_').unwrap_or(name);
        let element = known
            .elements
            .get(bare)
            .ok_or_else(|| here.refuse(Fault::UnknownElement))?;
        if bare.len() < name.len() {
            check_primitive_extension(value, element, &here)?;
        } else {
            check_element(value, element, object.get(&format!("_{name}")), &here)?;
        }
        if let Some((choice, _)) = element.choice {
            if choices
                .iter()
                .any(|(taken, by)| *taken == choice && *by != bare)
            {
                return Err(here.refuse(Fault::SecondChoice {
                    choice: choice.to_owned(),
                }));
            }
            choices.push((choice, bare));
        }
    }
    check_required(object, known, &choices, place)
}

fn check_required(
    object: &BTreeMap<String, Json>,
    known: &Type,
    choices: &[(&str, &str)],
    place: &Place<'_>,
) -> Result<(), Refusal> {
    for (name, element) in &known.elements {
        let absent = !object.contains_key(*name) && !object.contains_key(&format!("_{name}"));
        if element.required && absent {
            return Err(place.name(name).refuse(Fault::Missing));
        }
        if let Some((choice, true)) = element.choice
            && !choices.iter().any(|(taken, _)| *taken == choice)
        {
            return Err(place.name(choice).refuse(Fault::Missing));
        }
    }
    Ok(())
}

/// One element: `extra` is its sibling `_name`, which may stand in for absent items.
fn check_element(
    value: &Json,
    element: &Element,
    extra: Option<&Json>,
    place: &Place<'_>,
) -> Result<(), Refusal> {
    if !element.repeats {
        return check_item(value, element, place);
    }
    let Json::Array(items) = value else {
        return Err(place.refuse(Fault::WrongType {
            expected: "an array",
        }));
    };
    if items.is_empty() {
        return Err(place.refuse(Fault::Empty));
    }
    for (index, item) in items.iter().enumerate() {
        if *item == Json::Null && extra.is_some() {
            continue;
        }
        check_item(item, element, &place.index(index))?;
    }
    Ok(())
}

fn check_item(value: &Json, element: &Element, place: &Place<'_>) -> Result<(), Refusal> {
    if element.kind == "Resource" {
        return check_resource(value, place);
    }
    if let Some(inner) = table().get(element.kind) {
        let Json::Object(object) = value else {
            return Err(place.refuse(Fault::WrongType {
                expected: "an object",
            }));
        };
        return check_object(object, inner, place);
    }
    primitive::check(value, element.kind, place)?;
    if !element.codes.is_empty()
        && !value
            .as_str()
            .is_some_and(|code| element.codes.contains(&code))
    {
        return Err(place.refuse(Fault::InvalidValue {
            expected: element.codes.join(" | "),
        }));
    }
    Ok(())
}

/// `_name`: id and extensions of a primitive element.
fn check_primitive_extension(
    value: &Json,
    element: &Element,
    place: &Place<'_>,
) -> Result<(), Refusal> {
    if table().contains_key(element.kind) || element.kind == "Resource" {
        return Err(place.refuse(Fault::UnknownElement));
    }
    let single = std::slice::from_ref(value);
    let items = if element.repeats {
        value.items()
    } else {
        single
    };
    if items.is_empty() {
        return Err(place.refuse(Fault::WrongType {
            expected: "an array",
        }));
    }
    for item in items {
        match item {
            Json::Null if element.repeats => {}
            Json::Object(object) => {
                for (name, inner) in object {
                    let here = place.name(name);
                    match name.as_str() {
                        "id" => primitive::check(inner, "string", &here)?,
                        "extension" => check_extensions(inner, &here)?,
                        _ => return Err(here.refuse(Fault::UnknownElement)),
                    }
                }
            }
            _ => {
                return Err(place.refuse(Fault::WrongType {
                    expected: "an object",
                }));
            }
        }
    }
    Ok(())
}

fn check_extensions(value: &Json, place: &Place<'_>) -> Result<(), Refusal> {
    let extension = Element {
        kind: "Extension",
        repeats: true,
        required: false,
        choice: None,
        codes: Vec::new(),
    };
    check_element(value, &extension, None, place)
}

#[cfg(test)]
mod tests;
