//! Mutations of encoded values that know what their fields are.
//!
//! [`encode`] writes a value as postcard does and notes where each number, length, element, variant and byte string
//! stands. [`mutate`] changes some of them and leaves the rest in order, so that the input gets past the first length
//! check.

mod encoder;

use std::ops::Range;

use serde::Serialize;

use crate::random::Random;

/// Something that stands at some bytes of an encoded value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A number or a variant's number, as a varint.
    Varint(Range<usize>),
    /// A byte: a small number, a truth value, or whether an option is there.
    Byte(usize),
    /// A length and so many bytes.
    Bytes {
        /// Where the length stands.
        length: Range<usize>,
        /// Where the bytes stand.
        content: Range<usize>,
    },
    /// A length and so many elements.
    Sequence {
        /// Where the length stands.
        length: Range<usize>,
        /// Where each element stands.
        elements: Vec<Range<usize>>,
    },
}

/// An encoded value and its parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Structured {
    /// The encoding.
    pub bytes: Vec<u8>,
    /// What stands where, outer parts after the inner ones that they hold.
    pub parts: Vec<Part>,
}

impl Structured {
    /// Bytes of which nothing is known.
    pub fn opaque(bytes: Vec<u8>) -> Structured {
        Structured {
            bytes,
            parts: Vec::new(),
        }
    }
}

/// Encodes a value and notes its parts.
///
/// # Panics
/// If the value has no postcard encoding.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Structured {
    let mut structured = Structured::default();
    value
        .serialize(&mut encoder::Encoder(&mut structured))
        .expect("seeds can be encoded");
    structured
}

/// The number as postcard writes it.
pub fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// The encoding of `seed` with one to three parts changed; parts of `other` may take their places.
pub fn mutate(seed: &Structured, other: &Structured, random: &mut Random) -> Vec<u8> {
    let mut edits: Vec<(Range<usize>, Vec<u8>)> = Vec::new();
    for _ in 0..=random.below(3) {
        if let Some(part) = random.pick(&seed.parts) {
            edits.extend(edit(part, seed, other, random));
        }
    }
    // From back to front, and none within another, so that places stay what they were.
    edits.sort_by_key(|(range, _)| (range.start, range.end));
    let mut bytes = seed.bytes.clone();
    let mut end = usize::MAX;
    for (range, replacement) in edits.into_iter().rev() {
        if range.end <= end {
            end = range.start;
            bytes.splice(range, replacement);
        }
    }
    bytes
}

type Edit = (Range<usize>, Vec<u8>);

fn edit(part: &Part, seed: &Structured, other: &Structured, random: &mut Random) -> Vec<Edit> {
    match part {
        Part::Varint(range) if random.chance(10) => {
            // Longer than it need be.
            let mut bytes = seed.bytes[range.clone()].to_vec();
            if let Some(last) = bytes.last_mut() {
                *last |= 0x80;
            }
            bytes.push(0);
            vec![(range.clone(), bytes)]
        }
        Part::Varint(range) if random.chance(40) => {
            vec![(range.clone(), varint(random.below(24) as u64))]
        }
        Part::Varint(range) => vec![(range.clone(), varint(random.boundary()))],
        Part::Byte(at) => {
            let byte = [0, 1, 2, 0xff, random.bits() as u8][random.below(5)];
            vec![(*at..*at + 1, vec![byte])]
        }
        Part::Bytes { length, content } => edit_bytes(length, content, seed, other, random),
        Part::Sequence { length, elements } => edit_sequence(length, elements, seed, other, random),
    }
}

fn edit_bytes(
    length: &Range<usize>,
    content: &Range<usize>,
    seed: &Structured,
    other: &Structured,
    random: &mut Random,
) -> Vec<Edit> {
    if random.chance(15) {
        return vec![(length.clone(), varint(random.boundary()))];
    }
    let mut bytes = seed.bytes[content.clone()].to_vec();
    if random.chance(20) {
        bytes = other.bytes.clone();
    } else {
        crate::bytes::mutate(&mut bytes, &other.bytes, random);
    }
    vec![
        (length.clone(), varint(bytes.len() as u64)),
        (content.clone(), bytes),
    ]
}

fn edit_sequence(
    length: &Range<usize>,
    elements: &[Range<usize>],
    seed: &Structured,
    other: &Structured,
    random: &mut Random,
) -> Vec<Edit> {
    if elements.is_empty() || random.chance(15) {
        return vec![(length.clone(), varint(random.boundary()))];
    }
    let mut items: Vec<&[u8]> = elements.iter().map(|it| &seed.bytes[it.clone()]).collect();
    let (first, second) = (random.below(items.len()), random.below(items.len()));
    match random.below(6) {
        0 => drop(items.remove(first)),
        1 => items.insert(second, items[first]),
        2 => items.swap(first, second),
        3 => items = vec![items[first]; 1 + random.below(300)],
        4 => items.clear(),
        _ => items.extend(element_of(other, random)),
    }
    let whole = elements[0].start..elements[elements.len() - 1].end;
    vec![
        (length.clone(), varint(items.len() as u64)),
        (whole, items.concat()),
    ]
}

/// Some element of some sequence in another value.
fn element_of<'a>(other: &'a Structured, random: &mut Random) -> Option<&'a [u8]> {
    let sequences: Vec<&Vec<Range<usize>>> = other
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::Sequence { elements, .. } => Some(elements),
            _ => None,
        })
        .collect();
    let elements = random.pick(&sequences)?;
    Some(&other.bytes[random.pick(elements)?.clone()])
}
