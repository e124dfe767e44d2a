//! The small file that describes a consortium: who takes part, and what they run. `medshare init` makes everything
//! else from it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// `consortium.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consortium {
    /// The consortium's name; stands in the genesis file.
    pub name: String,
    /// How many message brokers: 1, or 3 that form a cluster.
    #[serde(default = "one")]
    pub brokers: usize,
    /// Where services keep their rows: `sqlite` (a file each), or `postgres://user@host:port` (a database each).
    #[serde(default = "sqlite")]
    pub database: String,
    /// How processes, partners and devices connect: `mutual` (TLS with certificates of the consortium on both sides), or
    /// `plain`, for a single machine.
    #[serde(default)]
    pub tls: Tls,
    /// How long the certificates of processes and members count, in hours; they are renewed while the system runs.
    #[serde(default = "three_days")]
    pub certificate_hours: f64,
    /// The names by which processes are reached from other machines, by process: they go into its certificate.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hosts: BTreeMap<String, Vec<String>>,
    /// The portal, as browsers reach it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub portal: Option<PortalSite>,
    /// Parameters at the start, by the names of the governance contract; others have that contract's defaults.
    #[serde(default)]
    pub parameters: BTreeMap<String, i64>,
    /// Who takes part from the start.
    pub organisations: Vec<Organisation>,
}

/// The portal, as browsers reach it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortalSite {
    /// The host name in its addresses; passkeys are bound to it.
    pub host: String,
    /// PEM: the certificate for that name, by an authority that browsers trust, with its chain. Without it the pages are served
    /// with the process's certificate of the consortium's own authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_file: Option<PathBuf>,
    /// PEM, mode 0600: its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
}

/// How connections are secured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// Not at all: what matters is sealed and signed all the same. For a single machine.
    #[default]
    Plain,
    /// TLS with certificates on both sides.
    Mutual,
}

/// An organisation of the consortium.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Organisation {
    /// Its short name in files, processes and bus names: lowercase letters, digits and hyphens.
    pub slug: String,
    /// Its public name.
    pub name: String,
    /// What it is.
    pub kind: OrganisationKind,
    /// Whether it operates a replica.
    #[serde(default)]
    pub node: bool,
    /// Hospitals: the database their records are in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hospital_database: Option<HospitalDatabase>,
}

/// What an organisation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrganisationKind {
    /// The health authority: runs identity, index, authorization, settlement, iot and a gateway.
    Authority,
    /// A hospital: runs a records service.
    Hospital,
    /// Operates a replica and nothing else.
    Operator,
    /// A regulator.
    Regulator,
    /// The treasury, which signs deposits.
    Treasurer,
    /// An insurer.
    Insurer,
}

/// A hospital's own database, as its records service reaches it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HospitalDatabase {
    /// `sqlite`, `mysql` or `postgres`.
    pub kind: String,
    /// Its URL; a relative SQLite path is meant from the records service's folder.
    pub url: String,
    /// The name of the mapping from its tables.
    pub mapping: String,
    /// Whether the tables of mapping `a` or `b` are made where they are missing; unless told, only in an SQLite file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub demo_schema: Option<bool>,
}

/// Why a description cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConsortiumError {
    /// Not TOML, an unknown key, or a value of the wrong form.
    #[error("{0}")]
    Form(#[from] toml::de::Error),
    /// A value that cannot be used.
    #[error("key `{key}`: {reason}")]
    Value {
        /// Which.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
}

fn one() -> usize {
    1
}

fn three_days() -> f64 {
    72.0
}

fn sqlite() -> String {
    "sqlite".to_owned()
}

impl Consortium {
    /// Reads and checks a description.
    pub fn from_toml(text: &str) -> Result<Self, ConsortiumError> {
        let consortium: Consortium = toml::from_str(text)?;
        consortium.check()?;
        Ok(consortium)
    }

    /// The consortium that `medshare init` sets up when it is given none: an authority, two hospitals and a chamber of
    /// physicians, each operating one of the four replicas; a regulator, a treasury and an insurer.
    pub fn built_in() -> Self {
        let organisation = |slug: &str, name: &str, kind, node| Organisation {
            slug: slug.to_owned(),
            name: name.to_owned(),
            kind,
            node,
            hospital_database: None,
        };
        let hospital = |slug: &str, name: &str, mapping: &str| Organisation {
            hospital_database: Some(HospitalDatabase::sqlite(mapping)),
            ..organisation(slug, name, OrganisationKind::Hospital, true)
        };
        Self {
            name: "medshare".to_owned(),
            brokers: 1,
            database: sqlite(),
            tls: Tls::default(),
            certificate_hours: three_days(),
            hosts: BTreeMap::new(),
            portal: None,
            parameters: BTreeMap::new(),
            organisations: vec![
                organisation(
                    "authority",
                    "Health Authority",
                    OrganisationKind::Authority,
                    true,
                ),
                hospital("lakeside", "Lakeside Hospital", "a"),
                hospital("hillcrest", "Hillcrest Hospital", "b"),
                organisation(
                    "chamber",
                    "Chamber of Physicians",
                    OrganisationKind::Operator,
                    true,
                ),
                organisation(
                    "regulator",
                    "Health Data Regulator",
                    OrganisationKind::Regulator,
                    false,
                ),
                organisation(
                    "treasury",
                    "Consortium Treasury",
                    OrganisationKind::Treasurer,
                    false,
                ),
                organisation(
                    "mutual",
                    "Mutual Health Insurance",
                    OrganisationKind::Insurer,
                    false,
                ),
            ],
        }
    }

    /// The names by which a process is reached from other machines.
    pub fn hosts_of<'a>(&'a self, process: &'a str) -> impl Iterator<Item = &'a String> {
        let site = self.portal.iter().filter(move |_| process == "portal");
        let named = self.hosts.get(process).into_iter().flatten();
        named.chain(site.map(|site| &site.host))
    }

    /// The organisations that operate replicas, in order: the first operates replica 0.
    pub fn operators(&self) -> impl Iterator<Item = &Organisation> {
        self.organisations
            .iter()
            .filter(|organisation| organisation.node)
    }

    /// The hospitals.
    pub fn hospitals(&self) -> impl Iterator<Item = &Organisation> {
        self.organisations
            .iter()
            .filter(|organisation| organisation.kind == OrganisationKind::Hospital)
    }

    /// The authority.
    pub fn authority(&self) -> &Organisation {
        self.organisations
            .iter()
            .find(|organisation| organisation.kind == OrganisationKind::Authority)
            .expect("checked: there is an authority")
    }

    fn check(&self) -> Result<(), ConsortiumError> {
        let refuse = |key: String, reason: &str| {
            Err(ConsortiumError::Value {
                key,
                reason: reason.to_owned(),
            })
        };
        if !matches!(self.brokers, 1 | 3) {
            return refuse("brokers".to_owned(), "must be 1 or 3");
        }
        if self.database != "sqlite" && !self.database.starts_with("postgres://") {
            return refuse(
                "database".to_owned(),
                "must be `sqlite` or begin with `postgres://`",
            );
        }
        if !(0.001..=8784.0).contains(&self.certificate_hours) {
            return refuse(
                "certificate_hours".to_owned(),
                "must be between 0.001 and 8784",
            );
        }
        if let Some(portal) = &self.portal {
            if !is_host_name(&portal.host) {
                return refuse(
                    "portal.host".to_owned(),
                    "must be a host name in lowercase: browsers bind passkeys to no address",
                );
            }
            if portal.certificate_file.is_some() != portal.key_file.is_some() {
                return refuse(
                    "portal.certificate_file".to_owned(),
                    "belongs together with `portal.key_file`",
                );
            }
        }
        let mut slugs = BTreeSet::new();
        for (index, organisation) in self.organisations.iter().enumerate() {
            let key = |name: &str| format!("organisations.{index}.{name}");
            check_slug(&organisation.slug).or_else(|reason| refuse(key("slug"), reason))?;
            if !slugs.insert(&organisation.slug) {
                return refuse(key("slug"), "is another organisation's as well");
            }
            if organisation.name.is_empty() || organisation.name.len() > 120 {
                return refuse(key("name"), "must have 1 to 120 bytes");
            }
            let is_hospital = organisation.kind == OrganisationKind::Hospital;
            if organisation.hospital_database.is_some() != is_hospital {
                return refuse(
                    key("hospital_database"),
                    "belongs to hospitals, and each has one",
                );
            }
        }
        let authorities = self
            .organisations
            .iter()
            .filter(|organisation| organisation.kind == OrganisationKind::Authority);
        if authorities.count() != 1 {
            return refuse(
                "organisations".to_owned(),
                "exactly one must be of kind `authority`",
            );
        }
        if self.operators().count() < 4 {
            return refuse(
                "organisations".to_owned(),
                "at least four must have `node = true`",
            );
        }
        Ok(())
    }
}

impl HospitalDatabase {
    /// A SQLite file of the records service's own, with tables as `mapping` names them.
    pub fn sqlite(mapping: &str) -> Self {
        Self {
            kind: "sqlite".to_owned(),
            url: "sqlite://data/hospital.db?mode=rwc".to_owned(),
            mapping: mapping.to_owned(),
            demo_schema: None,
        }
    }
}

/// Whether browsers take it for a name and not for an address.
fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253
        && text.split('.').all(is_label)
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a short name can be part of file names, bus names and database names.
pub fn check_slug(slug: &str) -> Result<(), &'static str> {
    let well_formed = slug
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if slug.is_empty()
        || slug.len() > 32
        || !well_formed
        || !slug.as_bytes()[0].is_ascii_lowercase()
    {
        return Err(
            "must be 1 to 32 lowercase letters, digits or hyphens, beginning with a letter",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_consortium_reads_back_from_its_own_file() {
        let built_in = Consortium::built_in();
        let text = toml::to_string(&built_in).unwrap();
        assert_eq!(Consortium::from_toml(&text).unwrap(), built_in);
    }

    #[test]
    fn what_cannot_work_is_refused_by_key() {
        let refused = |change: fn(&mut Consortium)| {
            let mut consortium = Consortium::built_in();
            change(&mut consortium);
            Consortium::from_toml(&toml::to_string(&consortium).unwrap())
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            refused(|it| it.brokers = 2),
            "key `brokers`: must be 1 or 3"
        );
        assert!(
            refused(|it| it.organisations[1].slug = "Lake Side".into())
                .starts_with("key `organisations.1.slug`")
        );
        assert!(
            refused(|it| it.organisations[1].slug = "authority".into())
                .starts_with("key `organisations.1.slug`")
        );
        assert!(refused(|it| it.organisations[3].node = false).contains("at least four"));
        assert!(
            refused(|it| it.organisations[2].hospital_database = None)
                .contains("hospital_database")
        );
        assert!(refused(|it| it.database = "oracle".into()).starts_with("key `database`"));
        let site = |host: &str| PortalSite {
            host: host.to_owned(),
            certificate_file: None,
            key_file: None,
        };
        for host in [
            "",
            "127.0.0.1",
            "Records.example",
            "-a.example",
            "https://a.example",
        ] {
            let consortium = Consortium {
                portal: Some(site(host)),
                ..Consortium::built_in()
            };
            let text = toml::to_string(&consortium).unwrap();
            let error = Consortium::from_toml(&text).unwrap_err().to_string();
            assert!(error.starts_with("key `portal.host`"), "{host}: {error}");
        }
        let half = Consortium {
            portal: Some(PortalSite {
                certificate_file: Some("site.pem".into()),
                ..site("records.example")
            }),
            ..Consortium::built_in()
        };
        let error = Consortium::from_toml(&toml::to_string(&half).unwrap()).unwrap_err();
        assert!(error.to_string().contains("portal.key_file"));
    }
}
