//! The durable log of one replica: votes, the transaction bodies that votes speak for, and executed blocks
//! with their certificates until the block files hold them. One file, appended to and synced by one thread; one sync serves a group.
//!
//! A record is its payload's length (u32 LE), the payload's CRC-32 (u32 LE), and the payload, whose first byte is the
//! kind. At a checkpoint the file is replaced by a new one with what is still needed.

pub mod file;
pub mod record;
pub mod writer;

pub use file::{JournalError, JournalFile, Recovered};
pub use record::{JournaledBlock, JournaledCertificate, Record};
pub use writer::{Job, Writer};
