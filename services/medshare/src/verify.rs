//! `medshare verify`: receipts and chains, offline, from the genesis file alone.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context as _, bail};
use contracts::Rejection;
use ledger::store_format::{
    Decoded, MAGIC, SegmentError, decode_record, decode_whole_record, parse_segment_name,
    record_bytes,
};
use ledger::{
    CertifiedBlock, ChainVerifier, CheckedAlone, GenesisFile, Height, Outcome, Outlook, Receipt,
};
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
        let mut file_verifier = FileVerifier {
            verifier: &mut verifier,
            report: &mut report,
            file: file.as_path(),
            is_newest: index == newest,
        };
        file_verifier.verify(&bytes)?;
    }
    report.history_root = verifier.history().root().to_string();
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

/// Blocks that are checked by themselves at a time, by all processors together.
const BYTES_AT_ONCE: usize = 8 << 20;

/// Verifies one block file.
struct FileVerifier<'a> {
    verifier: &'a mut ChainVerifier,
    report: &'a mut ChainReport,
    file: &'a Path,
    is_newest: bool,
}

/// A block, its digests left behind, and what it says by itself.
type Checked = (CertifiedBlock, CheckedAlone);

impl FileVerifier<'_> {
    fn verify(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let mut at = if bytes.starts_with(&MAGIC) {
            MAGIC.len()
        } else {
            bail!("{}: {}", self.file.display(), SegmentError::Magic);
        };
        loop {
            let records = whole_records(&bytes[at..]);
            let checked = check(&self.verifier.outlook(), &records);
            let (mut continued, last) = (at, checked.len());
            for (record, (block, alone)) in records.iter().zip(checked) {
                self.take(&block, alone)?;
                continued += record.len();
            }
            at = continued;
            if last == records.len() && !records.is_empty() {
                continue;
            }
            // What stands here is no whole block: the end, or damage that is to be named.
            match decode_record(&bytes[at..]) {
                Decoded::End => return Ok(()),
                Decoded::Torn if self.is_newest => {
                    self.report.torn = true;
                    return Ok(());
                }
                Decoded::Torn => bail!("{}: {}", self.file.display(), SegmentError::Torn { at }),
                Decoded::Corrupt(reason) => {
                    bail!(
                        "{}: {}",
                        self.file.display(),
                        SegmentError::Corrupt { at, reason }
                    )
                }
                Decoded::Record { .. } => {
                    bail!(
                        "{}: the record at byte {at} is read two ways",
                        self.file.display()
                    )
                }
            }
        }
    }

    fn take(&mut self, block: &CertifiedBlock, alone: CheckedAlone) -> anyhow::Result<()> {
        let height = block.block.header.height.0;
        let summary = self
            .verifier
            .next_checked(block, alone)
            .with_context(|| format!("{}: block {height} does not verify", self.file.display()))?;
        let report = &mut *self.report;
        report.blocks += 1;
        report.accepted += summary.accepted as u64;
        report.rejected += summary.rejected as u64;
        report.events += summary.events as u64;
        report.tip = summary.hash.to_string();
        Ok(())
    }
}

/// The records at the start of `bytes`, by their lengths, as many as are checked at once.
fn whole_records(bytes: &[u8]) -> Vec<&[u8]> {
    let (mut records, mut at) = (Vec::new(), 0);
    while at < BYTES_AT_ONCE
        && let Some(length) = record_bytes(&bytes[at..])
    {
        records.push(&bytes[at..at + length]);
        at += length;
    }
    records
}

/// Checks records by themselves on all processors, up to the first that is no block.
fn check(outlook: &Outlook, records: &[&[u8]]) -> Vec<Checked> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(record) = records.get(place) else {
                return done;
            };
            let decoded = decode_whole_record(record);
            done.push((
                place,
                decoded.map(|(block, digests)| {
                    let alone = outlook.check(&block, &digests);
                    (block, alone)
                }),
            ));
        }
    };
    let mut checked: Vec<(usize, Option<Checked>)> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut all = work();
        for other in others {
            all.extend(other.join().expect("checking a block does not panic"));
        }
        all
    });
    checked.sort_unstable_by_key(|(place, _)| *place);
    checked.into_iter().map_while(|(_, block)| block).collect()
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
