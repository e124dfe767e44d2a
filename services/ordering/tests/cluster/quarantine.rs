//! A replica whose vote log was lost, or is an old copy, never votes again under its key.

use std::path::Path;
use std::process::Command;

use bus::ordering_wire::Standing;
use ledger::ReplicaId;

use crate::harness::Cluster;

const LOST: ReplicaId = ReplicaId(2);

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp")
        .arg("-a")
        .args([from, to])
        .status()
        .unwrap();
    assert!(copied.success());
}

/// From here on no certificate holds a vote of the replica, though it follows the chain.
async fn assert_never_votes(cluster: &mut Cluster, numbers: std::ops::Range<u64>) {
    cluster.wait_for_standing(LOST, Standing::Quarantined).await;
    let receipts = cluster.submit_all(numbers).await;
    for receipt in &receipts {
        let votes = &receipt.certificate.votes;
        assert!(votes.iter().all(|(replica, _)| *replica != LOST));
    }
    let height = cluster.height_of_most().await;
    cluster.wait_for_height(LOST, height).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_lost_its_disk_follows_the_chain_and_never_votes_again() {
    let mut cluster = Cluster::start().await;
    cluster.submit_all(0..30).await;
    cluster.kill(LOST);
    std::fs::remove_dir_all(cluster.data(LOST)).unwrap();
    cluster.launch(LOST);
    assert_never_votes(&mut cluster, 30..60).await;
    // Nor after another start.
    cluster.kill(LOST);
    cluster.launch(LOST);
    assert_never_votes(&mut cluster, 60..70).await;
    cluster.assert_equal_chains().await;
}

/// Submits two records at a time until the replica's vote is in a certificate; gives the number of the next record. One that
/// may vote may have had a part in none of many blocks since its start.
async fn submit_until_it_votes(cluster: &Cluster, first: u64) -> u64 {
    for next in (first..first + 20_000).step_by(2) {
        let receipts = cluster.submit_all(next..next + 2).await;
        let mut votes = receipts
            .iter()
            .flat_map(|receipt| &receipt.certificate.votes);
        if votes.any(|(replica, _)| *replica == LOST) {
            return next + 2;
        }
    }
    panic!("replica {LOST} does not vote");
}

/// A replica's folder is replaced by a copy from before so many blocks and more.
async fn restore_an_old_copy(rounds: u64) {
    let mut cluster = Cluster::start().await;
    cluster.submit_all(0..20).await;
    cluster.kill(LOST);
    let copied = cluster.data(LOST).with_extension("copy");
    copy(&cluster.data(LOST), &copied);
    cluster.launch(LOST);
    cluster.wait_for_standing(LOST, Standing::Votes).await;
    let first = submit_until_it_votes(&cluster, 20).await;
    for round in 0..rounds {
        cluster
            .submit_all(first + round * 2..first + 2 + round * 2)
            .await;
    }
    cluster.kill(LOST);
    std::fs::remove_dir_all(cluster.data(LOST)).unwrap();
    std::fs::rename(&copied, cluster.data(LOST)).unwrap();
    cluster.launch(LOST);
    let next = first + rounds * 2;
    assert_never_votes(&mut cluster, next..next + 30).await;
    let report = std::fs::read_to_string(cluster.data(LOST).join("quarantine.json")).unwrap();
    assert!(report.contains("is not in our log"), "{report}");
    cluster.kill(LOST);
    cluster.launch(LOST);
    assert_never_votes(&mut cluster, next + 30..next + 40).await;
    cluster.assert_equal_chains().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_restored_from_an_old_copy_finds_it_out_from_the_others_before_it_votes() {
    restore_an_old_copy(30).await;
}

/// Over two intervals of checkpoints: nobody remembers its lost votes any more, but the certificates hold them.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_restored_from_a_very_old_copy_finds_it_out_from_the_blocks_that_it_fetches() {
    restore_an_old_copy(220).await;
}
