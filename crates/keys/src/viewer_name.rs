//! The name in a view's trace: sealed to the patient and to the regulator, so that the ledger keeps who looked and
//! only those two read the name.

use serde::{Deserialize, Serialize};

use crate::seal::{OpenError, SealError, SealingKey, SealingPublicKey, seal_to};

/// The most bytes of a name (with an emergency's reason) that are sealed; longer ones are cut at a character.
///
/// Two sealings and their frame stay below the 512 bytes that the ledger takes.
pub const TEXT_BYTES_MAX: usize = 200;

const INFO: &[u8] = b"medshare/viewer-name/v1";

#[derive(Serialize, Deserialize)]
struct SealedTwice {
    patient: Vec<u8>,
    regulator: Vec<u8>,
}

/// Seals `text` once to the patient and once to the regulator; at most 512 bytes.
pub fn seal(
    text: &str,
    patient: &SealingPublicKey,
    regulator: &SealingPublicKey,
) -> Result<Vec<u8>, SealError> {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = &text.as_bytes()[..end];
    let sealed = SealedTwice {
        patient: seal_to(patient, INFO, b"patient", text)?,
        regulator: seal_to(regulator, INFO, b"regulator", text)?,
    };
    Ok(ledger::canonical::encode(&sealed))
}

/// Opens what [`seal`] sealed, with the patient's or the regulator's key.
pub fn open(key: &SealingKey, sealed: &[u8]) -> Result<String, OpenError> {
    let sealed: SealedTwice = ledger::canonical::decode(sealed).map_err(|_| OpenError)?;
    let text = key
        .open(INFO, b"patient", &sealed.patient)
        .or_else(|_| key.open(INFO, b"regulator", &sealed.regulator))?;
    String::from_utf8(text).map_err(|_| OpenError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patient_and_regulator_read_the_name_and_nobody_else() {
        let (patient, regulator) = (SealingKey::random(), SealingKey::random());
        let sealed = seal(
            "Dr. Ada Example",
            &patient.public_key(),
            &regulator.public_key(),
        )
        .unwrap();
        assert_eq!(open(&patient, &sealed).unwrap(), "Dr. Ada Example");
        assert_eq!(open(&regulator, &sealed).unwrap(), "Dr. Ada Example");
        assert_eq!(open(&SealingKey::random(), &sealed), Err(OpenError));
    }

    #[test]
    fn the_longest_text_fits_the_ledger() {
        let (patient, regulator) = (SealingKey::random(), SealingKey::random());
        let sealed = seal(
            &"ä".repeat(500),
            &patient.public_key(),
            &regulator.public_key(),
        )
        .unwrap();
        assert!(sealed.len() <= 512);
        assert_eq!(
            open(&patient, &sealed).unwrap(),
            "ä".repeat(TEXT_BYTES_MAX / 2)
        );
    }
}
