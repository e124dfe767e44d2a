//! One record in 36 bytes. With its place in the table by record (5 to 10 bytes), 4 bytes in the list of each of its codes,
//! and 37 to 42 bytes for each person, a record of a population with a few records each takes about 80 bytes.

use clinical::brief::{AgeBand, RecordClass, Sex};
use contracts::RecordNumber;

/// What a search knows of one record.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The record.
    pub record: RecordNumber,
    /// Number of the person.
    pub person: u32,
    /// Number of the set of codes.
    pub codes: u32,
    /// Number of the hospital.
    pub hospital: u32,
    /// Year of the encounter, [`NO_YEAR`] where it is unknown.
    pub year: i16,
    /// Age at the encounter.
    pub age_band: Option<AgeBand>,
    /// Administrative sex.
    pub sex: Sex,
    /// Kind of the record.
    pub class: RecordClass,
}

/// Stands for an unknown year.
pub const NO_YEAR: i16 = i16::MIN;
/// FHIR's years have four digits.
const YEAR_MAX: i32 = 9_999;

/// A year as a row holds it.
pub fn year_of(year: Option<i32>) -> i16 {
    year.filter(|year| (0..=YEAR_MAX).contains(year))
        .map_or(NO_YEAR, |year| year as i16)
}

/// A bound on years as rows hold them.
pub fn year_within(year: u16) -> i16 {
    i16::try_from(year).unwrap_or(i16::MAX)
}

/// Places in five-year steps: 0 for 0 to 4; the last for unknown.
pub const FIVE_YEARS: usize = YEAR_MAX as usize / 5 + 2;

impl Row {
    /// Its place in five-year steps.
    pub fn five_years(&self) -> usize {
        match u16::try_from(self.year) {
            Ok(year) => usize::from(year) / 5,
            Err(_) => FIVE_YEARS - 1,
        }
    }
}
