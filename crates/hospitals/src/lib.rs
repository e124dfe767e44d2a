//! The hospitals that take part, as gateway and portal reach them.
//!
//! | module | what |
//! |---|---|
//! | [`lookup`] | from a hospital's ledger id to its name and records service |
//! | [`merged`] | one list of what all hospitals hold of a patient, a page at a time |

pub mod lookup;
pub mod merged;

pub use lookup::{Hospital, Hospitals, is_records_service};
pub use merged::{Merged, Place};
