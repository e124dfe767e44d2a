//! How long a submitter waits for a receipt before it sends the same bytes again.
//!
//! Where there is much to do, receipts come late; who sends again what only waits in a queue makes it longer, until little else
//! is done. So the first pause is twice what receipts lately took (the retransmission time-out of RFC 793 §3.7, with β = 2), and
//! each further one is twice as long.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The shortest pause, and the first one while no receipt has come.
const SHORTEST: Duration = Duration::from_secs(1);

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(16);

/// What a submitter has learnt about receipts.
#[derive(Debug, Default)]
pub struct Patience {
    /// The smoothed time to a receipt, in microseconds.
    smoothed_us: AtomicU64,
}

impl Patience {
    /// A receipt came so long after its transaction was first sent.
    pub fn learn(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let smooth = |known: u64| Some(known - known / 8 + took / 8);
        // Never fails: the closure always gives a value.
        let _ = self
            .smoothed_us
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, smooth);
    }

    /// The pause after a transaction is sent for the first time.
    pub fn first(&self) -> Duration {
        let smoothed = Duration::from_micros(self.smoothed_us.load(Ordering::Relaxed));
        (2 * smoothed).clamp(SHORTEST, LONGEST)
    }

    /// The pause after the next time.
    pub fn longer(pause: Duration) -> Duration {
        (2 * pause).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_gets_receipts_at_once_sends_again_after_a_second() {
        let patience = Patience::default();
        assert_eq!(patience.first(), SHORTEST);
        patience.learn(Duration::from_millis(5));
        assert_eq!(patience.first(), SHORTEST);
    }

    #[test]
    fn who_gets_receipts_late_waits_twice_as_long_as_they_take() {
        let patience = Patience::default();
        for _ in 0..200 {
            patience.learn(Duration::from_secs(3));
        }
        let pause = patience.first();
        let close_to_six = Duration::from_millis(5_990)..=Duration::from_secs(6);
        assert!(close_to_six.contains(&pause), "{pause:?}");
        for _ in 0..200 {
            patience.learn(Duration::from_secs(60));
        }
        assert_eq!(patience.first(), LONGEST);
        for _ in 0..200 {
            patience.learn(Duration::from_millis(4));
        }
        assert_eq!(patience.first(), SHORTEST);
    }

    #[test]
    fn in_the_minute_that_a_transaction_is_valid_it_is_sent_seven_times_at_most() {
        let pauses = std::iter::successors(Some(SHORTEST), |pause| Some(Patience::longer(*pause)));
        let times = pauses.scan(Duration::ZERO, |at, pause| {
            *at += pause;
            Some(*at)
        });
        let first: Vec<u64> = times.clone().take(5).map(|at| at.as_secs()).collect();
        assert_eq!(first, [1, 3, 7, 15, 31]);
        let again = times.take_while(|at| *at <= Duration::from_secs(60));
        assert_eq!(again.count(), 6);
    }
}
