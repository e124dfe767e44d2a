//! How many consensus messages of one replica are looked at: a signature costs the core's thread more than sending a bad one
//! costs the sender, so one faulty replica must not take the time of all others' votes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ledger::ReplicaId;

/// Messages of one replica that are looked at in a second, when it goes on for long. A replica in order says three for each
/// block, and a few hundred blocks go through in a second.
const PER_SECOND: u32 = 4_000;

/// What a replica may say at once, after it was quiet: it retransmits what waits in its whole window.
const AT_ONCE: u32 = 8_000;

/// One replica's share.
struct Share {
    left: u32,
    /// Up to when it was refilled.
    refilled: Instant,
}

/// The shares of all replicas heard of.
#[derive(Default)]
pub struct Quota {
    shares: BTreeMap<ReplicaId, Share>,
}

impl Quota {
    /// Whether one more message of this replica is looked at. The broker vouches for who delivered it.
    pub fn takes(&mut self, from: ReplicaId, now: Instant) -> bool {
        let share = self.shares.entry(from).or_insert(Share {
            left: AT_ONCE,
            refilled: now,
        });
        let each = Duration::from_secs(1) / PER_SECOND;
        let due = now.saturating_duration_since(share.refilled).as_nanos() / each.as_nanos();
        let due = u32::try_from(due).unwrap_or(u32::MAX).min(AT_ONCE);
        share.left = share.left.saturating_add(due).min(AT_ONCE);
        share.refilled = if share.left == AT_ONCE {
            now
        } else {
            share.refilled + each * due
        };
        match share.left.checked_sub(1) {
            Some(left) => {
                share.left = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_to_its_share_and_takes_nothing_of_others() {
        let (mut quota, start) = (Quota::default(), Instant::now());
        let mut taken = 0;
        for microsecond in 0..2_000_000 {
            let now = start + Duration::from_micros(microsecond);
            taken += u32::from(quota.takes(ReplicaId(3), now));
            if microsecond % 1_000 == 0 {
                assert!(quota.takes(ReplicaId(1), now), "at {microsecond} us");
            }
        }
        assert!(
            (AT_ONCE + 2 * PER_SECOND - 1..=AT_ONCE + 2 * PER_SECOND).contains(&taken),
            "{taken}"
        );
    }

    #[test]
    fn who_was_quiet_may_say_much_at_once_but_not_more() {
        let (mut quota, start) = (Quota::default(), Instant::now());
        assert!(quota.takes(ReplicaId(2), start));
        let later = start + Duration::from_secs(3_600);
        let taken = (0..3 * AT_ONCE)
            .filter(|_| quota.takes(ReplicaId(2), later))
            .count();
        assert_eq!(taken, AT_ONCE as usize);
    }
}
