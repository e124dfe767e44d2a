//! The journal's file: opening, reading back, appending, replacing.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use ledger::{Digest, SignedTransaction};
use pbft::LogRecord;

use super::record::{self, JournaledBlock, JournaledCertificate, Record};
use super::tail::Tail;

const MAGIC: [u8; 8] = *b"MEDSJNL2";
const SALT_BYTES: usize = 16;
/// Magic, salt, checksum.
const FILE_HEAD_BYTES: usize = MAGIC.len() + SALT_BYTES + 4;
/// Salt, length, checksum.
const GROUP_HEAD_BYTES: usize = SALT_BYTES + 8;

/// A file with so many bytes is full.
const FULL_BYTES: u64 = 64 * 1024 * 1024;

/// The name of the file that waits to be written over.
const SPARE: &str = "spare";

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
    /// A group in the middle is damaged: votes may be lost, so this replica must not vote again under its key.
    #[error(
        "{path}: the group at byte {at} is damaged ({reason}); this is no torn tail. Retire this replica and admit it with a new key"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the group starts.
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
    /// How many bytes of a torn tail are passed over.
    pub torn_bytes: usize,
}

impl Recovered {
    fn take(&mut self, record: Record) {
        match record {
            Record::Vote(vote) => self.votes.push(vote),
            Record::VotesAnew => self.votes.clear(),
            Record::Block(block) => {
                self.blocks.insert(block.header.height.0, block);
            }
            Record::Certificate(certificate) => {
                self.certificates.insert(certificate.height.0, certificate);
            }
            Record::Body(signed, bytes) => {
                let wire = ledger::transaction::wire_digest(&bytes);
                self.bodies.insert(wire, (signed, bytes));
            }
        }
    }
}

pub(super) type Salt = [u8; SALT_BYTES];

/// The open file.
#[derive(Debug)]
pub struct JournalFile {
    folder: PathBuf,
    path: PathBuf,
    number: u64,
    tail: Tail,
    salt: Salt,
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

fn random_salt() -> Salt {
    let random: [u8; 32] = keys::secret::random();
    std::array::from_fn(|place| random[place])
}

/// What a file with that salt starts with. Without its checksum a damaged salt would make every group look like room.
pub(super) fn file_head(salt: &Salt) -> [u8; FILE_HEAD_BYTES] {
    let mut head = [0; FILE_HEAD_BYTES];
    let (named, checksum) = head.split_at_mut(MAGIC.len() + SALT_BYTES);
    named[..MAGIC.len()].copy_from_slice(&MAGIC);
    named[MAGIC.len()..].copy_from_slice(salt);
    checksum.copy_from_slice(&crc32fast::hash(named).to_le_bytes());
    head
}

/// The head of a group with these records.
pub(super) fn group_head(salt: &Salt, records: &[u8]) -> [u8; GROUP_HEAD_BYTES] {
    let length = (records.len() as u32).to_le_bytes();
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(salt);
    checksum.update(&length);
    checksum.update(records);
    let mut head = [0; GROUP_HEAD_BYTES];
    head[..SALT_BYTES].copy_from_slice(salt);
    head[SALT_BYTES..SALT_BYTES + 4].copy_from_slice(&length);
    head[SALT_BYTES + 4..].copy_from_slice(&checksum.finalize().to_le_bytes());
    head
}

impl JournalFile {
    /// Opens the newest file in `folder`, or starts the first; reads back what it holds and passes over a torn tail,
    /// which the next group is written over.
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
        let (recovered, salt, end) = read(&path, &bytes)?;
        let tail = Tail::open(&path, &bytes[..end]).map_err(disk(&path))?;
        // The newest file replaced these; a crash kept them from being put aside.
        for older in older {
            let path = folder.join(file_name(*older));
            std::fs::remove_file(&path).map_err(disk(&path))?;
        }
        let journal = JournalFile {
            folder: folder.to_owned(),
            path,
            number,
            tail,
            salt,
        };
        Ok((journal, recovered))
    }

    /// A new file with one group, written over the spare one if there is one.
    fn create(folder: &Path, number: u64, records: &[u8]) -> Result<JournalFile, JournalError> {
        let path = folder.join(file_name(number));
        let spare = folder.join(SPARE);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&spare)
            .map_err(disk(&spare))?;
        let salt = random_salt();
        let mut content = Vec::with_capacity(FILE_HEAD_BYTES + GROUP_HEAD_BYTES + records.len());
        content.extend_from_slice(&file_head(&salt));
        if !records.is_empty() {
            content.extend_from_slice(&group_head(&salt, records));
            content.extend_from_slice(records);
        }
        file.write_all_at(&content, 0)
            .and_then(|()| file.sync_all())
            .map_err(disk(&spare))?;
        std::fs::rename(&spare, &path).map_err(disk(&path))?;
        sync_folder(folder)?;
        let tail = Tail::open(&path, &content).map_err(disk(&path))?;
        Ok(JournalFile {
            folder: folder.to_owned(),
            path,
            number,
            tail,
            salt,
        })
    }

    /// Whether it is time to replace the file.
    pub fn is_full(&self) -> bool {
        self.tail.end() >= FULL_BYTES
    }

    /// Appends a group of records, durably. After an error nothing may be taken as durable and the process must stop.
    ///
    /// # Errors
    /// [`JournalError::Disk`].
    pub fn append(&mut self, records: &[u8]) -> Result<(), JournalError> {
        let head = group_head(&self.salt, records);
        self.tail.append(&head, records).map_err(disk(&self.path))
    }

    /// Replaces everything by `records`, atomically and durably.
    ///
    /// # Errors
    /// [`JournalError::Disk`].
    pub fn replace(&mut self, records: &[u8]) -> Result<(), JournalError> {
        let next = JournalFile::create(&self.folder, self.number + 1, records)?;
        let old = std::mem::replace(self, next);
        // The new file is there already: should the old one come back after a crash, it is older.
        std::fs::rename(&old.path, old.folder.join(SPARE)).map_err(disk(&old.path))
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

/// The records of the group at the start of `bytes`, which reach to the end of the file; `None` if no whole one is there.
fn group<'a>(salt: &Salt, bytes: &'a [u8]) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_first_chunk::<GROUP_HEAD_BYTES>()?;
    let length: [u8; 4] = head[SALT_BYTES..SALT_BYTES + 4].try_into().ok()?;
    let records = rest.get(..u32::from_le_bytes(length) as usize)?;
    (group_head(salt, records) == *head).then_some(records)
}

/// Whether a whole group starts anywhere behind the first byte: then what is broken before it is damage in the middle of
/// the file and no torn tail.
fn group_follows(salt: &Salt, bytes: &[u8]) -> bool {
    let starts = bytes.windows(SALT_BYTES).enumerate().skip(1);
    starts
        .filter(|(_, window)| window[0] == salt[0] && *window == salt)
        .any(|(start, _)| group(salt, &bytes[start..]).is_some())
}

/// What `bytes` hold, the file's salt, and where the next group goes.
pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<(Recovered, Salt, usize), JournalError> {
    let damaged = |at: usize, reason: String| JournalError::Damaged {
        path: path.to_owned(),
        at,
        reason,
    };
    let salt: Option<Salt> = bytes
        .strip_prefix(&MAGIC)
        .and_then(|rest| rest.first_chunk().copied());
    let Some(salt) = salt.filter(|salt| bytes.starts_with(&file_head(salt))) else {
        return Err(damaged(0, "the file's head is not whole".to_owned()));
    };
    let mut recovered = Recovered::default();
    let mut at = FILE_HEAD_BYTES;
    while let Some(records) = group(&salt, &bytes[at..]) {
        let mut rest = records;
        while !rest.is_empty() {
            let (payload, next) = record::split_first(rest)
                .ok_or_else(|| damaged(at, "a record is longer than its group".to_owned()))?;
            let record = record::parse(payload).map_err(|reason| damaged(at, reason))?;
            recovered.take(record);
            rest = next;
        }
        at += GROUP_HEAD_BYTES + records.len();
    }
    let rest = &bytes[at..];
    if group_follows(&salt, rest) {
        return Err(damaged(
            at,
            "its checksum does not match and whole groups follow".to_owned(),
        ));
    }
    if rest.starts_with(&salt) {
        recovered.torn_bytes = rest.len();
    }
    Ok((recovered, salt, at))
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

    /// The folder of a journal with so many groups of one body each, the file's path, and where each group ends.
    fn journal(groups: u64) -> (tempfile::TempDir, PathBuf, Vec<usize>) {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, recovered) = JournalFile::open(folder.path()).unwrap();
        assert!(recovered.bodies.is_empty());
        let mut ends = vec![FILE_HEAD_BYTES];
        for nonce in 0..groups {
            journal.append(&content(nonce..nonce + 1)).unwrap();
            ends.push(journal.tail.end() as usize);
        }
        let path = journal.path.clone();
        (folder, path, ends)
    }

    fn bodies(folder: &Path) -> usize {
        JournalFile::open(folder).unwrap().1.bodies.len()
    }

    #[test]
    fn what_was_appended_is_read_back_and_a_replacement_takes_its_place() {
        let (folder, ..) = journal(5);
        assert_eq!(bodies(folder.path()), 5);
        for _ in 0..3 {
            // From the second time on an old file is written over, whose groups must not come back.
            let (mut journal, _) = JournalFile::open(folder.path()).unwrap();
            journal.replace(&content(4..5)).unwrap();
            journal.append(&content(9..10)).unwrap();
            drop(journal);
            let (_, recovered) = JournalFile::open(folder.path()).unwrap();
            assert_eq!((recovered.bodies.len(), recovered.torn_bytes), (2, 0));
        }
        assert_eq!(numbers(folder.path()).unwrap(), [4]);
    }

    #[test]
    fn votes_before_a_new_start_of_the_vote_log_count_no_more() {
        let mut recovered = Recovered::default();
        let (mut buffer, mut records) = (Vec::new(), Vec::new());
        record::put_votes_anew(&mut buffer);
        record::put_body(&mut buffer, &crate::fixtures::transaction(3).to_bytes());
        let mut rest = &buffer[..];
        while let Some((payload, next)) = record::split_first(rest) {
            records.push(record::parse(payload).unwrap());
            rest = next;
        }
        assert!(matches!(records[..], [Record::VotesAnew, Record::Body(..)]));
        records
            .into_iter()
            .for_each(|record| recovered.take(record));
        assert_eq!((recovered.votes.len(), recovered.bodies.len()), (0, 1));
    }

    #[test]
    fn a_tail_torn_at_any_byte_is_passed_over_and_nothing_before_it_is_lost() {
        let (folder, path, ends) = journal(2);
        let whole = std::fs::read(&path).unwrap();
        for length in ends[1]..ends[2] {
            std::fs::write(&path, &whole[..length]).unwrap();
            let (mut journal, recovered) = JournalFile::open(folder.path()).unwrap();
            assert_eq!(recovered.bodies.len(), 1);
            assert_eq!(recovered.torn_bytes > 0, length >= ends[1] + SALT_BYTES);
            journal.append(&content(7..8)).unwrap();
            drop(journal);
            assert_eq!(bodies(folder.path()), 2);
        }
    }

    #[test]
    fn a_tail_of_which_any_page_was_not_written_is_passed_over() {
        let (folder, path, ends) = journal(2);
        let whole = std::fs::read(&path).unwrap();
        for start in (ends[1]..ends[2]).step_by(16) {
            let mut torn = whole.clone();
            torn[start..ends[2].min(start + 40)].fill(0);
            std::fs::write(&path, &torn).unwrap();
            let (mut journal, recovered) = JournalFile::open(folder.path()).unwrap();
            assert_eq!(recovered.bodies.len(), 1, "{start}");
            journal.append(&content(7..8)).unwrap();
            drop(journal);
            assert_eq!(bodies(folder.path()), 2);
        }
    }

    #[test]
    fn a_byte_flipped_before_the_last_group_is_named_and_refused() {
        let (folder, path, ends) = journal(3);
        let whole = std::fs::read(&path).unwrap();
        for position in (0..ends[2]).step_by(3) {
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
