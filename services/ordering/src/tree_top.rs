//! Where the nodes near the root of the state tree are kept: one file with all of them, written anew with each run of the others.
//!
//! Nearly all of them change from one run to the next, and they are most bytes of it. In the store they would be merged, again and again,
//! with earlier ones that nobody reads any more.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path as FilePath, PathBuf};

use ledger::Height;

use crate::state::StateError;

const MAGIC: [u8; 8] = *b"MEDSTOP1";
/// CRC-32 of all before it.
const CHECKSUM_BYTES: usize = 4;

/// How such files are named: by the checkpoint, in twenty digits.
const SUFFIX: &str = ".top";

/// Nodes in the order of their places, of which each has one: the length in two bytes (LE), zero where there is none, and the bytes.
#[derive(Debug, Default)]
pub struct TopNodes(Vec<u8>);

impl TopNodes {
    /// Room for so many bytes of nodes.
    pub fn with_capacity(bytes: usize) -> TopNodes {
        TopNodes(Vec::with_capacity(bytes))
    }

    /// Adds what is at the next place.
    ///
    /// # Panics
    /// A node is longer than 65,535 bytes; sixteen children take a fiftieth of that.
    pub fn push(&mut self, node: Option<&[u8]>) {
        let node = node.unwrap_or_default();
        let length = u16::try_from(node.len()).expect("a node is short");
        self.0.extend_from_slice(&length.to_le_bytes());
        self.0.extend_from_slice(node);
    }

    /// What is at each place, in order. Ends where bytes are missing.
    pub fn iter(&self) -> impl Iterator<Item = Option<&[u8]>> {
        let mut rest = &self.0[..];
        std::iter::from_fn(move || {
            let (length, behind) = rest.split_first_chunk()?;
            let (node, behind) = behind.split_at_checked(u16::from_le_bytes(*length).into())?;
            rest = behind;
            Some((!node.is_empty()).then_some(node))
        })
    }
}

/// The files.
#[derive(Clone, Debug)]
pub struct TopFiles {
    folder: PathBuf,
}

impl TopFiles {
    /// In this folder, which exists.
    pub fn in_folder(folder: &FilePath) -> TopFiles {
        TopFiles {
            folder: folder.to_owned(),
        }
    }

    fn path(&self, checkpoint: Height) -> PathBuf {
        self.folder.join(format!("{:020}{SUFFIX}", checkpoint.0))
    }

    /// Writes the nodes at a checkpoint, and syncs them.
    ///
    /// # Errors
    /// [`StateError::Store`]: the disk.
    pub fn write(&self, checkpoint: Height, nodes: &TopNodes) -> Result<(), StateError> {
        let write = || {
            let mut file = File::create(self.path(checkpoint))?;
            let mut checksum = crc32fast::Hasher::new();
            for part in [&MAGIC[..], &checkpoint.0.to_le_bytes(), &nodes.0] {
                file.write_all(part)?;
                checksum.update(part);
            }
            file.write_all(&checksum.finalize().to_le_bytes())?;
            file.sync_all()?;
            File::open(&self.folder)?.sync_all()
        };
        Ok(write().map_err(fjall::Error::from)?)
    }

    /// The nodes at a checkpoint.
    ///
    /// # Errors
    /// [`StateError::Damaged`]: the file is not there, or not as it was written; [`StateError::Store`]: the disk.
    pub fn read(&self, checkpoint: Height) -> Result<TopNodes, StateError> {
        let damaged = || StateError::Damaged("top of the state tree");
        let mut bytes = match std::fs::read(self.path(checkpoint)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(damaged()),
            Err(error) => return Err(fjall::Error::from(error).into()),
        };
        let (content, checksum) = bytes
            .split_last_chunk::<CHECKSUM_BYTES>()
            .ok_or_else(damaged)?;
        let head = [MAGIC, checkpoint.0.to_le_bytes()].concat();
        let is_whole = crc32fast::hash(content).to_le_bytes() == *checksum;
        if !is_whole || !content.starts_with(&head) {
            return Err(damaged());
        }
        bytes.truncate(bytes.len() - CHECKSUM_BYTES);
        bytes.drain(..head.len());
        Ok(TopNodes(bytes))
    }

    /// Removes all files but that of a checkpoint.
    ///
    /// # Errors
    /// [`StateError::Store`]: the disk.
    pub fn keep_only(&self, checkpoint: Height) -> Result<(), StateError> {
        let kept = self.path(checkpoint);
        let remove = || {
            for entry in std::fs::read_dir(&self.folder)? {
                let path = entry?.path();
                let name = path.file_name().and_then(|name| name.to_str());
                if path != kept && name.is_some_and(|name| name.ends_with(SUFFIX)) {
                    std::fs::remove_file(path)?;
                }
            }
            Ok::<(), std::io::Error>(())
        };
        Ok(remove().map_err(fjall::Error::from)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes() -> TopNodes {
        let mut nodes = TopNodes::default();
        for node in [Some(&b"root"[..]), None, Some(&[7; 1_000]), None] {
            nodes.push(node);
        }
        nodes
    }

    #[test]
    fn nodes_are_read_back_at_their_places_and_earlier_files_go() {
        let folder = tempfile::tempdir().unwrap();
        let files = TopFiles::in_folder(folder.path());
        files.write(Height(64), &TopNodes::default()).unwrap();
        files.write(Height(128), &nodes()).unwrap();
        files.keep_only(Height(128)).unwrap();
        let read = files.read(Height(128)).unwrap();
        assert!(read.iter().eq(nodes().iter()));
        assert_eq!(read.iter().count(), 4);
        assert!(files.read(Height(64)).is_err());
    }

    #[test]
    fn a_file_with_any_byte_changed_or_missing_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let files = TopFiles::in_folder(folder.path());
        files.write(Height(64), &nodes()).unwrap();
        let path = files.path(Height(64));
        let whole = std::fs::read(&path).unwrap();
        let is_damaged = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            matches!(files.read(Height(64)), Err(StateError::Damaged(_)))
        };
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 4;
            assert!(is_damaged(&changed), "byte {at}");
            assert!(is_damaged(&whole[..at]), "cut at {at}");
        }
        assert!(!is_damaged(&whole));
        std::fs::copy(&path, files.path(Height(128))).unwrap();
        assert!(files.read(Height(128)).is_err(), "of another checkpoint");
    }
}
