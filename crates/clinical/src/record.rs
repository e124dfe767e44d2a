//! A record: one encounter of one patient with all that belongs to it.

use std::collections::BTreeSet;

use crate::bundle::{Bundle, Entry};
use crate::date::{Day, Moment};
use crate::json::{Json, Limits};
use crate::refusal::{Fault, Place, Refusal};

/// A patient's medical record: the Patient, at most one Encounter, the resources of that encounter,
/// and the people, organizations and things they refer to.
///
/// The entries are always in the one order (Patient, Encounter, then by type and full URL), whatever
/// order they arrived in: a record read back from a hospital's tables equals the one written there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    entries: Vec<Entry>,
}

impl Record {
    /// Makes a record of entries in any order, as a hospital's tables return them.
    ///
    /// # Errors
    /// No Patient, a second Patient or Encounter, or the same full URL twice. Places are given as
    /// `Bundle.entry[n]`, counted in the order given.
    pub fn from_entries(entries: Vec<Entry>) -> Result<Self, Refusal> {
        let root = Place::root("Bundle");
        let list = root.name("entry");
        let mut urls = BTreeSet::new();
        let mut singles = BTreeSet::new();
        for (index, entry) in entries.iter().enumerate() {
            let here = list.index(index);
            if !urls.insert(entry.full_url.as_str()) {
                return Err(here.name("fullUrl").refuse(Fault::DuplicateFullUrl));
            }
            let fault = match entry.kind() {
                "Patient" => Fault::SecondPatient,
                "Encounter" => Fault::SecondEncounter,
                _ => continue,
            };
            if !singles.insert(entry.kind()) {
                return Err(here.name("resource").refuse(fault));
            }
        }
        if !singles.contains("Patient") {
            return Err(list.refuse(Fault::NoPatient));
        }
        Ok(Self::sorted(entries))
    }

    /// As [`Record::from_entries`], for entries known to be right.
    pub(crate) fn sorted(mut entries: Vec<Entry>) -> Self {
        entries.sort_by(|a, b| {
            (rank(a), a.kind(), &a.full_url).cmp(&(rank(b), b.kind(), &b.full_url))
        });
        Self { entries }
    }

    /// Parses and checks a record that arrives as a FHIR R4 Bundle, such as one from the ledger's
    /// committed bytes or from a doctor who writes a single encounter.
    ///
    /// # Errors
    /// As [`Bundle::parse`] and [`Record::from_entries`].
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, Refusal> {
        Self::from_entries(Bundle::parse(bytes, limits)?.entries)
    }

    /// The entries in the record's order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entries, taken out.
    pub fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    /// The resources of the FHIR type `kind`.
    pub fn resources<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Json> + 'a {
        self.entries
            .iter()
            .filter(move |entry| entry.kind() == kind)
            .map(|entry| &entry.resource)
    }

    /// The Patient.
    pub fn patient(&self) -> &Json {
        &self.entries[0].resource
    }

    /// The Encounter; absent only for what a patient without any encounter has.
    pub fn encounter(&self) -> Option<&Json> {
        self.entries
            .get(1)
            .filter(|entry| entry.kind() == "Encounter")
            .map(|entry| &entry.resource)
    }

    /// The organization that provided the encounter, if it is in the record.
    pub fn organization(&self) -> Option<&Json> {
        let url = self
            .encounter()?
            .at(&["serviceProvider", "reference"])?
            .as_str()?;
        self.resolve(url)
    }

    /// `system|value` of the providing organization's first identifier, else the reference to it as
    /// written.
    pub fn organization_key(&self) -> Option<String> {
        if let Some(organization) = self.organization() {
            return identifier_key(organization)
                .or_else(|| organization.text("id").map(str::to_owned));
        }
        let provider = self.encounter()?.get("serviceProvider")?;
        provider
            .text("reference")
            .map(|reference| {
                reference
                    .split_once("identifier=")
                    .map_or(reference, |(_, key)| key)
                    .to_owned()
            })
            .or_else(|| provider.text("display").map(str::to_owned))
    }

    /// The practitioners of the encounter that are in the record.
    pub fn practitioners(&self) -> Vec<&Json> {
        let participants = self
            .encounter()
            .map_or(&[][..], |encounter| encounter.list("participant"));
        participants
            .iter()
            .filter_map(|participant| participant.at(&["individual", "reference"])?.as_str())
            .filter_map(|url| self.resolve(url))
            .filter(|resource| resource.text("resourceType") == Some("Practitioner"))
            .collect()
    }

    /// The resource at `reference`, if the record holds it.
    pub fn resolve(&self, reference: &str) -> Option<&Json> {
        let unversioned = reference.split("/_history/").next().unwrap_or(reference);
        let by_url = self
            .entries
            .iter()
            .find(|entry| entry.full_url == unversioned);
        let spelled = |entry: &&Entry| {
            spellings(entry)
                .iter()
                .any(|spelling| spelling == unversioned)
        };
        by_url
            .or_else(|| self.entries.iter().find(spelled))
            .map(|entry| &entry.resource)
    }

    /// When the encounter started, else the earliest date of any resource.
    pub fn started(&self) -> Option<Moment> {
        let start = self
            .encounter()
            .and_then(|encounter| encounter.at(&["period", "start"]));
        start
            .and_then(Json::as_str)
            .and_then(Moment::parse)
            .or_else(|| {
                self.entries
                    .iter()
                    .skip(1)
                    .filter_map(|entry| date_of(&entry.resource))
                    .min()
            })
    }

    /// The patient's day of birth.
    pub fn birth_day(&self) -> Option<Day> {
        Moment::parse(self.patient().text("birthDate")?).map(|moment| moment.day)
    }

    /// The record as a FHIR Bundle of type collection.
    pub fn to_bundle(&self) -> Json {
        let entries = self.entries.iter().map(|entry| {
            Json::object([
                ("fullUrl", entry.full_url.as_str().into()),
                ("resource", entry.resource.clone()),
            ])
        });
        Json::object([
            ("resourceType", "Bundle".into()),
            ("type", "collection".into()),
            ("entry", Json::Array(entries.collect())),
        ])
    }
}

fn rank(entry: &Entry) -> u8 {
    match entry.kind() {
        "Patient" => 0,
        "Encounter" => 1,
        _ => 2,
    }
}

/// The ways in which a reference may point at `entry`, besides its full URL: `Type/id`,
/// `Type?identifier=system|value` and `Type?identifier=value`.
pub(crate) fn spellings(entry: &Entry) -> Vec<String> {
    let kind = entry.kind();
    let mut all = Vec::new();
    if !entry.id().is_empty() {
        all.push(format!("{kind}/{}", entry.id()));
    }
    for identifier in identifiers(&entry.resource) {
        all.push(format!(
            "{kind}?identifier={}|{}",
            identifier.system, identifier.value
        ));
        all.push(format!("{kind}?identifier={}", identifier.value));
    }
    all
}

/// `system|value` of a resource's first identifier.
pub(crate) fn identifier_key(resource: &Json) -> Option<String> {
    let first = resource
        .list("identifier")
        .iter()
        .find(|identifier| identifier.text("value").is_some())?;
    Some(format!(
        "{}|{}",
        first.text("system").unwrap_or_default(),
        first.text("value")?
    ))
}

/// A patient's identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identifier {
    /// The naming system's URI.
    pub system: String,
    /// The value in it.
    pub value: String,
    /// The HL7 v2 table 0203 code of its kind (`MR`, `SS`, `DL`, ...).
    pub kind: Option<String>,
}

/// All identifiers of a resource.
pub fn identifiers(resource: &Json) -> Vec<Identifier> {
    let read = |identifier: &Json| {
        Some(Identifier {
            system: identifier.text("system").unwrap_or_default().to_owned(),
            value: identifier.text("value")?.to_owned(),
            kind: identifier
                .at(&["type", "coding", "0", "code"])
                .and_then(Json::as_str)
                .map(str::to_owned),
        })
    };
    resource
        .list("identifier")
        .iter()
        .filter_map(read)
        .collect()
}

/// Naming system of the identity ID in generated data.
pub const IDENTITY_ID_SYSTEM: &str = "urn:medshare:identity-id";

/// The patient's national identity ID: of kind `NI`, else in [`IDENTITY_ID_SYSTEM`], else of kind
/// `SS`, else of kind `PPN`.
pub fn identity_id(patient: &Json) -> Option<String> {
    let all = identifiers(patient);
    let of_kind = |kind: &str| all.iter().find(|one| one.kind.as_deref() == Some(kind));
    of_kind("NI")
        .or_else(|| all.iter().find(|one| one.system == IDENTITY_ID_SYSTEM))
        .or_else(|| of_kind("SS"))
        .or_else(|| of_kind("PPN"))
        .map(|one| one.value.clone())
}

/// The hospital's number of the patient (kind `MR`), else the first identifier.
pub fn patient_number(patient: &Json) -> Option<String> {
    let all = identifiers(patient);
    all.iter()
        .find(|one| one.kind.as_deref() == Some("MR"))
        .or(all.first())
        .map(|one| one.value.clone())
}

/// The date of a resource in its own words, for placing and sorting it.
pub(crate) fn date_of(resource: &Json) -> Option<Moment> {
    const DATES: &[&[&str]] = &[
        &["period", "start"],
        &["recordedDate"],
        &["onsetDateTime"],
        &["onsetPeriod", "start"],
        &["effectiveDateTime"],
        &["effectivePeriod", "start"],
        &["effectiveInstant"],
        &["performedDateTime"],
        &["performedPeriod", "start"],
        &["occurrenceDateTime"],
        &["occurrencePeriod", "start"],
        &["authoredOn"],
        &["started"],
        &["billablePeriod", "start"],
        &["startDate"],
        &["statusDate"],
        &["dateAsserted"],
        &["issued"],
        &["created"],
        &["createdDateTime"],
        &["recorded"],
        &["dateTime"],
        &["date"],
        &["whenHandedOver"],
        &["authored"],
    ];
    DATES
        .iter()
        .filter_map(|way| resource.at(way)?.as_str())
        .find_map(Moment::parse)
}
