//! Binds a voting key to the one data folder it votes with.
//!
//! A vote log that was lost, or is an old copy, must never be continued under the same key (`docs/ordering-rules.md`).
//! Beside the key's file stands `<key file>.store` with the id of the store it votes with; the store holds the same id.
//! A folder that lacks it, or holds another, is not the one that the key's votes are in. An old copy of the folder
//! holds the right id: that is found by what other replicas remember (`pbft`, `recall`).

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Why a replica may not vote with its key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unbound {
    /// The key has voted, and what it voted is not here.
    #[error(
        "the voting key {key} was used with another store than {data}: the data folder was lost or replaced"
    )]
    Lost {
        /// The key's file.
        key: PathBuf,
        /// The data folder.
        data: PathBuf,
    },
    /// An earlier start found it out.
    #[error("{report} says that votes were lost")]
    Reported {
        /// The report.
        report: PathBuf,
    },
}

/// The report of a replica in quarantine.
pub fn report_path(data: &Path) -> PathBuf {
    data.join("quarantine.json")
}

fn marker_path(key: &Path) -> PathBuf {
    let mut name = key.as_os_str().to_owned();
    name.push(".store");
    PathBuf::from(name)
}

fn store_path(data: &Path) -> PathBuf {
    data.join("store-id")
}

/// Checks that this is the key's store, and makes the two belong together at the first start.
///
/// # Errors
/// The disk's; the inner one says that the replica may not vote.
pub fn bind(key: &Path, data: &Path) -> std::io::Result<Result<(), Unbound>> {
    std::fs::create_dir_all(data)?;
    let report = report_path(data);
    if report.exists() {
        return Ok(Err(Unbound::Reported { report }));
    }
    let (marker, store) = (marker_path(key), store_path(data));
    let known = read(&marker)?;
    let here = read(&store)?;
    let has_journal = data.join("journal").exists();
    match (known, here) {
        (Some(known), Some(here)) if known == here => Ok(Ok(())),
        (None, None) if !has_journal => {
            let id = keys::secret::random::<16>()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>();
            write(&store, &id)?;
            write(&marker, &id)?;
            Ok(Ok(()))
        }
        // The first start ended between the two writes; nothing was signed then.
        (None, Some(here)) if !has_journal => {
            write(&marker, &here)?;
            Ok(Ok(()))
        }
        _ => Ok(Err(Unbound::Lost {
            key: key.to_owned(),
            data: data.to_owned(),
        })),
    }
}

fn read(path: &Path) -> std::io::Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a small file so that it is whole or not there after a power failure.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let temporary = path.with_extension("temporary");
    let mut file = File::create(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let (key, data) = (folder.path().join("voting.key"), folder.path().join("data"));
        (folder, key, data)
    }

    #[test]
    fn a_key_stays_with_the_store_of_its_first_start() {
        let (_folder, key, data) = folders();
        for _ in 0..2 {
            assert_eq!(bind(&key, &data).unwrap(), Ok(()));
            std::fs::create_dir_all(data.join("journal")).unwrap();
        }
    }

    #[test]
    fn a_key_does_not_vote_with_a_lost_or_another_store() {
        let (folder, key, data) = folders();
        assert_eq!(bind(&key, &data).unwrap(), Ok(()));
        std::fs::remove_dir_all(&data).unwrap();
        assert!(matches!(
            bind(&key, &data).unwrap(),
            Err(Unbound::Lost { .. })
        ));
        let (other_key, other) = (folder.path().join("other.key"), folder.path().join("other"));
        assert_eq!(bind(&other_key, &other).unwrap(), Ok(()));
        assert!(matches!(
            bind(&key, &other).unwrap(),
            Err(Unbound::Lost { .. })
        ));
    }

    #[test]
    fn a_store_with_votes_takes_no_key_that_does_not_know_it() {
        let (folder, key, data) = folders();
        assert_eq!(bind(&key, &data).unwrap(), Ok(()));
        std::fs::create_dir_all(data.join("journal")).unwrap();
        let copied = folder.path().join("copied.key");
        assert!(matches!(
            bind(&copied, &data).unwrap(),
            Err(Unbound::Lost { .. })
        ));
    }

    #[test]
    fn a_quarantine_lasts() {
        let (_folder, key, data) = folders();
        assert_eq!(bind(&key, &data).unwrap(), Ok(()));
        std::fs::write(report_path(&data), "{}").unwrap();
        assert!(matches!(
            bind(&key, &data).unwrap(),
            Err(Unbound::Reported { .. })
        ));
    }
}
