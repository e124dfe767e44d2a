//! Random seeds: every fault at once, invariants at every event, and liveness after the heal.

use simulator::{Outcome, Report, replay, report, run_many, run_seed, run_seed_against_model};
use simulator::{run_seed_with_real_signatures, twins};

fn run(first: u64, count: u64, run: fn(u64) -> Outcome) -> Report {
    let report = run_many(first, run, |done| done < count);
    assert!(
        report.violations.is_empty(),
        "commit {}, violations by seed: {:#?}",
        report::commit(),
        report.violations
    );
    report
}

#[test]
fn two_thousand_seeds_violate_nothing_and_meet_every_fault() {
    let report = run(1_000_000, 2_000, run_seed);
    for kind in [
        "view_entered",
        "state_transfer",
        "crash",
        "crash_at_effect",
        "swizzle",
    ] {
        let seeds = report.seeds_with.get(kind).copied().unwrap_or(0);
        assert!(
            seeds >= 400,
            "{kind} happened in {seeds} of 2,000 seeds only"
        );
    }
    for kind in [
        "equivocation_proven",
        "partition",
        "partition_one_way",
        "crash_all",
        "crash_primary",
        "clock_jump",
        "torn_write",
        "log_bit_flip",
        "log_lost",
        "old_copy",
        "block_repaired",
        "read_error",
        "sync_failed",
        "duplicated",
        "lost",
        "refused_message",
        "client_repeat",
    ] {
        assert!(
            report.seeds_with.contains_key(kind),
            "{kind} never happened"
        );
    }
    let with = |kind: &str| report.seeds_with.get(kind).copied().unwrap_or(0);
    let changes = with("membership_change");
    assert!((500..=700).contains(&changes), "{changes} of 2,000");
    for kind in ["added", "removed", "replaced", "rotated"] {
        let seeds = with(&format!("membership_{kind}"));
        assert!(seeds >= 50, "{kind} in {seeds} of 2,000 seeds only");
    }
    for kind in [
        "change_fetched",
        "epoch_entered",
        "membership_refused",
        "message_of_earlier_epoch",
        "message_of_later_epoch",
        "retired",
        "word_of_one_taken_out",
    ] {
        assert!(with(kind) >= 50, "{kind} in {} seeds only", with(kind));
    }
    for behaviour in simulator::plan::Behaviour::ALL {
        let kind = behaviour.name();
        assert!(
            report.seeds_with.contains_key(kind),
            "{kind} never happened"
        );
    }
    assert!(report.events_median >= 5_000, "{}", report.events_median);
    assert!(report.height_median >= 50, "{}", report.height_median);
}

#[test]
fn seeds_hold_under_real_signatures_too() {
    run(2_000_000, 4, run_seed_with_real_signatures);
}

#[test]
fn every_vote_of_a_run_is_one_that_the_model_allows() {
    let report = run(3_000_000, 1_000, run_seed_against_model);
    assert_eq!(report.seeds_with.get("votes_judged"), Some(&1_000));
    assert!(report.faults["votes_judged"] > 500_000);
}

#[test]
fn the_same_seed_gives_the_same_events_byte_for_byte() {
    for seed in 4_000_000..4_000_010 {
        let (outcome, log) = replay(seed);
        assert!(log.lines().count() as u64 == outcome.events && outcome.events > 1_000);
        assert_eq!((&outcome, &log), (&replay(seed).0, &replay(seed).1));
        assert_eq!(outcome, run_seed(seed), "writing it down changes nothing");
    }
}

#[test]
fn two_thousand_scenarios_of_twins_end_in_agreement() {
    run(0, 2_000, twins::run);
}

#[test]
fn scenarios_of_twins_are_all_different() {
    let numbers = (0..5_000).chain(twins::count() - 5_000..twins::count());
    let scenarios: std::collections::BTreeSet<_> = numbers
        .map(twins::Scenario::of)
        .map(|scenario| (scenario.twin, scenario.rounds))
        .collect();
    assert_eq!(scenarios.len(), 10_000);
    assert_eq!(twins::partitions().len(), 41);
    assert_ne!(twins::count() % 7_368_787, 0);
}
