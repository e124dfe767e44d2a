//! At most once: which (submitter, nonce) pairs were used, kept until the transactions' validity ends.
//!
//! The keys lie under the ledger's own number, apart from every contract's. An entry names the first
//! transaction with its nonce; buckets by the second in which validity ends say what to drop.

use ledger::{Digest, Height, LedgerId, Timestamp, TransactionBody};

use crate::state::StateView;

/// First bytes of the keys of this module: contract number 0 and a letter.
const USED: [u8; 3] = [0, 0, b'n'];
const BUCKET: [u8; 3] = [0, 0, b'x'];

/// The most buckets that one block drops; later blocks drop the rest.
const BUCKETS_DROPPED_MAX: usize = 256;

const SECOND_US: u64 = 1_000_000;

/// What is known of a transaction's nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing: it may be executed.
    Fresh,
    /// The same transaction has a receipt.
    Repeat,
    /// Another transaction of the submitter has used it.
    OtherBody,
}

fn used_key(submitter: &LedgerId, nonce: u64) -> Vec<u8> {
    let mut key = Vec::with_capacity(27);
    key.extend_from_slice(&USED);
    key.extend_from_slice(&submitter.0);
    key.extend_from_slice(&nonce.to_be_bytes());
    key
}

/// Under a nonce of another transaction: says that this one's rejection is committed.
fn conflict_key(submitter: &LedgerId, nonce: u64, transaction: &Digest) -> Vec<u8> {
    let mut key = used_key(submitter, nonce);
    key.extend_from_slice(&transaction.0);
    key
}

fn bucket_prefix(second: u64) -> Vec<u8> {
    let mut key = Vec::with_capacity(19);
    key.extend_from_slice(&BUCKET);
    key.extend_from_slice(&second.to_be_bytes());
    key
}

/// The second at whose start a validity has ended for sure.
fn bucket_second(valid_until: Timestamp) -> u64 {
    valid_until.0 / SECOND_US + 1
}

/// What is known of a transaction.
pub fn known(view: &dyn StateView, body: &TransactionBody, transaction: &Digest) -> Known {
    // A committed rejection outlives the entry it ran into when its validity ends later, so both are asked.
    let rejected = view
        .get(&conflict_key(&body.submitter, body.nonce, transaction))
        .is_some();
    match view.get(&used_key(&body.submitter, body.nonce)) {
        _ if rejected => Known::Repeat,
        None => Known::Fresh,
        Some(first) if first == transaction.0 => Known::Repeat,
        Some(_) => Known::OtherBody,
    }
}

/// The entries that one block adds, gathered by bucket.
#[derive(Debug, Default)]
pub struct Added {
    buckets: std::collections::BTreeMap<u64, Vec<u8>>,
}

impl Added {
    /// The write that remembers a transaction; the bucket's follows with [`Added::into_writes`].
    pub fn remember(
        &mut self,
        body: &TransactionBody,
        transaction: &Digest,
        known: Known,
    ) -> (Vec<u8>, Vec<u8>) {
        let (key, value) = match known {
            Known::OtherBody => (
                conflict_key(&body.submitter, body.nonce, transaction),
                Vec::new(),
            ),
            Known::Fresh | Known::Repeat => (
                used_key(&body.submitter, body.nonce),
                transaction.0.to_vec(),
            ),
        };
        let bucket = self
            .buckets
            .entry(bucket_second(body.valid_until))
            .or_default();
        bucket.push(key.len() as u8);
        bucket.extend_from_slice(&key);
        (key, value)
    }

    /// The writes of the buckets: one per second in which something ends.
    pub fn into_writes(self, height: Height) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
        self.buckets.into_iter().map(move |(second, keys)| {
            let mut key = bucket_prefix(second);
            key.extend_from_slice(&height.0.to_be_bytes());
            (key, keys)
        })
    }
}

/// The keys to delete at this block time: entries whose validity has ended, and their buckets.
pub fn ended(view: &dyn StateView, time: Timestamp) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    let until = bucket_prefix(time.0 / SECOND_US + 1);
    for (bucket, entries) in view.range(&bucket_prefix(0), &until, BUCKETS_DROPPED_MAX) {
        let mut rest = &entries[..];
        while let Some((length, tail)) = rest.split_first() {
            let Some((key, tail)) = tail.split_at_checked(usize::from(*length)) else {
                break;
            };
            keys.push(key.to_vec());
            rest = tail;
        }
        keys.push(bucket);
    }
    keys
}
