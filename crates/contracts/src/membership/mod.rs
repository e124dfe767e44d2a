//! Who is a member, and may act.

pub mod command;
mod decide;
pub mod event;
pub mod interface;
pub mod rejection;
pub(crate) mod state;

pub use command::{Command, MemberKind};
pub use decide::decide;
pub use event::Event;
pub use rejection::Rejection;
pub use state::fold;
