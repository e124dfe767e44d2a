//! Ed25519 under ZIP 215, separated by domain; the same signatures are accepted singly and in batches.
//!
//! What is signed is `len(domain) as u8 || domain || message`, so that a signature made for one
//! purpose never serves another.

use std::fmt;

use ed25519_zebra::{VerificationKey, VerificationKeyBytes};
use zeroize::Zeroize;

crate::hex_bytes! {
    /// An Ed25519 public key as encoded bytes; not known to be a point until used.
    PublicKey, 32
}

crate::hex_bytes! {
    /// An Ed25519 signature.
    Signature, 64
}

/// Why a signature is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The public key is not an encoded point.
    #[error("the public key is not a point of the curve")]
    MalformedKey,
    /// The signature was not made by this key over this message in this domain.
    #[error("the signature does not verify")]
    Invalid,
}

/// A secret signing key; wiped when dropped, never shown.
#[derive(Clone)]
pub struct SigningKey(ed25519_zebra::SigningKey);

impl SigningKey {
    /// The key that RFC 8032 derives from a 32-byte secret seed.
    pub fn from_seed(mut seed: [u8; 32]) -> SigningKey {
        let key = SigningKey(ed25519_zebra::SigningKey::from(seed));
        seed.zeroize();
        key
    }

    /// The public half.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(VerificationKeyBytes::from(&self.0).into())
    }

    /// Signs `message` for the purpose `domain`; deterministic (RFC 8032).
    pub fn sign(&self, domain: &str, message: &[u8]) -> Signature {
        self.sign_undomained(&in_domain(domain, message))
    }

    /// Signs bytes whose format other people define (signed notes, [`crate::tlog`]).
    ///
    /// Such bytes must not start with a byte equal to the length of one of our domains followed
    /// by that domain; the origin line of a note cannot.
    pub(crate) fn sign_undomained(&self, bytes: &[u8]) -> Signature {
        Signature(self.0.sign(bytes).to_bytes())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SigningKey(of {})", self.public_key())
    }
}

impl Drop for SigningKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// The y-coordinates (sign bit cleared, little-endian) of the points of order 1, 2, 4 and 8: what
/// curve arithmetic gives for the torsion subgroup. A test checks each against the curve.
const SMALL_ORDER_Y: [[u8; 32]; 5] = [
    bytes_of_hex("0100000000000000000000000000000000000000000000000000000000000000"),
    bytes_of_hex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    bytes_of_hex("0000000000000000000000000000000000000000000000000000000000000000"),
    bytes_of_hex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes_of_hex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
];

const fn bytes_of_hex(text: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    let mut at = 0;
    while at < 64 {
        let digit = match text.as_bytes()[at] {
            decimal @ b'0'..=b'9' => decimal - b'0',
            letter => letter - b'a' + 10,
        };
        bytes[at / 2] = bytes[at / 2] << 4 | digit;
        at += 1;
    }
    bytes
}

/// The field's prime 2^255 - 19, little-endian.
const FIELD_PRIME: [u8; 32] = {
    let mut prime = [0xff; 32];
    prime[0] = 0xed;
    prime[31] = 0x7f;
    prime
};

impl PublicKey {
    /// Whether `signature` was made by this key over `message` for `domain` (ZIP 215).
    ///
    /// # Errors
    /// [`SignatureError`]; a weak key is not an error here (see [`PublicKey::is_weak`]).
    pub fn verify(
        &self,
        domain: &str,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), SignatureError> {
        self.verify_undomained(&in_domain(domain, message), signature)
    }

    pub(crate) fn verify_undomained(
        &self,
        bytes: &[u8],
        signature: &Signature,
    ) -> Result<(), SignatureError> {
        VerificationKey::try_from(self.0)
            .map_err(|_| SignatureError::MalformedKey)?
            .verify(&ed25519_zebra::Signature::from_bytes(&signature.0), bytes)
            .map_err(|_| SignatureError::Invalid)
    }

    /// Whether this key must be refused at enrolment: not a point, not the canonical encoding of
    /// its point, or a point of small order (under which one signature fits many messages).
    pub fn is_weak(&self) -> bool {
        self.has_weak_encoding() || VerificationKey::try_from(self.0).is_err()
    }

    /// The part of [`PublicKey::is_weak`] that costs no curve arithmetic. What it leaves out, bytes
    /// that are no point, verifies no signature: enough where a signature is checked as well.
    pub fn has_weak_encoding(&self) -> bool {
        let mut y = self.0;
        y[31] &= 0x7f;
        let canonical = y.iter().rev().lt(FIELD_PRIME.iter().rev());
        !canonical || SMALL_ORDER_Y.contains(&y)
    }
}

pub(crate) fn in_domain(domain: &str, message: &[u8]) -> Vec<u8> {
    assert!(
        domain.len() <= usize::from(u8::MAX),
        "a signature domain has at most 255 bytes"
    );
    let mut bytes = Vec::with_capacity(1 + domain.len() + message.len());
    bytes.push(domain.len() as u8);
    bytes.extend_from_slice(domain.as_bytes());
    bytes.extend_from_slice(message);
    bytes
}
