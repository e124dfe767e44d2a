//! Claims: adjudicated, pended, resolved, the patient's share.

use contracts::settlement::adjudication::benefit;
use contracts::settlement::command::{BenefitCategory, PlanId};
use contracts::settlement::event::{Account, PendReason, PostingReason};
use contracts::settlement::{Command, Event, Rejection};

use crate::authorization::funded;
use crate::scenario::*;
use crate::settlement::*;

#[test]
fn a_claim_is_adjudicated_and_paid_in_the_decision_that_takes_it() {
    // (250.00 - 10.00) * 80%.
    insured().when(HOSPITAL, claim(25_000)).then_events(events![
        moved(
            PostingReason::Benefit(CLAIM),
            Account::Member(INSURER),
            Account::Member(HOSPITAL),
            19_200
        ),
        adjudicated(PLAN, 1, BenefitCategory::Outpatient, 25_000, 19_200),
    ]);
}

#[test]
fn the_arithmetic_of_a_claim_is_in_integers_and_rounds_down() {
    let cases = [
        (outpatient(), 0, 0),
        (outpatient(), 999, 0),
        (outpatient(), 1_000, 0),
        (outpatient(), 1_001, 0),
        (outpatient(), 1_002, 1),
        (outpatient(), 63_500, 50_000),
        (outpatient(), 63_501, 50_000),
        (outpatient(), i64::MAX, 50_000),
        (
            rule(BenefitCategory::Other, 10_000, 0, i64::MAX),
            i64::MAX,
            i64::MAX,
        ),
        (rule(BenefitCategory::Other, 3_333, 0, i64::MAX), 100, 33),
        (rule(BenefitCategory::Other, 0, 0, i64::MAX), 100, 0),
    ];
    for (rule, charged, expected) in cases {
        assert_eq!(benefit(&rule, charged), expected, "{rule:?} {charged}");
    }
}

#[test]
fn no_insurance_is_covered_always_with_a_benefit_of_zero() {
    let command = claim_under(PlanId(0), BenefitCategory::Inpatient, 7_777, 1936);
    let expected = adjudicated(PlanId(0), 0, BenefitCategory::Inpatient, 7_777, 0);
    world()
        .when(HOSPITAL, command)
        .then_events(events![expected]);
}

#[test]
fn a_category_without_a_rule_is_not_covered() {
    let command = claim_under(PLAN, BenefitCategory::Pharmacy, 7_777, 2015);
    let expected = adjudicated(PLAN, 1, BenefitCategory::Pharmacy, 7_777, 0);
    insured()
        .when(HOSPITAL, command)
        .then_events(events![expected]);
}

#[test]
fn a_claim_that_cannot_be_adjudicated_waits() {
    let early = claim_under(PLAN, BenefitCategory::Outpatient, 25_000, 2009);
    insured().when(HOSPITAL, early).then_events(events![pended(
        PLAN,
        25_000,
        PendReason::NotCovered
    )]);
    let late = claim_under(PLAN, BenefitCategory::Outpatient, 25_000, 2021);
    insured().when(HOSPITAL, late).then_events(events![pended(
        PLAN,
        25_000,
        PendReason::NotCovered
    )]);
    world()
        .when(HOSPITAL, claim(25_000))
        .then_events(events![pended(PLAN, 25_000, PendReason::NoRules)]);
    let poor = insured().when(INSURER, withdraw(1, 80_801)).then_accepted();
    poor.when(HOSPITAL, claim(25_000))
        .then_events(events![pended(PLAN, 25_000, PendReason::InsurerFunds)]);
    let just = insured().when(INSURER, withdraw(1, 80_800)).then_accepted();
    let events = just.when(HOSPITAL, claim(25_000)).execution.events;
    assert_eq!(
        events[1],
        adjudicated(PLAN, 1, BenefitCategory::Outpatient, 25_000, 19_200).into()
    );
}

#[test]
fn a_claim_is_taken_once_even_if_its_amount_was_inflated() {
    let scenario = insured().when(HOSPITAL, claim(25_000)).then_accepted();
    let scenario = scenario
        .when(HOSPITAL, claim(25_000))
        .then_rejected(Rejection::ClaimExists);
    let scenario = scenario
        .when(OTHER_HOSPITAL, claim(35_000))
        .then_rejected(Rejection::ClaimExists);
    scenario
        .when(HOSPITAL, claim(35_000))
        .then_rejected(Rejection::ClaimExists);
}

#[test]
fn a_hospital_claims_a_charge_for_a_patient() {
    insured()
        .when(DOCTOR, claim(1))
        .then_rejected(Rejection::NotHospital);
    insured()
        .when(HOSPITAL, claim(-1))
        .then_rejected(Rejection::ChargeNegative);
    let category = BenefitCategory::Other;
    let command = Command::SubmitClaim {
        claim: CLAIM,
        insured: DOCTOR,
        plan: PLAN,
        category,
        charged: 1,
        service_year: 2015,
    };
    insured()
        .when(HOSPITAL, command)
        .then_rejected(Rejection::InsuredUnknown);
}

#[test]
fn new_rules_hold_for_later_claims() {
    let scenario = insured()
        .when(
            INSURER,
            publish(2, vec![rule(BenefitCategory::Outpatient, 5_000, 0, 50_000)]),
        )
        .then_accepted();
    scenario.when(HOSPITAL, claim(25_000)).then_events(events![
        moved(
            PostingReason::Benefit(CLAIM),
            Account::Member(INSURER),
            Account::Member(HOSPITAL),
            12_500
        ),
        adjudicated(PLAN, 2, BenefitCategory::Outpatient, 25_000, 12_500),
    ]);
}

#[test]
fn the_insurer_resolves_a_pended_claim_by_hand_and_once() {
    let scenario = waiting()
        .when(INSURER, resolve(20_000))
        .then_events(events![
            moved(
                PostingReason::Benefit(CLAIM),
                Account::Member(INSURER),
                Account::Member(HOSPITAL),
                20_000
            ),
            adjudicated(PLAN, 0, BenefitCategory::Outpatient, 25_000, 20_000),
        ]);
    scenario
        .when(INSURER, resolve(20_000))
        .then_rejected(Rejection::NotPended);
    let refused = adjudicated(PLAN, 0, BenefitCategory::Outpatient, 25_000, 0);
    waiting()
        .when(INSURER, resolve(0))
        .then_events(events![refused]);
}

#[test]
fn a_claim_is_resolved_by_the_plans_insurer_within_the_charge_and_its_funds() {
    waiting()
        .when(OTHER_INSURER, resolve(0))
        .then_rejected(Rejection::NotPlanOwner);
    waiting()
        .when(INSURER, resolve(-1))
        .then_rejected(Rejection::BenefitNotFit);
    waiting()
        .when(INSURER, resolve(25_001))
        .then_rejected(Rejection::BenefitNotFit);
    insured()
        .when(INSURER, resolve(0))
        .then_rejected(Rejection::UnknownClaim);
    let poor = waiting()
        .when(INSURER, withdraw(1, 100_000))
        .then_accepted();
    poor.when(INSURER, resolve(1))
        .then_rejected(Rejection::InsufficientFunds);
}

#[test]
fn the_patient_pays_the_own_share_once() {
    let scenario = funded(insured(), PATIENT, 6_000)
        .when(HOSPITAL, claim(25_000))
        .then_accepted();
    let scenario = scenario.when(PATIENT, pay()).then_events(events![
        moved(
            PostingReason::Share(CLAIM),
            Account::Member(PATIENT),
            Account::Member(HOSPITAL),
            5_800
        ),
        Event::SharePaid {
            claim: CLAIM,
            insured: PATIENT,
            share: 5_800
        },
    ]);
    scenario
        .when(PATIENT, pay())
        .then_rejected(Rejection::SharePaidBefore);
}

#[test]
fn nobody_else_pays_a_share_and_not_without_money() {
    let scenario = insured().when(HOSPITAL, claim(25_000)).then_accepted();
    let scenario = scenario
        .when(OTHER_PATIENT, pay())
        .then_rejected(Rejection::NotTheInsured);
    scenario
        .when(PATIENT, pay())
        .then_rejected(Rejection::InsufficientFunds);
}

#[test]
fn a_share_is_paid_of_an_adjudicated_claim_that_leaves_one() {
    insured()
        .when(PATIENT, pay())
        .then_rejected(Rejection::UnknownClaim);
    waiting()
        .when(PATIENT, pay())
        .then_rejected(Rejection::NotAdjudicated);
    let nothing = insured().when(HOSPITAL, claim(0)).then_accepted();
    nothing
        .when(PATIENT, pay())
        .then_rejected(Rejection::NothingToPay);
}
