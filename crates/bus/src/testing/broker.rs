//! A real nats-server for tests: a free port, JetStream in a temporary folder, and the real permissions.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use keys::nkey::BusUserKey;
use keys::{SealingKey, Secret};
use ledger::{
    Digest, Epoch, EpochDescription, GenesisFile, GenesisParameters, Height, LedgerId, PublicKey,
    ReplicaDescription, ReplicaId, SigningKey, Timestamp,
};

use crate::directory::{DirectoryEntry, DirectoryFile};
use crate::permissions::{Permissions, Role};
use crate::{Bus, BusConfig, subjects};

/// The server's program: `MEDSHARE_NATS_SERVER`, or `nats-server` of the PATH.
pub fn nats_server_program() -> PathBuf {
    std::env::var_os("MEDSHARE_NATS_SERVER")
        .map_or_else(|| PathBuf::from("nats-server"), PathBuf::from)
}

/// A running server with users, keys, a directory and a genesis file; stops and vanishes when dropped.
pub struct TestBroker {
    folder: tempfile::TempDir,
    process: Option<Child>,
    port: u16,
    genesis: GenesisFile,
    replica_keys: BTreeMap<ReplicaId, SigningKey>,
}

impl TestBroker {
    /// Starts a server whose users are `names` (bus names; `replica-<n>` gets a replica's permissions), with an
    /// administrator besides, and the stream of blocks. Four replicas are in the genesis file.
    ///
    /// # Panics
    /// If there is no nats-server, or it does not start.
    pub async fn start(names: &[&str]) -> TestBroker {
        let (genesis, replica_keys) = test_genesis(4);
        TestBroker::start_with(names, genesis, replica_keys).await
    }

    /// As [`TestBroker::start`], with a genesis file of the caller's.
    ///
    /// # Panics
    /// If there is no nats-server, or it does not start.
    pub async fn start_with(
        names: &[&str],
        genesis: GenesisFile,
        replica_keys: BTreeMap<ReplicaId, SigningKey>,
    ) -> TestBroker {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut users = Vec::new();
        let mut directory = DirectoryFile::new();
        for name in names.iter().copied().chain(["administrator"]) {
            let key = BusUserKey::random();
            key.save(&folder.path().join(format!("{name}.nk")))
                .expect("a key file");
            let seed = Secret::random();
            seed.save(&folder.path().join(format!("{name}.seal")))
                .expect("a key file");
            let sealing_key = SealingKey::from_secret(&seed).public_key();
            directory.insert(
                name.to_owned(),
                DirectoryEntry {
                    sealing_key,
                    public_key: PublicKey([0; 32]),
                },
            );
            users.push(user_text(
                key.public_key(),
                &Permissions::of(&Role::of_bus_name(name)),
            ));
        }
        let json = serde_json::to_string(&directory).expect("plain JSON");
        std::fs::write(folder.path().join("directory.json"), json).expect("a file");
        std::fs::write(folder.path().join("genesis.json"), genesis.to_json()).expect("a file");
        let mut broker = TestBroker {
            folder,
            process: None,
            port: 0,
            genesis,
            replica_keys,
        };
        broker.write_configuration(&users);
        broker.run();
        let administrator = broker.connect("administrator").await;
        crate::streams::ensure_blocks_stream(administrator.client(), 1)
            .await
            .expect("the stream of blocks");
        broker
    }

    fn write_configuration(&self, users: &[String]) {
        let text = format!(
            "max_payload: 1MB\njetstream {{ store_dir: \"{}\" }}\naccounts {{\n MEDSHARE {{ jetstream: enabled\n users: [\n{}\n] }} }}\n",
            self.folder.path().join("jetstream").display(),
            users.join("\n")
        );
        std::fs::write(self.folder.path().join("server.conf"), text).expect("a configuration file");
    }

    /// Starts the server (again, on the same port, after [`TestBroker::kill`]).
    ///
    /// # Panics
    /// If it does not start.
    pub fn run(&mut self) {
        let ports = self.folder.path().join("ports");
        std::fs::create_dir_all(&ports).expect("a folder");
        let port = if self.port == 0 {
            "-1".to_owned()
        } else {
            self.port.to_string()
        };
        let log = self.folder.path().join("server.log");
        let child = Command::new(nats_server_program())
            .args(["--addr", "127.0.0.1", "--port", &port])
            .arg("--config")
            .arg(self.folder.path().join("server.conf"))
            .arg("--ports_file_dir")
            .arg(&ports)
            .arg("--log")
            .arg(&log)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nats-server (set MEDSHARE_NATS_SERVER, or run tests by ./dev test)");
        let ports_file = ports.join(format!("nats-server_{}.ports", child.id()));
        self.process = Some(child);
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(port) = read_port(&ports_file) {
                self.port = port;
                return;
            }
            if Instant::now() > deadline {
                panic!(
                    "nats-server does not start: {}",
                    std::fs::read_to_string(&log).unwrap_or_default()
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Kills the server; what it did not sync is lost as in a crash of the process.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.process.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// `nats://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The folder of keys, directory and genesis file.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// How the process of this bus name connects.
    pub fn config(&self, name: &str) -> BusConfig {
        let file = |name: String| self.folder.path().join(name);
        BusConfig {
            servers: vec![self.url()],
            user: name.to_owned(),
            nkey_seed_file: file(format!("{name}.nk")),
            directory: file("directory.json".into()),
            sealing_seed_file: file(format!("{name}.seal")),
            genesis: file("genesis.json".into()),
            tls: None,
        }
    }

    /// Connects as the process of this bus name.
    ///
    /// # Panics
    /// If the connection fails.
    pub async fn connect(&self, name: &str) -> Bus {
        Bus::connect(&self.config(name))
            .await
            .expect("a connection to the test broker")
    }

    /// The genesis file.
    pub fn genesis(&self) -> &GenesisFile {
        &self.genesis
    }

    /// The voting keys of the replicas.
    pub fn replica_keys(&self) -> &BTreeMap<ReplicaId, SigningKey> {
        &self.replica_keys
    }

    /// Bus names of `replicas` replicas.
    pub fn replica_names(replicas: u16) -> Vec<String> {
        (0..replicas)
            .map(|number| subjects::replica_name(ReplicaId(number)))
            .collect()
    }
}

impl Drop for TestBroker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// One user of the server's configuration.
fn user_text(nkey: &str, permissions: &Permissions) -> String {
    let list = |subjects: &[String]| {
        let quoted: Vec<String> = subjects
            .iter()
            .map(|subject| format!("\"{subject}\""))
            .collect();
        quoted.join(", ")
    };
    format!(
        "{{ nkey: {nkey}, permissions: {{ publish: {{ allow: [{}] }}, subscribe: {{ allow: [{}] }} }} }}",
        list(&permissions.publish),
        list(&permissions.subscribe)
    )
}

fn read_port(ports_file: &Path) -> Option<u16> {
    let text = std::fs::read_to_string(ports_file).ok()?;
    let ports: serde_json::Value = serde_json::from_str(&text).ok()?;
    ports["nats"][0].as_str()?.rsplit(':').next()?.parse().ok()
}

/// A genesis file with `replicas` replicas, no members, and the replicas' voting keys.
pub fn test_genesis(replicas: u16) -> (GenesisFile, BTreeMap<ReplicaId, SigningKey>) {
    let replica_keys: BTreeMap<ReplicaId, SigningKey> = (0..replicas)
        .map(|number| {
            (
                ReplicaId(number),
                SigningKey::from_seed([number as u8 + 1; 32]),
            )
        })
        .collect();
    let described = replica_keys
        .iter()
        .map(|(replica, key)| ReplicaDescription {
            replica: *replica,
            operator: LedgerId([replica.0 as u8 + 1; 16]),
            public_key: key.public_key(),
        });
    let genesis = GenesisFile {
        name: "test".into(),
        time: Timestamp(1_700_000_000_000_000),
        epoch: EpochDescription {
            epoch: Epoch(0),
            first_height: Height(0),
            replicas: described.collect(),
        },
        certificate_authority: Digest::ZERO,
        members: Vec::new(),
        parameters: GenesisParameters::default(),
    };
    (genesis, replica_keys)
}
