//! A replica that computes another block than the others stops, with a report; the others go on.

use std::sync::Arc;

use execution::StateView;
use execution::state_tree::CHECKPOINT_INTERVAL;
use ledger::{Height, ReplicaId, WriteSet};
use ordering::state::{BlockWrites, StateStore};

use crate::harness::{Cluster, PATIENT};

const DIVERGING: ReplicaId = ReplicaId(2);

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_with_another_state_stops_with_a_report_of_heights_and_roots_and_the_others_go_on()
 {
    let mut cluster = Cluster::start().await;
    // At a checkpoint, up to which an orderly stop stores the state.
    let mut numbers = 0..;
    let mut height = Height(0);
    while height == Height(0) || !height.0.is_multiple_of(CHECKPOINT_INTERVAL) {
        let number = numbers.next().unwrap();
        cluster.submit_all(number..number + 1).await;
        height = cluster.height_of_most().await;
    }
    cluster.wait_for_height(DIVERGING, height).await;
    cluster.stop(DIVERGING);
    forget_the_patient(&cluster);
    cluster.launch(DIVERGING);
    let next = numbers.start;
    let work = cluster.start_submitting(next..next + 30);
    let end = cluster.wait_for_end(DIVERGING).await;
    assert!(!end.success());
    for receipt in work.await.unwrap() {
        assert!(receipt.leaf.outcome.is_accepted());
    }
    cluster.submit_all(next + 30..next + 50).await;
    let report = std::fs::read_to_string(cluster.data(DIVERGING).join("halted.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let at = report["height"]
        .as_u64()
        .expect("the report names a height");
    assert!(at > height.0, "{report:#}");
    let differing = report["differing_fields"]
        .as_array()
        .expect("fields")
        .clone();
    assert!(differing.contains(&"outcome_root".into()), "{report:#}");
    assert!(report["executed_here"]["outcome_root"].is_string());
    assert!(report["certified_by_others"]["outcome_root"].is_string());
    cluster.assert_equal_chains().await;
}

/// Takes the patient out of the replica's state, as a defect of memory or disk might.
fn forget_the_patient(cluster: &Cluster) {
    let store = StateStore::open(&cluster.data(DIVERGING).join("state")).unwrap();
    let entries = store.range(&[0], &[0xff], usize::MAX);
    let of_patient = entries
        .into_iter()
        .filter(|(key, _)| key.len() == 2 + 16 && key[0] == 1 && key[2..] == PATIENT.0);
    let writes = WriteSet(of_patient.map(|(key, _)| (key, None)).collect());
    assert!(!writes.0.is_empty());
    let head = store.head().unwrap().unwrap();
    let block = BlockWrites {
        head,
        writes,
        transactions: Vec::new(),
    };
    store.keep(&[Arc::new(block)]).unwrap();
}
