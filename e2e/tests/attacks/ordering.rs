//! Ordering, attacked by somebody who holds all that one replica holds: its user of the broker, its certificate, its voting
//! key. Each attack has a system of its own: some replicas do not survive.

use std::cell::OnceCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_nats::ConnectOptions;
use bus::ordering_wire::{Answer, BlocksReply, BlocksRequest, Question as _};
use bus::subjects;
use contracts::Event;
use contracts::governance::event::Event as Governance;
use e2e::attacked::eventually;
use e2e::chain::{blocks, events};
use e2e::invariants;
use e2e::load::{Load, deposit, see_through};
use e2e::system::RunningSystem;
use e2e::wire::Wire;
use futures::StreamExt as _;
use interfaces::settlement::Balance;
use keys::nkey::BusUserKey;
use ledger::{
    Certificate, CertifiedBlock, Digest, Epoch, Receipt, ReplicaId, Signature, SignedTransaction,
    SigningKey, Timestamp, canonical,
};
use pbft::message::{Checkpoint, PrePrepare, PreparedCertificate, Status, ViewChange};
use pbft::statement::Statement;
use pbft::{Batch, Message, Sequence, SignedMessage, View};
use serde_json::Value;

use crate::target::{AT_WORK, Target};

/// Somebody with all that a replica holds.
#[derive(Clone)]
struct Insider {
    bus: async_nats::Client,
    key: Arc<SigningKey>,
    replica: ReplicaId,
    chain: Digest,
}

impl Insider {
    async fn of(target: &Target, number: u16) -> Insider {
        let replica = ReplicaId(number);
        let name = subjects::replica_name(replica);
        let folder = target.system.process(&name).join("keys");
        let user = BusUserKey::load(&folder.join("nats.seed")).unwrap();
        let bus = ConnectOptions::with_nkey(user.expose_seed().to_owned())
            .add_root_certificates(target.system.root().join("root.pem"))
            .add_client_certificate(folder.join("tls.pem"), folder.join("tls.pem"))
            .require_tls(true)
            .custom_inbox_prefix(subjects::inbox_prefix(&name))
            .connect(target.system.address("nats-1", "client").to_string())
            .await
            .unwrap();
        let seed = std::fs::read_to_string(folder.join("voting.seed")).unwrap();
        let seed = data_encoding::HEXLOWER
            .decode(seed.trim().as_bytes())
            .unwrap();
        Insider {
            bus,
            key: Arc::new(SigningKey::from_seed(seed.try_into().unwrap())),
            replica,
            chain: target.chain,
        }
    }

    /// A message as the replica itself would sign it, of an epoch.
    fn signed_in(&self, epoch: Epoch, message: Message) -> SignedMessage {
        let statement = Statement::of(&message);
        let (domain, bytes) = statement.signing_bytes(&self.chain, epoch, self.replica);
        SignedMessage {
            epoch,
            sender: self.replica,
            message,
            signature: self.key.sign(domain, &bytes),
        }
    }

    fn signed(&self, message: Message) -> SignedMessage {
        self.signed_in(Epoch(0), message)
    }

    async fn say(&self, messages: &[SignedMessage]) {
        let messages = messages.iter().map(SignedMessage::to_bytes).collect();
        let payload = canonical::encode(&Wire::Consensus(messages, Vec::new()));
        let subject = subjects::pbft_all(Epoch(0), self.replica);
        self.bus.publish(subject, payload.into()).await.unwrap();
        self.bus.flush().await.unwrap();
    }
}

/// Fault: two batches for one place are both prepared, or nobody keeps the proof.
#[tokio::test(flavor = "multi_thread")]
async fn attack_02_a_primary_sends_different_batches_for_one_place() {
    let (target, load) = Target::at_work().await;
    let (view, primary) = target.view().await;
    let insider = Insider::of(&target, primary).await;
    let height = target.height().await;
    // Places that the primary itself has not proposed for when these arrive, and some that it has.
    for sequence in (height + 1..height + 40).map(Sequence) {
        let proposals = [1, 2].map(|_| {
            insider.signed(Message::PrePrepare(PrePrepare {
                view,
                sequence,
                batch: Batch {
                    time: Timestamp(chassis::clock::now()),
                    digests: vec![Digest(keys::secret::random())],
                },
            }))
        });
        insider.say(&proposals).await;
    }
    let other = usize::from(primary + 1) % invariants::REPLICAS;
    let proven = eventually("the equivocation is on the ledger", async || {
        let events = events(&target.system.blocks(other));
        events.into_iter().find_map(|decided| match decided.event {
            Event::Governance(Governance::EquivocationProven { evidence, .. }) => Some(evidence),
            _ => None,
        })
    })
    .await;
    assert_eq!(proven.slot.replica, insider.replica);
    // None of the made-up transactions is in a block, each place has one block, and work goes on.
    load.goes_on(AT_WORK).await;
    target.settle(load).await;
}

/// Fault: a proof in a VIEW-CHANGE is believed although its signers are not a quorum of this epoch, or its view is not older.
#[tokio::test(flavor = "multi_thread")]
async fn attack_05_a_view_change_carries_proofs_that_are_none() {
    let (target, load) = Target::at_work().await;
    let (view, primary) = target.view().await;
    let number = (primary + 3) % 4;
    let insider = Insider::of(&target, number).await;
    let chain = blocks(&target.system.blocks(0));
    let base = Checkpoint {
        sequence: Sequence(0),
        block: chain[0].block.hash(),
        certificate: None,
    };
    let wanted = view.next();
    let vote = |replica: u16| (ReplicaId(replica), Signature([7; 64]));
    let prepared = |view: View, prepares: Vec<(ReplicaId, Signature)>| PreparedCertificate {
        view,
        sequence: Sequence(1),
        digest: Digest([9; 32]),
        pre_prepare: Signature([7; 64]),
        prepares,
    };
    let change = |stable: &Checkpoint, prepared: Vec<PreparedCertificate>| {
        Message::ViewChange(ViewChange {
            view: wanted,
            stable: stable.clone(),
            prepared,
        })
    };
    // A block's own certificate, as it would serve for a checkpoint: of another height, of an epoch that is over.
    let certificate = chain[5].certificate.clone();
    let checkpoint = |certificate: Certificate| Checkpoint {
        sequence: Sequence(64),
        block: chain[5].block.hash(),
        certificate: Some(certificate),
    };
    let retired = Certificate {
        epoch: Epoch(7),
        ..certificate.clone()
    };
    let repeated = Certificate {
        votes: vec![certificate.votes[0]; 3],
        ..certificate.clone()
    };
    let mut of_another = insider.signed(change(&base, Vec::new()));
    of_another.sender = ReplicaId((primary + 1) % 4);
    let lies = [
        insider.signed(change(&base, vec![prepared(view, vec![vote(1), vote(1)])])),
        insider.signed(change(&base, vec![prepared(view, vec![vote(2), vote(9)])])),
        insider.signed(change(
            &base,
            vec![prepared(wanted, vec![vote(1), vote(2)])],
        )),
        insider.signed(change(&checkpoint(retired), Vec::new())),
        insider.signed(change(&checkpoint(repeated), Vec::new())),
        insider.signed(change(&checkpoint(certificate), Vec::new())),
        insider.signed_in(Epoch(7), change(&base, Vec::new())),
        of_another,
    ];
    let refused = "medshare_ordering_refused_messages_total";
    let others = (0..4).filter(|other| *other != number);
    let mut before = Vec::new();
    for other in others {
        let name = subjects::replica_name(ReplicaId(other));
        let count = target.counter(&name, refused).await;
        before.push((name, count));
    }
    insider.say(&lies).await;
    for (name, before) in before {
        let expected = before + lies.len() as u64;
        eventually("every one is refused", async || {
            (target.counter(&name, refused).await >= expected).then_some(())
        })
        .await;
    }
    load.goes_on(AT_WORK).await;
    assert_eq!(target.view().await.0, view, "nobody left the view");
    target.settle(load).await;
}

/// What the liar of the next attack answers a question for blocks with.
fn forged(chain: &[CertifiedBlock], question: &BlocksRequest, turn: usize) -> Vec<Vec<u8>> {
    let asked = chain.iter().filter(|block| {
        let height = block.block.header.height;
        question.from <= height && height <= question.to
    });
    let asked = asked.take(20).cloned();
    match turn % 4 {
        // Another history.
        0 => asked
            .map(|mut block| {
                block.block.header.previous = Digest([1; 32]);
                canonical::encode(&block)
            })
            .collect(),
        // Cut short.
        1 => asked
            .map(|block| canonical::encode(&block))
            .map(|bytes| bytes[..bytes.len() / 2].to_vec())
            .collect(),
        // Without a transaction and what the contracts said of it.
        2 => asked
            .map(|mut block| {
                block.block.transactions.pop();
                block.block.outcomes.pop();
                canonical::encode(&block)
            })
            .collect(),
        // Good blocks of other heights.
        _ => chain.iter().take(20).map(canonical::encode).collect(),
    }
}

/// Fault: fetched blocks are executed or stored before certificate, roots and height are checked, or a liar is asked for ever.
#[tokio::test(flavor = "multi_thread")]
async fn attack_07_state_transfer_serves_another_history() {
    let (target, load) = Target::at_work().await;
    let (_, primary) = target.view().await;
    let liar = (primary + 3) % 4;
    let victim = subjects::replica_name(ReplicaId((primary + 2) % 4));
    // The victim misses some blocks; then the liar's own process is gone, and somebody else speaks in its place.
    target.system.kill(&victim);
    let missed_from = target.height().await;
    while target.height().await < missed_from + 80 {
        load.goes_on(AT_WORK).await;
    }
    let insider = Insider::of(&target, liar).await;
    let chain = blocks(&target.system.blocks(usize::from(liar)));
    target.system.kill(&subjects::replica_name(insider.replica));
    let served = Arc::new(AtomicUsize::new(0));
    let answering = tokio::spawn({
        let (insider, served) = (insider.clone(), served.clone());
        let subject = subjects::ordering(insider.replica, BlocksRequest::NAME);
        let mut asked = insider.bus.subscribe(subject).await.unwrap();
        async move {
            while let Some(message) = asked.next().await {
                let Ok(question) = canonical::decode::<BlocksRequest>(&message.payload) else {
                    continue;
                };
                let turn = served.fetch_add(1, Ordering::SeqCst);
                let answer = Answer::Ok(BlocksReply {
                    blocks: forged(&chain, &question, turn),
                    newest: question.to,
                });
                let reply = message.reply.expect("a question");
                let bytes = canonical::encode(&answer).into();
                let _ = insider.bus.publish(reply, bytes).await;
            }
        }
    });
    let claiming = tokio::spawn({
        let insider = insider.clone();
        let (view, far) = (target.view().await.0, Sequence(1_000_000));
        async move {
            loop {
                let claim = insider.signed(Message::Status(Status {
                    view,
                    changing: false,
                    stable: Sequence(0),
                    executed: far,
                    certified: far,
                    asks: None,
                }));
                insider.say(&[claim]).await;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    });
    target.system.start_process(&victim);
    // With the victim there is a quorum again: it has what the others have, in spite of the liar.
    load.goes_on(AT_WORK).await;
    eventually("the liar was asked for each of its lies", async || {
        (served.load(Ordering::SeqCst) >= 4).then_some(())
    })
    .await;
    load.goes_on(AT_WORK).await;
    claiming.abort();
    answering.abort();
    drop(insider);
    target
        .system
        .start_process(&subjects::replica_name(ReplicaId(liar)));
    load.goes_on(AT_WORK).await;
    target.settle(load).await;
}

/// Votes a new organisation's node in and replica 3 out, by the commands that operators type, and waits until that is in
/// force. `just_before` happens before the vote that decides.
async fn change_epoch(system: &RunningSystem, just_before: impl AsyncFnOnce()) {
    let run = |arguments: &[&str]| system.administer(arguments).unwrap();
    run(&["add-node", "university", "--name", "University Clinic"]);
    let change = ["replace-node", "--add", "4", "--retire", "3"];
    // Four of the five operators, the new one among them, are needed.
    let three = ["--as", "authority", "--as", "lakeside", "--as", "hillcrest"];
    let proposed = run(&[&change[..], &three].concat());
    assert_eq!(
        (&proposed["votes"], &proposed["needed"]),
        (&Value::from(3), &Value::from(4))
    );
    just_before().await;
    let proposal = proposed["proposal"].as_str().unwrap();
    let last = ["--as", "chamber", "--proposal", proposal];
    let adopted = run(&[&change[..], &last].concat());
    assert_eq!(adopted["epoch"], 1);
}

/// Fault: what was executed is forgotten with a restart, with a change of the replica set, or by a replica that got it by
/// state transfer.
#[tokio::test(flavor = "multi_thread")]
async fn attack_11_a_signed_request_is_replayed() {
    let target = Target::start().await;
    let key = target.treasurer.key().unwrap().clone();
    let balance = async || -> i64 {
        let balances: Vec<Balance> = eventually("the books answer", async || {
            target.treasurer.get("/v1/balances").await.ok()
        })
        .await;
        balances[0].balance
    };
    let before = balance().await;
    // One replica hears of it by state transfer only.
    target.system.kill("replica-3");
    let signed = deposit(target.chain, &key, key.ledger_id());
    let first = see_through(&target.client, &signed).await.unwrap().receipt;
    let replay = async |signed: &SignedTransaction, first: &Receipt, what: &str| {
        let again = see_through(&target.client, signed).await.unwrap().receipt;
        assert_eq!(again.leaf, first.leaf, "{what}");
        assert_eq!(again.header, first.header, "{what}");
    };
    let replayed = async |what: &str| replay(&signed, &first, what).await;
    for _ in 0..3 {
        replayed("at once").await;
    }
    target.system.start_process("replica-3");
    replayed("after a state transfer").await;
    for replica in 0..4 {
        let name = subjects::replica_name(ReplicaId(replica));
        let restarts = target.system.restarts(&name);
        target.system.crash(&name);
        target.system.until_ready(&name, restarts + 1).await;
        replayed("after a restart").await;
    }
    assert_eq!(balance().await, before + 1, "one effect");

    // Another request is still valid when the replica set has changed; the new replica has it from the others' blocks.
    let fresh = OnceCell::new();
    change_epoch(&target.system, async || {
        let signed = deposit(target.chain, &key, key.ledger_id());
        let first = see_through(&target.client, &signed).await.unwrap().receipt;
        fresh.set((signed, first)).unwrap();
    })
    .await;
    let (late, late_first) = fresh.get().unwrap();
    assert_eq!(late_first.header.epoch, Epoch(0));
    for _ in 0..4 {
        replay(late, late_first, "after a change of the replica set").await;
        replayed("after a change of the replica set").await;
    }
    // Without replica 0 the new one is needed for every block.
    target.system.kill("replica-0");
    let load = Load::start(&target.treasurer, 4);
    load.goes_on(AT_WORK).await;
    replay(late, late_first, "with the new replica").await;
    replayed("with the new replica").await;
    target.system.start_process("replica-0");
    load.goes_on(AT_WORK).await;
    let system = target.settle(load).await;
    for replica in 0..=invariants::REPLICAS {
        let chain = blocks(&system.blocks(replica));
        assert_eq!(chain.last().unwrap().block.header.epoch, Epoch(1));
        let transactions = chain.iter().flat_map(|block| &block.block.transactions);
        let transactions: Vec<Digest> = transactions.map(SignedTransaction::id).collect();
        for id in [signed.id(), late.id()] {
            let count = transactions.iter().filter(|it| **it == id).count();
            assert_eq!(count, 1, "replica {replica}");
        }
    }
}
