//! `medshare bench register`: a doctor writes a record through REST and has its verified receipt.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use client::{ClientError, Member};
use clinical::bundle::Bundle;
use clinical::generator;
use clinical::json::Json;
use clinical::record::identity_id;
use clinical::split::split;
use contracts::Event;
use contracts::membership::command::MemberKind;
use contracts::records::event::Event as RecordEvent;
use interfaces::records::RegisteredRecord;
use ledger::Digest;
use serde::Serialize;

use super::RegisterBench;
use super::measure::{Conditions, Latencies};
use super::report::Report;
use super::whole_system::WholeSystem;
use crate::demo::story::wait_for;

/// One encounter of a patient, from which any number of others are made.
struct Encounter {
    text: String,
    /// What must differ from record to record.
    ids: Vec<String>,
    /// The patient's identity ID.
    identity_id: String,
}

impl Encounter {
    /// A Bundle with an encounter that never was before.
    fn fresh(&self) -> Vec<u8> {
        let mut text = self.text.clone();
        for id in &self.ids {
            text = text.replace(id, &uuid());
        }
        text.into_bytes()
    }
}

/// 16 random bytes in the form of a UUID.
fn uuid() -> String {
    let hex = Digest(keys::secret::random()).to_string();
    let part = |from: usize, until: usize| &hex[from..until];
    format!(
        "{}-{}-4{}-8{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 15),
        part(15, 18),
        part(18, 30)
    )
}

/// Registrations as fast as `at_once` doctors' browsers manage, each waiting for its receipt.
#[derive(Debug, Serialize)]
struct Load {
    at_once: usize,
    records_per_second: f64,
    #[serde(flatten)]
    latencies: Latencies,
}

#[derive(Debug, Serialize)]
struct Figures {
    /// One at a time, with a pause after each.
    alone: Latencies,
    loads: Vec<Load>,
    highest_per_second: f64,
    bundle_bytes: usize,
    receipts_verified: usize,
    records_on_ledger: usize,
}

/// Measures as asked.
pub async fn run(arguments: &RegisterBench) -> anyhow::Result<Report> {
    let conditions = Conditions::of(
        "4 replicas, 1 broker, all services as processes, SQLite with synchronous FULL, every signature and receipt checked",
    );
    let whole = WholeSystem::start(&arguments.dir, async |_| Ok(())).await?;
    let doctor = whole.doctor().await?;
    let path = Arc::new(whole.hospital_path("records")?);
    let encounters = Arc::new(enrolled(&whole, &doctor, &path, arguments.patients).await?);
    let before = whole.client.receipts().count();

    let mut samples = Vec::new();
    for number in 0..arguments.samples {
        let encounter = &encounters[number % encounters.len()];
        samples.push(register(&doctor, &path, encounter.fresh()).await?);
        tokio::time::sleep(Duration::from_millis(arguments.pause_ms)).await;
    }
    let alone = Latencies::of(samples);
    let mut loads = Vec::new();
    for at_once in [1, 4, 16, 64] {
        loads.push(load(&doctor, &path, &encounters, at_once, arguments.seconds).await?);
    }
    let verified = whole.client.receipts().count() - before;
    let mut on_ledger = 0;
    whole
        .stop_and_recount(|event, _| {
            if matches!(event, Event::Records(RecordEvent::RecordRegistered { .. })) {
                on_ledger += 1;
            }
        })
        .await?;
    let counted = alone.samples
        + loads
            .iter()
            .map(|load| load.latencies.samples)
            .sum::<usize>();
    ensure!(
        verified == counted,
        "{counted} registrations were answered, but {verified} receipts verify"
    );
    // Of each patient one was registered before, to bring the patient's id at the hospital into being.
    let expected = counted + encounters.len();
    ensure!(
        on_ledger == expected,
        "{expected} records were registered, but the ledger has {on_ledger}"
    );
    let highest = loads
        .iter()
        .map(|load| load.records_per_second)
        .fold(0.0, f64::max);
    let figures = Figures {
        bundle_bytes: encounters[0].text.len(),
        receipts_verified: verified,
        records_on_ledger: on_ledger,
        alone,
        loads,
        highest_per_second: highest,
    };
    let mut rows = vec![("one at a time".to_owned(), figures.alone.text())];
    for load in &figures.loads {
        let text = format!(
            "{:.0} records/s, {}",
            load.records_per_second,
            load.latencies.text()
        );
        rows.push((format!("{} at once", load.at_once), text));
    }
    Report::new("register", rows, conditions, &figures)
}

/// Patients who have registered, with one record each at the hospital.
async fn enrolled(
    whole: &WholeSystem,
    doctor: &Member,
    path: &str,
    patients: usize,
) -> anyhow::Result<Vec<Encounter>> {
    let plan = generator::Plan {
        patients,
        ..generator::Plan::default()
    };
    let mut encounters = Vec::new();
    for patient in generator::patients(&plan) {
        let encounter = first_encounter(patient)?;
        let name = format!("Patient {}", encounters.len());
        whole
            .person(MemberKind::Patient, &name, &encounter.identity_id)
            .await?;
        let bundle = encounter.fresh();
        // The first record waits until the patient's id at the hospital is endorsed; then it is a record already.
        wait_for("a patient's first record is registered", async || {
            let written: Result<RegisteredRecord, ClientError> =
                doctor.post_fhir(path, bundle.clone()).await;
            match written {
                Ok(_) => Ok(Some(())),
                Err(ClientError::Problem(problem)) if problem.status == 409 => Ok(Some(())),
                Err(ClientError::Unreadable { .. }) => Ok(None),
                Err(error) => Err(error.into()),
            }
        })
        .await?;
        encounters.push(encounter);
    }
    Ok(encounters)
}

fn first_encounter(patient: Json) -> anyhow::Result<Encounter> {
    let refused = |refusal: clinical::Refusal| anyhow::anyhow!("{}", refusal.expression);
    let intake = split(Bundle::from_json(patient).map_err(refused)?).map_err(refused)?;
    let identity_id =
        identity_id(&intake.patient.resource).context("a Patient without identity ID")?;
    let record = intake
        .records
        .into_iter()
        .find(|record| record.encounter_url.is_some())
        .context("a patient without encounters")?;
    let mut ids = Vec::new();
    let mut entries = Vec::new();
    for entry in record.record.into_entries() {
        if !matches!(entry.kind(), "Patient" | "Practitioner" | "Organization") {
            let url = entry.full_url.as_str();
            ids.push(url.strip_prefix("urn:uuid:").unwrap_or(url).to_owned());
        }
        entries.push(Json::object([
            ("fullUrl", entry.full_url.as_str().into()),
            ("resource", entry.resource),
        ]));
    }
    let bundle = Json::object([
        ("resourceType", "Bundle".into()),
        ("type", "collection".into()),
        ("entry", Json::Array(entries)),
    ]);
    Ok(Encounter {
        text: String::from_utf8(bundle.to_bytes())?,
        ids,
        identity_id,
    })
}

/// Writes one record; how long it took until its receipt was verified.
async fn register(doctor: &Member, path: &str, bundle: Vec<u8>) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let written: RegisteredRecord = doctor.post_fhir(path, bundle).await?;
    doctor.client().receipts().verify(&written.committed)?;
    Ok(began.elapsed())
}

async fn load(
    doctor: &Member,
    path: &Arc<String>,
    encounters: &Arc<Vec<Encounter>>,
    at_once: usize,
    seconds: u64,
) -> anyhow::Result<Load> {
    let (over, next) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let began = Instant::now();
    let mut working = HashMap::new();
    for number in 0..at_once {
        let (doctor, path, encounters) = (doctor.clone(), path.clone(), encounters.clone());
        let (over, next) = (over.clone(), next.clone());
        let work = async move {
            let mut samples = Vec::new();
            while !over.load(Ordering::Relaxed) {
                let turn = next.fetch_add(1, Ordering::Relaxed);
                let bundle = encounters[turn % encounters.len()].fresh();
                samples.push(register(&doctor, &path, bundle).await?);
            }
            anyhow::Ok(samples)
        };
        working.insert(number, tokio::spawn(work));
    }
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    over.store(true, Ordering::Relaxed);
    let mut samples = Vec::new();
    for work in working.into_values() {
        samples.extend(work.await??);
    }
    Ok(Load {
        at_once,
        records_per_second: samples.len() as f64 / began.elapsed().as_secs_f64(),
        latencies: Latencies::of(samples),
    })
}
