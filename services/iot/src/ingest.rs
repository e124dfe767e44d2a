//! From a device's message to rows, warnings and an acknowledgement.

use std::collections::HashMap;
use std::sync::Arc;

use async_nats::{Message, Subscriber};
use bus::subjects;
use chassis::Shutdown;
use clinical::senml;
use clinical::vitals::Clock;
use futures::StreamExt;
use keys::device_envelope;
use ledger::{LedgerId, PublicKey};
use serde::Serialize;
use sqlx::Row;
use store::Transaction;
use tokio::sync::mpsc;

use crate::packs::{Pack, pack_row};
use crate::service::{Iot, now_us};
use crate::watch::Watch;

/// Messages that wait at most; what comes beyond is dropped and sent again by its device.
const WAITING_MAX: usize = 4_096;
/// Messages taken in one database transaction.
const MESSAGES_AT_ONCE: usize = 128;

/// Takes devices' messages.
pub(crate) struct Ingest {
    iot: Arc<Iot>,
    messages: Subscriber,
    place: i64,
    watch: Watch,
}

/// What a device is told of one of its packs; it may forget the pack then.
#[derive(Debug, Serialize)]
struct Acknowledgement {
    sequence: u64,
    accepted: usize,
    /// Place in the pack and reason, for those that were not taken.
    refused: Vec<(usize, String)>,
}

/// A device as the ledger has it.
struct Device {
    key: PublicKey,
    patient: LedgerId,
    last_sequence: u64,
}

impl Ingest {
    /// Subscribes, and finds the place of the next pack.
    pub(crate) async fn start(iot: Arc<Iot>) -> anyhow::Result<Ingest> {
        let messages = iot.bus.client().subscribe(subjects::ALL_READINGS).await?;
        let row = sqlx::query("SELECT COALESCE(MAX(place), 0) FROM packs")
            .fetch_one(iot.store.reader())
            .await?;
        let watch = Watch::new(iot.clone());
        Ok(Ingest {
            place: row.try_get(0)?,
            messages,
            watch,
            iot,
        })
    }

    /// Takes messages until told to stop.
    pub(crate) async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        let Ingest {
            iot,
            mut messages,
            mut place,
            mut watch,
        } = self;
        let (sender, mut waiting) = mpsc::channel::<Message>(WAITING_MAX);
        tokio::spawn(async move {
            while let Some(message) = messages.next().await {
                if sender.try_send(message).is_err() {
                    tracing::warn!(
                        "too many readings wait; a message is dropped and will be sent again"
                    );
                }
            }
        });
        let mut batch = Vec::with_capacity(MESSAGES_AT_ONCE);
        loop {
            batch.clear();
            let received = tokio::select! {
                received = waiting.recv_many(&mut batch, MESSAGES_AT_ONCE) => received,
                () = shutdown.requested() => return Ok(()),
            };
            if received == 0 {
                return Ok(());
            }
            if let Err(error) = take(&iot, &mut watch, &mut place, &batch).await {
                tracing::error!(%error, "readings could not be stored; their devices will send them again");
                watch.forget();
            }
        }
    }
}

/// Stores a batch of messages in one database transaction, then acknowledges them.
async fn take(
    iot: &Iot,
    watch: &mut Watch,
    place: &mut i64,
    batch: &[Message],
) -> anyhow::Result<()> {
    let mut transaction = iot.store.begin().await?;
    let mut acknowledgements: HashMap<LedgerId, Vec<Acknowledgement>> = HashMap::new();
    let mut next = *place;
    for message in batch {
        let device = subjects::device_of(message.subject.as_str())
            .and_then(|device| device.parse::<LedgerId>().ok());
        let Some(device) = device else { continue };
        if let Some(acknowledgement) = take_one(
            iot,
            watch,
            &mut transaction,
            &mut next,
            &device,
            &message.payload,
        )
        .await?
        {
            acknowledgements
                .entry(device)
                .or_default()
                .push(acknowledgement);
        }
    }
    transaction.commit().await?;
    *place = next;
    iot.desk.outbox().wake();
    for (device, list) in acknowledgements {
        for acknowledgement in list {
            let payload = serde_json::to_vec(&acknowledgement)?;
            iot.bus
                .client()
                .publish(
                    subjects::acknowledgements(&device.to_string()),
                    payload.into(),
                )
                .await?;
        }
    }
    Ok(())
}

/// None for what no device of ours can have sent: nothing is said about it.
async fn take_one(
    iot: &Iot,
    watch: &mut Watch,
    transaction: &mut Transaction,
    place: &mut i64,
    id: &LedgerId,
    payload: &[u8],
) -> anyhow::Result<Option<Acknowledgement>> {
    let Some(device) = device(transaction, id).await? else {
        tracing::warn!(device = %id, "readings of a device that is not active, or bound to nobody, are dropped");
        return Ok(None);
    };
    let opened = match device_envelope::open(id, &device.key, &iot.devices, payload) {
        Ok(opened) => opened,
        Err(error) => {
            tracing::warn!(device = %id, %error, "readings are dropped");
            return Ok(None);
        }
    };
    let sequence = opened.sequence;
    if sequence <= device.last_sequence {
        return Ok(Some(Acknowledgement {
            sequence,
            accepted: 0,
            refused: Vec::new(),
        }));
    }
    let now = now_us();
    let clock = Clock {
        now_micros: now,
        ahead_micros_max: iot.readings.ahead_seconds_max * 1_000_000,
        age_micros_max: iot.readings.age_hours_max * 3_600_000_000,
    };
    count(transaction, id, sequence, now).await?;
    let pack = match senml::readings(&opened.senml, &clock) {
        Ok(pack) => pack,
        Err(refusal) => {
            return Ok(Some(Acknowledgement {
                sequence,
                accepted: 0,
                refused: vec![(0, refusal.to_string())],
            }));
        }
    };
    let refused = pack
        .refused
        .iter()
        .map(|(place, fault)| (*place, fault.to_string()))
        .collect();
    let accepted = pack.readings.len();
    if accepted > 0 {
        *place += 1;
        let pack = Pack::new(pack.readings);
        insert(iot, transaction, *place, id, &device.patient, now, &pack).await?;
        watch
            .assess(transaction, id, &device.patient, &pack.readings)
            .await?;
    }
    Ok(Some(Acknowledgement {
        sequence,
        accepted,
        refused,
    }))
}

async fn device(transaction: &mut Transaction, id: &LedgerId) -> anyhow::Result<Option<Device>> {
    let row = sqlx::query(
        "SELECT device_members.public_key, bindings.patient, COALESCE(device_counters.last_sequence, 0)
         FROM device_members JOIN bindings ON bindings.device = device_members.device
         LEFT JOIN device_counters ON device_counters.device = device_members.device
         WHERE device_members.device = $1 AND device_members.status = 'active'",
    )
    .bind(id.to_string())
    .fetch_optional(&mut **transaction)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let key: String = row.try_get(0)?;
    let patient: String = row.try_get(1)?;
    Ok(Some(Device {
        key: key.parse()?,
        patient: patient.parse()?,
        last_sequence: row.try_get::<i64, _>(2)? as u64,
    }))
}

/// Remembers a device's last number, and that it was heard.
async fn count(
    transaction: &mut Transaction,
    id: &LedgerId,
    sequence: u64,
    now: u64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO device_counters (device, last_sequence, heard_us, silent) VALUES ($1, $2, $3, 0)
         ON CONFLICT (device) DO UPDATE SET last_sequence = excluded.last_sequence, heard_us = excluded.heard_us, silent = 0",
    )
    .bind(id.to_string())
    .bind(i64::try_from(sequence).unwrap_or(i64::MAX))
    .bind(now as i64)
    .execute(&mut **transaction)
    .await
    .map(|_| ())
}

async fn insert(
    iot: &Iot,
    transaction: &mut Transaction,
    place: i64,
    device: &LedgerId,
    patient: &LedgerId,
    now: u64,
    pack: &Pack,
) -> Result<(), sqlx::Error> {
    let latest = pack
        .readings
        .iter()
        .map(|reading| reading.at_micros)
        .max()
        .unwrap_or(now);
    sqlx::query("INSERT INTO packs (place, device, patient, received_us, latest_us, readings, sealed) VALUES ($1, $2, $3, $4, $5, $6, $7)")
        .bind(place)
        .bind(device.to_string())
        .bind(patient.to_string())
        .bind(now as i64)
        .bind(latest as i64)
        .bind(pack.readings.len() as i64)
        .bind(iot.seal_row(patient, &pack_row(place), pack))
        .execute(&mut **transaction)
        .await
        .map(|_| ())
}
