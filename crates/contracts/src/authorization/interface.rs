//! What other contracts ask the authorization contract.

use super::state::{self, Grant};
use crate::State;
use crate::identifier::GrantId;

/// A grant, whether or not it still holds.
pub(crate) fn grant(state: &State, id: &GrantId) -> Option<Grant> {
    state::grant(state, id)
}
