//! A patient's Bundle becomes records: one for each encounter, nothing dropped.
//!
//! Each resource belongs to the record of one encounter, by the first rule that applies:
//!
//! 1. it is the Encounter;
//! 2. it names an encounter (`encounter`, `context`, or `item.encounter` of a Claim or
//!    ExplanationOfBenefit);
//! 3. it refers to a resource that has its place (an ExplanationOfBenefit to its Claim, a Claim to its
//!    MedicationRequest): it goes where the first such reference leads;
//! 4. a resource that has its place refers to it (a CarePlan to its Goal): it goes with the earliest
//!    encounter of those;
//! 5. by date: it goes to the encounter nearest to its own date (a date within the encounter's period
//!    has distance 0; the earlier encounter wins a tie);
//! 6. without a date, to the patient's earliest encounter.
//!
//! Rules 3 and 4 are repeated until nothing changes. Encounters are ordered by start, then full URL.
//! The Patient goes into every record; people, organizations, places and things (see [`DIRECTORY`]) go
//! into every record that refers to them, and if none does, into the earliest.
//! A Bundle without any Encounter gives one record without encounter, unless it holds only the patient
//! and directory entries: then it gives none.

use std::collections::{BTreeMap, BTreeSet};

use crate::bundle::{Bundle, Entry};
use crate::date::Moment;
use crate::json::Json;
use crate::record::{Record, date_of, identifier_key, spellings};
use crate::refusal::{Fault, Place, Refusal};

/// Types that no encounter owns: copied into every record that refers to them.
pub const DIRECTORY: &[&str] = &[
    "Practitioner",
    "PractitionerRole",
    "Organization",
    "Location",
    "HealthcareService",
    "RelatedPerson",
    "Device",
    "Medication",
    "Substance",
    "Coverage",
    "Endpoint",
    "Group",
    "Account",
    "EpisodeOfCare",
];

/// What a patient's Bundle holds.
#[derive(Debug, Clone)]
pub struct Intake {
    /// The Patient.
    pub patient: Entry,
    /// All Practitioners.
    pub practitioners: Vec<Entry>,
    /// All Organizations.
    pub organizations: Vec<Entry>,
    /// One record for each encounter, ordered by start.
    pub records: Vec<EncounterRecord>,
    /// How many resources were placed by each of the rules 1 to 6, in that order.
    pub placed_by_rule: [usize; 6],
}

/// One record and what its owner is found by.
#[derive(Debug, Clone)]
pub struct EncounterRecord {
    /// The record.
    pub record: Record,
    /// Full URL of the encounter; absent for a patient without encounters.
    pub encounter_url: Option<String>,
    /// When the encounter started.
    pub started: Option<Moment>,
    /// `system|value` of the providing organization; see [`crate::hospital::hospital_of`]. Without a
    /// provider it is the key of the patient's managing organization.
    pub organization_key: Option<String>,
    /// `system|value` of the first practitioner.
    pub practitioner_key: Option<String>,
}

/// Splits a patient's Bundle into records.
///
/// # Errors
/// No Patient, more than one, or a resource of another patient; the element is named.
pub fn split(bundle: Bundle) -> Result<Intake, Refusal> {
    let entries = bundle.entries;
    let patient = find_patient(&entries)?;
    let links = Links::read(&entries);
    check_subjects(&entries, &links, patient)?;
    let encounters = ordered_encounters(&entries);
    let (homes, placed_by_rule) = place(&entries, &links, &encounters, patient);
    let of_kind = |kind: &str| {
        entries
            .iter()
            .filter(|entry| entry.kind() == kind)
            .cloned()
            .collect()
    };
    Ok(Intake {
        patient: entries[patient].clone(),
        practitioners: of_kind("Practitioner"),
        organizations: of_kind("Organization"),
        records: assemble(&entries, &links, &encounters, &homes, patient),
        placed_by_rule,
    })
}

fn find_patient(entries: &[Entry]) -> Result<usize, Refusal> {
    let root = Place::root("Bundle");
    let list = root.name("entry");
    let mut patients = entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| entry.kind() == "Patient");
    let (first, _) = patients
        .next()
        .ok_or_else(|| list.refuse(Fault::NoPatient))?;
    match patients.next() {
        Some((second, _)) => Err(list
            .index(second)
            .name("resource")
            .refuse(Fault::SecondPatient)),
        None => Ok(first),
    }
}

/// References between entries, by position.
struct Links {
    /// Where each spelling of a reference leads; a full URL wins over the others, then the first entry.
    targets: BTreeMap<String, usize>,
    /// The entries each entry refers to, in the order of its elements' names.
    out: Vec<Vec<usize>>,
}

impl Links {
    fn read(entries: &[Entry]) -> Self {
        let mut targets = BTreeMap::new();
        for (at, entry) in entries.iter().enumerate() {
            targets.insert(entry.full_url.clone(), at);
        }
        for (at, entry) in entries.iter().enumerate() {
            for spelling in spellings(entry) {
                targets.entry(spelling).or_insert(at);
            }
        }
        let mut links = Self {
            targets,
            out: Vec::new(),
        };
        for entry in entries {
            let mut found = Vec::new();
            collect_references(&entry.resource, &mut |reference| {
                found.extend(links.target(reference))
            });
            links.out.push(found);
        }
        links
    }

    /// The entry that `reference` points at, if the Bundle holds it.
    fn target(&self, reference: &str) -> Option<usize> {
        let unversioned = reference.split("/_history/").next().unwrap_or(reference);
        self.targets.get(unversioned).copied()
    }
}

fn collect_references(json: &Json, found: &mut impl FnMut(&str)) {
    match json {
        Json::Object(object) => {
            if let Some(Json::String(reference)) = object.get("reference") {
                found(reference);
            }
            object
                .values()
                .for_each(|inner| collect_references(inner, found));
        }
        Json::Array(items) => items
            .iter()
            .for_each(|inner| collect_references(inner, found)),
        _ => {}
    }
}

/// Every subject that names a patient must be this one: records of two people never mix.
fn check_subjects(entries: &[Entry], links: &Links, patient: usize) -> Result<(), Refusal> {
    let root = Place::root("Bundle");
    let list = root.name("entry");
    for (index, entry) in entries.iter().enumerate() {
        for name in ["subject", "patient", "beneficiary"] {
            let Some(reference) = entry
                .resource
                .get(name)
                .and_then(|subject| subject.text("reference"))
            else {
                continue;
            };
            let elsewhere = match links.target(reference) {
                Some(target) => target != patient && entries[target].kind() == "Patient",
                None => !["Group/", "Device/", "Location/"]
                    .iter()
                    .any(|other| reference.contains(other)),
            };
            if elsewhere {
                let here = list.index(index);
                let resource = here.name("resource");
                return Err(resource.name(name).refuse(Fault::OtherPatient));
            }
        }
    }
    Ok(())
}

/// An encounter's position among the entries and its period.
struct EncounterAt {
    entry: usize,
    start: Option<i64>,
    end: Option<i64>,
}

impl EncounterAt {
    /// Microseconds between `date` and the encounter's period; 0 within it.
    fn distance(&self, date: i64) -> i64 {
        let start = self.start.unwrap_or(i64::MIN / 4);
        let end = self.end.unwrap_or(start).max(start);
        if date < start {
            start - date
        } else {
            (date - end).max(0)
        }
    }
}

fn ordered_encounters(entries: &[Entry]) -> Vec<EncounterAt> {
    let bound = |entry: &Entry, name: &str| {
        let text = entry.resource.at(&["period", name])?.as_str()?;
        Moment::parse(text).map(|moment| moment.micros)
    };
    let mut encounters: Vec<EncounterAt> = (0..entries.len())
        .filter(|at| entries[*at].kind() == "Encounter")
        .map(|at| EncounterAt {
            entry: at,
            start: bound(&entries[at], "start"),
            end: bound(&entries[at], "end"),
        })
        .collect();
    encounters.sort_by_key(|encounter| {
        (
            encounter.start.unwrap_or(i64::MAX),
            entries[encounter.entry].full_url.clone(),
        )
    });
    encounters
}

/// Gives every entry that has an encounter its position in `encounters`.
fn place(
    entries: &[Entry],
    links: &Links,
    encounters: &[EncounterAt],
    patient: usize,
) -> (Vec<Option<usize>>, [usize; 6]) {
    let mut homes: Vec<Option<usize>> = vec![None; entries.len()];
    let mut counts = [0; 6];
    if encounters.is_empty() {
        return (homes, counts);
    }
    let number: BTreeMap<usize, usize> = encounters
        .iter()
        .enumerate()
        .map(|(number, encounter)| (encounter.entry, number))
        .collect();
    let owned = |at: usize| at != patient && !DIRECTORY.contains(&entries[at].kind());
    for at in (0..entries.len()).filter(|at| owned(*at)) {
        if let Some(own) = number.get(&at) {
            homes[at] = Some(*own);
            counts[0] += 1;
        } else if let Some(named) = named_encounter(&entries[at].resource, links, &number) {
            homes[at] = Some(named);
            counts[1] += 1;
        }
    }
    while follow(entries.len(), links, &owned, &mut homes, &mut counts) {}
    for at in (0..entries.len()).filter(|at| owned(*at)) {
        if homes[at].is_none() {
            let date = date_of(&entries[at].resource).map(|moment| moment.micros);
            homes[at] = Some(date.map_or(0, |date| nearest(encounters, date)));
            counts[if date.is_some() { 4 } else { 5 }] += 1;
        }
    }
    (homes, counts)
}

/// Rule 2: the encounter that the resource names.
fn named_encounter(
    resource: &Json,
    links: &Links,
    number: &BTreeMap<usize, usize>,
) -> Option<usize> {
    let direct = [resource.get("encounter"), resource.get("context")];
    let context_list = resource
        .at(&["context", "encounter"])
        .map_or(&[][..], Json::items);
    let items = resource
        .list("item")
        .iter()
        .flat_map(|item| item.list("encounter"));
    direct
        .into_iter()
        .flatten()
        .chain(context_list)
        .chain(items)
        .filter_map(|reference| links.target(reference.text("reference")?))
        .find_map(|target| number.get(&target).copied())
}

/// One pass of the rules 3 and 4; whether anything found its place.
fn follow(
    count: usize,
    links: &Links,
    owned: &impl Fn(usize) -> bool,
    homes: &mut [Option<usize>],
    counts: &mut [usize; 6],
) -> bool {
    let mut changed = false;
    for at in (0..count).filter(|at| owned(*at)) {
        if homes[at].is_none()
            && let Some(home) = links.out[at].iter().find_map(|target| homes[*target])
        {
            homes[at] = Some(home);
            counts[2] += 1;
            changed = true;
        }
    }
    let mut earliest: BTreeMap<usize, usize> = BTreeMap::new();
    for at in 0..count {
        let Some(home) = homes[at] else { continue };
        for target in links.out[at]
            .iter()
            .filter(|target| owned(**target) && homes[**target].is_none())
        {
            let known = earliest.entry(*target).or_insert(home);
            *known = home.min(*known);
        }
    }
    for (target, home) in earliest {
        homes[target] = Some(home);
        counts[3] += 1;
        changed = true;
    }
    changed
}

fn nearest(encounters: &[EncounterAt], date: i64) -> usize {
    let distances = encounters
        .iter()
        .enumerate()
        .map(|(number, encounter)| (encounter.distance(date), number));
    distances.min().map_or(0, |(_, number)| number)
}

fn assemble(
    entries: &[Entry],
    links: &Links,
    encounters: &[EncounterAt],
    homes: &[Option<usize>],
    patient: usize,
) -> Vec<EncounterRecord> {
    let count = encounters.len().max(1);
    let mut members: Vec<BTreeSet<usize>> = vec![BTreeSet::from([patient]); count];
    let directory = |at: usize| DIRECTORY.contains(&entries[at].kind());
    let clinical = (0..entries.len()).filter(|at| *at != patient && !directory(*at));
    for at in clinical {
        members[homes[at].unwrap_or(0)].insert(at);
    }
    if encounters.is_empty() && members[0].len() == 1 {
        return Vec::new();
    }
    let mut referred = BTreeSet::new();
    for member in &mut members {
        let mut open: Vec<usize> = member.iter().copied().collect();
        while let Some(at) = open.pop() {
            for target in links.out[at].iter().filter(|target| directory(**target)) {
                referred.insert(*target);
                if member.insert(*target) {
                    open.push(*target);
                }
            }
        }
    }
    members[0].extend((0..entries.len()).filter(|at| directory(*at) && !referred.contains(at)));
    let record = |(number, member): (usize, BTreeSet<usize>)| {
        let encounter = encounters
            .get(number)
            .map(|encounter| entries[encounter.entry].full_url.clone());
        describe(
            Record::sorted(member.into_iter().map(|at| entries[at].clone()).collect()),
            encounter,
        )
    };
    members.into_iter().enumerate().map(record).collect()
}

fn describe(record: Record, encounter_url: Option<String>) -> EncounterRecord {
    let managing = record
        .patient()
        .at(&["managingOrganization", "reference"])
        .and_then(Json::as_str)
        .and_then(|reference| record.resolve(reference))
        .and_then(identifier_key);
    EncounterRecord {
        encounter_url,
        started: record.started(),
        organization_key: record.organization_key().or(managing),
        practitioner_key: record
            .practitioners()
            .first()
            .and_then(|one| identifier_key(one)),
        record,
    }
}

#[cfg(test)]
mod tests;
