//! `medshare bench readings`: devices send sealed, signed packs over MQTT until the service has acknowledged each, and the
//! ledger has anchored them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clinical::senml;
use clinical::vitals::{Reading, VitalSign};
use contracts::Event;
use contracts::membership::command::MemberKind;
use contracts::telemetry::event::Event as Telemetry;
use interfaces::iot::ReadingsKey;
use keys::{MemberKey, SealingPublicKey, device_envelope};
use rumqttc::{AsyncClient, EventLoop, MqttOptions, Packet, QoS};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Barrier;

use super::ReadingsBench;
use super::measure::{Conditions, Latencies};
use super::report::Report;
use super::whole_system::WholeSystem;

const PACKET_BYTES_MAX: usize = 512 * 1024;
/// As devices do: the same pack again when it was not acknowledged.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
const CONNECTED_WITHIN: Duration = Duration::from_secs(60);
const ANCHORED_WITHIN: Duration = Duration::from_secs(20);

#[derive(Debug, Serialize)]
struct Figures {
    readings: u64,
    readings_per_pack: usize,
    devices: usize,
    patients: usize,
    /// From the first pack sent until the last acknowledgement.
    acknowledged_per_second: f64,
    /// From the first pack sent until the block time of the last anchor.
    anchored_per_second: f64,
    packs_per_second: f64,
    /// From sending a pack to its acknowledgement.
    acknowledgements: Latencies,
    sent_again: u64,
    anchors: u64,
    pack_bytes: usize,
}

/// A device with its packs, sealed beforehand.
struct Device {
    key: MemberKey,
    password: String,
    packs: Vec<Vec<u8>>,
}

/// What one device saw.
#[derive(Default)]
struct Seen {
    accepted: u64,
    refused: u64,
    sent_again: u64,
    latencies: Vec<Duration>,
}

#[derive(Deserialize)]
struct Acknowledgement {
    sequence: u64,
    accepted: u64,
    refused: Vec<(usize, String)>,
}

/// Measures as asked.
pub async fn run(arguments: &ReadingsBench) -> anyhow::Result<Report> {
    let conditions = Conditions::of(
        "4 replicas, 1 broker, all services as processes, SQLite with synchronous FULL; every pack's signature checked, \
         opened, validated, assessed, sealed, stored and anchored; devices on the same machine, packs sealed beforehand",
    );
    let whole = WholeSystem::start(&arguments.dir, async |_| Ok(())).await?;
    let mut devices = devices(&whole, arguments).await?;
    let sealed_to: ReadingsKey = whole.client.get("/v1/readings/key").await?;
    let sealed_to: [u8; 32] = sealed_to.sealing_key.0.as_slice().try_into()?;
    seal_packs(&mut devices, &SealingPublicKey(sealed_to), arguments)?;
    let pack_bytes = devices[0].packs[0].len();
    let address = whole
        .system
        .address("nats-1", "mqtt")
        .context("the broker does not say where devices connect")?;
    let (count, packs) = (devices.len(), arguments.packs);
    let start = Arc::new(Barrier::new(count + 1));
    let mut sending = Vec::new();
    for device in devices {
        let (start, window) = (start.clone(), arguments.window);
        sending.push(tokio::spawn(async move {
            let (mqtt, events) = connect(&device, address).await?;
            start.wait().await;
            send(&device, &mqtt, events, window).await
        }));
    }
    // A device that can't connect never gets there.
    tokio::time::timeout(CONNECTED_WITHIN, start.wait())
        .await
        .context("not every device could connect")?;
    let (began, began_us) = (Instant::now(), chassis::clock::now());
    let mut seen = Seen::default();
    for sender in sending {
        let one = sender.await??;
        seen.accepted += one.accepted;
        seen.refused += one.refused;
        seen.sent_again += one.sent_again;
        seen.latencies.extend(one.latencies);
    }
    let acknowledged = began.elapsed();
    let expected = (count * packs * arguments.readings_per_pack) as u64;
    ensure!(
        seen.accepted == expected && seen.refused == 0,
        "{expected} readings were sent, {} accepted and {} refused",
        seen.accepted,
        seen.refused
    );
    let (anchored, anchors, last_us) = anchored(whole, expected).await?;
    ensure!(
        anchored == expected,
        "{expected} readings were acknowledged, but the ledger anchors {anchored}"
    );
    let anchored_seconds = last_us.saturating_sub(began_us) as f64 / 1e6;
    let figures = Figures {
        readings: expected,
        readings_per_pack: arguments.readings_per_pack,
        devices: count,
        patients: arguments.patients,
        acknowledged_per_second: expected as f64 / acknowledged.as_secs_f64(),
        anchored_per_second: expected as f64 / anchored_seconds,
        packs_per_second: (count * packs) as f64 / acknowledged.as_secs_f64(),
        acknowledgements: Latencies::of(seen.latencies),
        sent_again: seen.sent_again,
        anchors,
        pack_bytes,
    };
    let per_second = |figure: f64| format!("{figure:.0} readings/s");
    let rows = vec![
        (
            "of it".to_owned(),
            format!(
                "{} readings in packs of {} ({} bytes) by {} devices of {} patients",
                figures.readings, figures.readings_per_pack, pack_bytes, count, figures.patients
            ),
        ),
        (
            "acknowledged".to_owned(),
            per_second(figures.acknowledged_per_second),
        ),
        (
            "anchored".to_owned(),
            per_second(figures.anchored_per_second),
        ),
        (
            "packs".to_owned(),
            format!("{:.0} /s", figures.packs_per_second),
        ),
        (
            "pack to acknowledgement".to_owned(),
            figures.acknowledgements.text(),
        ),
        (
            "beside it".to_owned(),
            format!(
                "{} anchors on the ledger, {} packs sent again",
                anchors, figures.sent_again
            ),
        ),
    ];
    Report::new("readings", rows, conditions, &figures)
}

/// Registered, endorsed devices, bound to patients in turn, with a user of the broker each.
async fn devices(whole: &WholeSystem, arguments: &ReadingsBench) -> anyhow::Result<Vec<Device>> {
    let mut patients = Vec::new();
    for number in 0..arguments.patients {
        let identity = format!("bench-{number}");
        let (_, patient) = whole
            .person(MemberKind::Patient, &format!("Patient {number}"), &identity)
            .await?;
        patients.push(patient);
    }
    let mut devices = Vec::new();
    for number in 0..arguments.devices {
        let key = MemberKey::random();
        whole.device(&key).await?;
        patients[number % patients.len()]
            .put_command(&format!("/v1/devices/{}", key.ledger_id()), &json!({}))
            .await?;
        let password = crate::admin::add_device_user(whole.layout(), &key.ledger_id().to_string())?;
        devices.push(Device {
            key,
            password,
            packs: Vec::new(),
        });
    }
    Ok(devices)
}

/// A reading a second of each of five signs, healthy, up to now.
fn seal_packs(
    devices: &mut [Device],
    sealed_to: &SealingPublicKey,
    arguments: &ReadingsBench,
) -> anyhow::Result<()> {
    const SIGNS: [(VitalSign, i64); 5] = [
        (VitalSign::Pulse, 70_000),
        (VitalSign::OxygenSaturation, 97_000),
        (VitalSign::Respiration, 15_000),
        (VitalSign::Systolic, 120_000),
        (VitalSign::Temperature, 36_800),
    ];
    let per_pack = arguments.readings_per_pack;
    let seconds = (arguments.packs * per_pack).div_ceil(SIGNS.len()) as u64;
    let first_us = chassis::clock::now() - (seconds + 60) * 1_000_000;
    for device in devices {
        for pack in 0..arguments.packs {
            let readings: Vec<Reading> = (pack * per_pack..(pack + 1) * per_pack)
                .map(|number| {
                    let (sign, usual) = SIGNS[number % SIGNS.len()];
                    Reading {
                        at_micros: first_us + (number / SIGNS.len()) as u64 * 1_000_000,
                        sign,
                        milli: usual + (number as i64 * 7 % 10) * 100,
                    }
                })
                .collect();
            let pack_text = senml::write("urn:dev:mac:0024befffe000000:", &readings);
            let sequence = pack as u64 + 1;
            let sealed = device_envelope::seal(&device.key, sealed_to, sequence, &pack_text)
                .map_err(|_| anyhow::anyhow!("readings could not be sealed"))?;
            device.packs.push(sealed);
        }
    }
    Ok(())
}

async fn connect(
    device: &Device,
    address: std::net::SocketAddr,
) -> anyhow::Result<(AsyncClient, EventLoop)> {
    let id = device.key.ledger_id().to_string();
    let mut options = MqttOptions::new(id.clone(), address.ip().to_string(), address.port());
    options.set_credentials(id.clone(), device.password.clone());
    options.set_keep_alive(Duration::from_secs(30));
    options.set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX);
    let (mqtt, mut events) = AsyncClient::new(options, 256);
    // The broker takes a new device up within a second or so; until then it turns the device away.
    let began = Instant::now();
    loop {
        match events.poll().await {
            Ok(rumqttc::Event::Incoming(Packet::ConnAck(_))) => break,
            Ok(_) => {}
            Err(error) if began.elapsed() > CONNECTED_WITHIN => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
    mqtt.subscribe(format!("devices/{id}/acknowledgements"), QoS::AtLeastOnce)
        .await?;
    loop {
        if let rumqttc::Event::Incoming(Packet::SubAck(_)) = events.poll().await? {
            return Ok((mqtt, events));
        }
    }
}

/// Sends all packs, so many at a time, until each is acknowledged by the service.
async fn send(
    device: &Device,
    mqtt: &AsyncClient,
    mut events: EventLoop,
    window: usize,
) -> anyhow::Result<Seen> {
    let topic = format!("devices/{}/readings", device.key.ledger_id());
    let mut seen = Seen::default();
    let mut open: BTreeMap<u64, Instant> = BTreeMap::new();
    let mut packs = (1_u64..).zip(&device.packs).peekable();
    while packs.peek().is_some() || !open.is_empty() {
        while open.len() < window
            && let Some((sequence, pack)) = packs.next()
        {
            mqtt.try_publish(topic.as_str(), QoS::AtLeastOnce, false, pack.clone())?;
            open.insert(sequence, Instant::now());
        }
        let Ok(event) = tokio::time::timeout(AGAIN_AFTER, events.poll()).await else {
            if seen.sent_again > 1_000 {
                bail!("packs are not acknowledged, however often they are sent");
            }
            for sequence in open.keys() {
                let pack = device.packs[*sequence as usize - 1].clone();
                mqtt.try_publish(topic.as_str(), QoS::AtLeastOnce, false, pack)?;
                seen.sent_again += 1;
            }
            continue;
        };
        if let rumqttc::Event::Incoming(Packet::Publish(message)) = event? {
            let acknowledged: Acknowledgement = serde_json::from_slice(&message.payload)?;
            let Some(sent) = open.remove(&acknowledged.sequence) else {
                continue;
            };
            seen.latencies.push(sent.elapsed());
            seen.accepted += acknowledged.accepted;
            seen.refused += acknowledged.refused.len() as u64;
        }
    }
    mqtt.disconnect().await?;
    Ok(seen)
}

/// Waits until the service can have anchored everything, stops the system, and counts on the ledger: readings, anchors, and
/// the block time of the last.
async fn anchored(whole: WholeSystem, expected: u64) -> anyhow::Result<(u64, u64, u64)> {
    let began = Instant::now();
    let mut tally = crate::demo::tally::Tally::default();
    while began.elapsed() < ANCHORED_WITHIN && tally.anchored < expected {
        tally.follow(&whole.client).await?;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let (mut anchored, mut anchors, mut last_us) = (0, 0, 0);
    whole
        .stop_and_recount(|event, time| {
            if let Event::Telemetry(Telemetry::ReadingsAnchored { readings, .. }) = event {
                anchored += u64::from(*readings);
                anchors += 1;
                last_us = time.0;
            }
        })
        .await?;
    Ok((anchored, anchors, last_us))
}
