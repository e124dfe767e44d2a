//! The one encoding of everything that is hashed, signed or stored: postcard, and nothing that postcard merely tolerates.
//!
//! Postcard alone accepts overlong varints, and leaves trailing bytes to the caller: two different
//! byte strings would then mean one transaction with two digests. So decoding re-encodes and compares.

use std::cell::Cell;

use postcard::ser_flavors::Flavor;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What is longer than so many bytes is not copied once it is encoded.
const COPIED_MAX: usize = 4_096;

thread_local! {
    /// Where values are encoded before their length is known: what is kept of them then has its own length, and no room to spare.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Gives a buffer back that is not too large to be kept.
fn put_back(mut scratch: Vec<u8>) {
    if scratch.capacity() <= 4 * COPIED_MAX {
        scratch.clear();
        SCRATCH.set(scratch);
    }
}

/// Why bytes are not the canonical encoding of a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CanonicalError {
    /// The bytes do not decode as the expected type.
    #[error("not a valid encoding: {0}")]
    Malformed(postcard::Error),
    /// The bytes decode, but are not the one encoding of what they decode to
    /// (an overlong integer, or bytes after the end).
    #[error("not the canonical encoding of its value")]
    NotCanonical,
}

/// The canonical bytes of `value`.
///
/// # Panics
/// If `value` has no postcard encoding (a sequence of unknown length, a failing custom
/// serialiser): a defect of the type, never of the data.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut scratch = SCRATCH.take();
    append(value, &mut scratch);
    if scratch.len() > COPIED_MAX {
        return scratch;
    }
    let bytes = scratch.as_slice().to_vec();
    put_back(scratch);
    bytes
}

/// The value whose canonical encoding is exactly `bytes`.
///
/// # Errors
/// [`CanonicalError`] for anything else; never panics on any input.
pub fn decode<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Result<T, CanonicalError> {
    let (value, rest) = postcard::take_from_bytes::<T>(bytes).map_err(CanonicalError::Malformed)?;
    let mut canonical = SCRATCH.take();
    append(&value, &mut canonical);
    let is_canonical = rest.is_empty() && canonical == bytes;
    put_back(canonical);
    is_canonical
        .then_some(value)
        .ok_or(CanonicalError::NotCanonical)
}

/// Appends the canonical encoding of a value.
pub(crate) fn append<T: Serialize + ?Sized>(value: &T, bytes: &mut Vec<u8>) {
    let taken = std::mem::take(bytes);
    *bytes = match postcard::serialize_with_flavor(value, Growing(taken)) {
        Ok(bytes) => bytes,
        Err(error) => panic!("a type without a canonical encoding: {error}"),
    };
}

/// Where postcard puts bytes: behind those that are there.
struct Growing(Vec<u8>);

impl Flavor for Growing {
    type Output = Vec<u8>;

    // Digests and keys come byte by byte.
    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<Vec<u8>> {
        Ok(self.0)
    }
}

/// Appends the length that stands before the elements of a sequence.
pub(crate) fn append_length(length: usize, bytes: &mut Vec<u8>) {
    append(&(length as u64), bytes);
}

/// Decodes without encoding again: the caller does that, and compares.
pub(crate) fn decode_unchecked<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CanonicalError> {
    let (value, rest) = postcard::take_from_bytes::<T>(bytes).map_err(CanonicalError::Malformed)?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(CanonicalError::NotCanonical)
    }
}
