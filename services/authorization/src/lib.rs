//! Authorization: applications, decisions, grants, and the delivery store that can't read what it keeps.
//!
//! Who may decide what, and when, is the authorization contract's business; this service prepares commands, keeps the
//! facts that are not on the ledger (the purpose in plain language, the ciphertexts), and shows what was committed to
//! those it concerns. Rooms: `api/` (one file a use case), `projections/` (the desk: items, grants, notices).

mod api;
mod filling;
mod migrations;
mod projections;
mod rebuilding;
mod rows;
mod service;

pub use filling::{Filled, fill};
pub use rebuilding::rebuild;
pub use service::{Config, run};
