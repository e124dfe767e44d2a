//! `medshare bench search`: disease searches through REST over an index of many records.
//!
//! The index's database is filled before the system starts: each row as a hospital hands it in (its commitment opens), each
//! head as the projection makes it. The service then starts as always, which opens every row and its commitment.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clinical::brief::{AgeBand, Brief, RecordClass, Sex};
use clinical::terminology;
use contracts::RecordNumber;
use interfaces::Base64;
use interfaces::index::{DiseaseSearchResult, IndexRow};
use ledger::{Digest, LedgerId, canonical};
use serde::Serialize;
use serde_json::json;

use super::SearchBench;
use super::measure::{Conditions, Latencies};
use super::proc;
use super::report::Report;
use super::whole_system::WholeSystem;
use crate::demo::story::sign_in;

const ROWS_AT_ONCE: u64 = 10_000;
const RECORDS_PER_PERSON: u64 = 5;
const HOSPITALS: u64 = 40;
/// ICD-10 codes besides the diseases of the terminology: a long tail of rare ones.
const RARE_DISEASES: u64 = 5_000;

#[derive(Debug, Serialize)]
struct Figures {
    records: u64,
    diseases: usize,
    /// Diseases asked for as often as records have them.
    mixed: Latencies,
    /// The disease that most patients have.
    commonest: Latencies,
    commonest_patients: u64,
    /// The next page of the same.
    pages: Latencies,
    start_seconds: f64,
    index_resident_mb: f64,
    database_mb: f64,
}

/// Measures as asked.
pub async fn run(arguments: &SearchBench) -> anyhow::Result<Report> {
    let conditions = Conditions::of(format!(
        "{} records of {} persons in {HOSPITALS} hospitals; through REST, sealed bus and token check; one at a time",
        arguments.records,
        arguments.records / RECORDS_PER_PERSON
    ));
    let population = Population::new(arguments.records);
    let whole = WholeSystem::start(&arguments.dir, async |layout| {
        let file = layout.process("index").join("data/index.db");
        crate::files::make_private_folder(file.parent().context("a file is in a folder")?)?;
        let url = store::sqlite_url(&file);
        let filled = index::filling::fill(&url, population.parts()).await?;
        ensure!(
            filled == arguments.records,
            "{filled} records were filled in"
        );
        Ok(())
    })
    .await?;
    let began = Instant::now();
    whole.system.restart("index").await?;
    let start_seconds = began.elapsed().as_secs_f64();
    let insurer = sign_in(&whole.client, whole.layout(), "mutual", "member.json").await?;

    let ask = async |disease: &str,
                     after: Option<&str>|
           -> anyhow::Result<(Duration, DiseaseSearchResult)> {
        let request = json!({ "disease": disease, "page": { "after": after, "limit": 50 } });
        let began = Instant::now();
        let answer = insurer.post("/v1/searches", &request).await?;
        Ok((began.elapsed(), answer))
    };
    let commonest = population.diseases[0].clone();
    let (_, first) = ask(&commonest, None).await?;
    ensure!(
        first.patients == Some(population.patients_of(0)),
        "{:?} patients were found with the commonest disease, there are {}",
        first.patients,
        population.patients_of(0)
    );
    let (mut mixed, mut common, mut pages) = (Vec::new(), Vec::new(), Vec::new());
    let mut after = None;
    for number in 0..arguments.samples as u64 {
        // As many searches for a disease as there are records with it.
        let place =
            population.disease_of(number.wrapping_mul(2_654_435_761) % arguments.records, 0);
        let (took, answer) = ask(&population.diseases[place], None).await?;
        ensure!(
            answer.suppressed || answer.patients == Some(population.patients_of(place)),
            "a count is wrong"
        );
        mixed.push(took);
        if number % 10 == 0 {
            common.push(ask(&commonest, None).await?.0);
            let (took, page) = ask(&commonest, after.as_deref()).await?;
            ensure!(page.records.len() == 50, "a page of {}", page.records.len());
            pages.push(took);
            after = page.next;
        }
    }
    let (id, _) = proc::descendants(std::process::id())
        .into_iter()
        .find(|(_, name)| name == "index")
        .context("the index service runs")?;
    let figures = Figures {
        records: arguments.records,
        diseases: population.diseases.len(),
        mixed: Latencies::of(mixed),
        commonest: Latencies::of(common),
        commonest_patients: population.patients_of(0),
        pages: Latencies::of(pages),
        start_seconds,
        index_resident_mb: proc::memory(id)?.resident_mb,
        database_mb: file_mb(&whole.layout().process("index").join("data/index.db")),
    };
    whole.stop_and_recount(|_, _| {}).await?;
    let rows = vec![
        (
            format!("{} diseases, as common as they are", figures.diseases),
            figures.mixed.text(),
        ),
        (
            format!("the commonest ({} patients)", figures.commonest_patients),
            figures.commonest.text(),
        ),
        ("its pages".to_owned(), figures.pages.text()),
        (
            "start of the service".to_owned(),
            format!("{:.1} s", figures.start_seconds),
        ),
        (
            "memory of the service".to_owned(),
            format!("{:.0} MB resident", figures.index_resident_mb),
        ),
        (
            "its database".to_owned(),
            format!("{:.0} MB", figures.database_mb),
        ),
    ];
    Report::new("search", rows, conditions, &figures)
}

fn file_mb(file: &std::path::Path) -> f64 {
    std::fs::metadata(file).map_or(0.0, |metadata| metadata.len() as f64 / 1e6)
}

/// Made-up records, each a function of its number.
struct Population {
    records: u64,
    /// Diseases by how common they are, commonest first.
    diseases: Vec<String>,
    /// Of every 2^32 records, how many have this disease or one that is commoner.
    thresholds: Vec<u64>,
    patients: Vec<u64>,
}

impl Population {
    fn new(records: u64) -> Population {
        let mut diseases: Vec<String> = terminology::conditions()
            .map(|(code, _)| code.to_owned())
            // Searches for a group find its members too: counts are checked for single diseases.
            .filter(|code| terminology::with_descendants(code).len() == 1)
            .collect();
        diseases.extend((0..RARE_DISEASES).map(|number| format!("{}", 900_000_000_000 + number)));
        // The commonness of the n-th falls with 1/(n + 5): the commonest has about 3 % of records.
        let weights: Vec<f64> = (0..diseases.len())
            .map(|place| 1.0 / (place as f64 + 5.0))
            .collect();
        let all: f64 = weights.iter().sum();
        let mut below = 0.0;
        let thresholds = weights
            .iter()
            .map(|weight| {
                below += weight / all;
                (below * 4_294_967_296.0) as u64
            })
            .collect();
        let mut population = Population {
            records,
            patients: vec![0; diseases.len()],
            diseases,
            thresholds,
        };
        population.patients = population.count_patients();
        population
    }

    fn count_patients(&self) -> Vec<u64> {
        let mut patients = vec![0; self.diseases.len()];
        let mut of_person = BTreeSet::new();
        for record in 0..self.records {
            of_person.extend([self.disease_of(record, 0), self.disease_of(record, 1)]);
            if record % RECORDS_PER_PERSON == RECORDS_PER_PERSON - 1 || record + 1 == self.records {
                for place in std::mem::take(&mut of_person) {
                    patients[place] += 1;
                }
            }
        }
        patients
    }

    fn patients_of(&self, place: usize) -> u64 {
        self.patients[place]
    }

    /// The place of a record's first or second disease.
    fn disease_of(&self, record: u64, which: u64) -> usize {
        let drawn = mixed(record * 2 + which) >> 32;
        let place = self
            .thresholds
            .partition_point(|threshold| *threshold <= drawn);
        place.min(self.diseases.len() - 1)
    }

    fn parts(&self) -> impl Iterator<Item = Vec<IndexRow>> {
        (0..self.records)
            .step_by(ROWS_AT_ONCE as usize)
            .map(|from| {
                (from..(from + ROWS_AT_ONCE).min(self.records))
                    .map(|record| self.row(record))
                    .collect()
            })
    }

    fn row(&self, record: u64) -> IndexRow {
        let person = record / RECORDS_PER_PERSON;
        let (of_record, of_person) = (mixed(record ^ 0x5eed), mixed(person ^ 0xface));
        let snomed: BTreeSet<String> = [0, 1]
            .map(|which| self.diseases[self.disease_of(record, which)].clone())
            .into();
        let icd10 = snomed
            .iter()
            .flat_map(|code| terminology::translate(code))
            .map(|row| row.code.clone());
        let hospital = LedgerId(bytes(of_record % HOSPITALS));
        let brief = Brief {
            icd10: icd10.collect(),
            snomed,
            age_band: AgeBand::from_code((of_person % 10) as u8),
            sex: [Sex::Female, Sex::Male][(of_person >> 8) as usize % 2],
            year: Some(2000 + (of_record >> 16) as i32 % 25),
            class: RecordClass::Ambulatory,
            hospital: hospital.to_string(),
        };
        IndexRow {
            record: RecordNumber(bytes(of_record)),
            version: 1,
            hospital,
            patient: LedgerId(bytes(of_person ^ (of_record % HOSPITALS))),
            person: Digest(bytes(of_person)),
            facts: Base64(canonical::encode(&brief)),
            salt: Digest(bytes(of_record ^ 0xa17)),
        }
    }
}

/// SplitMix64: numbers that look drawn, the same in every run.
fn mixed(number: u64) -> u64 {
    let mut state = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    state = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ state >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ state >> 31
}

fn bytes<const N: usize>(number: u64) -> [u8; N] {
    let mut bytes = [0; N];
    for (place, part) in bytes.chunks_mut(8).enumerate() {
        part.copy_from_slice(
            &mixed(number.wrapping_add((place as u64) << 56)).to_be_bytes()[..part.len()],
        );
    }
    bytes
}
