//! What the settlement contract keeps, under which keys, and how its events change it.

use ledger::LedgerId;
use serde::{Deserialize, Serialize};

use super::command::{ClaimReference, PlanId, ReimbursementRule};
use super::event::{Account, Event, Line, PostingReason};
use crate::identifier::{Amount, PaymentReference};
use crate::key::key;
use crate::{Contract, State, View};

const BALANCE: u8 = 1;
const REFERENCE: u8 = 2;
const PLAN: u8 = 3;
const RULES: u8 = 4;
const COVERAGE: u8 = 5;
const CLAIM: u8 = 6;

/// There are fewer years than this, and periods of coverage never overlap.
const PERIODS_MAX: usize = 1 << 16;

/// A plan's owner and the version of its current rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) insurer: LedgerId,
    pub(crate) version: u32,
}

/// Where a claim stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ClaimStanding {
    /// Waits for the insurer.
    Pended,
    /// The patient owes this share.
    Adjudicated { share: Amount },
    /// The share was paid.
    SharePaid,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claim {
    pub(crate) hospital: LedgerId,
    pub(crate) insured: LedgerId,
    pub(crate) plan: PlanId,
    pub(crate) category: super::command::BenefitCategory,
    pub(crate) charged: Amount,
    pub(crate) standing: ClaimStanding,
}

pub(crate) fn balance(state: &State, account: &Account) -> Amount {
    state.read(&balance_key(account)).unwrap_or_default()
}

pub(crate) fn is_reference_used(state: &State, reference: &PaymentReference) -> bool {
    state.contains(&reference_key(reference))
}

pub(crate) fn plan(state: &State, id: PlanId) -> Option<Plan> {
    state.read(&plan_key(id))
}

pub(crate) fn rules(state: &State, id: PlanId, version: u32) -> Vec<ReimbursementRule> {
    state.read(&rules_key(id, version)).unwrap_or_default()
}

pub(crate) fn claim(state: &State, reference: &ClaimReference) -> Option<Claim> {
    state.read(&claim_key(reference))
}

/// Whether the insured is covered under the plan in any year from `first` to `last`.
pub(crate) fn is_covered(
    state: &State,
    insured: &LedgerId,
    plan: PlanId,
    first: u16,
    last: u16,
) -> bool {
    let prefix = key(
        Contract::Settlement,
        COVERAGE,
        &[&insured.0, &plan.0.to_be_bytes()],
    );
    let periods = state.scan(&prefix, PERIODS_MAX);
    periods.iter().any(|(key, _)| {
        let from = u16::from_be_bytes([key[prefix.len()], key[prefix.len() + 1]]);
        let until: u16 = state.read(key).unwrap_or_default();
        from <= last && first <= until
    })
}

fn balance_key(account: &Account) -> Vec<u8> {
    match account {
        Account::External => key(Contract::Settlement, BALANCE, &[&[0]]),
        Account::Member(member) => key(Contract::Settlement, BALANCE, &[&[1], &member.0]),
        Account::Escrow(item) => key(
            Contract::Settlement,
            BALANCE,
            &[&[2], &item.application.0, &item.index.to_be_bytes()],
        ),
    }
}

fn reference_key(reference: &PaymentReference) -> Vec<u8> {
    key(Contract::Settlement, REFERENCE, &[&reference.0])
}

fn plan_key(id: PlanId) -> Vec<u8> {
    key(Contract::Settlement, PLAN, &[&id.0.to_be_bytes()])
}

fn rules_key(id: PlanId, version: u32) -> Vec<u8> {
    key(
        Contract::Settlement,
        RULES,
        &[&id.0.to_be_bytes(), &version.to_be_bytes()],
    )
}

fn coverage_key(insured: &LedgerId, plan: PlanId, from_year: u16) -> Vec<u8> {
    key(
        Contract::Settlement,
        COVERAGE,
        &[&insured.0, &plan.0.to_be_bytes(), &from_year.to_be_bytes()],
    )
}

fn claim_key(reference: &ClaimReference) -> Vec<u8> {
    key(Contract::Settlement, CLAIM, &[&reference.0.0])
}

/// Brings the state up to date with what was decided.
pub fn fold(state: &mut State, event: &Event) {
    match event {
        Event::Posted { reason, lines } => fold_posting(state, reason, lines),
        Event::RulesPublished {
            plan,
            insurer,
            version,
            rules,
        } => {
            state.write(
                plan_key(*plan),
                &Plan {
                    insurer: *insurer,
                    version: *version,
                },
            );
            state.write(rules_key(*plan, *version), rules);
        }
        Event::CoverageRegistered {
            insured,
            plan,
            from_year,
            until_year,
        } => {
            state.write(coverage_key(insured, *plan, *from_year), until_year);
        }
        Event::ClaimAdjudicated {
            claim,
            hospital,
            insured,
            plan,
            category,
            charged,
            share,
            ..
        } => {
            let standing = ClaimStanding::Adjudicated { share: *share };
            let (hospital, insured, plan, category, charged) =
                (*hospital, *insured, *plan, *category, *charged);
            state.write(
                claim_key(claim),
                &Claim {
                    hospital,
                    insured,
                    plan,
                    category,
                    charged,
                    standing,
                },
            );
        }
        Event::ClaimPended {
            claim,
            hospital,
            insured,
            plan,
            category,
            charged,
            ..
        } => {
            let standing = ClaimStanding::Pended;
            let (hospital, insured, plan, category, charged) =
                (*hospital, *insured, *plan, *category, *charged);
            state.write(
                claim_key(claim),
                &Claim {
                    hospital,
                    insured,
                    plan,
                    category,
                    charged,
                    standing,
                },
            );
        }
        Event::SharePaid {
            claim: reference, ..
        } => {
            if let Some(entry) = claim(state, reference) {
                state.write(
                    claim_key(reference),
                    &Claim {
                        standing: ClaimStanding::SharePaid,
                        ..entry
                    },
                );
            }
        }
    }
}

fn fold_posting(state: &mut State, reason: &PostingReason, lines: &[Line]) {
    if let PostingReason::Deposit(reference) | PostingReason::Withdrawal(reference) = reason {
        state.write(reference_key(reference), &());
    }
    for line in lines {
        let before = balance(state, &line.account);
        let after = before
            .checked_add(line.amount)
            .expect("decided postings stay within bounds");
        assert!(
            after >= 0 || line.account == Account::External,
            "decided postings leave no account below zero"
        );
        if after == 0 && matches!(line.account, Account::Escrow(_)) {
            state.delete(balance_key(&line.account));
        } else {
            state.write(balance_key(&line.account), &after);
        }
    }
}
