//! The rows that count, in memory: what a search reads. Rebuilt from the database at start, kept up to date after each
//! committed block. About 100 bytes a record.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use clinical::brief::Brief;
use contracts::RecordNumber;
use ledger::{Digest, LedgerId};

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

/// What matches.
pub struct Matches<'a> {
    entries: Vec<&'a Entry>,
}

/// All rows that count.
#[derive(Default)]
pub struct SearchIndex {
    entries: Vec<Option<Entry>>,
    places: HashMap<RecordNumber, usize>,
    by_code: HashMap<String, Vec<usize>>,
}

impl SearchIndex {
    /// Adds a record, or replaces what was known of it.
    pub fn put(&mut self, entry: Entry) {
        self.remove(&entry.record);
        let place = self.entries.len();
        for code in entry
            .brief
            .snomed
            .iter()
            .chain(&entry.brief.icd10)
            .cloned()
            .chain(entry.brief.icd10_categories())
        {
            let places = self.by_code.entry(code).or_default();
            if places.last() != Some(&place) {
                places.push(place);
            }
        }
        self.places.insert(entry.record, place);
        self.entries.push(Some(entry));
    }

    /// Forgets a record.
    pub fn remove(&mut self, record: &RecordNumber) {
        if let Some(place) = self.places.remove(record) {
            self.entries[place] = None;
        }
    }

    /// The records that a query means, by record number.
    pub fn search(&self, query: &Query<'_>) -> Matches<'_> {
        let places: HashSet<usize> = query
            .codes
            .iter()
            .filter_map(|code| self.by_code.get(code))
            .flatten()
            .copied()
            .collect();
        let in_years = |entry: &&Entry| {
            let year = entry.brief.year;
            query
                .from_year
                .is_none_or(|from| year.is_some_and(|year| year >= i32::from(from)))
                && query
                    .until_year
                    .is_none_or(|until| year.is_some_and(|year| year <= i32::from(until)))
        };
        let mut entries: Vec<&Entry> = places
            .into_iter()
            .filter_map(|place| self.entries[place].as_ref())
            .filter(in_years)
            .collect();
        entries.sort_unstable_by_key(|entry| entry.record);
        Matches { entries }
    }
}

impl<'a> Matches<'a> {
    /// Distinct persons.
    pub fn persons(&self) -> u64 {
        self.entries
            .iter()
            .map(|entry| entry.person)
            .collect::<HashSet<_>>()
            .len() as u64
    }

    /// Distinct persons by a dimension's value.
    pub fn persons_by(&self, dimension: Dimension) -> BTreeMap<String, u64> {
        let mut cells: BTreeMap<String, HashSet<Digest>> = BTreeMap::new();
        for entry in &self.entries {
            cells
                .entry(dimension.value(entry))
                .or_default()
                .insert(entry.person);
        }
        cells
            .into_iter()
            .map(|(value, persons)| (value, persons.len() as u64))
            .collect()
    }

    /// At most `limit` entries after a record number.
    pub fn after(&self, record: Option<RecordNumber>, limit: usize) -> &[&'a Entry] {
        let start = record.map_or(0, |record| {
            self.entries.partition_point(|entry| entry.record <= record)
        });
        &self.entries[start..(start + limit).min(self.entries.len())]
    }
}

/// By what an answer is broken down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dimension {
    /// The hospital.
    Hospital,
    /// Age at the encounter, in bands.
    AgeBand,
    /// Administrative sex.
    Sex,
    /// Five years of the encounter.
    Years,
}

impl Dimension {
    /// All of them.
    pub const ALL: [Dimension; 4] = [
        Dimension::Hospital,
        Dimension::AgeBand,
        Dimension::Sex,
        Dimension::Years,
    ];

    /// Its name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Dimension::Hospital => "hospital",
            Dimension::AgeBand => "age_band",
            Dimension::Sex => "sex",
            Dimension::Years => "years",
        }
    }

    /// An entry's value.
    pub fn value(self, entry: &Entry) -> String {
        match self {
            Dimension::Hospital => entry.hospital.to_string(),
            Dimension::AgeBand => entry
                .brief
                .age_band
                .map_or_else(|| "unknown".to_owned(), |band| band.text()),
            Dimension::Sex => entry.brief.sex.text().to_owned(),
            Dimension::Years => entry
                .brief
                .year
                .map_or_else(|| "unknown".to_owned(), five_years),
        }
    }
}

fn five_years(year: i32) -> String {
    let first = year.div_euclid(5) * 5;
    format!("{first}-{}", first + 4)
}

#[cfg(test)]
mod tests {
    use clinical::brief::{RecordClass, Sex};

    use super::*;

    fn entry(record: u8, person: u8, code: &str, year: i32) -> Entry {
        Entry {
            record: RecordNumber([record; 16]),
            person: Digest([person; 32]),
            hospital: LedgerId([1; 16]),
            brief: Brief {
                snomed: BTreeSet::from([code.to_owned()]),
                icd10: BTreeSet::new(),
                age_band: None,
                sex: Sex::Female,
                year: Some(year),
                class: RecordClass::Ambulatory,
                hospital: String::new(),
            },
        }
    }

    fn codes(code: &str) -> BTreeSet<String> {
        BTreeSet::from([code.to_owned()])
    }

    #[test]
    fn persons_are_counted_once_however_many_records_they_have() {
        let mut index = SearchIndex::default();
        for (record, person) in [(1, 1), (2, 1), (3, 2)] {
            index.put(entry(record, person, "40055000", 2011));
        }
        let codes = codes("40055000");
        let matches = index.search(&Query {
            codes: &codes,
            from_year: None,
            until_year: None,
        });
        assert_eq!((matches.persons(), matches.after(None, 10).len()), (2, 3));
        assert_eq!(
            matches.persons_by(Dimension::Years),
            BTreeMap::from([("2010-2014".to_owned(), 2)])
        );
    }

    #[test]
    fn a_new_version_replaces_the_old_one_and_a_removed_record_is_not_found() {
        let mut index = SearchIndex::default();
        index.put(entry(1, 1, "40055000", 2011));
        index.put(entry(1, 1, "38341003", 2011));
        let found = |index: &SearchIndex, code: &str| {
            index
                .search(&Query {
                    codes: &codes(code),
                    from_year: None,
                    until_year: None,
                })
                .persons()
        };
        assert_eq!(
            (found(&index, "40055000"), found(&index, "38341003")),
            (0, 1)
        );
        index.remove(&RecordNumber([1; 16]));
        assert_eq!(found(&index, "38341003"), 0);
    }

    #[test]
    fn years_bound_the_search_inclusively_and_pages_go_on_after_a_record() {
        let mut index = SearchIndex::default();
        for record in 1..=5 {
            index.put(entry(record, record, "40055000", 2009 + i32::from(record)));
        }
        let codes = codes("40055000");
        let matches = index.search(&Query {
            codes: &codes,
            from_year: Some(2011),
            until_year: Some(2013),
        });
        let numbers = |entries: &[&Entry]| {
            entries
                .iter()
                .map(|entry| entry.record.0[0])
                .collect::<Vec<_>>()
        };
        assert_eq!(numbers(matches.after(None, 2)), [2, 3]);
        assert_eq!(numbers(matches.after(Some(RecordNumber([3; 16])), 2)), [4]);
    }
}
