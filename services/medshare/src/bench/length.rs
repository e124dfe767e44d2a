//! Long ledgers: filling one, restarting a replica on it, and one that missed a part of it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bus::Bus;
use bus::ordering_wire::StatusRequest;
use ledger::{Height, ReplicaId};
use serde::Serialize;

use super::load::{self, Amount};
use super::mix::Mix;
use super::ordering::Bench;

/// How many seconds of load a ledger is filled with at once.
const FILL_SECONDS: u64 = 8;
/// The rate that filling starts with; it follows what the machine gives.
const FILL_TPS: u64 = 4_000;
/// How often a replica that catches up is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A replica that has not caught up by then is given up.
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(120);

/// How a replica made good what it had missed.
#[derive(Clone, Debug, Serialize)]
pub struct CatchUp {
    /// Transactions in the blocks that it had missed when it was started again.
    pub missed_transactions: u64,
    /// Until it was ready.
    pub ready_seconds: f64,
    /// From when it was ready until it had all that the others had.
    pub seconds: f64,
    /// What it missed, and what came meanwhile, by that time.
    pub tps: f64,
    /// The others' throughput and p99 under the same load before.
    pub others_tps_before: f64,
    /// Likewise.
    pub others_p99_ms_before: f64,
    /// Meanwhile.
    pub others_tps: f64,
    /// Meanwhile.
    pub others_p99_ms: f64,
}

impl Bench<'_> {
    /// Loads the ledger with so many transactions, as fast as the cluster takes them; their nonces begin at `nonce`.
    pub async fn fill(&self, mix: &Mix, nonce: u64, count: u64) -> anyhow::Result<()> {
        let (mut done, mut rate) = (0, FILL_TPS);
        let started = Instant::now();
        while done < count {
            let amount = Amount {
                rate,
                count: (rate * FILL_SECONDS).min(count - done),
            };
            let step = |number| mix.step(done + number);
            let outcome = load::offer(&self.target(), mix, nonce + done, step, amount).await?;
            ensure!(
                outcome.receipts.heard().len() as u64 == amount.count,
                "filling got {} of {} receipts",
                outcome.receipts.heard().len(),
                amount.count
            );
            done += amount.count;
            let tps = outcome.tps();
            let keeps_up = outcome.repeats == 0 && tps > 0.9 * rate as f64;
            rate = if keeps_up {
                rate * 6 / 5
            } else {
                (tps * 0.8) as u64
            }
            .max(100);
            eprintln!(
                "bench: {done} of {count} transactions filled in, {:.0} tx/s, {:.0} s",
                tps,
                started.elapsed().as_secs_f64()
            );
        }
        Ok(())
    }

    /// Stops a replica and starts it again: how long until it is ready.
    pub async fn restart(&mut self) -> anyhow::Result<Duration> {
        let replica = self.a_backup().await?;
        let process = self.cluster.replicas.remove(&replica);
        process.context("it runs")?.stop().await;
        self.cluster.launch(replica).await
    }

    /// A replica that is not the primary.
    async fn a_backup(&self) -> anyhow::Result<ReplicaId> {
        let primary = self.asker.ask_any(&StatusRequest {}).await?.primary;
        let mut replicas = self.cluster.replicas.keys().rev();
        replicas
            .find(|replica| **replica != primary)
            .copied()
            .context("there is a backup")
    }

    /// Stops a backup, loads the others with so many transactions as fast as they take them and then with `rate`, and starts
    /// it again under that load.
    pub async fn catch_up(&mut self, mix: &Mix, rate: u64, missed: u64) -> anyhow::Result<CatchUp> {
        let replica = self.a_backup().await?;
        let process = self.cluster.replicas.remove(&replica);
        process.context("it runs")?.stop().await;
        let behind = self.transactions_of_others(replica).await?;
        let nonce = 1 << 48;
        self.fill(mix, nonce, missed).await?;
        let load = Amount {
            rate,
            count: rate * self.arguments.seconds,
        };
        let nonce = nonce + missed;
        let step = |number| mix.step(missed + number);
        let before = load::offer(&self.target(), mix, nonce, step, load).await?;
        let ready = self.cluster.launch(replica).await?;
        let missed_transactions = self.transactions_of_others(replica).await? - behind;
        let others: Vec<ReplicaId> = self.cluster.replicas.keys().copied().collect();
        let others = others.into_iter().filter(|other| *other != replica);
        let watching = tokio::spawn(watch(self.asker.clone(), replica, others.collect()));
        let nonce = nonce + load.count;
        let step = |number| mix.step(missed + load.count + number);
        let during = load::offer(&self.target(), mix, nonce, step, load).await?;
        let (seconds, reached) = watching.await??;
        let seconds = seconds.as_secs_f64();
        Ok(CatchUp {
            missed_transactions,
            ready_seconds: ready.as_secs_f64(),
            seconds,
            tps: (reached - behind) as f64 / seconds,
            others_tps_before: before.tps(),
            others_p99_ms_before: before.percentile(99).as_secs_f64() * 1e3,
            others_tps: during.tps(),
            others_p99_ms: during.percentile(99).as_secs_f64() * 1e3,
        })
    }

    async fn transactions_of_others(&self, but: ReplicaId) -> anyhow::Result<u64> {
        let mut most = 0;
        for replica in self.cluster.replicas.keys().filter(|other| **other != but) {
            let status = self.asker.ask(*replica, &StatusRequest {}).await?;
            most = most.max(status.committed_transactions);
        }
        Ok(most)
    }
}

/// Waits until a replica has the height that the others have; how long that took, and how many transactions it has then.
async fn watch(
    asker: Bus,
    replica: ReplicaId,
    others: Vec<ReplicaId>,
) -> anyhow::Result<(Duration, u64)> {
    let started = Instant::now();
    while started.elapsed() < CAUGHT_UP_WITHIN {
        tokio::time::sleep(LOOK_EVERY).await;
        let mut newest = Height(0);
        for other in &others {
            newest = newest.max(asker.ask(*other, &StatusRequest {}).await?.height);
        }
        let Ok(status) = asker.ask(replica, &StatusRequest {}).await else {
            continue;
        };
        if status.height.0 + 8 >= newest.0 {
            return Ok((started.elapsed(), status.committed_transactions));
        }
    }
    anyhow::bail!("replica {replica} did not catch up in {CAUGHT_UP_WITHIN:?}")
}
