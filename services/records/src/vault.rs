//! The hospital's secrets: everything personal in the service's own database is sealed under them.
//!
//! One master key; from it a key for each patient, and wrapped under that a random key for each record. What has to be
//! looked up by value (patient number, doctor, disease, encounter) is kept as a keyed hash.

use contracts::RecordNumber;
use keys::{ContentKey, Secret};
use ledger::{Commitment, DigestAlgorithm, LedgerId, canonical};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failure::Failure;

/// Seals and opens for one hospital.
pub struct Vault {
    hospital: LedgerId,
    tokens: Secret,
    patients: Secret,
    own: ContentKey,
}

impl Vault {
    /// The vault under `master`.
    pub fn new(hospital: LedgerId, master: &Secret) -> Vault {
        Vault {
            hospital,
            tokens: master.derive("medshare/records/tokens/v1"),
            patients: master.derive("medshare/records/patients/v1"),
            own: ContentKey::from_secret(master.derive("medshare/records/hospital/v1")),
        }
    }

    /// A keyed hash of `text`, by which it can be looked up; `kind` keeps equal texts of two kinds apart.
    pub fn token(&self, kind: &str, text: &[u8]) -> String {
        let parts: [&[u8]; 3] = [&self.hospital.0, kind.as_bytes(), text];
        Commitment::new(DigestAlgorithm::Sha256, self.tokens.expose(), &parts)
            .value
            .to_string()
    }

    /// The key of one patient's values.
    pub fn patient_key(&self, patient_token: &str) -> ContentKey {
        ContentKey::from_secret(
            self.patients
                .derive_with(patient_token.as_bytes(), &self.hospital.0),
        )
    }

    /// A record's key, wrapped for patient and hospital.
    pub fn wrap_record_key(
        &self,
        patient_token: &str,
        record: &RecordNumber,
        key: &ContentKey,
    ) -> Vec<u8> {
        self.patient_key(patient_token)
            .wrap(&self.record_context(record), key)
    }

    /// Unwraps what [`Vault::wrap_record_key`] made.
    pub fn unwrap_record_key(
        &self,
        patient_token: &str,
        record: &RecordNumber,
        wrapped: &[u8],
    ) -> Result<ContentKey, Failure> {
        Ok(self
            .patient_key(patient_token)
            .unwrap_key(&self.record_context(record), wrapped)?)
    }

    /// Seals a value of the hospital's own, which no record's erasure touches.
    pub fn seal_own<T: Serialize>(&self, context: &str, value: &T) -> Vec<u8> {
        seal(&self.own, context, value)
    }

    /// Opens what [`Vault::seal_own`] sealed.
    pub fn open_own<T: DeserializeOwned + Serialize>(
        &self,
        context: &str,
        sealed: &[u8],
    ) -> Result<T, Failure> {
        open(&self.own, context, sealed)
    }

    fn record_context(&self, record: &RecordNumber) -> Vec<u8> {
        [&record.0[..], &self.hospital.0[..]].concat()
    }
}

/// Seals a value under a key; `context` names what and whose it is.
pub fn seal<T: Serialize>(key: &ContentKey, context: &str, value: &T) -> Vec<u8> {
    key.seal(context.as_bytes(), &canonical::encode(value))
}

/// Opens what [`seal`] sealed.
pub fn open<T: DeserializeOwned + Serialize>(
    key: &ContentKey,
    context: &str,
    sealed: &[u8],
) -> Result<T, Failure> {
    let bytes = key.open(context.as_bytes(), sealed)?;
    canonical::decode(&bytes).map_err(|_| Failure::Sealed)
}

/// Seals a value of one version of a record.
pub fn seal_version<T: Serialize>(
    key: &ContentKey,
    record: &RecordNumber,
    version: u32,
    value: &T,
) -> Vec<u8> {
    key.seal_record(&record.0, version, &canonical::encode(value))
}

/// Opens what [`seal_version`] sealed.
pub fn open_version<T: DeserializeOwned + Serialize>(
    key: &ContentKey,
    record: &RecordNumber,
    version: u32,
    sealed: &[u8],
) -> Result<T, Failure> {
    canonical::decode(&key.open_record(&record.0, version, sealed)?).map_err(|_| Failure::Sealed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_key_unwraps_for_its_patient_and_record_only() {
        let vault = Vault::new(LedgerId([1; 16]), &Secret::random());
        let key = ContentKey::random();
        let record = RecordNumber([2; 16]);
        let wrapped = vault.wrap_record_key("patient", &record, &key);
        assert_eq!(
            vault
                .unwrap_record_key("patient", &record, &wrapped)
                .unwrap()
                .expose(),
            key.expose()
        );
        assert!(vault.unwrap_record_key("other", &record, &wrapped).is_err());
        assert!(
            vault
                .unwrap_record_key("patient", &RecordNumber([3; 16]), &wrapped)
                .is_err()
        );
    }

    #[test]
    fn equal_texts_of_two_kinds_or_two_hospitals_have_different_tokens() {
        let master = Secret::random();
        let (one, two) = (
            Vault::new(LedgerId([1; 16]), &master),
            Vault::new(LedgerId([2; 16]), &master),
        );
        assert_eq!(one.token("patient", b"1"), one.token("patient", b"1"));
        assert_ne!(one.token("patient", b"1"), one.token("doctor", b"1"));
        assert_ne!(one.token("patient", b"1"), two.token("patient", b"1"));
    }
}
