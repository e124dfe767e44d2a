//! A secret wrapped under a password: Argon2id gives the key, XChaCha20-Poly1305 wraps.

use argon2::{Algorithm, Argon2, Params, Version};
use ledger::byte_string;
use serde::{Deserialize, Serialize};

use crate::content::ContentKey;
use crate::secret::{self, Secret};

/// Memory of one derivation, in KiB (19 MiB, OWASP's first choice; 34 ms measured).
pub const MEMORY_KIB: u32 = 19 * 1024;
/// Passes over the memory.
pub const ITERATIONS: u32 = 2;
/// Lanes.
pub const PARALLELISM: u32 = 1;
/// The longest password taken, in bytes.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// What is stored: nothing in it tells the password or the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordEnvelope {
    /// Argon2id memory, KiB.
    pub memory_kib: u32,
    /// Argon2id passes.
    pub iterations: u32,
    /// Argon2id lanes.
    pub parallelism: u32,
    /// Argon2id salt.
    #[serde(with = "byte_string::array")]
    pub salt: [u8; 16],
    /// The wrapped secret.
    #[serde(with = "byte_string::vector")]
    pub wrapped: Vec<u8>,
}

/// Why a password gives no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// The password is wrong, or the envelope belongs to another account.
    #[error("wrong password")]
    Wrong,
    /// The password is longer than [`PASSWORD_BYTES_MAX`].
    #[error("the password is too long")]
    TooLong,
    /// The envelope asks for parameters that were never used.
    #[error("the envelope's parameters are not acceptable")]
    Parameters,
}

/// Wraps `secret` under `password` for `account`. Takes tens of milliseconds: call it off the async threads.
pub fn wrap(
    account: &[u8],
    password: &str,
    secret: &Secret,
) -> Result<PasswordEnvelope, PasswordError> {
    let salt = secret::random();
    let key = derive(password, &salt, MEMORY_KIB, ITERATIONS, PARALLELISM)?;
    Ok(PasswordEnvelope {
        memory_kib: MEMORY_KIB,
        iterations: ITERATIONS,
        parallelism: PARALLELISM,
        salt,
        wrapped: key.wrap(account, &ContentKey::from_secret(secret.clone())),
    })
}

/// The secret in `envelope`. Takes tens of milliseconds: call it off the async threads, few at a time.
pub fn unwrap(
    account: &[u8],
    password: &str,
    envelope: &PasswordEnvelope,
) -> Result<Secret, PasswordError> {
    let acceptable = (8 * 1024..=256 * 1024).contains(&envelope.memory_kib)
        && (1..=10).contains(&envelope.iterations)
        && (1..=4).contains(&envelope.parallelism);
    if !acceptable {
        return Err(PasswordError::Parameters);
    }
    let key = derive(
        password,
        &envelope.salt,
        envelope.memory_kib,
        envelope.iterations,
        envelope.parallelism,
    )?;
    let secret = key
        .unwrap_key(account, &envelope.wrapped)
        .map_err(|_| PasswordError::Wrong)?;
    Ok(Secret::from_bytes(*secret.expose()))
}

fn derive(
    password: &str,
    salt: &[u8; 16],
    memory_kib: u32,
    iterations: u32,
    parallelism: u32,
) -> Result<ContentKey, PasswordError> {
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(PasswordError::TooLong);
    }
    let parameters = Params::new(memory_kib, iterations, parallelism, Some(32))
        .map_err(|_| PasswordError::Parameters)?;
    let mut key = zeroize::Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters)
        .hash_password_into(password.as_bytes(), salt, &mut key[..])
        .map_err(|_| PasswordError::Parameters)?;
    Ok(ContentKey::from_secret(Secret::from_bytes(*key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_password_gives_the_secret_and_a_wrong_one_does_not() {
        let secret = Secret::random();
        let envelope = wrap(b"account 1", "correct horse", &secret).unwrap();
        assert_eq!(
            unwrap(b"account 1", "correct horse", &envelope)
                .unwrap()
                .expose(),
            secret.expose()
        );
        assert_eq!(
            unwrap(b"account 1", "battery staple", &envelope).err(),
            Some(PasswordError::Wrong)
        );
        assert_eq!(
            unwrap(b"account 2", "correct horse", &envelope).err(),
            Some(PasswordError::Wrong)
        );
    }

    #[test]
    fn an_envelope_that_asks_for_absurd_memory_is_refused_before_any_work() {
        let mut envelope = wrap(b"account", "password", &Secret::random()).unwrap();
        envelope.memory_kib = u32::MAX;
        assert_eq!(
            unwrap(b"account", "password", &envelope).err(),
            Some(PasswordError::Parameters)
        );
    }
}
