//! What a device sends: a SenML pack sealed to the iot service, numbered and signed by the device's member key.
//!
//! The broker and whoever runs it see a device's ledger id, a number and sizes; they can neither read nor forge nor
//! replay readings. JSON: `{"sequence": 7, "sealed": "<base64url>", "signature": "<base64url>"}`.

use data_encoding::BASE64URL_NOPAD;
use ledger::{LedgerId, PublicKey, Signature, SignatureBatch, tagged};
use serde::{Deserialize, Serialize};

use crate::seal::{SealError, SealingKey, SealingPublicKey, seal_to};
use crate::{MemberKey, secret};

const INFO: &[u8] = b"medshare/readings/v1";
const DOMAIN: &str = "medshare/readings/v1";

/// Why an envelope is refused. Every case is answered alike to the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not the JSON form.
    #[error("the envelope is malformed")]
    Malformed,
    /// Not signed by the device's key over this number and content.
    #[error("the envelope is not signed by the device")]
    Signature,
    /// Not sealed to this service for this device and number.
    #[error("the envelope does not open")]
    Sealed,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvelopeJson {
    sequence: u64,
    sealed: String,
    signature: String,
}

/// An envelope as it came.
pub struct Envelope<'a> {
    /// The device on whose topic it came.
    pub device: LedgerId,
    /// The device's current key on the ledger.
    pub key: PublicKey,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// An opened envelope.
pub struct Opened {
    /// The device's number of it: grows with each pack.
    pub sequence: u64,
    /// The SenML JSON.
    pub senml: Vec<u8>,
}

/// Seals, numbers and signs a SenML pack.
pub fn seal(
    device: &MemberKey,
    service: &SealingPublicKey,
    sequence: u64,
    senml: &[u8],
) -> Result<Vec<u8>, SealError> {
    let sealed = seal_to(
        service,
        INFO,
        &binding(&device.ledger_id(), sequence),
        senml,
    )?;
    let signature = device.sign_message(DOMAIN, &message(&device.ledger_id(), sequence, &sealed));
    let envelope = EnvelopeJson {
        sequence,
        sealed: BASE64URL_NOPAD.encode(&sealed),
        signature: BASE64URL_NOPAD.encode(&signature.0),
    };
    Ok(serde_json::to_vec(&envelope).expect("an envelope is plain JSON"))
}

/// Checks an envelope's signature with the device's current key on the ledger, and opens it.
pub fn open(
    device: &LedgerId,
    key: &PublicKey,
    service: &SealingKey,
    bytes: &[u8],
) -> Result<Opened, EnvelopeError> {
    let read = Read::of(bytes)?;
    let message = message(device, read.sequence, &read.sealed);
    key.verify(DOMAIN, &message, &read.signature)
        .map_err(|_| EnvelopeError::Signature)?;
    read.open(device, service)
}

/// As [`open`] for each, in order; the signatures are checked together, at half the cost.
pub fn open_all(
    envelopes: &[Envelope<'_>],
    service: &SealingKey,
) -> Vec<Result<Opened, EnvelopeError>> {
    let read: Vec<Result<Read, EnvelopeError>> = envelopes
        .iter()
        .map(|envelope| Read::of(envelope.bytes))
        .collect();
    let mut batch = SignatureBatch::new();
    for (envelope, read) in envelopes.iter().zip(&read) {
        if let Ok(read) = read {
            let message = message(&envelope.device, read.sequence, &read.sealed);
            batch.push(DOMAIN, &message, &envelope.key, &read.signature);
        }
    }
    let bad = batch.verify(secret::random()).err().unwrap_or_default();
    let mut checked = 0;
    envelopes
        .iter()
        .zip(read)
        .map(|(envelope, read)| {
            let read = read?;
            checked += 1;
            if bad.binary_search(&(checked - 1)).is_ok() {
                return Err(EnvelopeError::Signature);
            }
            read.open(&envelope.device, service)
        })
        .collect()
}

/// An envelope whose signature is still to be checked.
struct Read {
    sequence: u64,
    sealed: Vec<u8>,
    signature: Signature,
}

impl Read {
    fn of(bytes: &[u8]) -> Result<Read, EnvelopeError> {
        let envelope: EnvelopeJson =
            serde_json::from_slice(bytes).map_err(|_| EnvelopeError::Malformed)?;
        let decode = |text: &str| {
            BASE64URL_NOPAD
                .decode(text.as_bytes())
                .map_err(|_| EnvelopeError::Malformed)
        };
        let signature = <[u8; 64]>::try_from(decode(&envelope.signature)?.as_slice())
            .map_err(|_| EnvelopeError::Malformed)?;
        Ok(Read {
            sequence: envelope.sequence,
            sealed: decode(&envelope.sealed)?,
            signature: Signature(signature),
        })
    }

    fn open(&self, device: &LedgerId, service: &SealingKey) -> Result<Opened, EnvelopeError> {
        let senml = service
            .open(INFO, &binding(device, self.sequence), &self.sealed)
            .map_err(|_| EnvelopeError::Sealed)?;
        Ok(Opened {
            sequence: self.sequence,
            senml,
        })
    }
}

fn binding(device: &LedgerId, sequence: u64) -> Vec<u8> {
    [&device.0[..], &sequence.to_be_bytes()[..]].concat()
}

fn message(device: &LedgerId, sequence: u64, sealed: &[u8]) -> [u8; 32] {
    tagged(DOMAIN, &[&device.0, &sequence.to_be_bytes(), sealed]).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pack_opens_for_the_service_and_says_which_it_is() {
        let (device, service) = (MemberKey::random(), SealingKey::random());
        let bytes = seal(&device, &service.public_key(), 7, b"[]").unwrap();
        let opened = open(&device.ledger_id(), &device.public_key(), &service, &bytes).unwrap();
        assert_eq!((opened.sequence, opened.senml.as_slice()), (7, &b"[]"[..]));
    }

    #[test]
    fn another_number_another_device_or_another_signer_is_refused() {
        let (device, other, service) = (
            MemberKey::random(),
            MemberKey::random(),
            SealingKey::random(),
        );
        let bytes = seal(&device, &service.public_key(), 7, b"[]").unwrap();
        let renumbered = String::from_utf8(bytes.clone())
            .unwrap()
            .replace("\"sequence\":7", "\"sequence\":8");
        let opening =
            |id: &LedgerId, key: &PublicKey, bytes: &[u8]| open(id, key, &service, bytes).err();
        let signature = Some(EnvelopeError::Signature);
        assert_eq!(
            opening(
                &device.ledger_id(),
                &device.public_key(),
                renumbered.as_bytes()
            ),
            signature
        );
        assert_eq!(
            opening(&other.ledger_id(), &device.public_key(), &bytes),
            signature
        );
        assert_eq!(
            opening(&device.ledger_id(), &other.public_key(), &bytes),
            signature
        );
        assert_eq!(
            opening(&device.ledger_id(), &device.public_key(), b"{}"),
            Some(EnvelopeError::Malformed)
        );
    }

    #[test]
    fn envelopes_opened_together_are_judged_each_by_itself() {
        let service = SealingKey::random();
        let (devices, strangers) = (
            [(); 9].map(|()| MemberKey::random()),
            [(); 9].map(|()| MemberKey::random()),
        );
        let sent: Vec<Vec<u8>> = devices
            .iter()
            .zip(&strangers)
            .enumerate()
            .map(|(number, (device, stranger))| {
                let (sequence, senml) = (number as u64, [number as u8; 3]);
                match number % 3 {
                    0 => seal(device, &service.public_key(), sequence, &senml).unwrap(),
                    1 => seal(stranger, &service.public_key(), sequence, &senml).unwrap(),
                    _ => b"{}".to_vec(),
                }
            })
            .collect();
        let envelopes: Vec<Envelope<'_>> = devices
            .iter()
            .zip(&sent)
            .map(|(device, bytes)| Envelope {
                device: device.ledger_id(),
                key: device.public_key(),
                bytes,
            })
            .collect();
        for (number, opened) in open_all(&envelopes, &service).into_iter().enumerate() {
            let opened = opened.map(|opened| (opened.sequence, opened.senml));
            match number % 3 {
                0 => assert_eq!(opened, Ok((number as u64, vec![number as u8; 3]))),
                1 => assert_eq!(opened, Err(EnvelopeError::Signature)),
                _ => assert_eq!(opened, Err(EnvelopeError::Malformed)),
            }
        }
    }
}
