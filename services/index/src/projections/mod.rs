//! Rows folded from committed events.

pub(crate) mod entries;
pub(crate) mod heads;
