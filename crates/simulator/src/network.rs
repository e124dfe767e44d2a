//! The network between replicas: which links are cut, and when a message arrives.

use std::collections::BTreeSet;

use crate::plan::Plan;
use crate::random::Random;

/// Directed links and their faults.
#[derive(Debug, Default)]
pub struct Network {
    /// For each sender a bit per receiver to which nothing comes through.
    cut: [u64; 16],
    /// A bit per process from and to which nothing comes through.
    clogged: u64,
    /// All faults are over.
    pub healed: bool,
}

/// When the copies of one message arrive, as delays in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// The message is lost.
    Lost,
    /// It arrives once.
    Once(u64),
    /// It arrives twice.
    Twice(u64, u64),
}

impl Network {
    /// When a message sent now arrives.
    pub fn delivery(&self, plan: &Plan, random: &mut Random, from: usize, to: usize) -> Delivery {
        if self.healed {
            return Delivery::Once(random.between(50, 500));
        }
        let is_cut = self.cut[from] >> to & 1 == 1;
        if is_cut || (self.clogged >> from | self.clogged >> to) & 1 == 1 {
            return Delivery::Lost;
        }
        unreliable(plan, random)
    }

    /// The same between clients and replicas, which partitions do not cut.
    pub fn client_delivery(&self, plan: &Plan, random: &mut Random) -> Delivery {
        if self.healed {
            Delivery::Once(random.between(50, 500))
        } else {
            unreliable(plan, random)
        }
    }

    /// Cuts the links between two groups, in both directions or in one.
    pub fn partition(&mut self, group: &BTreeSet<usize>, processes: usize, one_way: bool) {
        for inside in group {
            for outside in (0..processes).filter(|process| !group.contains(process)) {
                self.cut[*inside] |= 1 << outside;
                if !one_way {
                    self.cut[outside] |= 1 << inside;
                }
            }
        }
    }

    /// Cuts every link between processes of different groups; `groups` names the group of each process.
    pub fn split(&mut self, groups: &[u8]) {
        self.mend();
        for (from, group) in groups.iter().enumerate() {
            for (to, other) in groups.iter().enumerate() {
                if group != other {
                    self.cut[from] |= 1 << to;
                }
            }
        }
    }

    /// Restores all links that partitions cut.
    pub fn mend(&mut self) {
        self.cut = [0; 16];
    }

    /// Stops everything from and to a process.
    pub fn clog(&mut self, process: usize) {
        self.clogged |= 1 << process;
    }

    /// Lets it flow again.
    pub fn unclog(&mut self, process: usize) {
        self.clogged &= !(1 << process);
    }

    /// Ends all faults for good.
    pub fn heal(&mut self) {
        self.mend();
        self.clogged = 0;
        self.healed = true;
    }
}

fn unreliable(plan: &Plan, random: &mut Random) -> Delivery {
    if random.chance(plan.loss_permille) {
        return Delivery::Lost;
    }
    let mut delay = || {
        let longest = if random.chance(plan.delay_permille) {
            plan.delay_long_us
        } else {
            plan.delay_us
        };
        random.between(30, longest.max(30))
    };
    let first = delay();
    let second = delay();
    if random.chance(plan.duplication_permille) {
        Delivery::Twice(first, second)
    } else {
        Delivery::Once(first)
    }
}
