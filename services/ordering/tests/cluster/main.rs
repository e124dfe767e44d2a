//! Four replicas as processes of their own over a real nats-server, with the real contracts and real fsync.

mod divergence;
mod equivocation;
mod harness;
mod late;
mod membership;
mod quarantine;

use std::time::Duration;

use harness::{Cluster, REPLICA_CONFIG};
use ledger::{Height, Outcome, ReplicaId};

/// The other tests start this program again with a configuration; without one there is nothing to do.
#[test]
fn a_replica_runs_as_a_process_of_its_own() {
    let Some(path) = std::env::var_os(REPLICA_CONFIG) else {
        return;
    };
    let text = std::fs::read_to_string(path).unwrap();
    let config: ordering::Config = serde_json::from_str(&text).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let shutdown = chassis::Shutdown::detached("ordering");
    let asked = shutdown.clone();
    runtime.spawn(async move {
        let terminate = tokio::signal::unix::SignalKind::terminate();
        tokio::signal::unix::signal(terminate).unwrap().recv().await;
        asked.request();
    });
    let result = runtime.block_on(ordering::run(config, shutdown));
    eprintln!("the replica ended: {result:?}");
    assert!(result.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submitted_transaction_comes_back_as_a_receipt_that_verifies_with_the_genesis_file_alone()
{
    let cluster = Cluster::start().await;
    let transaction = cluster.register_record(1);
    let receipt = cluster.client.submit(&transaction).await.unwrap();
    let verified = receipt.verify(cluster.client.genesis()).unwrap();
    assert_eq!(verified.transaction(), transaction.id());
    assert_eq!(verified.outcome(), Outcome::Accepted);
    assert_eq!(verified.events().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_gets_the_first_receipt_and_a_rejected_one_is_committed_with_its_code() {
    let cluster = Cluster::start().await;
    let transaction = cluster.register_record(1);
    let first = cluster.client.submit(&transaction).await.unwrap();
    let second = cluster.client.submit(&transaction).await.unwrap();
    assert_eq!(
        (first.header.height, first.index),
        (second.header.height, second.index)
    );
    let same_record = cluster.register_record_again(1, 77);
    let rejected = cluster.client.submit(&same_record).await.unwrap();
    assert!(
        matches!(rejected.leaf.outcome, Outcome::Rejected { .. }),
        "{:?}",
        rejected.leaf.outcome
    );
    let other_body = cluster.register_record_with_nonce(2, 1);
    let rejected = cluster.client.submit(&other_body).await.unwrap();
    let reused =
        contracts::Rejection::from(contracts::submission::Rejection::NonceReused).outcome();
    assert_eq!(rejected.leaf.outcome, reused);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_primary_is_replaced_and_catches_up_when_it_comes_back() {
    let mut cluster = Cluster::start().await;
    cluster.submit_all(0..20).await;
    let primary = cluster.primary().await;
    cluster.kill(primary);
    cluster.submit_all(20..60).await;
    assert_ne!(cluster.primary().await, primary);
    cluster.launch(primary);
    cluster.submit_all(60..80).await;
    let height = cluster.height_of_most().await;
    cluster.wait_for_height(primary, height).await;
    cluster.assert_equal_chains().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_was_away_for_many_blocks_catches_up() {
    let mut cluster = Cluster::start().await;
    let away = ReplicaId((cluster.primary().await.0 + 2) % 4);
    cluster.submit_all(0..5).await;
    cluster.kill(away);
    for round in 0..200 {
        cluster.submit_all(5 + round * 3..8 + round * 3).await;
    }
    let height = cluster.height_of_most().await;
    assert!(height > Height(150), "one block a round at least: {height}");
    cluster.launch(away);
    cluster.wait_for_height(away, height).await;
    cluster.submit_all(900..905).await;
    let height = cluster.height_of_most().await;
    cluster.wait_for_height(away, height).await;
    cluster.assert_equal_chains().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_with_a_receipt_is_lost_when_all_replicas_are_killed_in_the_middle_of_the_work() {
    let mut cluster = Cluster::start().await;
    let mut receipts = cluster.submit_all(0..50).await;
    for round in 0..3 {
        let work = cluster.start_submitting(100 + round * 1000..160 + round * 1000);
        tokio::time::sleep(Duration::from_millis(30 + 40 * round)).await;
        for replica in 0..4 {
            cluster.kill(ReplicaId(replica));
        }
        for replica in 0..4 {
            cluster.launch(ReplicaId(replica));
        }
        receipts.extend(work.await.unwrap());
    }
    for receipt in &receipts {
        // Replicas that were just started may not answer yet.
        let mut asked = cluster.client.receipt(&receipt.leaf.transaction).await;
        for _ in 0..100 {
            if matches!(asked, Ok(Some(_))) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
            asked = cluster.client.receipt(&receipt.leaf.transaction).await;
        }
        let found = asked.unwrap().expect("a receipt stays");
        assert_eq!(
            (found.header.height, found.index),
            (receipt.header.height, receipt.index)
        );
    }
    cluster.assert_equal_chains().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chain_on_disk_verifies_from_the_genesis_file() {
    let mut cluster = Cluster::start().await;
    cluster.submit_all(0..30).await;
    let height = cluster.height_of_most().await;
    cluster.wait_for_height(ReplicaId(2), height).await;
    for replica in 0..4 {
        cluster.kill(ReplicaId(replica));
    }
    let chain = cluster.stored_chain(ReplicaId(2));
    let mut verifier = ledger::ChainVerifier::new(cluster.client.genesis()).unwrap();
    for block in &chain {
        verifier.next(block).unwrap();
    }
    let transactions: usize = chain
        .iter()
        .map(|block| block.block.transactions.len())
        .sum();
    assert_eq!(transactions, 30);
}
