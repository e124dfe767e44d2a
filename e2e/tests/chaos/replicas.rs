//! Replicas and brokers are killed, stopped and skewed under load.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use client::Client;
use e2e::cast::{Cast, until_some};
use e2e::invariants::{self, REPLICAS};
use e2e::load::{History, Load};
use e2e::story::program;
use e2e::system::{RunningSystem, Setup};
use interfaces::settlement::Balance;
use ledger::Receipt;
use serde_json::Value;

/// Receipts after which the cluster is at work again.
const AT_WORK: u64 = 20;

fn load(cast: &Cast) -> Load {
    let treasurer = cast.treasurer.key().unwrap();
    Load::start(&cast.client, treasurer, treasurer.ledger_id(), 8)
}

fn replica(number: usize) -> String {
    format!("replica-{number}")
}

/// The view's primary, by the word of most.
async fn primary(client: &Client) -> usize {
    until_some(async || {
        let status: Value = client.get("/v1/status").await.ok()?;
        let replicas = status["replicas"].as_array()?;
        let view = replicas
            .iter()
            .filter_map(|it| it["status"]["view"].as_u64())
            .max()?;
        usize::try_from(view % REPLICAS as u64).ok()
    })
    .await
}

/// Ends the load, waits for the slowest replica, and checks every invariant: each receipt is on the chain, each deposit
/// in the books once.
async fn settle(system: &mut RunningSystem, cast: Cast, load: Load) -> History {
    let history = load.finish().await;
    let height = history
        .operations
        .iter()
        .filter_map(|operation| Some(operation.receipt.as_ref()?.height.0))
        .max()
        .unwrap();
    invariants::all_reach(system, height).await;
    let lost = history.operations.iter().filter(|it| it.receipt.is_none());
    let lost: Vec<_> = lost.map(|operation| operation.id).collect();
    let balance = balance(&cast).await;
    drop(cast);
    system.stop();
    let receipts: Vec<Receipt> = history
        .operations
        .iter()
        .filter_map(|operation| Some(operation.receipt.as_ref()?.receipt.clone()))
        .collect();
    invariants::check(system, &receipts);
    assert_eq!(balance, history.accepted(), "the books and the receipts");
    let on_chain: std::collections::BTreeSet<_> = e2e::chain::blocks(&system.blocks(0))
        .iter()
        .flat_map(|block| &block.block.transactions)
        .map(ledger::SignedTransaction::id)
        .collect();
    assert!(
        lost.iter().all(|id| !on_chain.contains(id)),
        "a client was told that nothing came of what is on the chain"
    );
    history
}

/// What the treasurer's account holds, in cents: one for each deposit.
async fn balance(cast: &Cast) -> u64 {
    let balances: Vec<Balance> = cast.treasurer.get("/v1/balances").await.unwrap();
    u64::try_from(balances[0].balance).unwrap()
}

/// A16. Fault: a vote leaves before it is on the disk, or a new view forgets what was prepared in the old one.
#[tokio::test(flavor = "multi_thread")]
async fn killed_and_stopped_replicas_lose_no_receipt_and_do_nothing_twice() {
    let mut system = Setup::new().start();
    let cast = Cast::gather(&system).await;
    let load = load(&cast);
    load.goes_on(AT_WORK).await;

    // The primary dies in the middle of a batch.
    let leader = replica(primary(&cast.client).await);
    let restarts = system.restarts(&leader);
    system.crash(&leader);
    load.goes_on(AT_WORK).await;
    system.until_ready(&leader, restarts + 1).await;

    // A backup dies.
    let backup = replica((primary(&cast.client).await + 1) % REPLICAS);
    let restarts = system.restarts(&backup);
    system.crash(&backup);
    load.goes_on(AT_WORK).await;
    system.until_ready(&backup, restarts + 1).await;

    // The primary stands still; the others go on without it, and what it says late counts for nothing.
    let leader = replica(primary(&cast.client).await);
    system.admin(&["pause", &leader]);
    load.goes_on(AT_WORK).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    system.admin(&["resume", &leader]);
    load.goes_on(AT_WORK).await;

    // All die at once, and again while they come back.
    for pause_ms in [0, 30, 300] {
        let before: Vec<u64> = (0..REPLICAS)
            .map(|number| system.restarts(&replica(number)))
            .collect();
        for number in 0..REPLICAS {
            system.crash(&replica(number));
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        }
        for (number, restarts) in before.iter().enumerate() {
            system.until_ready(&replica(number), restarts + 1).await;
        }
        load.goes_on(AT_WORK).await;
    }

    // More than f are away: no receipt comes, and none that came is lost when they are back.
    system.kill("replica-2");
    system.kill("replica-3");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let stalled = load.committed();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(load.committed(), stalled, "two of four certified a block");
    system.start_process("replica-2");
    system.start_process("replica-3");
    load.goes_on(AT_WORK).await;

    let history = settle(&mut system, cast, load).await;
    assert!(history.accepted() > 10 * AT_WORK);
}

/// A08. Fault: a replica takes a broker's loss of messages for a decision.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_dies_or_loses_its_store_stalls_the_cluster_at_most() {
    let mut system = Setup::new().brokers(3).start();
    let cast = Cast::gather(&system).await;
    let load = load(&cast);
    load.goes_on(AT_WORK).await;
    for broker in ["nats-1", "nats-2", "nats-3"] {
        let restarts = system.restarts(broker);
        system.crash(broker);
        load.goes_on(AT_WORK).await;
        system.until_ready(broker, restarts + 1).await;
    }
    // The stream is a cache: without it nothing but time is lost.
    system.kill("nats-2");
    std::fs::remove_dir_all(system.process("nats-2").join("data")).unwrap();
    system.start_process("nats-2");
    load.goes_on(AT_WORK).await;
    // All at once.
    for broker in ["nats-1", "nats-2", "nats-3"] {
        system.kill(broker);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    for broker in ["nats-3", "nats-2", "nats-1"] {
        system.admin(&["start", broker]);
    }
    load.goes_on(AT_WORK).await;
    settle(&mut system, cast, load).await;
}

/// A replica run by hand, as its operator's own machine would: with another clock.
struct Skewed(Child);

impl Drop for Skewed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The library that lies about the time; none where it is not installed.
fn libfaketime() -> Option<&'static str> {
    [
        "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
        "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    ]
    .into_iter()
    .find(|file| Path::new(file).exists())
}

/// A05. Fault: a block's time is a replica's own clock instead of a proposal that its backups find fresh.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_whose_clock_is_wrong_by_an_hour_changes_no_block_time() {
    let Some(library) = libfaketime() else {
        e2e::story::skipped(
            "a_replica_whose_clock_is_wrong",
            "no libfaketime (Debian: libfaketime)",
        );
        return;
    };
    let mut system = Setup::new().start();
    let cast = Cast::gather(&system).await;
    let load = load(&cast);
    for skew in ["+3600s", "-3600s"] {
        let leader = replica(primary(&cast.client).await);
        let environment = std::fs::read(format!("/proc/{}/environ", system.pid(&leader))).unwrap();
        system.kill(&leader);
        let set = environment.split(|byte| *byte == 0).filter_map(|entry| {
            let entry = String::from_utf8(entry.to_vec()).ok()?;
            let (name, value) = entry.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        });
        let skewed = Skewed(
            Command::new(program())
                .args(["ordering", "--config", "config.toml"])
                .current_dir(system.process(&leader))
                .envs(set)
                .env("LD_PRELOAD", library)
                .env("FAKETIME", skew)
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        );
        load.goes_on(AT_WORK).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        load.goes_on(AT_WORK).await;
        drop(skewed);
        system.start_process(&leader);
        load.goes_on(AT_WORK).await;
    }
    settle(&mut system, cast, load).await;
    let blocks = e2e::chain::blocks(&system.blocks(0));
    let times: Vec<u64> = blocks.iter().map(|it| it.block.header.time.0).collect();
    assert!(times.is_sorted_by(|one, next| one < next));
    let span_s = (times[times.len() - 1] - times[1]) / 1_000_000;
    assert!(span_s < 1_800, "block times span {span_s} s");
}
