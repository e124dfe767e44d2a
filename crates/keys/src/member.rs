//! The keys of one member: one seed gives the signing key and the sealing key.

use std::path::Path;

use ledger::{LedgerId, PublicKey, Signature, SignedTransaction, SigningKey, TransactionBody};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::seal::{SealingKey, SealingPublicKey};
use crate::secret::{self, Secret, SecretError};

/// What a member holds: its ledger id, a seed, and the two keys that come of it.
///
/// Key files are JSON, mode 0600: `{"ledger_id": "<32 hex>", "seed": "<64 hex>"}`.
#[derive(Clone)]
pub struct MemberKey {
    ledger_id: LedgerId,
    seed: Secret,
    signing: SigningKey,
    sealing: SealingKey,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    ledger_id: LedgerId,
    seed: String,
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.seed);
    }
}

impl MemberKey {
    /// The keys that `seed` gives (HKDF-SHA256, purposes `medshare/member/signing/v1` and `.../sealing/v1`).
    pub fn from_seed(ledger_id: LedgerId, seed: Secret) -> MemberKey {
        MemberKey {
            ledger_id,
            signing: SigningKey::from_seed(*seed.derive("medshare/member/signing/v1").expose()),
            sealing: SealingKey::from_secret(&seed.derive("medshare/member/sealing/v1")),
            seed,
        }
    }

    /// A new member: random ledger id, random seed.
    pub fn random() -> MemberKey {
        MemberKey::from_seed(LedgerId(secret::random()), Secret::random())
    }

    /// Reads a key file; refused when others may read it.
    pub fn load(path: &Path) -> Result<MemberKey, SecretError> {
        let malformed = || SecretError::Malformed {
            path: path.into(),
            expected: "a member key (ledger_id, seed)",
        };
        let text = secret::read_private(path)?;
        let file: KeyFile = serde_json::from_str(&text).map_err(|_| malformed())?;
        let seed = Secret::from_hex(&file.seed).ok_or_else(malformed)?;
        Ok(MemberKey::from_seed(file.ledger_id, seed))
    }

    /// Writes a key file of mode 0600.
    pub fn save(&self, path: &Path) -> Result<(), SecretError> {
        let file = KeyFile {
            ledger_id: self.ledger_id,
            seed: self.seed.expose_hex().to_string(),
        };
        let text = Zeroizing::new(serde_json::to_string(&file).expect("a key file is plain JSON"));
        secret::write_private(path, text.as_bytes())
    }

    /// The member's ledger id.
    pub fn ledger_id(&self) -> LedgerId {
        self.ledger_id
    }

    /// The seed, to be wrapped for custody; never logged, never sent unsealed.
    pub fn seed(&self) -> &Secret {
        &self.seed
    }

    /// Public half of the signing key.
    pub fn public_key(&self) -> PublicKey {
        self.signing.public_key()
    }

    /// Public half of the sealing key.
    pub fn sealing_public_key(&self) -> SealingPublicKey {
        self.sealing.public_key()
    }

    /// The signing key.
    pub fn signing(&self) -> &SigningKey {
        &self.signing
    }

    /// The sealing key.
    pub fn sealing(&self) -> &SealingKey {
        &self.sealing
    }

    /// Signs a transaction body as this member.
    ///
    /// # Panics
    /// If the body names another submitter or key: the caller mixed up two members.
    pub fn sign(&self, body: TransactionBody) -> SignedTransaction {
        assert_eq!(body.submitter, self.ledger_id, "the body is of this member");
        assert_eq!(
            body.public_key,
            self.public_key(),
            "the body names this member's key"
        );
        SignedTransaction::sign(body, &self.signing)
    }

    /// Signs any other message in a domain. The proof of possession that membership asks for is
    /// `sign_message(POSSESSION_DOMAIN, &possession_message(chain, &ledger_id, &public_key))`, both from
    /// `contracts::membership`.
    pub fn sign_message(&self, domain: &str, message: &[u8]) -> Signature {
        self.signing.sign(domain, message)
    }
}

impl std::fmt::Debug for MemberKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "MemberKey(of {})", self.ledger_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_key_comes_back_from_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("member.json");
        let key = MemberKey::random();
        key.save(&path).unwrap();
        let loaded = MemberKey::load(&path).unwrap();
        assert_eq!(loaded.ledger_id(), key.ledger_id());
        assert_eq!(loaded.public_key(), key.public_key());
        assert_eq!(loaded.sealing_public_key(), key.sealing_public_key());
    }

    #[test]
    fn debug_shows_the_ledger_id_and_no_secret() {
        let key = MemberKey::random();
        let shown = format!("{key:?}");
        assert!(shown.contains(&key.ledger_id().to_string()));
        assert!(!shown.contains(key.seed().expose_hex().as_str()));
    }

    #[test]
    fn signatures_of_a_member_verify_under_its_public_key() {
        let key = MemberKey::random();
        let signature = key.sign_message("medshare/test/v1", b"message");
        key.public_key()
            .verify("medshare/test/v1", b"message", &signature)
            .unwrap();
    }
}
