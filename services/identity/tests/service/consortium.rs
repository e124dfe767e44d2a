//! A consortium around the identity service: a real broker and the real contracts behind replicas that agree by
//! construction.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bus::testing::{TestBroker, TestOrdering, test_genesis};
use bus::{Bus, Target};
use chassis::Shutdown;
use contracts::membership::command::{Command as Membership, MemberKind};
use contracts::{Command, Contract};
use identity::Config;
use interfaces::identity::*;
use interfaces::{Problem, UseCase};
use keys::certificate::Authority;
use keys::{MemberKey, SealingKey, Secret};
use ledger::{GenesisMember, Height, LedgerId, Outcome, Timestamp, TransactionBody};
use store::testing::{TestDatabase, start_contracts};

const USERS: &[&str] = &[
    "identity",
    "gateway",
    "records-north",
    "records-south",
    "settlement",
    "authorization",
    "replica-0",
    "replica-1",
    "replica-2",
    "replica-3",
];
const YEAR_US: u64 = 31_536_000_000_000;
const REPLICAS: u16 = 4;

pub struct Consortium {
    pub gateway: Bus,
    /// The records services of two hospitals.
    pub north: Bus,
    pub south: Bus,
    pub settlement: Bus,
    pub authorization: Bus,
    pub operators: Vec<MemberKey>,
    pub hospital: MemberKey,
    pub other_hospital: MemberKey,
    pub regulator: MemberKey,
    pub database: TestDatabase,
    /// With which tokens are checked.
    pub token_key: ledger::PublicKey,
    /// With which identity signs them.
    pub token_seed: Secret,
    /// The newest height of which a receipt came back, as the Rust client keeps it.
    seen: AtomicU64,
    _broker: TestBroker,
    _ordering: TestOrdering,
    _folder: tempfile::TempDir,
    shutdown: Shutdown,
}

fn founder(key: &MemberKey, kind: MemberKind, name: &str) -> GenesisMember {
    GenesisMember {
        ledger_id: key.ledger_id(),
        public_key: key.public_key(),
        kind: kind.name().to_owned(),
        name: name.to_owned(),
        allowed: Vec::new(),
    }
}

impl Consortium {
    /// Starts everything, the service last.
    pub async fn start() -> Consortium {
        let (mut genesis, replica_keys) = test_genesis(REPLICAS);
        let operators: Vec<MemberKey> = genesis
            .epoch
            .replicas
            .iter()
            .map(|replica| MemberKey::from_seed(replica.operator, Secret::random()))
            .collect();
        let [hospital, other_hospital, regulator, service] =
            std::array::from_fn(|_| MemberKey::random());
        for operator in &operators {
            genesis
                .members
                .push(founder(operator, MemberKind::NodeOperator, "operator"));
        }
        genesis.members.extend([
            founder(&hospital, MemberKind::Hospital, "North"),
            founder(&other_hospital, MemberKind::Hospital, "South"),
            founder(&regulator, MemberKind::Regulator, "Regulator"),
            GenesisMember {
                allowed: vec![
                    (Contract::Membership.id(), 0),
                    (Contract::Membership.id(), 7),
                ],
                ..founder(&service, MemberKind::Service, "identity")
            },
        ]);
        let broker = TestBroker::start_with(USERS, genesis, replica_keys).await;
        say_whose_the_services_are(&broker, &hospital, &other_hospital);
        let ordering = start_contracts(&broker).await;
        let folder = tempfile::tempdir().unwrap();
        let database = TestDatabase::sqlite();
        let config = config(&broker, folder.path(), &database, &service);
        let seed = Secret::load(&config.token_seed).unwrap();
        let shutdown = Shutdown::detached("identity");
        let handle = shutdown.clone();
        tokio::spawn(async move {
            if let Err(error) = identity::run(config, handle).await {
                panic!("the service failed: {error:#}");
            }
        });
        tokio::time::timeout(Duration::from_secs(60), shutdown.became_ready())
            .await
            .expect("the service becomes ready");
        Consortium {
            gateway: broker.connect("gateway").await,
            north: broker.connect("records-north").await,
            south: broker.connect("records-south").await,
            settlement: broker.connect("settlement").await,
            authorization: broker.connect("authorization").await,
            operators,
            hospital,
            other_hospital,
            regulator,
            database,
            token_key: keys::token::TokenKey::from_seed(&seed).public_key(),
            token_seed: seed,
            seen: AtomicU64::new(0),
            _broker: broker,
            _ordering: ordering,
            _folder: folder,
            shutdown,
        }
    }

    /// Asks the service through the gateway.
    pub async fn ask<Q: UseCase>(
        &self,
        token: Option<&str>,
        request: Q,
    ) -> Result<Q::Reply, Problem> {
        self.ask_by(&self.gateway, token, request).await
    }

    /// Asks the service as another process on the bus.
    pub async fn ask_by<Q: UseCase>(
        &self,
        process: &Bus,
        token: Option<&str>,
        request: Q,
    ) -> Result<Q::Reply, Problem> {
        let seen = Height(self.seen.load(Ordering::Relaxed));
        let target = Target::service("identity");
        bus::seen::having_seen(seen, process.request(&target, token, &request)).await
    }

    /// Submits a command with a member's own key; whether it was accepted.
    pub async fn submit(&self, key: &MemberKey, command: impl Into<Command>) -> bool {
        let command = command.into();
        let body = TransactionBody {
            chain: self.gateway.chain(),
            submitter: key.ledger_id(),
            public_key: key.public_key(),
            nonce: u64::from_be_bytes(keys::secret::random()),
            valid_until: Timestamp(chassis::clock::now() + 30_000_000),
            contract: command.contract().id(),
            command: command.to_bytes(),
        };
        let receipt = self.gateway.submit(&key.sign(body)).await.unwrap();
        self.seen
            .fetch_max(receipt.header.height.0, Ordering::Relaxed);
        receipt.leaf.outcome == Outcome::Accepted
    }

    /// Endorses a person, who needs one node.
    pub async fn endorse(&self, member: LedgerId) {
        assert!(
            self.submit(&self.operators[0], Membership::EndorseMember { member })
                .await
        );
    }

    /// Registers a person; nobody has endorsed them.
    pub async fn register(
        &self,
        kind: MemberKind,
        identity_id: &str,
    ) -> Result<RegisteredPerson, Problem> {
        self.ask(None, registration(kind, identity_id)).await
    }

    /// Registers a person, endorses all their ledger ids and signs them in.
    pub async fn enrol(&self, kind: MemberKind, identity_id: &str) -> (RegisteredPerson, String) {
        let registered = self.register(kind, identity_id).await.unwrap();
        for id in registered.ledger_ids.values() {
            self.endorse(*id).await;
        }
        let token = self.sign_in(identity_id).await.unwrap();
        (registered, token)
    }

    /// Signs in; the token.
    pub async fn sign_in(&self, identity_id: &str) -> Result<String, Problem> {
        let request = SignIn {
            login: format!("login {identity_id}"),
            password: format!("the password of {identity_id}"),
            device: None,
            second_factor: None,
        };
        Ok(self.ask(None, request).await?.token)
    }
}

impl Drop for Consortium {
    fn drop(&mut self) {
        self.shutdown.request();
    }
}

/// What somebody asks who registers.
pub fn registration(kind: MemberKind, identity_id: &str) -> RegisterPerson {
    RegisterPerson {
        kind,
        real_name: format!("Canary {identity_id}"),
        identity_id: identity_id.to_owned(),
        login: format!("login {identity_id}"),
        password: format!("the password of {identity_id}"),
    }
}

/// The directory says with which member's key a hospital's records service acts.
fn say_whose_the_services_are(broker: &TestBroker, north: &MemberKey, south: &MemberKey) {
    let file = broker.folder().join("directory.json");
    let mut directory: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    for (name, key) in [("records-north", north), ("records-south", south)] {
        directory[name]["public_key"] = serde_json::to_value(key.public_key()).unwrap();
    }
    std::fs::write(file, directory.to_string()).unwrap();
}

fn config(
    broker: &TestBroker,
    folder: &std::path::Path,
    database: &TestDatabase,
    service: &MemberKey,
) -> Config {
    let now = Timestamp(chassis::clock::now());
    let root = Authority::root("test", now, now.plus(YEAR_US)).unwrap();
    let issuing = root.issuing("test", &[], now, now.plus(YEAR_US)).unwrap();
    std::fs::write(folder.join("root.pem"), root.certificate_pem()).unwrap();
    std::fs::write(folder.join("issuing.pem"), issuing.certificate_pem()).unwrap();
    private(&folder.join("issuing.key.pem"), issuing.expose_key_pem());
    let secret = |name: &str| -> PathBuf {
        let path = folder.join(name);
        Secret::random().save(&path).unwrap();
        path
    };
    service.save(&folder.join("member.json")).unwrap();
    Config {
        bus: broker.config("identity"),
        database: store::DatabaseConfig {
            url: database.url().to_owned(),
        },
        member_key: folder.join("member.json"),
        master_secret: secret("master.secret"),
        token_seed: secret("token.seed"),
        session_secret: secret("session.secret"),
        authority: folder.to_owned(),
        regulator_sealing_key: SealingKey::random().public_key(),
        session_minutes: 60,
        passkey_host: "localhost".to_owned(),
        certificate_hours: 72.0,
    }
}

fn private(path: &std::path::Path, text: &str) {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}
