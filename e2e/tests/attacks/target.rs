//! A system with mutual TLS of a test's own, for attacks that some replicas do not survive.

use std::net::SocketAddr;

use client::{Client, Member};
use e2e::attacked::eventually;
use e2e::invariants;
use e2e::load::Load;
use e2e::system::{RunningSystem, Setup};
use keys::MemberKey;
use keys::tls::TlsFiles;
use ledger::{Digest, GenesisFile};
use pbft::View;
use serde_json::Value;

/// Receipts after which the cluster is at work again.
pub const AT_WORK: u64 = 20;

/// A system with mutual TLS, and a client of it.
pub struct Target {
    /// The system.
    pub system: RunningSystem,
    /// The gateway, by the authority's certificate.
    pub client: Client,
    /// Signed in with its own key.
    pub treasurer: Member,
    /// The chain id.
    pub chain: Digest,
}

impl Target {
    /// A system as it is set up.
    pub async fn start() -> Target {
        Target::of(Setup::new()).await
    }

    /// A system that runs so.
    pub async fn of(mut setup: Setup) -> Target {
        setup.init.extend(["--tls".to_owned(), "mutual".to_owned()]);
        let system = setup.start();
        let genesis = std::fs::read_to_string(system.genesis()).unwrap();
        let genesis = GenesisFile::from_json(&genesis).unwrap();
        let chain = genesis.chain_id();
        let certificate = TlsFiles {
            identity_file: system.root().join("organisations/authority/tls.pem"),
            root_file: system.root().join("root.pem"),
        };
        let address = format!("https://{}", system.address("gateway", "rest"));
        let client =
            Client::with_certificate(&address, genesis, &certificate.load().unwrap()).unwrap();
        let key = system.root().join("organisations/treasury/member.json");
        let key = MemberKey::load(&key).unwrap();
        let treasurer = client.sign_in_with_key(key).await.unwrap();
        Target {
            system,
            client,
            treasurer,
            chain,
        }
    }

    /// A system at work: with clients whose receipts come in.
    pub async fn at_work() -> (Target, Load) {
        let target = Target::start().await;
        let load = Load::start(&target.treasurer, 4);
        load.goes_on(AT_WORK).await;
        (target, load)
    }

    /// What most replicas say of themselves.
    pub async fn status(&self) -> Value {
        eventually("the replicas answer", async || {
            self.client.get("/v1/status").await.ok()
        })
        .await
    }

    /// The newest certified height.
    pub async fn height(&self) -> u64 {
        self.status().await["height"].as_u64().unwrap()
    }

    /// The newest view that a replica works in, and its primary.
    pub async fn view(&self) -> (View, u16) {
        let status = self.status().await;
        let replicas = status["replicas"].as_array().unwrap().iter();
        let views = replicas.filter_map(|it| it["status"]["view"].as_u64());
        let view = views.max().unwrap();
        (View(view), u16::try_from(view % 4).unwrap())
    }

    /// A counter or gauge of a process.
    pub async fn counter(&self, process: &str, name: &str) -> u64 {
        counter_at(self.system.address(process, "health"), name).await
    }

    /// Ends the clients' work, and checks the replicas' files (I1 to I5), and that all have the newest receipt's block.
    pub async fn settle(self, load: Load) -> RunningSystem {
        let history = load.finish().await;
        invariants::all_reach(&self.system, history.newest()).await;
        let Target { mut system, .. } = self;
        system.stop();
        invariants::check(&system, &history.receipts());
        system
    }
}

/// A counter or gauge of whoever shows its metrics here.
pub async fn counter_at(address: SocketAddr, name: &str) -> u64 {
    let shown = reqwest::get(format!("http://{address}/metrics")).await;
    let text = shown.unwrap().text().await.unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64
}
