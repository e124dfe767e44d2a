//! Runs the contracts over state, block by block.
//!
//! Pure: the same order over the same state gives the same block everywhere. What a block wrote comes
//! back as one ordered write set; whoever keeps the state applies it. Reading order: [`state`],
//! [`rules`], [`once`], [`executor`], [`state_tree`].

pub mod contract_rules;
pub mod executor;
pub mod once;
pub mod rules;
pub mod state;
pub mod state_tree;

pub use contract_rules::{Contracts, announced_epochs, is_equivocation_proven, missing_version};
pub use executor::{BlockOrder, ChainHead, CheckedTransaction, ExecutedBlock, Executor, LeftOut};
pub use once::Used;
pub use rules::{Call, Decision, Refused, Rules};
pub use state::{Overlay, StateView};
