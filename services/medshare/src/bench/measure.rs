//! Figures from samples, and under which conditions they were measured.

use std::time::Duration;

use serde::Serialize;

/// The middle of several runs and how far they lie apart.
#[derive(Clone, Debug, Serialize)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The lowest.
    pub lowest: f64,
    /// The highest.
    pub highest: f64,
    /// How many runs.
    pub runs: usize,
}

impl Spread {
    /// Of at least one value.
    pub fn of(mut values: Vec<f64>) -> Spread {
        values.sort_unstable_by(f64::total_cmp);
        let at = |place: usize| values.get(place).copied().unwrap_or_default();
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            at(middle)
        } else {
            (at(middle.saturating_sub(1)) + at(middle)) / 2.0
        };
        Spread {
            median,
            lowest: at(0),
            highest: at(values.len().saturating_sub(1)),
            runs: values.len(),
        }
    }

    /// As people read it, with so many decimals.
    pub fn text(&self, decimals: usize) -> String {
        let number = |value: f64| format!("{value:.decimals$}");
        if self.runs == 1 {
            return format!("{} (one run)", number(self.median));
        }
        format!(
            "{} ({} to {}, {} runs)",
            number(self.median),
            number(self.lowest),
            number(self.highest),
            self.runs
        )
    }
}

/// Percentiles of latencies, in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Latencies {
    /// Half are at most this.
    pub p50_ms: f64,
    /// 90 of 100 are at most this.
    pub p90_ms: f64,
    /// 99 of 100 are at most this.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
    /// How many were measured.
    pub samples: usize,
}

impl Latencies {
    /// Of any number of latencies; zeros if there are none.
    pub fn of(mut samples: Vec<Duration>) -> Latencies {
        samples.sort_unstable();
        let at = |percent: usize| {
            let place = (samples.len() * percent / 100).min(samples.len().saturating_sub(1));
            samples
                .get(place)
                .map_or(0.0, |sample| sample.as_secs_f64() * 1000.0)
        };
        Latencies {
            p50_ms: at(50),
            p90_ms: at(90),
            p99_ms: at(99),
            max_ms: at(100),
            samples: samples.len(),
        }
    }

    /// As people read it.
    pub fn text(&self) -> String {
        format!(
            "p50 {:.2} ms, p90 {:.2} ms, p99 {:.2} ms, longest {:.1} ms ({} samples)",
            self.p50_ms, self.p90_ms, self.p99_ms, self.max_ms, self.samples
        )
    }
}

/// Under which conditions it was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Conditions {
    /// Processors that this process may use.
    pub cores: usize,
    /// The processor's name.
    pub processor: String,
    /// The kernel's release.
    pub kernel: String,
    /// `release` or `dev`: how this program was built.
    pub profile: &'static str,
    /// How busy the machine was a minute before: runnable threads on average.
    pub load_before: f64,
    /// What is special about this measurement, in words.
    pub setup: String,
}

impl Conditions {
    /// The machine's, with what the measurement sets up.
    pub fn of(setup: impl Into<String>) -> Conditions {
        let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
        let load = read("/proc/loadavg");
        let load = load.split(' ').next().and_then(|first| first.parse().ok());
        let processor = read("/proc/cpuinfo").lines().find_map(|line| {
            let (_, name) = line.strip_prefix("model name")?.split_once(':')?;
            Some(name.trim().to_owned())
        });
        Conditions {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            processor: processor.unwrap_or_default(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            profile: if cfg!(debug_assertions) {
                "dev"
            } else {
                "release"
            },
            load_before: load.unwrap_or_default(),
            setup: setup.into(),
        }
    }

    /// As people read it.
    pub fn text(&self) -> String {
        format!(
            "{} cores ({}), {} profile, load {:.1} before; {}",
            self.cores, self.processor, self.profile, self.load_before, self.setup
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_lies_between_the_two_in_the_middle() {
        let of = |values: &[f64]| Spread::of(values.to_vec());
        assert_eq!(of(&[3.0, 1.0, 2.0]).median, 2.0);
        assert_eq!(of(&[4.0, 1.0, 2.0, 3.0]).median, 2.5);
        let spread = of(&[7.0]);
        assert_eq!(
            (spread.lowest, spread.median, spread.highest),
            (7.0, 7.0, 7.0)
        );
    }

    #[test]
    fn percentiles_are_samples_that_were_measured() {
        let latencies = Latencies::of((1..=100).map(Duration::from_millis).collect());
        assert_eq!(
            (latencies.p50_ms, latencies.p99_ms, latencies.max_ms),
            (51.0, 100.0, 100.0)
        );
        assert_eq!(Latencies::of(Vec::new()).samples, 0);
    }
}
