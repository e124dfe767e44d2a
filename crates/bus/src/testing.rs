//! For tests of this and other crates: a real nats-server, and replicas that agree by construction.

mod broker;
mod ordering;

pub use broker::{TestBroker, nats_server_program, test_genesis};
pub use ordering::{Decision, TestOrdering};
