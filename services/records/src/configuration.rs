//! The configuration of one hospital's records service.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bus::BusConfig;
use ledger::{DigestAlgorithm, LedgerId};
use serde::Deserialize;
use store::DatabaseConfig;
use submission::SessionsConfig;

use crate::adapters::DatabaseKind;

/// Configuration of a hospital's records service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Connection to the bus.
    pub bus: BusConfig,
    /// The service's own database.
    pub database: DatabaseConfig,
    /// The hospital's key.
    pub member: MemberConfig,
    /// How session tokens are checked.
    pub sessions: SessionsConfig,
    /// The hospital.
    pub hospital: HospitalConfig,
    /// The hospital's own database.
    pub hospital_database: HospitalDatabaseConfig,
    /// How secrets are kept.
    #[serde(default)]
    pub secrets: SecretsConfig,
    /// How records are committed.
    #[serde(default)]
    pub intake: IntakeConfig,
    /// Emergencies while the ledger cannot be reached.
    #[serde(default)]
    pub emergencies: EmergenciesConfig,
    /// How often every record is looked at without anybody asking.
    #[serde(default)]
    pub integrity: IntegrityConfig,
    /// Which plan a payer's name in a claim means; a payer that is not listed means plan 0, no insurance.
    #[serde(default = "default_plans")]
    pub plans: BTreeMap<String, u16>,
}

/// A member key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberConfig {
    /// The hospital's key file (`keys::MemberKey`), mode 0600.
    pub key_file: PathBuf,
}

/// The hospital.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HospitalConfig {
    /// Its short name; the bus name is `records-<slug>`.
    pub slug: String,
    /// Its public name.
    pub name: String,
    /// Its ledger id, if it is to be compared with the key file's.
    #[serde(default)]
    pub ledger_id: Option<LedgerId>,
}

/// The hospital's own database.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HospitalDatabaseConfig {
    /// `sqlite`, `mysql` (MariaDB as well) or `postgres`.
    pub kind: DatabaseKind,
    /// Its URL.
    pub url: String,
    /// `a`, `b`, or the path of a TOML file that maps tables and columns.
    pub mapping: String,
    /// Whether the tables of mapping `a` or `b` are created where they are missing. Unless told, only in an SQLite file:
    /// a hospital's server has its own tables.
    #[serde(default)]
    pub demo_schema: Option<bool>,
    /// Mappings that records were written under before, so that they can still be read.
    #[serde(default)]
    pub earlier_mappings: Vec<String>,
}

/// How secrets are kept.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SecretsConfig {
    /// The hospital's master secret (64 hex characters, mode 0600). Without it the master secret is derived from the
    /// hospital's member key.
    pub master_file: Option<PathBuf>,
}

/// How records are committed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IntakeConfig {
    /// Digest algorithm of new commitments: `sha-256` or `sha-512/256`.
    pub digest: DigestAlgorithm,
}

impl Default for IntakeConfig {
    fn default() -> IntakeConfig {
        IntakeConfig {
            digest: DigestAlgorithm::Sha256,
        }
    }
}

/// How often every record is looked at without anybody asking.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IntegrityConfig {
    /// From the end of one sweep to the beginning of the next, in seconds; 0 for none. A sweep takes half of the time at
    /// most: a large hospital's takes as long as it takes, and leaves the database to others in between.
    pub sweep_seconds: u64,
}

impl Default for IntegrityConfig {
    fn default() -> IntegrityConfig {
        IntegrityConfig { sweep_seconds: 20 }
    }
}

/// Emergencies while the ledger cannot be reached.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EmergenciesConfig {
    /// The ledger counts as unreachable when no block came for so long, in seconds. An idle cluster makes one every ten.
    pub ledger_silent_seconds: u64,
}

impl Default for EmergenciesConfig {
    fn default() -> EmergenciesConfig {
        EmergenciesConfig {
            ledger_silent_seconds: 20,
        }
    }
}

fn default_plans() -> BTreeMap<String, u16> {
    [
        ("no_insurance", 0),
        ("private", 1),
        ("medicare", 2),
        ("medicaid", 3),
    ]
    .map(|(payer, plan)| (payer.to_owned(), plan))
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        [bus]
        servers = ["nats://127.0.0.1:4222"]
        user = "records-north"
        nkey_seed_file = "keys/nats.seed"
        directory = "../../directory.json"
        sealing_seed_file = "keys/sealing.seed"
        genesis = "../../genesis.json"
        [database]
        url = "sqlite://data/records.db?mode=rwc"
        [member]
        key_file = "keys/member.json"
        [sessions]
        public_key = "0101010101010101010101010101010101010101010101010101010101010101"
        [hospital]
        slug = "north"
        name = "North Hospital"
        [hospital_database]
        kind = "sqlite"
        url = "sqlite://data/hospital.db?mode=rwc"
        mapping = "a"
    "#;

    #[test]
    fn the_file_that_init_writes_is_read_with_defaults() {
        let config: Config = toml::from_str(TEXT).unwrap();
        assert_eq!(config.plans["medicaid"], 3);
        assert_eq!(config.intake.digest, DigestAlgorithm::Sha256);
        assert_eq!(config.hospital_database.kind, DatabaseKind::Sqlite);
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let text = format!("{TEXT}\n[intake]\ndigest = \"sha-256\"\nspeed = 9\n");
        assert!(
            toml::from_str::<Config>(&text)
                .unwrap_err()
                .to_string()
                .contains("speed")
        );
    }
}
