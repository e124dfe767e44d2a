//! The rules of settlement.

use ledger::LedgerId;

use super::adjudication::{benefit, is_within_bounds};
use super::command::{BenefitCategory, ClaimReference, Command, PlanId, ReimbursementRule};
use super::event::{Account, Event, PendReason, PostingReason};
use super::interface::transfer;
use super::rejection::Rejection;
use super::state::{self, Claim, ClaimStanding};
use crate::identifier::{Amount, PaymentReference};
use crate::membership::MemberKind;
use crate::membership::interface::{is_active, is_standing, submitter_is};
use crate::rejection::ensure;
use crate::{Context, State};

/// No insurance: always covered, with a benefit of zero.
const NO_INSURANCE: PlanId = PlanId(0);

/// Decides a command of the settlement contract.
///
/// # Errors
/// [`crate::Rejection`].
pub fn decide(
    state: &State,
    context: &Context,
    command: Command,
) -> Result<Vec<crate::Event>, crate::Rejection> {
    let events = match command {
        Command::Deposit {
            reference,
            account,
            amount,
        } => deposit(state, context, reference, account, amount),
        Command::Withdraw { reference, amount } => withdraw(state, context, reference, amount),
        Command::PublishRules {
            plan,
            version,
            rules,
        } => publish_rules(state, context, plan, version, rules),
        Command::RegisterCoverage {
            insured,
            plan,
            from_year,
            until_year,
        } => register_coverage(state, context, insured, plan, from_year, until_year),
        Command::SubmitClaim {
            claim,
            insured,
            plan,
            category,
            charged,
            service_year,
        } => {
            let (hospital, standing) = (context.submitter, ClaimStanding::Pended);
            submit_claim(
                state,
                context,
                claim,
                Claim {
                    hospital,
                    insured,
                    plan,
                    category,
                    charged,
                    standing,
                },
                service_year,
            )
        }
        Command::ResolveClaim { claim, benefit } => resolve_claim(state, context, claim, benefit),
        Command::PayShare { claim } => pay_share(state, context, claim),
    }?;
    Ok(events.into_iter().map(crate::Event::from).collect())
}

fn deposit(
    state: &State,
    context: &Context,
    reference: PaymentReference,
    account: LedgerId,
    amount: Amount,
) -> Result<Vec<Event>, Rejection> {
    ensure(
        submitter_is(state, context, MemberKind::Treasurer),
        Rejection::NotTreasurer,
    )?;
    ensure(amount > 0, Rejection::AmountNotPositive)?;
    ensure(
        !state::is_reference_used(state, &reference),
        Rejection::ReferenceUsed,
    )?;
    ensure(is_standing(state, &account), Rejection::UnknownAccount)?;
    let posted = transfer(
        state,
        PostingReason::Deposit(reference),
        Account::External,
        Account::Member(account),
        amount,
    )?;
    Ok(posted.into_iter().collect())
}

fn withdraw(
    state: &State,
    context: &Context,
    reference: PaymentReference,
    amount: Amount,
) -> Result<Vec<Event>, Rejection> {
    ensure(amount > 0, Rejection::AmountNotPositive)?;
    ensure(
        !state::is_reference_used(state, &reference),
        Rejection::ReferenceUsed,
    )?;
    let account = Account::Member(context.submitter);
    let posted = transfer(
        state,
        PostingReason::Withdrawal(reference),
        account,
        Account::External,
        amount,
    )?;
    Ok(posted.into_iter().collect())
}

fn publish_rules(
    state: &State,
    context: &Context,
    plan: PlanId,
    version: u32,
    rules: Vec<ReimbursementRule>,
) -> Result<Vec<Event>, Rejection> {
    ensure(
        submitter_is(state, context, MemberKind::Insurer),
        Rejection::NotInsurer,
    )?;
    ensure(plan != NO_INSURANCE, Rejection::PlanReserved)?;
    let current = state::plan(state, plan);
    ensure(
        current.is_none_or(|current| current.insurer == context.submitter),
        Rejection::NotPlanOwner,
    )?;
    let last = current.map_or(0, |current| current.version);
    ensure(
        last.checked_add(1) == Some(version),
        Rejection::VersionNotNext,
    )?;
    let twice = |rule: &ReimbursementRule| {
        rules
            .iter()
            .filter(|other| other.category == rule.category)
            .count()
            > 1
    };
    ensure(
        rules
            .iter()
            .all(|rule| is_within_bounds(rule) && !twice(rule)),
        Rejection::RulesNotFit,
    )?;
    Ok(vec![Event::RulesPublished {
        plan,
        insurer: context.submitter,
        version,
        rules,
    }])
}

fn register_coverage(
    state: &State,
    context: &Context,
    insured: LedgerId,
    plan: PlanId,
    from_year: u16,
    until_year: u16,
) -> Result<Vec<Event>, Rejection> {
    ensure(
        submitter_is(state, context, MemberKind::Insurer),
        Rejection::NotInsurer,
    )?;
    ensure(plan != NO_INSURANCE, Rejection::PlanReserved)?;
    ensure_owner(state, context, plan)?;
    ensure(
        is_active(state, &insured, MemberKind::Patient),
        Rejection::InsuredUnknown,
    )?;
    ensure(from_year <= until_year, Rejection::YearsNotFit)?;
    ensure(
        !state::is_covered(state, &insured, plan, from_year, until_year),
        Rejection::CoverageOverlaps,
    )?;
    Ok(vec![Event::CoverageRegistered {
        insured,
        plan,
        from_year,
        until_year,
    }])
}

fn ensure_owner(state: &State, context: &Context, plan: PlanId) -> Result<(), Rejection> {
    let owned = state::plan(state, plan).is_some_and(|plan| plan.insurer == context.submitter);
    ensure(owned, Rejection::NotPlanOwner)
}

/// How a claim is decided under the rules in force.
enum Adjudication {
    Decided {
        insurer: Option<LedgerId>,
        rules_version: u32,
        benefit: Amount,
    },
    Pended(PendReason),
}

fn submit_claim(
    state: &State,
    context: &Context,
    reference: ClaimReference,
    claim: Claim,
    service_year: u16,
) -> Result<Vec<Event>, Rejection> {
    ensure(
        submitter_is(state, context, MemberKind::Hospital),
        Rejection::NotHospital,
    )?;
    ensure(claim.charged >= 0, Rejection::ChargeNegative)?;
    ensure(
        state::claim(state, &reference).is_none(),
        Rejection::ClaimExists,
    )?;
    ensure(
        is_active(state, &claim.insured, MemberKind::Patient),
        Rejection::InsuredUnknown,
    )?;
    match adjudicate(state, &claim, service_year) {
        Adjudication::Decided {
            insurer,
            rules_version,
            benefit,
        } => adjudicated(state, reference, claim, insurer, rules_version, benefit),
        Adjudication::Pended(reason) => {
            let Claim {
                hospital,
                insured,
                plan,
                category,
                charged,
                ..
            } = claim;
            Ok(vec![Event::ClaimPended {
                claim: reference,
                hospital,
                insured,
                plan,
                category,
                charged,
                reason,
            }])
        }
    }
}

fn adjudicate(state: &State, claim: &Claim, service_year: u16) -> Adjudication {
    if claim.plan == NO_INSURANCE {
        return Adjudication::Decided {
            insurer: None,
            rules_version: 0,
            benefit: 0,
        };
    }
    let Some(plan) = state::plan(state, claim.plan) else {
        return Adjudication::Pended(PendReason::NoRules);
    };
    if !state::is_covered(
        state,
        &claim.insured,
        claim.plan,
        service_year,
        service_year,
    ) {
        return Adjudication::Pended(PendReason::NotCovered);
    }
    let benefit = benefit_under(
        &state::rules(state, claim.plan, plan.version),
        claim.category,
        claim.charged,
    );
    if state::balance(state, &Account::Member(plan.insurer)) < benefit {
        return Adjudication::Pended(PendReason::InsurerFunds);
    }
    Adjudication::Decided {
        insurer: Some(plan.insurer),
        rules_version: plan.version,
        benefit,
    }
}

/// The benefit under the category's rule; a category without a rule is not covered.
fn benefit_under(
    rules: &[ReimbursementRule],
    category: BenefitCategory,
    charged: Amount,
) -> Amount {
    rules
        .iter()
        .find(|rule| rule.category == category)
        .map_or(0, |rule| benefit(rule, charged))
}

fn adjudicated(
    state: &State,
    reference: ClaimReference,
    claim: Claim,
    insurer: Option<LedgerId>,
    rules_version: u32,
    benefit: Amount,
) -> Result<Vec<Event>, Rejection> {
    let Claim {
        hospital,
        insured,
        plan,
        category,
        charged,
        ..
    } = claim;
    let mut events = Vec::with_capacity(2);
    if let Some(insurer) = insurer {
        let reason = PostingReason::Benefit(reference);
        events.extend(transfer(
            state,
            reason,
            Account::Member(insurer),
            Account::Member(hospital),
            benefit,
        )?);
    }
    let share = charged - benefit;
    events.push(Event::ClaimAdjudicated {
        claim: reference,
        hospital,
        insured,
        plan,
        rules_version,
        category,
        charged,
        benefit,
        share,
    });
    Ok(events)
}

fn resolve_claim(
    state: &State,
    context: &Context,
    reference: ClaimReference,
    benefit: Amount,
) -> Result<Vec<Event>, Rejection> {
    ensure(
        submitter_is(state, context, MemberKind::Insurer),
        Rejection::NotInsurer,
    )?;
    let claim = state::claim(state, &reference).ok_or(Rejection::UnknownClaim)?;
    ensure_owner(state, context, claim.plan)?;
    ensure(
        claim.standing == ClaimStanding::Pended,
        Rejection::NotPended,
    )?;
    ensure(
        (0..=claim.charged).contains(&benefit),
        Rejection::BenefitNotFit,
    )?;
    adjudicated(state, reference, claim, Some(context.submitter), 0, benefit)
}

fn pay_share(
    state: &State,
    context: &Context,
    reference: ClaimReference,
) -> Result<Vec<Event>, Rejection> {
    let claim = state::claim(state, &reference).ok_or(Rejection::UnknownClaim)?;
    ensure(claim.insured == context.submitter, Rejection::NotTheInsured)?;
    let share = match claim.standing {
        ClaimStanding::Adjudicated { share } => share,
        ClaimStanding::Pended => return Err(Rejection::NotAdjudicated),
        ClaimStanding::SharePaid => return Err(Rejection::SharePaidBefore),
    };
    ensure(share > 0, Rejection::NothingToPay)?;
    let (from, to) = (
        Account::Member(claim.insured),
        Account::Member(claim.hospital),
    );
    let mut events: Vec<Event> = transfer(state, PostingReason::Share(reference), from, to, share)?
        .into_iter()
        .collect();
    events.push(Event::SharePaid {
        claim: reference,
        insured: claim.insured,
        share,
    });
    Ok(events)
}
