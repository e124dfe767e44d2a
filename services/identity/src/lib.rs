//! Identity: certificate authority, registration, endorsement, sign-in, custody of natural persons' keys.
//!
//! Rooms: `api/` (one file a use case), `attempts` (wrong passwords, counted), `custody` (keys that only their owner's secret
//! opens), `factors` (passwords, one-time and recovery codes), `invitations` (a hospital saw the document), `issued` (certificates from elsewhere), `sessions` (opened, ended), `people` (the account
//! rows), `projections/` (the members as the ledger knows them), `reactions/` (registrations that did not get through
//! are sent again).

mod api;
mod attempts;
mod custody;
mod factors;
mod invitations;
mod issued;
mod migrations;
mod passkeys;
mod patient_id;
mod people;
mod projections;
mod reactions;
mod registration;
mod service;
mod sessions;

pub use service::{Config, run};
