//! The bytes of sealed requests and replies. The bus carries ciphertext and opaque ids only.
//!
//! A body is `SHA-256(rest) || rest`, cut into parts of at most [`PART_BYTES`]; each part is sealed with its
//! place and the number of parts as associated data. Request parts are sealed by HPKE in mode auth (the service
//! knows which bus name sealed them), reply parts under a key exported from the same context.

use std::net::IpAddr;

use keys::seal::{OpenError, ReplyKey, RequestOpener, RequestSealer, SealError};
use ledger::{DigestAlgorithm, byte_string, canonical};
use serde::{Deserialize, Serialize};

/// The most plaintext in one part.
pub(crate) const PART_BYTES: usize = 256 * 1024;
/// The most bytes of one request or reply.
pub const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;

const PARTS_MAX: u32 = (BODY_BYTES_MAX / PART_BYTES) as u32 + 1;

/// First message of a request.
#[derive(Serialize, Deserialize)]
pub(crate) struct RequestMessage {
    #[serde(with = "byte_string::array")]
    pub encapsulated_key: [u8; 32],
    pub total: u32,
    #[serde(with = "byte_string::vector")]
    pub sealed: Vec<u8>,
}

/// Further parts of a request, to the instance that asked for them.
#[derive(Serialize, Deserialize)]
pub(crate) struct PartMessage {
    pub id: String,
    pub index: u32,
    #[serde(with = "byte_string::vector")]
    pub sealed: Vec<u8>,
}

/// What comes back on the reply subject.
#[derive(Serialize, Deserialize)]
pub(crate) enum ReplyMessage {
    /// The further parts go to this instance.
    Continue { instance: String },
    /// One part of the reply.
    Part {
        index: u32,
        total: u32,
        #[serde(with = "byte_string::vector")]
        sealed: Vec<u8>,
    },
    /// Turned down unopened.
    Refused(RefusedUnopened),
    /// Still being worked on. It proves nothing, and delays no more than silence would.
    Working,
}

/// Why a service does not open a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum RefusedUnopened {
    /// Too many requests at once.
    Busy,
    /// The caller is in no directory, or the request does not open with its key.
    UnknownCaller,
    /// Larger than [`BODY_BYTES_MAX`], or not a request.
    Malformed,
    /// Sent too long ago or in the future, or seen before.
    Stale,
}

/// The sealed content of a request.
#[derive(Serialize, Deserialize)]
pub(crate) struct RequestBody {
    pub sent: u64,
    /// The height that the caller has seen.
    pub seen: u64,
    pub authorization: Option<String>,
    /// The address that it came from, where the caller is an edge.
    pub origin: Option<IpAddr>,
    #[serde(with = "byte_string::vector")]
    pub request: Vec<u8>,
}

/// The sealed content of a reply: JSON of the use case's reply, or of a problem.
#[derive(Serialize, Deserialize)]
pub(crate) enum ReplyBody {
    Ok(#[serde(with = "byte_string::vector")] Vec<u8>),
    Problem(#[serde(with = "byte_string::vector")] Vec<u8>),
}

/// What a request's sealing is bound to.
pub(crate) fn request_info(subject: &str, caller: &str, id: &str) -> Vec<u8> {
    canonical::encode(&("medshare/request/v1", subject, caller, id))
}

fn part_data(index: u32, total: u32) -> Vec<u8> {
    [index.to_be_bytes(), total.to_be_bytes()].concat()
}

/// The number of parts that a body of `bytes` has.
fn part_count(bytes: usize) -> u32 {
    bytes.div_ceil(PART_BYTES).max(1) as u32
}

fn with_digest(body: &[u8]) -> Vec<u8> {
    [&DigestAlgorithm::Sha256.digest(body).0[..], body].concat()
}

/// Joins opened parts and checks the digest in front.
pub(crate) fn join(parts: Vec<Vec<u8>>) -> Result<Vec<u8>, OpenError> {
    let mut whole = parts.concat();
    let (digest, rest) = whole.split_first_chunk::<32>().ok_or(OpenError)?;
    if DigestAlgorithm::Sha256.digest(rest).0 != *digest {
        return Err(OpenError);
    }
    whole.drain(..32);
    Ok(whole)
}

/// Seals all parts of a request, in order.
pub(crate) fn seal_request(
    sealer: &mut RequestSealer,
    body: &[u8],
) -> Result<Vec<Vec<u8>>, SealError> {
    let whole = with_digest(body);
    let total = part_count(whole.len());
    whole
        .chunks(PART_BYTES)
        .zip(0..)
        .map(|(part, index)| sealer.seal(&part_data(index, total), part))
        .collect()
}

/// Opens one part of a request; parts come in order.
pub(crate) fn open_request_part(
    opener: &mut RequestOpener,
    index: u32,
    total: u32,
    sealed: &[u8],
) -> Result<Vec<u8>, OpenError> {
    opener.open(&part_data(index, total), sealed)
}

/// Seals all parts of a reply.
pub(crate) fn seal_reply(key: &ReplyKey, body: &[u8]) -> Result<Vec<ReplyMessage>, SealError> {
    let whole = with_digest(body);
    let total = part_count(whole.len());
    whole
        .chunks(PART_BYTES)
        .zip(0..)
        .map(|(part, index)| {
            Ok(ReplyMessage::Part {
                index,
                total,
                sealed: key.seal(index, &part_data(index, total), part)?,
            })
        })
        .collect()
}

/// Collects and opens the parts of a reply, in whatever order they come.
#[derive(Default)]
pub(crate) struct ReplyParts {
    total: Option<u32>,
    parts: std::collections::BTreeMap<u32, Vec<u8>>,
}

impl ReplyParts {
    /// Takes one part; gives the body once all are there. A part that does not open is ignored: the broker
    /// could have made it up.
    pub(crate) fn take(
        &mut self,
        key: &ReplyKey,
        index: u32,
        total: u32,
        sealed: &[u8],
    ) -> Option<Vec<u8>> {
        if !is_acceptable_total(total) || self.total.is_some_and(|known| known != total) {
            return None;
        }
        let part = key.open(index, &part_data(index, total), sealed).ok()?;
        self.total = Some(total);
        self.parts.insert(index, part);
        if self.parts.len() < total as usize {
            return None;
        }
        join(std::mem::take(&mut self.parts).into_values().collect()).ok()
    }
}

/// Whether a message may announce that many parts.
pub(crate) fn is_acceptable_total(total: u32) -> bool {
    (1..=PARTS_MAX).contains(&total)
}
