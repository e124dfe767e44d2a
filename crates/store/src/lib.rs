//! A service's own database: connection, migrations, outbox, projections.
//!
//! | module | what |
//! |---|---|
//! | [`database`] | [`Store`]: opening, migrations, the one writer and the readers |
//! | [`outbox`] | signed transactions on their way to the ledger, resent until receipt or expiry |
//! | [`projections`] | rows folded from committed events, with the ledger's height in the same transaction |
//! | [`rows`] | many rows with few statements |
//! | [`StoppedMembers`] | who was suspended or revoked, kept beside every projection |

pub mod database;
pub mod outbox;
pub mod projections;
pub mod rows;
mod stopped;
mod tables;

#[cfg(feature = "testing")]
pub mod testing;

pub use database::{
    DatabaseConfig, Dialect, Migration, Store, StoreError, Transaction, cut_log, sqlite_url,
};
pub use outbox::{Outbox, OutboxError};
pub use projections::{ProjectedBlock, ProjectedEvent, Projection};
pub use stopped::StoppedMembers;
