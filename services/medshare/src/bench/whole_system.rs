//! A whole system in a fresh folder, as `init` and `up` make it, with those signed in who act in measurements.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use client::{Client, Member};
use contracts::Event;
use contracts::membership::command::{MemberKind, POSSESSION_DOMAIN, possession_message};
use interfaces::identity::{MemberSummary, RegisterOrganisation, RegisterPerson, RegisteredPerson};
use interfaces::{Base64, Committed};
use keys::{MemberKey, Secret};
use ledger::store_format::{SegmentError, parse_segment_name, read_segment};
use ledger::{ChainVerifier, GenesisFile, LEDGER_CONTRACT, LedgerId, Timestamp};

use super::scratch::Scratch;
use crate::consortium::Consortium;
use crate::demo::endorser::Endorser;
use crate::demo::story::{sign_in, wait_for};
use crate::layout::Layout;
use crate::supervisor::{Notice, Options, System};

/// A running system.
pub struct WholeSystem {
    /// Its processes.
    pub system: System,
    /// A client of its gateway.
    pub client: Client,
    /// The hospital Lakeside, signed in.
    pub hospital: Member,
    /// Endorses persons and devices while the measurement goes on.
    _endorser: Endorser,
    _scratch: Scratch,
}

impl WholeSystem {
    /// Makes one in a fresh folder below `dir`; `prepare` may change files before it starts. The gateway's limit of
    /// requests for an address is lifted: all load comes from one.
    pub async fn start(
        dir: &Path,
        prepare: impl AsyncFnOnce(&Layout) -> anyhow::Result<()>,
    ) -> anyhow::Result<WholeSystem> {
        let scratch = Scratch::make(dir)?;
        let folder = scratch.path().join("system");
        crate::init::init(&Consortium::built_in(), &folder)?;
        let layout = Layout::new(&folder);
        lift_rate_limit(&layout)?;
        prepare(&layout).await?;
        let mut options = Options::new()?;
        options.ready_within = Duration::from_secs(180);
        options.notices = Arc::new(|notice| {
            if let Notice::Died { name, how } = notice {
                eprintln!("bench: {name} ended unasked: {how}");
            }
        });
        let system = System::start(&folder, options)
            .await
            .context("the system does not start")?;
        let genesis = GenesisFile::from_json(&std::fs::read_to_string(layout.genesis())?)?;
        let address = system
            .address("gateway", "rest")
            .context("the gateway does not say where it listens")?;
        let client = Client::new(&format!("http://{address}"), genesis)?;
        let operator = sign_in(&client, &layout, "authority", "operator.json").await?;
        let hospital = sign_in(&client, &layout, "lakeside", "member.json").await?;
        Ok(WholeSystem {
            system,
            client,
            hospital,
            _endorser: Endorser::start(operator),
            _scratch: scratch,
        })
    }

    /// The system's files.
    pub fn layout(&self) -> &Layout {
        self.system.layout()
    }

    /// A path below the hospital's.
    pub fn hospital_path(&self, rest: &str) -> anyhow::Result<String> {
        let key = self.hospital.key().context("a hospital holds its key")?;
        Ok(format!("/v1/hospitals/{}/{rest}", key.ledger_id()))
    }

    /// Registers a person and signs them in once they are endorsed.
    pub async fn person(
        &self,
        kind: MemberKind,
        real_name: &str,
        identity_id: &str,
    ) -> anyhow::Result<(RegisteredPerson, Member)> {
        let password = Secret::random().expose_hex().to_string();
        let request = RegisterPerson {
            kind,
            real_name: real_name.to_owned(),
            identity_id: identity_id.to_owned(),
            login: format!("login-{identity_id}"),
            password: password.clone(),
        };
        let registered: RegisteredPerson = self.client.post("/v1/persons", &request).await?;
        let member = wait_for("a person is endorsed", async || {
            Ok(Some(self.client.sign_in(&request.login, &password).await?))
        })
        .await?;
        Ok((registered, member))
    }

    /// A doctor who acts for the hospital.
    pub async fn doctor(&self) -> anyhow::Result<Member> {
        let (registered, member) = self.person(MemberKind::Doctor, "Dr. Bench", "D-1").await?;
        let id = registered
            .ledger_ids
            .get("self")
            .context("a doctor without ledger id")?;
        let path = self.hospital_path(&format!("doctors/{id}"))?;
        let _: Committed = self
            .hospital
            .put(&path, &serde_json::json!({ "days": 30 }))
            .await?;
        Ok(member)
    }

    /// Registers a device by its own key, and waits until it is endorsed.
    pub async fn device(&self, key: &MemberKey) -> anyhow::Result<()> {
        let chain = self.client.receipts().chain();
        let message = possession_message(&chain, &key.ledger_id(), &key.public_key());
        let request = RegisterOrganisation {
            kind: MemberKind::Device,
            name: None,
            ledger_id: key.ledger_id(),
            public_key: key.public_key(),
            sealing_key: Base64(key.sealing_public_key().0.to_vec()),
            possession: Base64(key.sign_message(POSSESSION_DOMAIN, &message).0.to_vec()),
        };
        let _: Committed = self.client.post("/v1/organisations", &request).await?;
        self.until_active(&key.ledger_id()).await
    }

    async fn until_active(&self, member: &LedgerId) -> anyhow::Result<()> {
        let path = format!("/v1/members/{member}");
        wait_for("a member is active", async || {
            let found: MemberSummary = self.client.get(&path).await?;
            Ok((found.status == "active").then_some(()))
        })
        .await
    }

    /// Stops it, and verifies one replica's whole ledger while `count` sees every accepted event with its block time.
    pub async fn stop_and_recount(
        self,
        count: impl FnMut(&Event, Timestamp),
    ) -> anyhow::Result<u64> {
        self.system.shut_down().await;
        let blocks = self.layout().process("replica-0").join("data/blocks");
        recount(&blocks, &self.layout().genesis(), count)
    }
}

fn lift_rate_limit(layout: &Layout) -> anyhow::Result<()> {
    let file = layout.process("gateway").join("config.toml");
    let mut table: toml::Table = std::fs::read_to_string(&file)?.parse()?;
    let limits = table
        .entry("limits")
        .or_insert_with(|| toml::Table::new().into());
    let limits = limits.as_table_mut().context("[limits] is a table")?;
    for key in ["requests_per_second", "burst"] {
        limits.insert(key.to_owned(), 1_000_000.into());
    }
    crate::files::write_private(&file, toml::to_string(&table)?.as_bytes())
}

/// Verifies a folder of block files from the genesis file on; gives the number of blocks.
fn recount(
    folder: &Path,
    genesis: &Path,
    mut count: impl FnMut(&Event, Timestamp),
) -> anyhow::Result<u64> {
    let genesis = GenesisFile::from_json(&std::fs::read_to_string(genesis)?)?;
    let mut verifier = ChainVerifier::new(&genesis)?;
    let mut files: Vec<_> = std::fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|file| {
            let name = file.file_name().and_then(|name| name.to_str());
            name.and_then(parse_segment_name).is_some()
        })
        .collect();
    files.sort();
    for file in files {
        for block in read_segment(&std::fs::read(&file)?) {
            let block = match block {
                Ok(block) => block,
                Err(SegmentError::Torn { .. }) => break,
                Err(error) => return Err(error.into()),
            };
            verifier.next(&block)?;
            for leaf in block
                .block
                .outcomes
                .iter()
                .filter(|leaf| leaf.outcome.is_accepted())
            {
                for recorded in &leaf.events {
                    if recorded.contract != LEDGER_CONTRACT {
                        let event = Event::from_bytes(recorded.contract, &recorded.bytes)?;
                        count(&event, block.block.header.time);
                    }
                }
            }
        }
    }
    let blocks = verifier.height().0;
    ensure!(blocks > 0, "{} holds no blocks", folder.display());
    Ok(blocks)
}
