//! `medshare admin replace-node`: operators of nodes vote a node in or out on a running system. All of it are signed
//! transactions through the gateway; each operator may as well vote on a machine of its own, with its own key file.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use client::{ClientError, Member, VerifiedCommit};
use contracts::governance::Event as Governance;
use contracts::governance::command::{Change, Command};
use contracts::membership::command::{MemberKind, POSSESSION_DOMAIN, possession_message};
use contracts::{Event, ProposalId};
use interfaces::identity::{MemberSummary, RegisterOrganisation};
use interfaces::{Base64, Committed};
use keys::MemberKey;
use ledger::{LedgerId, Receipt, ReplicaDescription, ReplicaId, Timestamp, TransactionBody};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::arguments::ReplaceNode;
use crate::consortium::Consortium;
use crate::files;
use crate::layout::Layout;
use crate::partner;
use crate::supervisor::control::{self, Action};
use crate::system::SystemDescription;

/// A little less than the ledger allows.
const VALIDITY_US: u64 = 55_000_000;
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Within this many looks identity shows what is on the ledger.
const LOOKS_AT_MEMBER_MAX: u32 = 40;
/// Within this many looks an adopted change is in force: the epoch ends within two checkpoints, whose blocks the primary
/// makes at once.
const LOOKS_AT_CHANGE_MAX: u32 = 480;

/// What of `GET /v1/status` is looked at.
#[derive(Debug, Deserialize)]
struct Status {
    epoch: u64,
    replicas: Vec<StatusOfReplica>,
}

#[derive(Debug, Deserialize)]
struct StatusOfReplica {
    replica: u16,
    status: Option<Standing>,
}

#[derive(Debug, Deserialize)]
struct Standing {
    standing: String,
}

/// Votes, and returns the report's text.
///
/// # Errors
/// If the system does not run, a key or process is not there, or the contract rejects what is asked.
pub async fn replace(arguments: &ReplaceNode, json: bool) -> anyhow::Result<String> {
    let layout = Layout::new(std::path::absolute(&arguments.folder.dir)?);
    let mut voters = Vec::new();
    for slug in &arguments.voters {
        voters.push(sign_in(&layout, slug).await?);
    }
    let retire = arguments.retire.map(ReplicaId);
    let add = match arguments.add {
        None => None,
        Some(number) => Some(describe(&layout, ReplicaId(number))?),
    };
    if let Some(new) = &add {
        let (slug, name) = operator_of(&layout, new.replica)?;
        make_active(&layout, &slug, &name, &voters).await?;
    }
    let (proposal, first) = match &arguments.proposal {
        Some(text) => (proposal_from(text)?, None),
        None => {
            let proposal = ProposalId(keys::secret::random::<16>());
            let change = Change::ReplaceReplica { retire, add };
            (proposal, Some(Command::ProposeChange { proposal, change }))
        }
    };
    let mut state = VoteState::default();
    for (place, voter) in voters.iter().enumerate() {
        if state.adopted {
            break;
        }
        let command = match &first {
            Some(command) if place == 0 => command.clone(),
            _ => Command::VoteOnChange {
                proposal,
                approve: true,
            },
        };
        state.take(&arguments.voters[place], &submit(voter, command).await?)?;
    }
    let proposal = data_encoding::HEXLOWER.encode(&proposal.0);
    let epoch = match state.adopted {
        true => Some(in_force(&voters[0], arguments).await?),
        false => None,
    };
    Ok(report(&proposal, &state, epoch, json))
}

fn report(proposal: &str, state: &VoteState, epoch: Option<u64>, json: bool) -> String {
    if json {
        let VoteState { votes, needed, .. } = state;
        return json!({ "proposal": proposal, "votes": votes, "needed": needed, "adopted": state.adopted, "epoch": epoch })
            .to_string();
    }
    match epoch {
        Some(epoch) => format!("proposal {proposal} is adopted, and in force since epoch {epoch}"),
        None => format!(
            "proposal {proposal} has {} of {} votes; others vote by: medshare admin replace-node --proposal {proposal} \
             with the same --add and --retire, and --as SLUG",
            state.votes, state.needed
        ),
    }
}

/// How a vote stands.
#[derive(Debug, Default)]
struct VoteState {
    votes: u16,
    needed: u16,
    adopted: bool,
}

impl VoteState {
    /// Takes the receipt of a proposal or vote.
    fn take(&mut self, voter: &str, commit: &VerifiedCommit) -> anyhow::Result<()> {
        let leaf = &commit.receipt.leaf;
        if !leaf.outcome.is_accepted() {
            let rejection = contracts::Rejection::from_outcome(leaf.outcome);
            let reason = rejection.map_or("for a reason that is not known here".to_owned(), |it| {
                it.to_string()
            });
            bail!("{voter}: the contract rejects it: {reason}");
        }
        for recorded in &leaf.events {
            match Event::from_bytes(recorded.contract, &recorded.bytes)? {
                Event::Governance(Governance::VoteCast {
                    votes_for, needed, ..
                }) => {
                    (self.votes, self.needed) = (votes_for, needed);
                }
                Event::Governance(Governance::ChangeAdopted { .. }) => self.adopted = true,
                _ => {}
            }
        }
        Ok(())
    }
}

/// Signs an organisation's operator in at the gateway of the running system.
async fn sign_in(layout: &Layout, slug: &str) -> anyhow::Result<Member> {
    let file = layout.organisation(slug).join("operator.json");
    let key = MemberKey::load(&file).with_context(|| format!("{slug}: {}", file.display()))?;
    let answer = control::ask(layout, Action::Status).await?;
    let gateway = answer.processes.get("gateway");
    let address: SocketAddr = gateway
        .and_then(|status| status.addresses.get("rest"))
        .context("the system has no gateway that runs")?
        .parse()?;
    let genesis = std::fs::read_to_string(layout.genesis())?;
    let genesis = ledger::GenesisFile::from_json(&genesis)?;
    let client = partner::client(layout, address, genesis)?;
    client
        .sign_in_with_key(key)
        .await
        .with_context(|| format!("{slug} cannot sign in"))
}

/// The replica as the ledger is to know it: its number, its operator, its voting key.
fn describe(layout: &Layout, replica: ReplicaId) -> anyhow::Result<ReplicaDescription> {
    let name = bus::subjects::replica_name(replica);
    let directory: bus::directory::DirectoryFile = files::read_json(&layout.directory())?;
    let entry = directory
        .get(&name)
        .with_context(|| format!("there is no {name}; `medshare admin add-node` makes one"))?;
    let (slug, _) = operator_of(layout, replica)?;
    let key = MemberKey::load(&layout.organisation(&slug).join("operator.json"))?;
    Ok(ReplicaDescription {
        replica,
        operator: key.ledger_id(),
        public_key: entry.public_key,
    })
}

/// The short and the public name of the organisation that operates a replica.
fn operator_of(layout: &Layout, replica: ReplicaId) -> anyhow::Result<(String, String)> {
    let name = bus::subjects::replica_name(replica);
    let system = SystemDescription::load(&layout.system())?;
    let process = system
        .process(&name)
        .with_context(|| format!("there is no {name}; `medshare admin add-node` makes one"))?;
    let consortium = Consortium::from_toml(&std::fs::read_to_string(layout.consortium())?)?;
    let organisation = consortium
        .organisations
        .iter()
        .find(|organisation| organisation.slug == process.operator)
        .with_context(|| format!("{} is no organisation of the consortium", process.operator))?;
    Ok((organisation.slug.clone(), organisation.name.clone()))
}

/// Registers the operator of a new node and has it endorsed, as far as that is still to be done.
async fn make_active(
    layout: &Layout,
    slug: &str,
    name: &str,
    voters: &[Member],
) -> anyhow::Result<()> {
    let key = MemberKey::load(&layout.organisation(slug).join("operator.json"))?;
    let id = key.ledger_id();
    let client = voters.first().context("--as: nobody votes")?.client();
    if member(client, &id).await?.is_none() {
        let message = possession_message(&client.receipts().chain(), &id, &key.public_key());
        let request = RegisterOrganisation {
            kind: MemberKind::NodeOperator,
            name: Some(name.to_owned()),
            ledger_id: id,
            public_key: key.public_key(),
            sealing_key: Base64(key.sealing_public_key().0.to_vec()),
            possession: Base64(key.sign_message(POSSESSION_DOMAIN, &message).0.to_vec()),
        };
        let committed: Committed = client.post("/v1/organisations", &request).await?;
        client.receipts().verify(&committed)?;
    }
    for (place, voter) in voters.iter().enumerate() {
        if is_active(client, &id).await? {
            return Ok(());
        }
        let path = format!("/v1/members/{id}/endorsements");
        voter
            .command(&path, &json!({}))
            .await
            .with_context(|| format!("{slug} is not endorsed by vote {}", place + 1))?;
    }
    for _ in 0..LOOKS_AT_MEMBER_MAX {
        if is_active(client, &id).await? {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    bail!("{slug} is not a member yet: more node operators have to endorse it (--as)")
}

async fn member(client: &client::Client, id: &LedgerId) -> anyhow::Result<Option<MemberSummary>> {
    match client.get(&format!("/v1/members/{id}")).await {
        Ok(summary) => Ok(Some(summary)),
        Err(ClientError::Problem(problem)) if problem.status == 404 => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn is_active(client: &client::Client, id: &LedgerId) -> anyhow::Result<bool> {
    let found = member(client, id).await?;
    Ok(found.is_some_and(|member| member.status == "active"))
}

fn proposal_from(text: &str) -> anyhow::Result<ProposalId> {
    let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).ok();
    let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
    Ok(ProposalId(bytes.context(
        "--proposal: must be the 32 hex characters that were reported",
    )?))
}

/// Signs a command of the governance contract and hands it in.
async fn submit(voter: &Member, command: Command) -> anyhow::Result<VerifiedCommit> {
    let key = voter.key().context("an operator holds its key")?;
    let receipts = voter.client().receipts();
    let command = contracts::Command::from(command);
    let signed = key.sign(TransactionBody {
        chain: receipts.chain(),
        submitter: key.ledger_id(),
        public_key: key.public_key(),
        nonce: u64::from_be_bytes(keys::secret::random::<8>()),
        valid_until: Timestamp(chassis::clock::now() + VALIDITY_US),
        contract: command.contract().id(),
        command: command.to_bytes(),
    });
    let request = json!({ "transaction": Base64(signed.to_bytes()) });
    let answer: Value = voter.client().post("/v1/transactions", &request).await?;
    let receipt: Base64 = serde_json::from_value(answer["receipt"].clone())?;
    let receipt = Receipt::from_bytes(&receipt.0)?;
    Ok(receipts.keep(receipt, &signed.id())?)
}

/// Waits until the new replica votes and the old one no longer belongs to the set; gives the epoch.
async fn in_force(voter: &Member, arguments: &ReplaceNode) -> anyhow::Result<u64> {
    for _ in 0..LOOKS_AT_CHANGE_MAX {
        // The gateway learns of an epoch a moment after it begins.
        if let Ok(status) = voter.client().get::<Status>("/v1/status").await {
            let mut replicas = status.replicas.iter();
            let votes = |number| {
                replicas.clone().any(|replica| {
                    let standing = replica.status.as_ref();
                    replica.replica == number && standing.is_some_and(|it| it.standing == "votes")
                })
            };
            let is_in = arguments.add.is_none_or(votes);
            let is_out = arguments
                .retire
                .is_none_or(|number| !replicas.any(|replica| replica.replica == number));
            if is_in && is_out {
                return Ok(status.epoch);
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    ensure!(
        arguments.add.is_none(),
        "the change is adopted, and the new replica does not vote yet: see its log, and `medshare admin status`"
    );
    bail!("the change is adopted and not in force yet: see `medshare admin status`")
}
