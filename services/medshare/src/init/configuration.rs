//! The configuration file of each process: one function a service, in the words of that service's `Config`.
//!
//! Paths are relative to the process's folder, in which it runs. Ports are the usual ones; `up` overrides those that are
//! taken.

use std::path::PathBuf;

use anyhow::Context as _;
use keys::Secret;
use keys::token::TokenKey;
use ledger::PublicKey;
use toml::{Table, Value};

use super::{PublicKeys, replica_number};
use crate::consortium::{Consortium, HospitalDatabase, Tls};
use crate::files;
use crate::layout::Layout;
use crate::system::ProcessDescription;

const GENESIS: &str = "../../genesis.json";

/// What a process's configuration is made from.
pub(super) struct Source<'a> {
    pub(super) consortium: &'a Consortium,
    pub(super) public_keys: &'a PublicKeys,
    pub(super) process: &'a ProcessDescription,
}

/// Writes `config.toml` of a process.
pub(super) fn write(
    layout: &Layout,
    consortium: &Consortium,
    public_keys: &PublicKeys,
    process: &ProcessDescription,
) -> anyhow::Result<()> {
    let source = Source {
        consortium,
        public_keys,
        process,
    };
    let mut table = match process.command.as_str() {
        "broker" => broker(&source),
        "ordering" => ordering(&source),
        "identity" => identity(&source)?,
        "records" => records(&source)?,
        "iot" => iot(&source)?,
        "index" => {
            let mut table = service(&source)?;
            table.insert("handle_secret".to_owned(), "keys/handle.secret".into());
            table
        }
        "gateway" => gateway(&source),
        "portal" => portal(&source)?,
        _ => service(&source)?,
    };
    table.insert("process".to_owned(), Value::Table(chassis_part(process)));
    let text = format!(
        "# Configuration of {}, made by `medshare init`.\n{}",
        process.name,
        toml::to_string(&table)?
    );
    files::write_private(
        &layout.process(&process.name).join("config.toml"),
        text.as_bytes(),
    )
}

/// The public half of the key that identity signs session tokens with.
pub(super) fn session_token_key(layout: &Layout) -> anyhow::Result<PublicKey> {
    let seed = Secret::load(&layout.process("identity").join("keys/token.seed"))?;
    Ok(TokenKey::from_seed(&seed).public_key())
}

fn chassis_part(process: &ProcessDescription) -> Table {
    let telemetry = table([("name", process.name.as_str().into())]);
    let mut chassis = table([("telemetry", Value::Table(telemetry))]);
    if process.command == "ordering" {
        // A replica works on threads of its own; these only move bytes between them and the broker.
        chassis.insert("threads".to_owned(), 1.into());
    }
    chassis
}

fn broker(source: &Source<'_>) -> Table {
    let process = source.process;
    let mut broker = table([
        ("name", process.name.as_str().into()),
        ("users", "../../broker-users".into()),
        ("data", "data".into()),
        (
            "servers",
            Value::Integer(i64::try_from(source.consortium.brokers).unwrap_or(1)),
        ),
    ]);
    for listener in &process.listeners {
        if let Some(key) = listener.key.strip_prefix("broker.") {
            broker.insert(key.to_owned(), Value::Integer(listener.port.into()));
        }
    }
    if process.name == "nats-1" {
        broker.insert(
            "administrator_seed_file".to_owned(),
            "keys/administrator.seed".into(),
        );
    }
    if let Some(tls) = tls(source) {
        broker.insert("tls".to_owned(), tls);
    }
    table([("broker", Value::Table(broker)), ("bus", bus(source))])
}

fn ordering(source: &Source<'_>) -> Table {
    let replica = replica_number(&source.process.name).unwrap_or_default();
    table([
        ("bus", bus(source)),
        ("replica", Value::Integer(replica.into())),
        ("voting_key_file", "keys/voting.seed".into()),
        ("data", "data".into()),
    ])
}

fn identity(source: &Source<'_>) -> anyhow::Result<Table> {
    let mut identity = table([
        ("bus", bus(source)),
        ("database", database(source)?),
        ("member_key", "keys/member.json".into()),
        ("master_secret", "keys/master.secret".into()),
        ("token_seed", "keys/token.seed".into()),
        ("session_secret", "keys/session.secret".into()),
        ("authority", "authority".into()),
        (
            "certificate_hours",
            Value::Float(source.consortium.certificate_hours),
        ),
        (
            "regulator_sealing_key",
            hex(&source.public_keys.regulator_sealing_key)?,
        ),
    ]);
    if let Some(site) = &source.consortium.portal {
        identity.insert("passkey_host".to_owned(), site.host.as_str().into());
    }
    Ok(identity)
}

fn records(source: &Source<'_>) -> anyhow::Result<Table> {
    let slug = &source.process.operator;
    let hospital = source
        .consortium
        .hospitals()
        .find(|hospital| hospital.slug == *slug);
    let hospital = hospital.with_context(|| format!("there is no hospital {slug}"))?;
    let of_hospital = hospital
        .hospital_database
        .clone()
        .unwrap_or_else(|| HospitalDatabase::sqlite("a"));
    let mut table = with_member(service(source)?);
    table.insert(
        "hospital".to_owned(),
        Value::Table(self::table([
            ("slug", slug.as_str().into()),
            ("name", hospital.name.as_str().into()),
        ])),
    );
    table.insert(
        "hospital_database".to_owned(),
        Value::try_from(of_hospital)?,
    );
    table.insert(
        "secrets".to_owned(),
        Value::Table(self::table([("master_file", "keys/master.secret".into())])),
    );
    Ok(table)
}

fn iot(source: &Source<'_>) -> anyhow::Result<Table> {
    let mut table = with_member(service(source)?);
    table.insert(
        "secrets".to_owned(),
        Value::Table(self::table([
            ("master_file", "keys/master.secret".into()),
            ("devices_file", "keys/devices.secret".into()),
        ])),
    );
    Ok(table)
}

fn gateway(source: &Source<'_>) -> Table {
    let mut table = table([("bus", bus(source))]);
    if let Some(tls) = tls(source) {
        table.insert("tls".to_owned(), tls);
    }
    for listener in &source.process.listeners {
        let address = format!("127.0.0.1:{}", listener.port);
        table.insert(
            listener.name.clone(),
            Value::Table(self::table([("address", address.into())])),
        );
    }
    table
}

fn portal(source: &Source<'_>) -> anyhow::Result<Table> {
    let mut table = gateway(source);
    // Browsers have no certificates of the consortium, and are asked for none.
    table.remove("tls");
    if source.consortium.tls == Tls::Mutual {
        let web = table.get_mut("web").and_then(Value::as_table_mut);
        let web = web.context("the portal has a listener")?;
        web.insert("tls".to_owned(), web_tls(source.consortium));
    }
    table.insert("sessions".to_owned(), sessions(source)?);
    table.insert(
        "cookie_secret_file".to_owned(),
        "keys/cookies.secret".into(),
    );
    let explorer = self::table([("database", database(source)?)]);
    table.insert("explorer".to_owned(), Value::Table(explorer));
    Ok(table)
}

/// With what the pages are served: the organisation's certificate, or the process's own, which is renewed by itself.
fn web_tls(consortium: &Consortium) -> Value {
    let site = consortium.portal.as_ref();
    let file = |file: Option<&PathBuf>| {
        file.map_or_else(
            || "keys/tls.pem".to_owned(),
            |file| file.display().to_string(),
        )
    };
    let certificate = file(site.and_then(|site| site.certificate_file.as_ref()));
    let key = file(site.and_then(|site| site.key_file.as_ref()));
    Value::Table(table([
        ("certificate_file", certificate.into()),
        ("key_file", key.into()),
    ]))
}

/// What most services are configured by.
fn service(source: &Source<'_>) -> anyhow::Result<Table> {
    Ok(table([
        ("bus", bus(source)),
        ("database", database(source)?),
        ("sessions", sessions(source)?),
    ]))
}

/// Who signs the session tokens that the service accepts.
fn sessions(source: &Source<'_>) -> anyhow::Result<Value> {
    let key = hex(&source.public_keys.session_tokens)?;
    Ok(Value::Table(table([("public_key", key)])))
}

/// For a service that signs as a member: a hospital's as the hospital.
fn with_member(mut table: Table) -> Table {
    table.insert(
        "member".to_owned(),
        Value::Table(self::table([("key_file", "keys/member.json".into())])),
    );
    table
}

/// Where the certificate for mutual TLS lies; none in the plain profile.
fn tls(source: &Source<'_>) -> Option<Value> {
    (source.consortium.tls == Tls::Mutual).then(|| {
        Value::Table(table([
            ("identity_file", "keys/tls.pem".into()),
            ("root_file", "../../root.pem".into()),
        ]))
    })
}

fn bus(source: &Source<'_>) -> Value {
    let process = source.process;
    let ports = process
        .brokers
        .iter()
        .filter_map(|name| name.strip_prefix("nats-")?.parse::<u16>().ok());
    let servers = ports
        .map(|number| format!("nats://127.0.0.1:{}", 4221 + number).into())
        .collect();
    let mut bus = table([
        ("servers", Value::Array(servers)),
        ("user", process.name.as_str().into()),
        ("nkey_seed_file", "keys/nats.seed".into()),
        ("directory", "../../directory.json".into()),
        ("sealing_seed_file", "keys/sealing.seed".into()),
        ("genesis", GENESIS.into()),
    ]);
    if let Some(tls) = tls(source) {
        bus.insert("tls".to_owned(), tls);
    }
    Value::Table(bus)
}

/// `[database]` of a service: a file of its own, or a database of its own on the server.
fn database(source: &Source<'_>) -> anyhow::Result<Value> {
    let name = &source.process.name;
    if source.consortium.database == "sqlite" {
        return Ok(Value::Table(table([(
            "url",
            format!("sqlite://data/{name}.db?mode=rwc").into(),
        )])));
    }
    let server = source.consortium.database.trim_end_matches('/');
    let url = format!("{server}/{}", database_name(&source.consortium.name, name));
    Ok(Value::Table(table([("url", url.into())])))
}

/// The name of a service's database on a server: `medshare_records_lakeside`.
pub(crate) fn database_name(consortium: &str, process: &str) -> String {
    format!("{consortium}_{process}")
        .chars()
        .map(|character| {
            if character.is_ascii_alphanumeric() {
                character.to_ascii_lowercase()
            } else {
                '_'
            }
        })
        .collect()
}

fn hex(value: &impl serde::Serialize) -> anyhow::Result<Value> {
    let text = serde_json::to_value(value)?;
    Ok(text.as_str().context("keys are text in JSON")?.into())
}

fn table<const N: usize>(entries: [(&str, Value); N]) -> Table {
    entries
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}
