//! The personal strings of a Bundle: what must never appear on the ledger, on the bus, in logs or in
//! public answers. Tests plant and search for them.

use std::collections::BTreeSet;

use crate::json::Json;

/// What a personal string is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PersonalKind {
    /// A name of a person, or a part of one.
    Name,
    /// A line, city or postal code of an address, or coordinates.
    Address,
    /// A telephone number or other way to reach someone.
    Contact,
    /// An identifier: identity ID, patient number, passport, logical id.
    Identifier,
    /// Date of birth or death.
    Date,
    /// Narrative text or picture.
    Text,
}

/// One personal string of a person in a Bundle.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PersonalString {
    /// What it is.
    pub kind: PersonalKind,
    /// The string as it stands in the Bundle.
    pub text: String,
}

impl PersonalString {
    /// Whether finding it elsewhere means a leak and not chance: five characters or more with a letter
    /// among them, or eight of any kind (a postal code is found in many a number).
    pub fn is_distinctive(&self) -> bool {
        let length = self.text.chars().count();
        length >= 8 || (length >= 5 && self.text.chars().any(char::is_alphabetic))
    }
}

/// Every personal string of the Patients, RelatedPersons, Practitioners and Persons in a Bundle (or of
/// a single such resource), sorted, each once.
pub fn personal_strings(json: &Json) -> Vec<PersonalString> {
    let mut found = BTreeSet::new();
    visit(json, &mut found);
    found.into_iter().collect()
}

fn visit(json: &Json, found: &mut BTreeSet<PersonalString>) {
    match json.text("resourceType") {
        Some("Bundle") => {
            json.list("entry")
                .iter()
                .filter_map(|entry| entry.get("resource"))
                .for_each(|one| visit(one, found));
        }
        Some("Patient" | "RelatedPerson" | "Practitioner" | "Person") => {
            add(found, PersonalKind::Identifier, json.text("id"));
            person(json, found);
        }
        _ => {}
    }
    for contained in json.list("contained") {
        visit(contained, found);
    }
}

fn add(found: &mut BTreeSet<PersonalString>, kind: PersonalKind, text: Option<&str>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        found.insert(PersonalString {
            kind,
            text: text.to_owned(),
        });
    }
}

/// The elements of a person, by name, at any depth: FHIR uses the same names in contacts and
/// extensions.
fn person(json: &Json, found: &mut BTreeSet<PersonalString>) {
    let Json::Object(object) = json else {
        json.items().iter().for_each(|item| person(item, found));
        return;
    };
    for (name, value) in object {
        match name.as_str() {
            "name" | "valueHumanName" => human_name(value, found),
            "address" | "valueAddress" => address(value, found),
            "telecom" | "valueContactPoint" => {
                one_or_more(value)
                    .iter()
                    .for_each(|one| add(found, PersonalKind::Contact, one.text("value")));
            }
            "identifier" | "valueIdentifier" => {
                one_or_more(value)
                    .iter()
                    .for_each(|one| add(found, PersonalKind::Identifier, one.text("value")));
            }
            "birthDate" | "deceasedDateTime" => add(found, PersonalKind::Date, value.as_str()),
            "div" | "data" => add(found, PersonalKind::Text, value.as_str()),
            "extension" => extension(value, found),
            "meta" | "contained" => {}
            _ => person(value, found),
        }
    }
}

fn one_or_more(value: &Json) -> &[Json] {
    match value {
        Json::Array(items) => items,
        one => std::slice::from_ref(one),
    }
}

fn human_name(value: &Json, found: &mut BTreeSet<PersonalString>) {
    for name in one_or_more(value) {
        add(found, PersonalKind::Name, name.text("family"));
        add(found, PersonalKind::Name, name.text("text"));
        name.list("given")
            .iter()
            .for_each(|given| add(found, PersonalKind::Name, given.as_str()));
    }
}

fn address(value: &Json, found: &mut BTreeSet<PersonalString>) {
    for address in one_or_more(value) {
        for part in ["text", "city", "district", "postalCode"] {
            add(found, PersonalKind::Address, address.text(part));
        }
        address
            .list("line")
            .iter()
            .for_each(|line| add(found, PersonalKind::Address, line.as_str()));
        extension(address.get("extension").unwrap_or(&Json::Null), found);
    }
}

/// Extensions hold the mother's maiden name, the place of birth and coordinates.
fn extension(value: &Json, found: &mut BTreeSet<PersonalString>) {
    for extension in one_or_more(value) {
        let url = extension.text("url").unwrap_or_default();
        if url.to_ascii_lowercase().contains("name") {
            add(found, PersonalKind::Name, extension.text("valueString"));
        }
        if matches!(url, "latitude" | "longitude") {
            let number = extension.get("valueDecimal").and_then(Json::as_number);
            add(
                found,
                PersonalKind::Address,
                number.map(|number| number.text()),
            );
        }
        person(extension, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Limits;

    #[test]
    fn names_addresses_numbers_and_dates_are_found_wherever_they_stand() {
        let text = r#"{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient","id":"pid",
            "extension":[{"url":"http://x/patient-mothersMaidenName","valueString":"Maiden"},{"url":"http://x/birthPlace","valueAddress":{"city":"Birthtown"}}],
            "identifier":[{"system":"s","value":"ID-7","type":{"text":"kind"}}],"name":[{"family":"Family","given":["Given"],"prefix":["Mr."]}],
            "telecom":[{"value":"555-1"}],"birthDate":"1990-01-01","text":{"status":"generated","div":"<div>x</div>"},
            "contact":[{"name":{"family":"Friend"}}],
            "address":[{"line":["1 Street"],"city":"Town","postalCode":"12345","extension":[{"url":"geo","extension":[{"url":"latitude","valueDecimal":42.39}]}]}]}},
            {"resource":{"resourceType":"Organization","name":"Hospital"}}]}"#;
        let json = Json::parse(text.as_bytes(), "Bundle", &Limits::default()).unwrap();
        let found: Vec<String> = personal_strings(&json)
            .into_iter()
            .map(|one| one.text)
            .collect();
        for expected in [
            "pid",
            "Maiden",
            "Birthtown",
            "ID-7",
            "Family",
            "Given",
            "555-1",
            "1990-01-01",
            "<div>x</div>",
            "Friend",
            "1 Street",
            "Town",
            "12345",
            "42.39",
        ] {
            assert!(
                found.iter().any(|text| text == expected),
                "{expected} in {found:?}"
            );
        }
        assert_eq!(found.len(), 14, "{found:?}");
    }
}
