//! The replica set changes while the cluster works.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bus::ordering_wire::Standing;
use ledger::{Epoch, ReplicaId};

use crate::harness::{Cluster, replacement};

#[tokio::test(flavor = "multi_thread")]
async fn a_new_replica_is_voted_in_and_an_old_one_out_under_load_and_every_receipt_verifies() {
    let mut cluster = Cluster::start().await;
    let (old, new) = (ReplicaId(3), ReplicaId(4));
    cluster.submit_all(0..20).await;
    // The new one follows the chain before anybody has voted for it.
    cluster.launch(new);
    cluster.wait_for_standing(new, Standing::Observes).await;
    let stop = Arc::new(AtomicBool::new(false));
    let load = cluster.keep_submitting(1_000, stop.clone());
    cluster.adopt(1, replacement(3, 4, 3)).await;
    cluster.wait_for_standing(new, Standing::Votes).await;
    cluster.wait_for_standing(old, Standing::Retired).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.store(true, Ordering::Relaxed);
    let receipts = load.await.unwrap();
    let genesis = cluster.client.genesis();
    for receipt in &receipts {
        receipt.verify(genesis).unwrap();
        let votes = &receipt.certificate.votes;
        let retired =
            receipt.header.epoch == Epoch(1) && votes.iter().any(|(replica, _)| *replica == old);
        assert!(!retired, "a retired replica votes");
    }
    let of_epoch = |epoch| {
        let certified = receipts
            .iter()
            .filter(|receipt| receipt.header.epoch == epoch);
        certified.count()
    };
    assert!(of_epoch(Epoch(0)) > 0 && of_epoch(Epoch(1)) > 0);
    // An old receipt is found and verifies after the change as well.
    let first = &receipts[0];
    let found = cluster
        .client
        .receipt(&first.leaf.transaction)
        .await
        .unwrap();
    assert_eq!(found.unwrap().header, first.header);
    // Without replica 0 the new one is needed for a quorum.
    cluster.kill(ReplicaId(0));
    cluster.submit_all(20..40).await;
    cluster.launch(ReplicaId(0));
    cluster.assert_equal_chains().await;
    // Everything starts again in the epoch it was in.
    for replica in [0, 1, 2, 4] {
        cluster.launch(ReplicaId(replica));
    }
    for replica in [0, 1, 2, 4] {
        cluster
            .wait_for_standing(ReplicaId(replica), Standing::Votes)
            .await;
    }
    let receipts = cluster.submit_all(40..50).await;
    assert!(
        receipts
            .iter()
            .all(|receipt| receipt.header.epoch == Epoch(1))
    );
    cluster.assert_equal_chains().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_slept_through_two_changes_catches_up_through_both() {
    let mut cluster = Cluster::start().await;
    cluster.submit_all(0..5).await;
    cluster.kill(ReplicaId(0));
    cluster.launch(ReplicaId(4));
    cluster.adopt(1, replacement(3, 4, 3)).await;
    cluster
        .wait_for_standing(ReplicaId(4), Standing::Votes)
        .await;
    cluster.kill(ReplicaId(3));
    cluster.launch(ReplicaId(5));
    cluster.adopt(2, replacement(2, 5, 2)).await;
    cluster
        .wait_for_standing(ReplicaId(5), Standing::Votes)
        .await;
    cluster.submit_all(10..20).await;
    cluster.launch(ReplicaId(0));
    cluster
        .wait_for(ReplicaId(0), "voting in epoch 2", |status| {
            status.epoch == Epoch(2) && status.standing == Standing::Votes
        })
        .await;
    let receipts = cluster.submit_all(20..30).await;
    for receipt in &receipts {
        let verified = receipt.verify(cluster.client.genesis()).unwrap();
        assert_eq!(verified.certificate().epoch(), Epoch(2));
        assert_eq!(receipt.epochs.len(), 2);
    }
    cluster.assert_equal_chains().await;
}
