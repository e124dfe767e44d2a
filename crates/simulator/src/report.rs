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
    pub faults: BTreeMap<&'static str, u64>,
    /// The first violated invariant, if any: the run ended there.
    pub violation: Option<String>,
    /// A digest of everything that happened, in order: equal for equal seeds.
    pub trace: String,
}

impl Outcome {
    /// Of a run in which nothing happened.
    pub fn nothing(seed: u64) -> Outcome {
        Outcome {
            seed,
            events: 0,
            height: 0,
            view: 0,
            faults: BTreeMap::new(),
            violation: None,
            trace: String::new(),
        }
    }
}

/// Many seeds' outcomes.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// The commit that was built, where that is known.
    pub commit: String,
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
    pub faults: BTreeMap<&'static str, u64>,
    /// In how many seeds each kind happened at all.
    pub seeds_with: BTreeMap<&'static str, u64>,
    /// Wall-clock time, filled in by whoever has a clock.
    pub seconds: f64,
    /// Likewise.
    pub seeds_per_second: f64,
    #[serde(skip)]
    all_events: Vec<u64>,
    #[serde(skip)]
    all_heights: Vec<u64>,
}

impl Report {
    /// Adds up outcomes.
    pub fn of<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> Report {
        let mut report = Report::default();
        for outcome in outcomes {
            report.add(outcome);
        }
        report.close();
        report
    }

    /// Adds one outcome.
    pub fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        self.events += outcome.events;
        self.all_events.push(outcome.events);
        self.all_heights.push(outcome.height);
        let violation = outcome.violation.clone();
        self.violations
            .extend(violation.map(|violation| (outcome.seed, violation)));
        for (kind, count) in &outcome.faults {
            *self.faults.entry(kind).or_default() += count;
            *self.seeds_with.entry(kind).or_default() += 1;
        }
    }

    /// Adds what another thread found.
    pub fn merge(&mut self, other: Report) {
        self.seeds += other.seeds;
        self.events += other.events;
        self.all_events.extend(other.all_events);
        self.all_heights.extend(other.all_heights);
        self.violations.extend(other.violations);
        for (kind, count) in other.faults {
            *self.faults.entry(kind).or_default() += count;
        }
        for (kind, count) in other.seeds_with {
            *self.seeds_with.entry(kind).or_default() += count;
        }
    }

    /// Works out the medians and puts violations in order.
    pub fn close(&mut self) {
        self.violations.sort();
        self.events_median = median(&mut self.all_events);
        self.height_median = median(&mut self.all_heights);
    }

    /// The report with the time that it took.
    pub fn taking(mut self, seconds: f64) -> Report {
        self.seconds = seconds;
        self.seeds_per_second = self.seeds as f64 / seconds.max(f64::EPSILON);
        self
    }
}

fn median(values: &mut [u64]) -> u64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

/// The commit of the checkout in the working folder, marked if there are changes on top; for printing only.
pub fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = std::process::Command::new("git").args(arguments).output();
        let output = output.ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return "unknown".to_owned();
    };
    match git(&["status", "--porcelain", "--untracked-files=no"]) {
        Some(changes) if changes.is_empty() => commit,
        _ => format!("{commit} with changes"),
    }
}
