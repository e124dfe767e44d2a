//! Money in double entry, coverage, rules and claims.

pub mod adjudication;
pub mod command;
mod decide;
pub mod event;
pub mod interface;
pub mod rejection;
pub(crate) mod state;

pub use command::Command;
pub use decide::decide;
pub use event::Event;
pub use rejection::Rejection;
pub use state::fold;
