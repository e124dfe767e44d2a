//! In which block each executed transaction is. Like the state, the index takes what came of many blocks as one sorted run; what no
//! run has yet is in memory.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};

use fjall::config::CompressionPolicy;
use fjall::{Database, Keyspace};
use ledger::{Digest, Height};

use crate::state::{BlockWrites, RUNS_MERGED, StateError, run_options};

/// How many transactions are forgotten together.
const GENERATION: usize = 32_768;

/// Under what a transaction is found: as much of its id as the store keeps without another allocation, and as tells all apart.
type Key = [u8; 16];

/// Where a transaction is: its block, and its index there.
type Place = (Height, u32);

fn key(transaction: &Digest) -> Key {
    std::array::from_fn(|place| transaction.0[place])
}

fn place_bytes((height, index): Place) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&height.0.to_be_bytes());
    bytes[8..].copy_from_slice(&index.to_be_bytes());
    bytes
}

fn place(bytes: &[u8]) -> Option<Place> {
    let (height, index) = bytes.split_at_checked(8)?;
    let height = u64::from_be_bytes(height.try_into().ok()?);
    Some((Height(height), u32::from_be_bytes(index.try_into().ok()?)))
}

/// Places of transactions of consecutive blocks.
struct Generation {
    places: HashMap<Key, Place>,
    newest: Height,
}

/// The index.
#[derive(Clone)]
pub struct Receipts {
    store: Keyspace,
    /// The oldest first. What the store has may be here as well.
    newest: Arc<RwLock<VecDeque<Generation>>>,
}

impl Receipts {
    /// Opens or creates the index in a store that takes runs.
    ///
    /// # Errors
    /// [`StateError::Store`].
    pub fn open(database: &Database) -> Result<Receipts, StateError> {
        // Digests do not get smaller.
        let options = || {
            run_options(RUNS_MERGED).data_block_compression_policy(CompressionPolicy::disabled())
        };
        Ok(Receipts {
            store: database.keyspace("receipts", options)?,
            newest: Arc::default(),
        })
    }

    /// Takes the transactions of a certified block.
    pub fn note(&self, height: Height, transactions: &[Digest]) {
        let mut newest = self.newest.write().unwrap_or_else(PoisonError::into_inner);
        if newest
            .back()
            .is_none_or(|generation| generation.places.len() >= GENERATION)
        {
            newest.push_back(Generation {
                places: HashMap::with_capacity(GENERATION),
                newest: height,
            });
        }
        if let Some(generation) = newest.back_mut() {
            let places = (0..).zip(transactions);
            let places = places.map(|(index, id)| (key(id), (height, index)));
            generation.places.extend(places);
            generation.newest = generation.newest.max(height);
        }
    }

    /// Where an executed transaction is.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn find(&self, transaction: &Digest) -> Result<Option<Place>, StateError> {
        let key = key(transaction);
        let newest = self.newest.read().unwrap_or_else(PoisonError::into_inner);
        let mut generations = newest.iter().rev();
        let noted = generations.find_map(|generation| generation.places.get(&key).copied());
        drop(newest);
        if noted.is_some() {
            return Ok(noted);
        }
        match self.store.get(key)? {
            None => Ok(None),
            Some(bytes) => match place(&bytes) {
                None => Err(StateError::Damaged("receipt index")),
                found => Ok(found),
            },
        }
    }

    /// Stores the transactions of these blocks: all or, when this ends early, none. What was stored is synced.
    ///
    /// # Errors
    /// [`StateError::Store`].
    pub fn keep(&self, blocks: &[Arc<BlockWrites>]) -> Result<(), StateError> {
        let count = blocks.iter().map(|block| block.transactions.len()).sum();
        let mut places: Vec<(Key, Place)> = Vec::with_capacity(count);
        for block in blocks {
            let of_block = (0..).zip(&block.transactions);
            places.extend(of_block.map(|(index, id)| (key(id), (block.head.height, index))));
        }
        places.sort_unstable();
        // A run takes each key once. Of ids that begin alike, which nobody makes, the later one is found.
        places.reverse();
        places.dedup_by_key(|(key, _)| *key);
        let mut run = self.store.start_ingestion()?;
        for (key, place) in places.iter().rev() {
            run.write(*key, place_bytes(*place))?;
        }
        Ok(run.finish()?)
    }

    /// Forgets what is noted of blocks below this height, which the store has.
    pub fn forget_below(&self, stored_below: Height) {
        let mut newest = self.newest.write().unwrap_or_else(PoisonError::into_inner);
        let is_stored = |generation: &mut Generation| generation.newest < stored_below;
        let mut forgotten = Vec::new();
        while let Some(generation) = newest.pop_front_if(is_stored) {
            forgotten.push(generation);
        }
        drop(newest);
    }
}

#[cfg(test)]
mod tests {
    use execution::ChainHead;
    use ledger::{HistoryLog, Timestamp, WriteSet};

    use super::*;
    use crate::state::StateStore;

    fn id(number: u32) -> Digest {
        let mut bytes = [7; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        Digest(bytes)
    }

    fn block(height: u64, transactions: Vec<Digest>) -> Arc<BlockWrites> {
        let head = ChainHead {
            height: Height(height),
            hash: Digest([1; 32]),
            time: Timestamp(height),
            history: HistoryLog::new(),
        };
        let writes = WriteSet::default();
        Arc::new(BlockWrites {
            head,
            writes,
            transactions,
        })
    }

    #[test]
    fn what_is_noted_is_found_and_what_is_stored_is_found_after_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let store = StateStore::open(folder.path()).unwrap();
        let receipts = store.receipts();
        let (first, second) = (vec![id(3), id(1)], vec![id(2)]);
        receipts.note(Height(1), &first);
        receipts.note(Height(2), &second);
        assert_eq!(receipts.find(&id(1)).unwrap(), Some((Height(1), 1)));
        assert_eq!(receipts.find(&id(2)).unwrap(), Some((Height(2), 0)));
        assert_eq!(receipts.find(&id(4)).unwrap(), None);
        receipts.keep(&[block(1, first), block(2, second)]).unwrap();
        receipts.forget_below(Height(3));
        assert!(receipts.newest.read().unwrap().is_empty());
        assert_eq!(receipts.find(&id(3)).unwrap(), Some((Height(1), 0)));
        assert_eq!(receipts.find(&id(2)).unwrap(), Some((Height(2), 0)));
        assert_eq!(receipts.find(&id(4)).unwrap(), None);
    }

    #[test]
    fn what_is_not_stored_is_not_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let store = StateStore::open(folder.path()).unwrap();
        let receipts = store.receipts();
        let many: Vec<Digest> = (0..GENERATION as u32).map(id).collect();
        receipts.note(Height(1), &many);
        receipts.note(Height(2), &[id(u32::MAX)]);
        receipts.forget_below(Height(2));
        assert_eq!(receipts.find(&id(5)).unwrap(), None);
        assert_eq!(receipts.find(&id(u32::MAX)).unwrap(), Some((Height(2), 0)));
    }
}
