//! The whole service over a real broker, the real contracts, its own database and the hospital's: only its neighbours
//! (identity, index, authorization) are doubles.

mod bundles;
mod clerks;
mod codes;
mod consortium;
mod delegation;
mod delivery;
mod integrity;
mod offline_emergencies;
mod registration;
mod support;
mod viewing;
