//! The de-identified copy of a record that a release for research carries.
//!
//! By permission, not by prohibition: the FHIR R4 table gives every element its type, and only types
//! that cannot hold a person's words are copied (after the Safe Harbor list of 45 CFR 164.514(b)(2)):
//!
//! - codes of closed lists, codings of standard code systems with their display, numbers, booleans,
//!   amounts; of dates the year;
//! - a Patient keeps sex, year of birth and whether they died; if any date of the record lies 90 years
//!   or more after birth, the year of birth is that date's year minus 90;
//! - Practitioners, Organizations, Locations and the like keep nothing but their type;
//! - names, addresses, telephones, identifiers, free text, narrative, notes, attachments, extensions,
//!   metadata, exact times, codings of local code systems are dropped; where FHIR requires the element,
//!   it says "masked" (extension data-absent-reason);
//! - every id and reference is replaced by a UUID made from the release's key, so that two releases
//!   cannot be joined and nobody without the key can find the original.

use std::collections::{BTreeMap, BTreeSet};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::bundle::Entry;
use crate::date::Moment;
use crate::json::Json;
use crate::record::Record;
use crate::structure;

/// Code systems whose codes and displays are terms, not people's words.
const STANDARD_SYSTEMS: &[&str] = &[
    "http://snomed.info/sct",
    "http://loinc.org",
    "http://www.nlm.nih.gov/research/umls/rxnorm",
    "http://hl7.org/fhir/",
    "http://terminology.hl7.org/",
    "http://unitsofmeasure.org",
    "http://dicom.nema.org/",
    "urn:ietf:bcp:47",
    "urn:iso:std:iso:",
];

/// Types that are dropped whole.
const DROPPED_TYPES: &[&str] = &[
    "HumanName",
    "Address",
    "ContactPoint",
    "ContactDetail",
    "Identifier",
    "Attachment",
    "Annotation",
    "Narrative",
    "Signature",
    "Extension",
    "Meta",
    "RelatedArtifact",
    "Contributor",
    "Expression",
    "SampledData",
    "UsageContext",
];

/// Resource types of which nothing but the type is kept.
const EMPTIED_RESOURCES: &[&str] = &[
    "Practitioner",
    "PractitionerRole",
    "Organization",
    "Location",
    "HealthcareService",
    "RelatedPerson",
    "Endpoint",
    "Device",
    "Group",
    "Account",
    "Provenance",
    "AuditEvent",
    "Consent",
    "Binary",
    "DocumentReference",
    "Media",
    "Basic",
    "Task",
    "Flag",
    "List",
    "Composition",
    "QuestionnaireResponse",
    "Appointment",
];

/// Makes the de-identified copy of `record` under a release's `key`.
///
/// The result is a FHIR Bundle of type collection whose resources FHIR R4 accepts; resources of
/// [`EMPTIED_RESOURCES`] that FHIR would not accept empty are left out.
pub fn deidentify(record: &Record, key: &[u8; 32]) -> Json {
    let release = Release::new(record, key);
    let mut entries: Vec<Entry> = record
        .entries()
        .iter()
        .filter_map(|entry| release.entry(entry))
        .collect();
    entries.sort_by(|a, b| a.full_url.cmp(&b.full_url));
    let mut bundle = Record::sorted(entries).to_bundle();
    let pseudonymised = Json::object([
        (
            "system",
            "http://terminology.hl7.org/CodeSystem/v3-ObservationValue".into(),
        ),
        ("code", "PSEUDED".into()),
    ]);
    if let Some(object) = bundle.as_object_mut() {
        object.insert(
            "meta".to_owned(),
            Json::object([("security", Json::Array(vec![pseudonymised]))]),
        );
    }
    bundle
}

/// The canonical bytes of [`deidentify`]: what is sealed, committed and released.
pub fn release_bytes(record: &Record, key: &[u8; 32]) -> Vec<u8> {
    deidentify(record, key).to_bytes()
}

struct Release<'a> {
    key: &'a [u8; 32],
    /// Full URL of each entry by every spelling of a reference to it.
    targets: BTreeMap<String, String>,
    /// The year of birth to tell, if there is one.
    birth_year: Option<i32>,
}

impl<'a> Release<'a> {
    fn new(record: &Record, key: &'a [u8; 32]) -> Self {
        let mut targets = BTreeMap::new();
        for entry in record.entries() {
            for spelling in crate::record::spellings(entry) {
                targets
                    .entry(spelling)
                    .or_insert_with(|| entry.full_url.clone());
            }
        }
        for entry in record.entries() {
            targets.insert(entry.full_url.clone(), entry.full_url.clone());
        }
        Self {
            key,
            targets,
            birth_year: birth_year(record),
        }
    }

    fn uuid(&self, text: &str) -> String {
        // A key of 32 bytes always fits HMAC.
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key)
            .unwrap_or_else(|_| unreachable!("any key length"));
        mac.update(b"medshare release id\n");
        mac.update(text.as_bytes());
        crate::bundle::content_uuid(&mac.finalize().into_bytes())
    }

    fn entry(&self, entry: &Entry) -> Option<Entry> {
        let resource = self.resource(&entry.resource, &entry.full_url)?;
        Some(Entry {
            full_url: format!("urn:uuid:{}", self.uuid(&entry.full_url)),
            resource,
        })
    }

    /// A resource whose id becomes that of `url`; `None` if nothing of it can be kept.
    fn resource(&self, resource: &Json, url: &str) -> Option<Json> {
        let kind = resource.text("resourceType")?;
        let mut kept = BTreeMap::new();
        if kind == "Patient" {
            self.patient(resource, &mut kept);
        } else if EMPTIED_RESOURCES.contains(&kind) || !structure::is_complex(kind) {
            if ![
                "Practitioner",
                "PractitionerRole",
                "Organization",
                "Location",
                "Device",
                "HealthcareService",
            ]
            .contains(&kind)
            {
                return None;
            }
        } else {
            kept = self.elements(resource, kind, url);
        }
        kept.insert("resourceType".to_owned(), kind.into());
        kept.insert("id".to_owned(), self.uuid(url).into());
        Some(Json::Object(kept))
    }

    fn patient(&self, resource: &Json, kept: &mut BTreeMap<String, Json>) {
        if let Some(gender) = resource.get("gender") {
            kept.insert("gender".to_owned(), gender.clone());
        }
        if let Some(year) = self.birth_year {
            kept.insert("birthDate".to_owned(), format!("{year:04}").into());
        }
        let died = resource.get("deceasedDateTime").is_some()
            || resource.get("deceasedBoolean") == Some(&Json::Bool(true));
        if died {
            kept.insert("deceasedBoolean".to_owned(), Json::Bool(true));
        }
    }

    /// The elements of an object of the FHIR type `kind` that may be kept.
    fn elements(&self, object: &Json, kind: &str, url: &str) -> BTreeMap<String, Json> {
        let mut kept = BTreeMap::new();
        for (name, value) in object.as_object().into_iter().flatten() {
            if matches!(
                name.as_str(),
                "id" | "resourceType" | "meta" | "text" | "implicitRules" | "language"
            ) || name.starts_with('_')
            {
                continue;
            }
            let Some(rule) = structure::rule(kind, name) else {
                continue;
            };
            let whole = if rule.repeats {
                let items: Vec<Json> = value
                    .items()
                    .iter()
                    .filter_map(|item| self.value(item, rule.kind, url))
                    .collect();
                (!items.is_empty()).then_some(Json::Array(items))
            } else {
                self.value(value, rule.kind, url)
            };
            match whole {
                Some(value) => drop(kept.insert(name.clone(), value)),
                None if rule.required => mask(&mut kept, name, rule),
                None => {}
            }
        }
        // A required element that the record gave by extension only stays said to be masked.
        for name in object
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(name, _)| name.strip_prefix('_'))
        {
            if let Some(rule) = structure::rule(kind, name).filter(|rule| rule.required)
                && !kept.contains_key(name)
            {
                mask(&mut kept, name, rule);
            }
        }
        kept
    }

    fn value(&self, value: &Json, kind: &str, url: &str) -> Option<Json> {
        if DROPPED_TYPES.contains(&kind) {
            return None;
        }
        match kind {
            "boolean" | "decimal" | "integer" | "positiveInt" | "unsignedInt" => {
                Some(value.clone())
            }
            "code" => is_plain_code(value.as_str()?).then(|| value.clone()),
            "date" | "dateTime" => {
                Some(format!("{:04}", Moment::parse(value.as_str()?)?.day.year).into())
            }
            "id" => Some(self.uuid(value.as_str()?).into()),
            "Reference" => self.reference(value, url),
            "Coding" => coding(value),
            "Quantity" | "Age" | "Count" | "Distance" | "Duration" => quantity(value, kind),
            "Resource" => {
                let inner = format!("{url}#{}", value.text("id").unwrap_or_default());
                self.resource(value, &inner)
            }
            _ if structure::is_complex(kind) => {
                let kept = self.elements(value, kind, url);
                // An element that lost all it had says nothing.
                (!kept.is_empty()).then_some(Json::Object(kept))
            }
            _ => None,
        }
    }

    fn reference(&self, value: &Json, url: &str) -> Option<Json> {
        let reference = value.text("reference")?;
        let reference = match reference.strip_prefix('#') {
            Some(inner) => {
                let container = url.split('#').next().unwrap_or(url);
                format!("#{}", self.uuid(&format!("{container}#{inner}")))
            }
            None => {
                let target = self
                    .targets
                    .get(reference)
                    .map_or(reference, String::as_str);
                format!("urn:uuid:{}", self.uuid(target))
            }
        };
        Some(Json::object([("reference", reference.into())]))
    }
}

/// Says that a required element was withheld.
fn mask(kept: &mut BTreeMap<String, Json>, name: &str, rule: structure::Rule) {
    let masked = Json::object([(
        "extension",
        Json::Array(vec![Json::object([
            (
                "url",
                "http://hl7.org/fhir/StructureDefinition/data-absent-reason".into(),
            ),
            ("valueCode", "masked".into()),
        ])]),
    )]);
    let masked = if rule.repeats {
        Json::Array(vec![masked])
    } else {
        masked
    };
    let name = if structure::is_complex(rule.kind) {
        name.to_owned()
    } else {
        format!("_{name}")
    };
    kept.insert(name, masked);
}

/// Letters, digits and a few signs, at most 40: no place for a sentence.
fn is_plain_code(code: &str) -> bool {
    code.len() <= 40
        && code
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:+/*{}[]%()<>=".contains(&byte))
}

fn coding(value: &Json) -> Option<Json> {
    let system = value.text("system")?;
    let code = value
        .text("code")
        .filter(|code| is_plain_code(code) || code.starts_with("urn:oid:"))?;
    if !STANDARD_SYSTEMS
        .iter()
        .any(|standard| system.starts_with(standard))
        && system != "urn:ietf:rfc:3986"
    {
        return None;
    }
    let mut kept = BTreeMap::from([
        ("system".to_owned(), system.into()),
        ("code".to_owned(), code.into()),
    ]);
    if let Some(display) = value.text("display").filter(|display| display.len() <= 250) {
        kept.insert("display".to_owned(), display.into());
    }
    Some(Json::Object(kept))
}

/// Value and coded unit; an age of 90 years and more becomes 90.
fn quantity(value: &Json, kind: &str) -> Option<Json> {
    let mut kept = BTreeMap::new();
    for name in ["value", "comparator", "system", "code"] {
        if let Some(part) = value.get(name) {
            kept.insert(name.to_owned(), part.clone());
        }
    }
    if kind == "Age" {
        let years = value
            .get("value")
            .and_then(Json::as_number)
            .and_then(|number| number.scaled(6));
        let in_years = value.text("code") == Some("a")
            || value
                .text("unit")
                .is_some_and(|unit| unit.starts_with('y') || unit.starts_with('a'));
        if in_years && kept.contains_key("value") && years.is_none_or(|years| years > 89_000_000) {
            kept.insert("value".to_owned(), 90.into());
        }
    }
    if kept
        .get("system")
        .and_then(Json::as_str)
        .is_some_and(|system| !STANDARD_SYSTEMS.contains(&system))
    {
        kept.remove("system");
        kept.remove("code");
    }
    (!kept.is_empty()).then_some(Json::Object(kept))
}

/// The year of birth to tell: the true one, unless the record shows an age of 90 or more.
fn birth_year(record: &Record) -> Option<i32> {
    let birth = record.birth_day()?.year;
    let mut years = BTreeSet::new();
    record
        .entries()
        .iter()
        .for_each(|entry| collect_years(&entry.resource, &mut years));
    let latest = years.last().copied().unwrap_or(birth);
    Some(if latest - birth >= 90 {
        latest - 90
    } else {
        birth
    })
}

/// The years of all strings that are dates; a string that only looks like one does no harm.
fn collect_years(json: &Json, years: &mut BTreeSet<i32>) {
    match json {
        Json::String(text)
            if text.len() >= 4 && text.as_bytes()[..4].iter().all(u8::is_ascii_digit) =>
        {
            let plausible =
                Moment::parse(text).filter(|moment| (1800..=2200).contains(&moment.day.year));
            years.extend(plausible.map(|moment| moment.day.year));
        }
        Json::Array(items) => items.iter().for_each(|item| collect_years(item, years)),
        Json::Object(object) => object
            .values()
            .for_each(|inner| collect_years(inner, years)),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
