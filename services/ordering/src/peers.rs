//! Which replicas have been heard of lately, and whose turn it is to answer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ledger::{Height, ReplicaId};

/// A replica that has been silent for so long is passed over.
const SILENT_AFTER: Duration = Duration::from_millis(2_500);

/// The replicas of the epoch.
#[derive(Debug)]
pub struct Peers {
    me: ReplicaId,
    started: Instant,
    /// Replica and when it was last heard of, in milliseconds since the start.
    heard: Vec<(ReplicaId, AtomicU64)>,
}

impl Peers {
    /// All replicas of the epoch; they count as heard of now.
    pub fn new(me: ReplicaId, replicas: impl IntoIterator<Item = ReplicaId>) -> Peers {
        let heard = replicas
            .into_iter()
            .map(|replica| (replica, AtomicU64::new(0)))
            .collect();
        Peers {
            me,
            started: Instant::now(),
            heard,
        }
    }

    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// Notes that a verified message of a replica came.
    pub fn note(&self, replica: ReplicaId) {
        if let Some((_, heard)) = self.heard.iter().find(|(other, _)| *other == replica) {
            heard.store(self.now_ms(), Ordering::Relaxed);
        }
    }

    /// Who answers and publishes the block of a height: each in turn, silent ones passed over.
    pub fn designated(&self, height: Height) -> ReplicaId {
        let count = self.heard.len();
        let first = (height.0 % count as u64) as usize;
        let now = self.now_ms();
        let speaks = |(replica, heard): &(ReplicaId, AtomicU64)| {
            *replica == self.me
                || now.saturating_sub(heard.load(Ordering::Relaxed))
                    < SILENT_AFTER.as_millis() as u64
        };
        let mut turn = (0..count).map(|offset| &self.heard[(first + offset) % count]);
        turn.find(|peer| speaks(peer))
            .map_or(self.me, |(replica, _)| *replica)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_take_turns() {
        let peers = Peers::new(ReplicaId(1), (0..4).map(ReplicaId));
        let turns: Vec<u16> = (0..5)
            .map(|height| peers.designated(Height(height)).0)
            .collect();
        assert_eq!(turns, [0, 1, 2, 3, 0]);
    }
}
