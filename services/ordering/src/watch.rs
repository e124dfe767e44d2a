//! What this replica notices of the others, for whoever operates it.
//!
//! A broker that keeps messages from one replica, or says again what it heard long ago, changes nothing of what is ordered;
//! here it is found out. A replica that is dead, slow or cut off looks no different from outside: the notice names it, and its
//! operator finds out why.
//!
//! | notice | when |
//! |---|---|
//! | silent | nothing new was heard of it for five seconds; an idle replica says each second where it stands |
//! | does not vote | it voted for nothing newer than what was certified here five seconds ago |
//! | old words | what it said of a place that it, and this replica, had left 64 blocks behind, was said again in the last minute |

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use bus::ordering_wire::{Notice, Noticed};
use ledger::ReplicaId;
use pbft::{Message, Sequence, SignedMessage};

/// A replica may be silent, or its votes away, for so long.
const MISSED_AFTER: Duration = Duration::from_secs(5);

/// How many blocks its author must have been past a place for a word about it to be an old one. What is sent again
/// because somebody lacks it is newer, or that somebody is this replica.
const OLD_AFTER_BLOCKS: u64 = 64;

/// How long old words are told of.
const OLD_WORDS_TOLD_FOR: Duration = Duration::from_secs(60);

/// How often the others are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// After so long without a look it was this process that stood still.
const STOOD_STILL_AFTER: Duration = Duration::from_secs(2);

/// The notices of now, for those who ask.
pub type Notices = Arc<RwLock<Vec<Notice>>>;

/// Watches the other replicas of the epoch in force.
#[derive(Debug)]
pub struct Watch {
    others: Vec<Other>,
    /// The certified height here, and when; what is older than needed is dropped.
    heights: VecDeque<(Instant, Sequence)>,
    looked_at: Instant,
    notices: Notices,
    metrics: Metrics,
}

#[derive(Debug)]
struct Other {
    replica: ReplicaId,
    /// When something new came.
    heard_at: Instant,
    /// The newest place that it voted or proposed for.
    voted: Sequence,
    /// The highest certified height that it said it has.
    certified: Sequence,
    /// When old words came.
    old_words_at: Option<Instant>,
}

struct Metrics {
    missing: chassis::metrics::Gauge,
    old_words: chassis::metrics::Counter,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

/// The place that a message is about, where it is about one.
fn place(message: &Message) -> Option<Sequence> {
    match message {
        Message::PrePrepare(proposal) => Some(proposal.sequence),
        Message::Prepare(vote) | Message::Commit(vote) => Some(vote.sequence),
        Message::Status(status) => Some(status.certified),
        _ => None,
    }
}

impl Watch {
    /// Watches nobody so far.
    pub fn new(notices: Notices, now: Instant) -> Watch {
        Watch {
            others: Vec::new(),
            heights: VecDeque::new(),
            looked_at: now,
            notices,
            metrics: Metrics {
                missing: chassis::metrics::gauge(
                    "ordering_missing_replicas",
                    "replicas of the epoch that this one does not hear, or that do not vote",
                ),
                old_words: chassis::metrics::counter(
                    "ordering_old_words_total",
                    "messages of others, long out of date, that came again",
                ),
            },
        }
    }

    /// An epoch begins, with these others; they count as heard of now, and as having voted up to what is certified.
    pub fn begin(
        &mut self,
        others: impl IntoIterator<Item = ReplicaId>,
        certified: Sequence,
        now: Instant,
    ) {
        self.others = others
            .into_iter()
            .map(|replica| Other {
                replica,
                heard_at: now,
                voted: certified,
                certified: Sequence(0),
                old_words_at: None,
            })
            .collect();
        self.heights.clear();
        self.looked_at = now;
        self.tell(Vec::new());
    }

    /// A verified message came from its author, `certified` being the newest certified height here.
    pub fn hear(&mut self, signed: &SignedMessage, certified: Sequence, now: Instant) {
        let Some(other) = self
            .others
            .iter_mut()
            .find(|other| other.replica == signed.sender)
        else {
            return;
        };
        let place = place(&signed.message);
        let was_left =
            |place: Sequence| place.plus(OLD_AFTER_BLOCKS) <= other.certified.min(certified);
        if place.is_some_and(was_left) {
            self.metrics.old_words.add(1);
            other.old_words_at = Some(now);
            return;
        }
        other.heard_at = now;
        match (&signed.message, place) {
            (Message::Status(status), _) => {
                other.certified = other.certified.max(status.certified);
            }
            (_, Some(place)) => other.voted = other.voted.max(place),
            (_, None) => {}
        }
    }

    /// Blocks up to this height were fetched: how the others voted for them was not to be heard.
    pub fn fetched(&mut self, up_to: Sequence) {
        for other in &mut self.others {
            other.voted = other.voted.max(up_to);
        }
    }

    /// Whether it is time to look again.
    pub fn is_due(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.looked_at) >= LOOK_EVERY
    }

    /// Looks at the others, and tells of what is new.
    pub fn look(&mut self, certified: Sequence, now: Instant) {
        let since = now.saturating_duration_since(self.looked_at);
        self.looked_at = now;
        if since > STOOD_STILL_AFTER {
            // What was said meanwhile is still to be heard.
            self.heights.clear();
            for other in &mut self.others {
                other.heard_at = now;
            }
        }
        self.heights.push_back((now, certified));
        let is_old = |at: Instant| now.saturating_duration_since(at) >= MISSED_AFTER;
        while self.heights.get(1).is_some_and(|(at, _)| is_old(*at)) {
            self.heights.pop_front();
        }
        let earlier = self.heights.front().filter(|(at, _)| is_old(*at));
        let earlier = earlier.map(|(_, height)| *height);
        let mut notices = Vec::new();
        for other in &self.others {
            let mut notice = |noticed| {
                notices.push(Notice {
                    replica: other.replica,
                    noticed,
                });
            };
            if is_old(other.heard_at) {
                notice(Noticed::Silent);
            } else if earlier.is_some_and(|earlier| other.voted < earlier) {
                notice(Noticed::DoesNotVote);
            }
            let told_until = other.old_words_at.map(|at| at + OLD_WORDS_TOLD_FOR);
            if told_until.is_some_and(|until| now < until) {
                notice(Noticed::OldWords);
            }
        }
        self.tell(notices);
    }

    /// Says what is new of the notices, and what is over.
    fn tell(&mut self, notices: Vec<Notice>) {
        let missing = notices
            .iter()
            .filter(|notice| notice.noticed != Noticed::OldWords);
        self.metrics.missing.set(missing.count() as i64);
        let mut told = self.notices.write().unwrap_or_else(PoisonError::into_inner);
        for notice in notices.iter().filter(|notice| !told.contains(notice)) {
            let replica = notice.replica.0;
            match notice.noticed {
                Noticed::Silent => tracing::warn!(
                    replica,
                    "nothing is heard of a replica: it is down or cut off, or its words are withheld from this one"
                ),
                Noticed::DoesNotVote => tracing::warn!(
                    replica,
                    "a replica speaks and does not vote: it is far behind, or others' words are withheld from it"
                ),
                Noticed::OldWords => tracing::warn!(
                    replica,
                    "old words of a replica are said again: somebody plays back what was heard before"
                ),
            }
        }
        for notice in told.iter().filter(|notice| !notices.contains(notice)) {
            let replica = notice.replica.0;
            tracing::info!(replica, noticed = ?notice.noticed, "no longer so");
        }
        *told = notices;
    }
}

#[cfg(test)]
mod tests {
    use ledger::{Epoch, Signature};
    use pbft::View;
    use pbft::message::{Status, Vote};

    use super::*;

    /// A watch over replicas 1 and 2 that is looked at twice a second, with a clock of its own.
    struct Clock {
        watch: Watch,
        notices: Notices,
        now: Instant,
    }

    impl Clock {
        fn start() -> Clock {
            let (notices, now) = (Notices::default(), Instant::now());
            let mut watch = Watch::new(notices.clone(), now);
            watch.begin([1, 2].map(ReplicaId), Sequence(0), now);
            Clock {
                watch,
                notices,
                now,
            }
        }

        fn hear(&mut self, replica: u16, message: Message, certified: u64) {
            let signed = SignedMessage {
                epoch: Epoch(0),
                sender: ReplicaId(replica),
                message,
                signature: Signature([0; 64]),
            };
            self.watch.hear(&signed, Sequence(certified), self.now);
        }

        /// Half a second passes.
        fn pass(&mut self, certified: u64) {
            self.now += LOOK_EVERY;
            self.watch.look(Sequence(certified), self.now);
        }

        fn noticed(&self) -> Vec<(u16, Noticed)> {
            let notices = self.notices.read().unwrap();
            notices
                .iter()
                .map(|notice| (notice.replica.0, notice.noticed))
                .collect()
        }
    }

    fn status(certified: u64) -> Message {
        Message::Status(Status {
            view: View(0),
            changing: false,
            stable: Sequence(0),
            executed: Sequence(certified),
            certified: Sequence(certified),
            asks: None,
        })
    }

    fn commit(sequence: u64) -> Message {
        Message::Commit(Vote {
            view: View(0),
            sequence: Sequence(sequence),
            digest: ledger::Digest::ZERO,
        })
    }

    #[test]
    fn a_replica_of_which_nothing_is_heard_is_noticed_within_ten_seconds_and_only_as_long() {
        let mut clock = Clock::start();
        let mut noticed_after = None;
        for half_seconds in 1..=20 {
            clock.hear(1, status(0), 0);
            clock.pass(0);
            if noticed_after.is_none() && !clock.noticed().is_empty() {
                noticed_after = Some(LOOK_EVERY * half_seconds);
            }
        }
        assert_eq!(noticed_after, Some(MISSED_AFTER));
        assert_eq!(clock.noticed(), [(2, Noticed::Silent)]);
        clock.hear(2, status(0), 0);
        clock.pass(0);
        assert_eq!(clock.noticed(), []);
    }

    #[test]
    fn a_replica_that_speaks_and_votes_for_nothing_new_is_noticed() {
        let mut clock = Clock::start();
        for height in 1..=14 {
            clock.hear(1, commit(height), height);
            clock.hear(1, status(height), height);
            clock.hear(2, status(0), height);
            clock.pass(height);
        }
        assert_eq!(clock.noticed(), [(2, Noticed::DoesNotVote)]);
        clock.hear(2, commit(14), 14);
        clock.pass(14);
        assert_eq!(clock.noticed(), []);
    }

    #[test]
    fn nobody_is_noticed_while_nothing_is_ordered_or_what_was_missed_is_fetched() {
        let mut clock = Clock::start();
        let both_say = |clock: &mut Clock, certified: u64| {
            for replica in [1, 2] {
                clock.hear(replica, status(certified), certified);
            }
        };
        for _ in 0..30 {
            both_say(&mut clock, 0);
            clock.pass(0);
        }
        // This replica was behind, and fetches a thousand blocks.
        clock.watch.fetched(Sequence(1_000));
        for _ in 0..30 {
            both_say(&mut clock, 1_000);
            clock.pass(1_000);
        }
        assert_eq!(clock.noticed(), []);
    }

    #[test]
    fn old_words_are_noticed_and_stand_for_no_new_ones() {
        let mut clock = Clock::start();
        for replica in [1, 2] {
            clock.hear(replica, status(1_000), 1_000);
            clock.hear(replica, commit(1_001), 1_000);
        }
        // A little late, or said again to somebody who lacks it, is not old.
        clock.hear(1, commit(990), 1_000);
        clock.pass(1_000);
        assert_eq!(clock.noticed(), []);
        for old in 1..=20 {
            clock.hear(1, status(1_000), 1_000);
            clock.hear(2, status(old), 1_000);
            clock.hear(2, commit(old), 1_000);
            clock.pass(1_000);
        }
        let expected = [(2, Noticed::Silent), (2, Noticed::OldWords)];
        assert_eq!(clock.noticed(), expected);
    }

    #[test]
    fn a_replica_that_is_behind_itself_takes_nothing_for_old() {
        let mut clock = Clock::start();
        clock.hear(1, status(1_000), 10);
        clock.hear(1, commit(11), 10);
        clock.pass(10);
        assert_eq!(clock.noticed(), []);
    }

    #[test]
    fn a_replica_that_stood_still_itself_notices_nobody() {
        let mut clock = Clock::start();
        clock.pass(0);
        clock.now += Duration::from_secs(30);
        clock.pass(0);
        assert_eq!(clock.noticed(), []);
    }
}
