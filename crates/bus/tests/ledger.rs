//! Submitting and following over a real broker, with replicas that have real keys and certificates.

use std::time::Duration;

use bus::ordering_wire::Submission;
use bus::testing::{Decision, TestBroker, TestOrdering};
use bus::{Bus, Position, SubmitError, subjects};
use futures::StreamExt;
use keys::MemberKey;
use ledger::{
    ContractId, Height, Outcome, ReplicaId, SignedTransaction, Timestamp, TransactionBody,
    canonical,
};

const EVERYONE: &[&str] = &["index", "replica-0", "replica-1", "replica-2", "replica-3"];

fn accept_all() -> Decision {
    Box::new(|_| (Outcome::Accepted, Vec::new()))
}

fn transaction(bus: &Bus, nonce: u64, valid_us: u64) -> SignedTransaction {
    let member = MemberKey::random();
    member.sign(TransactionBody {
        chain: bus.chain(),
        submitter: member.ledger_id(),
        public_key: member.public_key(),
        nonce,
        valid_until: Timestamp(chassis::clock::now() + valid_us),
        contract: ContractId(2),
        command: vec![1, 2, 3],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submitted_transaction_gives_a_receipt_that_verifies() {
    let broker = TestBroker::start(EVERYONE).await;
    let _ordering = TestOrdering::start(&broker, Vec::new(), accept_all()).await;
    let bus = broker.connect("index").await;
    let signed = transaction(&bus, 1, 30_000_000);
    let receipt = bus.submit(&signed).await.unwrap();
    let verified = receipt.verify(broker.genesis()).unwrap();
    assert_eq!(
        (verified.transaction(), verified.height()),
        (signed.id(), Height(2))
    );
    assert_eq!(
        bus.submit(&signed).await.unwrap(),
        receipt,
        "a repeat gets the first receipt"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_gets_no_receipt_from_the_primary_goes_to_every_replica() {
    let broker = TestBroker::start(EVERYONE).await;
    let ordering = TestOrdering::start(&broker, Vec::new(), accept_all()).await;
    let bus = broker.connect("index").await;
    let backup = broker.connect("replica-2").await;
    let listen = async |subject: String| backup.client().subscribe(subject).await.unwrap();
    let mut to_all = listen(subjects::ALL_TRANSACTIONS.to_owned()).await;
    let mut to_me = listen(subjects::transactions_to_me(ReplicaId(2))).await;
    backup.settle_subscriptions().await.unwrap();
    let submission = |message: Option<async_nats::Message>| {
        let message = message.expect("a submission");
        canonical::decode::<Submission>(&message.payload).unwrap()
    };
    // Who has no receipt yet knows no primary.
    let first = transaction(&bus, 1, 30_000_000);
    bus.submit(&first).await.unwrap();
    assert_eq!(submission(to_all.next().await).addressed, None);
    // The receipt was certified in view 0. This replica hears of what goes to the primary, as one of those that watch it.
    ordering.set_deaf(true);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let second = transaction(&bus, 2, 30_000_000);
    let submitting = tokio::spawn({
        let (bus, second) = (bus.clone(), second.clone());
        async move { bus.submit(&second).await }
    });
    let watched = submission(to_me.next().await);
    assert_eq!(watched.addressed, Some(ReplicaId(0)));
    assert_eq!(watched.transactions[0].bytes, second.to_bytes());
    let again = submission(to_all.next().await);
    assert_eq!(again.addressed, None);
    assert_eq!(again.transactions[0].bytes, second.to_bytes());
    ordering.set_deaf(false);
    let receipt = submitting.await.unwrap().unwrap();
    assert_eq!(receipt.transaction, second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_receipt_is_asked_for() {
    let broker = TestBroker::start(EVERYONE).await;
    let ordering = TestOrdering::start(&broker, Vec::new(), accept_all()).await;
    ordering.set_silent(true);
    let bus = broker.connect("index").await;
    let signed = transaction(&bus, 1, 30_000_000);
    let receipt = bus.submit(&signed).await.unwrap();
    assert_eq!(receipt.transaction, signed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_cluster_says_so() {
    let broker = TestBroker::start(EVERYONE).await;
    let ordering = TestOrdering::start(&broker, Vec::new(), accept_all()).await;
    ordering.set_busy(true);
    let bus = broker.connect("index").await;
    assert_eq!(
        bus.submit(&transaction(&bus, 1, 30_000_000)).await,
        Err(SubmitError::Busy)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_was_not_ordered_in_time_expires_only_when_the_ledger_is_past_it() {
    let broker = TestBroker::start(EVERYONE).await;
    let ordering = TestOrdering::start(&broker, Vec::new(), accept_all()).await;
    ordering.set_deaf(true);
    let bus = broker.connect("index").await;
    let signed = transaction(&bus, 1, 1_000);
    let submitting = tokio::spawn({
        let (bus, signed) = (bus.clone(), signed.clone());
        async move { bus.submit(&signed).await }
    });
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(
        !submitting.is_finished(),
        "no block past its validity: it could still have been ordered"
    );
    ordering.append(Vec::new()).await;
    assert_eq!(submitting.await.unwrap(), Err(SubmitError::Expired));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_or_forged_transaction_is_not_even_sent() {
    let broker = TestBroker::start(EVERYONE).await;
    let bus = broker.connect("index").await;
    let mut signed = transaction(&bus, 1, 30_000_000);
    signed.body.nonce = 2;
    assert!(matches!(
        bus.submit(&signed).await,
        Err(SubmitError::Invalid(_))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_are_followed_from_genesis_in_order_and_live() {
    let broker = TestBroker::start(EVERYONE).await;
    let ordering = TestOrdering::start(&broker, Vec::new(), accept_all()).await;
    for _ in 0..20 {
        ordering.append(Vec::new()).await;
    }
    let bus = broker.connect("index").await;
    let mut follow = bus.follow(Height(0)).await.unwrap();
    for height in 0..22 {
        assert_eq!(
            follow.next().await.unwrap().block.block.header.height,
            Height(height)
        );
    }
    for height in 22..40 {
        ordering.append(Vec::new()).await;
        assert_eq!(
            follow.next().await.unwrap().block.block.header.height,
            Height(height)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_that_never_came_live_are_asked_for() {
    let broker = TestBroker::start(EVERYONE).await;
    let ordering = TestOrdering::start(&broker, Vec::new(), accept_all()).await;
    let bus = broker.connect("index").await;
    let mut follow = bus.follow(Height(0)).await.unwrap();
    for _ in 0..2 {
        follow.next().await.unwrap();
    }
    ordering.set_publishing(false);
    for _ in 0..600 {
        ordering.append(Vec::new()).await;
    }
    ordering.set_publishing(true);
    ordering.append(Vec::new()).await;
    for height in 2..603 {
        assert_eq!(
            follow.next().await.unwrap().block.block.header.height,
            Height(height)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_block_is_passed_over_and_the_real_one_is_taken() {
    let broker = TestBroker::start(EVERYONE).await;
    let ordering = TestOrdering::start(&broker, Vec::new(), accept_all()).await;
    let bus = broker.connect("index").await;
    let mut follow = bus.follow(Height(1)).await.unwrap();
    follow.next().await.unwrap();
    let mut forged = ordering.blocks()[1].clone();
    forged.block.header.height = Height(2);
    forged.block.header.previous = ordering.blocks()[1].block.hash();
    let replica = broker.connect("replica-3").await;
    let subject = bus::subjects::block(ReplicaId(3), Height(2));
    replica
        .client()
        .publish(subject, ledger::canonical::encode(&forged).into())
        .await
        .unwrap();
    replica.client().flush().await.unwrap();
    let real = ordering.append(Vec::new()).await;
    assert_eq!(follow.next().await.unwrap().block, real);
}

#[tokio::test(flavor = "multi_thread")]
async fn following_goes_on_from_a_stored_position_after_the_broker_was_killed() {
    let mut broker = TestBroker::start(EVERYONE).await;
    let ordering = TestOrdering::start(&broker, Vec::new(), accept_all()).await;
    let bus = broker.connect("index").await;
    let position = Position::after(&ordering.blocks()[1]);
    let mut follow = bus
        .follow_from(Position::from_bytes(&position.to_bytes()).unwrap())
        .await
        .unwrap();
    ordering.append(Vec::new()).await;
    follow.next().await.unwrap();
    broker.kill();
    broker.run();
    for height in 3..6 {
        ordering.append(Vec::new()).await;
        let followed = tokio::time::timeout(Duration::from_secs(30), follow.next())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(followed.block.block.header.height, Height(height));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_tell_status_blocks_and_receipts() {
    let broker = TestBroker::start(EVERYONE).await;
    let ordering = TestOrdering::start(&broker, Vec::new(), accept_all()).await;
    let bus = broker.connect("index").await;
    let block = ordering.append(Vec::new()).await;
    assert_eq!(bus.block(Height(2)).await.unwrap().as_ref(), Some(&block));
    assert_eq!(
        bus.block(Height(0)).await.unwrap().as_ref(),
        Some(&ordering.blocks()[0])
    );
    assert_eq!(bus.block(Height(3)).await, Ok(None));
    assert_eq!(
        bus.block_by_hash(block.block.hash()).await.unwrap(),
        Some(block)
    );
    let statuses = bus.status().await;
    assert_eq!(statuses.len(), 4);
    assert!(
        statuses
            .iter()
            .all(|(replica, status)| status.as_ref().unwrap().replica == *replica)
    );
}
