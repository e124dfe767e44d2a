//! Twins (Bano, Sonnino, Chursin, Perelman, Li, Ching, Malkhi: Twins, BFT Systems Made Robust, OPODIS 2021): one replica
//! runs twice under one key, and scenarios are enumerated instead of drawn.
//!
//! A scenario names which of four replicas has a twin, and for each round how the five processes are parted into at
//! most three groups. Twins equivocate, vote twice and forget what the other one locked, without a line of Byzantine
//! code. The primary of a view is fixed, so that the choice of the twin is what the paper's choice of leaders is. In
//! each round every group gets a request of its own, and a round is long enough for a view change. After the last
//! round everything is mended, and all correct replicas have to agree on everything that any of them took in.

use crate::cluster::Cluster;
use crate::plan::{Behaviour, Plan, limits};
use crate::report::Outcome;

/// Processes: four replicas and the twin.
const PROCESSES: usize = 5;
const REPLICAS: u64 = 4;
/// The most groups in a round.
const GROUPS_MAX: u8 = 3;
/// Rounds of a scenario.
const ROUNDS: u32 = 4;
const ROUND_US: u64 = 700_000;

/// One scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// Which replica runs twice.
    pub twin: usize,
    /// For each round the group of each process.
    pub rounds: Vec<[u8; PROCESSES]>,
}

/// All ways to part the processes into at most three groups: each process is in the group of an earlier one, or
/// in the next new one.
pub fn partitions() -> Vec<[u8; PROCESSES]> {
    let mut all = vec![([0; PROCESSES], 1)];
    for process in 1..PROCESSES {
        all = all
            .into_iter()
            .flat_map(|(groups, used)| {
                (0..GROUPS_MAX.min(used + 1)).map(move |group| {
                    let mut groups: [u8; PROCESSES] = groups;
                    groups[process] = group;
                    (groups, used.max(group + 1))
                })
            })
            .collect();
    }
    all.into_iter().map(|(groups, _)| groups).collect()
}

/// How many scenarios there are.
pub fn count() -> u64 {
    REPLICAS * (partitions().len() as u64).pow(ROUNDS)
}

impl Scenario {
    /// The scenario of a number below [`count`] (larger ones begin anew). Neighbouring numbers give scenarios far
    /// apart, and no scenario comes twice.
    pub fn of(number: u64) -> Scenario {
        // A prime that does not divide the number of scenarios.
        const STRIDE: u64 = 7_368_787;
        let partitions = partitions();
        let ways = partitions.len() as u64;
        let mut rest = (u128::from(number) * u128::from(STRIDE) % u128::from(count())) as u64;
        let twin = (rest % REPLICAS) as usize;
        rest /= REPLICAS;
        let rounds = (0..ROUNDS)
            .map(|_| {
                let groups = partitions[(rest % ways) as usize];
                rest /= ways;
                groups
            })
            .collect();
        Scenario { twin, rounds }
    }

    /// Plays it.
    pub fn run(&self, number: u64) -> Outcome {
        let plan = Plan {
            limits: limits(4, 8, 2, 4),
            byzantine: vec![(self.twin, Behaviour::Twin)],
            clients: 1,
            requests: 0,
            faulty_us: ROUND_US * u64::from(ROUNDS) + 1,
            ..Plan::calm()
        };
        let mut cluster = Cluster::new(plan, number);
        let mut requests = Vec::new();
        for (round, groups) in (0_u8..).zip(&self.rounds) {
            cluster.network.split(groups);
            for group in 0..GROUPS_MAX {
                let members = (0..PROCESSES).filter(|process| groups[*process] == group);
                let content = [&number.to_be_bytes()[..], &[round, group]].concat();
                let request = ledger::tagged("simulator/twins-request", &[&content]);
                cluster.submit_to(request, members);
                requests.push(request);
            }
            cluster.run_for(ROUND_US);
        }
        // As clients do that got no answer.
        for request in requests {
            cluster.submit_to(request, 0..PROCESSES);
        }
        cluster.run(number)
    }
}

/// Plays the scenario of a number; a panic is a violation.
pub fn run(number: u64) -> Outcome {
    crate::guarded(number, || Scenario::of(number).run(number))
}
