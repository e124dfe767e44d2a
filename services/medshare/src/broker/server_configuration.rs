//! The configuration of `nats-server`, as JSON, which it reads like its own format.

use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use bus::directory::DirectoryFile;
use bus::permissions::{Permissions, Role};
use keys::certificate::{LeafKind, leaf_name};
use keys::tls::TlsFiles;
use serde_json::{Value, json};

use super::standing::Standing;
use super::{BrokerConfig, BrokerUser, user_files};

/// Users from their files and from the ledger, listeners and streams from our configuration.
pub(super) fn rendered(
    config: &BrokerConfig,
    directory: Option<&Path>,
    standing: &Standing,
) -> anyhow::Result<String> {
    let directory: DirectoryFile = match directory {
        Some(file) => crate::files::read_json(file)?,
        None => DirectoryFile::new(),
    };
    let mut users = Vec::new();
    for file in user_files(&config.users)? {
        let user: BrokerUser = crate::files::read_json(&file)?;
        let process = directory.get(&user.name);
        let stopped = standing.is_stopped(&user.name)
            || process.is_some_and(|entry| standing.is_key_stopped(&entry.public_key));
        if stopped || (user.password.is_some() && config.tls.is_some()) {
            continue;
        }
        users.push(rendered_user(&user).with_context(|| file.display().to_string())?);
    }
    if config.tls.is_some() {
        users.extend(standing.devices().map(|device| certified_device(&device)));
    }
    let mut server = json!({
        "server_name": config.name,
        "host": "127.0.0.1",
        "port": config.client_port,
        "max_payload": 1 << 20,
        "max_pending": 64 << 20,
        "write_deadline": "10s",
        "logtime": true,
        "jetstream": { "store_dir": config.data, "max_memory_store": 64 << 20, "max_file_store": 8_u64 << 30 },
        "mqtt": { "host": "127.0.0.1", "port": config.mqtt_port },
        "system_account": "SYSTEM",
        "accounts": {
            "SYSTEM": { "users": [] },
            "MEDSHARE": { "jetstream": "enabled", "users": users },
        },
    });
    if let Some(port) = config.cluster_port {
        server["cluster"] = json!({ "name": "medshare", "host": "127.0.0.1", "port": port, "routes": config.routes });
    }
    if let Some(tls) = &config.tls {
        // Processes prove who they are by their nkey as well; a device is the one its certificate names, and nobody else.
        server["tls"] = mutual(tls, "verify");
        server["mqtt"]["tls"] = mutual(tls, "verify_and_map");
        if config.cluster_port.is_some() {
            server["cluster"]["tls"] = mutual(tls, "verify");
        }
    }
    Ok(serde_json::to_string_pretty(&server)?)
}

/// A certificate is asked for and checked; `how` says whether it also names the user.
fn mutual(tls: &TlsFiles, how: &str) -> Value {
    json!({
        "cert_file": tls.identity_file,
        "key_file": tls.identity_file,
        "ca_file": tls.root_file,
        "timeout": 5,
        how: true,
    })
}

/// A device that the ledger has as active: known by its certificate's name, by MQTT alone.
fn certified_device(device: &str) -> Value {
    let role = Role::Device {
        name: device.to_owned(),
    };
    json!({ "user": leaf_name(device, LeafKind::Device), "permissions": permissions(&role),
        "allowed_connection_types": ["MQTT"] })
}

fn rendered_user(user: &BrokerUser) -> anyhow::Result<Value> {
    match (&user.nkey, &user.password) {
        (Some(nkey), None) => {
            let permissions = permissions(&Role::of_bus_name(&user.name));
            Ok(
                json!({ "nkey": nkey, "permissions": permissions, "allowed_connection_types": ["STANDARD"] }),
            )
        }
        (None, Some(password)) => {
            ensure!(
                password.len() >= 32,
                "the password must have at least 32 characters"
            );
            ensure!(
                bus::subjects::is_token(&user.name),
                "the name cannot be part of a subject"
            );
            let permissions = permissions(&Role::Device {
                name: user.name.clone(),
            });
            Ok(
                json!({ "user": user.name, "password": password, "permissions": permissions,
                "allowed_connection_types": ["MQTT"] }),
            )
        }
        _ => bail!("must have either an nkey or a password"),
    }
}

/// What is not allowed is denied.
fn permissions(role: &Role) -> Value {
    let permissions = Permissions::of(role);
    let mut subscribe = allowed(&permissions.subscribe);
    if !permissions.not_delivered.is_empty() {
        subscribe["deny"] = json!(permissions.not_delivered);
    }
    json!({ "publish": allowed(&permissions.publish), "subscribe": subscribe })
}

/// The server takes an empty list for "everything", so an empty one is said as a denial.
fn allowed(subjects: &[String]) -> Value {
    if subjects.is_empty() {
        json!({ "deny": ">" })
    } else {
        json!({ "allow": subjects })
    }
}
