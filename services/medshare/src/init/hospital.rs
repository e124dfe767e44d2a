//! Adds a hospital to a system that exists, running or not: keys, credentials, configuration. On the ledger it still has
//! to be registered and endorsed.

use anyhow::ensure;
use keys::MemberKey;
use serde::Serialize;

use super::certificates::Issuer;
use super::{ProcessKeys, PublicKeys, broker_names, configuration, records};
use crate::consortium::{
    Consortium, HospitalDatabase, Organisation, OrganisationKind, Tls, check_slug,
};
use crate::files;
use crate::layout::Layout;
use crate::system::SystemDescription;

/// What was made.
#[derive(Clone, Debug, Serialize)]
pub struct HospitalAdded {
    /// Its process, and bus name.
    pub process: String,
    /// Its ledger id, with which it is to be registered.
    pub ledger_id: String,
    /// Its public signing key.
    pub public_key: String,
    /// Its member key file.
    pub member_key: String,
}

/// Makes everything that the hospital's records service needs. `up` takes it up when asked (`medshare admin take-up`),
/// or at its next start.
pub fn add_hospital(
    layout: &Layout,
    slug: &str,
    name: &str,
    database: HospitalDatabase,
) -> anyhow::Result<HospitalAdded> {
    check_slug(slug).map_err(|reason| anyhow::anyhow!("slug: {reason}"))?;
    let mut consortium = Consortium::from_toml(&std::fs::read_to_string(layout.consortium())?)?;
    let taken = consortium
        .organisations
        .iter()
        .any(|organisation| organisation.slug == slug);
    ensure!(!taken, "slug: {slug} is another organisation's");
    consortium.organisations.push(Organisation {
        slug: slug.to_owned(),
        name: name.to_owned(),
        kind: OrganisationKind::Hospital,
        node: false,
        hospital_database: Some(database),
    });
    let mut system = SystemDescription::load(&layout.system())?;
    let mut brokers = broker_names(consortium.brokers);
    brokers.rotate_left(consortium.hospitals().count() % consortium.brokers);
    let process = records(slug, brokers);

    let key = MemberKey::random();
    let folder = layout.organisation(slug);
    files::make_private_folder(&folder)?;
    let member_key = folder.join("member.json");
    key.save(&member_key)?;
    files::make_private_folder(&layout.process(&process.name).join("keys"))?;
    key.save(&layout.process(&process.name).join("keys/member.json"))?;
    ProcessKeys::make(layout, &process)?;
    let public_keys: PublicKeys = files::read_json(&PublicKeys::file(layout))?;
    configuration::write(layout, &consortium, &public_keys, &process)?;
    files::write(
        &layout.consortium(),
        toml::to_string(&consortium)?.as_bytes(),
    )?;
    if consortium.tls == Tls::Mutual {
        let issuer = Issuer::open(layout, &consortium)?;
        issuer.process(&process)?;
        issuer.organisation(slug)?;
    }
    let added = HospitalAdded {
        process: process.name.clone(),
        ledger_id: key.ledger_id().to_string(),
        public_key: key.public_key().to_string(),
        member_key: member_key.display().to_string(),
    };
    system.processes.push(process);
    system.save(&layout.system())?;
    Ok(added)
}
