//! From a FHIR Bundle to the rows of records.

mod content;
mod plan;
mod take_in;

pub use content::{ContentCheck, canonical_of_rows, check_content};
pub use plan::{Plan, PlannedClaim, PlannedRecord, plan, plan_single};
pub use take_in::Taken;
