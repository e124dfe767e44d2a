//! The arithmetic of a claim: integers only, rounded down in the insurer's favour.

use super::command::ReimbursementRule;
use crate::identifier::Amount;

/// Basis points of the whole.
const WHOLE_BASIS_POINTS: i128 = 10_000;

/// What the insurer pays of a charge: the proportion of what is left after the copay, at most the rule's maximum.
///
/// The charge and the rule's numbers are not negative; the result is 0 to `charged`.
pub fn benefit(rule: &ReimbursementRule, charged: Amount) -> Amount {
    let after_copay = charged.saturating_sub(rule.copay).max(0);
    let proportion =
        i128::from(after_copay) * i128::from(rule.proportion_basis_points) / WHOLE_BASIS_POINTS;
    // The proportion is at most the whole, so it fits again.
    let proportion = Amount::try_from(proportion).unwrap_or(Amount::MAX);
    proportion.min(rule.benefit_max)
}

/// Whether a rule's numbers are within bounds: proportion 0 to 10,000, copay and maximum not negative.
pub fn is_within_bounds(rule: &ReimbursementRule) -> bool {
    i128::from(rule.proportion_basis_points) <= WHOLE_BASIS_POINTS
        && rule.copay >= 0
        && rule.benefit_max >= 0
}
