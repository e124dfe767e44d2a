//! The state as execution sees it: what executed blocks wrote and is not in the store yet, over the store. Until it is there, a
//! block may be taken back.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, VecDeque};

use execution::{ChainHead, StateView};
use ledger::{EpochDescription, Height, WriteSet};

use crate::state::{self, Changes, StateError, StateStore};

/// How many values that were read from the store are kept at most.
const READ_MAX: usize = 32_768;

/// How many ranges are remembered.
const RANGES_MAX: usize = 16;

/// How many entries of a range are read at once at least.
const READ_ON: usize = 64;

/// How many entries of a range that grows at its beginning are kept at most.
const RANGE_MAX: usize = 4_096;

/// An executed block whose writes are not in the store.
struct Executed {
    head: ChainHead,
    /// The order by which it was executed, if it was by one.
    run: Option<u64>,
    /// The epoch that it announces.
    announced: Option<EpochDescription>,
    /// Ascending by key.
    writes: WriteSet,
    changes: Changes,
}

/// A block whose writes went into the store.
pub struct Applied {
    /// Its height.
    pub height: Height,
    /// What it changed, for the state tree.
    pub changes: Changes,
    /// The epoch that it announces.
    pub announced: Option<EpochDescription>,
}

/// Writes of executed blocks over the store.
pub struct Unapplied {
    store: StateStore,
    /// The newest block in the store, and its order.
    applied: (ChainHead, Option<u64>),
    /// The newest write of each key, and the height that made it.
    writes: HashMap<Vec<u8>, (u64, Option<Vec<u8>>)>,
    /// By height.
    blocks: VecDeque<Executed>,
    /// Values as the store has them, or that it has none: members are read for every transaction of theirs.
    read: RefCell<HashMap<Vec<u8>, Option<Vec<u8>>>>,
    /// The ranges that were asked for.
    ranges: RefCell<Vec<Range>>,
}

/// The beginning of a range as the store has it. What was deleted there costs the store a step each until it is compacted,
/// and the deadlines of all that is done are deleted from the front of one range.
struct Range {
    from: Vec<u8>,
    until: Vec<u8>,
    /// Everything that the store has from `from` on, below `end`.
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
    end: Vec<u8>,
}

impl Range {
    /// Reads on until there are at least `count` entries, or all.
    fn read_on(&mut self, store: &StateStore, count: usize) {
        if self.entries.len() >= count || self.end >= self.until {
            return;
        }
        let wanted = count.saturating_sub(self.entries.len()).max(READ_ON);
        let found = store.range(&self.end, &self.until, wanted);
        self.end = match found.last() {
            Some((last, _)) if found.len() == wanted => [last.as_slice(), &[0]].concat(),
            _ => self.until.clone(),
        };
        self.entries.extend(found);
    }

    /// The store has another value under this key now, or none.
    fn note(&mut self, key: &[u8], value: Option<&[u8]>) {
        if key < self.from.as_slice() || key >= self.end.as_slice() {
            return;
        }
        match value {
            Some(value) => self.entries.insert(key.to_vec(), value.to_vec()),
            None => self.entries.remove(key),
        };
        if self.entries.len() > RANGE_MAX
            && let Some((key, _)) = self.entries.pop_last()
        {
            self.end = key;
        }
    }
}

impl Unapplied {
    /// Nothing written yet over the store, which stands at `head`.
    pub fn over(store: StateStore, head: ChainHead) -> Unapplied {
        Unapplied {
            store,
            applied: (head, None),
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

    /// The order by which the newest block was executed, if it was by one.
    pub fn newest_run(&self) -> Option<u64> {
        self.blocks
            .back()
            .map_or(self.applied.1, |executed| executed.run)
    }

    /// Takes the writes of the next executed block, the order by which it was executed, and the epoch that it announces.
    pub fn add(
        &mut self,
        head: &ChainHead,
        run: Option<u64>,
        announced: Option<EpochDescription>,
        writes: WriteSet,
    ) {
        note_writes(&mut self.writes, head.height, &writes);
        let changes = state::hashed(&writes);
        self.blocks.push_back(Executed {
            head: head.clone(),
            run,
            announced,
            writes,
            changes,
        });
    }

    /// Drops the blocks above `height`; gives the head that is left.
    pub fn take_back_to(&mut self, height: Height) -> ChainHead {
        while let Some(newest) = self.blocks.back()
            && newest.head.height > height
        {
            self.blocks.pop_back();
        }
        self.writes.clear();
        for executed in &self.blocks {
            note_writes(&mut self.writes, executed.head.height, &executed.writes);
        }
        let newest = self.blocks.back().map(|executed| &executed.head);
        newest.unwrap_or(&self.applied.0).clone()
    }

    /// Moves everything up to `height` into the store; gives those blocks, by height.
    ///
    /// # Errors
    /// [`StateError`]: the process must stop.
    pub fn apply(&mut self, height: Height) -> Result<Vec<Applied>, StateError> {
        let mut applied = Vec::new();
        while self
            .blocks
            .front()
            .is_some_and(|executed| executed.head.height <= height)
        {
            let Some(Executed {
                head,
                run,
                announced,
                writes,
                changes,
            }) = self.blocks.pop_front()
            else {
                break;
            };
            self.store.apply(&head, &writes, &changes)?;
            for (key, value) in &writes.0 {
                self.read.get_mut().remove(key);
                for range in self.ranges.get_mut() {
                    range.note(key, value.as_deref());
                }
                if self
                    .writes
                    .get(key)
                    .is_some_and(|(newest, _)| *newest == head.height.0)
                {
                    self.writes.remove(key);
                }
            }
            applied.push(Applied {
                height: head.height,
                changes,
                announced,
            });
            self.applied = (head, run);
        }
        Ok(applied)
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
        let place = known.unwrap_or_else(|| {
            if ranges.len() >= RANGES_MAX {
                ranges.clear();
            }
            ranges.push(Range {
                from: from.to_vec(),
                until: until.to_vec(),
                entries: BTreeMap::new(),
                end: from.to_vec(),
            });
            ranges.len() - 1
        });
        let range = &mut ranges[place];
        range.read_on(&self.store, limit);
        let entries = range.entries.iter().take(limit);
        entries
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    /// What blocks wrote in a range, the newest of each key.
    fn written(&self, from: &[u8], until: &[u8]) -> BTreeMap<&[u8], Option<&[u8]>> {
        let mut written = BTreeMap::new();
        for Executed { writes, .. } in &self.blocks {
            let start = writes.0.partition_point(|(key, _)| key.as_slice() < from);
            let inside = writes.0[start..].iter();
            for (key, value) in inside.take_while(|(key, _)| key.as_slice() < until) {
                written.insert(key.as_slice(), value.as_deref());
            }
        }
        written
    }
}

fn note_writes(
    newest: &mut HashMap<Vec<u8>, (u64, Option<Vec<u8>>)>,
    height: Height,
    writes: &WriteSet,
) {
    for (key, value) in &writes.0 {
        newest.insert(key.clone(), (height.0, value.clone()));
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

    fn over(folder: &tempfile::TempDir) -> Unapplied {
        Unapplied::over(StateStore::open(folder.path()).unwrap(), head(0))
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
        let mut state = over(&folder);
        state.add(
            &head(0),
            None,
            None,
            writes(&[("a", Some("1")), ("c", Some("3"))]),
        );
        state.add(
            &head(1),
            None,
            None,
            writes(&[("a", None), ("b", Some("2"))]),
        );
        state.add(
            &head(2),
            None,
            None,
            writes(&[("c", Some("33")), ("d", Some("4"))]),
        );
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
        let mut state = over(&folder);
        let mut expected = BTreeMap::new();
        let mut height = 0;
        let mut write = |state: &mut Unapplied, key: &str, value: Option<&str>| {
            state.add(&head(height), None, None, writes(&[(key, value)]));
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

    /// One block of the test below: writes (a key, and whether it has a value), how many keys are deleted from the front,
    /// whether it is kept in the store, and how many entries are asked for.
    type Step = (Vec<(u16, bool)>, usize, bool, usize);

    fn step() -> impl proptest::strategy::Strategy<Value = Step> {
        use proptest::prelude::*;
        let writes = prop::collection::vec((0_u16..400, any::<bool>()), 0..60);
        let limit = prop::sample::select(vec![1_usize, 3, 70, 1_000]);
        (writes, 0_usize..40, any::<bool>(), limit)
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(16))]

        #[test]
        fn a_long_range_is_what_was_written_whatever_is_deleted_and_whenever_it_is_asked_for(
            steps in proptest::collection::vec(step(), 1..60),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut state = over(&folder);
            let mut expected: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
            for ((written, passed, is_kept, limit), height) in steps.into_iter().zip(0..) {
                let mut block: BTreeMap<Vec<u8>, Option<Vec<u8>>> = written
                    .into_iter()
                    .map(|(key, has_value)| {
                        let value = has_value.then(|| vec![height as u8]);
                        (format!("r{key:03}").into_bytes(), value)
                    })
                    .collect();
                // Deadlines pass from the front.
                block.extend(expected.keys().take(passed).map(|key| (key.clone(), None)));
                for (key, value) in &block {
                    match value {
                        Some(value) => drop(expected.insert(key.clone(), value.clone())),
                        None => drop(expected.remove(key)),
                    }
                }
                state.add(&head(height), None, None, WriteSet(block.into_iter().collect()));
                if is_kept {
                    state.apply(Height(height)).unwrap();
                }
                let all: Vec<(Vec<u8>, Vec<u8>)> = expected.clone().into_iter().collect();
                let first = all[..all.len().min(limit)].to_vec();
                proptest::prop_assert_eq!(state.range(b"r", b"s", limit), first);
            }
        }
    }
}
