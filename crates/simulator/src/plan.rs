//! What a seed means: the size of the cluster, its limits, and the faults that it suffers.

use pbft::Limits;
use serde::Serialize;

use crate::random::Random;

/// How a faulty replica behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Behaviour {
    /// Says nothing at all.
    Silent,
    /// Takes part, but proposes nothing when it is the primary.
    SilentPrimary,
    /// Proposes two batches for one slot, each to some, and votes for both.
    Equivocating,
    /// Sends what it should to a few replicas only.
    Selective,
    /// Answers fetches of blocks with forged ones and claims to be far ahead.
    ForgingHistory,
}

/// The faults and sizes of one run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How many replicas.
    pub replicas: usize,
    /// Limits and timers of all of them.
    pub limits: Limits,
    /// Ed25519 instead of the keyed-hash stand-in.
    pub real_signatures: bool,
    /// The faulty ones: at most f.
    pub byzantine: Vec<(usize, Behaviour)>,
    /// How many clients, and how many requests each of them makes.
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
    /// Ordinary and long delay, at most.
    pub delay_us: u64,
    /// Long delay, at most.
    pub delay_long_us: u64,
    /// How long a sync takes, at most.
    pub sync_us: u64,
    /// Mean time between faults of each kind; 0 for none.
    pub crash_every_us: u64,
    /// Mean time between crashes of all replicas at once.
    pub crash_all_every_us: u64,
    /// Mean time between partitions (also one-way ones).
    pub partition_every_us: u64,
    /// Mean time between swizzled cloggings.
    pub swizzle_every_us: u64,
    /// Mean time between kills of the primary.
    pub crash_primary_every_us: u64,
    /// Mean time between jumps of one replica's wall clock.
    pub clock_jump_every_us: u64,
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
            limits: limits(8, 16, 4, 8),
            real_signatures: false,
            byzantine: Vec::new(),
            clients: 2,
            requests: 20,
            think_us_max: 20_000,
            loss_permille: 0,
            duplication_permille: 0,
            delay_permille: 0,
            delay_us: 500,
            delay_long_us: 50_000,
            sync_us: 300,
            crash_every_us: 0,
            crash_all_every_us: 0,
            partition_every_us: 0,
            swizzle_every_us: 0,
            crash_primary_every_us: 0,
            clock_jump_every_us: 0,
            skew_us: 0,
            faulty_us: 2_000_000,
            heal_us: 60_000_000,
        }
    }

    /// The plan of a seed: every fault is switched on or off by itself, at its own strength.
    pub fn of(random: &mut Random) -> Plan {
        let replicas = random.pick(&[4, 4, 4, 4, 4, 5, 6, 7]);
        let faults = (replicas as u64 - 1) / 3;
        let mut ids: Vec<usize> = (0..replicas).collect();
        random.shuffle(&mut ids);
        let byzantine_count = if random.chance(400) {
            random.between(1, faults)
        } else {
            0
        };
        let behaviours = [
            Behaviour::Silent,
            Behaviour::SilentPrimary,
            Behaviour::Equivocating,
            Behaviour::Equivocating,
            Behaviour::Selective,
            Behaviour::ForgingHistory,
        ];
        let byzantine = ids
            .iter()
            .take(byzantine_count as usize)
            .map(|id| (*id, random.pick(&behaviours)))
            .collect();
        let interval = random.pick(&[2, 4, 8]);
        let window = interval * random.between(2, 4);
        let depth = random.between(1, 8);
        let batch = random.between(1, 16) as usize;
        let mut every = |permille: u64, low_us: u64, high_us: u64| {
            if random.chance(permille) {
                random.between(low_us, high_us)
            } else {
                0
            }
        };
        let crash_every_us = every(450, 500_000, 5_000_000);
        let crash_all_every_us = every(150, 2_000_000, 10_000_000);
        let partition_every_us = every(450, 500_000, 5_000_000);
        let swizzle_every_us = every(350, 1_000_000, 6_000_000);
        let crash_primary_every_us = every(300, 1_000_000, 6_000_000);
        let clock_jump_every_us = every(200, 1_000_000, 6_000_000);
        Plan {
            replicas,
            limits: limits(interval, window, depth, batch),
            real_signatures: false,
            byzantine,
            clients: random.between(1, 6) as usize,
            requests: random.between(10, 30),
            think_us_max: random.pick(&[1_000, 50_000, 400_000]),
            loss_permille: random.pick(&[0, 0, 10, 50, 150]),
            duplication_permille: random.pick(&[0, 0, 20, 100]),
            delay_permille: random.pick(&[0, 10, 100]),
            delay_us: random.pick(&[300, 2_000, 10_000]),
            delay_long_us: random.pick(&[50_000, 500_000, 2_000_000]),
            sync_us: random.pick(&[200, 1_000, 20_000]),
            crash_every_us,
            crash_all_every_us,
            partition_every_us,
            swizzle_every_us,
            crash_primary_every_us,
            clock_jump_every_us,
            skew_us: random.pick(&[0, 10_000, 400_000]),
            faulty_us: random.between(5_000_000, 15_000_000),
            heal_us: 90_000_000,
        }
    }
}

fn limits(
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
