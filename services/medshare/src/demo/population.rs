//! The patients of the story: read from Bundles or made up, and divided between the two hospitals.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clinical::bundle::{Bundle, Entry};
use clinical::generator::{Course, Plan, vital_series};
use clinical::hospital::hospital_of;
use clinical::json::{Json, Limits};
use clinical::record::identity_id;
use clinical::split::split;
use clinical::vitals::Reading;
use clinical::{claim, generator, physionet};

use super::Demo;

/// The hospitals whose databases the story begins with.
pub(super) const HOSPITALS: usize = 2;
/// Chronic sinusitis and hypertension in SNOMED CT.
pub(super) const SINUSITIS: &str = "40055000";
pub(super) const HYPERTENSION: &str = "38341003";
const MINUTE_US: u64 = 60_000_000;

/// A person with records.
pub(super) struct Person {
    /// As on the identity document.
    pub(super) real_name: String,
    /// The identity ID.
    pub(super) identity_id: String,
    /// What each hospital imports: a Bundle of the encounters it provided, none where there is no such encounter.
    pub(super) bundles: Vec<Option<Vec<u8>>>,
    /// How many records that makes at each hospital.
    pub(super) records: Vec<usize>,
    /// Payers named by the Claims.
    pub(super) payers: BTreeSet<String>,
}

/// Everybody, and what their devices read.
pub(super) struct Population {
    /// The patients.
    pub(super) people: Vec<Person>,
    /// Records of all.
    pub(super) records: usize,
    /// Claims of all.
    pub(super) claims: usize,
    /// Patients by disease.
    pub(super) diseases: BTreeMap<&'static str, usize>,
    vitals: Option<PathBuf>,
}

impl Population {
    /// Reads or makes up the patients.
    pub(super) fn gather(arguments: &Demo) -> anyhow::Result<Population> {
        let at_most = arguments.patients.unwrap_or(usize::MAX);
        let bundles = match &arguments.data {
            Some(folder) => read_bundles(folder, at_most)?,
            None => {
                let mut plan = Plan::default();
                plan.patients = arguments.patients.unwrap_or(plan.patients);
                generator::patients(&plan)
                    .map(|json| {
                        Bundle::from_json(json).map_err(|refusal| {
                            anyhow::anyhow!("{}: {}", refusal.expression, refusal.fault)
                        })
                    })
                    .collect::<anyhow::Result<Vec<_>>>()?
            }
        };
        let mut population = Population {
            people: Vec::new(),
            records: 0,
            claims: 0,
            diseases: BTreeMap::new(),
            vitals: arguments.vitals.clone(),
        };
        for bundle in bundles {
            population.add(bundle)?;
        }
        eprintln!(
            "demo: {} patients with {} records and {} claims",
            population.people.len(),
            population.records,
            population.claims
        );
        Ok(population)
    }

    /// Records that hospital `hospital` will have.
    pub(super) fn records_at(&self, hospital: usize) -> usize {
        self.people
            .iter()
            .map(|person| person.records[hospital])
            .sum()
    }

    /// The threshold under which chronic sinusitis shows and hypertension hides: `usual` where the patients allow it.
    pub(super) fn threshold(&self, usual: i64) -> i64 {
        let of = |code| self.diseases.get(code).copied().unwrap_or_default() as i64;
        let (shown, hidden) = (of(SINUSITIS), of(HYPERTENSION));
        if shown >= usual && hidden < usual {
            usual
        } else {
            shown.max(1)
        }
    }

    fn add(&mut self, bundle: Bundle) -> anyhow::Result<()> {
        let refused = |refusal: clinical::Refusal| {
            anyhow::anyhow!("{}: {}", refusal.expression, refusal.fault)
        };
        let intake = split(bundle).map_err(refused)?;
        let patient = &intake.patient.resource;
        let mut person = Person {
            real_name: name_of(patient),
            identity_id: identity_id(patient).context("a Patient without identity ID")?,
            bundles: Vec::new(),
            records: vec![0; HOSPITALS],
            payers: BTreeSet::new(),
        };
        let mut entries: Vec<BTreeMap<String, Entry>> = vec![BTreeMap::new(); HOSPITALS];
        let mut diseases = BTreeSet::new();
        for encounter in intake.records {
            let hospital = encounter
                .organization_key
                .as_deref()
                .map_or(0, |key| hospital_of(key, HOSPITALS));
            person.records[hospital] += 1;
            self.records += 1;
            for charge in claim::charges(&encounter.record).map_err(refused)? {
                self.claims += 1;
                person.payers.insert(charge.payer);
            }
            for entry in encounter.record.into_entries() {
                let codes = entry
                    .resource
                    .at(&["code"])
                    .map(|code| code.list("coding"))
                    .unwrap_or_default();
                if entry.kind() == "Condition" {
                    diseases.extend(codes.iter().filter_map(|coding| {
                        let code = coding.text("code")?;
                        [SINUSITIS, HYPERTENSION]
                            .into_iter()
                            .find(|known| *known == code)
                    }));
                }
                entries[hospital].insert(entry.full_url.clone(), entry);
            }
        }
        for disease in diseases {
            *self.diseases.entry(disease).or_default() += 1;
        }
        let count = person.records.clone();
        person.bundles = entries
            .into_iter()
            .zip(count)
            .map(|(entries, records)| (records > 0).then(|| bundle_of(entries.into_values())))
            .collect();
        self.people.push(person);
        Ok(())
    }

    /// Readings of one device, in packs by the hour, newest a minute ago.
    pub(super) fn readings(&self, now_us: u64) -> anyhow::Result<Vec<Vec<Reading>>> {
        let readings = match &self.vitals {
            None => vital_series(
                1,
                0,
                Course::Deteriorating,
                now_us - 12 * 60 * MINUTE_US,
                48,
                15,
            ),
            Some(folder) => {
                let file = files(folder, "txt")?
                    .into_iter()
                    .next()
                    .context("no series in the folder")?;
                let series = physionet::parse(&std::fs::read_to_string(&file)?)?;
                let last = series
                    .readings
                    .iter()
                    .map(|reading| u64::from(reading.minute))
                    .max()
                    .unwrap_or_default();
                series.at(now_us - (last + 1) * MINUTE_US)
            }
        };
        let mut packs: BTreeMap<u64, Vec<Reading>> = BTreeMap::new();
        for reading in readings {
            packs
                .entry(reading.at_micros / (60 * MINUTE_US))
                .or_default()
                .push(reading);
        }
        Ok(packs.into_values().collect())
    }
}

fn bundle_of(entries: impl Iterator<Item = Entry>) -> Vec<u8> {
    let entries = entries
        .map(|entry| {
            Json::object([
                ("fullUrl", entry.full_url.as_str().into()),
                ("resource", entry.resource),
            ])
        })
        .collect();
    Json::object([
        ("resourceType", "Bundle".into()),
        ("type", "collection".into()),
        ("entry", Json::Array(entries)),
    ])
    .to_bytes()
}

fn name_of(patient: &Json) -> String {
    let Some(name) = patient.list("name").first() else {
        return "Unknown".to_owned();
    };
    let given = name.list("given").iter().filter_map(Json::as_str);
    given
        .chain(name.text("family"))
        .collect::<Vec<_>>()
        .join(" ")
}

fn read_bundles(folder: &Path, at_most: usize) -> anyhow::Result<Vec<Bundle>> {
    let files = files(folder, "json")?;
    let read = files.into_iter().take(at_most).map(|file| {
        let bytes = std::fs::read(&file)?;
        Bundle::parse(&bytes, &Limits::default()).map_err(|refusal| {
            anyhow::anyhow!(
                "{}: {}: {}",
                file.display(),
                refusal.expression,
                refusal.fault
            )
        })
    });
    read.collect()
}

fn files(folder: &Path, extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|file| file.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    if files.is_empty() {
        bail!("{} holds no .{extension} files", folder.display());
    }
    Ok(files)
}
