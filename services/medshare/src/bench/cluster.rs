//! The files and processes of a measured cluster: broker, replicas, genesis with many members.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bus::{Bus, BusConfig, DirectoryEntry, DirectoryFile, subjects};
use keys::nkey::BusUserKey;
use keys::{SealingKey, Secret};
use ledger::{
    Digest, Epoch, EpochDescription, GenesisFile, GenesisMember, GenesisParameters, Height,
    LedgerId, PublicKey, ReplicaDescription, ReplicaId, SigningKey, Timestamp,
};

use super::OrderingBench;
use super::mix::{Members, key};
use super::process::Process;
use crate::broker::{BrokerConfig, BrokerUser};
use crate::files;
use crate::supervisor::ports::any_free;

/// Users of the broker besides the replicas: who asks, and who submits.
pub const ASKER: &str = "asker";
/// Submits transactions.
pub const GENERATOR: &str = "generator";

/// A running cluster.
pub struct Cluster {
    /// The genesis file.
    pub genesis: GenesisFile,
    /// The replicas that run.
    pub replicas: BTreeMap<ReplicaId, Process>,
    /// The broker.
    pub broker: Process,
    folder: PathBuf,
    port: u16,
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
    let operators = voting.keys().map(|replica| GenesisMember {
        ledger_id: operator(*replica),
        public_key: key(0xa5, u64::from(replica.0)).public_key(),
        kind: "NodeOperator".to_owned(),
        name: format!("Operator {replica}"),
        allowed: Vec::new(),
    });
    let members = Members::new(arguments.members).founders();
    GenesisFile {
        name: "measurement".to_owned(),
        time: Timestamp(chassis::clock::now()),
        epoch,
        certificate_authority: Digest::ZERO,
        members: members.into_iter().chain(operators).collect(),
        parameters: GenesisParameters::default(),
    }
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
    /// Makes everything in an empty folder, or takes what an earlier run made there, and starts it.
    pub async fn start(arguments: &OrderingBench, folder: &Path) -> anyhow::Result<Cluster> {
        if !folder.join("genesis.json").exists() {
            make(arguments, folder)?;
        }
        let text = std::fs::read_to_string(folder.join("genesis.json"))?;
        let genesis = GenesisFile::from_json(&text)?;
        let tuning = tuning(&arguments.set)?;
        let port = any_free(&BTreeSet::new())?;
        let broker = start_broker(folder, port).await?;
        let mut cluster = Cluster {
            genesis,
            replicas: BTreeMap::new(),
            broker,
            folder: folder.to_owned(),
            port,
        };
        match cluster.launch_all(&tuning).await {
            Ok(()) => Ok(cluster),
            Err(error) => {
                cluster.stop().await;
                Err(error)
            }
        }
    }

    async fn launch_all(&mut self, tuning: &ordering::Tuning) -> anyhow::Result<()> {
        let replicas = self.genesis.epoch.replicas.iter();
        let members: Vec<ReplicaId> = replicas.map(|member| member.replica).collect();
        for replica in members {
            self.configure(replica, tuning.clone())?;
            self.launch(replica).await?;
        }
        Ok(())
    }

    fn home(&self, replica: ReplicaId) -> PathBuf {
        self.folder.join(subjects::replica_name(replica))
    }

    fn configure(&self, replica: ReplicaId, tuning: ordering::Tuning) -> anyhow::Result<()> {
        let home = self.home(replica);
        let config = ordering::Config {
            bus: bus_config(&self.folder, self.port, &subjects::replica_name(replica)),
            replica,
            voting_key_file: home.join("voting.seed"),
            next_voting_key_file: None,
            data: home.join("data"),
            tuning,
        };
        // As `medshare init` has it.
        let process = "[process]\nthreads = 1\n";
        let text = format!("{}{process}", toml::to_string(&config)?);
        files::write(&home.join("config.toml"), text.as_bytes())
    }

    /// Starts a replica; gives how long it took until it was ready.
    pub async fn launch(&mut self, replica: ReplicaId) -> anyhow::Result<Duration> {
        let started = Instant::now();
        let process = Process::start("ordering", &self.home(replica)).await?;
        self.replicas.insert(replica, process);
        Ok(started.elapsed())
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
        let mut bytes = 0;
        for entry in std::fs::read_dir(self.home(*replica).join("data/blocks"))? {
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

/// Keys, genesis file and users of the broker.
fn make(arguments: &OrderingBench, folder: &Path) -> anyhow::Result<()> {
    let voting: BTreeMap<ReplicaId, Secret> = (0..arguments.replicas)
        .map(|number| (ReplicaId(number), Secret::random()))
        .collect();
    for (replica, seed) in &voting {
        let home = folder.join(subjects::replica_name(*replica));
        files::make_private_folder(&home)?;
        seed.save(&home.join("voting.seed"))?;
    }
    write_users(
        folder,
        voting
            .keys()
            .map(|replica| subjects::replica_name(*replica)),
    )?;
    let genesis = genesis(arguments, &voting);
    files::write(&folder.join("genesis.json"), genesis.to_json().as_bytes())
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
        mqtt_port: any_free(&BTreeSet::from([port]))?,
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
