//! The contracts (the paper's chaincode): deterministic decisions over key-value state.
//!
//! Each contract has the same rooms: `command.rs` (what is asked), `event.rs` (what was decided),
//! `rejection.rs` (numbered ways of saying no), `state.rs` (every key it keeps, and how events fold into it),
//! `decide.rs` (the rules) and, where other contracts ask it something, `interface.rs`. A command is decided
//! against state, block time and submitter alone: no clock, randomness, files, network or floats.
//!
//! Who runs contracts calls [`genesis()`] once, then per block [`expire()`] and per transaction [`execute()`].

pub mod authorization;
pub mod governance;
pub mod identifier;
pub mod membership;
pub mod records;
pub mod settlement;
pub mod submission;
pub mod telemetry;

mod dispatch;
mod execute;
mod expire;
mod genesis;
mod key;
mod rejection;
mod view;

pub use dispatch::{Command, Contract, DecodeError, Event};
pub use execute::{Context, Execution, decide, execute, fold};
pub use expire::{expire, next_due};
pub use genesis::{GenesisError, genesis};
pub use governance::interface::{announced_epochs, is_equivocation_proven, missing_version};
pub use identifier::*;
pub use rejection::Rejection;
pub use view::{State, View};
