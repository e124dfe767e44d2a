//! The rows that count, in memory: what a search reads. Rebuilt from the database at start, kept up to date after each
//! committed block. About 80 bytes a record: [`rows`] says where they go. [`matches`] is what one search does with them.

mod matches;
mod numbers;
mod rows;

use std::collections::{BTreeSet, HashMap};

use clinical::brief::Brief;
use contracts::RecordNumber;
use ledger::{Digest, LedgerId};

pub use matches::{Dimension, Found, Matches};
use numbers::Numbers;
use rows::Row;

/// What a search knows of one record.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The record.
    pub record: RecordNumber,
    /// The person, for counting.
    pub person: Digest,
    /// The hospital.
    pub hospital: LedgerId,
    /// The brief facts.
    pub brief: Brief,
}

/// Which records a search means.
pub struct Query<'a> {
    /// SNOMED CT or ICD-10 codes, any of which matches.
    pub codes: &'a BTreeSet<String>,
    /// First year, inclusive.
    pub from_year: Option<u16>,
    /// Last year, inclusive.
    pub until_year: Option<u16>,
}

/// All rows that count.
#[derive(Default)]
pub struct SearchIndex {
    /// By place; the places in `free` hold nothing.
    rows: Vec<Row>,
    free: Vec<u32>,
    /// Places by record.
    places: hashbrown::HashTable<u32>,
    persons: Numbers<Digest>,
    hospitals: Numbers<LedgerId>,
    /// The sets of codes that records have; most records share theirs with others.
    code_sets: Numbers<Box<[u32]>>,
    codes: HashMap<Box<str>, u32>,
    /// Places by code, each list ascending by person and place: one person's records lie together, so that persons are
    /// counted without remembering them.
    by_code: Vec<Vec<u32>>,
    hasher: std::hash::RandomState,
}

impl SearchIndex {
    /// Adds a record, or replaces what was known of it.
    pub fn put(&mut self, entry: &Entry) {
        self.remove(&entry.record);
        let row = self.row(entry);
        let place = match self.free.pop() {
            Some(place) => {
                self.rows[place as usize] = row;
                place
            }
            None => {
                self.rows.push(row);
                u32::try_from(self.rows.len() - 1).expect("fewer than 2^32 records")
            }
        };
        self.enter_place(place);
        for code in self.code_sets.get(row.codes) {
            let list = &mut self.by_code[*code as usize];
            let at = order(&self.rows, list, (row.person, place));
            list.insert(at, place);
        }
    }

    /// Forgets a record.
    pub fn remove(&mut self, record: &RecordNumber) {
        let hash = self.hash(record);
        let same = |place: &u32| self.rows[*place as usize].record == *record;
        let Ok(found) = self.places.find_entry(hash, same) else {
            return;
        };
        let place = found.remove().0;
        let row = self.rows[place as usize];
        for code in self.code_sets.get(row.codes) {
            let list = &mut self.by_code[*code as usize];
            let at = order(&self.rows, list, (row.person, place));
            if list.get(at) == Some(&place) {
                list.remove(at);
            }
        }
        self.free.push(place);
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// The records that a query means.
    pub fn search(&self, query: &Query<'_>) -> Matches<'_> {
        let lists = query
            .codes
            .iter()
            .filter_map(|code| self.codes.get(code.as_str()))
            .map(|code| &self.by_code[*code as usize][..])
            .collect();
        let years = (
            query.from_year.map_or(i16::MIN, rows::year_within),
            query.until_year.map_or(i16::MAX, rows::year_within),
        );
        Matches::new(self, lists, years)
    }

    fn row(&mut self, entry: &Entry) -> Row {
        let brief = &entry.brief;
        let codes: BTreeSet<u32> = brief
            .snomed
            .iter()
            .chain(&brief.icd10)
            .cloned()
            .chain(brief.icd10_categories())
            .map(|code| self.code(code))
            .collect();
        let codes = codes.into_iter().collect::<Vec<u32>>().into_boxed_slice();
        Row {
            record: entry.record,
            person: self.persons.of(entry.person),
            codes: self.code_sets.of(codes),
            hospital: self.hospitals.of(entry.hospital),
            year: rows::year_of(brief.year),
            age_band: brief.age_band,
            sex: brief.sex,
            class: brief.class,
        }
    }

    fn code(&mut self, code: String) -> u32 {
        let next = self.by_code.len() as u32;
        let number = *self.codes.entry(code.into_boxed_str()).or_insert(next);
        if number == next {
            self.by_code.push(Vec::new());
        }
        number
    }

    fn enter_place(&mut self, place: u32) {
        let (rows, hasher) = (&self.rows, &self.hasher);
        let hash = |place: &u32| {
            use std::hash::BuildHasher as _;
            hasher.hash_one(rows[*place as usize].record)
        };
        self.places.insert_unique(hash(&place), place, hash);
    }

    fn hash(&self, record: &RecordNumber) -> u64 {
        use std::hash::BuildHasher as _;
        self.hasher.hash_one(record)
    }
}

/// Where a record stands, or would stand, in a code's list.
fn order(rows: &[Row], list: &[u32], (person, place): (u32, u32)) -> usize {
    list.partition_point(|other| (rows[*other as usize].person, *other) < (person, place))
}

/// An index that is being filled with many records at once, each given once.
#[derive(Default)]
pub struct Filling(SearchIndex);

impl Filling {
    /// Adds a record.
    pub fn add(&mut self, entry: &Entry) {
        let row = self.0.row(entry);
        self.0.rows.push(row);
    }

    /// The index. Rows come to lie in the order of the lists, which a search then reads from front to back.
    pub fn finish(self) -> SearchIndex {
        let mut index = self.0;
        index
            .rows
            .sort_unstable_by_key(|row| (row.person, row.record));
        index.rows.shrink_to_fit();
        let count = u32::try_from(index.rows.len()).expect("fewer than 2^32 records");
        index.places = hashbrown::HashTable::with_capacity(index.rows.len());
        for place in 0..count {
            index.enter_place(place);
            for code in index.code_sets.get(index.rows[place as usize].codes) {
                index.by_code[*code as usize].push(place);
            }
        }
        index
    }
}

#[cfg(test)]
mod tests;
