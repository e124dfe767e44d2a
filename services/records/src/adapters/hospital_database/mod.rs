//! A hospital's own database: its schema and rows stay the hospital's, a mapping says where things are.

mod connector;
mod demo_schema;
mod element;
mod mapping;

#[cfg(test)]
mod tests;

use clinical::bundle::Entry;
use futures::future::BoxFuture;

pub use connector::{DatabaseKind, SqlConnector};
pub use demo_schema::create_demo_schema;
pub use element::{ElementPath, PathError};
pub use mapping::{Mapping, MappingError, Mappings};

/// Why the hospital's database did not answer.
#[derive(Debug, thiserror::Error)]
pub enum ConnectorError {
    /// The database refused or is not there. The text of the database is not shown: it may quote rows.
    #[error("the hospital's database failed ({0})")]
    Database(&'static str),
    /// A record was read under a mapping that is no longer configured.
    #[error("mapping version {0} is not configured any more")]
    UnknownMapping(u32),
    /// The key or number is longer than tables hold.
    #[error("a key is longer than {0} bytes")]
    KeyTooLong(usize),
}

impl From<sqlx::Error> for ConnectorError {
    fn from(error: sqlx::Error) -> ConnectorError {
        ConnectorError::Database(match error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => "no connection",
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) => "connection lost",
            sqlx::Error::Database(_) => "refused by the database",
            sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Decode(_) => "a column is not as the mapping says",
            _ => "unexpected answer",
        })
    }
}

/// One encounter as it is written to the hospital's tables.
#[derive(Clone, Debug)]
pub struct EncounterRows {
    /// The encounter's key in the hospital's database, at most [`KEY_BYTES_MAX`] bytes.
    pub key: String,
    /// The hospital's patient number.
    pub patient_number: String,
    /// The patient's identity ID, if known.
    pub identity_id: Option<String>,
    /// The patient's name.
    pub patient_name: String,
    /// The doctor's number, if known.
    pub doctor: Option<String>,
    /// Start, as FHIR writes it; empty if unknown.
    pub started: String,
    /// Encounter class; empty if unknown.
    pub class: String,
    /// The resources, in any order.
    pub entries: Vec<Entry>,
}

/// The most bytes of an encounter's key, a patient's number or a resource's full URL.
pub const KEY_BYTES_MAX: usize = 180;

/// What the hospital's tables hold of one encounter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredEncounter {
    /// No row of the encounter, or none of its resources.
    Missing,
    /// Rows that make no resources: somebody changed them.
    Malformed,
    /// The resources, in no particular order.
    Entries(Vec<Entry>),
}

/// A hospital's database behind a connector.
pub trait HospitalDatabase: Send + Sync {
    /// The mapping version that is written under.
    fn mapping_version(&self) -> u32;

    /// Writes one encounter, replacing what was there under its key; all of it or nothing.
    fn put_encounter<'a>(
        &'a self,
        encounter: &'a EncounterRows,
    ) -> BoxFuture<'a, Result<(), ConnectorError>>;

    /// Reads one encounter under the mapping of `mapping_version`.
    fn read_encounter<'a>(
        &'a self,
        mapping_version: u32,
        key: &'a str,
    ) -> BoxFuture<'a, Result<StoredEncounter, ConnectorError>>;

    /// Deletes an encounter's rows; nothing happens when there are none.
    fn delete_encounter<'a>(
        &'a self,
        mapping_version: u32,
        key: &'a str,
    ) -> BoxFuture<'a, Result<(), ConnectorError>>;

    /// The identity ID that the hospital has of a patient number.
    fn identity_id<'a>(
        &'a self,
        patient_number: &'a str,
    ) -> BoxFuture<'a, Result<Option<String>, ConnectorError>>;
}
