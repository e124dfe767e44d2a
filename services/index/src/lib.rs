//! Index: disease search with brief, de-identified answers.
//!
//! A hospital hands in a row before it registers the record; the row counts once the ledger has the record and its
//! index commitment opens with the row. Rooms: `api/` (one file a use case), `projections/` (which rows count),
//! `search` (the rows in memory), `suppression` (small cells and their complements), `differencing` (what several answers say together). `filling` makes a large database for
//! measurements, `rebuilding` rebuilds the projection for them.

mod api;
mod differencing;
pub mod filling;
mod migrations;
mod projections;
mod rebuilding;
mod search;
mod service;
mod suppression;

pub use rebuilding::rebuild;
pub use service::{Config, run};
