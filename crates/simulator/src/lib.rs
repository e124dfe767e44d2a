//! A seeded cluster in one thread: network, clock, disk, Byzantine replicas, checkers.
//!
//! [`run_seed`] makes a [`plan::Plan`] from a seed, runs a cluster of real `pbft` cores in virtual time under
//! the plan's faults, checks the invariants of [`oracle`] at every event, heals everything, and waits until all
//! clients are answered and all correct replicas agree on one height. The same seed gives the same events,
//! byte for byte ([`replay`]). [`twins`] runs systematic scenarios instead of random ones; [`model`] is the protocol
//! as rules, checked exhaustively by itself and against every vote of a run.
//!
//! Reading order: [`plan`], [`cluster`], [`oracle`], then the parts: [`node`], [`disk`], [`machine`], [`network`],
//! [`client`], [`byzantine`]; and, where the replica set changes, [`membership`], `change_epoch`, [`observer`].

pub mod byzantine;
mod change_epoch;
pub mod client;
pub mod cluster;
pub mod disk;
mod driver;
mod event;
mod fault;
mod healing;
pub mod machine;
pub mod membership;
pub mod model;
pub mod network;
pub mod node;
pub mod observer;
pub mod oracle;
pub mod plan;
pub mod random;
pub mod report;
pub mod signing;
mod traffic;
pub mod twins;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

pub use cluster::Cluster;
pub use plan::Plan;
pub use report::{Outcome, Report};

/// Runs one seed to its end. A panic of the core is a violation like any other.
pub fn run_seed(seed: u64) -> Outcome {
    run_plan(plan_of(seed), seed)
}

/// Runs one seed with Ed25519 signatures instead of the stand-in.
pub fn run_seed_with_real_signatures(seed: u64) -> Outcome {
    let plan = Plan {
        real_signatures: true,
        ..plan_of(seed)
    };
    run_plan(plan, seed)
}

/// Runs one seed and has every vote judged by the rules of [`model`].
pub fn run_seed_against_model(seed: u64) -> Outcome {
    let mut cluster = Cluster::new(plan_of(seed), seed);
    cluster.judge_by_model();
    guarded(seed, || cluster.run(seed))
}

/// Runs one seed and writes down every event.
pub fn replay(seed: u64) -> (Outcome, String) {
    let mut cluster = Cluster::new(plan_of(seed), seed);
    cluster.keep_log();
    let outcome = guarded(seed, || cluster.run(seed));
    (outcome, cluster.log.take().unwrap_or_default())
}

/// What a seed means.
pub fn plan_of(seed: u64) -> Plan {
    Plan::of(&mut random::Random::new(seed))
}

/// Runs a plan with chance seeded by `seed`.
pub fn run_plan(plan: Plan, seed: u64) -> Outcome {
    guarded(seed, || Cluster::new(plan, seed).run(seed))
}

fn guarded(seed: u64, run: impl FnOnce() -> Outcome) -> Outcome {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Outcome {
            violation: Some(format!("panicked: {}", text.unwrap_or_default())),
            ..Outcome::nothing(seed)
        }
    })
}

/// Runs `run` for the numbers from `first` on, on all cores, while `goes_on` says so (it is told how many are done).
pub fn run_many(
    first: u64,
    run: impl Fn(u64) -> Outcome + Sync,
    goes_on: impl Fn(u64) -> bool + Sync,
) -> Report {
    let next = AtomicU64::new(0);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        let mut report = Report::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if !goes_on(number) {
                return report;
            }
            let outcome = run(first + number);
            if let Some(violation) = &outcome.violation {
                eprintln!("seed {}: {violation}", outcome.seed);
            }
            report.add(&outcome);
        }
    };
    let mut whole = Report::default();
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        for handle in handles {
            whole.merge(handle.join().expect("violations are no panics"));
        }
    });
    whole.close();
    whole
}
