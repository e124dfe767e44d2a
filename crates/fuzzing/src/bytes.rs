//! Mutations that know nothing of what the bytes mean.

use crate::random::Random;

/// Changes `input` at one to four places; parts of `other` may be spliced in.
pub fn mutate(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = random.below(input.len() + 1);
        let length = random.below(input.len() - at + 1).min(1 + random.below(64));
        match random.below(8) {
            0 if at < input.len() => input[at] ^= 1 << random.below(8),
            1 if at < input.len() => input[at] = random.bits() as u8,
            2 if at < input.len() => input[at] = [0x00, 0x7f, 0x80, 0xff][random.below(4)],
            3 => drop(input.drain(at..at + length)),
            4 => {
                let again = input[at..at + length].to_vec();
                drop(input.splice(at..at, again));
            }
            5 => input.truncate(at),
            6 => {
                let from = random.below(other.len() + 1);
                let length = random.below(other.len() - from + 1);
                let part = other[from..from + length].to_vec();
                drop(input.splice(at..at, part));
            }
            _ => input.insert(at, random.bits() as u8),
        }
    }
}
