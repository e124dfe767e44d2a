//! Made-up patients and vital series, as a function of a seed.
//!
//! Patients come as FHIR R4 transaction Bundles of the same shape as Synthea's, one patient each, and
//! each patient depends on the seed and their number alone: any part of a large population can be made
//! by itself. Names, streets and towns are put together from syllables; every person, organization and
//! number is made up. Codes are real terms of SNOMED CT, LOINC, RxNorm and CVX.
//!
//! Of every 32 patients 12 have chronic sinusitis and 9 hypertension, so that of the default 32 the
//! first shows and the second hides under a small-cell threshold of 11 patients.

use crate::date::Day;
use crate::json::Json;

mod catalogue;
mod history;
mod names;
mod random;
mod resources;
mod vitals;

pub use vitals::{Course, vital_series};

/// What to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Everything is a function of this.
    pub seed: u64,
    /// Number of the first patient.
    pub first: usize,
    /// How many patients.
    pub patients: usize,
    /// The day after which nothing has happened yet.
    pub as_of: Day,
}

impl Default for Plan {
    /// 32 patients, as of 1 March 2021.
    fn default() -> Self {
        Self {
            seed: 1,
            first: 0,
            patients: 32,
            as_of: Day {
                year: 2021,
                month: 3,
                day: 1,
            },
        }
    }
}

/// How many organizations a population has: half of them at each of two hospitals by
/// [`crate::hospital::hospital_of`].
pub const ORGANIZATIONS: usize = 12;
/// How many practitioners each organization has.
pub const PRACTITIONERS_PER_ORGANIZATION: usize = 4;

/// The Bundles of the plan's patients, made one at a time.
pub fn patients(plan: &Plan) -> impl Iterator<Item = Json> + use<> {
    let plan = *plan;
    (plan.first..plan.first + plan.patients).map(move |number| patient(&plan, number))
}

/// The Bundle of the patient with this number; the plan's range does not matter.
pub fn patient(plan: &Plan, number: usize) -> Json {
    history::bundle(plan.seed, number, plan.as_of)
}

/// Whether the patient with this number has chronic sinusitis, and whether hypertension.
pub(crate) fn marked_diseases(seed: u64, number: usize) -> (bool, bool) {
    let place = (number.wrapping_mul(13) + (seed % 32) as usize) % 32;
    (place < 12, (10..19).contains(&place))
}

#[cfg(test)]
mod tests;
