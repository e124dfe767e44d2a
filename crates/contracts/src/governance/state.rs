//! What the governance contract keeps, under which keys, and how its events change it.

use ledger::{ContractId, Height, LedgerId, PublicKey, ReplicaId};
use serde::{Deserialize, Serialize};

use super::command::{Change, Parameter};
use super::event::Event;
use crate::identifier::ProposalId;
use crate::key::{id_at, key};
use crate::membership::state::OPERATORS_MAX;
use crate::{Contract, State, View};

const PARAMETER: u8 = 1;
const PROPOSAL: u8 = 2;
const VOTE: u8 = 3;
const REPLICA: u8 = 4;
const REPLICA_KEY: u8 = 5;
const VERSION: u8 = 6;

/// More replicas than were ever in service; bounds the scan over them.
const REPLICAS_MAX: usize = 10_000;

/// Where a proposal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Standing {
    Open,
    Adopted,
    Rejected,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Proposal {
    pub(crate) change: Change,
    pub(crate) standing: Standing,
}

/// A replica that was admitted, in service or retired; its number is never used again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Replica {
    pub(crate) operator: LedgerId,
    pub(crate) in_service: bool,
}

/// A contract's latest activation. Version 1 of every contract is active from genesis and not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Activation {
    pub(crate) version: u32,
    pub(crate) height: Height,
}

pub(crate) fn parameter(state: &State, parameter: Parameter) -> Option<i64> {
    state.read(&parameter_key(parameter))
}

pub(crate) fn proposal(state: &State, id: &ProposalId) -> Option<Proposal> {
    state.read(&proposal_key(id))
}

pub(crate) fn has_voted(state: &State, proposal: &ProposalId, operator: &LedgerId) -> bool {
    state.contains(&vote_key(proposal, operator))
}

/// Who voted on a proposal, and whether for it.
pub(crate) fn votes(state: &State, proposal: &ProposalId) -> Vec<(LedgerId, bool)> {
    let prefix = key(Contract::Governance, VOTE, &[&proposal.0]);
    let entries = state.scan(&prefix, OPERATORS_MAX);
    entries
        .iter()
        .map(|(key, value)| (LedgerId(id_at(key, prefix.len())), value == &[1]))
        .collect()
}

pub(crate) fn replica(state: &State, id: ReplicaId) -> Option<Replica> {
    state.read(&replica_key(id))
}

/// The replicas in service, by operator.
pub(crate) fn operators_of_replicas(state: &State) -> Vec<(ReplicaId, LedgerId)> {
    let prefix = key(Contract::Governance, REPLICA, &[]);
    let entries = state.scan(&prefix, REPLICAS_MAX);
    let numbered = entries.iter().filter_map(|(key, _)| {
        let number: [u8; 2] = key[prefix.len()..].try_into().ok()?;
        let id = ReplicaId(u16::from_be_bytes(number));
        replica(state, id)
            .filter(|replica| replica.in_service)
            .map(|replica| (id, replica.operator))
    });
    numbered.collect()
}

pub(crate) fn is_replica_key_used(state: &State, public_key: &PublicKey) -> bool {
    state.contains(&replica_key_key(public_key))
}

pub(crate) fn activation(state: &State, contract: ContractId) -> Option<Activation> {
    state.read(&version_key(contract))
}

fn parameter_key(parameter: Parameter) -> Vec<u8> {
    key(Contract::Governance, PARAMETER, &[&[parameter as u8]])
}

fn proposal_key(id: &ProposalId) -> Vec<u8> {
    key(Contract::Governance, PROPOSAL, &[&id.0])
}

fn vote_key(proposal: &ProposalId, operator: &LedgerId) -> Vec<u8> {
    key(Contract::Governance, VOTE, &[&proposal.0, &operator.0])
}

fn replica_key(id: ReplicaId) -> Vec<u8> {
    key(Contract::Governance, REPLICA, &[&id.0.to_be_bytes()])
}

fn replica_key_key(public_key: &PublicKey) -> Vec<u8> {
    key(Contract::Governance, REPLICA_KEY, &[&public_key.0])
}

fn version_key(contract: ContractId) -> Vec<u8> {
    key(Contract::Governance, VERSION, &[&contract.0.to_be_bytes()])
}

/// Brings the state up to date with what was decided.
pub fn fold(state: &mut State, event: &Event) {
    match event {
        Event::ParameterFounded { parameter, value } => {
            state.write(parameter_key(*parameter), value)
        }
        Event::ReplicaFounded { replica } => enter_replica(state, replica),
        Event::ChangeProposed {
            proposal, change, ..
        } => {
            state.write(
                proposal_key(proposal),
                &Proposal {
                    change: change.clone(),
                    standing: Standing::Open,
                },
            );
        }
        Event::VoteCast {
            proposal,
            operator,
            approve,
            ..
        } => state.write(vote_key(proposal, operator), approve),
        Event::ChangeAdopted { proposal, change } => {
            state.write(
                proposal_key(proposal),
                &Proposal {
                    change: change.clone(),
                    standing: Standing::Adopted,
                },
            );
            adopt(state, change);
        }
        Event::ChangeRejected { proposal: id } => {
            if let Some(entry) = proposal(state, id) {
                state.write(
                    proposal_key(id),
                    &Proposal {
                        standing: Standing::Rejected,
                        ..entry
                    },
                );
            }
        }
    }
}

fn adopt(state: &mut State, change: &Change) {
    match change {
        Change::SetParameter { parameter, value } => state.write(parameter_key(*parameter), value),
        Change::ReplaceReplica { retire, add } => {
            if let Some(id) = retire
                && let Some(entry) = replica(state, *id)
            {
                state.write(
                    replica_key(*id),
                    &Replica {
                        in_service: false,
                        ..entry
                    },
                );
            }
            if let Some(description) = add {
                enter_replica(state, description);
            }
        }
        Change::ActivateContract {
            contract,
            version,
            height,
        } => {
            state.write(
                version_key(*contract),
                &Activation {
                    version: *version,
                    height: *height,
                },
            );
        }
        // The membership contract's event says it.
        Change::SetOperatorStanding { .. } => {}
    }
}

fn enter_replica(state: &mut State, description: &ledger::ReplicaDescription) {
    state.write(
        replica_key(description.replica),
        &Replica {
            operator: description.operator,
            in_service: true,
        },
    );
    state.write(replica_key_key(&description.public_key), &());
}
