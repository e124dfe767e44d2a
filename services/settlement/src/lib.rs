//! Settlement: accounts and statements, deposits and withdrawals, coverage, rules, claims.
//!
//! All money moves in the settlement contract; this service prepares commands and shows what was committed.
//! Rooms: `api/` (one file a use case), `projections/` (the books and the claims, folded from the ledger).

mod api;
mod migrations;
mod projections;
mod rebuilding;
mod service;

pub use rebuilding::rebuild;
pub use service::{Config, run};
