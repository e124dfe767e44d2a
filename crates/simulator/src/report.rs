//! What a run found.

use std::collections::BTreeMap;

use serde::Serialize;

/// One seed's outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// How many events happened.
    pub events: u64,
    /// The height that was reached.
    pub height: u64,
    /// The highest view that was entered.
    pub view: u64,
    /// How many faults and rare things happened, by kind.
    pub faults: BTreeMap<String, u64>,
    /// The first violated invariant, if any: the run ended there.
    pub violation: Option<String>,
    /// A digest of everything that happened, in order: equal for equal seeds.
    pub trace: String,
}

/// Many seeds' outcomes.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// How many seeds ran.
    pub seeds: u64,
    /// Events in all of them.
    pub events: u64,
    /// Median of events in a seed.
    pub events_median: u64,
    /// Median of the height reached in a seed.
    pub height_median: u64,
    /// Violations found: seed and what.
    pub violations: Vec<(u64, String)>,
    /// Faults and rare things by kind, over all seeds.
    pub faults: BTreeMap<String, u64>,
    /// In how many seeds each kind happened at all.
    pub seeds_with: BTreeMap<String, u64>,
    /// Wall-clock time, filled in by whoever has a clock.
    pub seconds: f64,
    /// Likewise.
    pub seeds_per_second: f64,
}

impl Report {
    /// Adds up outcomes.
    pub fn of(outcomes: &[Outcome]) -> Report {
        let mut report = Report {
            seeds: outcomes.len() as u64,
            ..Report::default()
        };
        for outcome in outcomes {
            report.events += outcome.events;
            report.violations.extend(
                outcome
                    .violation
                    .clone()
                    .map(|violation| (outcome.seed, violation)),
            );
            for (kind, count) in &outcome.faults {
                *report.faults.entry(kind.clone()).or_default() += count;
                *report.seeds_with.entry(kind.clone()).or_default() += 1;
            }
        }
        report.events_median = median(outcomes.iter().map(|outcome| outcome.events));
        report.height_median = median(outcomes.iter().map(|outcome| outcome.height));
        report
    }

    /// The report with the time that it took.
    pub fn taking(mut self, seconds: f64) -> Report {
        self.seconds = seconds;
        self.seeds_per_second = self.seeds as f64 / seconds.max(f64::EPSILON);
        self
    }
}

fn median(values: impl Iterator<Item = u64>) -> u64 {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}
