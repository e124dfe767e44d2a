//! What one search finds: persons, persons by dimension, and a page of records in an order of the applicant's own.

use std::collections::BTreeMap;

use clinical::brief::{AgeBand, RecordClass, Sex};
use keys::pseudonym::Pseudonyms;
use ledger::LedgerId;

use super::SearchIndex;
use super::rows::{FIVE_YEARS, NO_YEAR, Row};

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
}

/// Distinct persons by the values of a dimension.
pub type Cells = BTreeMap<String, u64>;

/// What matches, ascending by person.
pub struct Matches<'a> {
    index: &'a SearchIndex,
    rows: Vec<Row>,
    /// Where each row lies in the index; ascending for one person.
    places: Vec<u32>,
}

/// One record of a page.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// Its pseudonym for this applicant.
    pub pseudonym: [u8; 16],
    /// Its values, in the order of [`Dimension::ALL`].
    pub values: [String; 4],
    /// The hospital.
    pub hospital: LedgerId,
    /// Kind of the record.
    pub class: RecordClass,
}

const SEXES: [Sex; 4] = [Sex::Male, Sex::Female, Sex::Other, Sex::Unknown];
/// Ten bands, and one for unknown.
const AGE_BANDS: usize = 11;

impl<'a> Matches<'a> {
    /// Joins the lists of several codes; each is ascending by person and place.
    pub(super) fn new(
        index: &'a SearchIndex,
        lists: Vec<&[u32]>,
        (from_year, until_year): (i16, i16),
    ) -> Matches<'a> {
        let bounded = from_year > NO_YEAR || until_year < i16::MAX;
        let joined;
        let places = match lists[..] {
            [one] => one,
            ref many => {
                joined = join(index, many);
                &joined
            }
        };
        let (rows, places) = places
            .iter()
            .map(|place| (index.rows[*place as usize], *place))
            .filter(|(row, _)| {
                !bounded || row.year != NO_YEAR && (from_year..=until_year).contains(&row.year)
            })
            .unzip();
        Matches {
            index,
            rows,
            places,
        }
    }

    /// Distinct persons with a record here that is in none of the others, which are of the same index.
    pub fn persons_in_none_of(&self, others: &[&Matches<'_>]) -> u64 {
        let mut reached = vec![0; others.len()];
        let (mut persons, mut last) = (0, None);
        for (row, place) in self.rows.iter().zip(&self.places) {
            let wanted = (row.person, *place);
            let mut found = false;
            for (other, at) in others.iter().zip(&mut reached) {
                let key = |at: usize| Some((other.rows.get(at)?.person, *other.places.get(at)?));
                while key(*at).is_some_and(|key| key < wanted) {
                    *at += 1;
                }
                found |= key(*at) == Some(wanted);
            }
            if !found && last != Some(row.person) {
                persons += 1;
                last = Some(row.person);
            }
        }
        persons
    }

    /// Whether every record here is in the other as well.
    pub fn is_within(&self, other: &Matches<'_>) -> bool {
        self.rows.len() <= other.rows.len() && self.persons_in_none_of(&[other]) == 0
    }

    /// Distinct persons.
    pub fn persons(&self) -> u64 {
        let changes = self
            .rows
            .windows(2)
            .filter(|pair| pair[0].person != pair[1].person);
        changes.count() as u64 + u64::from(!self.rows.is_empty())
    }

    /// Distinct persons by the values of each dimension, in the order of [`Dimension::ALL`].
    pub fn persons_by_dimension(&self) -> [Cells; 4] {
        let mut hospitals = Counts::new(self.index.hospitals.len());
        let mut age_bands = Counts::new(AGE_BANDS);
        let mut sexes = Counts::new(SEXES.len());
        let mut years = Counts::new(FIVE_YEARS);
        for row in &self.rows {
            hospitals.add(row.hospital as usize, row.person);
            age_bands.add(age_place(row.age_band), row.person);
            sexes.add(row.sex as usize, row.person);
            years.add(row.five_years(), row.person);
        }
        [
            hospitals.cells(|place| self.index.hospitals.get(place as u32).to_string()),
            age_bands.cells(|place| age_text(AgeBand::from_code(place as u8))),
            sexes.cells(|place| {
                let of_place = SEXES.into_iter().find(|sex| *sex as usize == place);
                of_place.unwrap_or(Sex::Unknown).text().to_owned()
            }),
            years.cells(years_text),
        ]
    }

    /// At most `limit` records whose pseudonyms come after `after`, ascending by pseudonym, and whether there are more.
    ///
    /// The order is each applicant's own and says nothing about the records: by record number, two applicants could match
    /// their answers by position, and a position would tell where about in the ledger a record stands.
    pub fn page(
        &self,
        pseudonyms: &Pseudonyms,
        after: Option<[u8; 16]>,
        limit: usize,
    ) -> (Vec<Found>, bool) {
        let mut candidates: Vec<([u8; 16], usize)> = Vec::with_capacity(2 * limit + 2);
        let mut bound = [u8::MAX; 16];
        let mut place = 0;
        let records = self.rows.iter().map(|row| row.record.0);
        pseudonyms.of_ids(records, |pseudonym| {
            if pseudonym <= bound && after.is_none_or(|after| pseudonym > after) {
                candidates.push((pseudonym, place));
                if candidates.len() == candidates.capacity() {
                    candidates.select_nth_unstable(limit);
                    candidates.truncate(limit + 1);
                    bound = candidates[limit].0;
                }
            }
            place += 1;
        });
        candidates.sort_unstable();
        let more = candidates.len() > limit;
        candidates.truncate(limit);
        let found = candidates
            .into_iter()
            .map(|(pseudonym, place)| self.found(pseudonym, &self.rows[place]))
            .collect();
        (found, more)
    }

    fn found(&self, pseudonym: [u8; 16], row: &Row) -> Found {
        let hospital = *self.index.hospitals.get(row.hospital);
        Found {
            pseudonym,
            values: [
                hospital.to_string(),
                age_text(row.age_band),
                row.sex.text().to_owned(),
                years_text(row.five_years()),
            ],
            hospital,
            class: row.class,
        }
    }
}

fn join(index: &SearchIndex, lists: &[&[u32]]) -> Vec<u32> {
    let mut keys: Vec<u64> = Vec::with_capacity(lists.iter().map(|list| list.len()).sum());
    for list in lists {
        keys.extend(
            list.iter().map(|place| {
                u64::from(index.rows[*place as usize].person) << 32 | u64::from(*place)
            }),
        );
    }
    // Stable sorting merges the ascending runs it finds.
    keys.sort();
    keys.dedup();
    keys.into_iter().map(|key| key as u32).collect()
}

/// Distinct persons by value, for persons that come one after the other.
struct Counts {
    persons: Vec<u64>,
    /// The person last counted; the largest number is never given out.
    last: Vec<u32>,
}

impl Counts {
    fn new(values: usize) -> Counts {
        Counts {
            persons: vec![0; values],
            last: vec![u32::MAX; values],
        }
    }

    fn add(&mut self, value: usize, person: u32) {
        if self.last[value] != person {
            self.last[value] = person;
            self.persons[value] += 1;
        }
    }

    fn cells(&self, text: impl Fn(usize) -> String) -> Cells {
        let counted = self.persons.iter().enumerate();
        counted
            .filter(|(_, persons)| **persons > 0)
            .map(|(value, persons)| (text(value), *persons))
            .collect()
    }
}

fn age_place(band: Option<AgeBand>) -> usize {
    band.map_or(AGE_BANDS - 1, |band| usize::from(band.code()))
}

fn age_text(band: Option<AgeBand>) -> String {
    band.map_or_else(|| "unknown".to_owned(), AgeBand::text)
}

fn years_text(place: usize) -> String {
    if place == FIVE_YEARS - 1 {
        return "unknown".to_owned();
    }
    format!("{}-{}", place * 5, place * 5 + 4)
}
