//! Applications, items and grants: hospital first, then patient, then release against payment.

pub mod command;
mod decide;
pub mod event;
pub mod interface;
pub mod rejection;
pub(crate) mod state;

pub use command::Command;
pub use decide::decide;
pub(crate) use decide::expire_item;
pub use event::Event;
pub use rejection::Rejection;
pub use state::{fold, grant_of};
