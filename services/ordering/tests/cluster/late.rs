//! A replica that is late asks those that may have what it lacks.

use std::time::Duration;

use bus::Bus;
use bus::ordering_wire::{
    Answer, BlocksReply, BlocksRequest, Question, Standing, StatusReply, StatusRequest,
};
use futures::StreamExt;
use ledger::{CertifiedBlock, Epoch, Height, ReplicaId, canonical};

use crate::harness::{Cluster, replacement};

/// Plays a replica that works in epoch 1 and has these blocks, genesis block included: it says something again and again,
/// and answers. It ends with the future.
async fn play(bus: &Bus, replica: ReplicaId, chain: &[CertifiedBlock], status: StatusReply) {
    let client = bus.client();
    let subject = bus::subjects::all_of_ordering(replica);
    let mut questions = client.subscribe(subject).await.unwrap();
    let mut speaks = tokio::time::interval(Duration::from_millis(500));
    loop {
        let question = tokio::select! {
            _ = speaks.tick() => {
                let subject = bus::subjects::pbft_all(Epoch(1), replica);
                client.publish(subject, "a word".into()).await.unwrap();
                continue;
            }
            question = questions.next() => question.expect("the broker goes on"),
        };
        let answer = if question.subject.ends_with(StatusRequest::NAME) {
            canonical::encode(&Answer::Ok(status.clone()))
        } else {
            let asked: BlocksRequest = canonical::decode(&question.payload).unwrap();
            let is_asked = |block: &&CertifiedBlock| {
                (asked.from..=asked.to).contains(&block.block.header.height)
            };
            let blocks = chain.iter().filter(is_asked).map(canonical::encode);
            canonical::encode(&Answer::Ok(BlocksReply {
                blocks: blocks.collect(),
                newest: status.height,
            }))
        };
        let reply = question.reply.expect("somebody asks");
        client.publish(reply, answer.into()).await.unwrap();
    }
}

/// Plays a faulty replica: without a pause it says that it works in epoch 1, and it answers no question. It ends with the
/// future.
async fn flood(bus: &Bus, replica: ReplicaId) {
    let client = bus.client();
    let subject = bus::subjects::all_of_ordering(replica);
    // Somebody listens, so that the broker does not answer that nobody does.
    let _questions = client.subscribe(subject).await.unwrap();
    let mut speaks = tokio::time::interval(Duration::from_millis(1));
    loop {
        speaks.tick().await;
        let subject = bus::subjects::pbft_all(Epoch(1), replica);
        client.publish(subject, "a word".into()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_floods_with_messages_of_a_later_epoch_keeps_no_other_from_being_asked() {
    let mut cluster = Cluster::start().await;
    let primary = cluster.primary().await;
    let late = (0..3).map(ReplicaId).find(|replica| *replica != primary);
    let (late, ahead) = (late.expect("one of three"), ReplicaId(3));
    cluster.kill(late);
    cluster.submit_all(0..5).await;
    let height = cluster.height_of_most().await;
    let status = cluster
        .wait_for(ahead, "at the newest block", |status| {
            status.height >= height
        })
        .await;
    for replica in (0..4).map(ReplicaId).filter(|replica| *replica != late) {
        cluster.kill(replica);
    }
    let chain = cluster.stored_chain(ahead);
    let known = &chain[..=status.height.0 as usize];
    let height = status.height;
    cluster.launch(late);
    let speaker = cluster.broker.connect("replica-3").await;
    let flooder = cluster.broker.connect("replica-5").await;
    tokio::select! {
        () = flood(&flooder, ReplicaId(5)) => {}
        () = play(&speaker, ahead, known, status) => {}
        _ = cluster.wait_for(late, "where the other is", |status| status.height == height) => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_knows_that_its_epoch_ends_gets_the_end_from_a_replica_taken_out_that_says_nothing() {
    let mut cluster = Cluster::start().await;
    let retired = ReplicaId(3);
    let primary = cluster.primary().await;
    let late = (0..3).map(ReplicaId).find(|replica| *replica != primary);
    let late = late.expect("one of three");
    cluster.submit_all(0..5).await;
    cluster.kill(late);
    cluster.adopt(1, replacement(3, 4, 3)).await;
    let ended = cluster
        .wait_for(retired, "past the end", |status| status.epoch == Epoch(1))
        .await;
    for replica in (0..4).map(ReplicaId).filter(|replica| *replica != late) {
        cluster.kill(replica);
    }
    let chain = cluster.stored_chain(retired);
    let change = chain.iter().skip(1).find_map(|block| {
        let announced = ordering::epochs::announced_in(&block.block.outcomes)?;
        Some((block.block.header.height, announced.first_height))
    });
    let (change, next) = change.expect("the change was ordered");
    let last = Height(next.0 - 1);
    assert!(change < last);

    // The late one learns of the change, and of no block after it.
    cluster.launch(late);
    let bus = cluster.broker.connect("replica-3").await;
    let known = &chain[..=change.0 as usize];
    let status = StatusReply {
        height: change,
        ..ended
    };
    tokio::select! {
        () = play(&bus, retired, known, status) => {}
        _ = cluster.wait_for(late, "where the change is", |status| status.height == change) => {}
    }
    bus.close().await;

    // Nobody else runs, and the retired one says nothing: it only answers.
    cluster.launch(retired);
    cluster.wait_for_standing(retired, Standing::Retired).await;
    let entered = cluster
        .wait_for(late, "past the end", |status| status.epoch == Epoch(1))
        .await;
    assert_eq!(entered.height, last);
    assert_eq!(entered.block, chain[last.0 as usize].block.hash());
}
