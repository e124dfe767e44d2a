//! User keys of the message broker (NATS nkeys: Ed25519 in an encoding of its own).

use std::path::Path;

use zeroize::Zeroizing;

use crate::secret::{self, SecretError};

/// A broker user's key: the seed signs the server's challenge, the public key stands in the server's configuration.
pub struct BusUserKey {
    seed: Zeroizing<String>,
    public_key: String,
}

impl BusUserKey {
    /// A fresh key.
    pub fn random() -> BusUserKey {
        let pair = nkeys::KeyPair::new_from_raw(nkeys::KeyPairType::User, secret::random())
            .expect("32 bytes are a user seed");
        BusUserKey {
            seed: Zeroizing::new(pair.seed().expect("a pair made from a seed has one")),
            public_key: pair.public_key(),
        }
    }

    /// Reads a seed file (`SU...`); refused when others may read it.
    pub fn load(path: &Path) -> Result<BusUserKey, SecretError> {
        let malformed = || SecretError::Malformed {
            path: path.into(),
            expected: "an nkey user seed (SU...)",
        };
        let text = secret::read_private(path)?;
        let seed = Zeroizing::new(text.trim().to_owned());
        let pair = nkeys::KeyPair::from_seed(&seed).map_err(|_| malformed())?;
        if pair.key_pair_type() != nkeys::KeyPairType::User {
            return Err(malformed());
        }
        Ok(BusUserKey {
            seed,
            public_key: pair.public_key(),
        })
    }

    /// Writes the seed file, mode 0600.
    pub fn save(&self, path: &Path) -> Result<(), SecretError> {
        secret::write_private(path, self.seed.as_bytes())
    }

    /// The public key (`U...`), for the server's configuration.
    pub fn public_key(&self) -> &str {
        &self.public_key
    }

    /// The seed (`SU...`), for connecting.
    pub fn expose_seed(&self) -> &str {
        &self.seed
    }
}

impl std::fmt::Debug for BusUserKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "BusUserKey(of {})", self.public_key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_key_comes_back_from_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("user.nk");
        let key = BusUserKey::random();
        assert!(key.public_key().starts_with('U') && key.expose_seed().starts_with("SU"));
        key.save(&path).unwrap();
        assert_eq!(
            BusUserKey::load(&path).unwrap().public_key(),
            key.public_key()
        );
    }
}
