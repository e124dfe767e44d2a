//! Ordering: intake, consensus driver, durable log, execution, delivery of one replica.
//!
//! The way of a transaction, and the thread (or task) of each step. A few transactions are checked where they arrive, and small blocks
//! executed and delivered by the `core` thread: waking another takes longer (`worker`).
//!
//! | step | module | thread |
//! |---|---|---|
//! | arrives from the broker, is checked (signatures in batches), kept | `submissions`, [`inbox`], [`intake`] | a task, `intake-n` |
//! | is ordered by the pure replica of [`pbft`] | [`core`], `perform`, `small_blocks`, `line` | `core` |
//! | consensus messages of others: put together, verified | [`inbound`], [`wire`] | `core` |
//! | votes and bodies become durable, one sync for a group | [`journal`] | `core` |
//! | a committed batch is executed, its block made durable | [`run_blocks`], [`unapplied`], [`state`], [`roots`], [`tree`] | `execution`, `state-tree`, `state-writer` |
//! | a certified block is stored, indexed, answered, published | [`delivery`], [`blocks`], [`receipts`], [`replies`] | `delivery` |
//! | questions of services and replicas | [`serve`], [`fetch`], [`how_far`], [`history`], [`phases`], [`bodies_wanted`] | tasks, `bodies` |
//!
//! Whether the process votes or follows the chain only is [`seat`]'s business, the replica sets in time that of
//! [`epochs`]; [`observer`] follows, [`binding`] keeps a key with its vote log, [`accusations`] brings evidence to
//! the ledger, and [`watch`] notices what becomes of the other replicas.
//!
//! What holds: nothing leaves before what it says is durable ([`pbft::Durable`]); nothing is answered before the
//! certificate; an error of the disk or a contradiction ends the process, and nothing is tried again.

pub mod accusations;
pub mod binding;
pub mod blocks;
pub mod bodies_wanted;
pub mod body;
pub mod config;
pub mod core;
pub mod delivery;
pub mod epochs;
pub mod executed;
pub mod fetch;
pub mod history;
pub mod how_far;
pub mod inbound;
pub mod inbox;
pub mod intake;
pub mod journal;
pub mod newest_writes;
pub mod observer;
pub mod outbound;
pub mod peers;
pub mod phases;
pub mod quota;
pub mod receipts;
pub mod recent;
pub mod replies;
pub mod restore;
pub mod roots;
pub mod run_blocks;
pub mod seat;
pub mod serve;
pub mod state;
pub mod trace;
pub mod tree;
pub mod tree_store;
pub mod tree_top;
pub mod unapplied;
pub mod watch;
pub mod wire;
mod worker;

mod change_epoch;
mod divergence;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod fuzz;
mod line;
mod perform;
mod priority;
mod reports;
mod small_blocks;
mod start;
mod submissions;

pub use config::{Config, Tuning};
pub use start::run;
