//! The block file that a replica writes: pure functions over byte slices, so that anyone can read it.
//!
//! A segment is called `<first height, 20 digits>.blk`. It starts with [`MAGIC`], then holds records:
//! payload length (u32 LE), CRC-32 (IEEE) of the payload (u32 LE), payload = canonical
//! [`CertifiedBlock`]. Zero bytes up to the end of the file are room for later records.

use crate::block::{Block, BlockDigests, CertifiedBlock};
use crate::canonical::{self, CanonicalError};
use crate::identifier::Height;

/// The first 8 bytes of a segment.
pub const MAGIC: [u8; 8] = *b"MEDSBLK1";

/// The bytes before a record's payload.
pub const RECORD_HEADER_BYTES: usize = 8;

/// The longest payload; longer ones are corrupt.
pub const MAX_PAYLOAD_BYTES: usize = 64 * 1024 * 1024;

/// What stands at the start of a byte slice after the magic or after a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    /// A whole record.
    Record {
        /// The block.
        block: Box<CertifiedBlock>,
        /// Where the next record starts, from the start of the slice.
        consumed: usize,
    },
    /// Nothing more, or only the zero bytes of preallocated room.
    End,
    /// A record whose writing was cut short, with no valid record after it: may be cut off and
    /// written again, if this is the newest segment.
    Torn,
    /// A record that is damaged: must be fetched again from another replica, never cut off.
    Corrupt(CorruptRecord),
}

/// How a record is damaged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CorruptRecord {
    /// Its length is impossible, or runs past the end although valid records follow.
    #[error("the record's length is damaged")]
    Length,
    /// The payload is not what was written.
    #[error("the record's checksum does not match")]
    Checksum,
    /// The payload is what was written, but no block.
    #[error("the record is not a block: {0}")]
    Encoding(#[from] CanonicalError),
}

/// The file name of the segment whose first block has this height.
pub fn segment_name(first: Height) -> String {
    format!("{:020}.blk", first.0)
}

/// The first height of the segment with this file name, if it is one.
pub fn parse_segment_name(name: &str) -> Option<Height> {
    let digits = name.strip_suffix(".blk")?;
    if digits.len() != 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().map(Height)
}

/// The bytes of a record.
///
/// # Panics
/// If the block is longer than [`MAX_PAYLOAD_BYTES`], which batch limits exclude.
pub fn encode_record(block: &CertifiedBlock) -> Vec<u8> {
    let mut record = Vec::with_capacity(RECORD_HEADER_BYTES + usual_bytes(&block.block));
    record.resize(RECORD_HEADER_BYTES, 0);
    canonical::append(block, &mut record);
    let header = header_of(&record[RECORD_HEADER_BYTES..]);
    record[..RECORD_HEADER_BYTES].copy_from_slice(&header);
    record
}

/// About how many bytes a block takes: its commands' and events', and for each transaction two keys, a signature and digests.
fn usual_bytes(block: &Block) -> usize {
    let commands = block
        .transactions
        .iter()
        .map(|signed| signed.body.command.len());
    let events = block.outcomes.iter().flat_map(|leaf| &leaf.events);
    let events = events.map(|event| event.bytes.len() + 8);
    1_024 + commands.sum::<usize>() + events.sum::<usize>() + 320 * block.transactions.len()
}

/// The bytes of the record of a certified block that is encoded already.
///
/// # Panics
/// As [`encode_record`].
pub fn record_of(payload: &[u8]) -> Vec<u8> {
    [header_of(payload).as_slice(), payload].concat()
}

/// A record's length and checksum.
fn header_of(payload: &[u8]) -> [u8; RECORD_HEADER_BYTES] {
    assert!(
        payload.len() <= MAX_PAYLOAD_BYTES,
        "a block of {} bytes does not fit a record",
        payload.len()
    );
    let mut header = [0; RECORD_HEADER_BYTES];
    let (length, checksum) = header.split_at_mut(4);
    length.copy_from_slice(&(payload.len() as u32).to_le_bytes());
    checksum.copy_from_slice(&crc32fast::hash(payload).to_le_bytes());
    header
}

/// The encoded block in a whole record; `None` if it is damaged.
pub fn payload_of(record: &[u8]) -> Option<&[u8]> {
    let (length, checksum) = record_header(record)?;
    let payload = record.get(RECORD_HEADER_BYTES..RECORD_HEADER_BYTES + length)?;
    (crc32fast::hash(payload) == checksum).then_some(payload)
}

/// How long the record at the start of `bytes` says it is, its header included; `None` where no whole record can stand.
pub fn record_bytes(bytes: &[u8]) -> Option<usize> {
    let (length, _) = record_header(bytes)?;
    let whole = RECORD_HEADER_BYTES + length;
    (length > 0 && length <= MAX_PAYLOAD_BYTES && whole <= bytes.len()).then_some(whole)
}

/// The block of a whole record with the digests of what it holds; `None` for anything that [`decode_record`] has another
/// answer for.
pub fn decode_whole_record(record: &[u8]) -> Option<(CertifiedBlock, BlockDigests)> {
    CertifiedBlock::decode(payload_of(record)?).ok()
}

/// Reads what stands at the start of `bytes`, which reach to the end of the file.
pub fn decode_record(bytes: &[u8]) -> Decoded {
    if bytes.iter().all(|byte| *byte == 0) {
        return Decoded::End;
    }
    let Some((length, checksum)) = record_header(bytes) else {
        return Decoded::Torn;
    };
    if length == 0 || length > MAX_PAYLOAD_BYTES {
        return Decoded::Corrupt(CorruptRecord::Length);
    }
    let consumed = RECORD_HEADER_BYTES + length;
    let Some(payload) = bytes.get(RECORD_HEADER_BYTES..consumed) else {
        return if record_follows(bytes) {
            Decoded::Corrupt(CorruptRecord::Length)
        } else {
            Decoded::Torn
        };
    };
    if crc32fast::hash(payload) != checksum {
        // A record cut short in preallocated room ends in zeros and has nothing but zeros after it;
        // a whole one ends in a signature, never in 16 zeros.
        let cut_short = bytes[consumed.saturating_sub(16)..]
            .iter()
            .all(|byte| *byte == 0);
        return if cut_short {
            Decoded::Torn
        } else {
            Decoded::Corrupt(CorruptRecord::Checksum)
        };
    }
    match canonical::decode(payload) {
        Ok(block) => Decoded::Record {
            block: Box::new(block),
            consumed,
        },
        Err(error) => Decoded::Corrupt(error.into()),
    }
}

fn record_header(bytes: &[u8]) -> Option<(usize, u32)> {
    let length = u32::from_le_bytes(bytes.get(0..4)?.try_into().ok()?);
    let checksum = u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?);
    Some((length as usize, checksum))
}

/// Whether a valid record starts anywhere after the first byte: then a length that runs past the
/// end of the file is damage in the middle, not a torn tail.
fn record_follows(bytes: &[u8]) -> bool {
    (1..bytes.len()).any(|start| {
        let rest = &bytes[start..];
        match record_header(rest) {
            Some((length, checksum)) if length > 0 => rest
                .get(RECORD_HEADER_BYTES..RECORD_HEADER_BYTES + length)
                .is_some_and(|payload| crc32fast::hash(payload) == checksum),
            _ => false,
        }
    })
}

/// Why a segment cannot be read to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SegmentError {
    /// It does not start with [`MAGIC`].
    #[error("not a block file: it does not start with MEDSBLK1")]
    Magic,
    /// A record was cut short.
    #[error("the record at byte {at} was cut short")]
    Torn {
        /// Where the record starts in the file.
        at: usize,
    },
    /// A record is damaged.
    #[error("at byte {at}: {reason}")]
    Corrupt {
        /// Where the record starts in the file.
        at: usize,
        /// How.
        reason: CorruptRecord,
    },
}

/// The blocks of a whole segment, in order; ends after the first error.
pub fn read_segment(
    file: &[u8],
) -> impl Iterator<Item = Result<CertifiedBlock, SegmentError>> + '_ {
    let mut position = Some(0);
    std::iter::from_fn(move || {
        let mut at = position.take()?;
        if at == 0 {
            if !file.starts_with(&MAGIC) {
                return Some(Err(SegmentError::Magic));
            }
            at = MAGIC.len();
        }
        match decode_record(&file[at..]) {
            Decoded::Record { block, consumed } => {
                position = Some(at + consumed);
                Some(Ok(*block))
            }
            Decoded::End => None,
            Decoded::Torn => Some(Err(SegmentError::Torn { at })),
            Decoded::Corrupt(reason) => Some(Err(SegmentError::Corrupt { at, reason })),
        }
    })
}
