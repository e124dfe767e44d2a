//! What other contracts ask the records contract.

use ledger::LedgerId;

use super::rejection::Rejection;
use super::state::{self, Erasure, Record};
use crate::State;
use crate::identifier::{RecordNumber, SEALED_BYTES_MAX, Sealed};
use crate::rejection::ensure;

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

/// Whether a sealed value has a length that may be on the ledger.
pub(crate) fn is_sealed_fit(sealed: &Sealed) -> bool {
    (1..=SEALED_BYTES_MAX).contains(&sealed.0.len())
}
