//! The layout of state keys: contract number, table number, then fixed-length parts. Only `state.rs` files build keys.

use crate::Contract;

/// A key of `contract`'s table number `table`; all parts but the last have a fixed length.
pub(crate) fn key(contract: Contract, table: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut key = Vec::with_capacity(2 + length);
    key.push(contract as u8);
    key.push(table);
    for part in parts {
        key.extend_from_slice(part);
    }
    key
}

/// The 16 bytes that a key holds from `offset` on.
///
/// # Panics
/// If the key is shorter: only this crate writes keys.
pub(crate) fn id_at(key: &[u8], offset: usize) -> [u8; 16] {
    key[offset..offset + 16].try_into().expect("sixteen bytes")
}
