//! Settlement: accounts, coverage, claims.

use contracts::Amount;
use contracts::settlement::command::{BenefitCategory, ClaimReference, PlanId, ReimbursementRule};
use ledger::{Digest, LedgerId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{CommandReply, Page, PageRequest, use_case};

/// Brings money in. By the treasurer (holds the own key).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Deposit {
    /// The bank's reference, 32 hex digits; never used twice.
    pub reference: String,
    /// Whose account.
    #[schema(value_type = String)]
    pub account: LedgerId,
    /// Minor units, above 0.
    pub amount: Amount,
}
use_case!("settlement", "deposit", Deposit -> CommandReply);

/// Takes money out to the caller's bank account.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Withdraw {
    /// From which of the caller's ledger ids.
    #[schema(value_type = String)]
    pub account: LedgerId,
    /// Minor units, above 0.
    pub amount: Amount,
}
use_case!("settlement", "withdraw", Withdraw -> CommandReply);

/// Balances of the caller's accounts.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GetBalances {}
use_case!("settlement", "get_balances", GetBalances -> Vec<Balance>);

/// One account's balance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Balance {
    /// The account's ledger id.
    #[schema(value_type = String)]
    pub account: LedgerId,
    /// Minor units.
    pub balance: Amount,
}

/// The caller's statement, newest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GetStatement {
    /// Which part.
    #[serde(default)]
    pub page: PageRequest,
}
use_case!("settlement", "get_statement", GetStatement -> Page<StatementLine>);

/// One line of a statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatementLine {
    /// When, RFC 3339 (block time).
    pub time: String,
    /// The account's ledger id.
    #[schema(value_type = String)]
    pub account: LedgerId,
    /// `deposit`, `withdrawal`, `escrow_held`, `item_paid`, `escrow_returned`, `item_reversed`, `benefit` or `share`.
    pub reason: String,
    /// Minor units; negative took away.
    pub amount: Amount,
    /// The account's balance after it.
    pub balance: Amount,
    /// The transaction.
    #[schema(value_type = String)]
    pub transaction: Digest,
}

/// Publishes a plan's rules. By an insurer (holds the own key).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishRules {
    /// The plan's number.
    #[schema(value_type = u16)]
    pub plan: PlanId,
    /// The current version plus 1.
    pub version: u32,
    /// The rules.
    #[schema(value_type = Vec<Object>)]
    pub rules: Vec<ReimbursementRule>,
}
use_case!("settlement", "publish_rules", PublishRules -> CommandReply);

/// Published rules of the caller's plans, newest version first. By an insurer.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListRules {
    /// Only of this plan.
    #[serde(default)]
    #[schema(value_type = Option<u16>)]
    pub plan: Option<PlanId>,
    /// Which part.
    #[serde(default)]
    pub page: PageRequest,
}
use_case!("settlement", "list_rules", ListRules -> Page<PublishedRules>);

/// One version of a plan's rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PublishedRules {
    /// The plan.
    #[schema(value_type = u16)]
    pub plan: PlanId,
    /// The version.
    pub version: u32,
    /// Since when it applies, RFC 3339 (block time).
    pub time: String,
    /// The rules; a category without one is not covered.
    #[schema(value_type = Vec<Object>)]
    pub rules: Vec<ReimbursementRule>,
    /// The transaction.
    #[schema(value_type = String)]
    pub transaction: Digest,
}

/// Covers an insured. By an insurer (holds the own key).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterCoverage {
    /// The insured: ledger id in the insurance context.
    #[schema(value_type = String)]
    pub insured: LedgerId,
    /// The plan.
    #[schema(value_type = u16)]
    pub plan: PlanId,
    /// First year of service.
    pub from_year: u16,
    /// Last year, inclusive.
    pub until_year: u16,
}
use_case!("settlement", "register_coverage", RegisterCoverage -> CommandReply);

/// Claims that concern the caller: as insured, hospital or insurer.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListClaims {
    /// Only in this state: `adjudicated`, `pended` or `share_paid`.
    #[serde(default)]
    pub state: Option<String>,
    /// Which part.
    #[serde(default)]
    pub page: PageRequest,
}
use_case!("settlement", "list_claims", ListClaims -> Page<ClaimSummary>);

/// A claim, for those it concerns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClaimSummary {
    /// The claim.
    #[schema(value_type = String)]
    pub claim: ClaimReference,
    /// The insured.
    #[schema(value_type = String)]
    pub insured: LedgerId,
    /// The hospital.
    #[schema(value_type = String)]
    pub hospital: LedgerId,
    /// The plan.
    #[schema(value_type = u16)]
    pub plan: PlanId,
    /// `adjudicated`, `pended` or `share_paid`.
    pub state: String,
    /// What was paid for.
    #[schema(value_type = String)]
    pub category: BenefitCategory,
    /// Why it waits for the insurer: `not_covered`, `no_rules` or `insurer_funds`; none where it never did.
    pub pended_because: Option<String>,
    /// Whether another claim of the same hospital for the same insured has the same category and charge.
    pub twin: bool,
    /// Charged.
    pub charged: Amount,
    /// Paid by the insurer.
    pub benefit: Amount,
    /// The patient's share.
    pub share: Amount,
    /// The rules' version applied; 0 when decided by hand.
    pub rules_version: u32,
    /// Its transactions, in order.
    #[schema(value_type = Vec<String>)]
    pub transactions: Vec<Digest>,
}

/// Pays the caller's share of a claim. By the insured (custodial).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PayShare {
    /// The claim.
    #[schema(value_type = String)]
    pub claim: ClaimReference,
}
use_case!("settlement", "pay_share", PayShare -> CommandReply);

/// Decides a pended claim by hand. By the plan's insurer (holds the own key).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResolveClaim {
    /// The claim.
    #[schema(value_type = String)]
    pub claim: ClaimReference,
    /// What the insurer pays.
    pub benefit: Amount,
}
use_case!("settlement", "resolve_claim", ResolveClaim -> CommandReply);
