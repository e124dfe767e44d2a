//! Money, coverage, rules and claims.

use contracts::PaymentReference;
use contracts::membership;
use contracts::settlement::command::{BenefitCategory, ClaimReference, PlanId, ReimbursementRule};
use contracts::settlement::event::{Account, Line, PendReason, PostingReason};
use contracts::settlement::{Command, Event, Rejection};
use ledger::{Digest, LedgerId};

use crate::authorization::funded;
use crate::scenario::*;

pub const PLAN: PlanId = PlanId(3);

pub const CLAIM: ClaimReference = ClaimReference(Digest([2; 32]));

pub fn reference(number: u8) -> PaymentReference {
    PaymentReference([number; 16])
}

pub fn rule(
    category: BenefitCategory,
    proportion_basis_points: u16,
    copay: i64,
    benefit_max: i64,
) -> ReimbursementRule {
    ReimbursementRule {
        category,
        proportion_basis_points,
        copay,
        benefit_max,
    }
}

/// 80% of what is over 10.00, at most 500.00, for outpatient care alone.
pub fn outpatient() -> ReimbursementRule {
    rule(BenefitCategory::Outpatient, 8_000, 1_000, 50_000)
}

pub fn deposit(number: u8, account: LedgerId, amount: i64) -> Command {
    Command::Deposit {
        reference: reference(number),
        account,
        amount,
    }
}

pub fn withdraw(number: u8, amount: i64) -> Command {
    Command::Withdraw {
        reference: reference(number),
        amount,
    }
}

pub fn publish(version: u32, rules: Vec<ReimbursementRule>) -> Command {
    Command::PublishRules {
        plan: PLAN,
        version,
        rules,
    }
}

pub fn cover(from_year: u16, until_year: u16) -> Command {
    Command::RegisterCoverage {
        insured: PATIENT,
        plan: PLAN,
        from_year,
        until_year,
    }
}

pub fn claim_under(
    plan: PlanId,
    category: BenefitCategory,
    charged: i64,
    service_year: u16,
) -> Command {
    Command::SubmitClaim {
        claim: CLAIM,
        insured: PATIENT,
        plan,
        category,
        charged,
        service_year,
    }
}

pub fn claim(charged: i64) -> Command {
    claim_under(PLAN, BenefitCategory::Outpatient, charged, 2015)
}

/// The patient is covered from 2010 to 2020 and the insurer has 1,000.00.
pub fn insured() -> Scenario {
    let scenario = world()
        .when(INSURER, publish(1, vec![outpatient()]))
        .then_accepted();
    funded(
        scenario.when(INSURER, cover(2010, 2020)).then_accepted(),
        INSURER,
        100_000,
    )
}

pub fn moved(reason: PostingReason, from: Account, to: Account, amount: i64) -> Event {
    Event::Posted {
        reason,
        lines: vec![
            Line {
                account: from,
                amount: -amount,
            },
            Line {
                account: to,
                amount,
            },
        ],
    }
}

pub fn adjudicated(
    plan: PlanId,
    rules_version: u32,
    category: BenefitCategory,
    charged: i64,
    benefit: i64,
) -> Event {
    Event::ClaimAdjudicated {
        claim: CLAIM,
        hospital: HOSPITAL,
        insured: PATIENT,
        plan,
        rules_version,
        category,
        charged,
        benefit,
        share: charged - benefit,
    }
}

pub fn pended(plan: PlanId, charged: i64, reason: PendReason) -> Event {
    let category = BenefitCategory::Outpatient;
    Event::ClaimPended {
        claim: CLAIM,
        hospital: HOSPITAL,
        insured: PATIENT,
        plan,
        category,
        charged,
        reason,
    }
}

#[test]
fn the_treasurer_deposits_with_a_reference_that_is_used_once() {
    let expected = moved(
        PostingReason::Deposit(reference(1)),
        Account::External,
        Account::Member(INSTITUTE),
        500,
    );
    let scenario = world()
        .when(TREASURER, deposit(1, INSTITUTE, 500))
        .then_events(events![expected]);
    let scenario = scenario
        .when(TREASURER, deposit(1, INSTITUTE, 500))
        .then_rejected(Rejection::ReferenceUsed);
    scenario
        .when(INSTITUTE, withdraw(1, 100))
        .then_rejected(Rejection::ReferenceUsed);
}

#[test]
fn nobody_but_the_treasurer_deposits() {
    for submitter in [INSTITUTE, INSURER, REGULATOR, OPERATOR] {
        world()
            .when(submitter, deposit(1, submitter, 500))
            .then_rejected(Rejection::NotTreasurer);
    }
}

#[test]
fn a_deposit_is_above_zero_and_for_a_member() {
    for amount in [0, -1, i64::MIN] {
        world()
            .when(TREASURER, deposit(1, INSTITUTE, amount))
            .then_rejected(Rejection::AmountNotPositive);
    }
    world()
        .when(TREASURER, deposit(1, NEWCOMER, 1))
        .then_rejected(Rejection::UnknownAccount);
    let revoked = world()
        .when(
            REGULATOR,
            membership::Command::RevokeMember { member: INSTITUTE },
        )
        .then_accepted();
    revoked
        .when(TREASURER, deposit(1, INSTITUTE, 1))
        .then_rejected(Rejection::UnknownAccount);
}

#[test]
fn the_books_never_overflow() {
    let scenario = world()
        .when(TREASURER, deposit(1, INSTITUTE, i64::MAX))
        .then_accepted();
    let scenario = scenario
        .when(TREASURER, deposit(2, INSTITUTE, 2))
        .then_rejected(Rejection::AmountOverflow);
    scenario
        .when(TREASURER, deposit(2, PATIENT, 2))
        .then_rejected(Rejection::AmountOverflow);
}

#[test]
fn a_member_withdraws_at_most_its_balance() {
    let scenario = funded(world(), INSTITUTE, 500)
        .when(INSTITUTE, withdraw(1, 501))
        .then_rejected(Rejection::InsufficientFunds);
    let expected = moved(
        PostingReason::Withdrawal(reference(1)),
        Account::Member(INSTITUTE),
        Account::External,
        500,
    );
    let scenario = scenario
        .when(INSTITUTE, withdraw(1, 500))
        .then_events(events![expected]);
    let scenario = scenario
        .when(INSTITUTE, withdraw(1, 1))
        .then_rejected(Rejection::ReferenceUsed);
    let scenario = scenario
        .when(INSTITUTE, withdraw(2, 1))
        .then_rejected(Rejection::InsufficientFunds);
    scenario
        .when(INSTITUTE, withdraw(2, 0))
        .then_rejected(Rejection::AmountNotPositive);
}

#[test]
fn the_first_insurer_to_publish_a_plan_owns_it() {
    let rules = vec![outpatient()];
    let published = Event::RulesPublished {
        plan: PLAN,
        insurer: INSURER,
        version: 1,
        rules: rules.clone(),
    };
    let scenario = world()
        .when(INSURER, publish(1, rules.clone()))
        .then_events(events![published]);
    let scenario = scenario
        .when(OTHER_INSURER, publish(2, rules))
        .then_rejected(Rejection::NotPlanOwner);
    scenario
        .when(OTHER_INSURER, cover(2010, 2020))
        .then_rejected(Rejection::NotPlanOwner);
}

#[test]
fn only_insurers_publish_cover_and_resolve() {
    world()
        .when(HOSPITAL, publish(1, vec![]))
        .then_rejected(Rejection::NotInsurer);
    insured()
        .when(HOSPITAL, cover(2000, 2001))
        .then_rejected(Rejection::NotInsurer);
    insured()
        .when(
            HOSPITAL,
            Command::ResolveClaim {
                claim: CLAIM,
                benefit: 0,
            },
        )
        .then_rejected(Rejection::NotInsurer);
}

#[test]
fn rules_are_versioned_without_gaps() {
    world()
        .when(INSURER, publish(0, vec![]))
        .then_rejected(Rejection::VersionNotNext);
    world()
        .when(INSURER, publish(2, vec![]))
        .then_rejected(Rejection::VersionNotNext);
    let scenario = insured()
        .when(INSURER, publish(1, vec![]))
        .then_rejected(Rejection::VersionNotNext);
    scenario.when(INSURER, publish(2, vec![])).then_accepted();
}

#[test]
fn plan_0_is_nobodys() {
    let rules = Command::PublishRules {
        plan: PlanId(0),
        version: 1,
        rules: vec![],
    };
    world()
        .when(INSURER, rules)
        .then_rejected(Rejection::PlanReserved);
    let coverage = Command::RegisterCoverage {
        insured: PATIENT,
        plan: PlanId(0),
        from_year: 1,
        until_year: 2,
    };
    world()
        .when(INSURER, coverage)
        .then_rejected(Rejection::PlanReserved);
}

#[test]
fn a_rules_numbers_are_within_bounds_and_a_category_has_one_rule() {
    let unfit = [
        vec![rule(BenefitCategory::Other, 10_001, 0, 0)],
        vec![rule(BenefitCategory::Other, 1, -1, 0)],
        vec![rule(BenefitCategory::Other, 1, 0, -1)],
        vec![outpatient(), outpatient()],
    ];
    for rules in unfit {
        world()
            .when(INSURER, publish(1, rules))
            .then_rejected(Rejection::RulesNotFit);
    }
    world()
        .when(
            INSURER,
            publish(
                1,
                vec![rule(BenefitCategory::Other, 10_000, 0, 0), outpatient()],
            ),
        )
        .then_accepted();
}

#[test]
fn an_insured_is_a_patient_covered_once_in_a_year() {
    let covered = Event::CoverageRegistered {
        insured: PATIENT,
        plan: PLAN,
        from_year: 2021,
        until_year: 2021,
    };
    let scenario = insured()
        .when(INSURER, cover(2021, 2021))
        .then_events(events![covered]);
    for (from, until) in [
        (2020, 2020),
        (2000, 2010),
        (2015, 2016),
        (2000, 2030),
        (2021, 2022),
    ] {
        scenario
            .clone()
            .when(INSURER, cover(from, until))
            .then_rejected(Rejection::CoverageOverlaps);
    }
    let scenario = scenario
        .when(INSURER, cover(2009, 2008))
        .then_rejected(Rejection::YearsNotFit);
    let organisation = Command::RegisterCoverage {
        insured: HOSPITAL,
        plan: PLAN,
        from_year: 1,
        until_year: 2,
    };
    scenario
        .when(INSURER, organisation)
        .then_rejected(Rejection::InsuredUnknown);
}

pub fn waiting() -> Scenario {
    insured()
        .when(
            HOSPITAL,
            claim_under(PLAN, BenefitCategory::Outpatient, 25_000, 2009),
        )
        .then_accepted()
}

pub fn resolve(benefit: i64) -> Command {
    Command::ResolveClaim {
        claim: CLAIM,
        benefit,
    }
}

pub fn pay() -> Command {
    Command::PayShare { claim: CLAIM }
}
