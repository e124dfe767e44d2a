//! To whom transactions are sent (PBFT §4.1): to the primary, which sends them on with its proposal, and by chance to everybody.
//!
//! Sent to every replica, each transaction wakes as many processes, long before most of them have a use for it. So a submitter
//! that knows the primary, from the view that the newest certificate names, sends to it. But then the others know nothing of
//! what the primary lets wait, and could not leave its view for it (§4.4). Therefore:
//!
//! - **Some are watched.** About one submission in ten milliseconds goes to every replica, so whoever submits little is watched
//!   always, and at any rate there are enough to measure the primary by. The primary can't tell which they are: they are
//!   drawn by chance, it hears of them as of all others, and the broker lets it hear nothing that is sent to the others.
//! - **Who hears nothing tells everybody.** What has no receipt after its pause ([`Patience`](crate::Patience)) is sent to every
//!   replica, and so is, for a while, whatever else the submitter has to send.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ledger::{Epoch, EpochDescription, ReplicaId};

use crate::subjects;

/// One submission in so long is watched on average, and each that comes alone in that time.
const WATCHED_EVERY: Duration = Duration::from_millis(10);

/// For how long everything is watched after something got no receipt in time.
const DOUBTED_FOR: Duration = Duration::from_secs(5);

/// Where a submission goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// To every replica at once: nobody knows the primary, or it does not answer.
    All,
    /// To the primary alone.
    Primary(ReplicaId),
    /// To the primary, and to each of the others, which see that it is ordered.
    Watched {
        /// The primary.
        primary: ReplicaId,
        /// The others.
        others: Vec<ReplicaId>,
    },
}

impl Route {
    /// The replica that is to order it.
    pub fn addressed(&self) -> Option<ReplicaId> {
        match self {
            Route::All => None,
            Route::Primary(primary) | Route::Watched { primary, .. } => Some(*primary),
        }
    }

    /// The subjects on which a user publishes it.
    pub fn subjects(&self, user: &str) -> Vec<String> {
        let to = |replica: &ReplicaId| subjects::transactions_to(user, *replica);
        match self {
            Route::All => vec![subjects::transactions(user)],
            Route::Primary(primary) => vec![to(primary)],
            Route::Watched { primary, others } => {
                std::iter::once(primary).chain(others).map(to).collect()
            }
        }
    }
}

/// What a submitter knows of the primary.
#[derive(Debug, Default)]
pub struct Addressing(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// The newest view with a certificate, and its replicas, the primary first.
    view: Option<(Epoch, u64)>,
    replicas: Vec<ReplicaId>,
    /// When the latest submission was sent.
    sent_at: Option<Instant>,
    /// Until when everything is watched.
    doubted_until: Option<Instant>,
}

impl Addressing {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A block has a certificate of this view.
    pub fn learn(&self, epoch: &EpochDescription, view: u64) {
        let mut known = self.lock();
        let newest = (epoch.epoch, view);
        if epoch.replicas.is_empty() || known.view.is_some_and(|view| view >= newest) {
            return;
        }
        let mut replicas: Vec<ReplicaId> =
            epoch.replicas.iter().map(|known| known.replica).collect();
        let primary = (view % replicas.len() as u64) as usize;
        replicas.rotate_left(primary);
        known.view = Some(newest);
        known.replicas = replicas;
        known.doubted_until = None;
    }

    /// What was sent to the primary got no receipt in time.
    pub fn doubt(&self) {
        self.lock().doubted_until = Some(Instant::now() + DOUBTED_FOR);
    }

    /// Where the next submission goes.
    pub fn next(&self) -> Route {
        let chance = u16::from_le_bytes(keys::secret::random());
        self.lock().next(Instant::now(), chance)
    }
}

impl Known {
    /// `chance` is uniform.
    fn next(&mut self, now: Instant, chance: u16) -> Route {
        let sent_at = self.sent_at.replace(now);
        let Some((primary, others)) = self.replicas.split_first() else {
            return Route::All;
        };
        let is_doubted = self.doubted_until.is_some_and(|until| now < until);
        // Watched with a probability of the time since the last submission by the time in which one is watched.
        let is_drawn = sent_at.is_none_or(|at| {
            let quiet = now.saturating_duration_since(at).as_nanos();
            u128::from(chance) * WATCHED_EVERY.as_nanos() < quiet << u16::BITS
        });
        let (primary, others) = (*primary, others.to_vec());
        if is_doubted || is_drawn {
            Route::Watched { primary, others }
        } else {
            Route::Primary(primary)
        }
    }
}

#[cfg(test)]
mod tests {
    use ledger::{Height, LedgerId, ReplicaDescription, SigningKey};

    use super::*;

    fn epoch(number: u64) -> EpochDescription {
        let replica = |number: u16| ReplicaDescription {
            replica: ReplicaId(number),
            operator: LedgerId([number as u8; 16]),
            public_key: SigningKey::from_seed([number as u8; 32]).public_key(),
        };
        EpochDescription {
            epoch: Epoch(number),
            first_height: Height(1),
            replicas: (0..4).map(replica).collect(),
        }
    }

    fn watched(primary: u16) -> Route {
        let others = (1..4).map(|offset| ReplicaId((primary + offset) % 4));
        Route::Watched {
            primary: ReplicaId(primary),
            others: others.collect(),
        }
    }

    #[test]
    fn who_knows_no_primary_asks_everybody() {
        let addressing = Addressing::default();
        assert_eq!(addressing.next(), Route::All);
        assert_eq!(Route::All.subjects("gateway"), ["transactions.gateway"]);
        assert_eq!(Route::All.addressed(), None);
    }

    #[test]
    fn the_primary_is_the_one_of_the_newest_view() {
        let addressing = Addressing::default();
        let primary = |addressing: &Addressing| addressing.next().addressed();
        addressing.learn(&epoch(0), 6);
        assert_eq!(primary(&addressing), Some(ReplicaId(2)));
        addressing.learn(&epoch(0), 5);
        assert_eq!(primary(&addressing), Some(ReplicaId(2)));
        addressing.learn(&epoch(1), 1);
        assert_eq!(primary(&addressing), Some(ReplicaId(1)));
        addressing.learn(&epoch(0), 7);
        assert_eq!(primary(&addressing), Some(ReplicaId(1)));
    }

    #[test]
    fn who_submits_little_is_always_watched() {
        let mut known = Known::default();
        let addressing = Addressing::default();
        addressing.learn(&epoch(0), 3);
        known.replicas = addressing.lock().replicas.clone();
        let start = Instant::now();
        for number in 0..5 {
            let route = known.next(start + number * WATCHED_EVERY, u16::MAX);
            assert_eq!(route, watched(3));
        }
    }

    #[test]
    fn of_many_one_in_ten_milliseconds_is_watched_by_chance() {
        let addressing = Addressing::default();
        addressing.learn(&epoch(0), 1);
        let mut known = addressing.lock();
        let start = Instant::now();
        let mut count = 0;
        for number in 0..65_536_u32 {
            let chance = (number as u16).wrapping_mul(40_503);
            let route = known.next(start + Duration::from_millis(number.into()), chance);
            match route {
                Route::Watched { .. } => count += 1,
                other => assert_eq!(other, Route::Primary(ReplicaId(1))),
            }
        }
        assert!((6_550..=6_560).contains(&count), "{count}");
    }

    #[test]
    fn in_doubt_everything_is_watched_until_there_is_another_primary() {
        let addressing = Addressing::default();
        addressing.learn(&epoch(0), 0);
        addressing.doubt();
        let now = Instant::now();
        let next = |at: Instant| addressing.lock().next(at, u16::MAX);
        for _ in 0..3 {
            assert_eq!(next(now), watched(0));
        }
        addressing.learn(&epoch(0), 1);
        assert_eq!(next(now), Route::Primary(ReplicaId(1)));
        addressing.doubt();
        next(now + DOUBTED_FOR);
        let after = now + 2 * DOUBTED_FOR;
        assert_eq!(next(after), watched(1));
        assert_eq!(next(after), Route::Primary(ReplicaId(1)));
    }

    #[test]
    fn each_watcher_hears_it_on_a_subject_that_the_primary_does_not_hear() {
        let subjects = watched(2).subjects("iot");
        let expected = [2, 3, 0, 1].map(|replica| format!("addressed.{replica}.iot"));
        assert_eq!(subjects, expected);
        assert_eq!(
            Route::Primary(ReplicaId(2)).subjects("iot"),
            expected[..1].to_vec()
        );
    }
}
