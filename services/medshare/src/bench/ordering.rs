//! `medshare bench ordering`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bus::Bus;
use bus::ordering_wire::{BlocksRequest, StatusRequest};
use ledger::{CertifiedBlock, Digest, Height, ReplicaId, canonical};

use super::OrderingBench;
use super::cluster::Cluster;
use super::load::{self, Amount, Outcome, Target};
use super::measure::Conditions;
use super::mix::{Members, Mix};
use super::ordering_report::{self as report, Counts, Figures};
use super::scratch::{Scratch, ensure_on_disk};

/// A search looks for the highest rate whose p99 stays under this.
const P99_MS_MAX: f64 = 100.0;
/// A rate that is kept up gets so much of it back.
const SHARE_KEPT_UP: f64 = 0.97;
/// How much higher the next rate of a search is.
const STEP_UP: f64 = 1.25;
/// The rate at which a measurement is prepared, at most.
const PREPARATION_TPS: u64 = 2_000;

/// Measures as asked.
pub async fn run(arguments: &OrderingBench, json: bool) -> anyhow::Result<String> {
    check(arguments)?;
    let folder = Folder::of(arguments)?;
    let conditions = Conditions::of(format!(
        "{} replicas, 1 broker, {} members, open loop, on {}",
        arguments.replicas,
        arguments.members,
        ensure_on_disk(folder.path())?
    ));
    let mut bench = Bench::start(arguments, folder.path(), conditions).await?;
    let figures = if arguments.search {
        bench.search().await
    } else {
        bench.once(arguments.rate).await.map(|(figures, _)| figures)
    };
    // After a failure as well: the broker ends its server only when it is told to.
    bench.stop().await;
    let figures = figures?;
    Ok(if json {
        serde_json::to_string(&figures)?
    } else {
        serde_json::to_string_pretty(&figures)?
    })
}

fn check(arguments: &OrderingBench) -> anyhow::Result<()> {
    ensure!(
        arguments.rate > 0 && arguments.seconds > 0,
        "--rate and --seconds must be at least 1"
    );
    ensure!(
        !arguments.search || arguments.fill.is_none() && arguments.kill_primary_after.is_none(),
        "--search goes with neither --fill nor --kill-primary-after"
    );
    ensure!(
        arguments.members > 2 && arguments.replicas >= 4,
        "--members must be at least 3, and --replicas at least 4"
    );
    Ok(())
}

/// Where a measurement works: a fresh folder that is removed at the end, or one that is kept.
enum Folder {
    Fresh(Scratch),
    Kept(PathBuf),
}

impl Folder {
    fn of(arguments: &OrderingBench) -> anyhow::Result<Folder> {
        let Some(path) = &arguments.keep else {
            return Ok(Folder::Fresh(Scratch::make(&arguments.dir)?));
        };
        crate::files::make_private_folder(path)?;
        Ok(Folder::Kept(path.canonicalize()?))
    }

    fn path(&self) -> &Path {
        match self {
            Folder::Fresh(scratch) => scratch.path(),
            Folder::Kept(path) => path,
        }
    }
}

/// A cluster that is measured.
pub struct Bench<'a> {
    /// What is asked for.
    pub arguments: &'a OrderingBench,
    /// Its processes.
    pub cluster: Cluster,
    /// Who asks replicas.
    pub asker: Bus,
    /// The generator's connection.
    pub nats: async_nats::Client,
    conditions: Conditions,
}

impl Bench<'_> {
    async fn start<'a>(
        arguments: &'a OrderingBench,
        folder: &Path,
        conditions: Conditions,
    ) -> anyhow::Result<Bench<'a>> {
        let cluster = Cluster::start(arguments, folder).await?;
        let asker = cluster.connect().await?;
        let nats = cluster.connect_generator().await?;
        Ok(Bench {
            arguments,
            cluster,
            asker,
            nats,
            conditions,
        })
    }

    async fn stop(self) {
        self.asker.close().await;
        self.cluster.stop().await;
    }

    /// One load at that rate, after its preparation: the figures, and whether everything got its receipt.
    async fn once(&mut self, rate: u64) -> anyhow::Result<(Figures, bool)> {
        let members = Members::new(self.arguments.members);
        let run = chassis::clock::now();
        let mix = Mix::new(self.cluster.genesis.chain_id(), members, run, rate);
        self.prepare(&mix, rate).await?;
        let amount = Amount {
            rate,
            count: rate * self.arguments.seconds,
        };
        if let Some(count) = self.arguments.fill {
            self.fill(&mix, 1 << 40, count).await?;
        }
        let ledger_transactions_before = self
            .asker
            .ask_any(&StatusRequest {})
            .await?
            .committed_transactions;
        let filled = self.arguments.fill.unwrap_or(0);
        let step = |number| mix.step(filled + number);
        let signed = load::sign_load(&mix, 1 << 32, step, amount)?;
        let before = Counts::now(&self.cluster).await?;
        let (asker, replicas) = (&self.asker, &mut self.cluster.replicas);
        let mut killed = None;
        let kill_after = self.arguments.kill_primary_after;
        let target = Target {
            nats: &self.nats,
            epoch: &self.cluster.genesis.epoch,
        };
        let outcome = load::send(&target, signed, async |second| {
            if killed.is_none() && kill_after.is_some_and(|after| second >= after) {
                let status = asker.ask_any(&StatusRequest {}).await?;
                let primary = replicas
                    .remove(&status.primary)
                    .context("the primary is one of the replicas")?;
                killed = Some(Instant::now());
                primary.kill().await?;
            }
            Ok(())
        })
        .await?;
        ensure_agreement(&self.cluster, &self.asker).await?;
        let mut figures =
            report::figures(&self.cluster, &outcome, &before, self.conditions.clone()).await?;
        figures.outage_ms = killed.map(|killed| longest_silence_ms(&outcome, killed));
        let is_complete = figures.receipts_verified == figures.transactions;
        ensure!(
            self.arguments.search || is_complete,
            "{} of {} transactions have no receipt ({} answers \"busy\", {} refusals)",
            figures.transactions - figures.receipts_verified,
            figures.transactions,
            figures.busy,
            figures.refused
        );
        figures.ledger_transactions_before = ledger_transactions_before;
        if self.arguments.restart {
            figures.restart_ready_seconds = Some(self.restart().await?.as_secs_f64());
        }
        if let Some(missed) = self.arguments.catch_up {
            let run = chassis::clock::now();
            let members = Members::new(self.arguments.members);
            let mix = Mix::new(self.cluster.genesis.chain_id(), members, run, rate);
            self.prepare(&mix, rate).await?;
            figures.catch_up = Some(self.catch_up(&mix, rate, missed).await?);
            ensure_agreement(&self.cluster, &self.asker).await?;
        }
        Ok((figures, is_complete))
    }

    /// Where load goes.
    pub(super) fn target(&self) -> Target<'_> {
        Target {
            nats: &self.nats,
            epoch: &self.cluster.genesis.epoch,
        }
    }

    /// Money and records for the mix to work with.
    async fn prepare(&self, mix: &Mix, rate: u64) -> anyhow::Result<()> {
        let steps = mix.preparation();
        let amount = Amount {
            rate: rate.min(PREPARATION_TPS),
            count: steps.len() as u64,
        };
        let step = |number| steps[number as usize];
        let outcome = load::offer(&self.target(), mix, 0, step, amount).await?;
        ensure!(
            outcome.receipts.heard().len() == steps.len(),
            "the preparation got {} of {} receipts",
            outcome.receipts.heard().len(),
            steps.len()
        );
        Ok(())
    }

    /// Goes up until a rate is not kept up, then looks once more half-way between.
    async fn search(&mut self) -> anyhow::Result<Figures> {
        let mut best: Option<Figures> = None;
        let mut rate = self.arguments.rate;
        let mut too_high = None;
        loop {
            let (figures, is_complete) = self.once(rate).await?;
            let is_kept_up = is_complete
                && figures.p99_ms < P99_MS_MAX
                && figures.tps > SHARE_KEPT_UP * rate as f64;
            eprintln!(
                "bench: {rate} tx/s offered: {:.0} tx/s, p50 {:.1} ms, p99 {:.1} ms{}",
                figures.tps,
                figures.p50_ms,
                figures.p99_ms,
                if is_kept_up { "" } else { ": too much" }
            );
            let ends = too_high.is_some();
            if is_kept_up {
                best = Some(figures);
            } else {
                too_high = Some(rate);
            }
            rate = match (&best, too_high) {
                (Some(best), Some(too_high)) if !ends => (best.offered_tps + too_high) / 2,
                (Some(best), None) => (best.offered_tps as f64 * STEP_UP) as u64,
                _ => break,
            };
        }
        best.context("the first rate is too much already: start with a lower --rate")
    }
}

/// All running replicas have the same block at the lowest of their tips.
async fn ensure_agreement(cluster: &Cluster, asker: &Bus) -> anyhow::Result<()> {
    let mut lowest: Option<Height> = None;
    for replica in cluster.replicas.keys() {
        let height = asker.ask(*replica, &StatusRequest {}).await?.height;
        lowest = Some(lowest.map_or(height, |lowest| lowest.min(height)));
    }
    let height = lowest.context("no replica runs")?;
    let mut first: Option<Digest> = None;
    for replica in cluster.replicas.keys() {
        let hash = block_hash(asker, *replica, height).await?;
        ensure!(
            *first.get_or_insert(hash) == hash,
            "replicas disagree about block {height}"
        );
    }
    Ok(())
}

async fn block_hash(asker: &Bus, replica: ReplicaId, height: Height) -> anyhow::Result<Digest> {
    let question = BlocksRequest {
        from: height,
        to: height,
    };
    let reply = asker.ask(replica, &question).await?;
    let bytes = reply
        .blocks
        .first()
        .with_context(|| format!("replica {replica} lacks block {height}"))?;
    Ok(canonical::decode::<CertifiedBlock>(bytes)?.block.hash())
}

/// The longest time between two receipts from a moment on.
fn longest_silence_ms(outcome: &Outcome, from: Instant) -> f64 {
    let from = from.saturating_duration_since(outcome.started);
    let mut arrivals: Vec<Duration> = outcome
        .arrived
        .iter()
        .flatten()
        .copied()
        .filter(|at| *at >= from)
        .collect();
    arrivals.push(from);
    arrivals.sort_unstable();
    let gaps = arrivals.windows(2).map(|pair| pair[1] - pair[0]);
    gaps.max().unwrap_or_default().as_secs_f64() * 1e3
}
