//! The journal's file: opening, reading back, appending, replacing.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use ledger::{Digest, SignedTransaction};
use pbft::LogRecord;

use super::record::{self, Frame, JournaledBlock, JournaledCertificate, Record};

const MAGIC: [u8; 8] = *b"MEDSJNL1";

/// Why a journal cannot be used. Nothing is ever cut off but a torn tail.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk.
    #[error("{path}: {error}")]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// A record in the middle is damaged: votes may be lost, so this replica must not vote again under its key.
    #[error(
        "{path}: the record at byte {at} is damaged ({reason}); this is no torn tail. Retire this replica and admit it with a new key"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the record starts.
        at: usize,
        /// What is wrong.
        reason: String,
    },
}

/// What a journal held.
#[derive(Debug, Default)]
pub struct Recovered {
    /// The vote log, in order.
    pub votes: Vec<LogRecord>,
    /// Transactions by wire digest.
    pub bodies: BTreeMap<Digest, (SignedTransaction, Bytes)>,
    /// Executed blocks by height.
    pub blocks: BTreeMap<u64, JournaledBlock>,
    /// Certificates by height.
    pub certificates: BTreeMap<u64, JournaledCertificate>,
    /// How many bytes of a torn tail were cut off.
    pub torn_bytes: usize,
}

/// The open file.
#[derive(Debug)]
pub struct JournalFile {
    folder: PathBuf,
    path: PathBuf,
    number: u64,
    file: File,
}

fn disk(path: &Path) -> impl Fn(std::io::Error) -> JournalError + '_ {
    move |error| JournalError::Disk {
        path: path.to_owned(),
        error,
    }
}

fn file_name(number: u64) -> String {
    format!("{number:020}.journal")
}

fn sync_folder(folder: &Path) -> Result<(), JournalError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(disk(folder))
}

impl JournalFile {
    /// Opens the newest file in `folder`, or starts the first; reads back what it holds and cuts off a torn tail.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn open(folder: &Path) -> Result<(JournalFile, Recovered), JournalError> {
        std::fs::create_dir_all(folder).map_err(disk(folder))?;
        let numbers = numbers(folder)?;
        let Some((&number, older)) = numbers.split_last() else {
            return Ok((JournalFile::create(folder, 1, &[])?, Recovered::default()));
        };
        let path = folder.join(file_name(number));
        let bytes = std::fs::read(&path).map_err(disk(&path))?;
        let (recovered, length) = read(&path, &bytes)?;
        let file = OpenOptions::new()
            .append(true)
            .open(&path)
            .map_err(disk(&path))?;
        if length < bytes.len() {
            file.set_len(length as u64)
                .and_then(|()| file.sync_all())
                .map_err(disk(&path))?;
        }
        // The newest file replaced these; a crash kept them from being removed.
        for older in older {
            let path = folder.join(file_name(*older));
            std::fs::remove_file(&path).map_err(disk(&path))?;
        }
        Ok((
            JournalFile {
                folder: folder.to_owned(),
                path,
                number,
                file,
            },
            recovered,
        ))
    }

    fn create(folder: &Path, number: u64, content: &[u8]) -> Result<JournalFile, JournalError> {
        let path = folder.join(file_name(number));
        let temporary = folder.join("next.temporary");
        let mut file = File::create(&temporary).map_err(disk(&temporary))?;
        file.write_all(&MAGIC)
            .and_then(|()| file.write_all(content))
            .and_then(|()| file.sync_all())
            .map_err(disk(&temporary))?;
        std::fs::rename(&temporary, &path).map_err(disk(&path))?;
        sync_folder(folder)?;
        let file = OpenOptions::new()
            .append(true)
            .open(&path)
            .map_err(disk(&path))?;
        Ok(JournalFile {
            folder: folder.to_owned(),
            path,
            number,
            file,
        })
    }

    /// Appends and syncs. After an error nothing may be taken as durable and the process must stop.
    ///
    /// # Errors
    /// [`JournalError::Disk`].
    pub fn append(&mut self, content: &[u8]) -> Result<(), JournalError> {
        self.file
            .write_all(content)
            .and_then(|()| self.file.sync_data())
            .map_err(disk(&self.path))
    }

    /// Replaces everything by `content`, atomically and durably.
    ///
    /// # Errors
    /// [`JournalError::Disk`].
    pub fn replace(&mut self, content: &[u8]) -> Result<(), JournalError> {
        let next = JournalFile::create(&self.folder, self.number + 1, content)?;
        let old = std::mem::replace(self, next);
        std::fs::remove_file(&old.path).map_err(disk(&old.path))
    }
}

fn numbers(folder: &Path) -> Result<Vec<u64>, JournalError> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(disk(folder))? {
        let name = entry.map_err(disk(folder))?.file_name();
        let number: Option<u64> = name
            .to_str()
            .and_then(|name| name.strip_suffix(".journal"))
            .and_then(|digits| digits.parse().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// What `bytes` hold, and how many of them are whole.
fn read(path: &Path, bytes: &[u8]) -> Result<(Recovered, usize), JournalError> {
    let damaged = |at: usize, reason: &str| JournalError::Damaged {
        path: path.to_owned(),
        at,
        reason: reason.to_owned(),
    };
    if !bytes.starts_with(&MAGIC) {
        return Err(damaged(0, "it does not start with MEDSJNL1"));
    }
    let mut recovered = Recovered::default();
    let mut at = MAGIC.len();
    loop {
        let rest = &bytes[at..];
        match record::frame(rest) {
            Frame::End => return Ok((recovered, at)),
            Frame::Payload(payload, next) => {
                match record::parse(payload).map_err(|reason| damaged(at, &reason))? {
                    Record::Vote(vote) => recovered.votes.push(vote),
                    Record::Block(block) => {
                        recovered.blocks.insert(block.header.height.0, block);
                    }
                    Record::Certificate(certificate) => {
                        recovered
                            .certificates
                            .insert(certificate.height.0, certificate);
                    }
                    Record::Body(signed, bytes) => {
                        recovered
                            .bodies
                            .insert(ledger::transaction::wire_digest(&bytes), (signed, bytes));
                    }
                }
                at += next;
            }
            Frame::Broken if record::record_follows(rest) => {
                return Err(damaged(
                    at,
                    "its checksum does not match and whole records follow",
                ));
            }
            Frame::Broken => {
                recovered.torn_bytes = rest.len();
                return Ok((recovered, at));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(nonces: std::ops::Range<u64>) -> Vec<u8> {
        let mut buffer = Vec::new();
        for nonce in nonces {
            record::put_body(&mut buffer, &crate::fixtures::transaction(nonce).to_bytes());
        }
        buffer
    }

    #[test]
    fn what_was_appended_is_read_back_and_a_replacement_takes_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, recovered) = JournalFile::open(folder.path()).unwrap();
        assert!(recovered.bodies.is_empty());
        journal.append(&content(0..3)).unwrap();
        journal.append(&content(3..5)).unwrap();
        drop(journal);
        let (mut journal, recovered) = JournalFile::open(folder.path()).unwrap();
        assert_eq!(recovered.bodies.len(), 5);
        journal.replace(&content(4..5)).unwrap();
        journal.append(&content(9..10)).unwrap();
        drop(journal);
        let (_, recovered) = JournalFile::open(folder.path()).unwrap();
        assert_eq!(recovered.bodies.len(), 2);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_tail_torn_at_any_byte_is_cut_off_and_nothing_before_it_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let whole = [&MAGIC[..], &content(0..2)].concat();
        let end = MAGIC.len() + content(0..1).len();
        let path = folder.path().join(file_name(1));
        for length in end..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let (mut journal, recovered) = JournalFile::open(folder.path()).unwrap();
            assert_eq!(
                (recovered.bodies.len(), recovered.torn_bytes),
                (1, length - end)
            );
            journal.append(&content(7..8)).unwrap();
            drop(journal);
            let (_, recovered) = JournalFile::open(folder.path()).unwrap();
            assert_eq!(recovered.bodies.len(), 2);
        }
    }

    #[test]
    fn a_byte_flipped_before_the_last_record_is_named_and_refused() {
        let folder = tempfile::tempdir().unwrap();
        let whole = [&MAGIC[..], &content(0..3)].concat();
        let last = whole.len() - content(2..3).len();
        let path = folder.path().join(file_name(1));
        for position in (0..last).step_by(7) {
            let mut bytes = whole.clone();
            bytes[position] ^= 0x10;
            std::fs::write(&path, &bytes).unwrap();
            let error = JournalFile::open(folder.path()).unwrap_err();
            assert!(
                matches!(error, JournalError::Damaged { .. }),
                "byte {position}: {error}"
            );
            assert_eq!(std::fs::read(&path).unwrap(), bytes, "nothing is cut off");
        }
    }
}
