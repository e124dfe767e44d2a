//! Adds a node to a system that exists, running or not: keys, credentials, configuration of one more replica. It follows
//! the ledger; it votes once the operators of the nodes have voted it in.

use anyhow::{Context as _, ensure};
use keys::MemberKey;
use serde::Serialize;

use super::certificates::Issuer;
use super::{ProcessKeys, PublicKeys, broker_names, configuration, replica, replica_number};
use crate::consortium::{Consortium, Organisation, OrganisationKind, Tls, check_slug};
use crate::files;
use crate::layout::Layout;
use crate::system::SystemDescription;

/// What was made.
#[derive(Clone, Debug, Serialize)]
pub struct NodeAdded {
    /// Its process, and bus name.
    pub process: String,
    /// The replica's number.
    pub replica: u16,
    /// The ledger id of its operator, who is to be registered and endorsed.
    pub operator: String,
    /// The operator's key file.
    pub operator_key: String,
    /// What its votes are verified with.
    pub voting_key: String,
}

/// Makes everything that one more replica of an organisation needs: one that is new to the consortium (then `name` is its
/// public name), or one that takes part already, perhaps with a replica that is to be replaced. `up` takes it up when
/// asked, or at its next start.
///
/// # Errors
/// If the organisation cannot be so named, or the files cannot be made.
pub fn add_node(layout: &Layout, slug: &str, name: Option<&str>) -> anyhow::Result<NodeAdded> {
    check_slug(slug).map_err(|reason| anyhow::anyhow!("slug: {reason}"))?;
    let mut consortium = Consortium::from_toml(&std::fs::read_to_string(layout.consortium())?)?;
    let known = consortium
        .organisations
        .iter_mut()
        .find(|organisation| organisation.slug == slug);
    let is_new = known.is_none();
    match known {
        Some(organisation) => {
            ensure!(
                name.is_none_or(|name| name == organisation.name),
                "name: {slug} is {} already",
                organisation.name
            );
            organisation.node = true;
        }
        None => consortium.organisations.push(Organisation {
            slug: slug.to_owned(),
            name: name
                .with_context(|| format!("name: {slug} is new, and needs one"))?
                .to_owned(),
            kind: OrganisationKind::Operator,
            node: true,
            hospital_database: None,
        }),
    }
    let mut system = SystemDescription::load(&layout.system())?;
    let used = system
        .processes
        .iter()
        .filter_map(|process| replica_number(&process.name));
    let number = used.max().map_or(0, |highest| highest + 1);
    let mut brokers = broker_names(consortium.brokers);
    brokers.rotate_left(usize::from(number) % consortium.brokers);
    let process = replica(number, slug, brokers);

    let folder = layout.organisation(slug);
    files::make_private_folder(&folder)?;
    let operator_key = folder.join("operator.json");
    if !operator_key.exists() {
        MemberKey::random().save(&operator_key)?;
    }
    let operator = MemberKey::load(&operator_key)?.ledger_id();
    let keys = ProcessKeys::make(layout, &process)?;
    let voting = keys.voting.context("a replica has a voting key")?;
    let public_keys: PublicKeys = files::read_json(&PublicKeys::file(layout))?;
    configuration::write(layout, &consortium, &public_keys, &process)?;
    files::write(
        &layout.consortium(),
        toml::to_string(&consortium)?.as_bytes(),
    )?;
    if consortium.tls == Tls::Mutual {
        let issuer = Issuer::open(layout, &consortium)?;
        issuer.process(&process)?;
        if is_new {
            issuer.organisation(slug)?;
        }
    }
    let added = NodeAdded {
        process: process.name.clone(),
        replica: number,
        operator: operator.to_string(),
        operator_key: operator_key.display().to_string(),
        voting_key: voting.public_key().to_string(),
    };
    system.processes.push(process);
    system.save(&layout.system())?;
    Ok(added)
}
