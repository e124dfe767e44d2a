//! Replicas and brokers are killed, stopped and skewed under load.

use std::path::Path;

use e2e::by_hand::ByHand;
use e2e::invariants::REPLICAS;
use e2e::system::Setup;

use crate::row::{AT_WORK, Row, lasts, replica};

/// A16. Fault: a vote leaves before it is on the disk, or a new view forgets what was prepared in the old one.
#[tokio::test(flavor = "multi_thread")]
async fn killed_and_stopped_replicas_lose_no_receipt_and_do_nothing_twice() {
    let row = Row::start(Setup::new(), 1).await;
    loop {
        // The primary dies in the middle of a batch.
        let leader = replica(row.primary().await);
        let restarts = row.system.restarts(&leader);
        row.system.crash(&leader);
        row.goes_on_after("the primary's death").await;
        row.system.until_ready(&leader, restarts + 1).await;

        // A backup dies.
        let backup = replica((row.primary().await + 1) % REPLICAS);
        row.crash_and_return(&backup).await;

        // The primary stands still; the others go on without it, and what it says late counts for nothing.
        let leader = replica(row.primary().await);
        row.system.admin(&["pause", &leader]);
        row.goes_on_after("the primary's standstill").await;
        lasts(5).await;
        row.system.admin(&["resume", &leader]);
        row.load.goes_on(AT_WORK).await;

        // All die at once, and again while they come back.
        for pause_ms in [0, 30, 300] {
            let before: Vec<u64> = (0..REPLICAS)
                .map(|number| row.system.restarts(&replica(number)))
                .collect();
            for number in 0..REPLICAS {
                row.system.crash(&replica(number));
                tokio::time::sleep(std::time::Duration::from_millis(pause_ms)).await;
            }
            for (number, restarts) in before.iter().enumerate() {
                row.system.until_ready(&replica(number), restarts + 1).await;
            }
            row.goes_on_after("the return of all").await;
        }
        if !row.has_more_to_do() {
            break;
        }
    }
    row.settle().await;
}

/// A16. Fault: two of four replicas certify a block, or forget receipts when the others are back.
#[tokio::test(flavor = "multi_thread")]
async fn more_than_f_faults_stop_the_cluster_and_it_goes_on_once_they_are_healed() {
    let row = Row::start(Setup::new(), 1).await;
    loop {
        // One is dead, one stands still: f + 1, of different kinds.
        row.system.kill("replica-2");
        row.system.admin(&["pause", "replica-3"]);
        // What was certified before still comes in. Two that could certify would never fall silent.
        let mut committed = u64::MAX;
        while committed != row.load.committed() {
            committed = row.load.committed();
            lasts(3).await;
        }
        row.system.admin(&["resume", "replica-3"]);
        row.goes_on_after("healing of one of f + 1 faults").await;
        row.system.start_process("replica-2");
        row.load.goes_on(AT_WORK).await;
        if !row.has_more_to_do() {
            break;
        }
    }
    row.settle().await;
}

/// A08. Fault: a replica takes a broker's loss of messages for a decision.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_dies_or_loses_its_store_stalls_the_cluster_at_most() {
    let brokers = ["nats-1", "nats-2", "nats-3"];
    let row = Row::start(Setup::new(), 3).await;
    loop {
        for broker in brokers {
            row.crash_and_return(broker).await;
        }
        // The stream is a cache: without it nothing but time is lost.
        row.system.kill("nats-2");
        std::fs::remove_dir_all(row.system.process("nats-2").join("data")).unwrap();
        row.system.start_process("nats-2");
        row.load.goes_on(AT_WORK).await;
        // All at once.
        for broker in brokers {
            row.system.kill(broker);
        }
        lasts(1).await;
        for broker in ["nats-3", "nats-2", "nats-1"] {
            row.system.admin(&["start", broker]);
        }
        row.goes_on_after("the return of all brokers").await;
        if !row.has_more_to_do() {
            break;
        }
    }
    row.settle().await;
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
    let row = Row::start(Setup::new(), 1).await;
    loop {
        for skew in ["+3600s", "-3600s"] {
            let leader = replica(row.primary().await);
            let changed = [
                ("LD_PRELOAD", library),
                ("FAKETIME", skew),
                ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ];
            let mut skewed = ByHand::take_over(&row.system, &leader, &changed);
            row.goes_on_after("the primary's return with another clock")
                .await;
            lasts(3).await;
            row.load.goes_on(AT_WORK).await;
            assert!(skewed.runs(), "{}", row.system.log(&leader));
            // Its clock jumps back when it returns as it was.
            drop(skewed);
            row.system.start_process(&leader);
            row.load.goes_on(AT_WORK).await;
        }
        if !row.has_more_to_do() {
            break;
        }
    }
    let (system, _) = row.settle().await;
    let blocks = e2e::chain::blocks(&system.blocks(0));
    let times: Vec<u64> = blocks.iter().map(|it| it.block.header.time.0).collect();
    assert!(times.is_sorted_by(|one, next| one < next));
    let span_s = (times[times.len() - 1] - times[1]) / 1_000_000;
    assert!(span_s < 1_800, "block times span {span_s} s");
}
