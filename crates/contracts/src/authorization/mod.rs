//! Applications, items and grants: hospital first, then patient, then release against payment.

pub mod command;
mod decide;
pub mod event;
pub mod interface;
mod rejection;
pub(crate) mod state;

pub use command::Command;
pub(crate) use decide::expire_item;
pub use decide::decide;
pub use event::Event;
pub use rejection::Rejection;
pub use state::{fold, grant_of};
