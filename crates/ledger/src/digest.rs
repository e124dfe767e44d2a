//! Digests with domain tags, and salted commitments that name their algorithm.

use hmac::digest::typenum::U32;
use hmac::digest::{InvalidLength, OutputSizeUser};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256, Sha512_256};

crate::hex_bytes! {
    /// A 32-byte digest. Text form: 64 lowercase hex characters.
    #[derive(Default)]
    Digest, 32
}

impl Digest {
    /// 32 zero bytes: "no transaction", "no previous block".
    pub const ZERO: Digest = Digest([0; 32]);
}

/// SHA-256 over `len(tag) as u8 || tag || parts...`.
///
/// The parts are joined without separators: callers pass parts of fixed length, or one part.
///
/// # Panics
/// If the tag is longer than 255 bytes (tags are constants of this code base).
pub fn tagged(tag: &str, parts: &[&[u8]]) -> Digest {
    let mut hasher = tagged_hasher(tag);
    for part in parts {
        hasher.update(part);
    }
    Digest(hasher.finalize().into())
}

fn tagged_hasher(tag: &str) -> Sha256 {
    assert!(
        tag.len() <= usize::from(u8::MAX),
        "a domain tag has at most 255 bytes"
    );
    let mut hasher = Sha256::new();
    hasher.update([tag.len() as u8]);
    hasher.update(tag.as_bytes());
    hasher
}

/// Which hash function a [`Commitment`] uses. On the wire one byte, in text `"sha-256"` or `"sha-512/256"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum DigestAlgorithm {
    /// SHA-256 (FIPS 180-4).
    Sha256 = 1,
    /// SHA-512/256 (FIPS 180-4).
    Sha512_256 = 2,
}

impl DigestAlgorithm {
    /// Every algorithm, by number.
    pub const ALL: [DigestAlgorithm; 2] = [DigestAlgorithm::Sha256, DigestAlgorithm::Sha512_256];

    /// The plain digest of `bytes`, without a tag.
    pub fn digest(self, bytes: &[u8]) -> Digest {
        match self {
            DigestAlgorithm::Sha256 => Digest(Sha256::digest(bytes).into()),
            DigestAlgorithm::Sha512_256 => Digest(Sha512_256::digest(bytes).into()),
        }
    }

    /// The name used in text formats.
    pub fn name(self) -> &'static str {
        match self {
            DigestAlgorithm::Sha256 => "sha-256",
            DigestAlgorithm::Sha512_256 => "sha-512/256",
        }
    }
}

impl Serialize for DigestAlgorithm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(self.name())
        } else {
            serializer.serialize_u8(*self as u8)
        }
    }
}

impl<'de> Deserialize<'de> for DigestAlgorithm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (found, text) = if deserializer.is_human_readable() {
            let name = String::deserialize(deserializer)?;
            (
                Self::ALL
                    .into_iter()
                    .find(|algorithm| algorithm.name() == name),
                name,
            )
        } else {
            let number = u8::deserialize(deserializer)?;
            (
                Self::ALL
                    .into_iter()
                    .find(|algorithm| *algorithm as u8 == number),
                number.to_string(),
            )
        };
        found.ok_or_else(|| {
            serde::de::Error::custom(format_args!("no digest algorithm is called {text}"))
        })
    }
}

/// A salted commitment: hides its parts until the 32-byte salt and the parts are shown.
///
/// `value` = HMAC with the named hash, keyed by the salt, over every part prefixed by its length
/// (8 bytes, big-endian). Destroying the salt makes the commitment say nothing (erasure).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commitment {
    /// The hash function.
    pub algorithm: DigestAlgorithm,
    /// The HMAC.
    pub value: Digest,
}

impl Commitment {
    /// Commits to `parts` under a fresh, secret `salt`.
    pub fn new(algorithm: DigestAlgorithm, salt: &[u8; 32], parts: &[&[u8]]) -> Commitment {
        let value = match algorithm {
            DigestAlgorithm::Sha256 => authenticate(Hmac::<Sha256>::new_from_slice(salt), parts),
            DigestAlgorithm::Sha512_256 => {
                authenticate(Hmac::<Sha512_256>::new_from_slice(salt), parts)
            }
        };
        Commitment { algorithm, value }
    }

    /// Whether this commits to exactly `parts` under `salt`.
    pub fn opens(&self, salt: &[u8; 32], parts: &[&[u8]]) -> bool {
        Commitment::new(self.algorithm, salt, parts) == *self
    }
}

fn authenticate<M: Mac + OutputSizeUser<OutputSize = U32>>(
    mac: Result<M, InvalidLength>,
    parts: &[&[u8]],
) -> Digest {
    // HMAC takes keys of any length, so a salt of 32 bytes is never refused.
    let mut mac = mac.expect("HMAC accepts keys of any length");
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    Digest(mac.finalize().into_bytes().into())
}
