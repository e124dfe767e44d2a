//! What replicas send each other besides the consensus messages themselves, and how long messages are cut to pieces.

use std::collections::BTreeMap;

use bus::groups::in_groups;
use bus::subjects::is_token;
use bytes::Bytes;
use ledger::{Digest, ReplicaId, canonical};
use serde::{Deserialize, Serialize};

use crate::body::{Body, Origin};
use crate::intake::Arrival;

/// The most bytes in one message on the broker.
pub const MESSAGE_BYTES_MAX: usize = 512 * 1024;

/// How many pieces one message may have.
const PIECES_MAX: u16 = 64;

/// How many messages of one sender may be incomplete at once.
const INCOMPLETE_MAX: usize = 4;

/// How many consensus messages one message carries at most: each costs the receiver a signature check.
pub const MESSAGES_TOGETHER_MAX: usize = 64;

/// The most bodies' bytes in one message.
const BODIES_BYTES_MAX: usize = 384 * 1024;

/// One message from replica to replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wire {
    /// Signed consensus messages ([`pbft::SignedMessage`]), in the order in which they were said, and transactions that proposals
    /// among them name.
    Consensus(Vec<Vec<u8>>, Vec<Carried>),
    /// Asks for transactions by wire digest.
    BodiesWanted(Vec<Digest>),
    /// Transactions that were asked for, or that a proposal just said names.
    Bodies(Vec<Carried>),
    /// Transactions that a backup holds and the primary does not propose, or does not have.
    Relayed(Vec<Carried>),
    /// Transactions that were sent to another replica as the primary.
    PassedOn(Vec<Carried>),
    /// A piece of a message that is too long.
    Piece {
        /// The sender's number of the message.
        message: u64,
        /// The piece's place.
        index: u16,
        /// How many pieces there are.
        count: u16,
        /// The piece.
        #[serde(with = "ledger::byte_string::vector")]
        bytes: Vec<u8>,
    },
}

/// A transaction on its way from replica to replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// The canonical bytes of a [`ledger::SignedTransaction`].
    #[serde(with = "ledger::byte_string::vector")]
    pub bytes: Vec<u8>,
    /// Who waits for its receipt: a bus name.
    pub requester: Option<String>,
    /// The W3C trace context that it belongs to, if it is traced.
    pub traceparent: Option<String>,
}

impl Carried {
    /// A transaction of which nobody here knows who waits for it.
    pub fn of_nobody(bytes: Vec<u8>) -> Carried {
        Carried {
            bytes,
            requester: None,
            traceparent: None,
        }
    }

    /// The transaction as it arrives. A requester that is no bus name is dropped: answers would go to subjects of the
    /// sender's choice.
    pub fn into_arrival(self) -> Arrival {
        let requester = self.requester.filter(|name| is_token(name));
        let traceparent = self.traceparent;
        Arrival {
            bytes: self.bytes.into(),
            origin: requester.map(|name| Origin {
                requester: name.into(),
                traceparent,
            }),
        }
    }
}

impl From<&Body> for Carried {
    fn from(body: &Body) -> Carried {
        let origin = body.origin();
        Carried {
            bytes: body.bytes.to_vec(),
            requester: origin.map(|origin| origin.requester.to_string()),
            traceparent: origin.and_then(|origin| origin.traceparent.clone()),
        }
    }
}

/// The payloads that carry a message: one, or its pieces.
pub fn payloads(message: &Wire, number: u64) -> Vec<Bytes> {
    let whole = canonical::encode(message);
    if whole.len() <= MESSAGE_BYTES_MAX {
        return vec![whole.into()];
    }
    let room = MESSAGE_BYTES_MAX - 64;
    let count = whole.len().div_ceil(room) as u16;
    let piece = |(index, bytes): (usize, &[u8])| {
        let piece = Wire::Piece {
            message: number,
            index: index as u16,
            count,
            bytes: bytes.to_vec(),
        };
        Bytes::from(canonical::encode(&piece))
    };
    whole.chunks(room).enumerate().map(piece).collect()
}

/// Transactions in groups that fit a message each.
pub fn grouped(bodies: impl IntoIterator<Item = Carried>) -> Vec<Vec<Carried>> {
    let bytes_of = |carried: &Carried| carried.bytes.len();
    in_groups(bodies, bytes_of, BODIES_BYTES_MAX, usize::MAX)
}

/// Consensus messages in groups that fit a message each.
pub fn together(messages: impl IntoIterator<Item = Vec<u8>>) -> Vec<Vec<Vec<u8>>> {
    let bytes_of = |message: &Vec<u8>| message.len();
    in_groups(messages, bytes_of, BODIES_BYTES_MAX, MESSAGES_TOGETHER_MAX)
}

/// Puts pieces together, a bounded number per sender.
#[derive(Debug, Default)]
pub struct Assembly {
    incomplete: BTreeMap<ReplicaId, BTreeMap<u64, BTreeMap<u16, Vec<u8>>>>,
}

impl Assembly {
    /// The message that a payload carries or completes; `None` for pieces and for what is malformed.
    pub fn take(&mut self, from: ReplicaId, payload: &[u8]) -> Option<Wire> {
        match canonical::decode(payload).ok()? {
            Wire::Piece {
                message,
                index,
                count,
                bytes,
            } => self.piece(from, message, index, count, bytes),
            whole => Some(whole),
        }
    }

    /// The bytes of all incomplete messages.
    #[cfg(test)]
    pub(crate) fn kept_bytes(&self) -> usize {
        let of_senders = self.incomplete.values().flat_map(BTreeMap::values);
        let pieces = of_senders.flat_map(BTreeMap::values);
        pieces.map(Vec::len).sum()
    }

    fn piece(
        &mut self,
        from: ReplicaId,
        message: u64,
        index: u16,
        count: u16,
        bytes: Vec<u8>,
    ) -> Option<Wire> {
        if index >= count || count > PIECES_MAX {
            return None;
        }
        let of_sender = self.incomplete.entry(from).or_default();
        let pieces = of_sender.entry(message).or_default();
        pieces.insert(index, bytes);
        if pieces.len() < usize::from(count) {
            while of_sender.len() > INCOMPLETE_MAX {
                of_sender.pop_first();
            }
            return None;
        }
        let whole = of_sender
            .remove(&message)?
            .into_values()
            .collect::<Vec<_>>()
            .concat();
        match canonical::decode(&whole).ok()? {
            Wire::Piece { .. } => None,
            whole => Some(whole),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_travels_in_pieces_in_any_order() {
        let message = Wire::Consensus(
            vec![(0..1_300_000_u32).map(|byte| byte as u8).collect()],
            Vec::new(),
        );
        let mut pieces = payloads(&message, 7);
        assert_eq!(pieces.len(), 3);
        assert!(pieces.iter().all(|piece| piece.len() <= MESSAGE_BYTES_MAX));
        pieces.rotate_left(1);
        let mut assembly = Assembly::default();
        let mut whole = pieces
            .iter()
            .filter_map(|piece| assembly.take(ReplicaId(2), piece));
        assert_eq!(whole.next(), Some(message));
    }

    #[test]
    fn a_requester_that_is_no_bus_name_gets_no_answers() {
        let origin_of = |requester: Option<&str>| {
            let carried = Carried {
                requester: requester.map(str::to_owned),
                ..Carried::of_nobody(vec![1])
            };
            carried.into_arrival().origin
        };
        let known = origin_of(Some("gateway")).expect("a bus name");
        assert_eq!(&*known.requester, "gateway");
        for name in [None, Some(">"), Some("a.b"), Some("")] {
            assert!(origin_of(name).is_none(), "{name:?}");
        }
    }

    #[test]
    fn a_sender_cannot_make_us_keep_more_than_a_few_incomplete_messages() {
        let mut assembly = Assembly::default();
        for message in 0..100 {
            let piece = Wire::Piece {
                message,
                index: 0,
                count: 2,
                bytes: vec![0; 9],
            };
            assert_eq!(
                assembly.take(ReplicaId(2), &canonical::encode(&piece)),
                None
            );
        }
        assert_eq!(assembly.incomplete[&ReplicaId(2)].len(), INCOMPLETE_MAX);
        assert_eq!(assembly.take(ReplicaId(2), &[0xff; 40]), None);
    }
}
