//! What the real server denies.

use std::time::Duration;

use bus::testing::TestBroker;
use bus::{Bus, subjects};
use futures::StreamExt;
use ledger::{Epoch, Height, ReplicaId};

/// Whether a message that `from` publishes on `subject` reaches `to`, who listens to it.
async fn arrives(from: &Bus, subject: &str, to: &Bus, listened: &str) -> bool {
    let mut subscription = to.client().subscribe(listened.to_owned()).await.unwrap();
    to.settle_subscriptions().await.unwrap();
    from.client()
        .publish(subject.to_owned(), "hello".into())
        .await
        .unwrap();
    let heard = async {
        // The listener's own message to itself, by which subscriptions settle, may come as well.
        while let Some(message) = subscription.next().await {
            if message.subject.as_str() == subject {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_millis(500), heard)
        .await
        .is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_cannot_speak_as_another_replica() {
    let broker = TestBroker::start(&["replica-0", "replica-1", "replica-2", "index"]).await;
    let (one, two) = (
        broker.connect("replica-1").await,
        broker.connect("replica-2").await,
    );
    let own = subjects::pbft_all(Epoch(0), ReplicaId(1));
    assert!(arrives(&one, &own, &two, subjects::PBFT_TO_ALL).await);
    let foreign = subjects::pbft_all(Epoch(0), ReplicaId(0));
    assert!(!arrives(&one, &foreign, &two, subjects::PBFT_TO_ALL).await);
    let index = broker.connect("index").await;
    let block = subjects::block(ReplicaId(0), Height(1));
    assert!(!arrives(&one, &block, &index, subjects::BLOCKS_SUBJECTS).await);
    assert!(!arrives(&index, &own, &two, subjects::PBFT_TO_ALL).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_hears_no_transactions_that_are_sent_to_another() {
    let broker = TestBroker::start(&["index", "gateway", "replica-0", "replica-1"]).await;
    let index = broker.connect("index").await;
    let (zero, one) = (
        broker.connect("replica-0").await,
        broker.connect("replica-1").await,
    );
    let to_zero = subjects::transactions_to("index", ReplicaId(0));
    let of_zero = subjects::transactions_to_me(ReplicaId(0));
    assert!(arrives(&index, &to_zero, &zero, &of_zero).await);
    for listened in [
        of_zero.as_str(),
        "addressed.*.*",
        "addressed.>",
        "transactions.>",
    ] {
        assert!(
            !arrives(&index, &to_zero, &one, listened).await,
            "{listened}"
        );
    }
    let of_another = subjects::transactions_to("gateway", ReplicaId(0));
    assert!(!arrives(&index, &of_another, &zero, &of_zero).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_cannot_submit_or_answer_under_another_name() {
    let broker = TestBroker::start(&["index", "gateway", "identity", "replica-0"]).await;
    let (index, gateway) = (
        broker.connect("index").await,
        broker.connect("gateway").await,
    );
    let replica = broker.connect("replica-0").await;
    assert!(
        arrives(
            &index,
            &subjects::transactions("index"),
            &replica,
            subjects::ALL_TRANSACTIONS
        )
        .await
    );
    assert!(
        !arrives(
            &index,
            &subjects::transactions("gateway"),
            &replica,
            subjects::ALL_TRANSACTIONS
        )
        .await
    );
    let replies = subjects::all_replies("gateway");
    assert!(
        arrives(
            &index,
            &subjects::reply("index", "gateway", "1"),
            &gateway,
            &replies
        )
        .await
    );
    assert!(
        !arrives(
            &index,
            &subjects::reply("identity", "gateway", "1"),
            &gateway,
            &replies
        )
        .await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_hears_no_other_ones_requests_and_has_no_stream_api() {
    let broker = TestBroker::start(&["index", "gateway", "identity"]).await;
    let (index, gateway) = (
        broker.connect("index").await,
        broker.connect("gateway").await,
    );
    for subject in [
        "service.identity.*",
        "service.>",
        "reply.>",
        "_INBOX_gateway.>",
        ">",
        "$JS.API.>",
    ] {
        let subject = subject.to_owned();
        let heard = arrives(
            &gateway,
            &subjects::service("identity", "sign_in"),
            &index,
            &subject,
        )
        .await;
        assert!(!heard, "{subject}");
    }
    for api in [
        "$JS.API.STREAM.PURGE.BLOCKS",
        "$JS.API.STREAM.DELETE.BLOCKS",
        "$JS.API.CONSUMER.CREATE.BLOCKS",
    ] {
        let asked = index.client().request(api, "{}".into());
        assert!(
            tokio::time::timeout(Duration::from_millis(500), asked)
                .await
                .is_err(),
            "{api}"
        );
    }
}
