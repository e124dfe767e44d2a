//! What other contracts ask the records contract.

use ledger::LedgerId;

use super::command::DelegationScope;
use super::rejection::Rejection;
use super::state::{self, Erasure, Record};
use crate::identifier::{RecordNumber, SEALED_BYTES_MAX, Sealed};
use crate::membership::MemberKind;
use crate::membership::interface::is_active;
use crate::rejection::ensure;
use crate::{Context, State};

/// A record that stands.
///
/// # Errors
/// `UnknownRecord`, `RecordErased`.
pub(crate) fn standing_record(state: &State, number: &RecordNumber) -> Result<Record, Rejection> {
    let record = state::record(state, number).ok_or(Rejection::UnknownRecord)?;
    ensure(record.erasure == Erasure::None, Rejection::RecordErased)?;
    Ok(record)
}

/// The patient lets records be found by, and applied for, research.
///
/// # Errors
/// `ResearchOff`.
pub(crate) fn ensure_research(state: &State, patient: &LedgerId) -> Result<(), Rejection> {
    ensure(
        state::consent(state, patient).research,
        Rejection::ResearchOff,
    )
}

/// The submitter is a guardian of the patient now, with a scope that covers what is asked.
///
/// # Errors
/// `NoDelegation`, `DelegationOver`, `BeyondDelegation`; `UnknownPatient` when the patient may not act either.
pub(crate) fn ensure_guardian(
    state: &State,
    context: &Context,
    patient: &LedgerId,
    covers: impl FnOnce(DelegationScope) -> bool,
) -> Result<(), Rejection> {
    let delegation =
        state::delegation(state, patient, &context.submitter).ok_or(Rejection::NoDelegation)?;
    ensure(context.time < delegation.until, Rejection::DelegationOver)?;
    ensure(covers(delegation.scope), Rejection::BeyondDelegation)?;
    ensure(
        is_active(state, patient, MemberKind::Patient),
        Rejection::UnknownPatient,
    )
}

/// Whether the patient named the guardian and neither ended it, its end date aside.
pub(crate) fn has_named(state: &State, patient: &LedgerId, guardian: &LedgerId) -> bool {
    state::delegation(state, patient, guardian).is_some()
}

/// Whether a sealed value has a length that may be on the ledger.
pub(crate) fn is_sealed_fit(sealed: &Sealed) -> bool {
    (1..=SEALED_BYTES_MAX).contains(&sealed.0.len())
}
