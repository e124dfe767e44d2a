//! A replica that signs two things for one slot is named on the ledger.

use std::time::Duration;

use contracts::governance::Event;
use ledger::equivocation::Phase;
use ledger::{Digest, Epoch, Height, ReplicaId};
use ordering::wire::{Wire, payloads};
use pbft::message::{Message, Vote};
use pbft::statement::Statement;
use pbft::{Sequence, SignedMessage, View};

use crate::harness::{Cluster, operator, voting_key};

const FAULTY: ReplicaId = ReplicaId(3);

/// Two COMMITs for one slot.
fn contradicting(chain: Digest, sequence: Sequence) -> Vec<SignedMessage> {
    let commit = |byte: u8| {
        let message = Message::Commit(Vote {
            view: View(0),
            sequence,
            digest: Digest([byte; 32]),
        });
        let (domain, bytes) = Statement::of(&message).signing_bytes(&chain, Epoch(0), FAULTY);
        SignedMessage {
            epoch: Epoch(0),
            sender: FAULTY,
            message,
            signature: voting_key(FAULTY).sign(domain, &bytes),
        }
    };
    vec![commit(7), commit(8)]
}

async fn proven(cluster: &Cluster, from: Height, to: Height) -> Vec<Event> {
    let mut found = Vec::new();
    for height in (from.0..=to.0).map(Height) {
        let block = cluster.client.block(height).await.unwrap().unwrap();
        for recorded in block.block.outcomes.iter().flat_map(|leaf| &leaf.events) {
            let event = contracts::Event::from_bytes(recorded.contract, &recorded.bytes).unwrap();
            if let contracts::Event::Governance(event @ Event::EquivocationProven { .. }) = event {
                found.push(event);
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_signs_twice_for_one_slot_is_recorded_once_with_both_signatures() {
    let mut cluster = Cluster::start().await;
    cluster.submit_all(0..10).await;
    let before = cluster.height_of_most().await;
    // Its process is replaced by one that lies.
    cluster.kill(FAULTY);
    let liar = cluster
        .broker
        .connect(&bus::subjects::replica_name(FAULTY))
        .await;
    let slot = Sequence(before.0 + 40);
    let subject = bus::subjects::pbft_all(Epoch(0), FAULTY);
    for (number, message) in contradicting(liar.chain(), slot).into_iter().enumerate() {
        for payload in payloads(
            &Wire::Consensus(vec![message.to_bytes()], Vec::new()),
            number as u64,
        ) {
            liar.client()
                .publish(subject.clone(), payload)
                .await
                .unwrap();
        }
    }
    liar.client().flush().await.unwrap();
    let mut found = Vec::new();
    for round in 0..200 {
        cluster.submit_all(100 + round..101 + round).await;
        let height = cluster.height_of_most().await;
        found = proven(&cluster, before, height).await;
        if !found.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let [
        Event::EquivocationProven {
            evidence,
            operator: accused,
            ..
        },
    ] = &found[..]
    else {
        panic!("one event: {found:?}")
    };
    assert_eq!(evidence.slot.replica, FAULTY);
    assert_eq!(
        (evidence.slot.sequence, evidence.slot.phase),
        (slot.height(), Phase::Commit)
    );
    assert_eq!(*accused, operator(3));
    evidence
        .verify(&cluster.client.chain(), &voting_key(FAULTY).public_key())
        .unwrap();
    // The others report it as well, each in its turn, and find it done.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let height = cluster.height_of_most().await;
    assert_eq!(proven(&cluster, before, height).await.len(), 1);
}
