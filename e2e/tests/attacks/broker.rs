//! Ordering and broker.

use async_nats::{Client, ConnectOptions, Event};
use bus::subjects;
use e2e::attacked::Attacked;
use e2e::canary::{Search, canaries};
use e2e::story::PATIENTS;
use futures::{FutureExt as _, StreamExt as _};
use keys::certificate::{Authority, LeafKey, LeafKind, LeafRequest};
use keys::nkey::BusUserKey;
use keys::tls::TlsFiles;
use ledger::Timestamp;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::{attacked, patient_at, still_commits};

/// Connects with the credentials stolen from a process; what the server refuses comes in lower case.
async fn steal(system: &Attacked, process: &str) -> (Client, UnboundedReceiver<String>) {
    let seed = system.process(process).join("keys/nats.seed");
    let key = BusUserKey::load(&seed).expect("the process's key");
    let (sender, refusals) = unbounded_channel();
    let options = options(&key, &system.process_tls(process))
        .custom_inbox_prefix(subjects::inbox_prefix(process))
        .event_callback(move |event| {
            if let Event::ServerError(error) = event {
                let _ = sender.send(error.to_string().to_lowercase());
            }
            std::future::ready(())
        });
    let address = system.address("nats-1", "client").to_string();
    let client = options.connect(address).await.expect("a connection");
    (client, refusals)
}

fn options(key: &BusUserKey, tls: &TlsFiles) -> ConnectOptions {
    ConnectOptions::with_nkey(key.expose_seed().to_owned())
        .add_root_certificates(tls.root_file.clone())
        .add_client_certificate(tls.identity_file.clone(), tls.identity_file.clone())
        .require_tls(true)
}

/// Fault: replicas may publish on `pbft.>`, or believe the number in a message instead of its signature.
#[tokio::test(flavor = "multi_thread")]
async fn attack_01_a_replica_speaks_as_another() {
    let system = attacked();
    let (replica, mut refusals) = steal(&system, "replica-1").await;
    for subject in [
        "pbft.0.2.all",
        "pbft.0.2.to.0",
        "blocks.2.7",
        "reply.replica-2.identity.x",
    ] {
        replica.publish(subject, "forged".into()).await.unwrap();
        let refusal = refusals.recv().await.unwrap();
        assert!(
            refusal.contains("permissions violation for publish") && refusal.contains(subject),
            "{subject}: {refusal}"
        );
    }
    // On its own subject, bytes that claim to be another's change nothing.
    for _ in 0..200 {
        let noise = keys::secret::random::<256>().to_vec();
        replica.publish("pbft.0.1.all", noise.into()).await.unwrap();
    }
    replica.flush().await.unwrap();
    still_commits(&system).await;
}

/// Fault: a service's credentials reach the JetStream API, the system account or another's inbox.
#[tokio::test(flavor = "multi_thread")]
async fn attack_10_stolen_service_credentials_reach_for_the_broker() {
    let system = attacked();
    let before = still_commits(&system).await;
    let (index, mut refusals) = steal(&system, "index").await;
    let consumer = json!({ "stream_name": "BLOCKS",
        "config": { "deliver_subject": "reply.identity.gateway.x", "ack_policy": "none" } });
    for (subject, payload) in [
        ("$JS.API.STREAM.PURGE.BLOCKS", String::new()),
        ("$JS.API.STREAM.DELETE.BLOCKS", String::new()),
        ("$JS.API.CONSUMER.CREATE.BLOCKS", consumer.to_string()),
        ("$SYS.REQ.SERVER.PING", String::new()),
        ("_INBOX_gateway.abc", "forged".to_owned()),
        ("transactions.identity", "forged".to_owned()),
        ("addressed.0.identity", "forged".to_owned()),
        ("reply.identity.gateway.abc", "forged".to_owned()),
        ("devices.x.acknowledgements", "forged".to_owned()),
        (subjects::SESSIONS_ENDED, "forged".to_owned()),
    ] {
        index.publish(subject, payload.into()).await.unwrap();
        let refusal = refusals.recv().await.unwrap();
        assert!(
            refusal.contains("permissions violation for publish"),
            "{subject}: {refusal}"
        );
    }
    for subject in [
        "$SYS.>",
        "$JS.>",
        "_INBOX_gateway.>",
        "service.identity.*",
        "reply.*.gateway.*",
        "transactions.*",
        "addressed.*.*",
        "pbft.>",
        "devices.>",
        ">",
    ] {
        let _heard = index.subscribe(subject).await.unwrap();
        let refusal = refusals.recv().await.unwrap();
        assert!(
            refusal.contains("permissions violation for subscription"),
            "{subject}: {refusal}"
        );
    }
    // Audited: the broker's log names the user's attempts. And nothing was purged.
    let log = system.logs().remove("nats-1.log").unwrap_or_default();
    assert!(log.contains("Publish Violation") && log.contains("STREAM.PURGE.BLOCKS"));
    let path = format!("/v1/blocks/{}", before.height.0);
    let block: Value = system.client.get(&path).await.expect("the block is there");
    assert!(block.is_object());
    still_commits(&system).await;
}

/// Fault: a payload crosses the bus, or reaches a log, in plain text.
#[tokio::test(flavor = "multi_thread")]
async fn attack_19_whoever_reads_bus_and_logs_finds_ciphertext_only() {
    let system = attacked();
    let search = Search::new(canaries(PATIENTS));
    // Everything that the credentials of gateway and iot can hear, while a patient reads own records.
    let (gateway, _) = steal(&system, "gateway").await;
    let (iot, _) = steal(&system, "iot").await;
    let mut heard = futures::stream::select_all([
        gateway.subscribe("reply.*.gateway.*").await.unwrap(),
        gateway.subscribe("service.gateway.*").await.unwrap(),
        gateway.subscribe(subjects::BLOCKS_SUBJECTS).await.unwrap(),
        iot.subscribe(subjects::ALL_READINGS).await.unwrap(),
    ]);
    gateway.flush().await.unwrap();
    iot.flush().await.unwrap();
    let (_, patient, record) = patient_at(&system, "lakeside", 0).await;
    let path = format!(
        "/v1/hospitals/{}/records/views",
        system.hospital("lakeside")
    );
    let request = json!({ "records": [record], "purpose": "PatientRequest" });
    let viewed: Value = patient.member.post(&path, &request).await.expect("a view");
    let shown = viewed.to_string();
    assert!(
        !search.find(shown.as_bytes()).is_empty(),
        "the search finds what the patient is shown"
    );
    // The bus never rests. What came before a later commitment's block has been heard when the block is.
    let last = still_commits(&system).await.height.0;
    let (mut replies, mut blocks) = (0, 0);
    let mut done = false;
    while let Some(message) = match done {
        false => heard.next().await,
        true => heard.next().now_or_never().flatten(),
    } {
        let found = search.find(&message.payload);
        assert!(found.is_empty(), "{} carries {found:?}", message.subject);
        let subject: Vec<&str> = message.subject.split('.').collect();
        match subject[..] {
            ["blocks", _, height] => {
                blocks += 1;
                done |= height.parse::<u64>().is_ok_and(|height| height >= last);
            }
            ["reply", ..] => replies += 1,
            _ => {}
        }
    }
    println!("heard {replies} replies and {blocks} blocks");
    assert!(
        replies > 3 && blocks > 0,
        "{replies} replies, {blocks} blocks"
    );
    for (name, log) in system.logs() {
        let found = search.find(log.as_bytes());
        assert!(found.is_empty(), "{name} holds {found:?}");
    }
}

/// Fault: a certificate of the authority admits a replica, to the broker or to a quorum.
#[tokio::test(flavor = "multi_thread")]
async fn attack_34_the_authority_issues_a_certificate_for_a_rogue_replica() {
    let system = attacked();
    let folder = tempfile::tempdir().unwrap();
    let authority = system.process("identity").join("authority");
    let read = |name: &str| std::fs::read_to_string(authority.join(name)).unwrap();
    let issuing = Authority::from_pem(&read("issuing.pem"), &read("issuing.key.pem")).unwrap();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_micros() as u64;
    let leaf = issuing
        .issue(&LeafRequest {
            kind: LeafKind::Replica,
            subject: "replica-9".into(),
            names: Vec::new(),
            not_before: Timestamp(now - 1_000_000),
            not_after: Timestamp(now + 3_600_000_000),
            key: LeafKey::NewEd25519,
        })
        .unwrap();
    let tls = TlsFiles {
        identity_file: folder.path().join("tls.pem"),
        root_file: system.folder.join("root.pem"),
    };
    let chain = leaf.certificate_pem + issuing.certificate_pem();
    tls.save(&leaf.key_pem.unwrap(), &chain).unwrap();
    let address = system.address("nats-1", "client").to_string();
    // The certificate is a good one; the broker still wants a key that it knows.
    let rogue = BusUserKey::random();
    assert!(
        options(&rogue, &tls).connect(&address).await.is_err(),
        "a certificate alone lets somebody onto the bus"
    );
    // Even with a broker's operator in league, who lets it speak as replica 9, no block has its vote.
    let user = system.folder.join("broker-users/replica-9.json");
    let entry = json!({ "name": "replica-9", "nkey": rogue.public_key() });
    std::fs::write(&user, entry.to_string()).unwrap();
    let connection = e2e::attacked::eventually("the broker knows the rogue", async || {
        options(&rogue, &tls).connect(&address).await.ok()
    })
    .await;
    for _ in 0..100 {
        let vote = keys::secret::random::<200>().to_vec();
        connection
            .publish("pbft.0.9.all", vote.into())
            .await
            .unwrap();
    }
    connection.flush().await.unwrap();
    std::fs::remove_file(&user).unwrap();
    for _ in 0..3 {
        let committed = still_commits(&system).await;
        for (replica, _) in &committed.receipt.certificate.votes {
            assert!(replica.0 < 4, "replica {replica} voted");
        }
    }
}
