//! Why the settlement contract says no.

use crate::rejection::rejections;

rejections! {
    /// Why the settlement contract says no.
    1 NotTreasurer "the submitter is not the treasurer"
    2 AmountNotPositive "the amount is not above zero"
    3 ReferenceUsed "the payment reference was used before"
    4 UnknownAccount "the account is not a member's"
    5 InsufficientFunds "the account does not hold that much"
    6 AmountOverflow "the amount is more than the books can hold"
    7 NotInsurer "the submitter is not an insurer"
    8 PlanReserved "plan 0 stands for no insurance"
    9 NotPlanOwner "the plan is another insurer's, or nobody's yet"
    10 VersionNotNext "the rules' version is not the current one plus 1"
    11 RulesNotFit "a category has two rules, or a rule's numbers are out of bounds"
    12 InsuredUnknown "the insured is not an active patient"
    13 YearsNotFit "the first year is after the last"
    14 CoverageOverlaps "the insured is covered under the plan in some of these years already"
    15 NotHospital "the submitter is not a hospital"
    16 ClaimExists "a claim with that reference exists"
    17 ChargeNegative "the charge is negative"
    18 UnknownClaim "no claim has that reference"
    19 NotPended "the claim is not pended"
    20 BenefitNotFit "the benefit is negative or above the charge"
    21 NotTheInsured "the submitter is not the insured"
    22 NotAdjudicated "the claim is not adjudicated"
    23 SharePaidBefore "the share was paid before"
    24 NothingToPay "the patient's share is zero"
}
