//! What can go wrong between a client and the gateway.

use interfaces::Problem;
use thiserror::Error;

/// Why a call gave nothing.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The gateway, a service or a contract said no.
    #[error(transparent)]
    Problem(Box<Problem>),
    /// The certificate is unusable.
    #[error(transparent)]
    Tls(#[from] keys::tls::TlsError),
    /// The connection failed.
    #[error("the gateway can't be reached: {0}")]
    Connection(#[from] reqwest::Error),
    /// The answer is not what it should be.
    #[error("{path}: the answer can't be read: {reason}")]
    Unreadable {
        /// What was asked.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The receipt proves nothing.
    #[error("the receipt does not verify: {0}")]
    Receipt(String),
    /// What was to be signed is not what was asked for.
    #[error("not signed: {0}")]
    NotSigned(String),
}

impl ClientError {
    /// The problem's name (`forbidden`, `rejected`), if it is one.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            ClientError::Problem(problem) => Some(problem),
            _ => None,
        }
    }

    /// Whether the gateway answered with this HTTP status.
    pub fn is_status(&self, status: u16) -> bool {
        self.problem()
            .is_some_and(|problem| problem.status == status)
    }
}
