//! Who takes part: the founders of a running system signed in with their own keys, and those who register.

use std::path::Path;

use client::{Client, ClientError, Member, VerifiedCommit};
use clinical::bundle::Bundle;
use clinical::claim;
use clinical::generator::{Plan, patients};
use clinical::record::identity_id;
use clinical::split::split;
use contracts::membership::command::{MemberKind, POSSESSION_DOMAIN, possession_message};
use interfaces::identity::{
    ListPendingMembers, MemberSummary, RegisterOrganisation, RegisterPerson, RegisteredPerson,
};
use interfaces::records::ImportReport;
use interfaces::{Base64, Committed, Page};
use keys::MemberKey;
use ledger::{GenesisFile, LedgerId};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::system::{LOOK_EVERY, RunningSystem};

/// The founders of the built-in consortium, and the authority's operator at work.
pub struct Cast {
    /// The gateway, nobody signed in.
    pub client: Client,
    /// Who operate the nodes: authority, lakeside, hillcrest, chamber.
    pub operators: Vec<Member>,
    /// The regulator.
    pub regulator: Member,
    /// The treasurer.
    pub treasurer: Member,
    /// The insurer.
    pub insurer: Member,
    /// Lakeside and Hillcrest.
    pub hospitals: Vec<Hospital>,
    endorsing: JoinHandle<()>,
}

/// A hospital, signed in.
#[derive(Clone)]
pub struct Hospital {
    /// Its ledger id.
    pub id: LedgerId,
    /// Signed in as the hospital.
    pub member: Member,
}

impl Hospital {
    /// A path below the hospital's.
    pub fn path(&self, rest: &str) -> String {
        format!("/v1/hospitals/{}/{rest}", self.id)
    }

    /// Hands in a Bundle.
    ///
    /// # Errors
    /// What the gateway says.
    pub async fn import(&self, bundle: &str) -> Result<ImportReport, ClientError> {
        self.member
            .post_fhir(&self.path("records/import"), bundle.as_bytes().to_vec())
            .await
    }
}

/// A natural person who registered.
#[derive(Clone)]
pub struct Registered {
    /// Signed in.
    pub member: Member,
    /// What registration answered.
    pub account: RegisteredPerson,
    /// The name to sign in with.
    pub login: String,
    /// The password.
    pub password: String,
}

/// A made-up patient and what there is of them.
#[derive(Clone)]
pub struct MadeUp {
    /// The Bundle.
    pub bundle: String,
    /// The name in it.
    pub real_name: String,
    /// The identity ID in it.
    pub identity_id: String,
    /// How many records it makes.
    pub records: usize,
    /// How many claims it holds.
    pub claims: usize,
}

/// The first `count` made-up patients.
///
/// # Panics
/// If the generator's Bundles cannot be read.
pub fn made_up(count: usize) -> Vec<MadeUp> {
    let plan = Plan {
        patients: count,
        ..Plan::default()
    };
    patients(&plan)
        .map(|json| {
            let bundle = String::from_utf8(json.to_bytes()).expect("JSON is text");
            let parsed = Bundle::from_json(json).expect("a Bundle");
            let intake = split(parsed).expect("a Bundle that can be split");
            let patient = &intake.patient.resource;
            let name = patient.list("name").first().expect("a name").clone();
            let claims = intake.records.iter().map(|encounter| {
                claim::charges(&encounter.record)
                    .expect("claims that can be read")
                    .len()
            });
            MadeUp {
                bundle,
                real_name: name.text("family").unwrap_or_default().to_owned(),
                identity_id: identity_id(patient).expect("an identity ID"),
                records: intake.records.len(),
                claims: claims.sum(),
            }
        })
        .collect()
}

impl Cast {
    /// Signs the founders in, and has the authority's operator endorse persons and devices as they register.
    ///
    /// # Panics
    /// If somebody cannot sign in.
    pub async fn gather(system: &RunningSystem) -> Cast {
        let genesis = std::fs::read_to_string(system.genesis()).expect("a genesis file");
        let genesis = GenesisFile::from_json(&genesis).expect("a genesis file that can be read");
        let gateway = system.address("gateway", "rest");
        let client = Client::new(&format!("http://{gateway}"), genesis).expect("a client");
        let sign_in = async |slug: &str, file: &str| {
            let file = system.root().join("organisations").join(slug).join(file);
            sign_in(&client, &file).await
        };
        let mut operators = Vec::new();
        for slug in ["authority", "lakeside", "hillcrest", "chamber"] {
            operators.push(sign_in(slug, "operator.json").await);
        }
        let mut hospitals = Vec::new();
        for slug in ["lakeside", "hillcrest"] {
            let member = sign_in(slug, "member.json").await;
            let id = member.key().expect("a hospital holds its key").ledger_id();
            hospitals.push(Hospital { id, member });
        }
        Cast {
            endorsing: tokio::spawn(endorse_persons(operators[0].clone())),
            operators,
            hospitals,
            regulator: sign_in("regulator", "member.json").await,
            treasurer: sign_in("treasury", "member.json").await,
            insurer: sign_in("mutual", "member.json").await,
            client: client.clone(),
        }
    }

    /// Registers a person, waits for the endorsement, and signs them in.
    ///
    /// # Panics
    /// If the registration is refused.
    pub async fn person(&self, kind: MemberKind, real_name: &str, identity_id: &str) -> Registered {
        let request = RegisterPerson {
            kind,
            real_name: real_name.to_owned(),
            identity_id: identity_id.to_owned(),
            login: format!("login-{identity_id}"),
            password: format!("a long password of {identity_id}"),
        };
        let account: RegisteredPerson = self
            .client
            .post("/v1/persons", &request)
            .await
            .expect("a registration");
        let member = until_some(async || {
            self.client
                .sign_in(&request.login, &request.password)
                .await
                .ok()
        })
        .await;
        Registered {
            member,
            account,
            login: request.login,
            password: request.password,
        }
    }

    /// Registers a made-up patient.
    pub async fn patient(&self, made_up: &MadeUp) -> Registered {
        self.person(
            MemberKind::Patient,
            &made_up.real_name,
            &made_up.identity_id,
        )
        .await
    }

    /// Registers a doctor and has a hospital affiliate them.
    ///
    /// # Panics
    /// If it is refused.
    pub async fn doctor(&self, place: usize, name: &str) -> Registered {
        let doctor = self
            .person(MemberKind::Doctor, name, &format!("D-{name}"))
            .await;
        let hospital = &self.hospitals[place];
        let path = hospital.path(&format!("doctors/{}", doctor.account.ledger_ids["self"]));
        let committed: Committed = hospital
            .member
            .put(&path, &json!({ "days": 30 }))
            .await
            .expect("an affiliation");
        self.client
            .receipts()
            .verify(&committed)
            .expect("a receipt that verifies");
        doctor
    }

    /// Registers an organisation with a key of its own; not endorsed.
    ///
    /// # Errors
    /// What the gateway says.
    pub async fn register(
        &self,
        key: &MemberKey,
        kind: MemberKind,
        name: Option<&str>,
    ) -> Result<VerifiedCommit, ClientError> {
        let chain = self.client.receipts().chain();
        let message = possession_message(&chain, &key.ledger_id(), &key.public_key());
        let request = RegisterOrganisation {
            kind,
            name: name.map(str::to_owned),
            ledger_id: key.ledger_id(),
            public_key: key.public_key(),
            sealing_key: Base64(key.sealing_public_key().0.to_vec()),
            possession: Base64(key.sign_message(POSSESSION_DOMAIN, &message).0.to_vec()),
        };
        let committed: Committed = self.client.post("/v1/organisations", &request).await?;
        self.client.receipts().verify(&committed)
    }

    /// Registers an organisation, has a quorum of nodes endorse it, and signs it in.
    ///
    /// # Panics
    /// If it is refused.
    pub async fn organisation(&self, kind: MemberKind, name: &str) -> Member {
        let key = MemberKey::random();
        self.register(&key, kind, Some(name))
            .await
            .expect("a registration");
        let path = format!("/v1/members/{}/endorsements", key.ledger_id());
        for operator in &self.operators[..3] {
            operator
                .command(&path, &json!({}))
                .await
                .expect("an endorsement");
        }
        self.client
            .sign_in_with_key(key)
            .await
            .expect("a member that is endorsed signs in")
    }

    /// A member, as identity has it.
    ///
    /// # Errors
    /// What the gateway says.
    pub async fn member(&self, id: &LedgerId) -> Result<MemberSummary, ClientError> {
        self.client.get(&format!("/v1/members/{id}")).await
    }

    /// The height that the replicas have reached.
    ///
    /// # Panics
    /// If the gateway does not say.
    pub async fn height(&self) -> u64 {
        let status = until_some(async || {
            self.client
                .get::<serde_json::Value>("/v1/status")
                .await
                .ok()
        })
        .await;
        status["height"].as_u64().expect("a height")
    }
}

impl Drop for Cast {
    fn drop(&mut self) {
        self.endorsing.abort();
    }
}

/// Signs an organisation in with a key file. Right after the start identity may still be reading the first block.
///
/// # Panics
/// If the key cannot be read.
pub async fn sign_in(client: &Client, file: &Path) -> Member {
    let key = MemberKey::load(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    until_some(async || client.sign_in_with_key(key.clone()).await.ok()).await
}

/// Looks again until something is there; the test runner ends a test that waits in vain.
pub async fn until_some<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    loop {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Endorses persons and devices for as long as it runs.
async fn endorse_persons(operator: Member) {
    let path = format!(
        "/v1/members/pending?limit={}",
        ListPendingMembers::default().page.limit.unwrap_or(500)
    );
    loop {
        // What fails is still pending at the next look.
        let waiting = operator.get::<Page<MemberSummary>>(&path).await;
        let persons = [MemberKind::Patient, MemberKind::Doctor, MemberKind::Device];
        for member in waiting.into_iter().flat_map(|page| page.entries) {
            if persons.contains(&member.kind) {
                let path = format!("/v1/members/{}/endorsements", member.member);
                let _ = operator.command(&path, &json!({})).await;
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
