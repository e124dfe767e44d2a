//! `medshare verify`: receipts and chains, offline, from the genesis file alone.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, bail};
use contracts::Rejection;
use ledger::store_format::{SegmentError, parse_segment_name, read_segment};
use ledger::{ChainVerifier, GenesisFile, Height, Outcome, Receipt};
use serde::Serialize;

use crate::arguments::Verify;

/// What a verified receipt says.
#[derive(Clone, Debug, Serialize)]
pub struct ReceiptReport {
    /// Always true: what does not verify is an error.
    pub verified: bool,
    /// The transaction's id.
    pub transaction: String,
    /// Who submitted it.
    pub submitter: String,
    /// `accepted`, or the rejection's name.
    pub outcome: String,
    /// How many events were decided.
    pub events: usize,
    /// The block's height.
    pub height: u64,
    /// Block time, microseconds since the Unix epoch.
    pub time: u64,
    /// How many replicas certified the block.
    pub votes: usize,
}

/// What a verified chain holds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ChainReport {
    /// Always true: what does not verify is an error.
    pub verified: bool,
    /// Blocks, the genesis block included.
    pub blocks: u64,
    /// Transactions that took effect.
    pub accepted: u64,
    /// Transactions that were rejected.
    pub rejected: u64,
    /// Events.
    pub events: u64,
    /// The newest block's hash.
    pub tip: String,
    /// The root of the history log over all blocks' hashes.
    pub history_root: String,
    /// Whether the members' signatures were checked.
    pub signatures: bool,
    /// Bytes read.
    pub bytes: u64,
    /// How long it took.
    pub seconds: f64,
    /// The last record was cut short, as a power failure leaves it; it is not part of the chain.
    pub torn: bool,
}

/// Verifies, and returns the report's text.
pub fn run(command: &Verify, json: bool) -> anyhow::Result<String> {
    match command {
        Verify::Receipt { file, genesis } => {
            let report = receipt(file, genesis)?;
            if json {
                return Ok(serde_json::to_string(&report)?);
            }
            Ok(format!(
                "verified: transaction {}\n  submitter  {}\n  outcome    {} ({} events)\n  block      {} (time {} µs), certified by {} replicas",
                report.transaction,
                report.submitter,
                report.outcome,
                report.events,
                report.height,
                report.time,
                report.votes
            ))
        }
        Verify::Chain {
            folder,
            genesis,
            signatures,
        } => {
            let report = chain(folder, genesis, *signatures)?;
            if json {
                return Ok(serde_json::to_string(&report)?);
            }
            let torn = if report.torn {
                "\n  the last record was cut short and is not part of the chain"
            } else {
                ""
            };
            Ok(format!(
                "verified: {} blocks, {} transactions accepted, {} rejected, {} events\n  tip        {}\n  history    {}\n  {} bytes in {:.2} s{torn}",
                report.blocks,
                report.accepted,
                report.rejected,
                report.events,
                report.tip,
                report.history_root,
                report.bytes,
                report.seconds
            ))
        }
    }
}

/// Verifies a receipt file.
pub fn receipt(file: &Path, genesis: &Path) -> anyhow::Result<ReceiptReport> {
    let genesis = read_genesis(genesis)?;
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("{} cannot be read", file.display()))?;
    let receipt = Receipt::from_file(&text).with_context(|| file.display().to_string())?;
    let verified = receipt.verify(&genesis).map_err(|error| {
        anyhow::anyhow!(
            "{}: does not verify (error {}): {error}",
            file.display(),
            error.number()
        )
    })?;
    Ok(ReceiptReport {
        verified: true,
        transaction: verified.transaction().to_string(),
        submitter: receipt.transaction.body.submitter.to_string(),
        outcome: outcome_text(verified.outcome()),
        events: verified.events().len(),
        height: verified.height().0,
        time: verified.time().0,
        votes: verified.certificate().votes(),
    })
}

fn outcome_text(outcome: Outcome) -> String {
    match (outcome, Rejection::from_outcome(outcome)) {
        (Outcome::Accepted, _) => "accepted".to_owned(),
        (Outcome::Rejected { contract, code }, Some(rejection)) => {
            format!(
                "rejected by contract {} with code {code}: {}",
                contract.0,
                rejection.name()
            )
        }
        (Outcome::Rejected { contract, code }, None) => {
            format!("rejected by contract {} with code {code}", contract.0)
        }
    }
}

/// Verifies every block file of a folder, from the genesis block on.
pub fn chain(folder: &Path, genesis: &Path, signatures: bool) -> anyhow::Result<ChainReport> {
    let genesis = read_genesis(genesis)?;
    let mut verifier = ChainVerifier::new(&genesis)?;
    if signatures {
        verifier = verifier.with_member_signatures();
    }
    let segments = segments(folder)?;
    let mut report = ChainReport {
        verified: true,
        signatures,
        ..ChainReport::default()
    };
    let started = Instant::now();
    let newest = segments.len() - 1;
    for (index, (first, file)) in segments.iter().enumerate() {
        if *first != verifier.height() {
            bail!(
                "{}: begins at height {}, height {} is due",
                file.display(),
                first.0,
                verifier.height().0
            );
        }
        let bytes =
            std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
        report.bytes += bytes.len() as u64;
        for block in read_segment(&bytes) {
            let block = match block {
                Ok(block) => block,
                Err(SegmentError::Torn { .. }) if index == newest => {
                    report.torn = true;
                    break;
                }
                Err(error) => bail!("{}: {error}", file.display()),
            };
            let height = block.block.header.height.0;
            let summary = verifier
                .next(&block)
                .with_context(|| format!("{}: block {height} does not verify", file.display()))?;
            report.blocks += 1;
            report.accepted += summary.accepted as u64;
            report.rejected += summary.rejected as u64;
            report.events += summary.events as u64;
            report.tip = summary.hash.to_string();
        }
    }
    report.history_root = verifier.history().root().to_string();
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

/// The block files of a folder, ascending.
fn segments(folder: &Path) -> anyhow::Result<Vec<(Height, PathBuf)>> {
    let inner = folder.join("blocks");
    let folder = if inner.is_dir() {
        inner
    } else {
        folder.to_owned()
    };
    let mut segments = Vec::new();
    for entry in std::fs::read_dir(&folder)
        .with_context(|| format!("{} cannot be read", folder.display()))?
    {
        let entry = entry?;
        if let Some(first) = entry.file_name().to_str().and_then(parse_segment_name) {
            segments.push((first, entry.path()));
        }
    }
    if segments.is_empty() {
        bail!("{} has no block files", folder.display());
    }
    segments.sort();
    Ok(segments)
}

fn read_genesis(file: &Path) -> anyhow::Result<GenesisFile> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("{} cannot be read", file.display()))?;
    GenesisFile::from_json(&text).with_context(|| file.display().to_string())
}
