//! Who is on the bus: the sealing key of every bus name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use keys::SealingPublicKey;
use ledger::PublicKey;
use serde::{Deserialize, Serialize};

use crate::error::BusError;

/// What others must know of a process on the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectoryEntry {
    /// To which requests for it are sealed, and by which its own requests are known.
    pub sealing_key: SealingPublicKey,
    /// The signing key of the member it acts as (zero for processes that are no member).
    pub public_key: PublicKey,
}

/// The JSON file: bus name to entry.
pub type DirectoryFile = BTreeMap<String, DirectoryEntry>;

/// The directory of one process: its file, read again when a name is unknown (a hospital that joined later),
/// and what was inserted at run time.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    entries: RwLock<DirectoryFile>,
    read_again: Mutex<Instant>,
}

const READ_AGAIN_AFTER: Duration = Duration::from_millis(500);

impl Directory {
    /// Reads the file.
    pub fn open(path: &Path) -> Result<Directory, BusError> {
        let entries = read(path)?;
        Ok(Directory {
            path: path.into(),
            entries: RwLock::new(entries),
            read_again: Mutex::new(Instant::now()),
        })
    }

    /// The entry of a bus name.
    pub fn get(&self, name: &str) -> Option<DirectoryEntry> {
        let known = || {
            self.entries
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .get(name)
                .copied()
        };
        known().or_else(|| {
            self.refresh();
            known()
        })
    }

    /// Adds or replaces an entry, until the process ends.
    pub fn insert(&self, name: &str, entry: DirectoryEntry) {
        self.entries
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.into(), entry);
    }

    /// All bus names, ascending.
    pub fn names(&self) -> Vec<String> {
        self.entries
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .keys()
            .cloned()
            .collect()
    }

    /// Reads the file again, at most twice a second; names that it no longer has are kept.
    pub fn refresh(&self) {
        {
            let mut last = self
                .read_again
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if last.elapsed() < READ_AGAIN_AFTER {
                return;
            }
            *last = Instant::now();
        }
        match read(&self.path) {
            Ok(entries) => self
                .entries
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .extend(entries),
            Err(error) => tracing::warn!(%error, "the directory could not be read again"),
        }
    }
}

fn read(path: &Path) -> Result<DirectoryFile, BusError> {
    let failed = |reason: String| BusError::File {
        path: path.into(),
        reason,
    };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| failed(error.to_string()))
}
