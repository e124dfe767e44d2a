//! Checking signatures, opening and reading packs: what costs processor time, on as many threads as there are processors.

use std::sync::Arc;

use bytes::Bytes;
use clinical::senml;
use clinical::vitals::Clock;
use futures::future::try_join_all;
use keys::device_envelope::{self, Envelope};
use ledger::{LedgerId, PublicKey};

use crate::service::Iot;

/// A message of a device that may send readings.
pub(super) struct Sealed {
    /// The device.
    pub(super) device: LedgerId,
    /// Its key.
    pub(super) key: PublicKey,
    /// What it sent.
    pub(super) envelope: Bytes,
}

/// A message that the device has signed.
pub(super) struct Unsealed {
    /// The device.
    pub(super) device: LedgerId,
    /// Its number of the pack.
    pub(super) sequence: u64,
    /// The pack.
    pub(super) senml: Senml,
}

/// What was in it.
pub(super) enum Senml {
    /// Readings, and refused ones.
    Pack(senml::Pack),
    /// The pack as a whole is refused.
    Malformed(String),
}

/// Opens messages, in their order. What no device of ours can have sent is left out: nothing is said about it.
pub(super) async fn all(
    iot: &Arc<Iot>,
    mut sealed: Vec<Sealed>,
    clock: Clock,
) -> anyhow::Result<Vec<Unsealed>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let size = sealed.len().div_ceil(threads).max(1);
    let mut parts = Vec::with_capacity(threads);
    while !sealed.is_empty() {
        let rest = sealed.split_off(size.min(sealed.len()));
        let part = std::mem::replace(&mut sealed, rest);
        let iot = iot.clone();
        parts.push(tokio::task::spawn_blocking(move || {
            some(&iot, &part, &clock)
        }));
    }
    Ok(try_join_all(parts).await?.into_iter().flatten().collect())
}

fn some(iot: &Iot, sealed: &[Sealed], clock: &Clock) -> Vec<Unsealed> {
    let envelopes: Vec<Envelope<'_>> = sealed
        .iter()
        .map(|sealed| Envelope {
            device: sealed.device,
            key: sealed.key,
            bytes: &sealed.envelope,
        })
        .collect();
    let opened = device_envelope::open_all(&envelopes, &iot.devices);
    let opened = sealed.iter().zip(opened);
    opened
        .filter_map(|(sealed, opened)| match opened {
            Ok(opened) => Some(Unsealed {
                device: sealed.device,
                sequence: opened.sequence,
                senml: match senml::readings(&opened.senml, clock) {
                    Ok(pack) => Senml::Pack(pack),
                    Err(refusal) => Senml::Malformed(refusal.to_string()),
                },
            }),
            Err(error) => {
                tracing::warn!(device = %sealed.device, %error, "readings are dropped");
                None
            }
        })
        .collect()
}
