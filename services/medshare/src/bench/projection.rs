//! `medshare bench projection`: the services' projections rebuilt from a whole chain, verified block by block as it is read.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use ledger::store_format::read_segment;
use ledger::{CertifiedBlock, ChainVerifier, GenesisFile};
use serde::Serialize;
use sqlx::{Connection as _, Row as _};
use tokio::sync::mpsc;

use super::ProjectionBench;
use super::chain::Chain;
use super::measure::{Conditions, Spread};
use super::report::Report;
use super::scratch::Scratch;

/// As many as a follower keeps ready.
const READY_BLOCKS: usize = 64;

/// The projections, each with a table whose rows are counted afterwards, and what that count is of the chain's.
const SUBJECTS: [(&str, &str); 5] = [
    ("records", "ledger_records"),
    ("index", "heads"),
    ("authorization", "items"),
    ("settlement", "claims"),
    ("iot", "bindings"),
];

#[derive(Debug, Serialize)]
struct Figures {
    transactions: u64,
    events: u64,
    /// Events a second by database and projection: of all events, also those that the projection passes over.
    events_per_second: BTreeMap<String, BTreeMap<&'static str, Spread>>,
}

/// Measures as asked.
pub async fn run(arguments: &ProjectionBench) -> anyhow::Result<Report> {
    let scratch = Scratch::make(&arguments.dir)?;
    let chain = Chain::make(scratch.path(), arguments.transactions, arguments.per_block)?;
    let conditions = Conditions::of(format!(
        "a chain of {} transactions made by the real executor, {} a block; certificates and roots verified while rebuilding; \
         SQLite with synchronous FULL",
        arguments.transactions, arguments.per_block
    ));
    let mut databases = vec![("sqlite".to_owned(), None)];
    if let Ok(server) = std::env::var("MEDSHARE_TEST_POSTGRES") {
        databases.push(("postgres".to_owned(), Some(server)));
    }
    let mut figures = Figures {
        transactions: chain.transactions,
        events: chain.events,
        events_per_second: BTreeMap::new(),
    };
    for (database, server) in databases {
        let mut by_subject = BTreeMap::new();
        for (subject, table) in SUBJECTS {
            let mut rates = Vec::new();
            for number in 0..arguments.runs.max(1) {
                let url = match &server {
                    None => {
                        store::sqlite_url(&scratch.path().join(format!("{subject}-{number}.db")))
                    }
                    Some(server) => fresh_database(server).await?,
                };
                let began = Instant::now();
                let events = rebuild(subject, &url, &chain).await?;
                rates.push(events as f64 / began.elapsed().as_secs_f64());
                ensure!(
                    events == chain.events,
                    "{subject}: the chain has {} events, {events} were folded",
                    chain.events
                );
                check_rows(subject, table, &url, &chain).await?;
            }
            by_subject.insert(subject, Spread::of(rates));
        }
        figures.events_per_second.insert(database, by_subject);
    }
    let mut rows = vec![(
        "of it".to_owned(),
        format!(
            "{} events of {} transactions",
            figures.events, figures.transactions
        ),
    )];
    for (database, by_subject) in &figures.events_per_second {
        for (subject, spread) in by_subject {
            let what = format!("{subject} on {database}");
            rows.push((what, format!("{} events/s", spread.text(0))));
        }
    }
    Report::new("projection", rows, conditions, &figures)
}

async fn rebuild(subject: &str, url: &str, chain: &Chain) -> anyhow::Result<u64> {
    let (sender, blocks) = mpsc::channel(READY_BLOCKS);
    let (genesis, folder) = (chain.genesis.clone(), chain.blocks.clone());
    let feeding = std::thread::spawn(move || feed(&genesis, &folder, &sender));
    let events = match subject {
        "records" => records::rebuild(url, chain.hospital, blocks).await,
        "index" => index::rebuild(url, blocks).await,
        "authorization" => authorization::rebuild(url, blocks).await,
        "settlement" => settlement::rebuild(url, blocks).await,
        _ => iot::rebuild(url, blocks).await,
    }?;
    feeding
        .join()
        .map_err(|_| anyhow::anyhow!("reading the chain panicked"))??;
    Ok(events)
}

/// Reads the chain, verifies each block, and hands it on.
fn feed(
    genesis: &GenesisFile,
    folder: &Path,
    blocks: &mpsc::Sender<CertifiedBlock>,
) -> anyhow::Result<()> {
    let mut verifier = ChainVerifier::new(genesis)?;
    let mut files: Vec<_> = std::fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<_>>()?;
    files.sort();
    for file in files {
        for block in read_segment(&std::fs::read(&file)?) {
            let block = block?;
            verifier.next(&block)?;
            if blocks.blocking_send(block).is_err() {
                // Whoever rebuilds says why it ended.
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The rows that must be there after the whole chain.
async fn check_rows(subject: &str, table: &str, url: &str, chain: &Chain) -> anyhow::Result<()> {
    let expected = match subject {
        "records" => chain.records_of_hospital,
        "index" => chain.records,
        "authorization" => chain.applications,
        "settlement" => chain.claims,
        _ => 0,
    };
    let mut connection = sqlx::AnyConnection::connect(url).await?;
    let sql = sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
    let rows: i64 = sqlx::query(sql)
        .fetch_one(&mut connection)
        .await?
        .try_get(0)?;
    ensure!(
        rows.unsigned_abs() == expected,
        "{subject}: the chain makes {expected} rows of {table}, there are {rows}"
    );
    Ok(())
}

async fn fresh_database(server: &str) -> anyhow::Result<String> {
    sqlx::any::install_default_drivers();
    let name = format!("bench_{}", chassis::clock::now());
    let mut connection = sqlx::AnyConnection::connect(server).await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .execute(&mut connection)
        .await?;
    let (base, parameters) = server.split_once('?').unwrap_or((server, ""));
    let (base, _) = base
        .rsplit_once('/')
        .context("a database in MEDSHARE_TEST_POSTGRES")?;
    Ok(match parameters {
        "" => format!("{base}/{name}"),
        parameters => format!("{base}/{name}?{parameters}"),
    })
}
