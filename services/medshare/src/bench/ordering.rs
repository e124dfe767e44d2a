//! `medshare bench ordering`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use bus::Bus;
use bus::ordering_wire::{BlocksRequest, StatusRequest, SubmitReply};
use ledger::{CertifiedBlock, Digest, GenesisFile, Receipt, ReplicaId, canonical};
use serde::Serialize;

use super::OrderingBench;
use super::cluster::Cluster;
use super::load::{self, Amount, Outcome};
use super::process::{Process, cpu_seconds};

/// The figures of one run.
#[derive(Debug, Serialize)]
struct Figures {
    replicas: u16,
    offered_tps: u64,
    tps: f64,
    transactions: u64,
    receipts_verified: u64,
    accepted: u64,
    busy: u64,
    refused: u64,
    repeats: u64,
    p50_ms: f64,
    p90_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    /// The longest time without a receipt after the primary was killed.
    #[serde(skip_serializing_if = "Option::is_none")]
    outage_ms: Option<f64>,
    seconds: f64,
    sending_seconds: f64,
    transaction_bytes: usize,
    ledger_bytes_per_record: f64,
    batch_size_mean: f64,
    signature_checks_per_tx: f64,
    fsyncs_per_second: f64,
    fsync_mean_us: f64,
    execution_us_per_tx: f64,
    cpu_seconds_per_1000_tx: BTreeMap<String, f64>,
    rss_mb: BTreeMap<String, u64>,
}

/// Measures as asked.
pub async fn run(arguments: &OrderingBench, json: bool) -> anyhow::Result<String> {
    ensure!(
        arguments.rate > 0 && arguments.seconds > 0,
        "--rate and --seconds must be at least 1"
    );
    ensure!(
        arguments.members > 0 && arguments.replicas >= 4,
        "at least one member and four replicas"
    );
    if !arguments.search {
        return Ok(shown(&once(arguments).await?, json)?);
    }
    let mut best = None;
    let mut arguments = arguments.clone();
    loop {
        let figures = once(&arguments).await?;
        let kept_up = figures.p99_ms < 100.0 && figures.tps > 0.95 * arguments.rate as f64;
        eprintln!(
            "bench: {} tx/s offered: {:.0} tx/s, p99 {:.1} ms",
            arguments.rate, figures.tps, figures.p99_ms
        );
        if !kept_up {
            break;
        }
        arguments.rate = arguments.rate * 5 / 4;
        best = Some(figures);
    }
    shown(
        &best.context("the p99 is above 100 ms at the first rate: start with a lower --rate")?,
        json,
    )
}

fn shown(figures: &Figures, json: bool) -> anyhow::Result<String> {
    Ok(if json {
        serde_json::to_string(figures)?
    } else {
        serde_json::to_string_pretty(figures)?
    })
}

/// A fresh folder that is removed at the end.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn scratch(dir: &Path) -> anyhow::Result<Scratch> {
    std::fs::create_dir_all(dir)?;
    let folder = dir
        .canonicalize()?
        .join(format!("bench-{}", chassis::clock::now()));
    crate::files::make_private_folder(&folder)?;
    Ok(Scratch(folder))
}

async fn once(arguments: &OrderingBench) -> anyhow::Result<Figures> {
    let scratch = scratch(&arguments.dir)?;
    let mut cluster = Cluster::start(arguments, &scratch.0).await?;
    let asker = cluster.connect().await?;
    let nats = cluster.connect_generator().await?;
    let amount = Amount {
        rate: arguments.rate,
        count: arguments.rate * arguments.seconds,
    };
    let before = cpu_by_process(&cluster);
    let keys = std::mem::take(&mut cluster.member_keys);
    let chain = cluster.genesis.chain_id();
    let mut killed = None;
    let outcome = load::offer(&nats, chain, keys, amount, async |second| {
        if killed.is_none()
            && arguments
                .kill_primary_after
                .is_some_and(|after| second >= after)
        {
            kill_primary(&mut cluster.replicas, &asker).await?;
            killed = Some(Instant::now());
        }
        Ok(())
    })
    .await?;
    let after = cpu_by_process(&cluster);
    let verified = verify(&cluster.genesis, &outcome)?;
    ensure_agreement(&cluster, &asker).await?;
    let mut figures = figures(arguments, amount, &outcome, verified);
    figures.outage_ms = killed.map(|killed| longest_silence_ms(&outcome, killed));
    let thousands = amount.count as f64 / 1000.0;
    figures.cpu_seconds_per_1000_tx = after
        .into_iter()
        .map(|(name, seconds)| {
            let used = seconds - before.get(&name).copied().unwrap_or(0.0);
            (name, used / thousands)
        })
        .collect();
    figures.rss_mb = by_process(&cluster, Process::rss_mb);
    figures.ledger_bytes_per_record = cluster.ledger_bytes()? as f64 / verified.0.max(1) as f64;
    add_metrics(&mut figures, &cluster, &outcome).await?;
    asker.close().await;
    cluster.stop().await;
    Ok(figures)
}

async fn kill_primary(
    replicas: &mut BTreeMap<ReplicaId, Process>,
    asker: &Bus,
) -> anyhow::Result<()> {
    let status = asker.ask_any(&StatusRequest {}).await?;
    let primary = replicas
        .remove(&status.primary)
        .context("the primary is one of the replicas")?;
    primary.kill().await
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

fn cpu_by_process(cluster: &Cluster) -> BTreeMap<String, f64> {
    let mut seconds = by_process(cluster, Process::cpu_seconds);
    seconds.insert("generator".to_owned(), cpu_seconds(std::process::id()));
    seconds
}

/// Verifies every receipt from the genesis file alone: how many, and how many of them accepted.
fn verify(genesis: &GenesisFile, outcome: &Outcome) -> anyhow::Result<(u64, u64)> {
    let payloads: Vec<_> = outcome
        .replies
        .values()
        .map(|reply| &reply.payload)
        .collect();
    let half = payloads.len().div_ceil(2).max(1);
    genesis.check()?;
    let chain = &genesis.chain_id();
    let check = |payload: &[u8]| -> anyhow::Result<bool> {
        let SubmitReply::Receipt(bytes) = canonical::decode(payload)? else {
            bail!("not a receipt")
        };
        Ok(Receipt::from_bytes(&bytes)?
            .verify_from(chain, &genesis.epoch)?
            .outcome()
            .is_accepted())
    };
    std::thread::scope(|scope| {
        let parts: Vec<_> = payloads
            .chunks(half)
            .map(|part| {
                scope.spawn(move || {
                    part.iter().try_fold((0, 0), |(all, accepted), payload| {
                        check(payload).map(|yes| (all + 1, accepted + u64::from(yes)))
                    })
                })
            })
            .collect();
        let mut sum = (0, 0);
        for part in parts {
            let (all, accepted) = part
                .join()
                .map_err(|_| anyhow::anyhow!("verification panicked"))??;
            sum = (sum.0 + all, sum.1 + accepted);
        }
        Ok(sum)
    })
}

/// All running replicas have the same block at the lowest of their tips.
async fn ensure_agreement(cluster: &Cluster, asker: &Bus) -> anyhow::Result<()> {
    let mut lowest = None;
    for replica in cluster.replicas.keys() {
        let height = asker.ask(*replica, &StatusRequest {}).await?.height;
        lowest = Some(lowest.map_or(height, |lowest: ledger::Height| lowest.min(height)));
    }
    let height = lowest.context("no replica runs")?;
    let mut first: Option<Digest> = None;
    for replica in cluster.replicas.keys() {
        let reply = asker
            .ask(
                *replica,
                &BlocksRequest {
                    from: height,
                    to: height,
                },
            )
            .await?;
        let bytes = reply
            .blocks
            .first()
            .with_context(|| format!("replica {replica} lacks block {height}"))?;
        let hash = canonical::decode::<CertifiedBlock>(bytes)?.block.hash();
        ensure!(
            *first.get_or_insert(hash) == hash,
            "replicas disagree about block {height}"
        );
    }
    Ok(())
}

fn figures(
    arguments: &OrderingBench,
    amount: Amount,
    outcome: &Outcome,
    verified: (u64, u64),
) -> Figures {
    let mut latencies_us: Vec<u128> = outcome
        .due
        .iter()
        .filter_map(|(token, due)| {
            Some(
                outcome
                    .replies
                    .get(token)?
                    .at
                    .saturating_duration_since(*due)
                    .as_micros(),
            )
        })
        .collect();
    latencies_us.sort_unstable();
    let percentile_ms = |percent: usize| {
        let index = (latencies_us.len() * percent / 100).min(latencies_us.len().saturating_sub(1));
        latencies_us
            .get(index)
            .map_or(0.0, |us| *us as f64 / 1000.0)
    };
    let last = outcome
        .replies
        .values()
        .map(|reply| reply.at)
        .max()
        .unwrap_or(outcome.started);
    let seconds = last
        .saturating_duration_since(outcome.started)
        .as_secs_f64();
    Figures {
        replicas: arguments.replicas,
        offered_tps: amount.rate,
        tps: verified.0 as f64 / seconds.max(f64::MIN_POSITIVE),
        transactions: amount.count,
        receipts_verified: verified.0,
        accepted: verified.1,
        busy: outcome.busy,
        refused: outcome.refused,
        repeats: outcome.repeats,
        p50_ms: percentile_ms(50),
        p90_ms: percentile_ms(90),
        p99_ms: percentile_ms(99),
        max_ms: percentile_ms(100),
        outage_ms: None,
        seconds,
        sending_seconds: outcome.sending.as_secs_f64(),
        transaction_bytes: outcome.transaction_bytes,
        ledger_bytes_per_record: 0.0,
        batch_size_mean: 0.0,
        signature_checks_per_tx: 0.0,
        fsyncs_per_second: 0.0,
        fsync_mean_us: 0.0,
        execution_us_per_tx: 0.0,
        cpu_seconds_per_1000_tx: BTreeMap::new(),
        rss_mb: BTreeMap::new(),
    }
}

fn longest_silence_ms(outcome: &Outcome, killed: Instant) -> f64 {
    let mut times: Vec<Instant> = outcome
        .replies
        .values()
        .map(|reply| reply.at)
        .filter(|at| *at >= killed)
        .collect();
    times.push(killed);
    times.sort_unstable();
    let longest = times
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .max()
        .unwrap_or(Duration::ZERO);
    longest.as_secs_f64() * 1000.0
}

async fn add_metrics(
    figures: &mut Figures,
    cluster: &Cluster,
    outcome: &Outcome,
) -> anyhow::Result<()> {
    let mut checks = 0.0;
    for (place, process) in cluster.replicas.values().enumerate() {
        let metrics = process.metrics().await?;
        checks += metrics.get("ordering_checked_total");
        if place > 0 {
            continue;
        }
        let (syncs, blocks) = (
            metrics.get("ordering_sync_seconds_count"),
            metrics.get("ordering_execution_seconds_count"),
        );
        let committed = metrics.get("ordering_committed_total").max(1.0);
        figures.batch_size_mean = committed / blocks.max(1.0);
        figures.fsyncs_per_second = syncs / outcome.sending.as_secs_f64();
        figures.fsync_mean_us = metrics.get("ordering_sync_seconds_sum") * 1e6 / syncs.max(1.0);
        figures.execution_us_per_tx =
            metrics.get("ordering_execution_seconds_sum") * 1e6 / committed;
    }
    figures.signature_checks_per_tx = checks / figures.transactions.max(1) as f64;
    Ok(())
}
