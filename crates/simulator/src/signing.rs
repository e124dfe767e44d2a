//! A cheap stand-in for Ed25519: a keyed mix of the message. Nobody in the simulation forges signatures,
//! so it only has to differ whenever key, domain or message differ.

use std::sync::Arc;

use ledger::{PublicKey, Signature, SigningKey};
use pbft::{Ed25519, SignatureScheme, Signer};

/// The key of a replica: a real one (from a seed that is its number) or the stand-in.
pub fn signer(real: bool, replica: usize) -> Box<dyn Signer> {
    if real {
        let mut seed = [7; 32];
        seed[..8].copy_from_slice(&(replica as u64).to_le_bytes());
        Box::new(SigningKey::from_seed(seed))
    } else {
        Box::new(KeyedHash(replica as u64))
    }
}

/// The scheme that goes with [`signer`].
pub fn scheme(real: bool) -> Arc<dyn SignatureScheme> {
    if real {
        Arc::new(Ed25519::default())
    } else {
        Arc::new(KeyedHashScheme)
    }
}

/// A stand-in key; its public half is its number.
#[derive(Debug, Clone, Copy)]
pub struct KeyedHash(pub u64);

impl Signer for KeyedHash {
    fn public_key(&self) -> PublicKey {
        let mut bytes = [0x5a; 32];
        bytes[..8].copy_from_slice(&self.0.to_le_bytes());
        PublicKey(bytes)
    }

    fn sign(&self, domain: &str, message: &[u8]) -> Signature {
        keyed(&Signer::public_key(self), domain, message)
    }
}

/// Accepts what [`KeyedHash`] signs.
#[derive(Debug, Clone, Copy, Default)]
pub struct KeyedHashScheme;

impl SignatureScheme for KeyedHashScheme {
    fn accepts(
        &self,
        key: &PublicKey,
        domain: &str,
        message: &[u8],
        signature: &Signature,
    ) -> bool {
        keyed(key, domain, message) == *signature
    }
}

fn keyed(key: &PublicKey, domain: &str, message: &[u8]) -> Signature {
    let mut state = [0x243f_6a88_85a3_08d3_u64, 0x1319_8a2e_0370_7344];
    for part in [&key.0[..], domain.as_bytes(), message] {
        absorb(&mut state, part);
    }
    let mut bytes = [0; 64];
    for chunk in bytes.chunks_mut(16) {
        absorb(&mut state, b"squeeze");
        chunk[..8].copy_from_slice(&state[0].to_le_bytes());
        chunk[8..].copy_from_slice(&state[1].to_le_bytes());
    }
    Signature(bytes)
}

fn absorb(state: &mut [u64; 2], bytes: &[u8]) {
    let mut mix = |word: u64| {
        let product = u128::from(state[0] ^ word) * 0x9e37_79b9_7f4a_7c15_u128;
        state[0] = (product as u64) ^ state[1].rotate_left(23);
        state[1] = ((product >> 64) as u64).wrapping_add(word ^ 0xa409_3822_299f_31d0);
    };
    mix(bytes.len() as u64);
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        mix(u64::from_le_bytes(word));
    }
}
