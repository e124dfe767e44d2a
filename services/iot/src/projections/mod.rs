//! Rows folded from committed events.

pub(crate) mod bindings;
