//! The clinical knowledge of Medshare, as pure functions: no clock, no randomness, no input or output.
//!
//! Reading order:
//!
//! 1. [`json`]: JSON that keeps the text of every number, with caps and errors that name the element.
//! 2. [`structure`] and [`bundle`]: what FHIR R4 accepts, and what is refused.
//! 3. [`split`], [`record`], [`canonical`]: a patient's Bundle becomes records (one encounter with all
//!    that belongs to it), and a record becomes the bytes that are committed on the ledger.
//! 4. [`terminology`], [`claim`], [`brief`], [`deidentify`], [`personal`]: what is derived from a record.
//! 5. [`vitals`], [`senml`], [`physionet`], [`news2`], [`warning`], [`observation`]: device readings.
//! 6. [`generator`]: made-up patients and vital series, from a seed.

pub mod brief;
pub mod bundle;
pub mod canonical;
pub mod claim;
pub mod date;
pub mod deidentify;
pub mod generator;
pub mod hospital;
pub mod json;
pub mod news2;
pub mod observation;
pub mod personal;
pub mod physionet;
pub mod record;
pub mod refusal;
pub mod senml;
pub mod split;
pub mod structure;
pub mod terminology;
pub mod vitals;
pub mod warning;

pub use record::Record;
pub use refusal::Refusal;
