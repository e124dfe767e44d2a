//! Evidence that a replica signed two things that cannot both be honest.

use ledger::Equivocation;

use crate::governance::event::Event;
use crate::governance::rejection::Rejection;
use crate::governance::state;
use crate::rejection::ensure;
use crate::{Context, State};

/// The evidence proves itself, whoever brings it; it is recorded once for each replica and slot.
pub(super) fn report_equivocation(
    state: &State,
    context: &Context,
    evidence: Equivocation,
) -> Result<Vec<Event>, Rejection> {
    let slot = evidence.slot;
    let accused = state::replica(state, slot.replica).ok_or(Rejection::UnknownReplica)?;
    ensure(
        !state::is_proven(state, &slot),
        Rejection::EquivocationKnown,
    )?;
    // The key it had then: keys are kept for good, and each was one replica's only.
    let proven = state::keys_of_replica(state, slot.replica)
        .iter()
        .any(|key| evidence.verify(&context.chain, key).is_ok());
    ensure(proven, Rejection::EquivocationNotProven)?;
    Ok(vec![Event::EquivocationProven {
        evidence,
        operator: accused.operator,
        reporter: context.submitter,
    }])
}
