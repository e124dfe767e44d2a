//! `medshare init`: makes a whole system from the description of a consortium: keys, certificate authority, genesis
//! file, broker users, configuration of every process. Nothing is started.
//!
//! Each process gets a folder of its own with its own keys and credentials; keys of organisations that no process needs
//! lie apart, below `organisations/`. On one machine all of it is below one folder; in production each folder goes to
//! whom it belongs.

pub(crate) mod certificates;
mod configuration;
mod databases;
mod hospital;
mod members;
mod node;
mod process_keys;

use std::path::Path;

use anyhow::{Context as _, ensure};
use ledger::{
    Epoch, EpochDescription, GenesisFile, GenesisParameters, Height, ReplicaDescription, ReplicaId,
    Timestamp,
};
use serde::{Deserialize, Serialize};

pub use certificates::organisation_files;
pub use databases::create_databases;
pub use hospital::{HospitalAdded, add_hospital};
pub use node::{NodeAdded, add_node};

use crate::consortium::{Consortium, OrganisationKind, Tls};
use crate::files;
use crate::layout::Layout;
use crate::system::{Listener, ProcessDescription, SystemDescription};
use certificates::Issuer;
use members::Members;
use process_keys::ProcessKeys;

/// Services that the authority runs besides identity, with the stage in which they start.
const AUTHORITY_SERVICES: [&str; 6] = [
    "index",
    "authorization",
    "settlement",
    "iot",
    "gateway",
    "portal",
];

const STAGE_BROKERS: u32 = 0;
const STAGE_REPLICAS: u32 = 1;
const STAGE_IDENTITY: u32 = 2;
const STAGE_SERVICES: u32 = 3;
const STAGE_GATEWAY: u32 = 4;

/// What was made, for people and machines.
#[derive(Clone, Debug, Serialize)]
pub struct Made {
    /// The system's folder.
    pub folder: String,
    /// The chain id: the genesis file's digest.
    pub chain: String,
    /// The processes that `up` starts.
    pub processes: Vec<String>,
    /// The replicas and who operates them.
    pub replicas: Vec<(String, String)>,
}

/// Public keys that everybody in the consortium may know, kept for processes that join later.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicKeys {
    /// Verifies session tokens.
    pub session_tokens: ledger::PublicKey,
    /// What is sealed to the regulator is sealed to this.
    pub regulator_sealing_key: keys::SealingPublicKey,
}

impl PublicKeys {
    fn file(layout: &Layout) -> std::path::PathBuf {
        layout.root().join("public-keys.json")
    }
}

/// Makes the system below `folder`, which must be empty or absent.
pub fn init(consortium: &Consortium, folder: &Path) -> anyhow::Result<Made> {
    let is_empty = match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => {
            return Err(error).with_context(|| format!("{} cannot be read", folder.display()));
        }
    };
    ensure!(
        is_empty,
        "{} is not empty; a system is made in a folder of its own",
        folder.display()
    );
    let layout = Layout::new(std::path::absolute(folder)?);
    files::make_private_folder(layout.root())?;
    files::make_private_folder(&layout.broker_users())?;

    let now = Timestamp(chassis::clock::now());
    let system = processes(consortium);
    let members = Members::make(consortium, &layout)?;
    let root = certificates::make_authority(consortium, &layout, now)?;
    let mut replicas = Vec::new();
    for process in &system.processes {
        let keys = ProcessKeys::make(&layout, process)?;
        if let (Some(number), Some(voting)) = (replica_number(&process.name), &keys.voting) {
            let replica = ReplicaId(number);
            replicas.push(ReplicaDescription {
                replica,
                operator: members.operator(&process.operator)?,
                public_key: voting.public_key(),
            });
        }
    }
    let genesis = GenesisFile {
        name: consortium.name.clone(),
        time: now,
        epoch: EpochDescription {
            epoch: Epoch(0),
            first_height: Height(0),
            replicas,
        },
        certificate_authority: root.digest()?,
        members: members.genesis,
        parameters: GenesisParameters(consortium.parameters.clone()),
    };
    genesis.check()?;
    contracts::genesis(&genesis)
        .context("the genesis state cannot be made; see `parameters` of the description")?;
    files::write(&layout.genesis(), genesis.to_json().as_bytes())?;

    let public_keys = PublicKeys {
        session_tokens: configuration::session_token_key(&layout)?,
        regulator_sealing_key: members.regulator_sealing_key,
    };
    files::write_json(&PublicKeys::file(&layout), &public_keys)?;
    for process in &system.processes {
        configuration::write(&layout, consortium, &public_keys, process)?;
    }
    if consortium.tls == Tls::Mutual {
        let issuer = Issuer::open(&layout, consortium)?;
        for process in &system.processes {
            issuer.process(process)?;
        }
        for organisation in &consortium.organisations {
            issuer.organisation(&organisation.slug)?;
        }
    }
    files::write(
        &layout.consortium(),
        toml::to_string(consortium)?.as_bytes(),
    )?;
    system.save(&layout.system())?;
    Ok(made(&layout, &system, &genesis))
}

fn made(layout: &Layout, system: &SystemDescription, genesis: &GenesisFile) -> Made {
    Made {
        folder: layout.root().display().to_string(),
        chain: genesis.chain_id().to_string(),
        processes: system
            .processes
            .iter()
            .map(|process| process.name.clone())
            .collect(),
        replicas: system
            .processes
            .iter()
            .filter(|process| replica_number(&process.name).is_some())
            .map(|process| (process.name.clone(), process.operator.clone()))
            .collect(),
    }
}

/// The number in `replica-<n>`.
pub(crate) fn replica_number(name: &str) -> Option<u16> {
    name.strip_prefix("replica-")?.parse().ok()
}

/// Every process of a consortium.
fn processes(consortium: &Consortium) -> SystemDescription {
    let authority = &consortium.authority().slug;
    let brokers = broker_names(consortium.brokers);
    // The nearest broker first; the others are where a process goes when it is gone.
    let brokers_from = |index: usize| {
        let mut order = brokers.clone();
        order.rotate_left(index % brokers.len());
        order
    };
    let process =
        |name: String, command: &str, operator: &str, stage, nearest| ProcessDescription {
            name,
            command: command.to_owned(),
            operator: operator.to_owned(),
            stage,
            brokers: brokers_from(nearest),
            listeners: Vec::new(),
        };
    let mut processes: Vec<_> = brokers
        .iter()
        .enumerate()
        .map(|(index, name)| broker(&brokers, index, name, authority))
        .collect();
    for (index, operator) in consortium.operators().enumerate() {
        let number = u16::try_from(index).unwrap_or(u16::MAX);
        processes.push(replica(number, &operator.slug, brokers_from(index)));
    }
    processes.push(process(
        "identity".into(),
        "identity",
        authority,
        STAGE_IDENTITY,
        0,
    ));
    for service in AUTHORITY_SERVICES {
        let stage = if matches!(service, "gateway" | "portal") {
            STAGE_GATEWAY
        } else {
            STAGE_SERVICES
        };
        processes.push(ProcessDescription {
            listeners: listeners(service),
            ..process(service.into(), service, authority, stage, 0)
        });
    }
    for (index, hospital) in consortium.hospitals().enumerate() {
        processes.push(records(&hospital.slug, brokers_from(index + 1)));
    }
    SystemDescription { processes }
}

fn replica(number: u16, operator: &str, brokers: Vec<String>) -> ProcessDescription {
    ProcessDescription {
        name: format!("replica-{number}"),
        command: "ordering".to_owned(),
        operator: operator.to_owned(),
        stage: STAGE_REPLICAS,
        brokers,
        listeners: Vec::new(),
    }
}

fn records(slug: &str, brokers: Vec<String>) -> ProcessDescription {
    ProcessDescription {
        name: bus::subjects::records_name(slug),
        command: "records".to_owned(),
        operator: slug.to_owned(),
        stage: STAGE_SERVICES,
        brokers,
        listeners: Vec::new(),
    }
}

fn broker_names(count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("nats-{number}")).collect()
}

fn broker(all: &[String], index: usize, name: &str, operator: &str) -> ProcessDescription {
    let offset = u16::try_from(index).unwrap_or_default();
    let listener = |name: &str, port: u16| Listener {
        name: name.to_owned(),
        key: format!("broker.{name}_port"),
        port: port + offset,
    };
    let mut listeners = vec![listener("client", 4222), listener("mqtt", 1883)];
    if all.len() > 1 {
        listeners.push(listener("cluster", 6222));
    }
    ProcessDescription {
        name: name.to_owned(),
        command: "broker".to_owned(),
        operator: operator.to_owned(),
        stage: STAGE_BROKERS,
        brokers: all.iter().filter(|other| *other != name).cloned().collect(),
        listeners,
    }
}

fn listeners(service: &str) -> Vec<Listener> {
    let listener = |name: &str, port| Listener {
        name: name.to_owned(),
        key: format!("{name}.address"),
        port,
    };
    match service {
        "gateway" => vec![listener("rest", 8080), listener("grpc", 50051)],
        "portal" => vec![listener("web", 8081)],
        _ => Vec::new(),
    }
}

/// What an organisation of this kind is on the ledger, besides an operator.
fn member_kind(kind: OrganisationKind) -> Option<contracts::membership::command::MemberKind> {
    use contracts::membership::command::MemberKind;
    match kind {
        OrganisationKind::Authority | OrganisationKind::Operator => None,
        OrganisationKind::Hospital => Some(MemberKind::Hospital),
        OrganisationKind::Regulator => Some(MemberKind::Regulator),
        OrganisationKind::Treasurer => Some(MemberKind::Treasurer),
        OrganisationKind::Insurer => Some(MemberKind::Insurer),
    }
}
