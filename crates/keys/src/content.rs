//! Encryption at rest: a key for each record, XChaCha20-Poly1305, and keys wrapped under other keys.

use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};

use crate::seal::OpenError;
use crate::secret::{self, Secret};

/// Bytes that encryption adds: the nonce in front, the tag behind.
pub const OVERHEAD_BYTES: usize = NONCE_BYTES + 16;
const NONCE_BYTES: usize = 24;

/// A symmetric key for content; wiped when dropped.
#[derive(Clone, Debug)]
pub struct ContentKey(Secret);

impl ContentKey {
    /// A fresh key.
    pub fn random() -> ContentKey {
        ContentKey(Secret::random())
    }

    /// The key made of a secret (for instance one derived by [`Secret::derive`]).
    pub fn from_secret(secret: Secret) -> ContentKey {
        ContentKey(secret)
    }

    /// The bytes, to be wrapped or sealed.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// Encrypts: 24 random bytes of nonce, then ciphertext with tag. `associated_data` is needed again to open.
    pub fn seal(&self, associated_data: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_BYTES] = secret::random();
        let ciphertext = XChaCha20Poly1305::new(self.expose().into())
            .encrypt(
                &nonce.into(),
                Payload {
                    msg: plaintext,
                    aad: associated_data,
                },
            )
            .expect("content is shorter than the cipher's limit of 256 GiB");
        [&nonce[..], &ciphertext].concat()
    }

    /// Opens what [`ContentKey::seal`] made.
    pub fn open(&self, associated_data: &[u8], sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(OpenError)?;
        XChaCha20Poly1305::new(self.expose().into())
            .decrypt(
                &(*nonce).into(),
                Payload {
                    msg: ciphertext,
                    aad: associated_data,
                },
            )
            .map_err(|_| OpenError)
    }

    /// Encrypts one version of one record (or of anything else with a 16-byte number).
    pub fn seal_record(&self, record: &[u8; 16], version: u32, plaintext: &[u8]) -> Vec<u8> {
        self.seal(&record_data(record, version), plaintext)
    }

    /// Opens what [`ContentKey::seal_record`] made, of the same record and version only.
    pub fn open_record(
        &self,
        record: &[u8; 16],
        version: u32,
        sealed: &[u8],
    ) -> Result<Vec<u8>, OpenError> {
        self.open(&record_data(record, version), sealed)
    }

    /// Wraps another key under this one; `context` says whose it is (record, patient, hospital, version).
    pub fn wrap(&self, context: &[u8], key: &ContentKey) -> Vec<u8> {
        self.seal(&wrap_data(context), key.expose())
    }

    /// Unwraps what [`ContentKey::wrap`] made.
    pub fn unwrap_key(&self, context: &[u8], wrapped: &[u8]) -> Result<ContentKey, OpenError> {
        let bytes = zeroize::Zeroizing::new(self.open(&wrap_data(context), wrapped)?);
        let bytes: [u8; 32] = bytes.as_slice().try_into().map_err(|_| OpenError)?;
        Ok(ContentKey(Secret::from_bytes(bytes)))
    }
}

fn record_data(record: &[u8; 16], version: u32) -> Vec<u8> {
    [
        b"medshare/content/v1".as_slice(),
        record,
        &version.to_be_bytes(),
    ]
    .concat()
}

fn wrap_data(context: &[u8]) -> Vec<u8> {
    [b"medshare/wrapped-key/v1".as_slice(), context].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_opens_for_the_same_record_and_version_only() {
        let key = ContentKey::random();
        let sealed = key.seal_record(&[1; 16], 2, b"content");
        assert_eq!(key.open_record(&[1; 16], 2, &sealed).unwrap(), b"content");
        assert_eq!(key.open_record(&[1; 16], 3, &sealed), Err(OpenError));
        assert_eq!(key.open_record(&[2; 16], 2, &sealed), Err(OpenError));
        assert_eq!(sealed.len(), b"content".len() + OVERHEAD_BYTES);
    }

    #[test]
    fn a_flipped_bit_anywhere_is_noticed() {
        let key = ContentKey::random();
        let sealed = key.seal(b"data", b"content");
        for index in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[index] ^= 1;
            assert_eq!(key.open(b"data", &altered), Err(OpenError));
        }
    }

    #[test]
    fn a_wrapped_key_unwraps_in_its_own_context_only() {
        let (outer, inner) = (ContentKey::random(), ContentKey::random());
        let wrapped = outer.wrap(b"patient 1", &inner);
        assert_eq!(
            outer.unwrap_key(b"patient 1", &wrapped).unwrap().expose(),
            inner.expose()
        );
        assert!(outer.unwrap_key(b"patient 2", &wrapped).is_err());
    }
}
