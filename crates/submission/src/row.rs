//! Rows of a service's own database, on their way to an answer.

use interfaces::Problem;
use ledger::Timestamp;

/// A database failure, logged without values.
pub fn database(error: sqlx::Error) -> Problem {
    tracing::error!(%error, "database");
    Problem::failure("the service's database did not do its work")
}

/// Reads an id or key that this service wrote as text.
///
/// # Errors
/// A failure (500): the row was not written by this service.
pub fn parse<T: std::str::FromStr>(text: &str) -> Result<T, Problem> {
    text.parse()
        .map_err(|_| Problem::failure("a row of the service's database is malformed"))
}

/// A time as rows hold it (microseconds since the Unix epoch), as answers show it.
pub fn time_text(time_us: i64) -> String {
    interfaces::time_text(Timestamp(time_us.unsigned_abs()))
}
