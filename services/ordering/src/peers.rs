//! Which replicas have been heard of lately, and whose turn it is to answer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use ledger::{Height, ReplicaId};

/// A replica that has been silent for so long is passed over.
const SILENT_AFTER: Duration = Duration::from_millis(2_500);

/// The replicas of the epoch in force.
#[derive(Debug)]
pub struct Peers {
    me: ReplicaId,
    started: Instant,
    /// Replica and when it was last heard of, in milliseconds since the start.
    heard: RwLock<Heard>,
}

type Heard = Vec<(ReplicaId, AtomicU64)>;

impl Peers {
    /// All replicas of the epoch; they count as heard of now.
    pub fn new(me: ReplicaId, replicas: impl IntoIterator<Item = ReplicaId>) -> Peers {
        let peers = Peers {
            me,
            started: Instant::now(),
            heard: RwLock::default(),
        };
        peers.set(replicas);
        peers
    }

    /// Another epoch begins; its replicas count as heard of now.
    pub fn set(&self, replicas: impl IntoIterator<Item = ReplicaId>) {
        let now = self.now_ms();
        let heard = replicas
            .into_iter()
            .map(|replica| (replica, AtomicU64::new(now)))
            .collect();
        *self.heard.write().unwrap_or_else(PoisonError::into_inner) = heard;
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Heard> {
        self.heard.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// Notes that a verified message of a replica came.
    pub fn note(&self, replica: ReplicaId) {
        if let Some((_, heard)) = self.read().iter().find(|(other, _)| *other == replica) {
            heard.store(self.now_ms(), Ordering::Relaxed);
        }
    }

    /// Whether this replica answers and publishes the block of a height: each has its turn, silent ones are passed
    /// over. One that is not of the epoch never has.
    pub fn is_designated(&self, height: Height) -> bool {
        let heard = self.read();
        let count = heard.len();
        if !heard.iter().any(|(replica, _)| *replica == self.me) {
            return false;
        }
        let first = (height.0 % count as u64) as usize;
        let now = self.now_ms();
        let speaks = |(replica, heard): &(ReplicaId, AtomicU64)| {
            *replica == self.me
                || now.saturating_sub(heard.load(Ordering::Relaxed))
                    < SILENT_AFTER.as_millis() as u64
        };
        let mut turn = (0..count).map(|offset| &heard[(first + offset) % count]);
        turn.find(|peer| speaks(peer))
            .is_some_and(|(replica, _)| *replica == self.me)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_take_turns_and_those_of_no_epoch_have_none() {
        let peers = Peers::new(ReplicaId(1), (0..4).map(ReplicaId));
        let turns = |peers: &Peers| -> Vec<bool> {
            (0..5)
                .map(|height| peers.is_designated(Height(height)))
                .collect()
        };
        assert_eq!(turns(&peers), [false, true, false, false, false]);
        peers.set([2, 3, 4].map(ReplicaId));
        assert_eq!(turns(&peers), [false; 5]);
    }
}
