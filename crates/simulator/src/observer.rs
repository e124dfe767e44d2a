//! A process that does not vote: not let in yet, or taken out. It follows the chain by fetching certified blocks of those
//! that do, each in turn, as the observer of `services/ordering` does.

use ledger::ReplicaId;
use pbft::Sequence;

/// How long an observer that has everything waits before it asks for more.
const LOOK_AGAIN_AFTER_US: u64 = 300_000;
/// How long an answer is awaited before another replica is asked.
const ANSWER_WITHIN_US: u64 = 1_000_000;
/// How many blocks are asked for at once.
const BLOCKS_MAX: u64 = 32;

/// Where an observer is.
#[derive(Debug, Clone)]
pub struct Observer {
    asked: Option<Asked>,
    turn: usize,
    look_at_us: u64,
}

#[derive(Debug, Clone)]
struct Asked {
    peer: ReplicaId,
    until_us: u64,
}

/// Fetch these blocks of that replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The first height.
    pub first: Sequence,
    /// The last height.
    pub last: Sequence,
    /// Whom to ask.
    pub peer: ReplicaId,
}

impl Observer {
    /// Begins to look at once.
    pub fn new(now_us: u64) -> Observer {
        Observer {
            asked: None,
            turn: 0,
            look_at_us: now_us,
        }
    }

    /// When something is to be done, in virtual time.
    pub fn next_wakeup(&self) -> u64 {
        self.asked
            .as_ref()
            .map_or(self.look_at_us, |asked| asked.until_us)
    }

    /// What to fetch now, if anything: what follows `certified`, and nothing past the end of the epoch.
    pub fn order(
        &mut self,
        now_us: u64,
        certified: Sequence,
        last: Option<Sequence>,
        replicas: &[ReplicaId],
    ) -> Option<Wanted> {
        if self.next_wakeup() > now_us {
            return None;
        }
        self.asked = None;
        self.look_at_us = now_us + LOOK_AGAIN_AFTER_US;
        self.turn += 1;
        let peer = *replicas.get(self.turn % replicas.len().max(1))?;
        let first = certified.next();
        let farthest = certified.plus(BLOCKS_MAX);
        let last = last.map_or(farthest, |last| last.min(farthest));
        if last < first {
            return None;
        }
        let until_us = now_us + ANSWER_WITHIN_US;
        self.asked = Some(Asked { peer, until_us });
        Some(Wanted { first, last, peer })
    }

    /// Blocks came and are stored: there may be more at once.
    pub fn installed(&mut self, now_us: u64) {
        self.asked = None;
        self.look_at_us = now_us;
    }

    /// The replica that was asked had nothing.
    pub fn failed(&mut self, now_us: u64, peer: ReplicaId) {
        if self.asked.as_ref().is_some_and(|asked| asked.peer == peer) {
            self.asked = None;
            self.look_at_us = now_us + LOOK_AGAIN_AFTER_US;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observer_asks_each_in_turn_and_for_nothing_past_the_end_of_the_epoch() {
        let replicas = [ReplicaId(0), ReplicaId(1)];
        let mut observer = Observer::new(0);
        let order = |observer: &mut Observer, now_us, certified| {
            observer.order(now_us, Sequence(certified), Some(Sequence(8)), &replicas)
        };
        let first = order(&mut observer, 0, 5).expect("asks at once");
        assert_eq!((first.first, first.last), (Sequence(6), Sequence(8)));
        assert_eq!(order(&mut observer, 1, 5), None, "one question at a time");
        observer.failed(1, first.peer);
        assert_eq!(order(&mut observer, 2, 5), None, "not at once again");
        let second = order(&mut observer, 1 + LOOK_AGAIN_AFTER_US, 5).expect("asks again");
        assert_ne!(second.peer, first.peer);
        observer.installed(400_000);
        assert_eq!(order(&mut observer, 400_000, 8), None, "the epoch is over");
    }
}
