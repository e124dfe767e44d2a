//! Faults that come and go while a run lasts.

use std::collections::BTreeSet;

use crate::cluster::{Cluster, Event};

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Crash,
    CrashAll,
    CrashPrimary,
    Partition,
    Mend,
    Swizzle,
    Clog(usize),
    Unclog(usize),
    ClockJump,
}

impl Cluster {
    pub(crate) fn schedule_faults(&mut self) {
        for fault in [
            Fault::Crash,
            Fault::CrashAll,
            Fault::CrashPrimary,
            Fault::Partition,
            Fault::Swizzle,
            Fault::ClockJump,
        ] {
            self.schedule_next(fault);
        }
    }

    fn every_us(&self, fault: Fault) -> u64 {
        match fault {
            Fault::Crash => self.plan.crash_every_us,
            Fault::CrashAll => self.plan.crash_all_every_us,
            Fault::CrashPrimary => self.plan.crash_primary_every_us,
            Fault::Partition => self.plan.partition_every_us,
            Fault::Swizzle => self.plan.swizzle_every_us,
            Fault::ClockJump => self.plan.clock_jump_every_us,
            Fault::Mend | Fault::Clog(_) | Fault::Unclog(_) => 0,
        }
    }

    fn schedule_next(&mut self, fault: Fault) {
        let every = self.every_us(fault);
        if every > 0 {
            let delay = self.random.between(every / 2, 2 * every);
            self.schedule(delay, Event::Fault(fault));
        }
    }

    pub(crate) fn fault(&mut self, fault: Fault) {
        if self.network.healed {
            return;
        }
        let replicas = self.nodes.len();
        match fault {
            Fault::Crash => {
                let node = self.random.below(replicas as u64) as usize;
                self.crash_node(node);
            }
            Fault::CrashAll => {
                self.note("crash_all");
                for node in 0..replicas {
                    self.crash_node(node);
                }
            }
            Fault::CrashPrimary => {
                let primary = self
                    .summaries()
                    .max_by_key(|summary| summary.view)
                    .map(|summary| summary.primary);
                if let Some(primary) = primary {
                    self.note("crash_primary");
                    self.crash_node(usize::from(primary.0));
                }
            }
            Fault::Partition => self.partition(),
            Fault::Mend => self.network.mend(),
            Fault::Swizzle => self.swizzle(),
            Fault::Clog(node) => self.network.clog(node),
            Fault::Unclog(node) => self.network.unclog(node),
            Fault::ClockJump => {
                self.note("clock_jump");
                let node = self.random.below(replicas as u64) as usize;
                let jump = self.random.between(0, 8_000_000) as i64 - 4_000_000;
                self.nodes[node].clock_offset = jump;
            }
        }
        self.schedule_next(fault);
    }

    /// Kills a process; it comes back after a while.
    pub fn crash_node(&mut self, node: usize) {
        let back = self.random.between(50_000, 3_000_000);
        if self.kill_node(node) {
            self.schedule(back, Event::Restart { node });
        }
    }

    /// Kills a process for good (scenario tests start it again themselves).
    pub fn kill_node(&mut self, node: usize) -> bool {
        if self.nodes[node].replica.is_none() {
            return false;
        }
        self.note("crash");
        self.nodes[node].crash(&mut self.random);
        true
    }

    /// Starts a process that is down.
    pub fn start_node(&mut self, node: usize) {
        self.schedule(0, Event::Restart { node });
    }

    fn partition(&mut self) {
        let replicas = self.nodes.len();
        let mut ids: Vec<usize> = (0..replicas).collect();
        self.random.shuffle(&mut ids);
        let size = self.random.between(1, replicas as u64 - 1) as usize;
        let group: BTreeSet<usize> = ids.into_iter().take(size).collect();
        let one_way = self.random.chance(300);
        self.note(if one_way {
            "partition_one_way"
        } else {
            "partition"
        });
        self.network.partition(&group, replicas, one_way);
        let lasts = self.random.between(100_000, 4_000_000);
        self.schedule(lasts, Event::Fault(Fault::Mend));
    }

    /// FoundationDB's swizzled clogging: some replicas are clogged one after another and unclogged in
    /// another order.
    fn swizzle(&mut self) {
        self.note("swizzle");
        let replicas = self.nodes.len();
        let mut ids: Vec<usize> = (0..replicas).collect();
        self.random.shuffle(&mut ids);
        let count = self.random.between(1, replicas as u64) as usize;
        let mut chosen: Vec<usize> = ids.into_iter().take(count).collect();
        let mut at = 0;
        for node in chosen.clone() {
            at += self.random.between(0, 300_000);
            self.schedule(at, Event::Fault(Fault::Clog(node)));
        }
        self.random.shuffle(&mut chosen);
        at += self.random.between(100_000, 1_500_000);
        for node in chosen {
            at += self.random.between(0, 500_000);
            self.schedule(at, Event::Fault(Fault::Unclog(node)));
        }
    }
}
