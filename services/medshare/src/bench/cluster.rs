//! The files and processes of a measured cluster: broker, replicas, genesis with many members.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use bus::{Bus, BusConfig, DirectoryEntry, DirectoryFile, subjects};
use keys::nkey::BusUserKey;
use keys::{SealingKey, Secret};
use ledger::{
    Digest, Epoch, EpochDescription, GenesisFile, GenesisMember, GenesisParameters, Height,
    LedgerId, PublicKey, ReplicaDescription, ReplicaId, SigningKey, Timestamp,
};

use super::OrderingBench;
use super::process::Process;
use crate::broker::{BrokerConfig, BrokerUser};
use crate::files;

/// The patient of all records.
pub const PATIENT: LedgerId = LedgerId([0xbb; 16]);

/// Users of the broker besides the replicas: who asks, and who submits.
pub const ASKER: &str = "asker";
/// Submits transactions.
pub const GENERATOR: &str = "generator";

/// A running cluster.
pub struct Cluster {
    /// The genesis file.
    pub genesis: GenesisFile,
    /// The hospitals' keys.
    pub member_keys: Vec<SigningKey>,
    /// The replicas.
    pub replicas: BTreeMap<ReplicaId, Process>,
    /// The broker.
    pub broker: Process,
    folder: PathBuf,
    port: u16,
}

/// The key that is derived for a role and number; only for measurements.
fn key(role: u8, number: u64) -> SigningKey {
    let mut seed = [role; 32];
    seed[..8].copy_from_slice(&number.to_be_bytes());
    SigningKey::from_seed(seed)
}

/// The pseudonym of a hospital.
pub fn member_id(number: u64) -> LedgerId {
    let mut id = [0xaa; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    LedgerId(id)
}

fn genesis(arguments: &OrderingBench, voting: &BTreeMap<ReplicaId, Secret>) -> GenesisFile {
    let operator = |replica: ReplicaId| LedgerId([replica.0 as u8 + 1; 16]);
    let replicas = voting.iter().map(|(replica, seed)| ReplicaDescription {
        replica: *replica,
        operator: operator(*replica),
        public_key: SigningKey::from_seed(*seed.expose()).public_key(),
    });
    let epoch = EpochDescription {
        epoch: Epoch(0),
        first_height: Height(0),
        replicas: replicas.collect(),
    };
    let member = |ledger_id, public_key: PublicKey, kind: &str, name: String| GenesisMember {
        ledger_id,
        public_key,
        kind: kind.to_owned(),
        name,
        allowed: Vec::new(),
    };
    let mut members = vec![member(
        PATIENT,
        key(1, 0).public_key(),
        "Patient",
        String::new(),
    )];
    members.extend((0..arguments.members).map(|number| {
        member(
            member_id(number),
            key(2, number).public_key(),
            "Hospital",
            format!("Hospital {number}"),
        )
    }));
    members.extend(voting.keys().map(|replica| {
        let key = key(3, u64::from(replica.0)).public_key();
        member(
            operator(*replica),
            key,
            "NodeOperator",
            format!("Operator {replica}"),
        )
    }));
    GenesisFile {
        name: "measurement".to_owned(),
        time: Timestamp(chassis::clock::now()),
        epoch,
        certificate_authority: Digest::ZERO,
        members,
        parameters: GenesisParameters::default(),
    }
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

/// A table of an ordering process's configuration file.
fn tuning(set: &[String]) -> anyhow::Result<ordering::Tuning> {
    let mut table = toml::Table::new();
    for entry in set {
        let (name, value) = entry
            .split_once('=')
            .with_context(|| format!("--set {entry}: expected KEY=NUMBER"))?;
        let value: i64 = value
            .parse()
            .with_context(|| format!("--set {entry}: expected a number"))?;
        table.insert(name.to_owned(), value.into());
    }
    table.try_into().context("--set")
}

impl Cluster {
    /// Makes everything in an empty folder and starts it.
    pub async fn start(arguments: &OrderingBench, folder: &Path) -> anyhow::Result<Cluster> {
        ensure!(
            !is_in_memory(folder)?,
            "{} is in memory; syncing would cost nothing",
            folder.display()
        );
        let voting: BTreeMap<ReplicaId, Secret> = (0..arguments.replicas)
            .map(|number| (ReplicaId(number), Secret::random()))
            .collect();
        let genesis = genesis(arguments, &voting);
        let member_keys = (0..arguments.members)
            .map(|number| key(2, number))
            .collect();
        files::write(&folder.join("genesis.json"), genesis.to_json().as_bytes())?;
        let port = free_port()?;
        write_users(
            folder,
            voting
                .keys()
                .map(|replica| subjects::replica_name(*replica)),
        )?;
        let broker = start_broker(folder, port).await?;
        let tuning = tuning(&arguments.set)?;
        let mut replicas = BTreeMap::new();
        for (replica, seed) in &voting {
            let home = folder.join(subjects::replica_name(*replica));
            files::make_private_folder(&home)?;
            let voting_key_file = home.join("voting.seed");
            seed.save(&voting_key_file)?;
            let bus = bus_config(folder, port, &subjects::replica_name(*replica));
            let data = home.join("data");
            let config = ordering::Config {
                bus,
                replica: *replica,
                voting_key_file,
                next_voting_key_file: None,
                data,
                tuning: tuning.clone(),
            };
            files::write(
                &home.join("config.toml"),
                toml::to_string(&config)?.as_bytes(),
            )?;
            replicas.insert(*replica, Process::start("ordering", &home).await?);
        }
        Ok(Cluster {
            genesis,
            member_keys,
            replicas,
            broker,
            folder: folder.to_owned(),
            port,
        })
    }

    /// Connects to the broker as the asker.
    pub async fn connect(&self) -> anyhow::Result<Bus> {
        Ok(Bus::connect(&bus_config(&self.folder, self.port, ASKER)).await?)
    }

    /// A bare connection as the generator.
    pub async fn connect_generator(&self) -> anyhow::Result<async_nats::Client> {
        let config = bus_config(&self.folder, self.port, GENERATOR);
        let key = BusUserKey::load(&config.nkey_seed_file)?;
        let options = async_nats::ConnectOptions::with_nkey(key.expose_seed().to_owned())
            .custom_inbox_prefix(subjects::inbox_prefix(GENERATOR))
            .subscription_capacity(1 << 20);
        Ok(options.connect(config.servers[0].as_str()).await?)
    }

    /// The bytes of one replica's block files.
    pub fn ledger_bytes(&self) -> anyhow::Result<u64> {
        let Some(replica) = self.replicas.keys().next() else {
            return Ok(0);
        };
        let blocks = self
            .folder
            .join(subjects::replica_name(*replica))
            .join("data/blocks");
        let mut bytes = 0;
        for entry in std::fs::read_dir(blocks)? {
            bytes += entry?.metadata()?.len();
        }
        Ok(bytes)
    }

    /// Stops everything.
    pub async fn stop(self) {
        for process in self.replicas.into_values() {
            process.stop().await;
        }
        self.broker.stop().await;
    }
}

fn bus_config(folder: &Path, port: u16, name: &str) -> BusConfig {
    let file = |name: String| folder.join("keys").join(name);
    BusConfig {
        servers: vec![format!("nats://127.0.0.1:{port}")],
        user: name.to_owned(),
        nkey_seed_file: file(format!("{name}.nk")),
        directory: folder.join("directory.json"),
        sealing_seed_file: file(format!("{name}.seal")),
        genesis: folder.join("genesis.json"),
        tls: None,
    }
}

fn write_users(folder: &Path, replicas: impl Iterator<Item = String>) -> anyhow::Result<()> {
    let (keys, users) = (folder.join("keys"), folder.join("users"));
    files::make_private_folder(&keys)?;
    files::make_private_folder(&users)?;
    let mut directory = DirectoryFile::new();
    let others = [ASKER, GENERATOR, "administrator"].map(str::to_owned);
    for name in replicas.chain(others) {
        let key = BusUserKey::random();
        key.save(&keys.join(format!("{name}.nk")))?;
        let seed = Secret::random();
        seed.save(&keys.join(format!("{name}.seal")))?;
        let sealing_key = SealingKey::from_secret(&seed).public_key();
        directory.insert(
            name.clone(),
            DirectoryEntry {
                sealing_key,
                public_key: PublicKey([0; 32]),
            },
        );
        let user = BrokerUser {
            name: name.clone(),
            nkey: Some(key.public_key().to_owned()),
            password: None,
        };
        files::write_json(&users.join(format!("{name}.json")), &user)?;
    }
    files::write_json(&folder.join("directory.json"), &directory)
}

async fn start_broker(folder: &Path, port: u16) -> anyhow::Result<Process> {
    let home = folder.join("broker");
    files::make_private_folder(&home)?;
    let broker = BrokerConfig {
        name: "nats-1".to_owned(),
        users: folder.join("users"),
        data: home.join("data"),
        client_port: port,
        mqtt_port: free_port()?,
        cluster_port: None,
        routes: Vec::new(),
        servers: 1,
        administrator_seed_file: Some(folder.join("keys/administrator.nk")),
        server: None,
        tls: None,
    };
    files::write(
        &home.join("config.toml"),
        toml::to_string(&crate::broker::Config { broker, bus: None })?.as_bytes(),
    )?;
    Process::start("broker", &home).await
}

/// Whether the folder is on a file system in memory, by the longest mount point above it.
fn is_in_memory(folder: &Path) -> anyhow::Result<bool> {
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    let folder = folder.canonicalize()?;
    let mount = mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace().skip(1);
            Some((fields.next()?, fields.next()?))
        })
        .filter(|(point, _)| folder.starts_with(point))
        .max_by_key(|(point, _)| point.len());
    Ok(mount.is_some_and(|(_, kind)| matches!(kind, "tmpfs" | "ramfs")))
}
