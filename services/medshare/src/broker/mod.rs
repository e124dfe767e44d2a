//! The process around a message broker: renders `nats-server`'s configuration from ours, the users' files and the ledger,
//! keeps the server as its child, and has it reload when something of that changes.
//!
//! It exists because `nats-server` does not end with its parent, because hospitals that join need credentials while the
//! system runs, and because a member that is suspended or revoked loses its connections at once.

mod server_configuration;
mod standing;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use bus::BusConfig;
use chassis::{InvalidKey, Shutdown};
use keys::nkey::BusUserKey;
use keys::tls::TlsFiles;
use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use server_configuration::rendered;
use standing::Standings;

/// Configuration of a broker's process.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The broker.
    pub broker: BrokerConfig,
    /// Its own process on the bus, by which it follows the ledger; the server is always this broker. Absent: nobody's
    /// connections end by what the ledger says (for measurements only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bus: Option<BusConfig>,
}

/// `[broker]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerConfig {
    /// The server's name, unique in its cluster.
    pub name: String,
    /// The folder of [`BrokerUser`] files.
    pub users: PathBuf,
    /// Where JetStream keeps its files.
    pub data: PathBuf,
    /// Port for processes.
    pub client_port: u16,
    /// Port for devices (MQTT).
    pub mqtt_port: u16,
    /// Port for the other brokers; absent when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_port: Option<u16>,
    /// Where the other brokers are: `nats-route://host:port`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<String>,
    /// How many brokers there are.
    #[serde(default = "one")]
    pub servers: usize,
    /// The administrator's nkey seed: this broker's process sets up the streams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub administrator_seed_file: Option<PathBuf>,
    /// The `nats-server` program; searched where [`find_server`] says when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<PathBuf>,
    /// Certificates for mutual TLS on every port; absent: plain connections, for a single machine only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsFiles>,
}

/// Somebody who may connect: a process by its nkey, or, where there is no TLS, a device by a password. (With TLS, devices
/// are those that the ledger has as active, each by its certificate.) What it may do follows from its name and
/// way of connecting ([`bus::permissions`]), never from this file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerUser {
    /// Its bus name; a device's is `device-<number>`.
    pub name: String,
    /// Public nkey (`U...`) of a process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nkey: Option<String>,
    /// Password of a device: random, never chosen. It connects by MQTT only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

/// The oldest server that has the fixes we rely on.
const SERVER_VERSION_MIN: (u32, u32, u32) = (2, 12, 6);
const READY_WITHIN: Duration = Duration::from_secs(20);
const STREAMS_WITHIN: Duration = Duration::from_secs(45);
const STOP_WITHIN: Duration = Duration::from_secs(8);
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Runs the broker until it is told to stop.
pub async fn run(config: Config, shutdown: Shutdown) -> anyhow::Result<()> {
    let Config { broker, bus } = config;
    let config = broker;
    let program = match &config.server {
        Some(program) => program.clone(),
        None => find_server().map_err(|reason| InvalidKey::new("broker.server", reason))?,
    };
    check_version(&program).await?;
    std::fs::create_dir_all(&config.data).map_err(|error| {
        InvalidKey::new("broker.data", format!("{}: {error}", config.data.display()))
    })?;
    let file = PathBuf::from("nats-server.json");
    if let Some(tls) = &config.tls {
        tls.load()
            .map_err(|error| InvalidKey::new("broker.tls", error))?;
    }
    let directory = bus.as_ref().map(|bus| bus.directory.clone());
    let directory = directory.as_deref();
    let standing = Standings::load(Path::new("standing.json"));
    let mut seen = fingerprint(&config)?;
    let mut known = standing.version();
    crate::files::write_private(
        &file,
        rendered(&config, directory, &standing.now())?.as_bytes(),
    )?;
    let mut server = Command::new(&program)
        .arg("--config")
        .arg(&file)
        .envs(processors())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{} cannot be started", program.display()))?;
    let client = local(config.client_port);
    tokio::select! {
        ready = tokio::time::timeout(READY_WITHIN, answers(client)) => ready.context("the broker did not answer in time")?,
        ended = server.wait() => bail!("nats-server ended at its start: {}", ended?),
    }
    if let Some(seed_file) = &config.administrator_seed_file {
        tokio::select! {
            done = set_up_streams(seed_file, &config, client) => done?,
            () = shutdown.requested() => return stop(&mut server).await,
            ended = server.wait() => bail!("nats-server ended at its start: {}", ended?),
        }
    }
    let mut addresses = vec![("client", client), ("mqtt", local(config.mqtt_port))];
    addresses.extend(config.cluster_port.map(|port| ("cluster", local(port))));
    shutdown.ready_at(&addresses);
    if let Some(mut bus) = bus {
        bus.servers = vec![format!("nats://{client}")];
        tokio::spawn(standing.clone().follow(bus));
    }

    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            () = shutdown.requested() => return stop(&mut server).await,
            ended = server.wait() => bail!("nats-server ended: {}", ended?),
            _ = look.tick() => {
                let (now, version) = (fingerprint(&config)?, standing.version());
                if now != seen || version != known {
                    crate::files::write_private(&file, rendered(&config, directory, &standing.now())?.as_bytes())?;
                    // Whoever is no longer named, or may do less, is disconnected by the server as it reloads.
                    signal(&server, Signal::HUP)?;
                    tracing::info!("who may connect was taken up");
                    (seen, known) = (now, version);
                }
            }
        }
    }
}

/// How many processors the server computes on at once: half of them, unless its environment says how many. Whoever it wakes needs
/// the others, and on two processors each wake of a second thread of its own cost more than it brought.
fn processors() -> Option<(&'static str, String)> {
    const PROCESSORS: &str = "GOMAXPROCS";
    let half = std::thread::available_parallelism().map_or(1, |all| all.get().div_ceil(2));
    std::env::var_os(PROCESSORS)
        .is_none()
        .then(|| (PROCESSORS, half.to_string()))
}

/// Finds `nats-server`: `$MEDSHARE_NATS_SERVER`, then the folders of `$PATH`, then the private folder of `./dev` above
/// this program.
pub fn find_server() -> Result<PathBuf, String> {
    if let Some(named) = std::env::var_os("MEDSHARE_NATS_SERVER").filter(|named| !named.is_empty())
    {
        let named = PathBuf::from(named);
        return if named.is_file() {
            Ok(named)
        } else {
            Err(format!("{} is not there", named.display()))
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    if let Ok(program) = std::env::current_exe() {
        folders.extend(program.ancestors().map(|folder| folder.join(".dev/bin")));
    }
    folders
        .into_iter()
        .map(|folder| folder.join("nats-server"))
        .find(|program| program.is_file())
        .ok_or_else(|| "nats-server is neither on PATH nor named by MEDSHARE_NATS_SERVER; `./dev up` fetches it".to_owned())
}

async fn check_version(program: &Path) -> anyhow::Result<()> {
    let output = Command::new(program)
        .arg("--version")
        .output()
        .await
        .map_err(|error| {
            InvalidKey::new("broker.server", format!("{}: {error}", program.display()))
        })?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let numbers = text.rsplit('v').next().unwrap_or_default().trim();
    let mut parts = numbers
        .split(['.', '-'])
        .map_while(|part| part.parse::<u32>().ok());
    let version = (
        parts.next().unwrap_or(0),
        parts.next().unwrap_or(0),
        parts.next().unwrap_or(0),
    );
    if version < SERVER_VERSION_MIN {
        let (major, minor, patch) = SERVER_VERSION_MIN;
        let reason = format!(
            "{} is version {numbers}; {major}.{minor}.{patch} or later is needed",
            program.display()
        );
        return Err(InvalidKey::new("broker.server", reason).into());
    }
    Ok(())
}

/// Waits until the server greets a client.
async fn answers(address: SocketAddr) {
    loop {
        if let Ok(stream) = TcpStream::connect(address).await {
            let mut line = String::new();
            if BufReader::new(stream).read_line(&mut line).await.is_ok()
                && line.starts_with("INFO ")
            {
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Makes the streams as the administrator, which a cluster can do once it has elected a leader.
async fn set_up_streams(
    seed_file: &Path,
    config: &BrokerConfig,
    client: SocketAddr,
) -> anyhow::Result<()> {
    let key = BusUserKey::load(seed_file)
        .map_err(|error| InvalidKey::new("broker.administrator_seed_file", error))?;
    let mut options = async_nats::ConnectOptions::with_nkey(key.expose_seed().to_owned())
        .name("administrator")
        .custom_inbox_prefix(bus::subjects::inbox_prefix("administrator"));
    if let Some(tls) = &config.tls {
        options = options
            .add_root_certificates(tls.root_file.clone())
            .add_client_certificate(tls.identity_file.clone(), tls.identity_file.clone())
            .require_tls(true);
    }
    let administrator = options
        .connect(format!("nats://{client}"))
        .await
        .context("the administrator cannot connect")?;
    let began = tokio::time::Instant::now();
    // A cluster without a leader leaves requests unanswered: ask briefly and often before asking for more.
    while began.elapsed() < STREAMS_WITHIN {
        let asked = administrator.request("$JS.API.INFO", "".into());
        if let Ok(Ok(_)) = tokio::time::timeout(Duration::from_millis(400), asked).await {
            break;
        }
    }
    loop {
        match bus::streams::ensure_blocks_stream(&administrator, config.servers).await {
            Ok(()) => return Ok(()),
            Err(bus::streams::StreamError::Server(_)) if began.elapsed() < STREAMS_WITHIN => {
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

async fn stop(server: &mut Child) -> anyhow::Result<()> {
    signal(server, Signal::TERM)?;
    if tokio::time::timeout(STOP_WITHIN, server.wait())
        .await
        .is_err()
    {
        tracing::warn!("nats-server did not stop in time");
        server.kill().await?;
    }
    Ok(())
}

fn signal(server: &Child, signal: Signal) -> anyhow::Result<()> {
    let pid = server.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    if let Some(pid) = pid {
        rustix::process::kill_process(pid, signal)?;
    }
    Ok(())
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// What tells the files from changed ones: each one's name, length and time.
fn fingerprint(config: &BrokerConfig) -> anyhow::Result<BTreeMap<PathBuf, (u64, Duration)>> {
    let mut files = BTreeMap::new();
    let own = config.tls.iter().map(|tls| tls.identity_file.clone());
    for file in user_files(&config.users)?.into_iter().chain(own) {
        // A file that goes away while we look is seen as gone next time.
        let Ok(metadata) = std::fs::metadata(&file) else {
            continue;
        };
        let modified = metadata
            .modified()?
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        files.insert(file, (metadata.len(), modified));
    }
    Ok(files)
}

fn user_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(|error| {
        InvalidKey::new("broker.users", format!("{}: {error}", folder.display()))
    })?;
    let mut files = Vec::new();
    for entry in entries {
        let file = entry?.path();
        if file
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn one() -> usize {
    1
}
