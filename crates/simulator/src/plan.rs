//! What a seed means: the size of the cluster, its limits, and the faults that it suffers.

use pbft::Limits;
use serde::Serialize;

use crate::membership::{Membership, Suspects};
use crate::random::Random;

/// How a faulty replica behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Behaviour {
    /// Says nothing at all.
    Silent,
    /// Takes part, but proposes nothing when it is the primary.
    SilentPrimary,
    /// Proposes late, just before its backups lose patience.
    SlowPrimary,
    /// Never takes in what every other client asks for.
    Censoring,
    /// Proposes two batches for one slot, each to some, and votes for both.
    Equivocating,
    /// Sends what it should to a few replicas only.
    Selective,
    /// Answers fetches of blocks with forged ones and claims to be far ahead.
    ForgingHistory,
    /// Equivocates, and makes up proofs: repeated signers, short quorums, its own PREPARE as primary, checkpoints
    /// that never were, new views that leave out what was prepared.
    ForgingProofs,
    /// Sends again what it heard long ago, and votes that others signed in an earlier epoch.
    Replaying,
    /// Runs twice under one key; the two know nothing of each other (Twins, Bano et al., OPODIS 2021).
    Twin,
}

impl Behaviour {
    /// The name under which reports count it.
    pub fn name(self) -> &'static str {
        match self {
            Behaviour::Silent => "byzantine_silent",
            Behaviour::SilentPrimary => "byzantine_silent_primary",
            Behaviour::SlowPrimary => "byzantine_slow_primary",
            Behaviour::Censoring => "byzantine_censoring",
            Behaviour::Equivocating => "byzantine_equivocating",
            Behaviour::Selective => "byzantine_selective",
            Behaviour::ForgingHistory => "byzantine_forging_history",
            Behaviour::ForgingProofs => "byzantine_forging_proofs",
            Behaviour::Replaying => "byzantine_replaying",
            Behaviour::Twin => "byzantine_twin",
        }
    }

    /// All of them.
    pub const ALL: [Behaviour; 10] = [
        Behaviour::Silent,
        Behaviour::SilentPrimary,
        Behaviour::SlowPrimary,
        Behaviour::Censoring,
        Behaviour::Equivocating,
        Behaviour::Selective,
        Behaviour::ForgingHistory,
        Behaviour::ForgingProofs,
        Behaviour::Replaying,
        Behaviour::Twin,
    ];
}

/// What a disk does that no replica survives in good standing: from then on it counts as faulty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DiskDamage {
    /// A bit of the synced vote log flips.
    LogBitFlip,
    /// The vote log is lost, the chain is not.
    LogLost,
    /// The whole disk is replaced by an older copy.
    OldCopy,
}

/// Mean times between faults of each kind, in microseconds; 0 for none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Every {
    /// One process is killed, between two events or in the middle of one's effects.
    pub crash_us: u64,
    /// All processes are killed at once.
    pub crash_all_us: u64,
    /// The primary is killed.
    pub crash_primary_us: u64,
    /// Partitions, also one-way ones.
    pub partition_us: u64,
    /// Swizzled cloggings.
    pub swizzle_us: u64,
    /// Jumps of one replica's wall clock.
    pub clock_jump_us: u64,
    /// A disk that takes no more writes for a while.
    pub disk_full_us: u64,
    /// A disk that cannot be read for a while when its process starts again.
    pub read_error_us: u64,
    /// A bit of a stored block flips.
    pub block_flip_us: u64,
}

/// The faults and sizes of one run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How many replicas in the first epoch.
    pub replicas: usize,
    /// How the replica set changes, and who comes.
    pub membership: Membership,
    /// Limits and timers of all of them.
    pub limits: Limits,
    /// Ed25519 instead of the keyed-hash stand-in.
    pub real_signatures: bool,
    /// The faulty ones; with `damage`, at most f of every epoch's set.
    pub byzantine: Vec<(usize, Behaviour)>,
    /// Whose disk is damaged, how, and when.
    pub damage: Vec<(usize, DiskDamage, u64)>,
    /// How many clients.
    pub clients: usize,
    /// Requests of each client.
    pub requests: u64,
    /// Pause of a client between requests, at most.
    pub think_us_max: u64,
    /// Messages lost, of 1,000.
    pub loss_permille: u64,
    /// Messages delivered twice, of 1,000.
    pub duplication_permille: u64,
    /// Messages that take up to `delay_long_us`, of 1,000.
    pub delay_permille: u64,
    /// Ordinary delay, at most.
    pub delay_us: u64,
    /// Long delay, at most.
    pub delay_long_us: u64,
    /// How long a sync takes, at most.
    pub sync_us: u64,
    /// How often what happens.
    pub every: Every,
    /// How far wall clocks are apart, at most.
    pub skew_us: u64,
    /// How long the faults last before everything heals.
    pub faulty_us: u64,
    /// How long the healed cluster has to answer everything.
    pub heal_us: u64,
}

impl Plan {
    /// No faults: four replicas, two clients.
    pub fn calm() -> Plan {
        Plan {
            replicas: 4,
            membership: Membership::default(),
            limits: limits(8, 16, 4, 8),
            real_signatures: false,
            byzantine: Vec::new(),
            damage: Vec::new(),
            clients: 2,
            requests: 20,
            think_us_max: 20_000,
            loss_permille: 0,
            duplication_permille: 0,
            delay_permille: 0,
            delay_us: 500,
            delay_long_us: 50_000,
            sync_us: 300,
            every: Every::default(),
            skew_us: 0,
            faulty_us: 2_000_000,
            heal_us: 60_000_000,
        }
    }

    /// The plan of a seed: every fault is switched on or off by itself, at its own strength.
    pub fn of(random: &mut Random) -> Plan {
        let replicas = random.pick(&[4, 4, 4, 4, 4, 5, 6, 7]);
        let faulty_us = random.between(5_000_000, 15_000_000);
        let (byzantine, damage) = faulty_replicas(random, replicas, faulty_us);
        let interval = random.pick(&[2, 4, 8]);
        let window = interval * random.between(2, 4);
        let depth = random.between(1, 8);
        let batch = random.between(1, 12) as usize;
        let mut plan = Plan {
            replicas,
            membership: Membership::default(),
            limits: limits(interval, window, depth, batch),
            real_signatures: false,
            byzantine,
            damage,
            clients: random.between(2, 6) as usize,
            requests: random.between(10, 25),
            think_us_max: random.pick(&[1_000, 50_000, 400_000]),
            loss_permille: random.pick(&[0, 0, 10, 50, 150]),
            duplication_permille: random.pick(&[0, 0, 20, 100]),
            delay_permille: random.pick(&[0, 10, 100]),
            delay_us: random.pick(&[300, 2_000, 10_000]),
            delay_long_us: random.pick(&[50_000, 500_000, 2_000_000]),
            sync_us: random.pick(&[200, 1_000, 20_000]),
            every: Every::of(random),
            skew_us: random.pick(&[0, 10_000, 400_000]),
            faulty_us,
            heal_us: 45_000_000,
        };
        // Drawn last, so that what the other faults of a seed are does not depend on it.
        let mut suspects = Suspects {
            byzantine: &mut plan.byzantine,
            damaged: plan.damage.iter().map(|(id, ..)| *id).collect(),
        };
        plan.membership = Membership::of(random, replicas, &mut suspects, faulty_us);
        plan
    }

    /// How many replicas there are in all epochs together.
    pub fn replicas_ever(&self) -> usize {
        self.replicas + self.membership.newcomers.len()
    }

    /// How a replica behaves, if it is Byzantine.
    pub fn behaviour(&self, replica: usize) -> Option<Behaviour> {
        let found = self.byzantine.iter().find(|(id, _)| *id == replica);
        found.map(|(_, behaviour)| *behaviour)
    }
}

impl Every {
    fn of(random: &mut Random) -> Every {
        let mut every = |permille: u64, low_us: u64, high_us: u64| {
            if random.chance(permille) {
                random.between(low_us, high_us)
            } else {
                0
            }
        };
        Every {
            crash_us: every(450, 500_000, 5_000_000),
            crash_all_us: every(150, 2_000_000, 10_000_000),
            crash_primary_us: every(300, 1_000_000, 6_000_000),
            partition_us: every(450, 500_000, 5_000_000),
            swizzle_us: every(350, 1_000_000, 6_000_000),
            clock_jump_us: every(200, 1_000_000, 6_000_000),
            disk_full_us: every(150, 1_000_000, 8_000_000),
            read_error_us: every(150, 1_000_000, 8_000_000),
            block_flip_us: every(150, 1_000_000, 8_000_000),
        }
    }
}

type Faulty = (Vec<(usize, Behaviour)>, Vec<(usize, DiskDamage, u64)>);

/// At most f replicas, each Byzantine or with a damaged disk.
fn faulty_replicas(random: &mut Random, replicas: usize, faulty_us: u64) -> Faulty {
    let faults = (replicas as u64 - 1) / 3;
    let mut ids: Vec<usize> = (0..replicas).collect();
    random.shuffle(&mut ids);
    let count = if random.chance(550) {
        random.between(1, faults)
    } else {
        0
    };
    let (mut byzantine, mut damage) = (Vec::new(), Vec::new());
    for id in ids.into_iter().take(count as usize) {
        if random.chance(150) {
            let how = random.pick(&[
                DiskDamage::LogBitFlip,
                DiskDamage::LogLost,
                DiskDamage::OldCopy,
            ]);
            damage.push((id, how, random.between(faulty_us / 4, faulty_us)));
        } else {
            byzantine.push((id, random.pick(&Behaviour::ALL)));
        }
    }
    (byzantine, damage)
}

/// Limits with the timers of a simulated cluster.
pub fn limits(
    checkpoint_interval: u64,
    window: u64,
    pipeline_depth: u64,
    batch_digests_max: usize,
) -> Limits {
    Limits {
        checkpoint_interval,
        window,
        pipeline_depth,
        batch_digests_max,
        pool_requests_max: 200,
        client_requests_max: 50,
        forward_after_us: 200_000,
        request_timeout_us: 500_000,
        new_view_timeout_us: 500_000,
        timeout_factor_max: 8,
        idle_block_after_us: 3_000_000,
        status_interval_us: 150_000,
        status_interval_idle_us: 500_000,
        retransmit_after_us: 150_000,
        fetch_timeout_us: 1_000_000,
        fetch_blocks_max: 32,
        ..Limits::default()
    }
}
