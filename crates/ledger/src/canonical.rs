//! The one encoding of everything that is hashed, signed or stored: postcard, and nothing that postcard merely tolerates.
//!
//! Postcard alone accepts overlong varints, and leaves trailing bytes to the caller: two different
//! byte strings would then mean one transaction with two digests. So decoding re-encodes and compares.

use postcard::ser_flavors::Flavor;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Most of what is encoded is shorter: a buffer of so many bytes need not grow, step by step, while it is filled.
const USUAL_BYTES: usize = 256;

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
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    append(value, &mut bytes);
    if bytes.len() <= USUAL_BYTES / 2 {
        bytes.shrink_to_fit();
    }
    bytes
}

/// The value whose canonical encoding is exactly `bytes`.
///
/// # Errors
/// [`CanonicalError`] for anything else; never panics on any input.
pub fn decode<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Result<T, CanonicalError> {
    let (value, rest) = postcard::take_from_bytes::<T>(bytes).map_err(CanonicalError::Malformed)?;
    let mut canonical = Vec::with_capacity(bytes.len());
    append(&value, &mut canonical);
    if !rest.is_empty() || canonical != bytes {
        return Err(CanonicalError::NotCanonical);
    }
    Ok(value)
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
