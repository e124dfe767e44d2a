//! Index: disease search with brief, de-identified answers.
//!
//! A hospital hands in a row before it registers the record; the row counts once the ledger has the record and its
//! index commitment opens with the row. Rooms: `api/` (one file a use case), `projections/` (which rows count),
//! `search` (the rows in memory), `suppression` (small cells and their complements).

mod api;
mod migrations;
mod projections;
mod search;
mod service;
mod suppression;

pub use service::{Config, run};
