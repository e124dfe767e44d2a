//! What the journal holds, as bytes.

use bytes::Bytes;
use ledger::{
    Block, Certificate, Digest, Header, Height, OutcomeLeaf, SignedTransaction, canonical,
};
use pbft::LogRecord;
use serde::{Deserialize, Serialize};

const KIND_VOTE: u8 = 1;
const KIND_BODY: u8 = 2;
const KIND_BLOCK: u8 = 3;
const KIND_CERTIFICATE: u8 = 4;
const KIND_VOTES_ANEW: u8 = 5;

/// An executed block without its transactions' bytes, which stand in the journal as bodies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournaledBlock {
    /// The header.
    pub header: Header,
    /// The digest of the batch that it was executed from.
    pub batch: Digest,
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
    /// The vote log starts anew here: entries before count no more.
    VotesAnew,
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

/// Appends the record that starts the vote log anew.
pub fn put_votes_anew(buffer: &mut Vec<u8>) {
    put(buffer, KIND_VOTES_ANEW, &[]);
}

fn put(buffer: &mut Vec<u8>, kind: u8, content: &[u8]) {
    buffer.extend_from_slice(&(content.len() as u32 + 1).to_le_bytes());
    buffer.push(kind);
    buffer.extend_from_slice(content);
}

/// Cuts the first record off some bytes that are whole: the record's payload, and the rest.
pub fn split_first(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
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
        KIND_VOTES_ANEW if content.is_empty() => Ok(Record::VotesAnew),
        KIND_BLOCK => canonical::decode(content)
            .map(Record::Block)
            .map_err(|error| error.to_string()),
        other => Err(format!("records of kind {other} do not exist")),
    }
}
