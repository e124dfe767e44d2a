//! The network between replicas: which links are cut, and when a message arrives.

use std::collections::BTreeSet;

use crate::plan::Plan;
use crate::random::Random;

/// Directed links and their faults.
#[derive(Debug, Default)]
pub struct Network {
    cut: BTreeSet<(usize, usize)>,
    clogged: BTreeSet<usize>,
    /// All faults are over.
    pub healed: bool,
}

impl Network {
    /// When a message sent now arrives, as delays; empty if it is lost, two if it is duplicated.
    pub fn delays(&self, plan: &Plan, random: &mut Random, from: usize, to: usize) -> Vec<u64> {
        if self.healed {
            return vec![random.between(50, 500)];
        }
        if self.cut.contains(&(from, to))
            || self.clogged.contains(&from)
            || self.clogged.contains(&to)
        {
            return Vec::new();
        }
        self.delays_unreliable(plan, random)
    }

    /// The same between clients and replicas, which partitions do not cut.
    pub fn client_delays(&self, plan: &Plan, random: &mut Random) -> Vec<u64> {
        if self.healed {
            vec![random.between(50, 500)]
        } else {
            self.delays_unreliable(plan, random)
        }
    }

    fn delays_unreliable(&self, plan: &Plan, random: &mut Random) -> Vec<u64> {
        if random.chance(plan.loss_permille) {
            return Vec::new();
        }
        let copies = if random.chance(plan.duplication_permille) {
            2
        } else {
            1
        };
        (0..copies)
            .map(|_| {
                let longest = if random.chance(plan.delay_permille) {
                    plan.delay_long_us
                } else {
                    plan.delay_us
                };
                random.between(30, longest.max(30))
            })
            .collect()
    }

    /// Cuts the links between two groups, in both directions or in one.
    pub fn partition(&mut self, group: &BTreeSet<usize>, replicas: usize, one_way: bool) {
        for inside in group {
            for outside in (0..replicas).filter(|replica| !group.contains(replica)) {
                self.cut.insert((*inside, outside));
                if !one_way {
                    self.cut.insert((outside, *inside));
                }
            }
        }
    }

    /// Restores all links that partitions cut.
    pub fn mend(&mut self) {
        self.cut.clear();
    }

    /// Stops everything from and to a replica.
    pub fn clog(&mut self, replica: usize) {
        self.clogged.insert(replica);
    }

    /// Lets it flow again.
    pub fn unclog(&mut self, replica: usize) {
        self.clogged.remove(&replica);
    }

    /// Ends all faults for good.
    pub fn heal(&mut self) {
        self.cut.clear();
        self.clogged.clear();
        self.healed = true;
    }
}
