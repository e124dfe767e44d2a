//! The figures of a measured load: what came of it, what it cost, under which conditions.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use ledger::{GenesisFile, ReceiptVerifier};
use serde::Serialize;

use super::cluster::Cluster;
use super::length::CatchUp;
use super::load::Outcome;
use super::measure::Conditions;
use super::process::{Metrics, Process, cpu_seconds};
use super::receipts::{Heard, Receipts};

/// How many receipts are verified one by one for the time that it takes.
const TIMED: usize = 1_000;

/// The figures of one load.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// Replicas in the cluster.
    pub replicas: usize,
    /// Offered a second.
    pub offered_tps: u64,
    /// Receipts a second, from the first transaction to the last receipt.
    pub tps: f64,
    /// Offered in all.
    pub transactions: u64,
    /// Receipts, every one verified from the genesis file alone.
    pub receipts_verified: u64,
    /// How many of them say that the contract accepted.
    pub accepted: u64,
    /// Answers "busy".
    pub busy: u64,
    /// Other refusals.
    pub refused: u64,
    /// How often something was sent again because no receipt came.
    pub repeats: u64,
    /// From when a transaction was due to its receipt's arrival, plus the time to verify one receipt.
    pub p50_ms: f64,
    /// Likewise.
    pub p90_ms: f64,
    /// Likewise.
    pub p99_ms: f64,
    /// Likewise.
    pub max_ms: f64,
    /// What it takes to verify one receipt with everything in it.
    pub receipt_verification_us: f64,
    /// The longest time without a receipt after the primary was killed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outage_ms: Option<f64>,
    /// How long a replica took to be ready when it was started again at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_ready_seconds: Option<f64>,
    /// How a replica that was away caught up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catch_up: Option<CatchUp>,
    /// In the ledger before the load.
    pub ledger_transactions_before: u64,
    /// From the first transaction to the last receipt.
    pub seconds: f64,
    /// How long sending took.
    pub sending_seconds: f64,
    /// The mean size of a signed transaction.
    pub transaction_bytes: f64,
    /// The block files' growth per transaction at one replica.
    pub ledger_bytes_per_record: f64,
    /// The median number of transactions of a block.
    pub batch_size: u32,
    /// Blocks a second.
    pub blocks_per_second: f64,
    /// Checked by all replicas together.
    pub signature_checks_per_tx: f64,
    /// By all replicas together.
    pub fsyncs_per_second: f64,
    /// The median of the journals' writes with their syncs.
    pub fsync_p50_us: f64,
    /// Of one replica's execution thread, by the clock.
    pub execution_us_per_tx: f64,
    /// By process.
    pub cpu_seconds_per_1000_tx: BTreeMap<String, f64>,
    /// Of the replicas' threads, the mean of the replicas.
    pub cpu_us_per_tx_by_thread: BTreeMap<String, f64>,
    /// By process, at the end.
    pub rss_mb: BTreeMap<String, u64>,
    /// Under which conditions it was measured.
    pub conditions: Conditions,
}

/// What the processes have counted up to a moment.
pub struct Counts {
    cpu: BTreeMap<String, f64>,
    threads: BTreeMap<String, f64>,
    ledger_bytes: u64,
    metrics: Vec<Metrics>,
}

impl Counts {
    /// Reads them.
    pub async fn now(cluster: &Cluster) -> anyhow::Result<Counts> {
        let mut cpu = by_process(cluster, Process::cpu_seconds);
        cpu.insert("generator".to_owned(), cpu_seconds(std::process::id()));
        let mut threads = BTreeMap::new();
        let mut metrics = Vec::new();
        for process in cluster.replicas.values() {
            for (name, seconds) in process.cpu_seconds_by_thread() {
                *threads.entry(name).or_default() += seconds;
            }
            metrics.push(process.metrics().await?);
        }
        Ok(Counts {
            cpu,
            threads,
            ledger_bytes: cluster.ledger_bytes()?,
            metrics,
        })
    }

    fn sum(&self, name: &str) -> f64 {
        self.metrics.iter().map(|metrics| metrics.get(name)).sum()
    }

    /// The counts of a histogram's buckets over all replicas, by upper bound.
    fn buckets(&self, name: &str) -> Vec<(f64, f64)> {
        let mut sum: Vec<(f64, f64)> = Vec::new();
        for metrics in &self.metrics {
            for (place, (bound, count)) in metrics.buckets(name).into_iter().enumerate() {
                match sum.get_mut(place) {
                    Some((_, so_far)) => *so_far += count,
                    None => sum.push((bound, count)),
                }
            }
        }
        sum
    }
}

fn by_process<T>(cluster: &Cluster, value: impl Fn(&Process) -> T) -> BTreeMap<String, T> {
    let mut values: BTreeMap<String, T> = cluster
        .replicas
        .iter()
        .map(|(replica, process)| (format!("replica-{replica}"), value(process)))
        .collect();
    values.insert("broker".to_owned(), value(&cluster.broker));
    values
}

/// The median by a histogram's buckets, interpolated in its bucket, in microseconds.
fn median_us(before: &[(f64, f64)], after: &[(f64, f64)]) -> f64 {
    let counts: Vec<(f64, f64)> = after
        .iter()
        .enumerate()
        .map(|(place, (bound, count))| {
            (
                *bound,
                count - before.get(place).map_or(0.0, |(_, count)| *count),
            )
        })
        .collect();
    let half = counts.last().map_or(0.0, |(_, count)| count / 2.0);
    let (mut lower, mut below) = (0.0, 0.0);
    for (bound, count) in counts {
        if count >= half && count > below {
            let share = (half - below) / (count - below);
            return (lower + share * (bound - lower)) * 1e6;
        }
        (lower, below) = (bound, count);
    }
    0.0
}

/// What the receipts say.
struct Verified {
    receipts: u64,
    accepted: u64,
    /// Transactions of each block, by height.
    blocks: BTreeMap<u64, u32>,
    one_takes: Duration,
}

/// Verifies every receipt from the genesis file alone, and times some.
fn verify(genesis: &GenesisFile, outcome: &Outcome) -> anyhow::Result<Verified> {
    genesis.check()?;
    let receipts = &outcome.receipts;
    let half = receipts.heard().len().div_ceil(2).max(1);
    let parts = std::thread::scope(|scope| {
        let parts: Vec<_> = receipts
            .heard()
            .chunks(half)
            .map(|part| scope.spawn(move || verify_part(genesis, receipts, part)))
            .collect();
        let joined = parts.into_iter().map(|part| {
            part.join()
                .map_err(|_| anyhow::anyhow!("verification panicked"))?
        });
        joined.collect::<anyhow::Result<Vec<_>>>()
    })?;
    let mut whole = Verified {
        receipts: 0,
        accepted: 0,
        blocks: BTreeMap::new(),
        one_takes: Duration::ZERO,
    };
    for (accepted, heights) in parts {
        whole.accepted += accepted;
        whole.blocks.extend(heights);
    }
    whole.receipts = receipts.heard().len() as u64;
    let mut times = Vec::new();
    let mut reader = receipts.reader();
    for heard in receipts.heard().iter().take(TIMED) {
        let started = Instant::now();
        let receipt = reader.read(heard)?;
        receipt.verify_from(&genesis.chain_id(), &genesis.epoch)?;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    whole.one_takes = times.get(times.len() / 2).copied().unwrap_or_default();
    Ok(whole)
}

type Part = (u64, BTreeSet<(u64, u32)>);

/// How many are accepted, and the blocks they are in.
fn verify_part(genesis: &GenesisFile, receipts: &Receipts, part: &[Heard]) -> anyhow::Result<Part> {
    let mut verifier = ReceiptVerifier::new(genesis.chain_id(), genesis.epoch.clone());
    let (mut accepted, mut blocks) = (0, BTreeSet::new());
    let mut reader = receipts.reader();
    for heard in part {
        let receipt = reader.read(heard)?;
        let verified = verifier
            .verify(&receipt)
            .with_context(|| format!("the receipt of transaction {}", heard.number))?;
        accepted += u64::from(verified.outcome().is_accepted());
        blocks.insert((receipt.header.height.0, receipt.header.transactions));
    }
    Ok((accepted, blocks))
}

/// Verifies the receipts, and puts the figures together.
pub async fn figures(
    cluster: &Cluster,
    outcome: &Outcome,
    before: &Counts,
    conditions: Conditions,
) -> anyhow::Result<Figures> {
    let after = Counts::now(cluster).await?;
    let verified = verify(&cluster.genesis, outcome)?;
    let mut latencies = outcome.latencies();
    latencies.sort_unstable();
    let percentile_ms = |percent: usize| {
        let place = (latencies.len() * percent / 100).min(latencies.len().saturating_sub(1));
        let latency = latencies.get(place).copied().unwrap_or_default();
        (latency + verified.one_takes).as_secs_f64() * 1e3
    };
    let last = outcome
        .arrived
        .iter()
        .flatten()
        .max()
        .copied()
        .unwrap_or_default();
    let seconds = last.as_secs_f64().max(f64::MIN_POSITIVE);
    let count = verified.receipts.max(1) as f64;
    let mut sizes: Vec<u32> = verified.blocks.values().copied().collect();
    sizes.sort_unstable();
    let syncs = "ordering_sync_seconds";
    let more = |name: &str| after.sum(name) - before.sum(name);
    let replicas = cluster.replicas.len().max(1) as f64;
    let used = |after: &BTreeMap<String, f64>, before: &BTreeMap<String, f64>, factor: f64| {
        let used = after.iter().map(|(name, after)| {
            let before = before.get(name).copied().unwrap_or(0.0);
            (
                name.clone(),
                rounded((after - before).max(0.0) * factor / count),
            )
        });
        used.collect::<BTreeMap<String, f64>>()
    };
    Ok(Figures {
        replicas: cluster.genesis.epoch.replicas.len(),
        offered_tps: outcome.amount.rate,
        tps: rounded(count / seconds),
        transactions: outcome.amount.count,
        receipts_verified: verified.receipts,
        accepted: verified.accepted,
        busy: outcome.busy,
        refused: outcome.refused,
        repeats: outcome.repeats,
        p50_ms: rounded(percentile_ms(50)),
        p90_ms: rounded(percentile_ms(90)),
        p99_ms: rounded(percentile_ms(99)),
        max_ms: rounded(percentile_ms(100)),
        receipt_verification_us: rounded(verified.one_takes.as_secs_f64() * 1e6),
        outage_ms: None,
        restart_ready_seconds: None,
        catch_up: None,
        ledger_transactions_before: 0,
        seconds: rounded(seconds),
        sending_seconds: rounded(outcome.sending.as_secs_f64()),
        transaction_bytes: rounded(outcome.transaction_bytes),
        ledger_bytes_per_record: rounded(
            after.ledger_bytes.saturating_sub(before.ledger_bytes) as f64 / count,
        ),
        batch_size: sizes.get(sizes.len() / 2).copied().unwrap_or(0),
        blocks_per_second: rounded(sizes.len() as f64 / seconds),
        signature_checks_per_tx: rounded(more("ordering_checked_total") / count),
        fsyncs_per_second: rounded(
            (more("ordering_sync_seconds_count") + more("ordering_file_syncs_total")) / seconds,
        ),
        fsync_p50_us: rounded(median_us(&before.buckets(syncs), &after.buckets(syncs))),
        execution_us_per_tx: rounded(
            more("ordering_execution_seconds_sum") * 1e6 / count / replicas,
        ),
        cpu_seconds_per_1000_tx: used(&after.cpu, &before.cpu, 1e3),
        cpu_us_per_tx_by_thread: used(&after.threads, &before.threads, 1e6 / replicas),
        rss_mb: by_process(cluster, Process::rss_mb),
        conditions,
    })
}

fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}
