//! The message bus: subjects, request and reply, submission, following the ledger, trace context.
//!
//! NATS is an untrusted wire: requests and replies are sealed end to end and callers known by their keys,
//! receipts and blocks are verified by certificate, and what a broker loses is asked for again.
//!
//! | module | what |
//! |---|---|
//! | [`connection`] | [`Bus`] and [`BusConfig`] |
//! | [`subjects`], [`permissions`], [`streams`] | who publishes and hears what; the server's configuration |
//! | [`request`], [`router`] | asking and answering |
//! | [`origin`] | the address that a request came from |
//! | [`seen`] | the height that the one who asks has seen |
//! | [`ended_sessions`] | sessions that their owners have ended |
//! | `renewal` | keeping the process's certificate current |
//! | [`submit`], [`addressing`], [`patience`] | a signed transaction until its receipt: to whom it is sent, and when again |
//! | [`follow`] | the ledger's blocks, in order, without gaps, verified |
//! | [`ask`], [`ordering_wire`] | questions to replicas, and their bytes |
//! | [`groups`] | what goes together in one message |

pub mod addressing;
pub mod ask;
pub mod checkpoint;
pub mod connection;
pub mod directory;
pub mod ended_sessions;
mod epochs;
pub mod error;
pub mod follow;
#[cfg(test)]
mod fuzz;
pub mod groups;
pub mod ordering_wire;
pub mod origin;
pub mod patience;
pub mod permissions;
mod renewal;
pub mod request;
pub mod router;
mod sealed_wire;
pub mod seen;
pub mod streams;
pub mod subjects;
pub mod submit;
#[cfg(feature = "testing")]
pub mod testing;
pub mod trace_context;
mod waiting;

pub use addressing::{Addressing, Route};
pub use connection::{Bus, BusConfig};
pub use directory::{Directory, DirectoryEntry, DirectoryFile};
pub use ended_sessions::EndedSessions;
pub use error::{AskError, BusError};
pub use follow::{Follow, Position};
pub use patience::Patience;
pub use request::Target;
pub use router::{Call, Listening, Router};
pub use sealed_wire::BODY_BYTES_MAX;
pub use submit::SubmitError;
