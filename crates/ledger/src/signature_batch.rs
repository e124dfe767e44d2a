//! Signatures checked together, about twice as fast as one by one, with what is known of their keys.
//!
//! The rule is that of [`PublicKey::verify`] (ZIP 215): the key and R are points in any encoding, s is less than the
//! group's order, and `[8][s]B = [8]R + [8][k]A`. A batch checks one random combination of these equations.

use std::collections::BTreeMap;

use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{IsIdentity as _, VartimeMultiscalarMul as _};
use sha2::{Digest as _, Sha256, Sha512};

use crate::signature::{PublicKey, Signature, in_domain};

/// How many points are remembered in each of the two halves of [`KeyPoints`].
const POINTS_MAX: usize = 8_192;

/// The points of public keys, so that whoever signs often is not decompressed each time: a quarter of what a signature
/// costs in a batch. At most 16,384 keys are kept; those not seen for long go first.
#[derive(Clone, Default)]
pub struct KeyPoints {
    lately: BTreeMap<PublicKey, EdwardsPoint>,
    before: BTreeMap<PublicKey, EdwardsPoint>,
}

impl KeyPoints {
    /// None yet.
    pub fn new() -> KeyPoints {
        KeyPoints::default()
    }

    /// The key's point; `None` if its bytes encode none.
    fn point(&mut self, key: &PublicKey) -> Option<EdwardsPoint> {
        if let Some(point) = self.lately.get(key) {
            return Some(*point);
        }
        let known = self.before.get(key).copied();
        let point = known.or_else(|| CompressedEdwardsY(key.0).decompress())?;
        if self.lately.len() >= POINTS_MAX {
            self.before = std::mem::take(&mut self.lately);
        }
        self.lately.insert(*key, point);
        Some(point)
    }
}

impl std::fmt::Debug for KeyPoints {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys = self.lately.len() + self.before.len();
        write!(formatter, "KeyPoints(of {keys} keys)")
    }
}

/// Signatures to be checked together.
#[derive(Default)]
pub struct SignatureBatch {
    items: Vec<Item>,
    /// Hash of everything pushed; the coefficients of the batch equation depend on it.
    transcript: Sha256,
}

struct Item {
    key: PublicKey,
    signature: Signature,
    /// k of the equation: it depends on R, the key and what is signed.
    challenge: Scalar,
}

/// A signature whose parts are what they must be; what is left is the equation.
struct Equation {
    /// Its place in the batch.
    index: usize,
    key: PublicKey,
    point: EdwardsPoint,
    r: EdwardsPoint,
    s: Scalar,
    challenge: Scalar,
}

impl SignatureBatch {
    /// An empty batch.
    pub fn new() -> SignatureBatch {
        SignatureBatch::default()
    }

    /// Adds one signature; its index is the number of signatures pushed before it.
    pub fn push(&mut self, domain: &str, message: &[u8], key: &PublicKey, signature: &Signature) {
        let hash = Sha512::new()
            .chain_update(&signature.0[..32])
            .chain_update(key.0)
            .chain_update(in_domain(domain, message));
        let challenge = Scalar::from_hash(hash);
        self.transcript.update(challenge.as_bytes());
        self.transcript.update(key.0);
        self.transcript.update(signature.0);
        self.items.push(Item {
            key: *key,
            signature: *signature,
            challenge,
        });
    }

    /// How many signatures were pushed.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether nothing was pushed.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Checks all; accepts exactly what [`PublicKey::verify`] accepts one by one.
    ///
    /// `seed` should be fresh random bytes. The coefficients are derived from it and from the
    /// whole content of the batch, so that even a known seed gives a forger nothing to aim at.
    ///
    /// # Errors
    /// The ascending indexes of the signatures that do not verify (the batch is bisected).
    pub fn verify(self, seed: [u8; 32]) -> Result<(), Vec<usize>> {
        self.verify_with(seed, &mut KeyPoints::new())
    }

    /// As [`SignatureBatch::verify`], with the points of keys that were seen before.
    ///
    /// # Errors
    /// Likewise.
    pub fn verify_with(self, seed: [u8; 32], points: &mut KeyPoints) -> Result<(), Vec<usize>> {
        let mut coefficients = Coefficients::new(seed, self.transcript);
        let mut bad = Vec::new();
        let mut equations = Vec::with_capacity(self.items.len());
        for (index, item) in self.items.iter().enumerate() {
            match item.equation(index, points) {
                Some(equation) => equations.push(equation),
                None => bad.push(index),
            }
        }
        bisect(&equations, &mut coefficients, &mut bad);
        bad.sort_unstable();
        if bad.is_empty() { Ok(()) } else { Err(bad) }
    }
}

impl Item {
    fn equation(&self, index: usize, points: &mut KeyPoints) -> Option<Equation> {
        let (r, s) = self.signature.0.split_first_chunk::<32>()?;
        Some(Equation {
            index,
            key: self.key,
            point: points.point(&self.key)?,
            r: CompressedEdwardsY(*r).decompress()?,
            s: Option::from(Scalar::from_canonical_bytes(s.try_into().ok()?))?,
            challenge: self.challenge,
        })
    }
}

impl Equation {
    fn holds(&self) -> bool {
        let (challenge, minus_key) = (&self.challenge, &-self.point);
        let r = EdwardsPoint::vartime_double_scalar_mul_basepoint(challenge, minus_key, &self.s);
        (self.r - r).mul_by_cofactor().is_identity()
    }
}

/// Up to this many signatures one by one is as fast as another round of batches.
const BISECTION_FLOOR: usize = 4;

/// Notes the places of those that do not hold.
fn bisect(equations: &[Equation], coefficients: &mut Coefficients, bad: &mut Vec<usize>) {
    if equations.len() > 1 && hold(equations, coefficients) {
        return;
    }
    if equations.len() <= BISECTION_FLOOR {
        let failing = equations.iter().filter(|equation| !equation.holds());
        bad.extend(failing.map(|equation| equation.index));
        return;
    }
    let (left, right) = equations.split_at(equations.len() / 2);
    bisect(left, coefficients, bad);
    bisect(right, coefficients, bad);
}

/// Whether all hold: a random combination does, in which the terms of one key are added up.
fn hold(equations: &[Equation], coefficients: &mut Coefficients) -> bool {
    let mut basepoint = Scalar::ZERO;
    let mut keys: BTreeMap<PublicKey, (Scalar, EdwardsPoint)> = BTreeMap::new();
    let mut scalars = Vec::with_capacity(2 * equations.len() + 1);
    for equation in equations {
        let coefficient = coefficients.next();
        basepoint -= coefficient * equation.s;
        let (of_key, _) = keys
            .entry(equation.key)
            .or_insert((Scalar::ZERO, equation.point));
        *of_key += coefficient * equation.challenge;
        scalars.push(coefficient);
    }
    let rs = equations.iter().map(|equation| &equation.r);
    let points = rs.chain(keys.values().map(|(_, point)| point));
    let points = points.chain([&ED25519_BASEPOINT_POINT]);
    scalars.extend(keys.values().map(|(scalar, _)| *scalar));
    scalars.push(basepoint);
    EdwardsPoint::vartime_multiscalar_mul(&scalars, points)
        .mul_by_cofactor()
        .is_identity()
}

/// Random numbers of 128 bits: SHA-512 in counter mode over seed and transcript.
struct Coefficients {
    state: [u8; 64],
    counter: u64,
    block: [u8; 64],
    used: usize,
}

impl Coefficients {
    fn new(seed: [u8; 32], transcript: Sha256) -> Coefficients {
        let state = Sha512::new()
            .chain_update(b"medshare/signature-batch/v2")
            .chain_update(seed)
            .chain_update(transcript.finalize())
            .finalize()
            .into();
        Coefficients {
            state,
            counter: 0,
            block: [0; 64],
            used: 64,
        }
    }

    fn next(&mut self) -> Scalar {
        if self.used == self.block.len() {
            self.block = Sha512::new()
                .chain_update(self.state)
                .chain_update(self.counter.to_le_bytes())
                .finalize()
                .into();
            self.counter += 1;
            self.used = 0;
        }
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.block[self.used..self.used + 16]);
        self.used += bytes.len();
        Scalar::from(u128::from_le_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SigningKey;

    fn key(number: usize) -> SigningKey {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&(number as u64).to_le_bytes());
        SigningKey::from_seed(seed)
    }

    #[test]
    fn a_key_is_kept_while_it_is_seen_and_let_go_after_two_halves_of_others() {
        let mut points = KeyPoints::new();
        let seen = key(0).public_key();
        let point = points.point(&seen).unwrap();
        let unseen = key(1).public_key();
        points.point(&unseen).unwrap();
        for round in 0..6_u8 {
            for other in 0..POINTS_MAX {
                let mut bytes = [round; 32];
                bytes[..8].copy_from_slice(&(other as u64).to_le_bytes());
                // Any bytes: about half of them encode a point.
                points.point(&PublicKey(bytes));
                points.point(&seen);
            }
        }
        assert!(points.lately.len() <= POINTS_MAX && points.before.len() <= POINTS_MAX);
        assert_eq!(points.lately.get(&seen), Some(&point));
        assert!(!points.lately.contains_key(&unseen) && !points.before.contains_key(&unseen));
    }

    #[test]
    fn known_points_change_nothing_about_what_is_accepted() {
        let mut points = KeyPoints::new();
        for round in 0..3_u8 {
            let mut batch = SignatureBatch::new();
            for number in 0..40 {
                let key = key(number % 7);
                let mut signature = key.sign("test", &[round]);
                if number % 13 == 5 {
                    signature.0[usize::from(round) * 20] ^= 1;
                }
                batch.push("test", &[round], &key.public_key(), &signature);
            }
            assert_eq!(
                batch.verify_with([round; 32], &mut points),
                Err(vec![5, 18, 31])
            );
        }
        assert_eq!(points.lately.len(), 7);
    }
}
