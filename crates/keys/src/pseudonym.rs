//! Pseudonyms of 16-byte ids: a keyed permutation, one for each reader.
//!
//! Random 16-byte ids and their pseudonyms are both one block of AES, so AES-256 under a key of the reader's own is the
//! permutation: nothing has to be remembered to come back from a pseudonym, two readers can't match theirs, and whoever
//! lacks the key can't make the pseudonym of an id they know.

use aes::Aes256;
use aes::cipher::{Block, BlockCipherDecrypt as _, BlockCipherEncrypt as _, KeyInit as _};

use crate::Secret;

/// Blocks ciphered together: the processor works on several at a time.
const BLOCKS_AT_ONCE: usize = 64;

/// One reader's permutation.
pub struct Pseudonyms(Aes256);

impl Pseudonyms {
    /// The permutation of a reader under the key `secret`.
    pub fn of(secret: &Secret, reader: &[u8], purpose: &[u8]) -> Pseudonyms {
        Pseudonyms(Aes256::new(
            secret.derive_with(reader, purpose).expose().into(),
        ))
    }

    /// The pseudonym of an id.
    pub fn of_id(&self, id: [u8; 16]) -> [u8; 16] {
        let mut block = Block::<Aes256>::from(id);
        self.0.encrypt_block(&mut block);
        block.into()
    }

    /// The id behind a pseudonym; any 16 bytes have one, whether it is in use or not.
    pub fn id_of(&self, pseudonym: [u8; 16]) -> [u8; 16] {
        let mut block = Block::<Aes256>::from(pseudonym);
        self.0.decrypt_block(&mut block);
        block.into()
    }

    /// The pseudonyms of many ids, handed out in the ids' order.
    pub fn of_ids(&self, ids: impl IntoIterator<Item = [u8; 16]>, mut give: impl FnMut([u8; 16])) {
        let mut blocks = [Block::<Aes256>::default(); BLOCKS_AT_ONCE];
        let mut ids = ids.into_iter();
        loop {
            let mut filled = 0;
            for (block, id) in blocks.iter_mut().zip(&mut ids) {
                *block = id.into();
                filled += 1;
            }
            self.0.encrypt_blocks(&mut blocks[..filled]);
            for block in &blocks[..filled] {
                give((*block).into());
            }
            if filled < BLOCKS_AT_ONCE {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(reader: u8) -> Pseudonyms {
        Pseudonyms::of(&Secret::from_bytes([7; 32]), &[reader; 16], b"test")
    }

    #[test]
    fn a_pseudonym_leads_back_to_its_id() {
        for number in 0..=u8::MAX {
            let id = [number; 16];
            assert_eq!(of(1).id_of(of(1).of_id(id)), id);
        }
    }

    #[test]
    fn two_readers_have_unlike_pseudonyms_and_neither_opens_the_others() {
        let id = [3; 16];
        assert_ne!(of(1).of_id(id), of(2).of_id(id));
        assert_ne!(of(2).id_of(of(1).of_id(id)), id);
    }

    #[test]
    fn many_ids_at_once_have_the_pseudonyms_that_each_has_alone() {
        for count in [0, 1, 63, 64, 65, 200] {
            let ids: Vec<[u8; 16]> = (0..count).map(|number: u8| [number; 16]).collect();
            let mut given = Vec::new();
            of(1).of_ids(ids.iter().copied(), |pseudonym| given.push(pseudonym));
            let alone: Vec<[u8; 16]> = ids.iter().map(|id| of(1).of_id(*id)).collect();
            assert_eq!(given, alone);
        }
    }

    #[test]
    fn a_pseudonym_is_aes_256_of_the_id() {
        // FIPS 197, appendix C.3.
        let key: [u8; 32] = std::array::from_fn(|place| place as u8);
        let id = std::array::from_fn(|place| place as u8 * 0x11);
        let pseudonyms = Pseudonyms(Aes256::new(&key.into()));
        let expected = data_encoding::HEXLOWER
            .decode(b"8ea2b7ca516745bfeafc49904b496089")
            .unwrap();
        assert_eq!(pseudonyms.of_id(id).to_vec(), expected);
    }
}
