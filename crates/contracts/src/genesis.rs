//! The state that a genesis file describes.

use std::collections::BTreeSet;

use ledger::{GenesisFile, GenesisMember, LedgerId, ReplicaId, WriteSet};
use thiserror::Error;

use crate::governance::{self, Parameter};
use crate::membership::{self, MemberKind};
use crate::{Event, State, View, fold, submission};

/// Why a genesis file describes no state.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GenesisError {
    /// A member's kind is no [`MemberKind`].
    #[error(
        "genesis file, members: {member} is of kind {kind:?}, which does not exist; the kinds are Patient, Doctor, Hospital, ThirdParty, Insurer, Regulator, Treasurer, Device, NodeOperator, Service"
    )]
    UnknownKind {
        /// The member.
        member: LedgerId,
        /// What the file says.
        kind: String,
    },
    /// A person or device has a name: nothing personal is on the ledger.
    #[error("genesis file, members: {0} is a person or a device and must have an empty name")]
    NamedPerson(LedgerId),
    /// A name is too long.
    #[error("genesis file, members: the name of {0} is longer than 120 bytes")]
    LongName(LedgerId),
    /// A list of allowed commands that is not a service's, not ascending, or names a command no service may submit.
    #[error(
        "genesis file, members: the allowed commands of {0} must be empty unless it is a service, and then ascending and among those a service may submit (docs/contracts.md)"
    )]
    Allowed(LedgerId),
    /// A replica's operator is not among the members.
    #[error(
        "genesis file, epoch: the operator {operator} of replica {replica} is not among the members"
    )]
    UnknownOperator {
        /// The replica.
        replica: ReplicaId,
        /// Its operator.
        operator: LedgerId,
    },
    /// A parameter that does not exist.
    #[error("genesis file, parameters: there is no {0}")]
    UnknownParameter(String),
    /// A parameter out of its bounds.
    #[error("genesis file, parameters: {parameter} is {value}, must be {min} to {max}")]
    ParameterBounds {
        /// Its name.
        parameter: &'static str,
        /// What the file says.
        value: i64,
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
    },
}

/// The genesis block's events, in order, and the writes they fold into. The file has passed [`GenesisFile::check`].
///
/// # Errors
/// [`GenesisError`], naming the part of the file.
pub fn genesis(genesis: &GenesisFile) -> Result<(Vec<Event>, WriteSet), GenesisError> {
    let mut events = parameters(genesis)?;
    events.extend(members(genesis)?);
    events.extend(replicas(genesis)?);
    let nothing = Nothing;
    let mut state = State::new(&nothing);
    for event in &events {
        fold(&mut state, event);
    }
    Ok((events, state.into_writes()))
}

fn parameters(genesis: &GenesisFile) -> Result<Vec<Event>, GenesisError> {
    let given = &genesis.parameters.0;
    if let Some(name) = given
        .keys()
        .find(|name| Parameter::from_name(name).is_none())
    {
        return Err(GenesisError::UnknownParameter(name.clone()));
    }
    let founded = |parameter: Parameter| {
        let value = given
            .get(parameter.name())
            .copied()
            .unwrap_or(parameter.default_value());
        let bounds = parameter.bounds();
        if !bounds.contains(&value) {
            let (min, max) = bounds.into_inner();
            return Err(GenesisError::ParameterBounds {
                parameter: parameter.name(),
                value,
                min,
                max,
            });
        }
        Ok(governance::event::Event::ParameterFounded { parameter, value }.into())
    };
    Parameter::ALL.into_iter().map(founded).collect()
}

fn members(genesis: &GenesisFile) -> Result<Vec<Event>, GenesisError> {
    let operators: BTreeSet<LedgerId> = genesis
        .epoch
        .replicas
        .iter()
        .map(|replica| replica.operator)
        .collect();
    genesis
        .members
        .iter()
        .map(|member| founder(member, operators.contains(&member.ledger_id)))
        .collect()
}

fn founder(member: &GenesisMember, operates: bool) -> Result<Event, GenesisError> {
    let id = member.ledger_id;
    let kind = MemberKind::from_name(&member.kind).ok_or_else(|| GenesisError::UnknownKind {
        member: id,
        kind: member.kind.clone(),
    })?;
    if kind.is_personal() && !member.name.is_empty() {
        return Err(GenesisError::NamedPerson(id));
    }
    if member.name.len() > membership::command::NAME_BYTES_MAX {
        return Err(GenesisError::LongName(id));
    }
    let lists_fit = if kind == MemberKind::Service {
        submission::is_service_list(&member.allowed)
    } else {
        member.allowed.is_empty()
    };
    if !lists_fit {
        return Err(GenesisError::Allowed(id));
    }
    Ok(membership::event::Event::FounderNamed {
        member: id,
        kind,
        public_key: member.public_key,
        name: (!member.name.is_empty()).then(|| member.name.clone()),
        allowed: member.allowed.clone(),
        operator: operates || kind == MemberKind::NodeOperator,
    }
    .into())
}

fn replicas(genesis: &GenesisFile) -> Result<Vec<Event>, GenesisError> {
    let members: BTreeSet<LedgerId> = genesis
        .members
        .iter()
        .map(|member| member.ledger_id)
        .collect();
    let founded = |replica: &ledger::ReplicaDescription| {
        if !members.contains(&replica.operator) {
            return Err(GenesisError::UnknownOperator {
                replica: replica.replica,
                operator: replica.operator,
            });
        }
        Ok(governance::event::Event::ReplicaFounded {
            replica: replica.clone(),
        }
        .into())
    };
    genesis.epoch.replicas.iter().map(founded).collect()
}

/// The state before the genesis block.
struct Nothing;

impl View for Nothing {
    fn get(&self, _key: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn scan(&self, _prefix: &[u8], _limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        Vec::new()
    }
}
