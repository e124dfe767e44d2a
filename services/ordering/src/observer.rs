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
    asked: Option<Asked>,
    turn: usize,
    look_at: Instant,
}

/// An order that is open. There is one at a time: two would fetch the same blocks, and an answer in parts would open more
/// and more of them.
#[derive(Debug)]
struct Asked {
    peer: ReplicaId,
    /// Until when something must come of it.
    until: Instant,
    /// The last height that came, once no more will.
    fetched: Option<Height>,
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
        self.asked
            .as_ref()
            .map_or(self.look_at, |asked| asked.until)
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
        self.asked = Some(Asked {
            peer,
            until: now + ANSWER_WITHIN,
            fetched: None,
        });
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
        if let Some(asked) = &mut self.asked {
            asked.until = now + ANSWER_WITHIN;
        }
        self.settle(now);
    }

    /// No more blocks come of the order: they came up to this height, and are stored by and by.
    pub fn fetched(&mut self, peer: ReplicaId, last: Height, now: Instant) {
        if let Some(asked) = self.asked.as_mut().filter(|asked| asked.peer == peer) {
            asked.fetched = Some(last);
        }
        self.settle(now);
    }

    /// The replica asked had nothing.
    pub fn failed(&mut self, peer: ReplicaId, now: Instant) {
        if self.asked.as_ref().is_some_and(|asked| asked.peer == peer) {
            self.asked = None;
            self.look_at = now + LOOK_AGAIN_AFTER;
        }
    }

    /// An order of which everything is stored is done, and there may be more at once.
    fn settle(&mut self, now: Instant) {
        let is_done = |last: Height| last <= self.certified;
        let fetched = self.asked.as_ref().and_then(|asked| asked.fetched);
        if fetched.is_some_and(is_done) {
            self.asked = None;
            self.look_at = now;
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
        observer.fetched(second.peer, Height(256), start);
        assert!(order(&mut observer, start).is_none(), "the epoch is over");
    }

    #[test]
    fn an_answer_in_parts_opens_no_second_order() {
        let now = Instant::now();
        let mut observer = Observer::after(Height(0), now);
        let order = |observer: &mut Observer| observer.order(now, Epoch(0), None, &[ReplicaId(1)]);
        let first = order(&mut observer).expect("asks at once");
        for part in [Height(90), Height(180)] {
            observer.installed(part, now);
            assert!(
                order(&mut observer).is_none(),
                "more of the first is to come"
            );
        }
        observer.fetched(ReplicaId(1), Height(200), now);
        assert!(order(&mut observer).is_none(), "its end is not stored yet");
        observer.installed(Height(200), now);
        let second = order(&mut observer).expect("asks for what follows at once");
        assert_eq!((first.first, second.first), (Sequence(1), Sequence(201)));
    }
}
