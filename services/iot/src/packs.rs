//! A pack of readings as it is kept: sealed at rest under a key of its own patient, with the salt of its leaves.

use clinical::vitals::Reading;
use keys::content::ContentKey;
use keys::{Secret, secret};
use ledger::{Digest, LedgerId, canonical, tagged};
use serde::{Deserialize, Serialize};

use crate::service::Iot;

/// What is sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pack {
    /// Salt of the leaves.
    salt: [u8; 32],
    /// The readings, in the device's order.
    pub readings: Vec<Reading>,
}

impl Pack {
    /// A pack with a fresh salt.
    pub fn new(readings: Vec<Reading>) -> Pack {
        Pack {
            salt: secret::random(),
            readings,
        }
    }

    /// One leaf a reading, for the anchored Merkle tree: keyed by the salt, so that a value can't be guessed from it.
    pub fn leaves(&self, device: &LedgerId, patient: &LedgerId) -> Vec<Digest> {
        let leaf = |(place, reading): (usize, &Reading)| {
            let bytes = canonical::encode(&(place as u32, reading));
            tagged(
                "medshare/reading/v1",
                &[&self.salt, &device.0, &patient.0, &bytes],
            )
        };
        self.readings.iter().enumerate().map(leaf).collect()
    }
}

impl Iot {
    /// The key of a patient's rows.
    fn rows_key(&self, patient: &LedgerId) -> ContentKey {
        ContentKey::from_secret(Secret::derive_with(
            &self.at_rest,
            &patient.0,
            b"medshare/iot/patient/v1",
        ))
    }

    /// Seals anything of a patient's for a row; `place` names the row.
    pub(crate) fn seal_row<T: Serialize>(
        &self,
        patient: &LedgerId,
        place: &str,
        value: &T,
    ) -> Vec<u8> {
        self.rows_key(patient)
            .seal(place.as_bytes(), &canonical::encode(value))
    }

    /// Opens what [`Iot::seal_row`] sealed; none if the row was altered or moved.
    pub(crate) fn open_row<T: serde::de::DeserializeOwned + Serialize>(
        &self,
        patient: &LedgerId,
        place: &str,
        sealed: &[u8],
    ) -> Option<T> {
        let plain = self.rows_key(patient).open(place.as_bytes(), sealed).ok()?;
        canonical::decode(&plain).ok()
    }
}

/// The name of a pack's row for sealing.
pub(crate) fn pack_row(place: i64) -> String {
    format!("pack/{place}")
}

#[cfg(test)]
mod tests {
    use clinical::vitals::VitalSign;

    use super::*;

    #[test]
    fn equal_readings_have_unlike_leaves() {
        let reading = Reading {
            at_micros: 1,
            sign: VitalSign::Pulse,
            milli: 70_000,
        };
        let pack = Pack::new(vec![reading, reading]);
        let leaves = pack.leaves(&LedgerId([1; 16]), &LedgerId([2; 16]));
        assert_ne!(leaves[0], leaves[1]);
        let again = Pack::new(vec![reading]).leaves(&LedgerId([1; 16]), &LedgerId([2; 16]));
        assert_ne!(leaves[0], again[0]);
        assert_eq!(leaves, pack.leaves(&LedgerId([1; 16]), &LedgerId([2; 16])));
    }
}
