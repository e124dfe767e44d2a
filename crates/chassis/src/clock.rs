//! The wall clock, read here and nowhere else in services.

use std::time::{SystemTime, UNIX_EPOCH};

/// The present time in microseconds since the Unix epoch, as `ledger::Timestamp` counts it. A clock set before 1970
/// reads as 0.
#[allow(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the clock"
)]
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| {
            u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
        })
}
