//! The newest write of each key, in blocks that are kept elsewhere: found by key, without a copy of key or value.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use ledger::Height;

use crate::state::BlockWrites;

/// One write of a block.
struct Place {
    /// The key's hash.
    hash: u64,
    block: Arc<BlockWrites>,
    index: u32,
}

impl Place {
    fn write(&self) -> &(Vec<u8>, Option<Vec<u8>>) {
        &self.block.writes.0[self.index as usize]
    }

    fn is_of(&self, hash: u64, key: &[u8]) -> bool {
        self.hash == hash && self.write().0 == key
    }
}

/// The newest writes.
#[derive(Default)]
pub struct NewestWrites {
    places: HashTable<Place>,
    hasher: RandomState,
}

impl NewestWrites {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// What was written under this key: a value, or that it was deleted. `None` if nothing was.
    pub fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        let hash = self.hasher.hash_one(key);
        let place = self.places.find(hash, |place| place.is_of(hash, key))?;
        Some(place.write().1.as_deref())
    }

    /// Takes the writes of the next block.
    pub fn add(&mut self, block: &Arc<BlockWrites>) {
        for (index, (key, _)) in (0..).zip(&block.writes.0) {
            let hash = self.hasher.hash_one(key.as_slice());
            let place = Place {
                hash,
                block: block.clone(),
                index,
            };
            let is_of = |place: &Place| place.is_of(hash, key);
            match self.places.entry(hash, is_of, |place| place.hash) {
                Entry::Occupied(mut older) => *older.get_mut() = place,
                Entry::Vacant(vacant) => drop(vacant.insert(place)),
            }
        }
    }

    /// Forgets the writes of a block, but for keys that a later one wrote.
    pub fn forget(&mut self, block: &BlockWrites) {
        for (key, _) in &block.writes.0 {
            let hash = self.hasher.hash_one(key.as_slice());
            let is_of = |place: &Place| place.is_of(hash, key) && is_at(place, block.head.height);
            if let Ok(place) = self.places.find_entry(hash, is_of) {
                place.remove();
            }
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.places.clear();
    }
}

fn is_at(place: &Place, height: Height) -> bool {
    place.block.head.height == height
}

#[cfg(test)]
mod tests {
    use execution::ChainHead;
    use ledger::{Digest, HistoryLog, Timestamp, WriteSet};

    use super::*;

    fn block(height: u64, writes: &[(&str, Option<&str>)]) -> Arc<BlockWrites> {
        let head = ChainHead {
            height: Height(height),
            hash: Digest([1; 32]),
            time: Timestamp(height),
            history: HistoryLog::new(),
        };
        let bytes = |text: &str| text.as_bytes().to_vec();
        let write = |(key, value): &(&str, Option<&str>)| (bytes(key), value.map(bytes));
        let writes = WriteSet(writes.iter().map(write).collect());
        Arc::new(BlockWrites { head, writes })
    }

    #[test]
    fn of_each_key_the_newest_write_is_found_until_its_block_is_forgotten() {
        let first = block(1, &[("a", Some("1")), ("b", Some("2")), ("c", None)]);
        let second = block(2, &[("a", None), ("d", Some("4"))]);
        let mut newest = NewestWrites::default();
        newest.add(&first);
        assert_eq!(newest.get(b"a"), Some(Some(b"1".as_slice())));
        newest.add(&second);
        assert_eq!(newest.get(b"a"), Some(None));
        assert_eq!(newest.get(b"b"), Some(Some(b"2".as_slice())));
        assert_eq!(newest.get(b"c"), Some(None));
        assert_eq!(newest.get(b"e"), None);
        newest.forget(&first);
        assert_eq!(newest.get(b"a"), Some(None));
        assert_eq!(newest.get(b"b"), None);
        newest.forget(&second);
        assert!(newest.is_empty());
    }
}
