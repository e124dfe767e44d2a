//! The durable log of one replica: votes, the transaction bodies that votes speak for, and executed blocks
//! with their certificates until the block files hold them. One file; one sync serves a group.
//!
//! A file starts with `MEDSJNL2`, 16 random bytes, its salt, and the CRC-32 of both (u32 LE). Then come groups, one for each sync: the salt, the
//! length of the records (u32 LE), the CRC-32 of salt, length and records (u32 LE), the records. A record is its payload's
//! length (u32 LE) and the payload, whose first byte is the kind.
//!
//! A full file is replaced by one with what is still needed. Files are written over: room that is there already costs a
//! sync half of what a growing file does. What an earlier use left behind the last group is told apart by the salt, which
//! nobody could know who sent us bytes then.

pub mod file;
#[cfg(test)]
mod fuzz;
pub mod record;
mod safe_blocks;
mod tail;
pub mod writer;

pub use file::{JournalError, JournalFile, Recovered};
pub use record::{JournaledBlock, JournaledCertificate, Record};
pub use writer::{Job, Writer};
