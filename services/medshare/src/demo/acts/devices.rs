//! A device registers with its own key, is bound to a patient, sends readings over MQTT; they raise a warning, which the
//! patient acknowledges.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use client::device::{self, Credentials, Device};
use clinical::senml;
use clinical::vitals::Reading;
use contracts::membership::command::MemberKind;
use interfaces::Page;
use interfaces::iot::{ReadingObservation, ReadingsKey, WarningSummary};
use keys::{MemberKey, SealingPublicKey};
use serde_json::json;

use crate::demo::story::{Story, wait_for};

/// How long one pack may wait for its acknowledgement.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(30);

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

    let sealed_to: ReadingsKey = story.client.get("/v1/readings/key").await?;
    let sealed_to = SealingPublicKey(
        sealed_to
            .sealing_key
            .0
            .as_slice()
            .try_into()
            .context("a sealing key has 32 bytes")?,
    );
    let mut device = connect(story, &key, sealed_to).await?;

    let packs = story.population.readings(chassis::clock::now())?;
    let (mut accepted, mut refused) = (0, 0);
    for (sequence, readings) in (1..).zip(&packs) {
        let acknowledged = device
            .deliver(sequence, &senml_of(sequence, readings), ACKNOWLEDGED_WITHIN)
            .await?;
        accepted += acknowledged.accepted;
        refused += acknowledged.refused.len();
    }
    device.disconnect().await?;
    story.tell(&format!(
        "{} packs over MQTT: {accepted} readings kept, {refused} refused",
        packs.len()
    ));
    ensure!(accepted > 0, "no reading was kept");
    warned(story, &patient, accepted).await
}

fn senml_of(sequence: u64, readings: &[Reading]) -> Vec<u8> {
    senml::write(&format!("urn:dev:mac:0024befffe{sequence:06x}:"), readings)
}

/// With its own certificate, or by a password where there is no TLS. The broker takes a new device up within a second or
/// so; until then it turns the device away.
async fn connect(
    story: &Story,
    key: &MemberKey,
    sealed_to: SealingPublicKey,
) -> anyhow::Result<Device> {
    let address = story
        .system
        .address("nats-1", "mqtt")
        .context("the broker does not say where devices connect")?;
    let layout = story.system.layout();
    let identity = match story.has_tls() {
        true => Some(device::request_certificate(&story.client, key).await?),
        false => None,
    };
    let credentials = match &identity {
        Some(identity) => {
            story.tell("it has a certificate for a key of its own, made by itself");
            Credentials::Certificate(identity)
        }
        None => {
            let name = key.ledger_id().to_string();
            Credentials::Password(crate::admin::add_device_user(layout, &name)?)
        }
    };
    wait_for("the device is connected", async || {
        Ok(Some(
            Device::connect(address, key.clone(), sealed_to, &credentials).await?,
        ))
    })
    .await
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
