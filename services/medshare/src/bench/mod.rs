//! `medshare bench`: measurements on this machine, with real processes, a real broker and real fsync.

mod cluster;
mod load;
mod ordering;
mod process;

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What is measured.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// Committed transactions a second and latency of the ordering cluster.
    ///
    /// Starts a broker and replicas as processes in a folder of their own, and drives them with pre-signed
    /// registrations of records by many members, at a fixed rate (open loop). Every receipt is verified; no figure is
    /// printed if one fails or if replicas disagree.
    Ordering(OrderingBench),
}

/// `medshare bench ordering`
#[derive(Clone, Debug, Args)]
pub struct OrderingBench {
    /// Transactions offered a second.
    #[arg(long, default_value_t = 1_000)]
    pub rate: u64,
    /// How long, in seconds.
    #[arg(long, default_value_t = 20)]
    pub seconds: u64,
    /// Looks for the highest rate whose p99 stays under 100 ms, starting at --rate, with --seconds for each.
    #[arg(long)]
    pub search: bool,
    /// How many hospitals submit.
    #[arg(long, default_value_t = 1_000)]
    pub members: u64,
    /// How many replicas.
    #[arg(long, default_value_t = 4)]
    pub replicas: u16,
    /// Kills the primary with SIGKILL after so many seconds of load.
    #[arg(long, value_name = "SECONDS")]
    pub kill_primary_after: Option<u64>,
    /// The folder to work in, on a disk that really syncs; a fresh folder in it is used and removed.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Changes a key of `[ordering.tuning]` at all replicas, as in pipeline_depth=8.
    #[arg(long = "set", value_name = "KEY=NUMBER")]
    pub set: Vec<String>,
}

/// Measures, and gives the report.
///
/// # Errors
/// What kept it from measuring, or from believing the figures.
pub async fn run(bench: &Bench, json: bool) -> anyhow::Result<String> {
    match bench {
        Bench::Ordering(arguments) => ordering::run(arguments, json).await,
    }
}
