//! What can go wrong on the bus.

use std::path::PathBuf;

use ledger::ReplicaId;

/// Why the bus cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// A key file is unusable.
    #[error("bus: {0}")]
    Key(#[from] keys::secret::SecretError),
    /// A certificate file is unusable.
    #[error("bus.tls: {0}")]
    Tls(#[from] keys::tls::TlsError),
    /// A file is unusable.
    #[error("bus: {path}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The configuration names an unusable value.
    #[error("bus.{key}: {reason}")]
    Configuration {
        /// The key.
        key: &'static str,
        /// Why.
        reason: String,
    },
    /// No server can be reached, or it refuses the credentials.
    #[error("bus: no connection to {servers:?} as {user}: {reason}")]
    Connect {
        /// The servers tried.
        servers: Vec<String>,
        /// The user.
        user: String,
        /// What the last attempt said.
        reason: String,
    },
    /// The server refuses a subscription or publication that the process needs.
    #[error("bus: {0}")]
    Denied(String),
    /// The client can't send.
    #[error("bus: {0}")]
    Client(String),
}

/// Why a replica gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// It isn't there or didn't answer in time.
    #[error("replica {} does not answer", .0.0)]
    Unanswered(ReplicaId),
    /// It has too much to do.
    #[error("replica {} is busy", .0.0)]
    Busy(ReplicaId),
    /// Its answer is not what it must be.
    #[error("replica {} answers nonsense", .0.0)]
    Malformed(ReplicaId),
    /// No replica gave a usable answer.
    #[error("no replica answers")]
    None,
}
