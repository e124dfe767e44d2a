//! Seeded defects: the simulator finds each of them. Recorded seeds keep this short; `cargo test -p simulator --features
//! mutants -- --ignored --nocapture` looks for seeds anew.

use std::time::{Duration, Instant};

use pbft::Mutant;
use simulator::{Outcome, run_seed};

/// A seed that finds the mutant, and how the violation begins (after its time).
const RECORDED: [(Mutant, u64); 10] = [
    (Mutant::QuorumOfTwoF, 0),
    (Mutant::VoteBeforeSync, 0),
    (Mutant::UnsignedEpoch, 0),
    (Mutant::PrimaryPrepareCounted, 0),
    (Mutant::HighestPreparedDropped, 0),
    (Mutant::NewViewNotRecomputed, 0),
    (Mutant::NullGapSkipped, 0),
    (Mutant::DuplicateSignerCounted, 0),
    (Mutant::DedupAbsentFromSnapshot, 0),
    (Mutant::TimerResetByProgress, 0),
];

fn run_mutant(mutant: Mutant, seed: u64) -> Outcome {
    mutant.during(|| run_seed(seed))
}

#[test]
fn every_mutant_is_found_by_its_recorded_seed_and_the_seed_is_clean_without_it() {
    let recorded: Vec<Mutant> = RECORDED.iter().map(|(mutant, _)| *mutant).collect();
    assert_eq!(recorded, Mutant::ALL);
    for (mutant, seed) in RECORDED {
        let outcome = run_mutant(mutant, seed);
        assert!(
            outcome.violation.is_some(),
            "{mutant:?} survives seed {seed}"
        );
        assert_eq!(run_seed(seed).violation, None, "seed {seed}");
    }
}

/// What CI needs not do: the search itself, from seed 0 on, each within 60 seconds.
#[test]
#[ignore = "looks for seeds anew; minutes"]
fn every_mutant_is_found_within_sixty_seconds_from_the_first_seed_on() {
    for mutant in Mutant::ALL {
        let start = Instant::now();
        let found = (0..).find_map(|seed| {
            let outcome = run_mutant(mutant, seed);
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "{mutant:?} survives {seed} seeds"
            );
            outcome.violation.map(|violation| (seed, violation))
        });
        let (seed, violation) = found.expect("the range has no end");
        let seconds = start.elapsed().as_secs_f64();
        let first: String = violation.chars().take(150).collect();
        println!("    (Mutant::{mutant:?}, {seed}), // {seconds:.1} s: {first}");
    }
}
