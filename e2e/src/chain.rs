//! What a replica's files hold.

use std::path::Path;
use std::process::Command;

use contracts::Event;
use ledger::store_format::{parse_segment_name, read_segment};
use ledger::{CertifiedBlock, Digest, LEDGER_CONTRACT};
use serde_json::Value;

use crate::story::workspace;

/// All certified blocks of a replica, in order.
///
/// # Panics
/// If its files cannot be read.
pub fn blocks(folder: &Path) -> Vec<CertifiedBlock> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the replica has block files")
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((
                parse_segment_name(entry.file_name().to_str()?)?,
                entry.path(),
            ))
        })
        .collect();
    files.sort();
    let mut blocks = Vec::new();
    for (_, file) in files {
        let bytes = std::fs::read(&file).expect("a block file can be read");
        blocks.extend(read_segment(&bytes).map_while(Result::ok));
    }
    blocks
}

/// An event, with the transaction whose outcome it is; none for what the system itself recorded.
pub struct Decided {
    /// The transaction.
    pub transaction: Option<Digest>,
    /// The event.
    pub event: Event,
}

/// All events of the contracts, in order.
///
/// # Panics
/// If an event cannot be read.
pub fn events(folder: &Path) -> Vec<Decided> {
    let mut events = Vec::new();
    for block in blocks(folder) {
        for (place, leaf) in block.block.outcomes.iter().enumerate() {
            for recorded in leaf
                .events
                .iter()
                .filter(|recorded| recorded.contract != LEDGER_CONTRACT)
            {
                let event = Event::from_bytes(recorded.contract, &recorded.bytes)
                    .expect("a committed event reads");
                events.push(Decided {
                    transaction: (place > 0).then_some(leaf.transaction),
                    event,
                });
            }
        }
    }
    events
}

/// What the independent verifier counts, or what it finds wrong.
///
/// # Panics
/// If python3 is not there.
pub fn recount(blocks: &Path, genesis: &Path) -> Result<Value, String> {
    let script = workspace().join("e2e/verifier/recount.py");
    let run = Command::new("python3")
        .arg(script)
        .arg(blocks)
        .arg(genesis)
        .output()
        .expect("python3 runs");
    match run.status.success() {
        true => Ok(serde_json::from_slice(&run.stdout).expect("the recount is JSON")),
        false => Err(String::from_utf8_lossy(&run.stderr).into_owned()),
    }
}
