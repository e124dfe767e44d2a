//! The contracts (the paper's chaincode): deterministic decisions over key-value state.
//!
//! Each contract has the same rooms: `command.rs` (what is asked), `event.rs` (what was decided),
//! `rejection.rs` (numbered ways of saying no), `state.rs` (every key it keeps, and how events fold into it)
//! and `decide.rs` (the rules). A command is decided against state, block time and submitter alone:
//! no clock, randomness, files, network or floats.

pub mod authorization;
pub mod governance;
pub mod identifier;
pub mod membership;
pub mod records;
pub mod settlement;
pub mod telemetry;

mod dispatch;

pub use dispatch::{Command, Contract, DecodeError, Event};
pub use identifier::*;
