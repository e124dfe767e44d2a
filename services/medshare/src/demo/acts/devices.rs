//! A device registers with its own key, is bound to a patient, sends readings over MQTT; they raise a warning, which the
//! patient acknowledges.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clinical::senml;
use clinical::vitals::Reading;
use contracts::membership::command::MemberKind;
use interfaces::Page;
use interfaces::iot::{ReadingObservation, ReadingsKey, WarningSummary};
use keys::{MemberKey, SealingPublicKey, device_envelope};
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};
use serde::Deserialize;
use serde_json::json;

use crate::demo::story::{Story, wait_for};

/// How long one pack may wait for its acknowledgement.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(30);
const PACKET_BYTES_MAX: usize = 512 * 1024;

#[derive(Deserialize)]
struct Acknowledgement {
    sequence: u64,
    accepted: usize,
    refused: Vec<(usize, String)>,
}

pub(in crate::demo) async fn play(story: &mut Story) -> anyhow::Result<()> {
    let key = MemberKey::random();
    let id = key.ledger_id();
    let commit = story.register(&key, MemberKind::Device, None).await?;
    story.committed("a device registered with its own key", &commit)?;
    story.wait_until_active(&id).await?;
    let patient = story.patients.first().context("no patient")?.member.clone();
    let commit = patient
        .put_command(&format!("/v1/devices/{id}"), &json!({}))
        .await?;
    story.committed("it is bound to a patient", &commit)?;

    let password = crate::admin::add_device_user(story.system.layout(), &id.to_string())?;
    let address = story
        .system
        .address("nats-1", "mqtt")
        .context("the broker does not say where devices connect")?;
    let mut options = MqttOptions::new(id.to_string(), address.ip().to_string(), address.port());
    options.set_credentials(id.to_string(), password);
    options.set_keep_alive(Duration::from_secs(20));
    options.set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX);
    let (mqtt, mut events) = AsyncClient::new(options, 16);
    connect(&mut events).await?;
    mqtt.subscribe(format!("devices/{id}/acknowledgements"), QoS::AtLeastOnce)
        .await?;
    let sealed_to: ReadingsKey = story.client.get("/v1/readings/key").await?;
    let sealed_to = SealingPublicKey(
        sealed_to
            .sealing_key
            .0
            .as_slice()
            .try_into()
            .context("a sealing key has 32 bytes")?,
    );

    let packs = story.population.readings(chassis::clock::now())?;
    let (mut accepted, mut refused) = (0, 0);
    for (sequence, readings) in (1..).zip(&packs) {
        let envelope = envelope(&key, &sealed_to, sequence, readings)?;
        let acknowledged =
            deliver(&mqtt, &mut events, &id.to_string(), sequence, &envelope).await?;
        accepted += acknowledged.accepted;
        refused += acknowledged.refused.len();
    }
    mqtt.disconnect().await?;
    story.tell(&format!(
        "{} packs over MQTT: {accepted} readings kept, {refused} refused",
        packs.len()
    ));
    ensure!(accepted > 0, "no reading was kept");
    warned(story, &patient, accepted).await
}

fn envelope(
    key: &MemberKey,
    sealed_to: &SealingPublicKey,
    sequence: u64,
    readings: &[Reading],
) -> anyhow::Result<Vec<u8>> {
    let pack = senml::write(
        &format!("urn:dev:mac:0024befffe{:06x}:", sequence),
        readings,
    );
    device_envelope::seal(key, sealed_to, sequence, &pack)
        .map_err(|_| anyhow::anyhow!("readings could not be sealed"))
}

/// The broker takes a new device up within a second or so; until then it turns the device away.
async fn connect(events: &mut EventLoop) -> anyhow::Result<()> {
    wait_for("the device is connected", async || {
        match events.poll().await? {
            Event::Incoming(Packet::ConnAck(_)) => Ok(Some(())),
            _ => Ok(None),
        }
    })
    .await
}

/// Publishes a pack until the platform has acknowledged it: the broker's own acknowledgement proves nothing.
async fn deliver(
    mqtt: &AsyncClient,
    events: &mut EventLoop,
    device: &str,
    sequence: u64,
    envelope: &[u8],
) -> anyhow::Result<Acknowledgement> {
    let began = std::time::Instant::now();
    while began.elapsed() < ACKNOWLEDGED_WITHIN {
        mqtt.publish(
            format!("devices/{device}/readings"),
            QoS::AtLeastOnce,
            false,
            envelope.to_vec(),
        )
        .await?;
        let asked_again = tokio::time::sleep(Duration::from_secs(3));
        tokio::pin!(asked_again);
        loop {
            let event = tokio::select! {
                event = events.poll() => event?,
                () = &mut asked_again => break,
            };
            if let Event::Incoming(Packet::Publish(message)) = event {
                let acknowledged: Acknowledgement = serde_json::from_slice(&message.payload)?;
                if acknowledged.sequence == sequence {
                    return Ok(acknowledged);
                }
            }
        }
    }
    bail!("pack {sequence} was not acknowledged")
}

async fn warned(story: &Story, patient: &client::Member, accepted: usize) -> anyhow::Result<()> {
    let warnings = wait_for("a warning is raised", async || {
        let page: Page<WarningSummary> = patient.get("/v1/warnings?limit=500").await?;
        Ok((!page.entries.is_empty()).then_some(page.entries))
    })
    .await?;
    for warning in &warnings {
        let commit = story.client.receipt(&warning.transaction).await?;
        story.committed(
            &format!("warning {:?}: {}", warning.level, warning.message),
            &commit,
        )?;
    }
    let worst = warnings.first().context("a warning")?;
    let path = format!("/v1/warnings/{}/acknowledgement", worst.warning);
    let commit = patient.command(&path, &json!({})).await?;
    story.committed("the patient acknowledged the newest", &commit)?;
    let readings: Page<ReadingObservation> = patient.get("/v1/readings?limit=500").await?;
    let observations = readings
        .entries
        .iter()
        .filter(|reading| reading.observation["resourceType"] == "Observation")
        .count();
    ensure!(
        observations > 0,
        "the patient sees none of the {accepted} readings"
    );
    story.tell(&format!(
        "the patient sees the readings as FHIR Observations ({observations} on the first page)"
    ));
    Ok(())
}
