//! The outbox and projections against a real broker and replicas with real certificates.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bus::Position;
use bus::testing::{TestBroker, TestOrdering};
use chassis::Shutdown;
use contracts::Event;
use contracts::membership::event::Event as MembershipEvent;
use keys::MemberKey;
use ledger::{
    ContractId, Digest, Height, LedgerId, Outcome, SignedTransaction, Timestamp, TransactionBody,
};
use sqlx::Row;
use store::projections::{self, ProjectionTransaction};
use store::testing::TestDatabase;
use store::{
    Migration, Outbox, OutboxError, ProjectedBlock, ProjectedEvent, Projection, Store, outbox,
};

const EVERYONE: &[&str] = &["index", "replica-0", "replica-1", "replica-2", "replica-3"];

const MIGRATIONS: &[Migration] = &[(
    1,
    "activated",
    "CREATE TABLE activated (member TEXT NOT NULL, height BIGINT NOT NULL);",
)];

fn body(chain: Digest, member: &MemberKey, nonce: u64) -> TransactionBody {
    TransactionBody {
        chain,
        submitter: member.ledger_id(),
        public_key: member.public_key(),
        nonce,
        valid_until: Timestamp(chassis::clock::now() + 30_000_000),
        contract: ContractId(2),
        command: vec![1, 2, 3],
    }
}

fn activated(number: u8) -> Event {
    MembershipEvent::MemberActivated {
        member: LedgerId([number; 16]),
    }
    .into()
}

/// Every accepted transaction activates the member whose number is its nonce.
async fn ordering(broker: &TestBroker) -> TestOrdering {
    let decide = |signed: &SignedTransaction| {
        (
            Outcome::Accepted,
            vec![activated(signed.body.nonce as u8).recorded()],
        )
    };
    TestOrdering::start(broker, vec![activated(200).recorded()], Box::new(decide)).await
}

#[derive(Clone, Default)]
struct Activated<const VERSION: i64> {
    reactions: Arc<AtomicUsize>,
}

impl<const VERSION: i64> Projection for Activated<VERSION> {
    const NAME: &'static str = "activated";
    const VERSION: i64 = VERSION;

    async fn apply(
        &self,
        transaction: &mut ProjectionTransaction<'_>,
        block: &ProjectedBlock,
    ) -> anyhow::Result<()> {
        for event in &block.events {
            if let Event::Membership(MembershipEvent::MemberActivated { member }) = &event.event {
                sqlx::query("INSERT INTO activated (member, height) VALUES ($1, $2)")
                    .bind(member.to_string())
                    .bind(event.height.0 as i64)
                    .execute(&mut **transaction)
                    .await?;
            }
        }
        Ok(())
    }

    async fn reset(&self, transaction: &mut ProjectionTransaction<'_>) -> anyhow::Result<()> {
        sqlx::query("DELETE FROM activated")
            .execute(&mut **transaction)
            .await?;
        Ok(())
    }

    async fn after_commit(&self, events: &[ProjectedEvent]) {
        self.reactions.fetch_add(events.len(), Ordering::SeqCst);
    }
}

async fn count(store: &Store) -> i64 {
    sqlx::query("SELECT COUNT(*) FROM activated")
        .fetch_one(store.reader())
        .await
        .unwrap()
        .get(0)
}

async fn commits_and_projects(database: &TestDatabase) {
    let broker = TestBroker::start(EVERYONE).await;
    let _ordering = ordering(&broker).await;
    let (bus, shutdown) = (broker.connect("index").await, Shutdown::detached("index"));
    let store = database.open(MIGRATIONS).await;
    let outbox = Outbox::start(&store, &bus, &shutdown);
    let progress = projections::start(&store, &bus, Activated::<1>::default(), &shutdown)
        .await
        .unwrap();
    let member = MemberKey::random();
    let signed = member.sign(body(bus.chain(), &member, 1));
    let receipt = outbox.submit(&signed).await.unwrap();
    receipt.verify(broker.genesis()).unwrap();
    assert!(
        progress
            .wait_for(receipt.header.height, Duration::from_secs(20))
            .await
    );
    assert_eq!(
        count(&store).await,
        2,
        "the genesis event and the transaction's"
    );
    assert_eq!(outbox.wait(&signed.id()).await.unwrap(), receipt);
    let height = projections::height(&store, "activated").await.unwrap();
    assert_eq!(height, receipt.header.height.next());
    shutdown.request();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_is_committed_and_projected_on_sqlite() {
    commits_and_projects(&TestDatabase::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_is_committed_and_projected_on_postgres() {
    let Some(database) = TestDatabase::postgres("store::ledger").await else {
        return;
    };
    commits_and_projects(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_left_in_the_outbox_is_sent_by_the_next_process() {
    let broker = TestBroker::start(EVERYONE).await;
    let ordering = ordering(&broker).await;
    let bus = broker.connect("index").await;
    let database = TestDatabase::sqlite();
    let store = database.open(MIGRATIONS).await;
    let member = MemberKey::random();
    let signed = member.sign(body(bus.chain(), &member, 1));
    let mut transaction = store.begin().await.unwrap();
    outbox::put(&mut transaction, &signed).await.unwrap();
    outbox::put(&mut transaction, &signed).await.unwrap();
    transaction.commit().await.unwrap();
    store.close().await;
    let store = database.open(MIGRATIONS).await;
    let outbox = Outbox::start(&store, &bus, &Shutdown::detached("index"));
    while outbox.depth().await.unwrap() > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let receipt = outbox.wait(&signed.id()).await.unwrap();
    assert_eq!(receipt.transaction, signed);
    assert_eq!(
        ordering
            .blocks()
            .iter()
            .filter(|block| !block.block.transactions.is_empty())
            .count(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_was_rolled_back_is_never_sent() {
    let broker = TestBroker::start(EVERYONE).await;
    let _ordering = ordering(&broker).await;
    let bus = broker.connect("index").await;
    let database = TestDatabase::sqlite();
    let store = database.open(MIGRATIONS).await;
    let outbox = Outbox::start(&store, &bus, &Shutdown::detached("index"));
    let member = MemberKey::random();
    let signed = member.sign(body(bus.chain(), &member, 1));
    let mut transaction = store.begin().await.unwrap();
    outbox::put(&mut transaction, &signed).await.unwrap();
    drop(transaction);
    assert_eq!(outbox.wait(&signed.id()).await, Err(OutboxError::Unknown));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsigned_transaction_waits_for_its_members_signature() {
    let broker = TestBroker::start(EVERYONE).await;
    let _ordering = ordering(&broker).await;
    let bus = broker.connect("index").await;
    let database = TestDatabase::sqlite();
    let store = database.open(MIGRATIONS).await;
    let outbox = Outbox::start(&store, &bus, &Shutdown::detached("index"));
    let (member, other) = (MemberKey::random(), MemberKey::random());
    let body = body(bus.chain(), &member, 1);
    let id = body.id();
    let mut transaction = store.begin().await.unwrap();
    outbox::put_unsigned(&mut transaction, &body).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(outbox.wait(&id).await, Err(OutboxError::Unsigned));
    assert_eq!(outbox::body(&store, &id).await.unwrap(), body);
    let foreign = SignedTransaction::sign(body.clone(), other.signing()).signature;
    let mut transaction = store.begin().await.unwrap();
    let refused = outbox::attach_signature(&mut transaction, &id, foreign).await;
    assert_eq!(refused, Err(OutboxError::BadSignature));
    let signature = member.sign(body).signature;
    outbox::attach_signature(&mut transaction, &id, signature)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(outbox.wait(&id).await.unwrap().leaf.transaction, id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_rebuilds_the_rows_without_reacting_again() {
    let broker = TestBroker::start(EVERYONE).await;
    let ordering = ordering(&broker).await;
    for number in 1..=10 {
        ordering.append(vec![activated(number).recorded()]).await;
    }
    let bus = broker.connect("index").await;
    let database = TestDatabase::sqlite();
    let store = database.open(MIGRATIONS).await;
    let first = Activated::<1>::default();
    let shutdown = Shutdown::detached("index");
    let running = tokio::spawn(projections::run(
        store.clone(),
        bus.clone(),
        first.clone(),
        shutdown.clone(),
    ));
    while first.reactions.load(Ordering::SeqCst) < 11 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    shutdown.request();
    running.await.unwrap().unwrap();
    assert_eq!(count(&store).await, 11);
    let second = Activated::<2>::default();
    let shutdown = Shutdown::detached("index");
    let progress = projections::start(&store, &bus, second.clone(), &shutdown)
        .await
        .unwrap();
    assert!(progress.wait_for(Height(11), Duration::from_secs(20)).await);
    assert_eq!(count(&store).await, 11);
    assert_eq!(second.reactions.load(Ordering::SeqCst), 0);
    ordering.append(vec![activated(11).recorded()]).await;
    while second.reactions.load(Ordering::SeqCst) < 1 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Commits the rows of one height by itself, as a database does that dies before its answer leaves.
struct AnswerLost {
    height: u64,
    is_lost: AtomicBool,
    rows: Activated<1>,
}

impl Projection for AnswerLost {
    const NAME: &'static str = Activated::<1>::NAME;
    const VERSION: i64 = 1;

    async fn apply(
        &self,
        transaction: &mut ProjectionTransaction<'_>,
        block: &ProjectedBlock,
    ) -> anyhow::Result<()> {
        self.rows.apply(transaction, block).await?;
        let height = block.header.height;
        if height.0 != self.height || self.is_lost.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        let position = Position {
            next: height.next(),
            previous: Some(block.hash),
        };
        sqlx::query("UPDATE projection SET next_height = $1, position = $2 WHERE name = $3")
            .bind(position.next.0 as i64)
            .bind(position.to_bytes())
            .bind(Self::NAME)
            .execute(&mut **transaction)
            .await?;
        sqlx::query("INSERT INTO stopped_members (member) VALUES ($1)")
            .bind(LedgerId([7; 16]).to_string())
            .execute(&mut **transaction)
            .await?;
        sqlx::query("COMMIT").execute(&mut **transaction).await?;
        anyhow::bail!("the connection was closed")
    }

    async fn reset(&self, transaction: &mut ProjectionTransaction<'_>) -> anyhow::Result<()> {
        self.rows.reset(transaction).await
    }

    async fn after_commit(&self, events: &[ProjectedEvent]) {
        self.rows.after_commit(events).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projection_goes_on_after_a_commit_whose_answer_was_lost() {
    let Some(database) = TestDatabase::postgres("store::answer_lost").await else {
        return;
    };
    let broker = TestBroker::start(EVERYONE).await;
    let ordering = ordering(&broker).await;
    let bus = broker.connect("index").await;
    let store = database.open(MIGRATIONS).await;
    let rows = Activated::<1>::default();
    let projection = AnswerLost {
        height: 3,
        is_lost: AtomicBool::new(false),
        rows: rows.clone(),
    };
    let shutdown = Shutdown::detached("index");
    let progress = projections::start(&store, &bus, projection, &shutdown)
        .await
        .unwrap();
    for number in 1..=5 {
        let block = ordering.append(vec![activated(number).recorded()]).await;
        let height = block.block.header.height;
        let is_in_rows = progress.wait_for(height, Duration::from_secs(60));
        assert!(is_in_rows.await, "the block at {height}");
    }
    assert_eq!(
        count(&store).await,
        6,
        "the genesis event and five, each once"
    );
    assert!(progress.stopped().contains(&LedgerId([7; 16])));
    while rows.reactions.load(Ordering::SeqCst) < 6 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    shutdown.request();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_an_hour_ago_leaves_the_outbox_and_what_is_pending_stays() {
    let broker = TestBroker::start(EVERYONE).await;
    let ordering = ordering(&broker).await;
    let bus = broker.connect("index").await;
    let database = TestDatabase::sqlite();
    let store = database.open(MIGRATIONS).await;
    let member = MemberKey::random();
    let shutdown = Shutdown::detached("index");
    let outbox = Outbox::start(&store, &bus, &shutdown);
    let ended = member.sign(body(bus.chain(), &member, 1));
    outbox.submit(&ended).await.unwrap();
    while outbox.depth().await.unwrap() > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    shutdown.request();
    drop(ordering);
    let (unsigned, pending) = (
        body(bus.chain(), &member, 2),
        member.sign(body(bus.chain(), &member, 3)),
    );
    let mut transaction = store.begin().await.unwrap();
    outbox::put_unsigned(&mut transaction, &unsigned)
        .await
        .unwrap();
    outbox::put(&mut transaction, &pending).await.unwrap();
    transaction.commit().await.unwrap();
    let rows = async || -> i64 {
        let row = sqlx::query("SELECT COUNT(*) FROM outbox");
        row.fetch_one(store.reader()).await.unwrap().get(0)
    };

    let validity_us = 31_000_000;
    let ends = chassis::clock::now() + validity_us;
    let before_the_hour = chassis::clock::now() + outbox::KEPT_US - 1_000_000;
    assert_eq!(outbox::prune(&store, before_the_hour).await.unwrap(), 0);
    assert_eq!(rows().await, 3);
    let after_the_hour = ends + outbox::KEPT_US;
    assert_eq!(outbox::prune(&store, after_the_hour).await.unwrap(), 2);
    assert_eq!(rows().await, 1);
    let outbox = Outbox::start(&store, &bus, &Shutdown::detached("index"));
    assert_eq!(outbox.depth().await.unwrap(), 1);
}
