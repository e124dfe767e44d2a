//! A replica's disk is lost, or replaced by an old copy: it never votes again under its key.

use std::path::Path;
use std::process::Command;

use client::Client;
use e2e::cast::until_some;
use e2e::system::Setup;
use ledger::{CertifiedBlock, ReplicaId};
use serde_json::Value;

use crate::row::{AT_WORK, Row};

const VICTIM: &str = "replica-2";
const NUMBER: ReplicaId = ReplicaId(2);

/// Waits until a replica says of itself that it stands so.
async fn stands(client: &Client, replica: ReplicaId, standing: &str) {
    until_some(async || {
        let status: Value = client.get("/v1/status").await.ok()?;
        let mut replicas = status["replicas"].as_array()?.iter();
        replicas
            .any(|it| it["replica"] == replica.0 && it["status"]["standing"] == standing)
            .then_some(())
    })
    .await
}

/// The blocks above a height whose certificates hold a vote of the replica.
fn voted_above(blocks: &[CertifiedBlock], height: u64) -> Vec<u64> {
    let above = blocks
        .iter()
        .filter(|block| block.block.header.height.0 > height);
    above
        .filter(|block| {
            let mut votes = block.certificate.votes.iter();
            votes.any(|(replica, _)| *replica == NUMBER)
        })
        .map(|block| block.block.header.height.0)
        .collect()
}

/// Where the chain is now.
async fn height(row: &Row) -> u64 {
    row.load.goes_on(AT_WORK).await;
    row.cast.height().await
}

/// A16. Fault: a replica with an empty disk starts its votes anew under the key that has voted.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_whose_disk_was_lost_follows_the_chain_and_never_votes_again() {
    let row = Row::start(Setup::new(), 1).await;
    row.system.kill(VICTIM);
    let lost_at = height(&row).await;
    std::fs::remove_dir_all(row.system.process(VICTIM).join("data")).unwrap();
    row.system.start_process(VICTIM);
    stands(&row.cast.client, NUMBER, "quarantined").await;
    row.load.goes_on(5 * AT_WORK).await;
    // Nor after another start.
    row.crash_and_return(VICTIM).await;
    stands(&row.cast.client, NUMBER, "quarantined").await;
    row.load.goes_on(5 * AT_WORK).await;
    let (system, _) = row.settle().await;
    assert_eq!(
        voted_above(&e2e::chain::blocks(&system.blocks(0)), lost_at),
        [0; 0]
    );
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(copied.unwrap().success());
}

/// A16. Fault: a replica restored from a backup says something else for a slot it has spoken for since.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_restored_from_a_backup_never_votes_again() {
    let row = Row::start(Setup::new(), 1).await;
    let data = row.system.process(VICTIM).join("data");
    let backup = row.system.process(VICTIM).join("backup");
    row.system.kill(VICTIM);
    copy(&data, &backup);
    row.system.start_process(VICTIM);
    stands(&row.cast.client, NUMBER, "votes").await;
    row.load.goes_on(10 * AT_WORK).await;
    // With another one away the two that are left get no further, so what the copy lacks still matters: once it is older
    // than every stable checkpoint it can do no harm, and nobody need remember it (`pbft::recall`).
    row.system.kill("replica-1");
    row.system.kill(VICTIM);
    let stored = e2e::chain::blocks(&row.system.blocks(0));
    let restored_at = stored.last().unwrap().block.header.height.0;
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::rename(&backup, &data).unwrap();
    row.system.start_process(VICTIM);
    stands(&row.cast.client, NUMBER, "quarantined").await;
    row.system.start_process("replica-1");
    row.load.goes_on(5 * AT_WORK).await;
    row.crash_and_return(VICTIM).await;
    stands(&row.cast.client, NUMBER, "quarantined").await;
    let report = std::fs::read_to_string(data.join("quarantine.json")).unwrap();
    assert!(report.contains("is not in our log"), "{report}");
    let (system, _) = row.settle().await;
    assert_eq!(
        // The block under way when it was killed may hold its last vote.
        voted_above(&e2e::chain::blocks(&system.blocks(0)), restored_at + 1),
        [0; 0]
    );
}
