//! Devices.

use std::time::Duration;

use client::device::{Acknowledgement, Credentials, Device, request_certificate};
use clinical::senml;
use clinical::vitals::{Reading, VitalSign};
use e2e::attacked::{Attacked, eventually};
use keys::tls::TlsIdentity;
use keys::{MemberKey, SealingPublicKey};
use serde_json::{Value, json};

use crate::{attacked, problem};

const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(60);
/// Long enough for an acknowledgement that comes, short enough to wait for one that does not.
const NOT_ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(4);

struct Bound {
    key: MemberKey,
    identity: TlsIdentity,
    device: Device,
}

/// A device that registers, is bound to a patient of the story, has a certificate and is connected.
async fn bound(system: &Attacked, patient: usize) -> Bound {
    let key = MemberKey::random();
    let chain = system.client.receipts().chain();
    let message = contracts::membership::command::possession_message(
        &chain,
        &key.ledger_id(),
        &key.public_key(),
    );
    let domain = contracts::membership::command::POSSESSION_DOMAIN;
    let request = json!({ "kind": "Device", "name": null, "ledger_id": key.ledger_id(),
        "public_key": key.public_key(),
        "sealing_key": interfaces::Base64(key.sealing_public_key().0.to_vec()),
        "possession": interfaces::Base64(key.sign_message(domain, &message).0.to_vec()) });
    let _: Value = system
        .client
        .post("/v1/organisations", &request)
        .await
        .expect("registered");
    let operator = system.organisation("authority", "operator.json").await;
    let path = format!("/v1/members/{}/endorsements", key.ledger_id());
    // The story's own endorser may have been quicker.
    let _ = operator.command(&path, &json!({})).await;
    system.until_active(&key.ledger_id()).await;
    let owner = system.patient(patient).await.member;
    let path = format!("/v1/devices/{}", key.ledger_id());
    owner
        .put_command(&path, &json!({}))
        .await
        .expect("bound to the patient");
    let identity = eventually("identity knows the device", async || {
        request_certificate(&system.client, &key).await.ok()
    })
    .await;
    let device = eventually("the broker knows the device", async || {
        connect(system, &key, &identity).await
    })
    .await;
    Bound {
        key,
        identity,
        device,
    }
}

async fn connect(system: &Attacked, key: &MemberKey, identity: &TlsIdentity) -> Option<Device> {
    let broker = system.address("nats-1", "mqtt");
    let credentials = Credentials::Certificate(identity);
    Device::connect(broker, key.clone(), sealed_to(system).await, &credentials)
        .await
        .ok()
}

async fn sealed_to(system: &Attacked) -> SealingPublicKey {
    let key: interfaces::iot::ReadingsKey = system
        .client
        .get("/v1/readings/key")
        .await
        .expect("the platform's key");
    SealingPublicKey(key.sealing_key.0.as_slice().try_into().expect("32 bytes"))
}

fn pack(at_micros: u64) -> Vec<u8> {
    let reading = Reading {
        at_micros,
        sign: VitalSign::Pulse,
        milli: 72_000,
    };
    senml::write("urn:dev:mac:0024befffe000001:", &[reading])
}

fn now() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_micros() as u64
}

async fn deliver(bound: &mut Bound, sequence: u64, senml: &[u8]) -> Acknowledgement {
    bound
        .device
        .deliver(sequence, senml, ACKNOWLEDGED_WITHIN)
        .await
        .expect("an acknowledgement")
}

/// Fault: topics of other devices are open to whoever has a certificate, or the name in a message is believed.
#[tokio::test(flavor = "multi_thread")]
async fn attack_35_a_device_hears_or_speaks_for_another() {
    let system = attacked();
    let mut attacker = bound(&system, 0).await;
    let mut victim = bound(&system, 1).await;
    let other = victim.key.ledger_id();
    for topic in [
        format!("devices/{other}/acknowledgements"),
        format!("devices/{other}/readings"),
        "devices/+/acknowledgements".to_owned(),
        "devices/#".to_owned(),
        "#".to_owned(),
        "blocks/#".to_owned(),
        "$MQTT/#".to_owned(),
        "$MQTT/sub/#".to_owned(),
        "$SYS/#".to_owned(),
        "$JS/#".to_owned(),
        "service/#".to_owned(),
    ] {
        let permitted = attacker.device.subscribe(&topic).await.expect("an answer");
        assert!(!permitted, "a device may listen to {topic}");
    }
    // In the other's name: with the attacker's own envelope, and on topics that services listen to.
    let envelope = attacker.device.envelope(1, &pack(now())).unwrap();
    for topic in [
        format!("devices/{other}/readings"),
        format!("devices/{other}/acknowledgements"),
        "service/identity/sign_in".to_owned(),
        "blocks/0/1".to_owned(),
    ] {
        attacker
            .device
            .publish(&topic, envelope.clone())
            .await
            .unwrap();
    }
    // The victim's first pack is its first: nothing was counted or kept in its name.
    let acknowledged = deliver(&mut victim, 1, &pack(now())).await;
    assert_eq!((acknowledged.accepted, acknowledged.refused.len()), (1, 0));
    // The victim's certificate names the victim, whatever name the attacker gives itself.
    let mut impostor = connect(&system, &victim.key, &attacker.identity).await;
    assert!(
        impostor.take().is_none(),
        "the attacker's certificate opens the victim's topics"
    );
}

/// Fault: a reading's time, number or signature is not looked at.
#[tokio::test(flavor = "multi_thread")]
async fn attack_35_a_device_replays_post_dates_and_floods() {
    let system = attacked();
    let mut attacker = bound(&system, 0).await;
    let first = pack(now());
    assert_eq!(deliver(&mut attacker, 1, &first).await.accepted, 1);
    // Replayed: acknowledged (its sender may forget it), and kept once.
    assert_eq!(deliver(&mut attacker, 1, &first).await.accepted, 0);
    let day_us = 24 * 3_600_000_000;
    let ahead = deliver(&mut attacker, 2, &pack(now() + day_us)).await;
    assert_eq!((ahead.accepted, ahead.refused.len()), (0, 1), "{ahead:?}");
    let old = deliver(&mut attacker, 3, &pack(now() - 30 * day_us)).await;
    assert_eq!((old.accepted, old.refused.len()), (0, 1), "{old:?}");
    let nonsense = deliver(&mut attacker, 4, b"[{\"n\":\"x\"}]").await;
    assert_eq!(nonsense.accepted, 0);

    // Renumbered on the way: the signature is over the number.
    let mut forged: Value =
        serde_json::from_slice(&attacker.device.envelope(5, &pack(now())).unwrap()).unwrap();
    forged["sequence"] = 6.into();
    let answer = attacker
        .device
        .deliver_envelope(6, forged.to_string().into_bytes(), NOT_ACKNOWLEDGED_WITHIN)
        .await;
    assert!(answer.is_err(), "a renumbered pack was acknowledged");

    // A flood from one device: another patient's readings are taken meanwhile.
    let mut other = bound(&system, 1).await;
    let topic = format!("devices/{}/readings", attacker.key.ledger_id());
    let mut flooder = attacker.device;
    let flooding = async {
        for _ in 0..20_000 {
            let noise = keys::secret::random::<512>().to_vec();
            // A full queue lets go of the noise; then the connection is served.
            let a_moment = std::time::Duration::from_millis(1);
            let _ = tokio::time::timeout(a_moment, flooder.publish(&topic, noise)).await;
            if let Ok(Err(_)) = tokio::time::timeout(a_moment, flooder.message()).await {
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    let own = pack(now());
    let acknowledged = tokio::select! {
        acknowledged = deliver(&mut other, 1, &own) => acknowledged,
        () = flooding => unreachable!("the flood is never over"),
    };
    assert_eq!(acknowledged.accepted, 1);
}

/// Fault: the broker asks for certificates when a device connects, and never again.
#[tokio::test(flavor = "multi_thread")]
async fn attack_29_a_revoked_device_goes_on_over_an_open_connection() {
    let system = attacked();
    let mut stolen = bound(&system, 0).await;
    deliver(&mut stolen, 1, &pack(now())).await;
    let regulator = system.organisation("regulator", "member.json").await;
    let path = format!("/v1/members/{}/status", stolen.key.ledger_id());
    regulator
        .command(&path, &json!({ "change": "revoke" }))
        .await
        .expect("revoked");
    let committed = std::time::Instant::now();
    while stolen.device.message().await.is_ok() {}
    println!(
        "MQTT: cut {:?} after the revocation was committed",
        committed.elapsed()
    );
    assert!(
        connect(&system, &stolen.key, &stolen.identity)
            .await
            .is_none(),
        "a revoked device connects again"
    );
    let refusal = problem(
        "a certificate for a revoked device",
        request_certificate(&system.client, &stolen.key).await,
    );
    assert_eq!(refusal.status, 403);
}

/// Fault: somebody without a device's certificate gets onto the MQTT port, or with it onto the port for processes.
#[tokio::test(flavor = "multi_thread")]
async fn attack_35_the_mqtt_port_without_a_devices_certificate() {
    let system = attacked();
    let key = MemberKey::random();
    let broker = system.address("nats-1", "mqtt");
    let sealed_to = sealed_to(&system).await;
    // A good certificate of the consortium that is no device's; and a password, without TLS.
    let partner = system.identity("organisations/authority/tls.pem");
    for credentials in [
        Credentials::Certificate(&partner),
        Credentials::Password("x".repeat(64)),
    ] {
        let answer = Device::connect(broker, key.clone(), sealed_to, &credentials).await;
        assert!(answer.is_err(), "the broker lets a stranger in");
    }
    // A device's certificate, on the port for processes: there is no key that the broker knows.
    let bound = bound(&system, 0).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("device.pem");
    std::fs::write(&file, bound.identity.expose_pem().as_bytes()).unwrap();
    let answer = async_nats::ConnectOptions::new()
        .add_root_certificates(system.folder.join("root.pem"))
        .add_client_certificate(file.clone(), file)
        .require_tls(true)
        .connect(system.address("nats-1", "client").to_string())
        .await;
    assert!(answer.is_err(), "a device gets onto the bus");
}
