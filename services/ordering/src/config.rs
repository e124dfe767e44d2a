//! `[ordering]`: what one replica is set up with.

use std::path::PathBuf;

use bus::BusConfig;
use ledger::ReplicaId;
use serde::{Deserialize, Serialize};

/// The configuration of one replica.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The bus; its user is `replica-<number>`.
    pub bus: BusConfig,
    /// Which replica of the epoch this is.
    pub replica: ReplicaId,
    /// The seed of the voting key (64 hex characters), mode 0600. It belongs to this data folder: never copy it to
    /// another, never restore it from a backup.
    pub voting_key_file: PathBuf,
    /// The seed of the key that an epoch to come names for this replica (a change `RotateReplicaKey`), while both are
    /// needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_voting_key_file: Option<PathBuf>,
    /// Where journal, blocks and state are kept: a folder on a disk that really syncs.
    pub data: PathBuf,
    /// Limits and timers; the same at all replicas.
    #[serde(default)]
    pub tuning: Tuning,
}

/// `[ordering.tuning]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tuning {
    /// How many transactions a block holds at most.
    pub block_transactions_max: usize,
    /// How many proposals may be in flight at once.
    pub pipeline_depth: u64,
    /// How long a batch fills while another is in flight, in microseconds. About as long as one takes: a block costs each
    /// replica as much as some tens of transactions do, so a busy machine is not to make more of them than it must.
    pub batch_wait_us: u64,
    /// How many transactions wait at most before the intake answers "busy"; those that other replicas relay may be as many
    /// again.
    pub waiting_transactions_max: usize,
    /// How many transactions of one member wait at most.
    pub member_transactions_max: usize,
    /// How long a waiting transaction goes without a certified block before the view is changed, in milliseconds.
    pub request_timeout_ms: u64,
    /// An empty block after so long without one, in milliseconds.
    pub idle_block_after_ms: u64,
    /// Threads that check signatures.
    pub checking_threads: usize,
}

impl Default for Tuning {
    fn default() -> Tuning {
        Tuning {
            block_transactions_max: 500,
            pipeline_depth: 4,
            batch_wait_us: 8_000,
            waiting_transactions_max: 20_000,
            member_transactions_max: 8_192,
            request_timeout_ms: 1_000,
            idle_block_after_ms: 10_000,
            checking_threads: 1,
        }
    }
}

impl Tuning {
    /// How many bodies are held at most: those that wait, and those of blocks that the core may look back at.
    pub fn bodies_max(&self) -> usize {
        let window = usize::try_from(self.limits().window).unwrap_or(usize::MAX);
        (2 * self.waiting_transactions_max)
            .saturating_add(window.saturating_mul(2 * self.block_transactions_max))
    }

    /// As the core takes it.
    pub fn limits(&self) -> pbft::Limits {
        pbft::Limits {
            batch_digests_max: self.block_transactions_max,
            pipeline_depth: self.pipeline_depth,
            batch_wait_us: self.batch_wait_us,
            pool_requests_max: self.waiting_transactions_max,
            client_requests_max: self.member_transactions_max,
            request_timeout_us: self.request_timeout_ms * 1_000,
            idle_block_after_us: self.idle_block_after_ms * 1_000,
            ..pbft::Limits::default()
        }
    }
}
