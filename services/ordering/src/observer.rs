//! A replica that does not vote: not admitted yet, retired, or in quarantine. It follows the chain by fetching certified
//! blocks of those that do, and executes and stores them like everybody else, so that it is up to date when its
//! epoch begins, and serves what it has.

use std::time::{Duration, Instant};

use ledger::{Epoch, Height, ReplicaId};
use pbft::Sequence;

use crate::core::FetchOrder;

/// How long an observer that has everything waits before it asks for more.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(300);

/// How long an answer is awaited before another replica is asked.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// How many blocks one order asks for.
const BLOCKS_MAX: u64 = 256;

/// Where an observer is.
#[derive(Debug)]
pub struct Observer {
    /// The newest certified height here.
    certified: Height,
    /// Whom it asked, and until when it waits.
    asked: Option<(ReplicaId, Instant)>,
    turn: usize,
    look_at: Instant,
}

impl Observer {
    /// Starts after a height.
    pub fn after(certified: Height, now: Instant) -> Observer {
        Observer {
            certified,
            asked: None,
            turn: 0,
            look_at: now,
        }
    }

    /// The newest certified height here.
    pub fn certified(&self) -> Height {
        self.certified
    }

    /// When something is to be done.
    pub fn next_wakeup(&self) -> Instant {
        self.asked.map_or(self.look_at, |(_, until)| until)
    }

    /// What to fetch now, if anything: blocks of this epoch from one of its replicas, each in turn.
    pub fn order(
        &mut self,
        now: Instant,
        epoch: Epoch,
        last: Option<Height>,
        replicas: &[ReplicaId],
    ) -> Option<FetchOrder> {
        if self.next_wakeup() > now {
            return None;
        }
        self.asked = None;
        self.look_at = now + LOOK_AGAIN_AFTER;
        if replicas.is_empty() {
            return None;
        }
        self.turn = self.turn.wrapping_add(1);
        let peer = replicas[self.turn % replicas.len()];
        let first = self.certified.next();
        let farthest = Height(self.certified.0.saturating_add(BLOCKS_MAX));
        let last = last.map_or(farthest, |last| last.min(farthest));
        if last < first {
            return None;
        }
        self.asked = Some((peer, now + ANSWER_WITHIN));
        Some(FetchOrder {
            first: Sequence::from(first),
            last: Sequence::from(last),
            peer,
            epoch,
        })
    }

    /// Blocks up to this height were stored.
    pub fn installed(&mut self, height: Height, now: Instant) {
        self.certified = self.certified.max(height);
        // There may be more at once.
        self.asked = None;
        self.look_at = now;
    }

    /// The replica asked had nothing.
    pub fn failed(&mut self, peer: ReplicaId, now: Instant) {
        if self.asked.is_some_and(|(asked, _)| asked == peer) {
            self.asked = None;
            self.look_at = now + LOOK_AGAIN_AFTER;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observer_asks_replicas_in_turn_and_never_past_the_end_of_the_epoch() {
        let start = Instant::now();
        let mut observer = Observer::after(Height(250), start);
        let replicas = [ReplicaId(0), ReplicaId(1)];
        let order = |observer: &mut Observer, at| {
            observer.order(at, Epoch(0), Some(Height(256)), &replicas)
        };
        let first = order(&mut observer, start).expect("asks at once");
        assert_eq!((first.first, first.last), (Sequence(251), Sequence(256)));
        assert!(order(&mut observer, start).is_none(), "one at a time");
        observer.failed(first.peer, start);
        assert!(order(&mut observer, start).is_none(), "not at once again");
        let second = order(&mut observer, start + LOOK_AGAIN_AFTER).expect("asks again");
        assert_ne!(second.peer, first.peer);
        observer.installed(Height(256), start);
        assert!(order(&mut observer, start).is_none(), "the epoch is over");
    }
}
