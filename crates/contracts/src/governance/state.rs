//! What the governance contract keeps, under which keys, and how its events change it.

use ledger::{
    ContractId, EpochDescription, Height, LedgerId, PublicKey, ReplicaDescription, ReplicaId,
    VoteSlot,
};
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
const EPOCH: u8 = 7;
const EQUIVOCATION: u8 = 8;

/// More replicas than were ever in service; bounds the scan over them.
const REPLICAS_MAX: usize = 10_000;

/// More changes of the replica set than there will ever be; bounds the scan over them.
const EPOCHS_MAX: usize = 100_000;

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
    /// The key under which it votes; of an epoch to come, once that is announced.
    pub(crate) public_key: PublicKey,
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

/// The replicas in service, ascending.
pub(crate) fn replicas_in_service(state: &State) -> Vec<ReplicaDescription> {
    let prefix = key(Contract::Governance, REPLICA, &[]);
    let entries = state.scan(&prefix, REPLICAS_MAX);
    let described = entries.iter().filter_map(|(key, _)| {
        let number: [u8; 2] = key[prefix.len()..].try_into().ok()?;
        let id = ReplicaId(u16::from_be_bytes(number));
        let entry = replica(state, id).filter(|entry| entry.in_service)?;
        Some(ReplicaDescription {
            replica: id,
            operator: entry.operator,
            public_key: entry.public_key,
        })
    });
    described.collect()
}

/// Whose key it is or was.
pub(crate) fn replica_of_key(state: &State, public_key: &PublicKey) -> Option<ReplicaId> {
    state.read(&replica_key_key(public_key))
}

/// All keys that a replica ever had.
pub(crate) fn keys_of_replica(state: &State, id: ReplicaId) -> Vec<PublicKey> {
    let prefix = key(Contract::Governance, REPLICA_KEY, &[]);
    let entries = state.scan(&prefix, REPLICAS_MAX);
    let keys = entries
        .iter()
        .filter_map(|(key, _)| Some(PublicKey(key[prefix.len()..].try_into().ok()?)));
    keys.filter(|public_key| replica_of_key(state, public_key) == Some(id))
        .collect()
}

/// The epochs that were announced, ascending; epoch 0 is the genesis file's.
pub(crate) fn epochs(state: &State) -> Vec<EpochDescription> {
    let prefix = key(Contract::Governance, EPOCH, &[]);
    let entries = state.scan(&prefix, EPOCHS_MAX);
    entries
        .iter()
        .filter_map(|(key, _)| state.read(key))
        .collect()
}

pub(crate) fn newest_epoch(state: &State) -> Option<EpochDescription> {
    epochs(state).pop()
}

pub(crate) fn is_proven(state: &State, slot: &VoteSlot) -> bool {
    state.contains(&equivocation_key(slot))
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

fn epoch_key(description: &EpochDescription) -> Vec<u8> {
    key(
        Contract::Governance,
        EPOCH,
        &[&description.epoch.0.to_be_bytes()],
    )
}

fn equivocation_key(slot: &VoteSlot) -> Vec<u8> {
    key(
        Contract::Governance,
        EQUIVOCATION,
        &[
            &slot.replica.0.to_be_bytes(),
            &slot.epoch.0.to_be_bytes(),
            &slot.view.to_be_bytes(),
            &slot.sequence.0.to_be_bytes(),
            &[slot.phase as u8],
        ],
    )
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
        Event::EpochAnnounced { epoch } => state.write(epoch_key(epoch), epoch),
        Event::EquivocationProven { evidence, .. } => {
            state.write(equivocation_key(&evidence.slot), evidence)
        }
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
        Change::RotateReplicaKey {
            replica: id,
            public_key,
        } => {
            if let Some(entry) = replica(state, *id) {
                let public_key = *public_key;
                state.write(
                    replica_key(*id),
                    &Replica {
                        public_key,
                        ..entry
                    },
                );
                state.write(replica_key_key(&public_key), id);
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
            public_key: description.public_key,
        },
    );
    state.write(
        replica_key_key(&description.public_key),
        &description.replica,
    );
}
