//! The figures at the end: counted from one replica's block files, and compared with what the independent verifier of
//! `e2e/verifier` recounts from the same files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use contracts::Event;
use contracts::ItemId;
use contracts::authorization::event::{Event as AuthorizationEvent, Refuser};
use contracts::records::event::Event as RecordsEvent;
use contracts::settlement::event::{Account, Event as SettlementEvent, PostingReason};
use contracts::telemetry::event::Event as TelemetryEvent;
use ledger::store_format::{SegmentError, parse_segment_name, read_segment};
use ledger::{ChainVerifier, GenesisFile, LEDGER_CONTRACT};
use serde::Serialize;
use serde_json::Value;

use super::story::Story;
use crate::layout::Layout;

/// The replica whose ledger is counted.
const REPLICA: &str = "replica-0";
const STATES: [&str; 6] = [
    "open",
    "released",
    "refused_by_hospital",
    "refused_by_patient",
    "withdrawn",
    "expired",
];

/// What the ledger says.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Figures {
    pub(super) records: u64,
    pub(super) blocks: u64,
    pub(super) transactions: u64,
    pub(super) applications: BTreeMap<&'static str, u64>,
    pub(super) paid: i64,
    pub(super) adjudicated: u64,
    pub(super) views: u64,
    pub(super) warnings: u64,
    pub(super) tampering_detected: u64,
}

/// Counts, and compares with the verifier and with what the gateway showed; differences go to the story's failures.
pub(super) fn count(story: &mut Story, layout: &Layout) -> anyhow::Result<Figures> {
    let folder = layout.process(REPLICA).join("data/blocks");
    let recounted = recount(&folder, &layout.genesis());
    let until = match &recounted {
        Ok(Some(report)) => report["blocks"].as_u64().unwrap_or(u64::MAX),
        _ => u64::MAX,
    };
    let figures = from_files(&folder, &layout.genesis(), until)?;
    match recounted {
        Ok(Some(report)) => compare(story, &figures, &report),
        Ok(None) => story.tell("python3 or e2e/verifier is not here: not recounted"),
        Err(error) => story.fail("the independent verifier", &error),
    }
    let shown = [
        ("records", story.tally.records, figures.records),
        (
            "transactions",
            story.tally.transactions.len() as u64,
            figures.transactions,
        ),
        (
            "adjudicated",
            story.tally.adjudicated.len() as u64,
            figures.adjudicated,
        ),
        (
            "records of the input",
            story.population.records as u64,
            figures.records,
        ),
        (
            "claims of the input",
            story.population.claims as u64,
            figures.adjudicated,
        ),
        (
            "receipts",
            story.client.receipts().count() as u64,
            figures.transactions,
        ),
    ];
    for (name, expected, counted) in shown {
        if expected != counted {
            story
                .failed
                .push(format!("{name}: {expected}, but the ledger has {counted}"));
        }
    }
    Ok(figures)
}

fn compare(story: &mut Story, figures: &Figures, report: &Value) {
    let ours = serde_json::to_value(figures).unwrap_or_default();
    let mut same = true;
    for (name, counted) in ours.as_object().into_iter().flatten() {
        if report.get(name) != Some(counted) {
            same = false;
            story.failed.push(format!(
                "{name}: {counted}, but the independent verifier counts {}",
                report[name]
            ));
        }
    }
    if same {
        story.tell("the independent verifier recounts the same from one replica's ledger");
    }
}

/// What `e2e/verifier/recount.py` says; none when it is not here.
fn recount(blocks: &Path, genesis: &Path) -> anyhow::Result<Option<Value>> {
    let Some(script) = script() else {
        return Ok(None);
    };
    let run = match Command::new("python3")
        .arg(&script)
        .arg(blocks)
        .arg(genesis)
        .output()
    {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        run => run.context("python3 cannot be run")?,
    };
    anyhow::ensure!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr).trim()
    );
    Ok(Some(serde_json::from_slice(&run.stdout)?))
}

/// The script: below the current folder, or below one above this program.
fn script() -> Option<PathBuf> {
    let mut folders = vec![std::env::current_dir().ok()?];
    if let Ok(program) = std::env::current_exe() {
        folders.extend(program.ancestors().map(Path::to_owned));
    }
    folders
        .into_iter()
        .map(|folder| folder.join("e2e/verifier/recount.py"))
        .find(|script| script.is_file())
}

/// Verifies and counts the first `until` blocks of a replica's files.
fn from_files(folder: &Path, genesis: &Path, until: u64) -> anyhow::Result<Figures> {
    let genesis = GenesisFile::from_json(&std::fs::read_to_string(genesis)?)?;
    let mut verifier = ChainVerifier::new(&genesis)?;
    let mut segments = BTreeMap::new();
    for entry in
        std::fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?
    {
        let entry = entry?;
        if let Some(first) = entry.file_name().to_str().and_then(parse_segment_name) {
            segments.insert(first, entry.path());
        }
    }
    let mut counter = Counter::default();
    'files: for file in segments.into_values() {
        let bytes = std::fs::read(&file)?;
        for block in read_segment(&bytes) {
            let block = match block {
                Err(SegmentError::Torn { .. }) => break 'files,
                block => block.with_context(|| file.display().to_string())?,
            };
            if counter.figures.blocks == until {
                break 'files;
            }
            verifier.next(&block)?;
            counter.figures.blocks += 1;
            counter.figures.transactions += block.block.transactions.len() as u64;
            for recorded in block.block.outcomes.iter().flat_map(|leaf| &leaf.events) {
                if recorded.contract != LEDGER_CONTRACT {
                    counter.count(Event::from_bytes(recorded.contract, &recorded.bytes)?);
                }
            }
        }
    }
    Ok(counter.finish())
}

#[derive(Default)]
struct Counter {
    figures: Figures,
    items: BTreeMap<ItemId, &'static str>,
    adjudicated: BTreeSet<String>,
}

impl Counter {
    fn count(&mut self, event: Event) {
        let figures = &mut self.figures;
        match event {
            Event::Records(event) => match event {
                RecordsEvent::RecordRegistered { .. } => figures.records += 1,
                RecordsEvent::AccessLogged { .. } | RecordsEvent::CodeRedeemed { .. } => {
                    figures.views += 1
                }
                RecordsEvent::TamperingReported { .. } => figures.tampering_detected += 1,
                _ => {}
            },
            Event::Authorization(event) => self.count_item(&event),
            Event::Settlement(SettlementEvent::Posted {
                reason: PostingReason::ItemPaid(_),
                lines,
            }) => {
                let members = lines
                    .iter()
                    .filter(|line| matches!(line.account, Account::Member(_)));
                figures.paid += members.map(|line| line.amount).sum::<i64>();
            }
            Event::Settlement(SettlementEvent::ClaimAdjudicated { claim, .. }) => {
                self.adjudicated.insert(claim.0.to_string());
            }
            Event::Telemetry(TelemetryEvent::WarningRaised { .. }) => figures.warnings += 1,
            _ => {}
        }
    }

    fn count_item(&mut self, event: &AuthorizationEvent) {
        let (item, state) = match event {
            AuthorizationEvent::ItemOpened { item, .. } => (item, "open"),
            AuthorizationEvent::ItemReleased { item, .. } => (item, "released"),
            AuthorizationEvent::ItemRefused {
                item,
                refuser: Refuser::Hospital,
                ..
            } => (item, "refused_by_hospital"),
            AuthorizationEvent::ItemRefused {
                item,
                refuser: Refuser::Patient,
                ..
            } => (item, "refused_by_patient"),
            AuthorizationEvent::ItemWithdrawn { item } => (item, "withdrawn"),
            AuthorizationEvent::ItemExpired { item } => (item, "expired"),
            _ => return,
        };
        self.items.insert(*item, state);
    }

    fn finish(mut self) -> Figures {
        self.figures.adjudicated = self.adjudicated.len() as u64;
        for state in STATES {
            let count = self.items.values().filter(|found| **found == state).count();
            self.figures.applications.insert(state, count as u64);
        }
        self.figures
    }
}
