//! The keyed hash of an identity ID: equal IDs give equal hashes, and without the key nobody can try IDs out.

use hmac::{Hmac, KeyInit, Mac};
use ledger::Digest;
use sha2::Sha256;

use crate::Secret;

/// HMAC-SHA256 of the identity ID: upper case, without spaces and punctuation, so that spelling does not matter.
///
/// `issuer` names who issued the ID (a country, a scheme), so that equal numbers of two issuers differ.
pub fn identity_hash(key: &Secret, issuer: &str, identity_id: &str) -> Digest {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.expose()).expect("HMAC takes keys of any length");
    mac.update(b"medshare/identity-id/v1");
    for part in [normalised(issuer), normalised(identity_id)] {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    Digest(mac.finalize().into_bytes().into())
}

fn normalised(text: &str) -> String {
    text.chars()
        .filter(|character| character.is_alphanumeric())
        .flat_map(char::to_uppercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_does_not_matter_and_issuer_and_key_do() {
        let key = Secret::from_bytes([1; 32]);
        let hash = identity_hash(&key, "US-SSN", "999-12-3456");
        assert_eq!(identity_hash(&key, "us ssn", "999123456"), hash);
        assert_ne!(identity_hash(&key, "DE", "999-12-3456"), hash);
        assert_ne!(
            identity_hash(&Secret::from_bytes([2; 32]), "US-SSN", "999-12-3456"),
            hash
        );
    }
}
