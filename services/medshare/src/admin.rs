//! `medshare admin`: steers a system that `up` runs.

use anyhow::{Context as _, bail, ensure};
use keys::Secret;
use keys::certificate::Authority;
use ledger::{LedgerId, Timestamp};

use crate::arguments::{
    AddDevice, AddHospital, AddNode, Admin, Folder, Named, NewIssuingAuthority,
};
use crate::broker::BrokerUser;
use crate::consortium::{Consortium, HospitalDatabase, Tls};
use crate::files;
use crate::init;
use crate::init::certificates::{self, Issuer};
use crate::layout::Layout;
use crate::nodes;
use crate::supervisor::control::{self, Action};
use crate::up;

/// Does what is asked, and returns the report's text.
pub async fn run(command: &Admin, json: bool) -> anyhow::Result<String> {
    let (folder, action) = match command {
        Admin::Status(folder) => (folder, Action::Status),
        Admin::Start(Named { name, folder }) => (folder, Action::Start(name.clone())),
        Admin::Stop(Named { name, folder }) => (folder, Action::Stop(name.clone())),
        Admin::Restart(Named { name, folder }) => (folder, Action::Restart(name.clone())),
        Admin::Kill(kill) if kill.stay_down => {
            (&kill.named.folder, Action::Kill(kill.named.name.clone()))
        }
        Admin::Kill(kill) => (&kill.named.folder, Action::Crash(kill.named.name.clone())),
        Admin::Pause(Named { name, folder }) => (folder, Action::Pause(name.clone())),
        Admin::Resume(Named { name, folder }) => (folder, Action::Resume(name.clone())),
        Admin::AddHospital(arguments) => return add_hospital(arguments, json).await,
        Admin::AddNode(arguments) => return add_node(arguments, json).await,
        Admin::ReplaceNode(arguments) => return nodes::replace(arguments, json).await,
        Admin::AddDevice(arguments) => return add_device(arguments, json),
        Admin::NewIssuingAuthority(arguments) => return new_issuing_authority(arguments, json),
    };
    ask(folder, action, json).await
}

async fn ask(folder: &Folder, action: Action, json: bool) -> anyhow::Result<String> {
    let answer = control::ask(&Layout::new(&folder.dir), action).await?;
    if !answer.done && !json {
        bail!(answer.reason.unwrap_or_default());
    }
    if json {
        Ok(serde_json::to_string(&answer)?)
    } else {
        Ok(up::table(&answer.processes))
    }
}

async fn add_hospital(arguments: &AddHospital, json: bool) -> anyhow::Result<String> {
    let own = HospitalDatabase::sqlite(&arguments.mapping);
    let database = HospitalDatabase {
        kind: arguments.database_kind.clone(),
        url: arguments.database_url.clone().unwrap_or(own.url),
        mapping: arguments.mapping.clone(),
        demo_schema: None,
    };
    let layout = Layout::new(std::path::absolute(&arguments.folder.dir)?);
    let added = init::add_hospital(&layout, &arguments.slug, &arguments.name, database)?;
    let consortium = Consortium::from_toml(&std::fs::read_to_string(layout.consortium())?)?;
    init::create_databases(&consortium).await?;
    let started = take_up(&layout, &added.process).await?;
    if json {
        return Ok(serde_json::json!({ "added": added, "started": started }).to_string());
    }
    let then = if started {
        "runs"
    } else {
        "runs from the next `up` on"
    };
    Ok(format!(
        "{} {then}\n  ledger id   {}\n  public key  {}\n  member key  {}\nIt can act once it is registered and endorsed.",
        added.process, added.ledger_id, added.public_key, added.member_key
    ))
}

async fn add_node(arguments: &AddNode, json: bool) -> anyhow::Result<String> {
    let layout = Layout::new(std::path::absolute(&arguments.folder.dir)?);
    let added = init::add_node(&layout, &arguments.slug, arguments.name.as_deref())?;
    let started = take_up(&layout, &added.process).await?;
    if json {
        return Ok(serde_json::json!({ "added": added, "started": started }).to_string());
    }
    let then = if started {
        "follows the ledger"
    } else {
        "follows the ledger from the next `up` on"
    };
    Ok(format!(
        "{} {then}\n  operator      {}\n  operator key  {}\n  voting key    {}\n\
         It votes once it is voted in: medshare admin replace-node --add {} --retire NUMBER --as SLUG --as SLUG --as SLUG",
        added.process, added.operator, added.operator_key, added.voting_key, added.replica
    ))
}

/// Has the system that runs, if it does, start a process that is new.
async fn take_up(layout: &Layout, process: &str) -> anyhow::Result<bool> {
    if !layout.control().exists() {
        return Ok(false);
    }
    let answer = control::ask(layout, Action::TakeUp).await?;
    if !answer.done {
        bail!(
            "{process} was added but not started: {}",
            answer.reason.unwrap_or_default()
        );
    }
    Ok(true)
}

fn add_device(arguments: &AddDevice, json: bool) -> anyhow::Result<String> {
    let layout = Layout::new(&arguments.folder.dir);
    let name = &arguments.name;
    if consortium_of(&layout)?.tls == Tls::Mutual {
        return certify_device(&layout, arguments, json);
    }
    ensure!(
        arguments.request.is_none(),
        "--request: this system has no TLS; devices connect by password"
    );
    let password = add_device_user(&layout, name)?;
    if json {
        return Ok(serde_json::json!({ "user": name, "password": password }).to_string());
    }
    Ok(format!(
        "MQTT user      {name}\nMQTT password  {password}\nThe brokers take it up within a second."
    ))
}

fn certify_device(layout: &Layout, arguments: &AddDevice, json: bool) -> anyhow::Result<String> {
    let id: LedgerId = arguments.name.parse().map_err(|_| {
        anyhow::anyhow!("the name must be the device's ledger id (32 hex characters)")
    })?;
    let file = arguments.request.as_ref().context(
        "--request: with mutual TLS a device needs a certificate request, made where its key is; for example: \
         openssl req -new -newkey ed25519 -nodes -keyout device.key -subj /CN=device -out device.csr",
    )?;
    let request = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let consortium = consortium_of(layout)?;
    let chain = Issuer::open(layout, &consortium)?.device(&id, request)?;
    if json {
        return Ok(serde_json::json!({ "device": id, "chain": chain }).to_string());
    }
    Ok(chain)
}

fn new_issuing_authority(arguments: &NewIssuingAuthority, json: bool) -> anyhow::Result<String> {
    let layout = Layout::new(std::path::absolute(&arguments.folder.dir)?);
    let consortium = consortium_of(&layout)?;
    let certificate = std::fs::read_to_string(layout.root_certificate())?;
    let key = keys::secret::read_private(&arguments.root_key)?;
    let root = Authority::from_pem(&certificate, &key)?;
    ensure!(
        root.certifies_own_key()?,
        "{}: this is not the key of the root certificate",
        arguments.root_key.display()
    );
    let now = Timestamp(chassis::clock::now());
    certificates::make_issuing(&root, &consortium, &layout, now)?;
    let file = layout.authority().join("issuing.pem");
    if json {
        return Ok(serde_json::json!({ "issuing": file }).to_string());
    }
    Ok(format!(
        "a new issuing authority is in {}\nidentity uses it from its next start on: medshare admin restart identity",
        file.display()
    ))
}

fn consortium_of(layout: &Layout) -> anyhow::Result<Consortium> {
    let file = layout.consortium();
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(Consortium::from_toml(&text)?)
}

/// Lets a device connect to the brokers by MQTT under its ledger id; gives the password. For systems without TLS.
pub fn add_device_user(layout: &Layout, name: &str) -> anyhow::Result<String> {
    ensure!(
        bus::subjects::is_token(name),
        "the name must have 1 to 64 of a-z, 0-9, `-`, `_`"
    );
    let file = layout.broker_users().join(format!("{name}.json"));
    ensure!(!file.exists(), "{name} is a broker user already");
    let password = Secret::random().expose_hex().to_string();
    let user = BrokerUser {
        name: name.to_owned(),
        nkey: None,
        password: Some(password.clone()),
    };
    files::write_private(&file, serde_json::to_string_pretty(&user)?.as_bytes())?;
    Ok(password)
}
