//! Changes of the replica set: who may be a replica, and the epoch that a change begins.

use ledger::{Epoch, EpochDescription, PublicKey, ReplicaDescription, ReplicaId};

use crate::governance::command::{Change, Parameter};
use crate::governance::interface::parameter;
use crate::governance::rejection::Rejection;
use crate::governance::state;
use crate::membership::interface::is_operator;
use crate::rejection::ensure;
use crate::{Context, State};

/// A replica set never shrinks below this: four replicas tolerate one that lies.
const REPLICAS_MIN: usize = 4;

/// A replica goes, another comes, or both in one.
pub(super) fn check_replacement(
    state: &State,
    retire: Option<ReplicaId>,
    add: Option<&ReplicaDescription>,
) -> Result<(), Rejection> {
    ensure(
        retire.is_some() || add.is_some(),
        Rejection::EmptyReplicaChange,
    )?;
    check_open(state)?;
    let mut serving = state::replicas_in_service(state);
    let before = serving.len();
    if let Some(id) = retire {
        serving.retain(|described| described.replica != id);
        ensure(serving.len() < before, Rejection::UnknownReplica)?;
    }
    if let Some(new) = add {
        ensure(
            state::replica(state, new.replica).is_none(),
            Rejection::ReplicaNumberUsed,
        )?;
        ensure(
            is_operator(state, &new.operator),
            Rejection::ReplicaOperatorNotFit,
        )?;
        check_key(state, &new.public_key)?;
        serving.push(new.clone());
        let own = serving
            .iter()
            .filter(|described| described.operator == new.operator)
            .count();
        ensure(
            own <= (serving.len().saturating_sub(1) / 3).max(1),
            Rejection::TooManyReplicasOfOperator,
        )?;
    }
    ensure(
        serving.len() >= before.min(REPLICAS_MIN),
        Rejection::TooFewReplicas,
    )
}

/// A replica in service gets another key.
pub(super) fn check_rotation(
    state: &State,
    replica: ReplicaId,
    public_key: &PublicKey,
) -> Result<(), Rejection> {
    check_open(state)?;
    let in_service = state::replica(state, replica).is_some_and(|entry| entry.in_service);
    ensure(in_service, Rejection::UnknownReplica)?;
    check_key(state, public_key)
}

fn check_open(state: &State) -> Result<(), Rejection> {
    ensure(
        parameter(state, Parameter::ReplicaChangeMax) >= 1,
        Rejection::ReplicaChangesClosed,
    )
}

fn check_key(state: &State, public_key: &PublicKey) -> Result<(), Rejection> {
    ensure(!public_key.is_weak(), Rejection::WeakReplicaKey)?;
    ensure(
        state::replica_of_key(state, public_key).is_none(),
        Rejection::ReplicaKeyUsed,
    )
}

/// The epoch that the change begins, if it changes the replica set: never while another is still to begin.
pub(super) fn next_epoch(
    state: &State,
    context: &Context,
    change: &Change,
) -> Result<Option<EpochDescription>, Rejection> {
    let mut replicas = state::replicas_in_service(state);
    match change {
        Change::ReplaceReplica { retire, add } => {
            replicas.retain(|described| Some(described.replica) != *retire);
            replicas.extend(add.clone());
            replicas.sort_by_key(|described| described.replica);
        }
        Change::RotateReplicaKey {
            replica,
            public_key,
        } => {
            for described in &mut replicas {
                if described.replica == *replica {
                    described.public_key = *public_key;
                }
            }
        }
        Change::SetParameter { .. }
        | Change::ActivateContract { .. }
        | Change::SetOperatorStanding { .. } => return Ok(None),
    }
    let pending =
        state::newest_epoch(state).is_some_and(|announced| announced.epoch > context.epoch);
    ensure(!pending, Rejection::EpochPending)?;
    Ok(Some(EpochDescription {
        epoch: Epoch(context.epoch.0 + 1),
        first_height: EpochDescription::last_height_after(context.height).next(),
        replicas,
    }))
}
