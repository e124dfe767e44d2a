//! Facts: the rows that are not on the ledger. One file a table; each knows how its secrets are sealed.

pub mod claims;
pub mod codes;
pub mod deliveries;
pub mod journal;
pub mod patients;
pub mod records;
pub mod versions;

use contracts::RecordNumber;
use sqlx::any::AnyRow;
use sqlx::{Any, Row};

use crate::failure::Failure;

/// A database transaction, or a connection of it.
pub type Connection = sqlx::AnyConnection;

/// Reads a column.
pub(crate) fn column<'r, T>(row: &'r AnyRow, name: &'static str) -> Result<T, Failure>
where
    T: sqlx::Decode<'r, Any> + sqlx::Type<Any>,
{
    Ok(row.try_get(name)?)
}

/// Reads a hex column.
pub(crate) fn parsed<T: std::str::FromStr>(row: &AnyRow, name: &'static str) -> Result<T, Failure> {
    column::<String>(row, name)?
        .parse()
        .map_err(|_| Failure::Row(name))
}

/// Reads a number column that is never negative.
pub(crate) fn count(row: &AnyRow, name: &'static str) -> Result<u32, Failure> {
    u32::try_from(column::<i64>(row, name)?).map_err(|_| Failure::Row(name))
}

/// The record of a row's column `record`.
pub(crate) fn record_of(row: &AnyRow) -> Result<RecordNumber, Failure> {
    parsed(row, "record")
}
