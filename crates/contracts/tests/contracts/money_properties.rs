//! What holds for money after every sequence of commands: nothing is created or lost.

use contracts::settlement::event::{Account, Event as Settlement, PostingReason};
use contracts::{Event, State, View};
use proptest::prelude::*;

use crate::random_commands::{Step, sequences, start, take};
use crate::scenario::Scenario;

/// All balances in the state: (whether the account is External, balance).
fn balances(scenario: &Scenario) -> Vec<(bool, i64)> {
    let state = State::new(&scenario.state);
    let entries = state.scan(&[4, 1], usize::MAX / 2);
    entries
        .iter()
        .map(|(key, _)| (key[2] == 0, state.read::<i64>(key).unwrap()))
        .collect()
}

/// The balance of the world outside: minus all money inside.
fn external(scenario: &Scenario) -> i128 {
    balances(scenario)
        .iter()
        .filter(|(external, _)| *external)
        .map(|(_, balance)| i128::from(*balance))
        .sum()
}

/// What escrows hold.
fn escrow(scenario: &Scenario) -> i64 {
    let state = State::new(&scenario.state);
    let entries = state.scan(&[4, 1, 2], usize::MAX / 2);
    entries
        .iter()
        .map(|(key, _)| state.read::<i64>(key).unwrap())
        .sum()
}

fn check(steps: &[Step]) -> Result<(), TestCaseError> {
    let mut scenario = start();
    let mut entered = -external(&scenario);
    let mut held: i128 = 0;
    for step in steps {
        let (after, execution) = take(scenario, step);
        scenario = after;
        prop_assert!(execution.outcome.is_accepted() || execution.writes.0.is_empty());
        for event in &execution.events {
            let Event::Settlement(Settlement::Posted { reason, lines }) = event else {
                continue;
            };
            let total: i128 = lines.iter().map(|line| i128::from(line.amount)).sum();
            prop_assert_eq!(total, 0, "{:?} does not balance", reason);
            for line in lines {
                match line.account {
                    Account::External => entered -= i128::from(line.amount),
                    Account::Escrow(_) => held += i128::from(line.amount),
                    Account::Member(_) => {}
                }
            }
            let outside = matches!(
                reason,
                PostingReason::Deposit(_) | PostingReason::Withdrawal(_)
            );
            prop_assert_eq!(
                outside,
                lines.iter().any(|line| line.account == Account::External)
            );
        }
        let balances = balances(&scenario);
        let total: i128 = balances
            .iter()
            .map(|(_, balance)| i128::from(*balance))
            .sum();
        prop_assert_eq!(total, 0, "money was created or lost");
        prop_assert_eq!(
            external(&scenario),
            -entered,
            "the books hold what came in and did not go out"
        );
        prop_assert!(
            balances
                .iter()
                .all(|(external, balance)| *external || *balance >= 0),
            "an account is below zero"
        );
        prop_assert_eq!(i128::from(escrow(&scenario)), held);
    }
    // When every deadline has passed, nothing is left in escrow.
    let (scenario, _) = take(scenario, &Step::Wait(1_000 * crate::scenario::DAY, 1_000));
    prop_assert_eq!(escrow(&scenario), 0);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_commands_creates_or_loses_money_or_brings_an_account_below_zero(steps in sequences(80)) {
        check(&steps)?;
    }
}
