//! The keys that a process holds itself, and what others are told of them.

use std::collections::BTreeMap;

use anyhow::ensure;
use keys::nkey::BusUserKey;
use keys::{MemberKey, SealingKey, SealingPublicKey, Secret};
use ledger::{PublicKey, SigningKey};
use serde::{Deserialize, Serialize};

use super::replica_number;
use crate::broker::BrokerUser;
use crate::files;
use crate::layout::Layout;
use crate::system::ProcessDescription;

/// The keys just made for a process.
pub(super) struct ProcessKeys {
    /// Replicas: signs votes.
    pub(super) voting: Option<SigningKey>,
}

/// What `directory.json` says of a process.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct DirectoryEntry {
    /// What is sealed to the process is sealed to this.
    sealing_key: SealingPublicKey,
    /// Verifies what it signs; a replica's is its voting key.
    public_key: PublicKey,
}

impl ProcessKeys {
    /// Makes the process's folder, its keys, its broker user and its entry in the directory.
    pub(super) fn make(
        layout: &Layout,
        process: &ProcessDescription,
    ) -> anyhow::Result<ProcessKeys> {
        let folder = layout.process(&process.name);
        files::make_private_folder(&folder.join("keys"))?;
        files::make_private_folder(&folder.join("data"))?;
        if process.command == "broker" {
            // The first one sets up what the brokers keep.
            if process.name == "nats-1" {
                make_user(layout, process, "administrator", "administrator.seed")?;
            }
        }
        ensure!(
            bus::subjects::is_token(&process.name),
            "{} cannot be a bus name",
            process.name
        );
        make_user(layout, process, &process.name, "nats.seed")?;
        let sealing = Secret::random();
        sealing.save(&folder.join("keys/sealing.seed"))?;
        let voting = match replica_number(&process.name) {
            None => None,
            Some(_) => {
                let seed = Secret::random();
                seed.save(&folder.join("keys/voting.seed"))?;
                Some(SigningKey::from_seed(*seed.expose()))
            }
        };
        let public_key = match &voting {
            Some(voting) => voting.public_key(),
            // The process around a broker is no member.
            None if process.command == "broker" => PublicKey([0; 32]),
            None => MemberKey::load(&folder.join("keys/member.json"))?.public_key(),
        };
        for secret in secrets(&process.command) {
            Secret::random().save(&folder.join("keys").join(secret))?;
        }
        let sealing_key = SealingKey::from_secret(&sealing).public_key();
        enter(
            layout,
            &process.name,
            DirectoryEntry {
                sealing_key,
                public_key,
            },
        )?;
        Ok(ProcessKeys { voting })
    }
}

/// Further secrets that a service's configuration names.
fn secrets(command: &str) -> &'static [&'static str] {
    match command {
        "identity" => &["master.secret", "token.seed", "session.secret"],
        "index" => &["handle.secret"],
        "records" => &["master.secret"],
        "portal" => &["cookies.secret"],
        "iot" => &["master.secret", "devices.secret"],
        _ => &[],
    }
}

fn make_user(
    layout: &Layout,
    process: &ProcessDescription,
    name: &str,
    seed_file: &str,
) -> anyhow::Result<()> {
    let key = BusUserKey::random();
    key.save(&layout.process(&process.name).join("keys").join(seed_file))?;
    let user = BrokerUser {
        name: name.to_owned(),
        nkey: Some(key.public_key().to_owned()),
        password: None,
    };
    files::write_json(&layout.broker_users().join(format!("{name}.json")), &user)
}

fn enter(layout: &Layout, name: &str, entry: DirectoryEntry) -> anyhow::Result<()> {
    let file = layout.directory();
    let mut directory: BTreeMap<String, DirectoryEntry> = if file.exists() {
        files::read_json(&file)?
    } else {
        BTreeMap::new()
    };
    directory.insert(name.to_owned(), entry);
    files::write_json(&file, &directory)
}
