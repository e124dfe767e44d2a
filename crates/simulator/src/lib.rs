//! A seeded cluster in one thread: network, clock, disk, Byzantine replicas, checkers.
//!
//! [`run_seed`] makes a [`plan::Plan`] from a seed, runs a cluster of real `pbft` cores in virtual time under
//! the plan's faults, checks the invariants of [`oracle`] at every event, heals everything, and waits until all
//! clients are answered and all correct replicas agree on one height. The same seed gives the same events,
//! byte for byte ([`report::Outcome::trace`]).

pub mod byzantine;
pub mod client;
pub mod cluster;
pub mod disk;
mod driver;
mod fault;
pub mod machine;
pub mod network;
pub mod node;
pub mod oracle;
pub mod plan;
pub mod random;
pub mod report;
pub mod signing;
mod traffic;

use std::ops::Range;

pub use cluster::Cluster;
pub use plan::Plan;
pub use report::{Outcome, Report};

/// Runs one seed to its end.
pub fn run_seed(seed: u64) -> Outcome {
    let plan = Plan::of(&mut random::Random::new(seed));
    Cluster::new(plan, seed).run(seed)
}

/// Runs one seed with Ed25519 signatures instead of the stand-in.
pub fn run_seed_with_real_signatures(seed: u64) -> Outcome {
    let plan = Plan {
        real_signatures: true,
        ..Plan::of(&mut random::Random::new(seed))
    };
    Cluster::new(plan, seed).run(seed)
}

/// Runs a range of seeds, one after another.
pub fn run(seeds: Range<u64>) -> Report {
    let outcomes: Vec<Outcome> = seeds.map(run_seed).collect();
    Report::of(&outcomes)
}
