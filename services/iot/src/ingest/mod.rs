//! From a device's message to rows, warnings and an acknowledgement.
//!
//! Messages are taken many at a time: [`devices`] finds who sent them, [`open`] checks and opens them on all processors,
//! here they are put in order, and stored and assessed in one database transaction. Acknowledged is what is stored.

mod devices;
mod open;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_nats::{Message, Subscriber};
use bus::subjects;
use chassis::Shutdown;
use clinical::vitals::Clock;
use futures::StreamExt;
use ledger::LedgerId;
use serde::Serialize;
use sqlx::Row;
use store::row;
use store::rows::{Insert, Rows};
use tokio::sync::mpsc;

use crate::packs::{Pack, pack_row};
use crate::service::{Iot, now_us};
use crate::watch::Watch;
use devices::{Device, Number};
use open::{Sealed, Senml, Unsealed};

/// Messages that wait at most; what comes beyond is dropped and sent again by its device.
const WAITING_MAX: usize = 8_192;
/// Messages taken in one database transaction.
const MESSAGES_AT_ONCE: usize = 512;

/// Said of a pack whose number is 64 or more below the highest of its device.
const TOO_OLD: &str = "its number is too far below the device's highest to tell whether the pack was had; number it anew";

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

/// A pack that is to be kept.
struct Kept {
    device: LedgerId,
    patient: LedgerId,
    pack: Pack,
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

/// Stores messages in one database transaction, then acknowledges them.
async fn take(
    iot: &Arc<Iot>,
    watch: &mut Watch,
    place: &mut i64,
    messages: &[Message],
) -> anyhow::Result<()> {
    let sent: Vec<(LedgerId, &Message)> = messages
        .iter()
        .filter_map(|message| {
            let device = subjects::device_of(message.subject.as_str())?;
            Some((device.parse().ok()?, message))
        })
        .collect();
    let senders: BTreeSet<LedgerId> = sent.iter().map(|(device, _)| *device).collect();
    let mut known = devices::find(iot.store.reader(), &senders).await?;
    let sealed = sent
        .into_iter()
        .filter_map(|(id, message)| match known.get(&id) {
            Some(device) => Some(Sealed {
                device: id,
                key: device.key,
                envelope: message.payload.clone(),
            }),
            None => {
                tracing::warn!(device = %id, "readings of a device that is not active, or bound to nobody, are dropped");
                None
            }
        })
        .collect();
    let now = now_us();
    let clock = Clock {
        now_micros: now,
        ahead_micros_max: iot.readings.ahead_seconds_max * 1_000_000,
        age_micros_max: iot.readings.age_hours_max * 3_600_000_000,
    };
    let unsealed = open::all(iot, sealed, clock).await?;
    let mut acknowledgements = Vec::with_capacity(unsealed.len());
    let mut kept = Vec::with_capacity(unsealed.len());
    for unsealed in unsealed {
        let Some(device) = known.get_mut(&unsealed.device) else {
            continue;
        };
        acknowledgements.push((unsealed.device, sort(device, unsealed, &mut kept)));
    }
    let next = keep(iot, watch, *place, now, &known, &kept).await?;
    *place = next;
    iot.desk.outbox().wake();
    for (device, acknowledgement) in acknowledgements {
        let payload = serde_json::to_vec(&acknowledgement)?;
        let subject = subjects::acknowledgements(&device.to_string());
        iot.bus.client().publish(subject, payload.into()).await?;
    }
    Ok(())
}

/// Whether a pack is new, and what of it is to be kept. A number that was had is acknowledged again.
fn sort(device: &mut Device, unsealed: Unsealed, kept: &mut Vec<Kept>) -> Acknowledgement {
    let sequence = unsealed.sequence;
    let mut acknowledgement = Acknowledgement {
        sequence,
        accepted: 0,
        refused: Vec::new(),
    };
    match device.numbers.note(sequence) {
        Number::New => {}
        Number::Had => return acknowledgement,
        Number::TooOld => {
            acknowledgement.refused.push((0, TOO_OLD.to_owned()));
            return acknowledgement;
        }
    }
    device.is_heard = true;
    match unsealed.senml {
        Senml::Malformed(reason) => acknowledgement.refused.push((0, reason)),
        Senml::Pack(pack) => {
            let refused = pack.refused.iter();
            acknowledgement.refused = refused
                .map(|(place, fault)| (*place, fault.to_string()))
                .collect();
            acknowledgement.accepted = pack.readings.len();
            if !pack.readings.is_empty() {
                kept.push(Kept {
                    device: unsealed.device,
                    patient: device.patient,
                    pack: Pack::new(pack.readings),
                });
            }
        }
    }
    acknowledgement
}

static PUT_PACK: Insert = Insert::new(
    "packs",
    &[
        "place",
        "device",
        "patient",
        "received_us",
        "latest_us",
        "readings",
        "sealed",
    ],
    0,
    "",
);
/// Remembers a device's numbers, and that it was heard.
static PUT_COUNTER: Insert = Insert::new(
    "device_counters",
    &["device", "last_sequence", "had", "heard_us", "silent"],
    1,
    "ON CONFLICT (device) DO UPDATE SET last_sequence = excluded.last_sequence, had = excluded.had, \
     heard_us = excluded.heard_us, silent = 0",
);

/// Numbers, packs and warnings in one database transaction; gives the last pack's place.
async fn keep(
    iot: &Iot,
    watch: &mut Watch,
    mut place: i64,
    now: u64,
    devices: &devices::Devices,
    kept: &[Kept],
) -> anyhow::Result<i64> {
    let mut rows = Rows::new();
    for (id, device) in devices.iter().filter(|(_, device)| device.is_heard) {
        let last = i64::try_from(device.numbers.last).unwrap_or(i64::MAX);
        let had = device.numbers.had.cast_signed();
        rows.insert(
            &PUT_COUNTER,
            row![id.to_string(), last, had, now as i64, 0_i64],
        );
    }
    let mut transaction = iot.store.begin().await?;
    let patients: BTreeSet<LedgerId> = kept.iter().map(|kept| kept.patient).collect();
    watch.prepare(&mut transaction, &patients).await?;
    for Kept {
        device,
        patient,
        pack,
    } in kept
    {
        place += 1;
        let times = pack.readings.iter().map(|reading| reading.at_micros);
        let latest = times.max().unwrap_or(now);
        rows.insert(
            &PUT_PACK,
            row![
                place,
                device.to_string(),
                patient.to_string(),
                now as i64,
                latest as i64,
                pack.readings.len() as i64,
                iot.seal_row(patient, &pack_row(place), pack)
            ],
        );
        watch
            .assess(&mut transaction, device, patient, &pack.readings)
            .await?;
    }
    rows.flush(&mut transaction).await?;
    transaction.commit().await?;
    Ok(place)
}
