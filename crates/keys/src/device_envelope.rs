//! What a device sends: a SenML pack sealed to the iot service, numbered and signed by the device's member key.
//!
//! The broker and whoever runs it see a device's ledger id, a number and sizes; they can neither read nor forge nor
//! replay readings. JSON: `{"sequence": 7, "sealed": "<base64url>", "signature": "<base64url>"}`.

use data_encoding::BASE64URL_NOPAD;
use ledger::{LedgerId, PublicKey, Signature, tagged};
use serde::{Deserialize, Serialize};

use crate::MemberKey;
use crate::seal::{SealError, SealingKey, SealingPublicKey, seal_to};

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
struct Envelope {
    sequence: u64,
    sealed: String,
    signature: String,
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
    let envelope = Envelope {
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
    let envelope: Envelope = serde_json::from_slice(bytes).map_err(|_| EnvelopeError::Malformed)?;
    let decode = |text: &str| {
        BASE64URL_NOPAD
            .decode(text.as_bytes())
            .map_err(|_| EnvelopeError::Malformed)
    };
    let sealed = decode(&envelope.sealed)?;
    let signature = <[u8; 64]>::try_from(decode(&envelope.signature)?.as_slice())
        .map_err(|_| EnvelopeError::Malformed)?;
    key.verify(
        DOMAIN,
        &message(device, envelope.sequence, &sealed),
        &Signature(signature),
    )
    .map_err(|_| EnvelopeError::Signature)?;
    let senml = service
        .open(INFO, &binding(device, envelope.sequence), &sealed)
        .map_err(|_| EnvelopeError::Sealed)?;
    Ok(Opened {
        sequence: envelope.sequence,
        senml,
    })
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
}
