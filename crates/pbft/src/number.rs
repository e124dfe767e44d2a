//! Views, sequence numbers and moments.

use ledger::{Height, Timestamp};
use serde::{Deserialize, Serialize};

/// The number of a view; its primary is `replicas[view mod n]` (Castro & Liskov, OSDI'99 §4).
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct View(pub u64);

impl View {
    /// The next view.
    pub fn next(self) -> View {
        View(self.0.saturating_add(1))
    }
}

impl std::fmt::Display for View {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A place in the order. Equal to the height of the block that the batch at this place becomes.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Sequence(pub u64);

impl Sequence {
    /// The next place.
    pub fn next(self) -> Sequence {
        Sequence(self.0.saturating_add(1))
    }

    /// The place `distance` later.
    pub fn plus(self, distance: u64) -> Sequence {
        Sequence(self.0.saturating_add(distance))
    }

    /// How far this is after `other`; 0 when it is not.
    pub fn since(self, other: Sequence) -> u64 {
        self.0.saturating_sub(other.0)
    }

    /// The height of the block at this place.
    pub fn height(self) -> Height {
        Height(self.0)
    }
}

impl From<Height> for Sequence {
    fn from(height: Height) -> Self {
        Sequence(height.0)
    }
}

impl std::fmt::Display for Sequence {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The two clocks of a replica at one instant.
///
/// Timers run on the monotonic clock, so that a jump of the wall clock fires none of them; only
/// block times are compared with the wall clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moment {
    /// Microseconds on a clock that never goes back (any origin, for example process start).
    pub monotonic: Timestamp,
    /// The wall clock: microseconds since the Unix epoch.
    pub wall: Timestamp,
}
