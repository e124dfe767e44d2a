//! The members that exist from the start: organisations, operators of replicas, services.

use std::collections::BTreeMap;

use anyhow::Context as _;
use contracts::Contract;
use contracts::membership::command::MemberKind;
use keys::{MemberKey, SealingPublicKey};
use ledger::{ContractId, GenesisMember, LedgerId};

use super::{AUTHORITY_SERVICES, member_kind};
use crate::consortium::{Consortium, OrganisationKind};
use crate::files;
use crate::layout::Layout;

/// The founders' public parts. Their keys are in files.
pub(super) struct Members {
    /// As the genesis file lists them.
    pub(super) genesis: Vec<GenesisMember>,
    /// To whom viewers' names are sealed, besides the patient.
    pub(super) regulator_sealing_key: SealingPublicKey,
    operators: BTreeMap<String, LedgerId>,
}

impl Members {
    /// Makes keys for all of them.
    ///
    /// An organisation that operates a replica has a key of its own for that (`operator.json`): it endorses and votes,
    /// and stays with people, while a hospital's `member.json` is in its records service.
    pub(super) fn make(consortium: &Consortium, layout: &Layout) -> anyhow::Result<Members> {
        let mut genesis = Vec::new();
        let mut operators = BTreeMap::new();
        let mut regulator = None;
        for organisation in &consortium.organisations {
            let folder = layout.organisation(&organisation.slug);
            files::make_private_folder(&folder)?;
            if let Some(kind) = member_kind(organisation.kind) {
                let key = MemberKey::random();
                if organisation.kind == OrganisationKind::Regulator {
                    regulator = Some(key.sealing_public_key());
                }
                key.save(&folder.join("member.json"))?;
                if kind == MemberKind::Hospital {
                    key.save(&service_key_folder(
                        layout,
                        &bus::subjects::records_name(&organisation.slug),
                    )?)?;
                }
                genesis.push(founder(&key, kind, &organisation.name, Vec::new()));
            }
            if organisation.node {
                let key = MemberKey::random();
                key.save(&folder.join("operator.json"))?;
                operators.insert(organisation.slug.clone(), key.ledger_id());
                genesis.push(founder(
                    &key,
                    MemberKind::NodeOperator,
                    &organisation.name,
                    Vec::new(),
                ));
            }
        }
        for service in ["identity"].into_iter().chain(AUTHORITY_SERVICES) {
            let key = MemberKey::random();
            key.save(&service_key_folder(layout, service)?)?;
            genesis.push(founder(
                &key,
                MemberKind::Service,
                service,
                allowed_commands(service),
            ));
        }
        let regulator_sealing_key =
            regulator.context("the description has no organisation of kind `regulator`")?;
        Ok(Members {
            genesis,
            regulator_sealing_key,
            operators,
        })
    }

    /// The ledger id under which an organisation operates its replica.
    pub(super) fn operator(&self, slug: &str) -> anyhow::Result<LedgerId> {
        self.operators
            .get(slug)
            .copied()
            .with_context(|| format!("{slug} operates no replica"))
    }
}

fn service_key_folder(layout: &Layout, process: &str) -> anyhow::Result<std::path::PathBuf> {
    let folder = layout.process(process).join("keys");
    files::make_private_folder(&folder)?;
    Ok(folder.join("member.json"))
}

fn founder(
    key: &MemberKey,
    kind: MemberKind,
    name: &str,
    allowed: Vec<(ContractId, u16)>,
) -> GenesisMember {
    GenesisMember {
        ledger_id: key.ledger_id(),
        public_key: key.public_key(),
        kind: kind.name().to_owned(),
        name: name.to_owned(),
        allowed,
    }
}

/// What a service may submit under its own key: the least that its reactions need, out of what contracts let services
/// submit at all. A service never approves, views or pays for a person.
fn allowed_commands(service: &str) -> Vec<(ContractId, u16)> {
    let commands: &[(Contract, u16)] = match service {
        "identity" => &[(Contract::Membership, 0), (Contract::Membership, 7)],
        "iot" => &[
            (Contract::Membership, 7),
            (Contract::Telemetry, 4),
            (Contract::Telemetry, 5),
        ],
        _ => &[(Contract::Membership, 7)],
    };
    commands
        .iter()
        .map(|(contract, number)| (contract.id(), *number))
        .collect()
}
