//! What other contracts, and the execution of blocks, ask the governance contract.

use ledger::{EpochDescription, Height, LedgerId, PublicKey, VoteSlot};

use super::command::Parameter;
use super::state::{self, Activation};
use crate::{Contract, State, View};

/// The version of every contract that this binary runs.
pub const CONTRACT_VERSION: u32 = 1;

/// A parameter's value: what was last adopted, else what the genesis file or the default says.
pub(crate) fn parameter(state: &State, parameter: Parameter) -> i64 {
    state::parameter(state, parameter).unwrap_or(parameter.default_value())
}

/// A parameter that is a duration, in microseconds.
pub(crate) fn duration_us(state: &State, name: Parameter) -> u64 {
    u64::try_from(parameter(state, name)).unwrap_or_default()
}

/// The epochs that were announced so far, ascending, those to come included. Epoch 0 is the genesis file's.
pub fn announced_epochs(view: &dyn View) -> Vec<EpochDescription> {
    state::epochs(&State::new(view))
}

/// Whether the replica was proven to have signed two things for this slot.
pub fn is_equivocation_proven(view: &dyn View, slot: &VoteSlot) -> bool {
    state::is_proven(&State::new(view), slot)
}

/// Whether the key is that of a replica in service which the member operates.
pub(crate) fn is_voting_key_of(state: &State, operator: &LedgerId, public_key: &PublicKey) -> bool {
    state::replica_of_key(state, public_key)
        .and_then(|id| state::replica(state, id))
        .is_some_and(|entry| {
            entry.in_service && entry.operator == *operator && entry.public_key == *public_key
        })
}

/// A contract whose version in force at `height` this binary lacks: the replica must halt before that height.
pub fn missing_version(view: &dyn View, height: Height) -> Option<(Contract, u32)> {
    let state = State::new(view);
    Contract::ALL.into_iter().find_map(|contract| {
        let Activation {
            version,
            height: from,
        } = state::activation(&state, contract.id())?;
        (version > CONTRACT_VERSION && from <= height).then_some((contract, version))
    })
}
