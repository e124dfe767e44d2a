//! The state as execution sees it: what executed blocks wrote and is not in the store yet, over the store.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, VecDeque};

use execution::{ChainHead, StateView};
use ledger::{Height, WriteSet};

use crate::state::{self, Changes, StateError, StateStore};

/// How many values that were read from the store are kept at most.
const READ_MAX: usize = 32_768;

/// How many ranges are remembered.
const RANGES_MAX: usize = 16;

/// Writes of executed blocks over the store.
pub struct Unapplied {
    store: StateStore,
    /// The newest write of each key, and the height that made it.
    writes: HashMap<Vec<u8>, (u64, Option<Vec<u8>>)>,
    /// By height, each with its writes ascending by key.
    blocks: VecDeque<(ChainHead, WriteSet, Changes)>,
    /// Values as the store has them, or that it has none: members are read for every transaction of theirs.
    read: RefCell<HashMap<Vec<u8>, Option<Vec<u8>>>>,
    /// Where the ranges that were asked for begin.
    ranges: RefCell<Vec<Range>>,
}

/// A range and a key below which the store has nothing of it. What was deleted there costs the store a step each until it
/// is compacted, and the deadlines of all that is done are deleted from the front of one range.
struct Range {
    from: Vec<u8>,
    until: Vec<u8>,
    first: Vec<u8>,
}

impl Unapplied {
    /// Nothing written yet over the store.
    pub fn over(store: StateStore) -> Unapplied {
        Unapplied {
            store,
            writes: HashMap::new(),
            blocks: VecDeque::new(),
            read: RefCell::default(),
            ranges: RefCell::default(),
        }
    }

    /// How many blocks wait to be kept.
    pub fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Takes the writes of the next executed block.
    pub fn add(&mut self, head: &ChainHead, writes: WriteSet) {
        for (key, value) in &writes.0 {
            self.writes
                .insert(key.clone(), (head.height.0, value.clone()));
        }
        let changes = state::hashed(&writes);
        self.blocks.push_back((head.clone(), writes, changes));
    }

    /// Moves everything up to `height` into the store; gives the changes by height.
    ///
    /// # Errors
    /// [`StateError`]: the process must stop.
    pub fn apply(&mut self, height: Height) -> Result<Vec<(Height, Changes)>, StateError> {
        let mut applied = Vec::new();
        while self
            .blocks
            .front()
            .is_some_and(|(head, ..)| head.height <= height)
        {
            let Some((head, writes, changes)) = self.blocks.pop_front() else {
                break;
            };
            self.store.apply(&head, &writes, &changes)?;
            for (key, value) in &writes.0 {
                self.read.get_mut().remove(key);
                if value.is_some() {
                    self.note_in_ranges(key);
                }
                if self
                    .writes
                    .get(key)
                    .is_some_and(|(newest, _)| *newest == head.height.0)
                {
                    self.writes.remove(key);
                }
            }
            applied.push((head.height, changes));
        }
        Ok(applied)
    }

    /// The store has this key now.
    fn note_in_ranges(&mut self, key: &[u8]) {
        for range in self.ranges.get_mut() {
            if range.from.as_slice() <= key && key < range.first.as_slice() {
                range.first = key.to_vec();
            }
        }
    }

    fn read(&self, key: &[u8]) -> Option<Vec<u8>> {
        let mut read = self.read.borrow_mut();
        if let Some(value) = read.get(key) {
            return value.clone();
        }
        let value = StateView::get(&self.store, key);
        if read.len() >= READ_MAX {
            read.clear();
        }
        read.insert(key.to_vec(), value.clone());
        value
    }

    /// What the store has in a range.
    fn stored(&self, from: &[u8], until: &[u8], limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut ranges = self.ranges.borrow_mut();
        let known = ranges
            .iter()
            .position(|range| range.from == from && range.until == until);
        let first = known.map_or(from, |place| ranges[place].first.as_slice());
        let found = self.store.range(first, until, limit);
        let first = found
            .first()
            .map_or_else(|| until.to_vec(), |(key, _)| key.clone());
        match known {
            Some(place) => ranges[place].first = first,
            None => {
                if ranges.len() >= RANGES_MAX {
                    ranges.clear();
                }
                ranges.push(Range {
                    from: from.to_vec(),
                    until: until.to_vec(),
                    first,
                });
            }
        }
        found
    }

    /// What blocks wrote in a range, the newest of each key.
    fn written(&self, from: &[u8], until: &[u8]) -> BTreeMap<&[u8], Option<&[u8]>> {
        let mut written = BTreeMap::new();
        for (_, writes, _) in &self.blocks {
            let start = writes.0.partition_point(|(key, _)| key.as_slice() < from);
            let inside = writes.0[start..].iter();
            for (key, value) in inside.take_while(|(key, _)| key.as_slice() < until) {
                written.insert(key.as_slice(), value.as_deref());
            }
        }
        written
    }
}

impl StateView for Unapplied {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        match self.writes.get(key) {
            Some((_, value)) => value.clone(),
            None => self.read(key),
        }
    }

    fn range(&self, from: &[u8], until: &[u8], limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        if from >= until || limit == 0 {
            return Vec::new();
        }
        let written = self.written(from, until);
        let hidden = written.values().filter(|value| value.is_none()).count();
        let below = self.stored(from, until, limit.saturating_add(hidden));
        let mut merged: BTreeMap<Vec<u8>, Vec<u8>> = below.into_iter().collect();
        for (key, value) in written {
            match value {
                Some(value) => merged.insert(key.to_vec(), value.to_vec()),
                None => merged.remove(key),
            };
        }
        merged.into_iter().take(limit).collect()
    }
}

#[cfg(test)]
mod tests {
    use ledger::{Digest, HistoryLog, Timestamp};

    use super::*;

    fn head(height: u64) -> ChainHead {
        ChainHead {
            height: Height(height),
            hash: Digest([1; 32]),
            time: Timestamp(height),
            history: HistoryLog::new(),
        }
    }

    fn writes(entries: &[(&str, Option<&str>)]) -> WriteSet {
        let entry = |(key, value): &(&str, Option<&str>)| {
            (
                key.as_bytes().to_vec(),
                value.map(|value| value.as_bytes().to_vec()),
            )
        };
        WriteSet(entries.iter().map(entry).collect())
    }

    #[test]
    fn reads_and_ranges_are_the_same_before_and_after_writes_reach_the_store() {
        let folder = tempfile::tempdir().unwrap();
        let mut state = Unapplied::over(StateStore::open(folder.path()).unwrap());
        state.add(&head(0), writes(&[("a", Some("1")), ("c", Some("3"))]));
        state.add(&head(1), writes(&[("a", None), ("b", Some("2"))]));
        state.add(&head(2), writes(&[("c", Some("33")), ("d", Some("4"))]));
        let expected = [("b", "2"), ("c", "33"), ("d", "4")]
            .map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec()));
        for kept in 0..=3 {
            assert_eq!(state.len(), 3 - kept as usize);
            assert_eq!(state.range(b"a", b"z", 9), expected);
            assert_eq!(state.range(b"a", b"z", 2), expected[..2]);
            assert_eq!(StateView::get(&state, b"a"), None);
            assert_eq!(StateView::get(&state, b"c"), Some(b"33".to_vec()));
            state.apply(Height(kept)).unwrap();
        }
        assert!(state.is_empty() && state.writes.is_empty());
    }

    #[test]
    fn a_range_is_the_same_however_often_it_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let mut state = Unapplied::over(StateStore::open(folder.path()).unwrap());
        let mut expected = BTreeMap::new();
        let mut height = 0;
        let mut write = |state: &mut Unapplied, key: &str, value: Option<&str>| {
            state.add(&head(height), writes(&[(key, value)]));
            state.apply(Height(height)).unwrap();
            height += 1;
            match value {
                Some(value) => expected.insert(key.as_bytes().to_vec(), value.as_bytes().to_vec()),
                None => expected.remove(key.as_bytes()),
            };
            // Other ranges in between, at times more than are remembered.
            for other in 0..(height % 2) as u8 * 20 {
                state.range(&[b'a', other], b"z", 1);
            }
            let all: Vec<(Vec<u8>, Vec<u8>)> = expected.clone().into_iter().collect();
            assert_eq!(state.range(b"b", b"y", 9), all);
            assert_eq!(state.range(b"b", b"y", 1), all[..all.len().min(1)]);
            assert_eq!(
                StateView::get(&*state, key.as_bytes()),
                value.map(Into::into)
            );
        };
        write(&mut state, "m", Some("1"));
        write(&mut state, "m", None);
        write(&mut state, "t", Some("2"));
        write(&mut state, "c", Some("3"));
        write(&mut state, "p", Some("4"));
        write(&mut state, "c", None);
        write(&mut state, "p", None);
        write(&mut state, "d", Some("5"));
        write(&mut state, "t", None);
        write(&mut state, "d", None);
        write(&mut state, "x", Some("6"));
    }
}
