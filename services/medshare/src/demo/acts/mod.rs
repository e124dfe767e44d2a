//! The acts, one file each.

pub(super) mod application;
pub(super) mod codes;
pub(super) mod devices;
pub(super) mod insurance;
pub(super) mod joining;
pub(super) mod members;
pub(super) mod records;
pub(super) mod search;
pub(super) mod tampering;
pub(super) mod viewing;
