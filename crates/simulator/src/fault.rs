//! Faults that come and go while a run lasts.

use std::collections::BTreeSet;

use crate::cluster::{Cluster, Event};
use crate::disk::Disk;
use crate::plan::DiskDamage;

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
    DiskFull,
    ReadError,
    BlockFlip,
    /// The disk is copied, to be put back later.
    CopyDisk(usize),
    Damage(usize, DiskDamage),
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
            Fault::DiskFull,
            Fault::ReadError,
            Fault::BlockFlip,
        ] {
            self.schedule_next(fault);
        }
        for (node, how, at) in self.plan.damage.clone() {
            self.schedule(at / 2, Event::Fault(Fault::CopyDisk(node)));
            self.schedule(at, Event::Fault(Fault::Damage(node, how)));
        }
    }

    fn every_us(&self, fault: Fault) -> u64 {
        let every = &self.plan.every;
        match fault {
            Fault::Crash => every.crash_us,
            Fault::CrashAll => every.crash_all_us,
            Fault::CrashPrimary => every.crash_primary_us,
            Fault::Partition => every.partition_us,
            Fault::Swizzle => every.swizzle_us,
            Fault::ClockJump => every.clock_jump_us,
            Fault::DiskFull => every.disk_full_us,
            Fault::ReadError => every.read_error_us,
            Fault::BlockFlip => every.block_flip_us,
            Fault::Mend
            | Fault::Clog(_)
            | Fault::Unclog(_)
            | Fault::CopyDisk(_)
            | Fault::Damage(..) => 0,
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
        match fault {
            Fault::Crash => self.crash_someone(),
            Fault::CrashAll => {
                self.note("crash_all");
                for node in 0..self.nodes.len() {
                    self.crash_node(node);
                }
            }
            Fault::CrashPrimary => {
                if let Some(primary) = self.current_primary() {
                    self.note("crash_primary");
                    self.crash_node(primary);
                }
            }
            Fault::Partition => self.partition(),
            Fault::Mend => self.network.mend(),
            Fault::Swizzle => self.swizzle(),
            Fault::Clog(node) => self.network.clog(node),
            Fault::Unclog(node) => self.network.unclog(node),
            Fault::ClockJump => {
                self.note("clock_jump");
                let jump = self.random.between(0, 8_000_000) as i64 - 4_000_000;
                let node = self.someone();
                self.nodes[node].clock_offset = jump;
            }
            Fault::DiskFull => {
                self.note("disk_full");
                let node = self.someone();
                let lasts = self.random.between(100_000, 2_000_000);
                self.nodes[node].disk.full_until_us = self.now + lasts;
            }
            Fault::ReadError => {
                self.note("read_error");
                let node = self.someone();
                let lasts = self.random.between(100_000, 2_000_000);
                self.nodes[node].disk.unreadable_until_us = self.now + lasts;
                self.crash_node(node);
            }
            Fault::BlockFlip => {
                self.note("block_bit_flip");
                let node = self.someone();
                self.nodes[node].disk.flip_block_bit(&mut self.random);
            }
            Fault::CopyDisk(node) => {
                self.nodes[node].old_copy = Some(self.nodes[node].disk.copy());
            }
            Fault::Damage(node, how) => self.damage(node, how),
        }
        self.schedule_next(fault);
    }

    fn someone(&mut self) -> usize {
        self.random.below(self.nodes.len() as u64) as usize
    }

    fn current_primary(&self) -> Option<usize> {
        let correct = self.nodes.iter().filter(|node| node.is_correct());
        let voting = correct.filter_map(|node| Some((node, node.replica.as_ref()?.summary())));
        let (_, summary) = voting.max_by_key(|(node, summary)| (node.epoch(), summary.view))?;
        Some(usize::from(summary.primary.0))
    }

    /// Half of the time between two events, else in the middle of what a step asked for.
    fn crash_someone(&mut self) {
        let node = self.someone();
        if self.random.chance(500) {
            self.crash_node(node);
        } else if self.nodes[node].is_up() {
            self.nodes[node].killed_after_effects = Some(self.random.below(8));
        }
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
        if !self.nodes[node].is_up() {
            return false;
        }
        self.note("crash");
        let torn = self.nodes[node].crash(&mut self.random);
        if torn {
            self.note("torn_write");
        }
        true
    }

    /// Starts a process that is down.
    pub fn start_node(&mut self, node: usize) {
        self.schedule(0, Event::Restart { node });
    }

    /// The process dies, its disk is not what it was, and from now on the replica counts as faulty.
    pub(crate) fn damage(&mut self, node: usize, how: DiskDamage) {
        self.crash_node(node);
        self.nodes[node].is_damaged = true;
        let replica = self.nodes[node].replica_id;
        self.oracle.distrust(replica);
        for judge in self
            .judges
            .iter_mut()
            .flat_map(|judges| judges.values_mut())
        {
            judge.distrust(replica);
        }
        match how {
            DiskDamage::LogBitFlip => {
                self.note("log_bit_flip");
                self.nodes[node].disk.flip_log_bit(&mut self.random);
            }
            DiskDamage::LogLost => {
                self.note("log_lost");
                self.nodes[node].disk.log.clear();
            }
            DiskDamage::OldCopy => {
                self.note("old_copy");
                let copy: Disk = self.nodes[node].old_copy.take().unwrap_or_default();
                self.nodes[node].disk = copy;
            }
        }
    }

    pub(crate) fn partition(&mut self) {
        let processes = self.nodes.len();
        let mut ids: Vec<usize> = (0..processes).collect();
        self.random.shuffle(&mut ids);
        let size = self.random.between(1, processes as u64 - 1) as usize;
        let group: BTreeSet<usize> = ids.into_iter().take(size).collect();
        let one_way = self.random.chance(300);
        self.note(if one_way {
            "partition_one_way"
        } else {
            "partition"
        });
        self.network.partition(&group, processes, one_way);
        let lasts = self.random.between(100_000, 4_000_000);
        self.schedule(lasts, Event::Fault(Fault::Mend));
    }

    /// FoundationDB's swizzled clogging: some replicas are clogged one after another and unclogged in
    /// another order.
    fn swizzle(&mut self) {
        self.note("swizzle");
        let processes = self.nodes.len();
        let mut ids: Vec<usize> = (0..processes).collect();
        self.random.shuffle(&mut ids);
        let count = self.random.between(1, processes as u64) as usize;
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
