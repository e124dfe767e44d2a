//! Which replicas have been heard of lately, and whose turn it is to answer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use ledger::{Digest, Height, ReplicaId};

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

    /// Whether this replica answers those who wait for what was certified in a view: its primary does, which has the certificates
    /// first; silent ones are passed over. One that is not of the epoch never answers.
    pub fn answers(&self, view: u64) -> bool {
        self.is_among(1, view)
    }

    /// Whether this replica publishes the block of a height: each has its turn, so that no primary keeps blocks from those who follow
    /// the chain; silent ones are passed over.
    pub fn publishes(&self, height: Height) -> bool {
        self.is_among(1, height.0)
    }

    /// Whether this replica is one of the f + 1 that say of a transaction that there is no room for it. So many are believed,
    /// and whoever has no room for transactions has none for answers.
    pub fn says_busy(&self, transaction: &Digest) -> bool {
        let faulty = self.read().len().saturating_sub(1) / 3;
        self.is_among(faulty + 1, transaction.0[0].into())
    }

    /// Whether this replica is among the first so many that speak, from a turn on.
    fn is_among(&self, count: usize, turn: u64) -> bool {
        let heard = self.read();
        let replicas = heard.len();
        if !heard.iter().any(|(replica, _)| *replica == self.me) {
            return false;
        }
        let first = (turn % replicas as u64) as usize;
        let now = self.now_ms();
        let speaks = |(replica, heard): &&(ReplicaId, AtomicU64)| {
            *replica == self.me
                || now.saturating_sub(heard.load(Ordering::Relaxed))
                    < SILENT_AFTER.as_millis() as u64
        };
        (0..replicas)
            .map(|offset| &heard[(first + offset) % replicas])
            .filter(speaks)
            .take(count)
            .any(|(replica, _)| *replica == self.me)
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
                .map(|height| peers.publishes(Height(height)))
                .collect()
        };
        assert_eq!(turns(&peers), [false, true, false, false, false]);
        assert!(peers.answers(5) && !peers.answers(4));
        peers.set([2, 3, 4].map(ReplicaId));
        assert_eq!(turns(&peers), [false; 5]);
        assert!(!peers.answers(5));
    }

    #[test]
    fn that_there_is_no_room_is_said_by_as_many_as_are_believed() {
        for number in 0..32 {
            let transaction = ledger::tagged("test/transaction", &[&[number]]);
            let says = |me| Peers::new(me, (0..7).map(ReplicaId)).says_busy(&transaction);
            assert_eq!((0..7).filter(|me| says(ReplicaId(*me))).count(), 3);
        }
    }
}
