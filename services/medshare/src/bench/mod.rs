//! `medshare bench`: measurements on this machine, with real processes, a real broker and real fsync.
//!
//! One file a subject. [`whole_system`], [`cluster`] and [`chain`] are what is measured, [`measure`] and [`report`] what is
//! said of it. No figure is printed that was not verified: receipts by the genesis file, counts on the ledger.

mod chain;
mod cluster;
mod demo;
mod length;
mod load;
mod measure;
mod mix;
mod ordering;
mod ordering_report;
mod pages;
mod proc;
mod process;
mod projection;
mod readings;
mod receipts;
mod register;
mod report;
mod rest;
mod scratch;
mod search;
mod verify;
mod whole_system;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use report::Report;

/// `medshare bench`
#[derive(Debug, Args)]
pub struct BenchArguments {
    /// What is measured; all of it, shortly, if nothing is named.
    #[command(subcommand)]
    subject: Option<Bench>,
}

/// What is measured.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// Committed transactions a second and latency of the ordering cluster.
    ///
    /// Starts a broker and replicas as processes in a folder of their own, and drives them with pre-signed transactions
    /// of many members at a fixed rate (open loop): 80 % register a record, 15 % log a view, 5 % are the steps of
    /// applications, payment included. Every receipt is verified; no figure is printed if one fails or is missing, or if
    /// replicas disagree.
    Ordering(OrderingBench),
    /// A doctor writes a record through REST and has its receipt: latency alone, and how many a second.
    ///
    /// Starts a whole system. Every receipt is verified, and the records are counted on the ledger.
    Register(RegisterBench),
    /// Device readings over MQTT: acknowledged by the service, and anchored on the ledger, a second.
    ///
    /// Starts a whole system. The readings are counted in acknowledgements and in the ledger's anchors.
    Readings(ReadingsBench),
    /// Disease search over many records through REST: latency, memory, and the start of the index.
    ///
    /// Starts a whole system with a filled index. Every count of patients is checked.
    Search(SearchBench),
    /// The portal's lists over many records, applications and blocks: server time of each page.
    ///
    /// Starts a whole system with filled databases. Every page is checked for the number of its entries.
    Pages(PagesBench),
    /// A chain verified offline: MB a second, with and without the members' signatures.
    Verify(VerifyBench),
    /// Projections rebuilt: events a second. With MEDSHARE_TEST_POSTGRES naming a server, on PostgreSQL as well.
    Projection(ProjectionBench),
    /// The whole system at rest: memory of each process and of all, processor time.
    Rest(RestBench),
    /// The whole demo, by the clock.
    Demo(DemoBench),
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
    /// Looks for the highest rate whose p99 stays under 100 ms, starting at --rate, with --seconds for each; the figures
    /// are those of that rate.
    #[arg(long)]
    pub search: bool,
    /// How many members submit.
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
    /// Fills the ledger with so many transactions before the measurement.
    #[arg(long, value_name = "TRANSACTIONS")]
    pub fill: Option<u64>,
    /// Restarts a replica at the end, and says how long it took to be ready.
    #[arg(long)]
    pub restart: bool,
    /// Stops a replica at the end, loads the others with so many transactions, and says how it catches up under load.
    #[arg(long, value_name = "TRANSACTIONS")]
    pub catch_up: Option<u64>,
    /// Works in this folder and keeps it; what an earlier run left there is loaded further.
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Changes a key of `[ordering.tuning]` at all replicas, as in pipeline_depth=8.
    #[arg(long = "set", value_name = "KEY=NUMBER")]
    pub set: Vec<String>,
}

/// `medshare bench register`
#[derive(Clone, Debug, Args)]
pub struct RegisterBench {
    /// How many records one at a time.
    #[arg(long, default_value_t = 300)]
    pub samples: usize,
    /// Pause after each, in milliseconds.
    #[arg(long, default_value_t = 20)]
    pub pause_ms: u64,
    /// How long for each number at once, in seconds.
    #[arg(long, default_value_t = 5)]
    pub seconds: u64,
    /// How many patients the records are of.
    #[arg(long, default_value_t = 16)]
    pub patients: usize,
    /// The folder to work in, on a disk that really syncs; a fresh folder in it is used and removed.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// `medshare bench readings`
#[derive(Clone, Debug, Args)]
pub struct ReadingsBench {
    /// How many devices.
    #[arg(long, default_value_t = 40)]
    pub devices: usize,
    /// How many patients they are bound to.
    #[arg(long, default_value_t = 8)]
    pub patients: usize,
    /// How many packs each device sends.
    #[arg(long, default_value_t = 100)]
    pub packs: usize,
    /// How many readings a pack has: a monitor that sends once a minute has 300.
    #[arg(long, default_value_t = 60)]
    pub readings_per_pack: usize,
    /// How many packs of a device may be unacknowledged.
    #[arg(long, default_value_t = 8)]
    pub window: usize,
    /// The folder to work in, on a disk that really syncs; a fresh folder in it is used and removed.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// `medshare bench search`
#[derive(Clone, Debug, Args)]
pub struct SearchBench {
    /// How many records.
    #[arg(long, default_value_t = 1_000_000)]
    pub records: u64,
    /// How many searches.
    #[arg(long, default_value_t = 2000)]
    pub samples: usize,
    /// The folder to work in, on a disk that really syncs; a fresh folder in it is used and removed.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// `medshare bench pages`
#[derive(Clone, Debug, Args)]
pub struct PagesBench {
    /// How many records the hospital has; 25 at least.
    #[arg(long, default_value_t = 1_000_000)]
    pub records: u64,
    /// How many applications there are for records of one patient.
    #[arg(long, default_value_t = 100_000)]
    pub applications: u64,
    /// How many blocks the explorer has rows of.
    #[arg(long, default_value_t = 1_000_000)]
    pub blocks: u64,
    /// How often each page is asked for.
    #[arg(long, default_value_t = 200)]
    pub samples: usize,
    /// The folder to work in, on a disk that really syncs; a fresh folder in it is used and removed.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// `medshare bench verify`
#[derive(Clone, Debug, Args)]
pub struct VerifyBench {
    /// How many transactions the chain has.
    #[arg(long, default_value_t = 200000)]
    pub transactions: u64,
    /// How many a block has.
    #[arg(long, default_value_t = 200)]
    pub per_block: usize,
    /// How many times.
    #[arg(long, default_value_t = 3)]
    pub runs: usize,
    /// The folder to work in, on a disk that really syncs; a fresh folder in it is used and removed.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// `medshare bench projection`
#[derive(Clone, Debug, Args)]
pub struct ProjectionBench {
    /// How many transactions the chain has.
    #[arg(long, default_value_t = 100000)]
    pub transactions: u64,
    /// How many a block has.
    #[arg(long, default_value_t = 200)]
    pub per_block: usize,
    /// How many times.
    #[arg(long, default_value_t = 3)]
    pub runs: usize,
    /// The folder to work in, on a disk that really syncs; a fresh folder in it is used and removed.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// `medshare bench rest`
#[derive(Clone, Debug, Args)]
pub struct RestBench {
    /// How long after the start it is measured, in seconds.
    #[arg(long, default_value_t = 20)]
    pub settle_seconds: u64,
    /// How long processor time is counted, in seconds.
    #[arg(long, default_value_t = 20)]
    pub seconds: u64,
    /// The folder to work in, on a disk that really syncs; a fresh folder in it is used and removed.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// `medshare bench demo`
#[derive(Clone, Debug, Args)]
pub struct DemoBench {
    /// How many times.
    #[arg(long, default_value_t = 1)]
    pub runs: usize,
    /// The folder to work in, on a disk that really syncs; a fresh folder in it is used and removed.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// Measures, and gives the report.
///
/// # Errors
/// What kept it from measuring, or from believing the figures.
pub async fn run(arguments: &BenchArguments, json: bool) -> anyhow::Result<String> {
    match &arguments.subject {
        Some(Bench::Ordering(arguments)) => ordering::run(arguments, json).await,
        Some(subject) => {
            let report = measured(subject).await?;
            Ok(if json {
                report.json.to_string()
            } else {
                report.text()
            })
        }
        None => all(json).await,
    }
}

async fn measured(subject: &Bench) -> anyhow::Result<Report> {
    match subject {
        Bench::Ordering(_) => anyhow::bail!("the ordering cluster has a report of its own"),
        Bench::Register(arguments) => register::run(arguments).await,
        Bench::Readings(arguments) => readings::run(arguments).await,
        Bench::Search(arguments) => search::run(arguments).await,
        Bench::Pages(arguments) => pages::run(arguments).await,
        Bench::Verify(arguments) => verify::run(arguments).await,
        Bench::Projection(arguments) => projection::run(arguments).await,
        Bench::Rest(arguments) => rest::run(arguments).await,
        Bench::Demo(arguments) => demo::run(arguments).await,
    }
}

/// One word of the command line each; short settings.
const ALL: [&[&str]; 9] = [
    &["ordering", "--rate", "1000", "--seconds", "10"],
    &["register", "--samples", "100", "--seconds", "2"],
    &["readings", "--packs", "50"],
    &["search", "--records", "200000", "--samples", "500"],
    &[
        "pages",
        "--records",
        "100000",
        "--applications",
        "100000",
        "--blocks",
        "100000",
        "--samples",
        "50",
    ],
    &["verify", "--transactions", "50000"],
    &["projection", "--transactions", "30000", "--runs", "1"],
    &["rest", "--settle-seconds", "10", "--seconds", "10"],
    &["demo"],
];

/// A command line of a single subject.
#[derive(Debug, clap::Parser)]
struct Single {
    #[command(subcommand)]
    subject: Bench,
}

/// Every subject with short settings; what fails is said, and the others go on.
async fn all(json: bool) -> anyhow::Result<String> {
    use clap::Parser as _;
    let mut lines = Vec::new();
    let mut failed = Vec::new();
    for words in ALL {
        let name = words[0];
        eprintln!("bench: {}", words.join(" "));
        let single = Single::try_parse_from(["bench"].iter().chain(words))?;
        let line = match single.subject {
            Bench::Ordering(arguments) => ordering::run(&arguments, json).await,
            subject => measured(&subject).await.map(|report| {
                if json {
                    report.json.to_string()
                } else {
                    report.text()
                }
            }),
        };
        match line {
            Ok(line) => lines.push(line),
            Err(error) => {
                eprintln!("bench: {name} gave no figure: {error:#}");
                failed.push(name);
            }
        }
    }
    anyhow::ensure!(
        failed.is_empty(),
        "{}\nno figure of: {}",
        lines.join("\n"),
        failed.join(", ")
    );
    Ok(lines.join(if json { "\n" } else { "\n\n" }))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn the_short_settings_of_all_subjects_are_command_lines() {
        for words in ALL {
            Single::try_parse_from(["bench"].iter().chain(words)).unwrap();
        }
    }
}
