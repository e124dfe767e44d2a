//! `medshare demo`: starts a system of its own in a fresh folder, plays the story of shared records against it, and counts.
//!
//! The story acts through REST ([`client`]) and MQTT alone, except for three named sabotages: a row edited in a hospital's
//! database, a replica killed, and its restart. [`population`] makes or reads the patients, [`acts`] has one file an act,
//! [`figures`] counts the ledger at the end and compares with the independent verifier of `e2e/verifier`.

mod accounts;
mod acts;
pub(crate) mod endorser;
mod figures;
mod population;
pub(crate) mod story;
pub(crate) mod tally;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use data_encoding::HEXLOWER;
use serde::Serialize;

use crate::consortium::{Consortium, Tls};
use crate::supervisor::{Notice, Options, System};
use figures::Figures;
use population::Population;
use story::Story;

/// `medshare demo`
#[derive(Debug, Args)]
pub struct Demo {
    /// The folder to make the system in; empty or absent. Without it, a fresh folder among the temporary files.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Leave the system running at the end, until Ctrl-C.
    #[arg(long)]
    pub keep: bool,
    /// Take the patients from this folder of FHIR R4 Bundles (one patient a file); without it, they are made up.
    #[arg(long, value_name = "DIR", env = "DATA")]
    pub data: Option<PathBuf>,
    /// Take the devices' readings from this folder of series (PhysioNet 2012); without it, they are made up.
    #[arg(long, value_name = "DIR", env = "VITALS")]
    pub vitals: Option<PathBuf>,
    /// How many patients to make up, or to take at most.
    #[arg(long, value_name = "NUMBER")]
    pub patients: Option<usize>,
    /// How many message brokers: 1, or 3 that form a cluster.
    #[arg(long, value_name = "1|3", default_value_t = 1)]
    pub nats_servers: usize,
    /// Where services keep their rows: `sqlite`, or `postgres://user@host:port`.
    #[arg(long, value_name = "URL", default_value = "sqlite")]
    pub database: String,
    /// How everybody connects: `mutual` (TLS with certificates on both sides) or `plain`.
    #[arg(long, value_enum, default_value_t)]
    pub tls: Tls,
}

/// What `--json` says at the end.
#[derive(Clone, Debug, Serialize)]
struct Report {
    #[serde(flatten)]
    figures: Figures,
    receipts_verified: u64,
    seconds: f64,
    failed: Vec<String>,
    data_dir: String,
    receipts_dir: String,
}

/// The small-cell threshold of the search where there are enough patients for it.
const THRESHOLD: i64 = 11;

/// Plays the story; the report's text, and whether nothing failed.
pub async fn run(arguments: &Demo, json: bool) -> anyhow::Result<(String, bool)> {
    let started = Instant::now();
    let folder = match &arguments.dir {
        Some(folder) => std::path::absolute(folder)?,
        None => fresh_folder()?,
    };
    eprintln!("demo: the system is in {}", folder.display());
    let population = Population::gather(arguments)?;
    let mut consortium = Consortium::built_in();
    consortium.brokers = arguments.nats_servers;
    consortium.database.clone_from(&arguments.database);
    consortium.tls = arguments.tls;
    if consortium.database != "sqlite" {
        // A server may hold the databases of several systems.
        consortium.name = format!("medshare-{}", HEXLOWER.encode(&keys::secret::random::<4>()));
    }
    let threshold = population.threshold(THRESHOLD);
    if threshold != THRESHOLD {
        eprintln!(
            "demo: so few patients are searched with a small-cell threshold of {threshold} instead of {THRESHOLD}"
        );
        consortium
            .parameters
            .insert("small_cell_threshold".to_owned(), threshold);
    }
    let consortium = Consortium::from_toml(&toml::to_string(&consortium)?)?;
    crate::init::create_databases(&consortium).await?;
    crate::init::init(&consortium, &folder)?;
    let system = start(&folder).await?;
    eprintln!(
        "demo: {} processes are ready after {:.1} s",
        system.processes().len(),
        started.elapsed().as_secs_f64()
    );

    let played = tokio::select! {
        played = play(&system, population) => played,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    let mut story = match played {
        Ok(story) => story,
        Err(error) => {
            system.shut_down().await;
            return Err(error);
        }
    };
    if arguments.keep {
        eprintln!("demo: the system keeps running; Ctrl-C stops it");
    } else {
        system.shut_down().await;
    }
    let figures = figures::count(&mut story, system.layout())?;
    let report = Report {
        figures,
        receipts_verified: story.client.receipts().count() as u64,
        seconds: (started.elapsed().as_secs_f64() * 10.0).round() / 10.0,
        failed: story.failed.clone(),
        data_dir: folder.display().to_string(),
        receipts_dir: story.receipts_dir.display().to_string(),
    };
    let all_well = report.failed.is_empty();
    let text = if json {
        serde_json::to_string(&report)?
    } else {
        summary(&report)
    };
    if arguments.keep {
        println!("{}", text.trim_end());
        accounts::write(&story)?;
        let control = crate::supervisor::control::serve(system.clone()).await?;
        tokio::signal::ctrl_c().await?;
        control.abort();
        system.shut_down().await;
        return Ok((String::new(), all_well));
    }
    Ok((text, all_well))
}

fn fresh_folder() -> anyhow::Result<PathBuf> {
    let name = format!(
        "medshare-demo-{}",
        HEXLOWER.encode(&keys::secret::random::<4>())
    );
    Ok(std::path::absolute(std::env::temp_dir().join(name))?)
}

async fn start(folder: &std::path::Path) -> anyhow::Result<System> {
    let mut options = Options::new()?;
    options.ready_within = Duration::from_secs(120);
    options.notices = Arc::new(|notice| match notice {
        Notice::Ready { .. } => {}
        Notice::Died { name, how } => eprintln!("demo: {name} ended unasked: {how}"),
        Notice::KilledAtStop { name } => {
            eprintln!("demo: {name} did not stop in time and was killed")
        }
        Notice::Trouble { what } => eprintln!("demo: {what}"),
    });
    System::start(folder, options)
        .await
        .context("the system does not start")
}

/// All acts in order. An act that fails is written down, and the story goes on.
async fn play(system: &System, population: Population) -> anyhow::Result<Story> {
    let mut story = Story::begin(system, population).await?;
    macro_rules! act {
        ($name:literal, $act:path) => {
            story.announce($name);
            if let Err(error) = $act(&mut story).await {
                story.fail($name, &error);
            }
        };
    }
    act!("members register and are endorsed", acts::members::play);
    act!(
        "an insurer publishes its rules and covers the patients",
        acts::insurance::cover
    );
    act!(
        "two hospitals write all records, while a replica is away",
        acts::records::play
    );
    act!("records are viewed", acts::viewing::play);
    act!("a research institution searches", acts::search::play);
    act!(
        "it applies for records; they are released and paid",
        acts::application::play
    );
    act!("a grant is withdrawn", acts::application::withdraw);
    act!("authorization codes open records", acts::codes::play);
    act!(
        "claims are adjudicated and a share is paid",
        acts::insurance::settle
    );
    act!("a device warns", acts::devices::play);
    act!(
        "a row is edited behind the system's back",
        acts::tampering::play
    );
    act!(
        "a third hospital joins without any restart",
        acts::joining::play
    );
    story.announce("every receipt is verified");
    if let Err(error) = story.verify_all_receipts().await {
        story.fail("every receipt is verified", &error);
    }
    Ok(story)
}

fn summary(report: &Report) -> String {
    let figures = &report.figures;
    let applications: Vec<String> = figures
        .applications
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    let failed = match report.failed.is_empty() {
        true => "nothing failed".to_owned(),
        false => format!("FAILED:\n  {}", report.failed.join("\n  ")),
    };
    format!(
        "summary\n  records             {}\n  blocks              {}\n  transactions        {}\n  receipts verified   {}\n  applications        {}\n  paid                {:.2}\n  adjudicated         {}\n  views               {}\n  warnings            {}\n  tampering detected  {}\n  seconds             {}\n  data                {}\n  receipts            {}\n{failed}",
        figures.records,
        figures.blocks,
        figures.transactions,
        report.receipts_verified,
        applications.join(", "),
        figures.paid as f64 / 100.0,
        figures.adjudicated,
        figures.views,
        figures.warnings,
        figures.tampering_detected,
        report.seconds,
        report.data_dir,
        report.receipts_dir,
    )
}
