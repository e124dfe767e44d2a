//! What can be asked of the settlement contract.

use ledger::{Digest, LedgerId};
use serde::{Deserialize, Serialize};

use crate::identifier::{Amount, PaymentReference};

/// A plan of coverage, numbered by the insurer's rules (0 is "no insurance": the patient's share is everything).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PlanId(pub u16);

/// A claim's natural key: keyed hash (record's salt) of record, version and the claim's place in it.
/// Says nothing to those without the salt; the same claim has the same reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ClaimReference(pub Digest);

/// What was paid for, coarsely; nothing finer is ever on the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum BenefitCategory {
    /// Inpatient stay.
    Inpatient,
    /// Ambulatory and outpatient care.
    Outpatient,
    /// Emergency care.
    Emergency,
    /// Prevention and check-ups.
    Preventive,
    /// Medicines.
    Pharmacy,
    /// Anything else.
    Other,
}

/// One reimbursement rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReimbursementRule {
    /// For which category.
    pub category: BenefitCategory,
    /// Reimbursed, in basis points of what is left after the copay; 0 to 10,000.
    pub proportion_basis_points: u16,
    /// The patient pays this much first, per claim.
    pub copay: Amount,
    /// The insurer pays at most this much per claim.
    pub benefit_max: Amount,
}

/// A command of the settlement contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Money came in from outside. By the treasurer.
    Deposit {
        /// The bank's reference; never used twice.
        reference: PaymentReference,
        /// Whose account.
        account: LedgerId,
        /// How much, above 0.
        amount: Amount,
    },
    /// Money goes out to the submitter's bank account.
    Withdraw {
        /// Reference for the bank; never used twice.
        reference: PaymentReference,
        /// How much, above 0, at most the balance.
        amount: Amount,
    },
    /// Publishes a plan's rules from a moment on; earlier claims keep theirs. By the insurer that owns the plan (the first to publish it).
    PublishRules {
        /// The plan.
        plan: PlanId,
        /// The version: the current one plus 1, from 1.
        version: u32,
        /// One rule a category at most; a category without a rule is not covered.
        rules: Vec<ReimbursementRule>,
    },
    /// Covers an insured under a plan. By the insurer that owns the plan.
    RegisterCoverage {
        /// The insured: the patient's ledger id in the insurance context.
        insured: LedgerId,
        /// The plan.
        plan: PlanId,
        /// First year of service covered.
        from_year: u16,
        /// Last year of service covered, inclusive.
        until_year: u16,
    },
    /// Submits a claim; adjudicated in the same decision, or pended when it can't be. By the hospital.
    SubmitClaim {
        /// Its natural key.
        claim: ClaimReference,
        /// The insured.
        insured: LedgerId,
        /// The plan claimed under.
        plan: PlanId,
        /// What was paid for.
        category: BenefitCategory,
        /// Charged, not negative.
        charged: Amount,
        /// Year of service.
        service_year: u16,
    },
    /// Decides a pended claim by hand. By the insurer that owns the plan.
    ResolveClaim {
        /// The claim.
        claim: ClaimReference,
        /// What the insurer pays, 0 to the charged amount.
        benefit: Amount,
    },
    /// Pays the patient's share of an adjudicated claim to the hospital. By the insured.
    PayShare {
        /// The claim.
        claim: ClaimReference,
    },
}
