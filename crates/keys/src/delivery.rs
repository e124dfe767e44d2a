//! Released content on its way to an applicant: encrypted under a key of its own, and that key sealed to the item's key.
//!
//! The hospital makes [`Package`], encrypts it by [`encrypt`] and hands the ciphertext to the delivery store. After
//! the patient's approval it seals the content key by [`seal_key`]. The applicant opens both with [`open`] and checks
//! that the released bytes open the release commitment: `release.opens(&package.salt, &[&package.content])`.

use serde::{Deserialize, Serialize};

use crate::content::ContentKey;
use crate::seal::{OpenError, SealError, SealingKey, SealingPublicKey, seal_to};
use crate::secret::Secret;

const INFO: &[u8] = b"medshare/release/v1";

/// What is released: exactly these bytes, and the salt of the commitment to them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Salt of the release commitment.
    pub salt: [u8; 32],
    /// The released bytes: a FHIR Bundle as JSON text.
    pub content: Vec<u8>,
}

/// The bytes that name an item: application and place, big-endian.
pub fn item_data(application: &[u8; 16], index: u16) -> Vec<u8> {
    [&application[..], &index.to_be_bytes()[..]].concat()
}

/// The ciphertext of a package for one item.
pub fn encrypt(key: &ContentKey, item: &[u8], package: &Package) -> Vec<u8> {
    key.seal(item, &ledger::canonical::encode(package))
}

/// The content key, sealed to the item's key.
pub fn seal_key(
    recipient: &SealingPublicKey,
    item: &[u8],
    key: &ContentKey,
) -> Result<Vec<u8>, SealError> {
    seal_to(recipient, INFO, item, key.expose())
}

/// Opens the content key with the item's secret key, and the ciphertext with it.
pub fn open(
    item_key: &SealingKey,
    item: &[u8],
    sealed_key: &[u8],
    ciphertext: &[u8],
) -> Result<Package, OpenError> {
    let bytes = zeroize::Zeroizing::new(item_key.open(INFO, item, sealed_key)?);
    let bytes: [u8; 32] = bytes.as_slice().try_into().map_err(|_| OpenError)?;
    let plain = ContentKey::from_secret(Secret::from_bytes(bytes)).open(item, ciphertext)?;
    ledger::canonical::decode(&plain).map_err(|_| OpenError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_released_package_opens_with_the_items_key_and_for_that_item_only() {
        let (item_key, content_key) = (SealingKey::random(), ContentKey::random());
        let item = item_data(&[7; 16], 3);
        let package = Package {
            salt: [1; 32],
            content: b"{}".to_vec(),
        };
        let ciphertext = encrypt(&content_key, &item, &package);
        let sealed = seal_key(&item_key.public_key(), &item, &content_key).unwrap();
        assert!(open(&item_key, &item, &sealed, &ciphertext).unwrap() == package);
        assert!(open(&item_key, &item_data(&[7; 16], 4), &sealed, &ciphertext).is_err());
        assert!(open(&SealingKey::random(), &item, &sealed, &ciphertext).is_err());
    }
}
