//! Records: one process for each hospital, beside the hospital's own database.
//!
//! The hospital's rows stay the hospital's; this service keeps beside them what the ledger's commitments need: salts,
//! mapping and canonical-form versions, authorization codes, all sealed. Reading order:
//!
//! 1. `adapters`: the hospital's database behind a table mapping.
//! 2. `intake`: from a FHIR Bundle to rows, and from rows to canonical bytes again.
//! 3. `facts`: what is not on the ledger. `vault`: how it is sealed.
//! 4. `commands`: a patient's records go to the ledger from whatever state they are in (`advance`).
//! 5. `projections`: what the ledger says. `integrity`: the hospital's rows against it;
//!    `sweeping`: all of them, again and again.
//! 6. `api`: one file a use case. `reactions`: what follows from committed events by itself.
//!
//! What holds: rows are written before a commitment leaves; facts and transactions are one database transaction; a
//! view is on the ledger before content leaves; nothing is shown that does not open its commitment.

pub mod adapters;

mod api;
mod commands;
mod configuration;
mod facts;
mod failure;
mod filling;
mod heard;
mod intake;
mod integrity;
mod migrations;
mod projections;
mod reactions;
mod rebuilding;
mod service;
mod sweeping;
mod vault;
mod viewing;

#[cfg(test)]
mod testing;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bus::{Bus, Router};
use chassis::{InvalidKey, Shutdown};
use keys::{MemberKey, Secret};
use store::{Outbox, Store};
use submission::Desk;
use tokio::sync::Notify;

pub use filling::{Filled, fill};
pub use rebuilding::rebuild;

pub use configuration::{
    Config, EmergenciesConfig, HospitalConfig, HospitalDatabaseConfig, IntakeConfig,
    IntegrityConfig, MemberConfig, SecretsConfig,
};

use crate::adapters::{
    DatabaseKind, HospitalDatabase, Mapping, Mappings, SqlConnector, create_demo_schema,
};
use crate::heard::Heard;
use crate::migrations::MIGRATIONS;
use crate::projections::Ledger;
use crate::service::{PatientLocks, Records};
use crate::vault::Vault;

/// Runs a hospital's records service until it is told to stop.
///
/// # Errors
/// [`InvalidKey`] for a configuration that can't be used; whatever breaks later.
pub async fn run(config: Config, shutdown: Shutdown) -> anyhow::Result<()> {
    let key = MemberKey::load(&config.member.key_file)
        .map_err(|error| InvalidKey::new("member.key_file", error))?;
    let hospital = key.ledger_id();
    if config
        .hospital
        .ledger_id
        .is_some_and(|expected| expected != hospital)
    {
        return Err(InvalidKey::new("hospital.ledger_id", "is not the one in the key file").into());
    }
    let bus_name = format!("records-{}", config.hospital.slug);
    if config.bus.user != bus_name {
        return Err(InvalidKey::new(
            "bus.user",
            format!("must be {bus_name}, after hospital.slug"),
        )
        .into());
    }
    let master = match &config.secrets.master_file {
        Some(path) => {
            Secret::load(path).map_err(|error| InvalidKey::new("secrets.master_file", error))?
        }
        None => key.seed().derive("medshare/records/master/v1"),
    };
    let database = connect_hospital_database(&config.hospital_database).await?;
    let opened = Store::open(&config.database.url, MIGRATIONS).await;
    let store = opened.map_err(|error| InvalidKey::new("database.url", error))?;
    let bus = Bus::connect(&config.bus).await?;
    let outbox = Outbox::start(&store, &bus, &shutdown);
    let (work, activated) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
    let heard = Heard::new(Duration::from_secs(
        config.emergencies.ledger_silent_seconds,
    ));
    let ledger = Ledger {
        hospital,
        heard: heard.clone(),
        work: work.clone(),
        activated: activated.clone(),
    };
    let progress = store::projections::start(&store, &bus, ledger, &shutdown).await?;
    let router = store::projections::keeping_up(Router::new(&bus), &progress);
    let records = Arc::new(Records {
        hospital,
        bus_name,
        vault: Vault::new(hospital, &master),
        key,
        sessions: config.sessions.over(progress.stopped(), &bus).await?,
        database,
        desk: Desk::new(bus.clone(), store.clone(), outbox, progress.clone()),
        store,
        bus: bus.clone(),
        progress,
        work,
        algorithm: config.intake.digest,
        plans: config.plans,
        patients: PatientLocks::default(),
        heard,
        journal: tokio::sync::Mutex::default(),
    });
    let reacting = tokio::spawn(reactions::run(records.clone(), activated, shutdown.clone()));
    let every = Duration::from_secs(config.integrity.sweep_seconds);
    let sweeping = tokio::spawn(sweeping::run(records.clone(), every, shutdown.clone()));
    let serving = api::router(router, &records).serve(shutdown.clone());
    shutdown.ready();
    serving.await?;
    reacting.await?;
    sweeping.await?;
    Ok(())
}

async fn connect_hospital_database(
    config: &HospitalDatabaseConfig,
) -> anyhow::Result<Arc<dyn HospitalDatabase>> {
    let load =
        |key: &str, name: &str| Mapping::load(name).map_err(|error| InvalidKey::new(key, error));
    let current = load("hospital_database.mapping", &config.mapping)?;
    let earlier = config
        .earlier_mappings
        .iter()
        .map(|name| load("hospital_database.earlier_mappings", name));
    let earlier = earlier.collect::<Result<Vec<Mapping>, InvalidKey>>()?;
    let mappings = Mappings::new(current, earlier)
        .map_err(|error| InvalidKey::new("hospital_database.earlier_mappings", error))?;
    let is_demo =
        config.kind == DatabaseKind::Sqlite && ["a", "b"].contains(&config.mapping.as_str());
    if config.demo_schema.unwrap_or(is_demo) {
        create_demo_schema(config.kind, &config.url, &config.mapping)
            .await
            .map_err(|error| InvalidKey::new("hospital_database.url", error))?;
    }
    let connector = SqlConnector::connect(config.kind, &config.url, mappings)
        .await
        .map_err(|error| InvalidKey::new("hospital_database.url", error))?;
    Ok(Arc::new(connector))
}
