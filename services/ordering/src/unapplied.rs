//! The state as execution sees it: what executed blocks wrote and is not in the store yet, over the store. Until it is certified, a
//! block may be taken back; what is certified stays here until it is stored.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use execution::{ChainHead, StateView};
use ledger::{EpochDescription, Height};

use crate::newest_writes::NewestWrites;
use crate::state::{BlockWrites, StateStore};

/// How many values that were read from the store are kept at most.
const READ_MAX: usize = 32_768;

/// How many ranges are remembered.
const RANGES_MAX: usize = 16;

/// How many entries of a range are read at once at least.
const READ_ON: usize = 64;

/// How many entries of a range that grows at its beginning are kept at most.
const RANGE_MAX: usize = 4_096;

/// An executed block that may give way.
struct Executed {
    block: Arc<BlockWrites>,
    /// The order by which it was executed, if it was by one.
    run: Option<u64>,
    /// The epoch that it announces.
    announced: Option<EpochDescription>,
}

/// A block that stays.
pub struct Certified {
    /// What it wrote.
    pub block: Arc<BlockWrites>,
    /// The epoch that it announces.
    pub announced: Option<EpochDescription>,
}

/// Writes of executed blocks over the store.
pub struct Unapplied {
    store: StateStore,
    /// The newest certified block, and its order.
    newest_certified: (ChainHead, Option<u64>),
    /// The newest write of each key, of all blocks here.
    writes: NewestWrites,
    /// Blocks that may give way, by height.
    blocks: VecDeque<Executed>,
    /// Certified blocks that the store lacks, by height.
    unstored: VecDeque<Arc<BlockWrites>>,
    /// The same, in order of keys.
    ordered: RefCell<Ordered>,
    /// Values as the store has them, or that it has none: members are read for every transaction of theirs.
    read: RefCell<HashMap<Vec<u8>, Option<Vec<u8>>>>,
    /// The ranges that were asked for.
    ranges: RefCell<Vec<Range>>,
}

/// How much of the beginning of a key tells where ranges are read: the number of its contract.
const ORDERED_PREFIX: usize = 2;

/// Writes of certified blocks that the store lacks, in order of keys: of those contracts whose ranges are read. (Most keys are
/// records', and are read one by one.)
#[derive(Default)]
struct Ordered {
    prefixes: Vec<Vec<u8>>,
    /// The newest write of each key, and the height that made it.
    writes: BTreeMap<Vec<u8>, (u64, Option<Vec<u8>>)>,
}

impl Ordered {
    /// Begins to hold what a range may show.
    fn cover(&mut self, from: &[u8], until: &[u8], unstored: &VecDeque<Arc<BlockWrites>>) {
        let common = from.iter().zip(until).take_while(|(a, b)| a == b).count();
        let prefix = &from[..common.min(ORDERED_PREFIX)];
        if self.prefixes.iter().any(|known| prefix.starts_with(known)) {
            return;
        }
        self.prefixes.retain(|known| !known.starts_with(prefix));
        self.prefixes.push(prefix.to_vec());
        for block in unstored {
            self.take(prefix, block);
        }
    }

    fn take(&mut self, prefix: &[u8], block: &BlockWrites) {
        for (key, value) in with_prefix(block, prefix) {
            let write = (block.head.height.0, value.clone());
            self.writes.insert(key.clone(), write);
        }
    }

    fn add(&mut self, block: &BlockWrites) {
        let prefixes = std::mem::take(&mut self.prefixes);
        for prefix in &prefixes {
            self.take(prefix, block);
        }
        self.prefixes = prefixes;
    }

    fn forget(&mut self, block: &BlockWrites) {
        for prefix in &self.prefixes {
            for (key, _) in with_prefix(block, prefix) {
                if let Some((newest, _)) = self.writes.get(key)
                    && *newest == block.head.height.0
                {
                    self.writes.remove(key);
                }
            }
        }
    }
}

/// A block's writes under keys with this prefix.
fn with_prefix<'a>(
    block: &'a BlockWrites,
    prefix: &'a [u8],
) -> impl Iterator<Item = &'a (Vec<u8>, Option<Vec<u8>>)> {
    let writes = &block.writes.0;
    let start = writes.partition_point(|(key, _)| key.as_slice() < prefix);
    let inside = writes[start..].iter();
    inside.take_while(move |(key, _)| key.starts_with(prefix))
}

/// The beginning of a range as certified blocks left it. What was deleted there costs the store a step each until it is compacted,
/// and the deadlines of all that is done are deleted from the front of one range.
struct Range {
    from: Vec<u8>,
    until: Vec<u8>,
    /// Everything that there is from `from` on, below `end`.
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
    end: Vec<u8>,
}

impl Range {
    /// Reads on until there are at least `count` entries, or all.
    fn read_on(&mut self, store: &StateStore, unstored: &Ordered, count: usize) {
        while self.entries.len() < count && self.end < self.until {
            let wanted = (count - self.entries.len()).max(READ_ON);
            let found = store.range(&self.end, &self.until, wanted);
            let end = match found.last() {
                Some((last, _)) if found.len() == wanted => [last.as_slice(), &[0]].concat(),
                _ => self.until.clone(),
            };
            self.entries.extend(found);
            let bounds = (Bound::Included(&self.end), Bound::Excluded(&end));
            for (key, (_, value)) in unstored.writes.range::<Vec<u8>, _>(bounds) {
                match value {
                    Some(value) => self.entries.insert(key.clone(), value.clone()),
                    None => self.entries.remove(key),
                };
            }
            self.end = end;
        }
    }

    /// There is another value under this key now, or none.
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
            newest_certified: (head, None),
            writes: NewestWrites::default(),
            blocks: VecDeque::new(),
            unstored: VecDeque::new(),
            ordered: RefCell::default(),
            read: RefCell::default(),
            ranges: RefCell::default(),
        }
    }

    /// How many blocks wait to be certified.
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
            .map_or(self.newest_certified.1, |executed| executed.run)
    }

    /// Takes what the next executed block wrote, the order by which it was executed, and the epoch that it announces.
    pub fn add(
        &mut self,
        block: BlockWrites,
        run: Option<u64>,
        announced: Option<EpochDescription>,
    ) {
        let block = Arc::new(block);
        self.writes.add(&block);
        // What the store has is not asked for again before it has these.
        let read = self.read.get_mut();
        for (key, _) in &block.writes.0 {
            read.remove(key);
        }
        self.blocks.push_back(Executed {
            block,
            run,
            announced,
        });
    }

    /// Drops the blocks above `height`; gives the head that is left.
    pub fn take_back_to(&mut self, height: Height) -> ChainHead {
        while let Some(newest) = self.blocks.back()
            && newest.block.head.height > height
        {
            self.blocks.pop_back();
        }
        self.writes.clear();
        let executed = self.blocks.iter().map(|executed| &executed.block);
        for block in self.unstored.iter().chain(executed) {
            self.writes.add(block);
        }
        let newest = self.blocks.back().map(|executed| &executed.block.head);
        newest.unwrap_or(&self.newest_certified.0).clone()
    }

    /// Nothing up to `height` gives way any more; gives those blocks, by height.
    pub fn certify(&mut self, height: Height) -> Vec<Certified> {
        let mut certified = Vec::new();
        let is_certified = |next: &mut Executed| next.block.head.height <= height;
        while let Some(Executed {
            block,
            run,
            announced,
        }) = self.blocks.pop_front_if(is_certified)
        {
            for (key, value) in &block.writes.0 {
                for range in self.ranges.get_mut() {
                    range.note(key, value.as_deref());
                }
            }
            self.ordered.get_mut().add(&block);
            self.newest_certified = (block.head.clone(), run);
            self.unstored.push_back(block.clone());
            certified.push(Certified { block, announced });
        }
        certified
    }

    /// The store has the blocks below this height: so many of them are forgotten, the oldest first.
    pub fn forget_below(&mut self, stored_below: Height, count: usize) {
        self.writes.forget_below(stored_below);
        // The others are needed to find what these wrote.
        let below = self
            .writes
            .oldest()
            .map_or(stored_below, |oldest| oldest.min(stored_below));
        for _ in 0..count {
            let is_below = |next: &mut Arc<BlockWrites>| next.head.height < below;
            let Some(block) = self.unstored.pop_front_if(is_below) else {
                return;
            };
            self.ordered.get_mut().forget(&block);
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

    /// What certified blocks left in a range.
    fn certified(&self, from: &[u8], until: &[u8], limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut ordered = self.ordered.borrow_mut();
        ordered.cover(from, until, &self.unstored);
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
        range.read_on(&self.store, &ordered, limit);
        let entries = range.entries.iter().take(limit);
        entries
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    /// What blocks that may give way wrote in a range, the newest of each key.
    fn written(&self, from: &[u8], until: &[u8]) -> BTreeMap<&[u8], Option<&[u8]>> {
        let mut written = BTreeMap::new();
        for Executed { block, .. } in &self.blocks {
            let writes = &block.writes.0;
            let start = writes.partition_point(|(key, _)| key.as_slice() < from);
            let inside = writes[start..].iter();
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
            Some(value) => value.map(Into::into),
            None => self.read(key),
        }
    }

    fn range(&self, from: &[u8], until: &[u8], limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        if from >= until || limit == 0 {
            return Vec::new();
        }
        let written = self.written(from, until);
        let hidden = written.values().filter(|value| value.is_none()).count();
        let below = self.certified(from, until, limit.saturating_add(hidden));
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
    use ledger::{Digest, HistoryLog, Timestamp, WriteSet};

    use super::*;

    fn head(height: u64) -> ChainHead {
        ChainHead {
            height: Height(height),
            hash: Digest([1; 32]),
            time: Timestamp(height),
            history: HistoryLog::new(),
        }
    }

    fn block(height: u64, writes: WriteSet) -> BlockWrites {
        BlockWrites {
            head: head(height),
            writes,
            transactions: Vec::new(),
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
            block(0, writes(&[("a", Some("1")), ("c", Some("3"))])),
            None,
            None,
        );
        state.add(
            block(1, writes(&[("a", None), ("b", Some("2"))])),
            None,
            None,
        );
        state.add(
            block(2, writes(&[("c", Some("33")), ("d", Some("4"))])),
            None,
            None,
        );
        let expected = [("b", "2"), ("c", "33"), ("d", "4")]
            .map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec()));
        for kept in 0..=3_u64 {
            assert_eq!(state.len(), 3 - kept as usize);
            assert_eq!(state.range(b"a", b"z", 9), expected);
            assert_eq!(state.range(b"a", b"z", 2), expected[..2]);
            assert_eq!(StateView::get(&state, b"a"), None);
            assert_eq!(StateView::get(&state, b"c"), Some(b"33".to_vec()));
            let certified = state.certify(Height(kept));
            if let [block] = &certified[..] {
                state
                    .store
                    .keep(std::slice::from_ref(&block.block))
                    .unwrap();
            }
            // What the store has already may be forgotten later.
            state.forget_below(Height(kept), 1);
        }
        state.forget_below(Height(3), 3);
        assert!(state.is_empty() && state.writes.oldest().is_none() && state.unstored.is_empty());
        assert!(state.ordered.get_mut().writes.is_empty());
        assert_eq!(state.range(b"a", b"z", 9), expected);
    }

    #[test]
    fn a_range_is_the_same_however_often_it_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let mut state = over(&folder);
        let mut expected = BTreeMap::new();
        let mut height = 0;
        let mut write = |state: &mut Unapplied, key: &str, value: Option<&str>| {
            state.add(block(height, writes(&[(key, value)])), None, None);
            state.certify(Height(height));
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
    /// how far the blocks are kept: executed, certified, stored, or forgotten too; and how many entries are asked for.
    type Step = (Vec<(u16, bool)>, usize, u8, usize);

    fn step() -> impl proptest::strategy::Strategy<Value = Step> {
        use proptest::prelude::*;
        let writes = prop::collection::vec((0_u16..400, any::<bool>()), 0..60);
        let limit = prop::sample::select(vec![1_usize, 3, 70, 1_000]);
        (writes, 0_usize..40, 0_u8..4, limit)
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
            let mut unstored = Vec::new();
            for ((written, passed, kept, limit), height) in steps.into_iter().zip(0..) {
                let mut wrote: BTreeMap<Vec<u8>, Option<Vec<u8>>> = written
                    .into_iter()
                    .map(|(key, has_value)| {
                        let value = has_value.then(|| vec![height as u8]);
                        (format!("r{key:03}").into_bytes(), value)
                    })
                    .collect();
                // Deadlines pass from the front.
                wrote.extend(expected.keys().take(passed).map(|key| (key.clone(), None)));
                for (key, value) in &wrote {
                    match value {
                        Some(value) => drop(expected.insert(key.clone(), value.clone())),
                        None => drop(expected.remove(key)),
                    }
                }
                state.add(block(height, WriteSet(wrote.into_iter().collect())), None, None);
                if kept >= 1 {
                    let certified = state.certify(Height(height));
                    unstored.extend(certified.into_iter().map(|certified| certified.block));
                }
                if kept >= 2 {
                    state.store.keep(&std::mem::take(&mut unstored)).unwrap();
                }
                if kept >= 3 {
                    state.forget_below(Height(height + 1), 1 + passed % 3);
                }
                let all: Vec<(Vec<u8>, Vec<u8>)> = expected.clone().into_iter().collect();
                let first = all[..all.len().min(limit)].to_vec();
                proptest::prop_assert_eq!(state.range(b"r", b"s", limit), first);
            }
        }
    }
}
