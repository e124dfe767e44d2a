//! What the journal holds, as bytes.

use bytes::Bytes;
use ledger::{
    Block, Certificate, Digest, Header, Height, OutcomeLeaf, SignedTransaction, canonical,
};
use pbft::LogRecord;
use serde::{Deserialize, Serialize};

/// The bytes before a record's payload.
pub const FRAME_BYTES: usize = 8;

/// The longest payload; longer ones are damage.
pub const PAYLOAD_BYTES_MAX: usize = 256 * 1024 * 1024;

const KIND_VOTE: u8 = 1;
const KIND_BODY: u8 = 2;
const KIND_BLOCK: u8 = 3;
const KIND_CERTIFICATE: u8 = 4;

/// An executed block without its transactions' bytes, which stand in the journal as bodies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournaledBlock {
    /// The header.
    pub header: Header,
    /// The wire digests of its transactions, in order.
    pub wires: Vec<Digest>,
    /// Its outcomes.
    pub outcomes: Vec<OutcomeLeaf>,
}

impl JournaledBlock {
    /// The whole block, given the transaction of each wire digest; `None` when one is missing.
    pub fn assemble(
        self,
        mut transaction: impl FnMut(&Digest) -> Option<SignedTransaction>,
    ) -> Option<Block> {
        let transactions = self
            .wires
            .iter()
            .map(&mut transaction)
            .collect::<Option<Vec<_>>>()?;
        Some(Block {
            header: self.header,
            transactions,
            outcomes: self.outcomes,
        })
    }
}

/// The certificate of an executed block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournaledCertificate {
    /// The block's height.
    pub height: Height,
    /// The block's hash.
    pub block: Digest,
    /// The votes.
    pub certificate: Certificate,
}

/// One record.
#[derive(Debug)]
pub enum Record {
    /// An entry of the vote log.
    Vote(LogRecord),
    /// A transaction.
    Body(SignedTransaction, Bytes),
    /// An executed block.
    Block(JournaledBlock),
    /// A certificate.
    Certificate(JournaledCertificate),
}

/// Appends the record of a vote-log entry.
pub fn put_vote(buffer: &mut Vec<u8>, entry: &[u8]) {
    put(buffer, KIND_VOTE, entry);
}

/// Appends the record of a body.
pub fn put_body(buffer: &mut Vec<u8>, signed_bytes: &[u8]) {
    put(buffer, KIND_BODY, signed_bytes);
}

/// Appends the record of a block.
pub fn put_block(buffer: &mut Vec<u8>, block: &JournaledBlock) {
    put(buffer, KIND_BLOCK, &canonical::encode(block));
}

/// Appends the record of a certificate.
pub fn put_certificate(buffer: &mut Vec<u8>, certificate: &JournaledCertificate) {
    put(buffer, KIND_CERTIFICATE, &canonical::encode(certificate));
}

fn put(buffer: &mut Vec<u8>, kind: u8, content: &[u8]) {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&[kind]);
    checksum.update(content);
    buffer.extend_from_slice(&(content.len() as u32 + 1).to_le_bytes());
    buffer.extend_from_slice(&checksum.finalize().to_le_bytes());
    buffer.push(kind);
    buffer.extend_from_slice(content);
}

/// What stands at the start of some bytes.
pub enum Frame<'a> {
    /// A whole payload, and where the next record starts.
    Payload(&'a [u8], usize),
    /// Nothing more.
    End,
    /// A record that is cut short or does not match its checksum.
    Broken,
}

/// Reads the frame at the start of `bytes`, which reach to the end of the file. Zeros are room for later records.
pub fn frame(bytes: &[u8]) -> Frame<'_> {
    let Some(head) = bytes.first_chunk::<FRAME_BYTES>() else {
        return if bytes.iter().all(|byte| *byte == 0) {
            Frame::End
        } else {
            Frame::Broken
        };
    };
    let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
    let checksum = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    if length == 0 && checksum == 0 && bytes.iter().all(|byte| *byte == 0) {
        return Frame::End;
    }
    if length == 0 || length > PAYLOAD_BYTES_MAX {
        return Frame::Broken;
    }
    match bytes.get(FRAME_BYTES..FRAME_BYTES + length) {
        Some(payload) if crc32fast::hash(payload) == checksum => {
            Frame::Payload(payload, FRAME_BYTES + length)
        }
        _ => Frame::Broken,
    }
}

/// Whether a whole record starts anywhere in `bytes` after the first byte: then what is broken before it is damage in
/// the middle of the file and no torn tail.
pub fn record_follows(bytes: &[u8]) -> bool {
    (1..bytes.len()).any(|start| matches!(frame(&bytes[start..]), Frame::Payload(payload, _) if parse(payload).is_ok()))
}

/// Reads a payload.
///
/// # Errors
/// A text that says what is wrong.
pub fn parse(payload: &[u8]) -> Result<Record, String> {
    let (kind, content) = payload.split_first().ok_or("an empty record")?;
    match *kind {
        KIND_VOTE => LogRecord::from_bytes(content)
            .map(Record::Vote)
            .map_err(|error| error.to_string()),
        KIND_BODY => SignedTransaction::from_bytes(content)
            .map(|signed| Record::Body(signed, Bytes::copy_from_slice(content)))
            .map_err(|error| error.to_string()),
        KIND_CERTIFICATE => canonical::decode(content)
            .map(Record::Certificate)
            .map_err(|error| error.to_string()),
        KIND_BLOCK => canonical::decode(content)
            .map(Record::Block)
            .map_err(|error| error.to_string()),
        other => Err(format!("records of kind {other} do not exist")),
    }
}
