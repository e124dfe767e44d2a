//! A gateway in front of a real broker, with small services that answer a few use cases.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bus::testing::{TestBroker, TestOrdering};
use bus::{DirectoryEntry, DirectoryFile};
use chassis::Shutdown;
use contracts::Event;
use contracts::membership::event::Event as MembershipEvent;
use keys::MemberKey;
use ledger::{LedgerId, Outcome, SignedTransaction, Timestamp, TransactionBody};

/// Who is on the broker.
pub const EVERYONE: &[&str] = &[
    "gateway",
    "identity",
    "index",
    "settlement",
    "authorization",
    "iot",
    "records-north",
    "records-south",
    "replica-0",
    "replica-1",
    "replica-2",
    "replica-3",
];
/// The hospital whose records service is `records-north`.
pub const NORTH: LedgerId = LedgerId([1; 16]);
/// The hospital whose records service is `records-south`.
pub const SOUTH: LedgerId = LedgerId([2; 16]);

/// A running gateway.
pub struct Running {
    pub broker: TestBroker,
    pub ordering: TestOrdering,
    pub rest: SocketAddr,
    pub grpc: SocketAddr,
    pub shutdown: Shutdown,
    pub http: reqwest::Client,
}

impl Running {
    /// Starts everything; `limits` overrides single limits.
    pub async fn start(limits: serde_json::Value) -> Running {
        let broker = TestBroker::start(EVERYONE).await;
        name_hospitals(&broker);
        let decide = Box::new(|transaction: &SignedTransaction| {
            let event = Event::from(MembershipEvent::MemberActivated {
                member: transaction.body.submitter,
            });
            (Outcome::Accepted, vec![event.recorded()])
        });
        let ordering = TestOrdering::start(&broker, Vec::new(), decide).await;
        let config = serde_json::json!({ "bus": broker.config("gateway"), "limits": limits });
        let config: gateway::Config = serde_json::from_value(config).unwrap();
        let shutdown = Shutdown::detached("gateway");
        let prepared = gateway::Prepared::new(config, &shutdown).await.unwrap();
        let (rest, grpc) = (
            prepared.rest_address().unwrap(),
            prepared.grpc_address().unwrap(),
        );
        tokio::spawn(prepared.serve());
        Running {
            broker,
            ordering,
            rest,
            grpc,
            shutdown,
            http: client(),
        }
    }

    /// `http://address/v1...`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.rest)
    }

    /// GET without a session.
    pub async fn get(&self, path: &str) -> reqwest::Response {
        self.http.get(self.url(path)).send().await.unwrap()
    }

    /// POST of JSON with a session.
    pub async fn post(&self, path: &str, body: serde_json::Value) -> reqwest::Response {
        self.http
            .post(self.url(path))
            .bearer_auth("session")
            .json(&body)
            .send()
            .await
            .unwrap()
    }

    /// A transaction of a fresh member.
    pub fn transaction(&self, nonce: u64) -> SignedTransaction {
        let member = MemberKey::random();
        member.sign(TransactionBody {
            chain: self.broker.genesis().chain_id(),
            submitter: member.ledger_id(),
            public_key: member.public_key(),
            nonce,
            valid_until: Timestamp(chassis::clock::now() + 30_000_000),
            contract: ledger::ContractId(1),
            command: vec![1, 2, 3],
        })
    }
}

/// The key under which a hospital's records service acts in these tests.
pub fn hospital_key(hospital: LedgerId) -> ledger::PublicKey {
    ledger::SigningKey::from_seed([hospital.0[0]; 32]).public_key()
}

/// Writes the hospitals' keys into the directory file.
fn name_hospitals(broker: &TestBroker) {
    let path = broker.folder().join("directory.json");
    let mut directory: DirectoryFile =
        serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    for (name, hospital) in [("records-north", NORTH), ("records-south", SOUTH)] {
        let sealing_key = directory[name].sealing_key;
        directory.insert(
            name.to_owned(),
            DirectoryEntry {
                sealing_key,
                public_key: hospital_key(hospital),
            },
        );
    }
    std::fs::write(&path, serde_json::to_string(&directory).unwrap()).unwrap();
}

/// Waits until `holds`, at most ten seconds.
pub async fn eventually<F: Future<Output = bool>>(mut holds: impl FnMut() -> F) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds().await {
        assert!(Instant::now() < deadline, "it never happened");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The library wants to know its cryptography, also for connections without TLS.
fn client() -> reqwest::Client {
    keys::tls::use_ring();
    reqwest::Client::new()
}
