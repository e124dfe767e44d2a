//! Commands to the ledger, and what has to be durable before each is sent.

mod advance;
mod register_record;
mod report_tampering;
mod submit;

pub use submit::{Outgoing, is_rejection};
