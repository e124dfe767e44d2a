//! The newest write of each key, in blocks that are kept elsewhere: found by key, without a copy of key or value.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use ledger::Height;

use crate::state::BlockWrites;

/// How much is forgotten together: taking out one write after the other costs as much as putting them in did.
const GENERATION: usize = 65_536;

/// What a block weighs by itself; each of its writes weighs one.
const BLOCK_WEIGHT: usize = 16;

/// One write of a block.
struct Place {
    /// The key's hash.
    hash: u64,
    /// The block's place in its generation.
    block: u32,
    index: u32,
}

/// Consecutive blocks.
#[derive(Default)]
struct Generation {
    blocks: Vec<Arc<BlockWrites>>,
    places: HashTable<Place>,
}

impl Generation {
    fn is_full(&self) -> bool {
        self.places.len() + BLOCK_WEIGHT * self.blocks.len() >= GENERATION
    }

    fn find(&self, hash: u64, key: &[u8]) -> Option<Option<&[u8]>> {
        let is_of = |place: &Place| is_of(&self.blocks, place, hash, key);
        let place = self.places.find(hash, is_of)?;
        Some(write(&self.blocks, place).1.as_deref())
    }

    fn add(&mut self, block: &Arc<BlockWrites>, hasher: &RandomState) {
        let number = self.blocks.len() as u32;
        self.blocks.push(block.clone());
        for (index, (key, _)) in (0..).zip(&block.writes.0) {
            let hash = hasher.hash_one(key.as_slice());
            let place = Place {
                hash,
                block: number,
                index,
            };
            let is_of = |place: &Place| is_of(&self.blocks, place, hash, key);
            match self.places.entry(hash, is_of, |place| place.hash) {
                Entry::Occupied(mut older) => *older.get_mut() = place,
                Entry::Vacant(vacant) => drop(vacant.insert(place)),
            }
        }
    }
}

fn write<'a>(blocks: &'a [Arc<BlockWrites>], place: &Place) -> &'a (Vec<u8>, Option<Vec<u8>>) {
    &blocks[place.block as usize].writes.0[place.index as usize]
}

fn is_of(blocks: &[Arc<BlockWrites>], place: &Place, hash: u64, key: &[u8]) -> bool {
    place.hash == hash && write(blocks, place).0 == key
}

/// The newest writes.
#[derive(Default)]
pub struct NewestWrites {
    /// The oldest first.
    generations: VecDeque<Generation>,
    hasher: RandomState,
}

impl NewestWrites {
    /// The height of the oldest block here.
    pub fn oldest(&self) -> Option<Height> {
        let oldest = self.generations.front()?.blocks.first()?;
        Some(oldest.head.height)
    }

    /// What was written under this key: a value, or that it was deleted. `None` if nothing was.
    pub fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        let hash = self.hasher.hash_one(key);
        let mut newest_first = self.generations.iter().rev();
        newest_first.find_map(|generation| generation.find(hash, key))
    }

    /// Takes the writes of the next block.
    pub fn add(&mut self, block: &Arc<BlockWrites>) {
        let newest = self.generations.back();
        if newest.is_none_or(Generation::is_full) {
            self.generations.push_back(Generation::default());
        }
        if let Some(newest) = self.generations.back_mut() {
            newest.add(block, &self.hasher);
        }
    }

    /// Forgets writes of blocks below this height: those of a whole generation, or none.
    pub fn forget_below(&mut self, height: Height) {
        let is_below = |generation: &mut Generation| {
            let newest = generation.blocks.last();
            newest.is_none_or(|newest| newest.head.height < height)
        };
        while self.generations.pop_front_if(is_below).is_some() {}
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.generations.clear();
    }
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
        Arc::new(BlockWrites {
            head,
            writes,
            transactions: Vec::new(),
        })
    }

    #[test]
    fn of_each_key_the_newest_write_is_found_until_it_is_forgotten() {
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
        newest.forget_below(Height(2));
        assert_eq!(newest.oldest(), Some(Height(1)));
        newest.forget_below(Height(3));
        assert_eq!((newest.oldest(), newest.get(b"a")), (None, None));
    }

    #[test]
    fn a_generation_is_forgotten_once_its_last_block_may_be() {
        let many: Vec<String> = (0..GENERATION).map(|key| format!("k{key:06}")).collect();
        let many: Vec<(&str, Option<&str>)> = many.iter().map(|key| (&**key, Some("1"))).collect();
        let mut newest = NewestWrites::default();
        newest.add(&block(1, &[("b", Some("2"))]));
        newest.add(&block(2, &many));
        newest.add(&block(3, &[("k000007", Some("3"))]));
        assert_eq!(newest.get(b"k000007"), Some(Some(b"3".as_slice())));
        newest.forget_below(Height(2));
        assert_eq!(newest.get(b"b"), Some(Some(b"2".as_slice())));
        newest.forget_below(Height(3));
        assert_eq!(newest.oldest(), Some(Height(3)));
        assert_eq!((newest.get(b"b"), newest.get(b"k000008")), (None, None));
        assert_eq!(newest.get(b"k000007"), Some(Some(b"3".as_slice())));
    }
}
