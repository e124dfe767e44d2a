//! Counters, gauges and histograms of this process, shown at `/metrics`.
//!
//! Names are given without the prefix `medshare_`, with the unit last (`commit_seconds`, `outbox_depth`); the only label
//! is the service, so that no personal data can get into one.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of a histogram's buckets, in seconds.
const BOUNDS_SECONDS: [f64; 19] = [
    0.000_05, 0.000_1, 0.000_15, 0.000_2, 0.000_3, 0.000_5, 0.001, 0.002, 0.003, 0.005, 0.008,
    0.015, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0,
];

static REGISTRY: LazyLock<Mutex<BTreeMap<&'static str, (&'static str, Metric)>>> =
    LazyLock::new(Mutex::default);

#[derive(Clone)]
enum Metric {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
}

/// Counts up.
#[derive(Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Counts `more`.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }
}

/// A value that goes up and down.
#[derive(Clone, Default)]
pub struct Gauge(Arc<AtomicI64>);

impl Gauge {
    /// Sets the value.
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Changes the value by `change`.
    pub fn add(&self, change: i64) {
        self.0.fetch_add(change, Ordering::Relaxed);
    }
}

/// Durations, counted in buckets.
#[derive(Clone, Default)]
pub struct Histogram(Arc<Buckets>);

#[derive(Default)]
struct Buckets {
    counts: [AtomicU64; BOUNDS_SECONDS.len() + 1],
    sum_us: AtomicU64,
}

impl Histogram {
    /// Counts one duration.
    pub fn record(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let bucket = BOUNDS_SECONDS
            .iter()
            .position(|bound| seconds <= *bound)
            .unwrap_or(BOUNDS_SECONDS.len());
        self.0.counts[bucket].fetch_add(1, Ordering::Relaxed);
        let microseconds = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.0.sum_us.fetch_add(microseconds, Ordering::Relaxed);
    }
}

/// The counter of that name, made at the first call.
///
/// # Panics
/// If the name is already taken by a metric of another kind.
pub fn counter(name: &'static str, help: &'static str) -> Counter {
    match registered(name, help, || Metric::Counter(Counter::default())) {
        Metric::Counter(counter) => counter,
        _ => panic!("metric {name} is not a counter"),
    }
}

/// The gauge of that name, made at the first call.
///
/// # Panics
/// If the name is already taken by a metric of another kind.
pub fn gauge(name: &'static str, help: &'static str) -> Gauge {
    match registered(name, help, || Metric::Gauge(Gauge::default())) {
        Metric::Gauge(gauge) => gauge,
        _ => panic!("metric {name} is not a gauge"),
    }
}

/// The histogram of that name (end it with `_seconds`), made at the first call.
///
/// # Panics
/// If the name is already taken by a metric of another kind.
pub fn histogram(name: &'static str, help: &'static str) -> Histogram {
    match registered(name, help, || Metric::Histogram(Histogram::default())) {
        Metric::Histogram(histogram) => histogram,
        _ => panic!("metric {name} is not a histogram"),
    }
}

fn registered(name: &'static str, help: &'static str, new: impl FnOnce() -> Metric) -> Metric {
    let mut registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
    registry
        .entry(name)
        .or_insert_with(|| (help, new()))
        .1
        .clone()
}

/// All metrics of this process in Prometheus text format.
pub fn render(service: &str) -> String {
    let registry = REGISTRY
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let mut text = String::new();
    for (name, (help, metric)) in registry {
        let kind = match metric {
            Metric::Counter(_) => "counter",
            Metric::Gauge(_) => "gauge",
            Metric::Histogram(_) => "histogram",
        };
        let label = format!("service=\"{service}\"");
        let _ = writeln!(
            text,
            "# HELP medshare_{name} {help}\n# TYPE medshare_{name} {kind}"
        );
        let _ = match metric {
            Metric::Counter(value) => writeln!(
                text,
                "medshare_{name}{{{label}}} {}",
                value.0.load(Ordering::Relaxed)
            ),
            Metric::Gauge(value) => writeln!(
                text,
                "medshare_{name}{{{label}}} {}",
                value.0.load(Ordering::Relaxed)
            ),
            Metric::Histogram(value) => render_histogram(&mut text, name, &label, &value.0),
        };
    }
    text
}

fn render_histogram(
    text: &mut String,
    name: &str,
    label: &str,
    buckets: &Buckets,
) -> std::fmt::Result {
    let mut cumulative = 0;
    for (index, count) in buckets.counts.iter().enumerate() {
        cumulative += count.load(Ordering::Relaxed);
        let bound = BOUNDS_SECONDS
            .get(index)
            .map_or("+Inf".to_owned(), f64::to_string);
        writeln!(
            text,
            "medshare_{name}_bucket{{{label},le=\"{bound}\"}} {cumulative}"
        )?;
    }
    let sum_us = buckets.sum_us.load(Ordering::Relaxed);
    writeln!(
        text,
        "medshare_{name}_sum{{{label}}} {}.{:06}",
        sum_us / 1_000_000,
        sum_us % 1_000_000
    )?;
    writeln!(text, "medshare_{name}_count{{{label}}} {cumulative}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_each_duration_in_one_bucket_and_shows_them_cumulatively() {
        let histogram = histogram("metrics_test_seconds", "durations");
        histogram.record(Duration::from_micros(900));
        histogram.record(Duration::from_millis(4));
        histogram.record(Duration::from_secs(60));
        let text = render("index");
        assert!(
            text.contains(
                "medshare_metrics_test_seconds_bucket{service=\"index\",le=\"0.001\"} 1\n"
            ),
            "{text}"
        );
        assert!(
            text.contains(
                "medshare_metrics_test_seconds_bucket{service=\"index\",le=\"0.005\"} 2\n"
            )
        );
        assert!(
            text.contains(
                "medshare_metrics_test_seconds_bucket{service=\"index\",le=\"+Inf\"} 3\n"
            )
        );
        assert!(text.contains("medshare_metrics_test_seconds_sum{service=\"index\"} 60.004900\n"));
    }

    #[test]
    fn a_name_asked_for_twice_is_one_metric() {
        counter("metrics_test_total", "counts").add(1);
        counter("metrics_test_total", "counts").add(1);
        assert!(render("index").contains("medshare_metrics_test_total{service=\"index\"} 2\n"));
    }
}
