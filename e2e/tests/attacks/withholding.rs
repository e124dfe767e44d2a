//! Whoever operates the broker keeps what replicas say from one of them, and says again what it heard long ago.
//!
//! The operator holds the broker's certificate, so it can stand between the broker and a replica, and writes the broker's
//! configuration, so it can listen to everything and speak as anybody.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use async_nats::{ConnectOptions, Message};
use bus::subjects;
use e2e::attacked::eventually;
use e2e::between::{Between, Delivered, Verdict};
use e2e::by_hand::ByHand;
use e2e::capture;
use e2e::chain::blocks;
use e2e::system::Setup;
use futures::StreamExt as _;
use keys::tls::TlsFiles;
use ledger::ReplicaId;

use crate::target::{AT_WORK, Target, counter_at};

/// How many blocks are made after the operator has listened, until it says them again: more than replicas remember.
const OLD_BLOCKS: u64 = 300;
/// What is withheld from the victim.
const NOTHING: u8 = 0;
const CONSENSUS: u8 = 1;
const EVERYTHING: u8 = 2;
const MISSING: &str = "medshare_ordering_missing_replicas";
const OLD_WORDS: &str = "medshare_ordering_old_words_total";

/// The operator of the system's broker.
struct Operator {
    bus: async_nats::Client,
    tls: TlsFiles,
}

impl Operator {
    /// A setup whose broker lets its operator in, and the operator's password.
    fn prepare() -> (Setup, String) {
        let password = data_encoding::HEXLOWER.encode(&keys::secret::random::<16>());
        let environment = capture::stand_in(&password).into_iter();
        let setup = environment.fold(Setup::new(), |setup, (name, value)| {
            setup.environment(&name, &value)
        });
        (setup, password)
    }

    async fn of(target: &Target, password: String) -> Operator {
        let tls = TlsFiles {
            identity_file: target.system.process("nats-1").join("keys/tls.pem"),
            root_file: target.system.root().join("root.pem"),
        };
        let options = ConnectOptions::with_user_and_password("capture-medshare".into(), password)
            .add_root_certificates(tls.root_file.clone())
            .add_client_certificate(tls.identity_file.clone(), tls.identity_file.clone())
            .require_tls(true);
        let broker = target.system.address("nats-1", "client").to_string();
        let bus = options.connect(broker).await.unwrap();
        Operator { bus, tls }
    }

    /// Everything that is said until `until` is over; not what the broker says itself.
    async fn listen(&self, until: impl Future<Output = ()>) -> Vec<Message> {
        let mut heard = self.bus.subscribe(">").await.unwrap();
        self.bus.flush().await.unwrap();
        let mut kept = Vec::new();
        tokio::pin!(until);
        loop {
            tokio::select! {
                () = &mut until => return kept,
                message = heard.next() => {
                    let message = message.unwrap();
                    if !message.subject.starts_with('$') && !message.subject.starts_with("_INBOX") {
                        kept.push(message);
                    }
                }
            }
        }
    }

    /// Says everything again, as whoever said it.
    async fn say_again(&self, kept: &[Message]) {
        for message in kept {
            let (subject, payload) = (message.subject.clone(), message.payload.clone());
            let headers = message.headers.clone().unwrap_or_default();
            let said = match (&message.reply, headers.is_empty()) {
                (Some(reply), _) => {
                    let reply = reply.clone();
                    self.bus
                        .publish_with_reply_and_headers(subject, reply, headers, payload)
                        .await
                }
                (None, true) => self.bus.publish(subject, payload).await,
                (None, false) => {
                    self.bus
                        .publish_with_headers(subject, headers, payload)
                        .await
                }
            };
            said.unwrap();
        }
        self.bus.flush().await.unwrap();
    }
}

/// Waits until something is so, and says how long that took.
async fn took(what: &str, mut look: impl AsyncFnMut() -> bool) -> Duration {
    let began = Instant::now();
    eventually(what, async || look().await.then_some(())).await;
    let took = began.elapsed();
    println!("{what} after {took:?}");
    took
}

/// What the explorer's page about nodes shows to anybody.
async fn nodes_page(target: &Target) -> String {
    let root = std::fs::read(target.system.root().join("root.pem")).unwrap();
    let browser = reqwest::Client::builder()
        .tls_backend_preconfigured(keys::tls::trusting(&root).unwrap())
        .build()
        .unwrap();
    let portal = target.system.address("portal", "web");
    let page = browser
        .get(format!(
            "https://localhost:{}/explorer/nodes",
            portal.port()
        ))
        .send()
        .await;
    page.unwrap().text().await.unwrap()
}

/// Fault: a replica that is kept in the dark goes a way of its own, what was said long ago counts again, or nobody is told.
#[tokio::test(flavor = "multi_thread")]
async fn attack_08_a_broker_withholds_from_one_replica_and_plays_back_old_traffic() {
    let (setup, password) = Operator::prepare();
    let target = Target::of(setup).await;
    let load = e2e::load::Load::start(&target.treasurer, 4);
    load.goes_on(AT_WORK).await;
    let operator = Operator::of(&target, password).await;
    let old = operator.listen(load.goes_on(10 * AT_WORK)).await;
    let old_height = target.height().await;

    let number = (target.view().await.1 + 2) % 4;
    let name = subjects::replica_name(ReplicaId(number));
    let withholds = Arc::new(AtomicU8::new(NOTHING));
    let judge = {
        let withholds = withholds.clone();
        move |delivered: Delivered<'_>| match withholds.load(Ordering::SeqCst) {
            NOTHING => Verdict::Arrives,
            CONSENSUS if !delivered.subject.starts_with("pbft.") => Verdict::Arrives,
            _ => Verdict::Withheld,
        }
    };
    let broker = target.system.address("nats-1", "client");
    let between = Between::of_broker(broker, &operator.tls, judge).await;
    let servers = between.servers();
    let changed = [("MEDSHARE__BUS__SERVERS", servers.as_str())];
    let mut victim = ByHand::take_over(&target.system, &name, &changed);
    let health = victim.health();
    let others = (0..4).filter(|other| *other != number);
    let others: Vec<String> = others
        .map(|it| subjects::replica_name(ReplicaId(it)))
        .collect();
    let missing_elsewhere = async || {
        let mut most = 0;
        for other in &others {
            most = target.counter(other, MISSING).await.max(most);
        }
        most
    };
    let is_well = async || missing_elsewhere().await == 0 && counter_at(health, MISSING).await == 0;
    took("all is well", is_well).await;

    // What replicas say does not reach the victim any more; it can still speak, and answers questions.
    let (unheard, unseen) = (
        format!("Not heard by replica {number}"),
        "No new votes seen by replica",
    );
    withholds.store(CONSENSUS, Ordering::SeqCst);
    tokio::join!(
        took("the replica in the dark raised the alarm", async || {
            counter_at(health, MISSING).await == 3
        }),
        took("another replica raised the alarm", async || {
            missing_elsewhere().await > 0
        }),
        took("the explorer shows who misses whom", async || {
            let page = nodes_page(&target).await;
            page.contains(&unheard) && page.contains(unseen)
        }),
    );
    let log = target.system.log(&name);
    assert!(log.contains("nothing is heard of a replica"));
    load.goes_on(AT_WORK).await;
    withholds.store(NOTHING, Ordering::SeqCst);
    took("all is well again", is_well).await;

    // Nothing at all reaches it.
    withholds.store(EVERYTHING, Ordering::SeqCst);
    tokio::join!(
        took("the replica in the dark raised the alarm", async || {
            counter_at(health, MISSING).await == 3
        }),
        took("another replica raised the alarm", async || {
            missing_elsewhere().await > 0
        }),
        took("the explorer shows that it does not answer", async || {
            nodes_page(&target).await.contains("No answer")
        }),
    );
    load.goes_on(AT_WORK).await;
    withholds.store(NOTHING, Ordering::SeqCst);
    took("all is well again", is_well).await;

    // What was said long ago is said again: proposals, votes, transactions, receipts, blocks.
    while target.height().await < old_height + OLD_BLOCKS {
        load.goes_on(AT_WORK).await;
    }
    for other in &others {
        assert_eq!(target.counter(other, OLD_WORDS).await, 0, "{other}");
    }
    let say_again = async {
        for _ in 0..3 {
            operator.say_again(&old).await;
        }
    };
    let noticed = took("every replica noticed old words", async || {
        for other in &others {
            if target.counter(other, OLD_WORDS).await == 0 {
                return false;
            }
        }
        nodes_page(&target).await.contains("Old messages")
    });
    tokio::join!(say_again, noticed);
    println!("{} messages were said three times again", old.len());
    load.goes_on(AT_WORK).await;

    assert!(victim.runs(), "{}", target.system.log(&name));
    drop(victim);
    target.system.start_process(&name);
    let system = target.settle(load).await;
    // What was played back is on the ledger once, and at its place.
    let chain = blocks(&system.blocks(usize::from(number)));
    assert!(chain.len() as u64 > old_height + OLD_BLOCKS);
}
