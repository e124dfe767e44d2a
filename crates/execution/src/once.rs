//! At most once: which (submitter, nonce) pairs were used, kept until the transactions' validity ends.
//!
//! The state holds them in buckets: one key for the second in which validity ends and the block that added to it. So a
//! block writes one key for all its transactions and drops a bucket with one key. [`Used`] is the same as a map, in
//! memory; it is read from the buckets at the start, and follows from them at any time. The keys lie under the ledger's
//! own number, apart from every contract's.

#![expect(
    clippy::disallowed_types,
    reason = "used nonces are looked up for every transaction, and never walked through in an order that shows"
)]

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ledger::{Digest, Height, LedgerId, Timestamp, TransactionBody};

use crate::state::StateView;

/// First bytes of a bucket's key: contract number 0 and a letter.
const BUCKET: [u8; 3] = [0, 0, b'u'];

/// The most buckets that one block drops; later blocks drop the rest.
const BUCKETS_DROPPED_MAX: usize = 256;

/// How many buckets are read at once at the start.
const BUCKETS_READ: usize = 4_096;

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

/// One entry of a bucket, 57 bytes: submitter, nonce, transaction id, and whether it is the one that used the nonce or
/// one that was rejected for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    submitter: LedgerId,
    nonce: u64,
    transaction: Digest,
    is_first: bool,
}

impl Entry {
    const BYTES: usize = 57;

    fn write_to(&self, bucket: &mut Vec<u8>) {
        bucket.extend_from_slice(&self.submitter.0);
        bucket.extend_from_slice(&self.nonce.to_be_bytes());
        bucket.extend_from_slice(&self.transaction.0);
        bucket.push(u8::from(self.is_first));
    }

    fn read(bytes: &[u8; Entry::BYTES]) -> Entry {
        let part = |from: usize| &bytes[from..];
        Entry {
            submitter: LedgerId(first_bytes(part(0))),
            nonce: u64::from_be_bytes(first_bytes(part(16))),
            transaction: Digest(first_bytes(part(24))),
            is_first: bytes[56] == 1,
        }
    }
}

fn first_bytes<const N: usize>(bytes: &[u8]) -> [u8; N] {
    std::array::from_fn(|place| bytes[place])
}

fn entries(bucket: &[u8]) -> impl Iterator<Item = Entry> + '_ {
    bucket
        .as_chunks::<{ Entry::BYTES }>()
        .0
        .iter()
        .map(Entry::read)
}

/// When a bucket ends, and the height of the block that wrote it.
type BucketId = (u64, Height);

fn bucket_key((second, height): BucketId) -> Vec<u8> {
    let mut key = Vec::with_capacity(19);
    key.extend_from_slice(&BUCKET);
    key.extend_from_slice(&second.to_be_bytes());
    key.extend_from_slice(&height.0.to_be_bytes());
    key
}

fn bucket_id(key: &[u8]) -> Option<BucketId> {
    let rest: &[u8; 16] = key.strip_prefix(&BUCKET)?.try_into().ok()?;
    let number = |from: usize| u64::from_be_bytes(first_bytes(&rest[from..]));
    Some((number(0), Height(number(8))))
}

/// The height of the block that wrote a bucket; `None` if the key is of none.
pub(crate) fn bucket_height(key: &[u8]) -> Option<Height> {
    bucket_id(key).map(|(_, height)| height)
}

/// The second at whose start a validity has ended for sure.
fn bucket_second(valid_until: Timestamp) -> u64 {
    valid_until.0 / SECOND_US + 1
}

/// The used pairs whose buckets are in the state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// The transaction that used a nonce.
    first: HashMap<(LedgerId, u64), Digest>,
    /// Transactions that were rejected because another had used their nonce; each may outlive that other.
    rejected: BTreeSet<(LedgerId, u64, Digest)>,
    buckets: BTreeSet<BucketId>,
}

impl Used {
    /// Reads what the state holds.
    pub fn read(view: &dyn StateView) -> Used {
        let mut used = Used::default();
        let mut from = bucket_key((0, Height(0)));
        let until = bucket_key((u64::MAX, Height(u64::MAX)));
        loop {
            let buckets = view.range(&from, &until, BUCKETS_READ);
            for (key, bucket) in &buckets {
                used.buckets.extend(bucket_id(key));
                entries(bucket).for_each(|entry| used.add(entry));
            }
            match buckets.last() {
                Some((last, _)) if buckets.len() == BUCKETS_READ => {
                    from = last.clone();
                    from.push(0);
                }
                _ => return used,
            }
        }
    }

    /// The ids of all transactions in it, in any order.
    pub fn transactions(&self) -> impl Iterator<Item = Digest> + '_ {
        let rejected = self.rejected.iter().map(|(.., transaction)| *transaction);
        self.first.values().copied().chain(rejected)
    }

    /// What is known of a transaction.
    pub fn known(&self, body: &TransactionBody, transaction: &Digest) -> Known {
        let pair = (body.submitter, body.nonce);
        // A committed rejection outlives the entry it ran into when its validity ends later, so both are asked.
        if self.rejected.contains(&(pair.0, pair.1, *transaction)) {
            return Known::Repeat;
        }
        match self.first.get(&pair) {
            None => Known::Fresh,
            Some(first) if first == transaction => Known::Repeat,
            Some(_) => Known::OtherBody,
        }
    }

    fn add(&mut self, entry: Entry) {
        let Entry {
            submitter,
            nonce,
            transaction,
            is_first,
        } = entry;
        if is_first {
            self.first.insert((submitter, nonce), transaction);
        } else {
            self.rejected.insert((submitter, nonce, transaction));
        }
    }

    fn remove(&mut self, entry: &Entry) {
        let pair = (entry.submitter, entry.nonce);
        if entry.is_first {
            self.first.remove(&pair);
        } else {
            self.rejected.remove(&(pair.0, pair.1, entry.transaction));
        }
    }

    /// Drops what has ended at this block time; gives the keys of the buckets to delete.
    pub fn drop_ended(&mut self, view: &dyn StateView, time: Timestamp) -> Vec<Vec<u8>> {
        let until = (time.0 / SECOND_US + 1, Height(0));
        let ended: Vec<BucketId> = self
            .buckets
            .range(..until)
            .take(BUCKETS_DROPPED_MAX)
            .copied()
            .collect();
        let mut keys = Vec::with_capacity(ended.len());
        for id in ended {
            self.buckets.remove(&id);
            let key = bucket_key(id);
            let bucket = view.get(&key).unwrap_or_default();
            entries(&bucket).for_each(|entry| self.remove(&entry));
            keys.push(key);
        }
        keys
    }
}

/// The entries that one block adds, gathered by bucket.
#[derive(Debug, Default)]
pub struct Added {
    buckets: BTreeMap<u64, Vec<u8>>,
}

impl Added {
    /// Remembers a transaction that is in the block; `known` said that it is no repeat.
    pub fn remember(
        &mut self,
        used: &mut Used,
        body: &TransactionBody,
        transaction: &Digest,
        known: Known,
    ) {
        let entry = Entry {
            submitter: body.submitter,
            nonce: body.nonce,
            transaction: *transaction,
            is_first: known == Known::Fresh,
        };
        used.add(entry);
        let bucket = self.buckets.entry(bucket_second(body.valid_until));
        entry.write_to(bucket.or_default());
    }

    /// The writes of the block: one per second in which something ends.
    pub fn into_writes(self, used: &mut Used, height: Height) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut writes = Vec::with_capacity(self.buckets.len());
        for (second, bucket) in self.buckets {
            used.buckets.insert((second, height));
            writes.push((bucket_key((second, height)), bucket));
        }
        writes
    }
}
