//! Configuration: one TOML file per process, single keys overridden from the environment.
//!
//! The table `[process]` belongs to the chassis ([`crate::ProcessConfig`]); everything else is the service's own
//! `Config`. `MEDSHARE__BUS__URL=...` overrides `url` in `[bus]`: two underscores after the prefix and between levels.
//! Unknown keys are refused, so that a misspelt one cannot be silently without effect.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::error::Kind;
use figment::providers::Serialized;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::process::ProcessConfig;

/// What environment variables that override a key begin with.
pub const ENVIRONMENT_PREFIX: &str = "MEDSHARE__";

/// Why a process refuses to start on its configuration. The text names the key and where it was read.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}", file.display())]
    Unreadable {
        /// The configuration file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{}: is not TOML: {reason}", file.display())]
    NotToml {
        /// The configuration file.
        file: PathBuf,
        /// The parser's message, with line and column.
        reason: String,
    },
    /// A key is missing, unknown, or has a value of the wrong form.
    #[error("{place}: key `{key}`: {reason}")]
    BadKey {
        /// The file, or the environment variable, that the value came from.
        place: String,
        /// The key's path, levels joined by dots.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A value that has the right form and still cannot be used, found by the service itself (a key file that isn't there,
/// limits that contradict each other). Returned from `run`, it ends the process like any bad configuration: the key is
/// named, and the exit code is 2.
#[derive(Debug, thiserror::Error)]
#[error("key `{key}`: {reason}")]
pub struct InvalidKey {
    /// The key's path, levels joined by dots.
    pub key: String,
    /// What is wrong with it.
    pub reason: String,
}

impl InvalidKey {
    /// Names the key and what is wrong with it.
    pub fn new(key: impl Into<String>, reason: impl ToString) -> Self {
        Self {
            key: key.into(),
            reason: reason.to_string(),
        }
    }
}

/// Reads the configuration at `file`, overridden by this process's environment.
pub fn load<T: DeserializeOwned>(file: &Path) -> Result<(ProcessConfig, T), ConfigurationError> {
    let text = std::fs::read_to_string(file).map_err(|source| ConfigurationError::Unreadable {
        file: file.to_owned(),
        source,
    })?;
    parse(file, &text, std::env::vars())
}

/// As [`load`], from text already read and an environment given.
pub fn parse<T: DeserializeOwned>(
    file: &Path,
    text: &str,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<(ProcessConfig, T), ConfigurationError> {
    let mut table: Table =
        text.parse()
            .map_err(|error: toml::de::Error| ConfigurationError::NotToml {
                file: file.to_owned(),
                reason: error.to_string(),
            })?;
    let mut overridden = BTreeSet::new();
    for (name, value) in environment {
        let Some(path) = name.strip_prefix(ENVIRONMENT_PREFIX) else {
            continue;
        };
        let path = path.to_ascii_lowercase().replace("__", ".");
        set(&mut table, &path, environment_value(&value)).map_err(|reason| {
            ConfigurationError::BadKey {
                place: format!("environment variable {name}"),
                key: path.clone(),
                reason,
            }
        })?;
        overridden.insert(path);
    }
    let process = Table::from_iter([(
        "process".to_owned(),
        table
            .remove("process")
            .unwrap_or(Value::Table(Table::new())),
    )]);
    let place = Place {
        file,
        overridden: &overridden,
    };
    let chassis: ChassisPart = place.extract(process)?;
    Ok((chassis.process, place.extract(table)?))
}

/// A value from the environment: TOML where it reads as such (numbers, booleans, arrays), else text.
fn environment_value(text: &str) -> Value {
    format!("value = {text}")
        .parse::<Table>()
        .ok()
        .and_then(|mut table| {
            if table.len() == 1 {
                table.remove("value")
            } else {
                None
            }
        })
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

fn set(table: &mut Table, path: &str, value: Value) -> Result<(), String> {
    match path.split_once('.') {
        None => {
            table.insert(path.to_owned(), value);
            Ok(())
        }
        Some((first, rest)) => match table
            .entry(first)
            .or_insert_with(|| Value::Table(Table::new()))
        {
            Value::Table(inner) => set(inner, rest, value),
            _ => Err(format!("`{first}` is not a table")),
        },
    }
}

#[derive(serde::Deserialize)]
struct ChassisPart {
    process: ProcessConfig,
}

struct Place<'a> {
    file: &'a Path,
    overridden: &'a BTreeSet<String>,
}

impl Place<'_> {
    fn extract<T: DeserializeOwned>(&self, table: Table) -> Result<T, ConfigurationError> {
        Figment::from(Serialized::defaults(table))
            .extract()
            .map_err(|error| self.bad_key(error))
    }

    fn bad_key(&self, error: figment::Error) -> ConfigurationError {
        let mut path = error.path.clone();
        let reason = match &error.kind {
            Kind::MissingField(name) => {
                path.push(name.to_string());
                "is missing".to_owned()
            }
            Kind::UnknownField(name, expected) => {
                if path.last() != Some(name) {
                    path.push(name.clone());
                }
                format!("is unknown; known here: {}", expected.join(", "))
            }
            kind => kind.to_string(),
        };
        let key = path.join(".");
        let place = if self.overridden.contains(&key) {
            format!(
                "environment variable {ENVIRONMENT_PREFIX}{}",
                key.replace('.', "__").to_ascii_uppercase()
            )
        } else {
            self.file.display().to_string()
        };
        ConfigurationError::BadKey { place, key, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Config {
        database: String,
        bus: Bus,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Bus {
        url: String,
        #[serde(default)]
        retries: u32,
    }

    const GOOD: &str =
        "database = 'x'\n[bus]\nurl = 'nats://127.0.0.1'\n[process.health]\nport = 7\n";

    fn parsed(text: &str, environment: &[(&str, &str)]) -> Result<(ProcessConfig, Config), String> {
        let environment = environment
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()));
        parse(Path::new("identity.toml"), text, environment).map_err(|error| error.to_string())
    }

    #[test]
    fn a_good_file_gives_the_chassis_and_the_service_their_parts() {
        let (process, config) = parsed(GOOD, &[]).unwrap();
        assert_eq!(process.health.port, 7);
        assert_eq!((config.database.as_str(), config.bus.retries), ("x", 0));
    }

    #[test]
    fn the_environment_overrides_single_keys() {
        let environment = [
            ("MEDSHARE__BUS__URL", "nats://127.0.0.1:4333"),
            ("MEDSHARE__BUS__RETRIES", "3"),
            ("MEDSHARE__PROCESS__HEALTH__PORT", "9"),
            ("MEDSHARE_DEV_DIR", "/elsewhere"),
        ];
        let (process, config) = parsed(GOOD, &environment).unwrap();
        assert_eq!(
            (config.bus.url.as_str(), config.bus.retries),
            ("nats://127.0.0.1:4333", 3)
        );
        assert_eq!(process.health.port, 9);
    }

    #[test]
    fn an_unknown_key_is_refused_and_named() {
        let error = parsed(&GOOD.replace("url =", "retires = 3\nurl ="), &[]).unwrap_err();
        assert!(
            error.starts_with("identity.toml: key `bus.retires`: is unknown"),
            "{error}"
        );
        let error = parsed(&GOOD.replace("port", "prot"), &[]).unwrap_err();
        assert!(
            error.starts_with("identity.toml: key `process.health.prot`: is unknown"),
            "{error}"
        );
        let error = parsed(&format!("datbase = 1\n{GOOD}"), &[]).unwrap_err();
        assert!(
            error.starts_with("identity.toml: key `datbase`: is unknown"),
            "{error}"
        );
    }

    #[test]
    fn a_missing_key_is_named() {
        let error = parsed("database = 'x'\n[bus]\n", &[]).unwrap_err();
        assert_eq!(error, "identity.toml: key `bus.url`: is missing");
    }

    #[test]
    fn a_wrong_value_names_the_key_and_where_it_came_from() {
        let error = parsed(&GOOD.replace("url = 'nats://127.0.0.1'", "url = 5"), &[]).unwrap_err();
        assert!(
            error.starts_with("identity.toml: key `bus.url`: "),
            "{error}"
        );
        let error = parsed(GOOD, &[("MEDSHARE__BUS__RETRIES", "many")]).unwrap_err();
        assert!(
            error.starts_with("environment variable MEDSHARE__BUS__RETRIES: key `bus.retries`: "),
            "{error}"
        );
    }

    #[test]
    fn text_that_is_not_toml_is_refused_with_its_line() {
        let error = parsed("database = 'x'\nbus", &[]).unwrap_err();
        assert!(
            error.starts_with("identity.toml: is not TOML: ") && error.contains("line 2"),
            "{error}"
        );
    }
}
