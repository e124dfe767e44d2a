//! What a replica is set up with.

use ledger::{
    CHECKPOINT_INTERVAL, CONSENSUS_WINDOW, Digest, EpochDescription, ReplicaId, Timestamp,
};

use crate::number::Sequence;

/// Identity, epoch and tuning of a replica. All replicas of an epoch use the same limits.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// The chain id.
    pub chain: Digest,
    /// The replica set.
    pub epoch: EpochDescription,
    /// Which of them this is.
    pub replica: ReplicaId,
    /// The last block before this epoch's first (the genesis block in epoch 0).
    pub base: Base,
    /// Limits and timers.
    pub limits: Limits,
}

/// The block on which an epoch builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Base {
    /// Its height.
    pub sequence: Sequence,
    /// Its hash.
    pub block: Digest,
    /// Its time.
    pub time: Timestamp,
}

/// Limits and timers. Durations are microseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// K: a checkpoint every so many heights.
    pub checkpoint_interval: u64,
    /// L: how far above the stable checkpoint votes are cast (a multiple of K, at least 2 K).
    pub window: u64,
    /// How many proposals may be in flight (proposed and not certified) at once.
    pub pipeline_depth: u64,
    /// How many digests a batch holds at most.
    pub batch_digests_max: usize,
    /// With proposals in flight, a batch that is not full waits this long for more requests.
    pub batch_wait_us: u64,
    /// How long a COMMIT, which the primary hears at once, waits for something else that is said to the others.
    pub commit_spread_us: u64,
    /// The same, when nothing had been said to them for [`Limits::commit_spread_us`] before what was said last.
    pub commit_spread_quiet_us: u64,
    /// How many requests of clients wait at most; those that other replicas relay may be as many again.
    pub pool_requests_max: usize,
    /// How many requests of one client wait at most.
    pub client_requests_max: usize,
    /// After how long a backup relays a waiting request to the primary.
    pub forward_after_us: u64,
    /// After how long without a certified block a waiting request starts a view change (doubles with every
    /// view change that brings none).
    pub request_timeout_us: u64,
    /// How much longer a request at the front of a full queue may be passed over, while others are proposed (see
    /// `Pool::waiting_since`).
    pub passed_over_us: u64,
    /// How long a view change may take once a quorum wants it (doubles likewise).
    pub new_view_timeout_us: u64,
    /// The largest factor by which the two timeouts grow.
    pub timeout_factor_max: u64,
    /// An empty block after so long without one.
    pub idle_block_after_us: u64,
    /// How far a proposed time may be from a backup's wall clock.
    pub clock_tolerance_us: u64,
    /// How often status is told while something is outstanding.
    pub status_interval_us: u64,
    /// How often status is told when nothing is.
    pub status_interval_idle_us: u64,
    /// After how long an unanswered vote, body or batch is sent or asked for again.
    pub retransmit_after_us: u64,
    /// How long a missing body is awaited from its client before it is fetched from a replica.
    pub body_patience_us: u64,
    /// After how long a fetch of blocks is given up.
    pub fetch_timeout_us: u64,
    /// How many blocks one fetch asks for at most.
    pub fetch_blocks_max: u64,
    /// Primaries take turns: after so many blocks a view ends (at the next stable checkpoint). 0: never.
    pub view_blocks_max: u64,
    /// A primary with room for proposals that lets requests wait longer than this is slack (see `floor`).
    pub floor_grace_us: u64,
    /// A primary is judged each time it had something to do for so long.
    pub floor_window_us: u64,
    /// It may be slack for this part of that time.
    pub floor_slack_permille: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            checkpoint_interval: CHECKPOINT_INTERVAL,
            window: CONSENSUS_WINDOW,
            pipeline_depth: 8,
            batch_digests_max: 1_000,
            batch_wait_us: 1_000,
            commit_spread_us: 5_000,
            commit_spread_quiet_us: 1_000,
            pool_requests_max: 20_000,
            client_requests_max: 4_096,
            forward_after_us: 300_000,
            request_timeout_us: 1_000_000,
            passed_over_us: 10_000_000,
            new_view_timeout_us: 1_000_000,
            timeout_factor_max: 64,
            idle_block_after_us: 10_000_000,
            clock_tolerance_us: 2_000_000,
            status_interval_us: 200_000,
            status_interval_idle_us: 1_000_000,
            retransmit_after_us: 200_000,
            body_patience_us: 20_000,
            fetch_timeout_us: 5_000_000,
            fetch_blocks_max: 256,
            view_blocks_max: 16_384,
            floor_grace_us: 50_000,
            floor_window_us: 2_000_000,
            floor_slack_permille: 500,
        }
    }
}

impl Limits {
    pub(crate) fn check(&self) -> Result<(), RestoreError> {
        let wrong = |reason| Err(RestoreError::Limits(reason));
        if self.checkpoint_interval == 0 || self.pipeline_depth == 0 || self.batch_digests_max == 0
        {
            return wrong(
                "checkpoint_interval, pipeline_depth and batch_digests_max are at least 1",
            );
        }
        if self.window < 2 * self.checkpoint_interval
            || !self.window.is_multiple_of(self.checkpoint_interval)
        {
            return wrong("window is a multiple of checkpoint_interval, at least twice as large");
        }
        if self.status_interval_us == 0
            || self.request_timeout_us == 0
            || self.new_view_timeout_us == 0
        {
            return wrong("intervals and timeouts are longer than nothing");
        }
        if self.floor_window_us == 0 {
            return wrong("floor_window_us is longer than nothing");
        }
        if self.fetch_blocks_max == 0 || self.timeout_factor_max == 0 {
            return wrong("fetch_blocks_max and timeout_factor_max are at least 1");
        }
        Ok(())
    }
}

/// Why a configuration or a log is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// The replica is not in the epoch.
    #[error("replica {0} is not a member of the epoch")]
    NotAMember(ReplicaId),
    /// A limit makes no sense.
    #[error("limits: {0}")]
    Limits(&'static str),
    /// The signer's key is not the one that the epoch names for this replica.
    #[error("the signing key is not the one of this replica in the epoch")]
    WrongKey,
    /// A log record is not decodable or not ours.
    #[error("vote log record {index}: {reason}")]
    Record {
        /// Position in the log.
        index: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// The log holds two different votes for one slot.
    #[error("the vote log holds two votes for one slot at sequence {0}")]
    ConflictingVotes(Sequence),
    /// The log is of a later epoch than the configuration.
    #[error("the vote log is of epoch {0}, which the configuration has not reached")]
    LaterEpoch(ledger::Epoch),
    /// The stored chain contradicts itself or the log.
    #[error("the stored chain: {0}")]
    Chain(&'static str),
}
