//! `system.toml`: the processes of a system, in the order they are started.

use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// All processes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SystemDescription {
    /// The processes.
    pub processes: Vec<ProcessDescription>,
}

/// One process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessDescription {
    /// Its name, which is its bus name and its folder's too.
    pub name: String,
    /// The subcommand of `medshare` that it runs.
    pub command: String,
    /// The slug of the organisation that operates it.
    pub operator: String,
    /// Processes of one stage start together, once those of the stage before are ready.
    pub stage: u32,
    /// The brokers that it connects to, the nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub brokers: Vec<String>,
    /// Where it listens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listeners: Vec<Listener>,
}

/// A port that a process listens on, on the loopback address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// What listens there (`rest`, `client`).
    pub name: String,
    /// The key of the process's configuration that takes it: a port where it ends with `port`, else `host:port`.
    pub key: String,
    /// The port to take when it is free.
    pub port: u16,
}

impl SystemDescription {
    /// Reads `system.toml`.
    pub fn load(file: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| {
            format!(
                "{} cannot be read; is there a system? `medshare init` makes one",
                file.display()
            )
        })?;
        toml::from_str(&text).with_context(|| format!("{} cannot be understood", file.display()))
    }

    /// Writes `system.toml`.
    pub fn save(&self, file: &Path) -> anyhow::Result<()> {
        let text = toml::to_string(self)?;
        crate::files::write(file, text.as_bytes())
    }

    /// The process of that name.
    pub fn process(&self, name: &str) -> Option<&ProcessDescription> {
        self.processes.iter().find(|process| process.name == name)
    }
}
