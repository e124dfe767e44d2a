//! 32-byte secrets: making, deriving, and keeping them in files that only their owner reads.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Why a secret could not be kept or found.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is readable by others than its owner.
    #[error("{path}: others than its owner may read it; run: chmod 600 {path}")]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// The content is not what it should be (never shown).
    #[error("{path}: does not hold {expected}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
}

/// 32 secret bytes, wiped when dropped. Shows nothing of itself in `Debug`.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret([u8; 32]);

impl Secret {
    /// A fresh secret from the operating system's generator.
    pub fn random() -> Secret {
        Secret(random())
    }

    /// A secret of known bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Secret {
        Secret(bytes)
    }

    /// A secret from its 64 hex characters.
    pub fn from_hex(text: &str) -> Option<Secret> {
        ledger::byte_string::from_hex(text.trim()).map(Secret)
    }

    /// The bytes; for cryptography only.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The bytes as 64 hex characters; for key files only.
    pub fn expose_hex(&self) -> zeroize::Zeroizing<String> {
        zeroize::Zeroizing::new(data_encoding::HEXLOWER.encode(&self.0))
    }

    /// HKDF-SHA256 of this secret: another secret, which tells nothing about this one.
    pub fn derive(&self, purpose: &str) -> Secret {
        self.derive_with(b"", purpose.as_bytes())
    }

    /// HKDF-SHA256 with a salt.
    pub fn derive_with(&self, salt: &[u8], purpose: &[u8]) -> Secret {
        Secret(hkdf_sha256(&self.0, salt, purpose))
    }

    /// Reads a file that [`Secret::save`] wrote.
    pub fn load(path: &Path) -> Result<Secret, SecretError> {
        let text = read_private(path)?;
        Secret::from_hex(&text).ok_or_else(|| SecretError::Malformed {
            path: path.into(),
            expected: "64 hex characters",
        })
    }

    /// Writes the secret as hex to a new file of mode 0600.
    pub fn save(&self, path: &Path) -> Result<(), SecretError> {
        write_private(path, self.expose_hex().as_bytes())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

/// `N` bytes from the operating system's generator.
///
/// # Panics
/// If the system has no randomness to give: nothing could go on safely.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// HKDF-SHA256 (RFC 5869), extract and expand to 32 bytes.
pub(crate) fn hkdf_sha256(key: &[u8], salt: &[u8], purpose: &[u8]) -> [u8; 32] {
    let mut output = [0; 32];
    Hkdf::<Sha256>::new(Some(salt), key)
        .expand(purpose, &mut output)
        .expect("32 bytes are a valid length");
    output
}

/// Reads a text file, refusing one that others than its owner may read.
pub fn read_private(path: &Path) -> Result<zeroize::Zeroizing<String>, SecretError> {
    let failed = |source| SecretError::File {
        path: path.into(),
        source,
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path).map_err(failed)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(SecretError::Exposed { path: path.into() });
        }
    }
    fs::read_to_string(path)
        .map(zeroize::Zeroizing::new)
        .map_err(failed)
}

/// Writes a file of mode 0600 in one step: a crash leaves the old file or the new one.
pub fn write_private(path: &Path, content: &[u8]) -> Result<(), SecretError> {
    let failed = |source| SecretError::File {
        path: path.into(),
        source,
    };
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(format!(
        ".{}",
        data_encoding::HEXLOWER.encode(&random::<6>())
    ));
    let unfinished = PathBuf::from(unfinished);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(&unfinished).map_err(failed)?;
    file.write_all(content)
        .and_then(|()| file.sync_all())
        .map_err(failed)?;
    fs::rename(&unfinished, path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_comes_back_from_its_file_and_shows_nothing_in_debug() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let secret = Secret::random();
        secret.save(&path).unwrap();
        assert_eq!(Secret::load(&path).unwrap().expose(), secret.expose());
        assert_eq!(format!("{secret:?}"), "Secret(..)");
    }

    #[cfg(unix)]
    #[test]
    fn a_key_file_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        Secret::random().save(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            Secret::load(&path),
            Err(SecretError::Exposed { .. })
        ));
    }

    #[test]
    fn secrets_derived_for_two_purposes_differ() {
        let secret = Secret::from_bytes([7; 32]);
        assert_ne!(secret.derive("one").expose(), secret.derive("two").expose());
        assert_eq!(secret.derive("one").expose(), secret.derive("one").expose());
    }
}
