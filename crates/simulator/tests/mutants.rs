//! Seeded defects: the simulator finds each of them. Recorded seeds keep this short; `./dev mutants --ignored` looks for
//! seeds anew.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use pbft::Mutant;
use simulator::plan::Behaviour;
use simulator::{Outcome, plan_of, run_many, run_seed};

/// Mutants, and a seed that finds each.
const RECORDED: [(Mutant, u64); 16] = [
    (Mutant::QuorumOfTwoF, 0),
    (Mutant::VoteBeforeSync, 0),
    (Mutant::UnsignedEpoch, 2),
    (Mutant::PrimaryPrepareCounted, 66),
    (Mutant::HighestPreparedDropped, 2),
    (Mutant::NewViewNotRecomputed, 80),
    (Mutant::NullGapSkipped, 1),
    (Mutant::DuplicateSignerCounted, 135),
    (Mutant::DedupAbsentFromSnapshot, 6),
    (Mutant::TimerResetByProgress, 452),
    (Mutant::CommitsOfAnyView, 0),
    (Mutant::ExecutedKept, 2),
    (Mutant::FirstOrderPassedOver, 0),
    (Mutant::VotesPastEpochEnd, 40),
    (Mutant::EpochEndsUncertified, 0),
    (Mutant::EarlierLogKept, 40),
];

/// The search gives up after so many seeds: less than a minute on two idle cores.
const SEEDS_MAX: u64 = 3_000;

fn run_mutant(mutant: Mutant, seed: u64) -> Outcome {
    mutant.during(|| run_seed(seed))
}

/// Whether a seed can tell: timers that are never up hurt only those whom a primary censors, and what is wrong between two
/// epochs only where there are two.
fn can_tell(mutant: Mutant, seed: u64) -> bool {
    let plan = plan_of(seed);
    match mutant {
        Mutant::TimerResetByProgress => {
            let censors = |faulty: &(usize, Behaviour)| faulty.1 == Behaviour::Censoring;
            plan.byzantine.iter().any(censors)
        }
        Mutant::FirstOrderPassedOver
        | Mutant::VotesPastEpochEnd
        | Mutant::EpochEndsUncertified
        | Mutant::EarlierLogKept => !plan.membership.changes.is_empty(),
        _ => true,
    }
}

#[test]
fn every_mutant_is_found_by_its_recorded_seed_and_the_seed_is_clean_without_it() {
    let recorded: Vec<Mutant> = RECORDED.iter().map(|(mutant, _)| *mutant).collect();
    assert_eq!(recorded, Mutant::ALL);
    for (mutant, seed) in RECORDED {
        let found = run_mutant(mutant, seed).violation;
        let first: String = found.iter().flat_map(|it| it.chars().take(150)).collect();
        println!("{mutant:?}, seed {seed}: {first}");
        assert!(found.is_some(), "{mutant:?} survives seed {seed}");
        assert_eq!(run_seed(seed).violation, None, "seed {seed}");
    }
}

#[test]
#[ignore = "looks for seeds anew; minutes"]
fn every_mutant_is_found_from_the_first_seed_on() {
    for mutant in Mutant::ALL.into_iter().rev() {
        let start = Instant::now();
        let found = AtomicBool::new(false);
        let report = run_many(
            0,
            |seed| {
                if !can_tell(mutant, seed) {
                    return Outcome::nothing(seed);
                }
                let outcome = run_mutant(mutant, seed);
                found.fetch_or(outcome.violation.is_some(), Ordering::Relaxed);
                outcome
            },
            |done| done < SEEDS_MAX && !found.load(Ordering::Relaxed),
        );
        let seconds = start.elapsed().as_secs_f64();
        let Some((seed, violation)) = report.violations.first() else {
            panic!("{mutant:?} survives {} seeds, {seconds:.1} s", report.seeds);
        };
        let first: String = violation.chars().take(150).collect();
        println!("    (Mutant::{mutant:?}, {seed}), // {seconds:.1} s: {first}");
    }
}
