//! What can go wrong inside the service; it becomes a [`Problem`] once, at the edge.

use interfaces::Problem;

use crate::adapters::ConnectorError;

/// Why a use case ended early.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Turned down; the caller sees it as it is.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// The service's own database.
    #[error("the records database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// The hospital's database.
    #[error(transparent)]
    Hospital(#[from] ConnectorError),
    /// A secret in the own database does not open: the database is not this hospital's, or was changed.
    #[error("a sealed value of the records database does not open")]
    Sealed,
    /// Nothing can be sealed to a member's key.
    #[error("nothing can be sealed to a member's key")]
    Unsealable,
    /// A row of the own database can't be read.
    #[error("a row of the records database can't be read: {0}")]
    Row(&'static str),
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Failure {
        Failure::Refused(Box::new(problem))
    }
}

impl From<keys::seal::OpenError> for Failure {
    fn from(_: keys::seal::OpenError) -> Failure {
        Failure::Sealed
    }
}

impl From<keys::seal::SealError> for Failure {
    fn from(_: keys::seal::SealError) -> Failure {
        Failure::Unsealable
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Problem {
        match failure {
            Failure::Refused(problem) => *problem,
            Failure::Hospital(ConnectorError::KeyTooLong(limit)) => Problem::bad_input(
                "bundle",
                format!(
                    "an encounter's key, a patient number or a full URL is longer than {limit} bytes"
                ),
            ),
            Failure::Hospital(_) => Problem::new(
                503,
                "hospital-database",
                "The hospital's database does not answer",
                "try again; the reason is in the service's log",
            ),
            other => {
                tracing::error!(reason = %other, "a use case failed");
                Problem::failure("the records service failed; the reason is in its log")
            }
        }
    }
}

/// The one answer to everybody who may not, whether the thing exists or not.
pub fn forbidden() -> Failure {
    Problem::forbidden("the signed-in member may not do this").into()
}
