//! What happens by itself when its time has come, at the start of a block.

use ledger::{Height, Timestamp, WriteSet};

use crate::{Event, State, View, authorization, fold};

/// Ends up to `limit` items whose deadline is at or before `time`, earliest first; their escrow returns.
///
/// What is left over is still due: see [`next_due`]. Until then the contracts refuse to act on it.
pub fn expire(
    view: &dyn View,
    _height: Height,
    time: Timestamp,
    limit: usize,
) -> (Vec<Event>, WriteSet) {
    let mut state = State::new(view);
    let mut events = Vec::new();
    for item in authorization::state::due_items(&state, time, limit) {
        for event in authorization::expire_item(&state, item) {
            fold(&mut state, &event);
            events.push(event);
        }
    }
    (events, state.into_writes())
}

/// The earliest deadline in the state, if there is one.
pub fn next_due(view: &dyn View) -> Option<Timestamp> {
    authorization::state::next_deadline(&State::new(view))
}
