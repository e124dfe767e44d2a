//! The `medshare` command: a subcommand per service, and `init`, `up`, `admin`, `verify`.
//!
//! | module | what |
//! |---|---|
//! | [`arguments`] | the command line |
//! | [`consortium`], [`init`] | from a small description to a whole system's files |
//! | [`layout`], [`system`] | where they lie, and which processes there are |
//! | [`supervisor`], [`up`], [`admin`] | starting, keeping and steering the processes |
//! | [`broker`] | the process around a message broker |
//! | [`nodes`] | voting nodes in and out |
//! | [`partner`] | reaching the gateway as a partner system |
//! | [`wiring`] | which subcommand runs which service |
//! | [`bench`] | measurements |
//! | [`demo`] | the whole story on a system of its own |
//! | [`verify`] | receipts and chains, from the genesis file alone |

pub mod admin;
pub mod arguments;
pub mod bench;
pub mod broker;
pub mod consortium;
pub mod demo;
pub mod files;
pub mod init;
pub mod layout;
pub mod nodes;
pub mod partner;
pub mod supervisor;
pub mod system;
pub mod up;
pub mod verify;
pub mod version;
pub mod wiring;
