//! Parameters, replicas and contract versions, changed by a quorum of node operators.

pub mod command;
mod decide;
pub mod event;
pub mod interface;
pub mod rejection;
pub(crate) mod state;

pub use command::{Command, Parameter};
pub use decide::decide;
pub use event::Event;
pub use rejection::Rejection;
pub use state::fold;
