//! What the acts share: who takes part, what was committed, what failed.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use client::{Client, ClientError, Member, VerifiedCommit};
use contracts::GrantId;
use contracts::membership::command::{MemberKind, POSSESSION_DOMAIN, possession_message};
use interfaces::identity::{MemberSummary, RegisterOrganisation};
use interfaces::{Base64, Committed};
use keys::{MemberKey, SealingKey};
use ledger::{Digest, GenesisFile, LedgerId};

use super::accounts::Account;
use super::endorser::Endorser;
use super::population::{Person, Population};
use super::tally::Tally;
use crate::layout::Layout;
use crate::supervisor::System;

/// How long the story waits for what must happen by itself.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A hospital of the story.
#[derive(Clone)]
pub(super) struct Hospital {
    pub(super) slug: String,
    pub(super) id: LedgerId,
    /// Signed in as the hospital.
    pub(super) member: Member,
}

impl Hospital {
    /// A path below the hospital's.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("/v1/hospitals/{}/{rest}", self.id)
    }
}

/// A patient who registered.
#[derive(Clone)]
pub(super) struct Patient {
    pub(super) person: usize,
    pub(super) patient_id: String,
    pub(super) insured: LedgerId,
    pub(super) member: Member,
    pub(super) account: Account,
}

/// A doctor who registered.
#[derive(Clone)]
pub(super) struct Doctor {
    pub(super) member: Member,
    pub(super) account: Account,
}

/// A grant that was released to the research institution.
#[derive(Clone)]
pub(super) struct Granted {
    pub(super) grant: GrantId,
    pub(super) patient: usize,
}

/// The story so far.
pub(super) struct Story {
    pub(super) client: Client,
    pub(super) system: System,
    pub(super) population: Population,
    pub(super) tally: Tally,
    pub(super) failed: Vec<String>,
    pub(super) receipts_dir: PathBuf,
    pub(super) operators: Vec<Member>,
    pub(super) treasurer: Member,
    pub(super) insurer: Member,
    pub(super) hospitals: Vec<Hospital>,
    pub(super) patients: Vec<Patient>,
    /// One of each hospital, in the hospitals' order.
    pub(super) doctors: Vec<Doctor>,
    /// One of each hospital, in the hospitals' order.
    pub(super) clerks: Vec<Account>,
    pub(super) institution: Option<Member>,
    pub(super) found: Option<interfaces::index::DiseaseSearchResult>,
    pub(super) granted: Vec<Granted>,
    /// Items' secret keys, by place in the application.
    pub(super) item_keys: Vec<SealingKey>,
    _endorser: Endorser,
}

impl Story {
    /// Signs in everybody who is there from the start.
    pub(super) async fn begin(system: &System, population: Population) -> anyhow::Result<Story> {
        let layout = system.layout();
        let genesis = GenesisFile::from_json(&std::fs::read_to_string(layout.genesis())?)?;
        let address = system
            .address("gateway", "rest")
            .context("the gateway does not say where it listens")?;
        let client = crate::partner::client(layout, address, genesis)?;
        let receipts_dir = layout.root().join("receipts");
        crate::files::make_private_folder(&receipts_dir)?;
        let mut operators = Vec::new();
        for slug in ["authority", "lakeside", "hillcrest", "chamber"] {
            operators.push(sign_in(&client, layout, slug, "operator.json").await?);
        }
        let mut hospitals = Vec::new();
        for slug in ["lakeside", "hillcrest"] {
            let member = sign_in(&client, layout, slug, "member.json").await?;
            let id = member
                .key()
                .context("a hospital holds its key")?
                .ledger_id();
            hospitals.push(Hospital {
                slug: slug.to_owned(),
                id,
                member,
            });
        }
        let treasurer = sign_in(&client, layout, "treasury", "member.json").await?;
        let insurer = sign_in(&client, layout, "mutual", "member.json").await?;
        let endorser = Endorser::start(operators[0].clone());
        Ok(Story {
            tally: Tally::default(),
            failed: Vec::new(),
            receipts_dir,
            operators,
            treasurer,
            insurer,
            hospitals,
            patients: Vec::new(),
            doctors: Vec::new(),
            clerks: Vec::new(),
            institution: None,
            found: None,
            granted: Vec::new(),
            item_keys: Vec::new(),
            system: system.clone(),
            population,
            client,
            _endorser: endorser,
        })
    }

    /// Whether connections are over mutual TLS.
    pub(super) fn has_tls(&self) -> bool {
        self.client.is_secured()
    }

    /// Says that an act begins.
    pub(super) fn announce(&self, act: &str) {
        eprintln!("\n== {act}");
    }

    /// Says something.
    pub(super) fn tell(&self, text: &str) {
        eprintln!("   {text}");
    }

    /// Writes a failure down.
    pub(super) fn fail(&mut self, act: &str, error: &anyhow::Error) {
        eprintln!("   FAILED: {error:#}");
        self.failed.push(format!("{act}: {error:#}"));
    }

    /// Shows a verified commit, and keeps its receipt as a file.
    pub(super) fn committed(&self, text: &str, commit: &VerifiedCommit) -> anyhow::Result<()> {
        eprintln!(
            "   {text}: transaction {}, block {}, receipt verified",
            short(&commit.transaction),
            commit.height.0
        );
        self.keep_receipt(commit)
    }

    /// Verifies what a service answered, shows it and keeps its receipt.
    pub(super) fn verified(&self, text: &str, committed: &Committed) -> anyhow::Result<()> {
        let commit = self.client.receipts().verify(committed)?;
        self.committed(text, &commit)
    }

    /// Keeps a receipt as a file.
    pub(super) fn keep_receipt(&self, commit: &VerifiedCommit) -> anyhow::Result<()> {
        let file = self
            .receipts_dir
            .join(format!("{}.json", commit.transaction));
        std::fs::write(&file, commit.receipt.to_file()).with_context(|| file.display().to_string())
    }

    /// The institution.
    pub(super) fn institution(&self) -> anyhow::Result<Member> {
        self.institution
            .clone()
            .context("the research institution is not registered")
    }

    /// A patient with records at both hospitals.
    pub(super) fn patient_of_both(&self) -> anyhow::Result<&Patient> {
        self.patients
            .iter()
            .find(|patient| self.person(patient).records.iter().all(|count| *count > 0))
            .context("no patient has records at both hospitals")
    }

    /// The person behind a patient.
    pub(super) fn person(&self, patient: &Patient) -> &Person {
        &self.population.people[patient.person]
    }

    /// Registers an organisation or a device by its own key, and gives the receipt.
    pub(super) async fn register(
        &self,
        key: &MemberKey,
        kind: MemberKind,
        name: Option<&str>,
    ) -> anyhow::Result<VerifiedCommit> {
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
        Ok(self.client.receipts().verify(&committed)?)
    }

    /// Has a quorum of node operators endorse an organisation, each with its own key.
    pub(super) async fn endorse_by_quorum(
        &self,
        member: &LedgerId,
        name: &str,
    ) -> anyhow::Result<()> {
        for operator in &self.operators[..3] {
            let path = format!("/v1/members/{member}/endorsements");
            let commit = operator.command(&path, &serde_json::json!({})).await?;
            self.committed(&format!("{name} endorsed by a node operator"), &commit)?;
        }
        self.wait_until_active(member).await
    }

    /// Waits until a member is active.
    pub(super) async fn wait_until_active(&self, member: &LedgerId) -> anyhow::Result<()> {
        let path = format!("/v1/members/{member}");
        wait_for("a member is active", async || {
            let found: MemberSummary = self.client.get(&path).await?;
            Ok((found.status == "active").then_some(()))
        })
        .await
    }

    /// Downloads and verifies the receipt of every transaction on the ledger that was not verified yet.
    pub(super) async fn verify_all_receipts(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        self.settle_down().await?;
        let open: Vec<Digest> = self
            .tally
            .transactions
            .iter()
            .filter(|id| !self.client.receipts().has(id))
            .copied()
            .collect();
        self.tell(&format!(
            "{} receipts are downloaded and verified with the genesis file alone",
            open.len()
        ));
        for (place, transaction) in open.iter().enumerate() {
            let commit = self
                .client
                .receipt(transaction)
                .await
                .with_context(|| format!("receipt of {transaction}"))?;
            self.keep_receipt(&commit)?;
            if (place + 1) % 500 == 0 {
                self.tell(&format!("{} of {}", place + 1, open.len()));
            }
        }
        // Those of the endorser and the like, too.
        for receipt in self.client.receipts().all() {
            let file = self
                .receipts_dir
                .join(format!("{}.json", receipt.leaf.transaction));
            if !file.exists() {
                std::fs::write(&file, receipt.to_file())
                    .with_context(|| file.display().to_string())?;
            }
        }
        let all = self
            .tally
            .transactions
            .iter()
            .filter(|id| self.client.receipts().has(id))
            .count();
        self.tell(&format!(
            "{all} of {} transactions have a verified receipt ({:.1} s)",
            self.tally.transactions.len(),
            began.elapsed().as_secs_f64()
        ));
        Ok(())
    }

    /// Waits until no transaction was ordered for a while.
    async fn settle_down(&mut self) -> anyhow::Result<()> {
        let mut seen = BTreeSet::new();
        let mut quiet_since = Instant::now();
        let began = Instant::now();
        while quiet_since.elapsed() < Duration::from_secs(3) {
            self.tally.follow(&self.client).await?;
            if self.tally.transactions.len() != seen.len() {
                seen.clone_from(&self.tally.transactions);
                quiet_since = Instant::now();
            }
            if began.elapsed() > PATIENCE {
                bail!("the ledger does not come to rest");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }
}

/// Signs an organisation in with a key file below its folder.
pub(crate) async fn sign_in(
    client: &Client,
    layout: &Layout,
    slug: &str,
    file: &str,
) -> anyhow::Result<Member> {
    let key = MemberKey::load(&layout.organisation(slug).join(file))
        .with_context(|| format!("the key of {slug}"))?;
    // Right after the start identity may still be reading the ledger's first block.
    wait_for("an organisation can sign in", async || {
        Ok(Some(client.sign_in_with_key(key.clone()).await?))
    })
    .await
    .with_context(|| format!("{slug} cannot sign in"))
}

/// Looks again until something is there.
pub(crate) async fn wait_for<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let began = Instant::now();
    loop {
        let last = match look().await {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => None,
            Err(error) => Some(error),
        };
        if began.elapsed() > PATIENCE {
            return match last {
                Some(error) => Err(error.context(format!("waited in vain until {what}"))),
                None => bail!("waited in vain until {what}"),
            };
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Requires that the gateway refuses with this status.
pub(super) fn refused<T>(
    what: &str,
    answer: Result<T, ClientError>,
    statuses: &[u16],
) -> anyhow::Result<String> {
    match answer {
        Ok(_) => bail!("{what} was permitted"),
        Err(ClientError::Problem(problem)) if statuses.contains(&problem.status) => {
            Ok(match (&problem.rejection, &problem.transaction) {
                (Some(rejection), Some(transaction)) => {
                    format!(
                        "rejected by contract rule {rejection} in transaction {}",
                        transaction.get(..12).unwrap_or(transaction)
                    )
                }
                _ => format!("refused with {}", problem.status),
            })
        }
        Err(error) => Err(anyhow::Error::from(error).context(format!(
            "{what} was refused, but in another way than expected"
        ))),
    }
}

/// The beginning of an id, for people.
pub(super) fn short(id: &Digest) -> String {
    id.to_string()[..12].to_owned()
}
