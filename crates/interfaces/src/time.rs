//! Times as answers show them.

use chrono::{DateTime, SecondsFormat};
use ledger::Timestamp;

/// RFC 3339 in UTC with microseconds: `2026-01-02T03:04:05.000006Z`. What lies past year 262142 is shown as the epoch.
pub fn time_text(time: Timestamp) -> String {
    i64::try_from(time.0)
        .ok()
        .and_then(DateTime::from_timestamp_micros)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_utc_with_microseconds() {
        let text = time_text(Timestamp(1_767_323_045_000_006));
        assert_eq!(text, "2026-01-02T03:04:05.000006Z");
    }

    #[test]
    fn a_time_that_no_calendar_holds_does_not_break_an_answer() {
        assert_eq!(
            time_text(Timestamp(u64::MAX)),
            "1970-01-01T00:00:00.000000Z"
        );
    }
}
