//! What the settlement contract decided.

use ledger::LedgerId;
use serde::{Deserialize, Serialize};

use super::command::{BenefitCategory, ClaimReference, PlanId, ReimbursementRule};
use crate::identifier::{Amount, ItemId, PaymentReference};

/// An account of the double-entry books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Account {
    /// The world outside; its balance is minus all money inside.
    External,
    /// A member's account.
    Member(LedgerId),
    /// The escrow of one item.
    Escrow(ItemId),
}

/// Why money moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PostingReason {
    /// Came in through the treasurer.
    Deposit(PaymentReference),
    /// Went out.
    Withdrawal(PaymentReference),
    /// Held for an item.
    EscrowHeld(ItemId),
    /// Paid to the patient with the release of an item.
    ItemPaid(ItemId),
    /// Returned to the applicant.
    EscrowReturned(ItemId),
    /// Reversed by the regulator.
    ItemReversed(ItemId),
    /// The insurer's part of a claim, to the hospital.
    Benefit(ClaimReference),
    /// The patient's part of a claim, to the hospital.
    Share(ClaimReference),
}

/// One line of a posting; the lines of one posting sum to zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The account.
    pub account: Account,
    /// Added to it; negative takes away.
    pub amount: Amount,
}

/// Why a claim could not be adjudicated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PendReason {
    /// No coverage of the insured under the plan in that year.
    NotCovered,
    /// The plan has no rules yet.
    NoRules,
    /// The insurer's account can't pay the benefit.
    InsurerFunds,
}

/// An event of the settlement contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// Money moved.
    Posted {
        /// Why.
        reason: PostingReason,
        /// The lines; they sum to zero.
        lines: Vec<Line>,
    },
    /// A plan has new rules.
    RulesPublished {
        /// The plan.
        plan: PlanId,
        /// Its insurer.
        insurer: LedgerId,
        /// The version.
        version: u32,
        /// The rules.
        rules: Vec<ReimbursementRule>,
    },
    /// An insured is covered.
    CoverageRegistered {
        /// The insured.
        insured: LedgerId,
        /// The plan.
        plan: PlanId,
        /// First year, inclusive.
        from_year: u16,
        /// Last year, inclusive.
        until_year: u16,
    },
    /// A claim was adjudicated under the rules, or resolved by hand (then `rules_version` is 0).
    ClaimAdjudicated {
        /// The claim.
        claim: ClaimReference,
        /// The hospital.
        hospital: LedgerId,
        /// The insured.
        insured: LedgerId,
        /// The plan.
        plan: PlanId,
        /// The rules' version applied.
        rules_version: u32,
        /// What was paid for.
        category: BenefitCategory,
        /// Charged.
        charged: Amount,
        /// Paid by the insurer.
        benefit: Amount,
        /// To be paid by the patient: charged minus benefit.
        share: Amount,
    },
    /// A claim waits for the insurer; the record stands.
    ClaimPended {
        /// The claim.
        claim: ClaimReference,
        /// The hospital.
        hospital: LedgerId,
        /// The insured.
        insured: LedgerId,
        /// The plan.
        plan: PlanId,
        /// What was paid for.
        category: BenefitCategory,
        /// Charged.
        charged: Amount,
        /// Why.
        reason: PendReason,
    },
    /// The patient paid the own share.
    SharePaid {
        /// The claim.
        claim: ClaimReference,
        /// The insured.
        insured: LedgerId,
        /// How much.
        share: Amount,
    },
}
