//! How a service turns a member's request into a committed transaction.
//!
//! - [`Caller`]: who is signed in, from the verified token of a call. Default deny: an api handler names the role it
//!   wants before it does anything else.
//! - [`Desk`]: builds transaction bodies, has them signed (by the custodial key of the caller, by a key the process
//!   holds, or by the member who holds the own key), puts facts and signed bytes into the outbox in one database
//!   transaction, and waits for the verified receipt. A contract's rejection becomes a [`interfaces::Problem`].
//! - [`row`]: what rows of the own database become in an answer.

mod caller;
mod desk;
pub mod row;

pub use caller::{Caller, Sessions, SessionsConfig};
pub use desk::{Desk, Facts, committed, no_facts};
