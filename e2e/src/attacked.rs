//! The system that attacks run against: the demo's, with mutual TLS, kept running by `keeper` while tests use it.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use client::{Client, Member};
use interfaces::identity::MemberSummary;
use keys::MemberKey;
use keys::tls::{TlsFiles, TlsIdentity};
use ledger::{GenesisFile, LedgerId};
use serde_json::Value;

use crate::story::workspace;

/// A system under attack. It is kept running for as long as this is there.
pub struct Attacked {
    /// Its folder.
    pub folder: PathBuf,
    /// A partner system's client, with a certificate of the authority's.
    pub client: Client,
    people: Value,
    _in_use: File,
}

/// A member of staff or a patient of the story.
pub struct Person {
    /// Signed in.
    pub member: Member,
    /// The patient ID; empty for doctors.
    pub patient_id: String,
    /// The name they registered with.
    pub name: String,
}

impl Attacked {
    /// The system of this test run; started by whoever comes first.
    ///
    /// # Panics
    /// If it cannot be started.
    #[expect(
        clippy::zombie_processes,
        reason = "the keeper outlives the test that starts it: it ends when no test uses its system"
    )]
    pub fn system(keeper: &str) -> Attacked {
        let run = std::env::var("NEXTEST_RUN_ID")
            .unwrap_or_else(|_| format!("process-{}", std::process::id()));
        let own = workspace().join("target/attacked").join(run);
        std::fs::create_dir_all(&own).expect("the system's folder can be made");
        let first = File::create(own.join("first.lock")).expect("a lock");
        first.lock().expect("the lock can be taken");
        if !own.join("users.lock").exists() {
            File::create(own.join("users.lock")).expect("a lock");
            // In a group of its own: a test that is ended takes it along no more than the others.
            let log = File::create(own.join("keeper.txt")).expect("a log");
            let mut start = Command::new(keeper);
            std::os::unix::process::CommandExt::process_group(&mut start, 0);
            start
                .arg(&own)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .expect("the keeper starts");
        }
        while !own.join("ready").exists() {
            let failed = std::fs::read_to_string(own.join("failed"));
            assert!(
                failed.is_err(),
                "the system did not start: {failed:?}\n{}",
                std::fs::read_to_string(own.join("told.txt")).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(200));
        }
        let in_use = File::open(own.join("users.lock")).expect("the keeper's lock");
        in_use.lock_shared().expect("the lock can be shared");
        drop(first);
        let folder = own.join("system");
        let genesis = std::fs::read_to_string(folder.join("genesis.json")).expect("a genesis file");
        let genesis = GenesisFile::from_json(&genesis).expect("a genesis file");
        let rest = address_in(&folder, "gateway", "rest");
        let identity = identity_in(&folder, "organisations/authority/tls.pem");
        let client = Client::with_certificate(&format!("https://{rest}"), genesis, &identity)
            .expect("a client");
        let people = std::fs::read(folder.join("accounts.json")).expect("accounts.json");
        Attacked {
            client,
            people: serde_json::from_slice(&people).expect("accounts.json is JSON"),
            folder,
            _in_use: in_use,
        }
    }

    /// Where a process listens.
    pub fn address(&self, process: &str, listener: &str) -> SocketAddr {
        address_in(&self.folder, process, listener)
    }

    /// The certificate file below the system's folder, with the consortium's root.
    pub fn identity(&self, file: &str) -> TlsIdentity {
        identity_in(&self.folder, file)
    }

    /// The paths of a process's certificate.
    pub fn process_tls(&self, process: &str) -> TlsFiles {
        TlsFiles {
            identity_file: self.process(process).join("keys/tls.pem"),
            root_file: self.folder.join("root.pem"),
        }
    }

    /// A process's folder.
    pub fn process(&self, name: &str) -> PathBuf {
        self.folder.join("processes").join(name)
    }

    /// An organisation's own key.
    ///
    /// # Panics
    /// If there is none.
    pub fn key(&self, slug: &str, file: &str) -> MemberKey {
        let path = self.folder.join("organisations").join(slug).join(file);
        MemberKey::load(&path).expect("an organisation's key")
    }

    /// An organisation, signed in with its own key.
    ///
    /// # Panics
    /// If it cannot sign in.
    pub async fn organisation(&self, slug: &str, file: &str) -> Member {
        let key = self.key(slug, file);
        self.client
            .sign_in_with_key(key)
            .await
            .expect("an organisation signs in")
    }

    /// A patient of the story, signed in.
    ///
    /// # Panics
    /// If there is none of that number.
    pub async fn patient(&self, number: usize) -> Person {
        self.person(&format!("patient-{number}")).await
    }

    /// The doctor of a hospital, signed in.
    ///
    /// # Panics
    /// If it has none.
    pub async fn doctor(&self, hospital: &str) -> Person {
        self.person(&format!("doctor-{hospital}")).await
    }

    /// The clerk of a hospital, signed in.
    ///
    /// # Panics
    /// If there is none.
    pub async fn clerk(&self, hospital: &str) -> Person {
        self.person(&format!("clerk-{hospital}")).await
    }

    /// With what a person of the story signs in.
    ///
    /// # Panics
    /// If nobody has this login.
    pub fn credentials(&self, login: &str) -> Value {
        let people = self.people["people"].as_array().expect("people");
        let found = people.iter().find(|person| person["login"] == login);
        let person = found.unwrap_or_else(|| panic!("nobody signs in as {login}"));
        serde_json::json!({ "login": login, "password": person["password"] })
    }

    /// The name that a person of the story registered with.
    fn name(&self, login: &str) -> String {
        let people = self.people["people"].as_array().expect("people");
        let found = people.iter().find(|person| person["login"] == login);
        let name = found.and_then(|person| person["name"].as_str());
        name.unwrap_or_default().to_owned()
    }

    async fn person(&self, login: &str) -> Person {
        let access = self.credentials(login);
        let password = access["password"].as_str().expect("a password");
        let member = self
            .client
            .sign_in(login, password)
            .await
            .expect("a person signs in");
        let patient_id = self.people["patient_ids"][login].as_str();
        Person {
            member,
            patient_id: patient_id.unwrap_or_default().to_owned(),
            name: self.name(login),
        }
    }

    /// A hospital's ledger id.
    pub fn hospital(&self, slug: &str) -> LedgerId {
        self.key(slug, "member.json").ledger_id()
    }

    /// Waits until the ledger has a member as active.
    ///
    /// # Panics
    /// If it cannot be asked.
    pub async fn until_active(&self, member: &LedgerId) {
        let path = format!("/v1/members/{member}");
        eventually("a member is active", async || {
            let found: MemberSummary = self.client.get(&path).await.ok()?;
            (found.status == "active").then_some(())
        })
        .await
    }

    /// What the processes have logged, by process.
    ///
    /// # Panics
    /// If the logs cannot be read.
    pub fn logs(&self) -> BTreeMap<String, String> {
        let entries = std::fs::read_dir(self.folder.join("run/logs")).expect("logs");
        entries
            .flatten()
            .map(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                let bytes = std::fs::read(entry.path()).expect("a log");
                (name, String::from_utf8_lossy(&bytes).into_owned())
            })
            .collect()
    }
}

/// Looks again until something is there; the test runner ends a test that waits in vain.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    let mut said = false;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        if !said && began.elapsed() > Duration::from_secs(60) {
            eprintln!("still waiting until {what}");
            said = true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn identity_in(folder: &Path, file: &str) -> TlsIdentity {
    let files = TlsFiles {
        identity_file: folder.join(file),
        root_file: folder.join("root.pem"),
    };
    files.load().expect("a certificate")
}

fn address_in(folder: &Path, process: &str, listener: &str) -> SocketAddr {
    let text = std::fs::read(folder.join("run/addresses.json")).expect("addresses.json");
    let addresses: Value = serde_json::from_slice(&text).expect("addresses.json is JSON");
    let text = addresses[process][listener].as_str();
    text.expect("an address").parse().expect("an address")
}
