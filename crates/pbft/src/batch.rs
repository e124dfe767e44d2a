//! What is ordered at one place: a list of wire digests and a proposed block time.

use ledger::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

/// An ordered list of transactions by wire digest, with the block time that the primary proposes.
///
/// Bodies do not travel with it: clients send them to every replica.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The proposed block time. The block's time is this, or the predecessor's plus 1 µs if that is later.
    pub time: Timestamp,
    /// Wire digests of the signed transactions, in order, without repetition.
    pub digests: Vec<Digest>,
}

impl Batch {
    /// The batch that fills a gap in a new view (§4.4: the null request). Its block is empty and its
    /// time is the predecessor's plus 1 µs.
    pub fn null() -> Batch {
        Batch::default()
    }

    /// Whether this is [`Batch::null`].
    pub fn is_null(&self) -> bool {
        self.time == Timestamp(0) && self.digests.is_empty()
    }

    /// What votes sign: a digest of the canonical bytes, time included.
    pub fn digest(&self) -> Digest {
        ledger::tagged("medshare/batch/v1", &[&ledger::canonical::encode(self)])
    }
}
