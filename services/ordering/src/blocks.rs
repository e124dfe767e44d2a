//! The certified blocks of the chain in segment files, in the format of [`ledger::store_format`].

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use ledger::store_format::{self, Decoded};
use ledger::{CertifiedBlock, Height};

/// The bytes after which a new segment starts.
const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;

/// Where a block stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// The first height of the segment.
    pub segment: u64,
    /// Where the record starts in the segment.
    pub offset: u64,
    /// The record's bytes.
    pub length: u32,
}

impl Location {
    /// As the index keeps it: 20 bytes.
    pub fn to_bytes(self) -> [u8; 20] {
        let mut bytes = [0; 20];
        bytes[..8].copy_from_slice(&self.segment.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.offset.to_be_bytes());
        bytes[16..].copy_from_slice(&self.length.to_be_bytes());
        bytes
    }

    /// Reads what [`Location::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Option<Location> {
        let bytes: &[u8; 20] = bytes.try_into().ok()?;
        Some(Location {
            segment: u64::from_be_bytes(bytes[..8].try_into().ok()?),
            offset: u64::from_be_bytes(bytes[8..16].try_into().ok()?),
            length: u32::from_be_bytes(bytes[16..].try_into().ok()?),
        })
    }
}

/// Why block files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BlockFileError {
    /// The disk.
    #[error("{path}: {error}")]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// A block is damaged. It is no torn tail: fetch it from another replica.
    #[error("{path}: the block at byte {at} is damaged: {reason}")]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// Where the record starts.
        at: u64,
        /// What is wrong.
        reason: String,
    },
}

fn disk(path: &Path) -> impl Fn(std::io::Error) -> BlockFileError + '_ {
    move |error| BlockFileError::Disk {
        path: path.to_owned(),
        error,
    }
}

fn segment_path(folder: &Path, first: u64) -> PathBuf {
    folder.join(store_format::segment_name(Height(first)))
}

fn sync(file: &File) -> std::io::Result<()> {
    chassis::metrics::counter("ordering_file_syncs_total", "syncs of block files").add(1);
    file.sync_data()
}

/// The blocks of the newest segment, found when opening.
pub type NewestBlocks = Vec<(CertifiedBlock, Location)>;

/// The open block files: blocks are appended in order of height.
#[derive(Debug)]
pub struct BlockFiles {
    folder: PathBuf,
    /// The newest segment: its first height, the file, the bytes in it.
    newest: Option<(u64, File, u64)>,
    next: u64,
    unsynced: bool,
}

impl BlockFiles {
    /// Opens the files in `folder`, cuts off a torn tail of the newest segment, and gives that segment's blocks.
    ///
    /// # Errors
    /// [`BlockFileError`].
    pub fn open(folder: &Path) -> Result<(BlockFiles, NewestBlocks), BlockFileError> {
        std::fs::create_dir_all(folder).map_err(disk(folder))?;
        let Some(first) = segments(folder)?.pop() else {
            return Ok((
                BlockFiles {
                    folder: folder.to_owned(),
                    newest: None,
                    next: 0,
                    unsynced: false,
                },
                Vec::new(),
            ));
        };
        let path = segment_path(folder, first);
        let bytes = std::fs::read(&path).map_err(disk(&path))?;
        let (blocks, length) = read_newest(&path, first, &bytes)?;
        let file = OpenOptions::new()
            .append(true)
            .read(true)
            .open(&path)
            .map_err(disk(&path))?;
        if length < bytes.len() as u64 {
            tracing::warn!(
                cut = bytes.len() as u64 - length,
                "the newest block file ended in a block cut short"
            );
            file.set_len(length)
                .and_then(|()| file.sync_all())
                .map_err(disk(&path))?;
        }
        let next = first + blocks.len() as u64;
        Ok((
            BlockFiles {
                folder: folder.to_owned(),
                newest: Some((first, file, length)),
                next,
                // Who wrote it may have been killed before syncing.
                unsynced: true,
            },
            blocks,
        ))
    }

    /// The height of the next block to be appended.
    pub fn next_height(&self) -> Height {
        Height(self.next)
    }

    /// Appends the record of the next block; it is durable after [`BlockFiles::sync`].
    ///
    /// # Errors
    /// [`BlockFileError::Disk`].
    ///
    /// # Panics
    /// If the block is not the next: the caller's defect.
    pub fn append(&mut self, height: Height, record: &[u8]) -> Result<Location, BlockFileError> {
        assert_eq!(height.0, self.next, "blocks are appended in order");
        if self
            .newest
            .as_ref()
            .is_none_or(|(_, _, length)| *length >= SEGMENT_BYTES)
        {
            self.start_segment()?;
        }
        let Some((segment, file, length)) = &mut self.newest else {
            unreachable!("a segment was started")
        };
        let location = Location {
            segment: *segment,
            offset: *length,
            length: record.len() as u32,
        };
        file.write_all(record).map_err(disk(&self.folder))?;
        *length += record.len() as u64;
        self.next += 1;
        self.unsynced = true;
        Ok(location)
    }

    fn start_segment(&mut self) -> Result<(), BlockFileError> {
        self.sync()?;
        let path = segment_path(&self.folder, self.next);
        let mut file = OpenOptions::new()
            .create_new(true)
            .append(true)
            .read(true)
            .open(&path)
            .map_err(disk(&path))?;
        file.write_all(&store_format::MAGIC)
            .and_then(|()| file.sync_all())
            .map_err(disk(&path))?;
        File::open(&self.folder)
            .and_then(|folder| folder.sync_all())
            .map_err(disk(&self.folder))?;
        self.newest = Some((self.next, file, store_format::MAGIC.len() as u64));
        Ok(())
    }

    /// What is not synced yet, to be synced without holding these files.
    ///
    /// # Errors
    /// [`BlockFileError::Disk`]: the process must stop.
    pub fn unsynced(&self) -> Result<Unsynced, BlockFileError> {
        let file = match &self.newest {
            Some((_, file, _)) => Some(file.try_clone().map_err(disk(&self.folder))?),
            None => None,
        };
        Ok(Unsynced {
            folder: self.folder.clone(),
            file,
            below: Height(self.next),
        })
    }

    /// Syncs what was appended; all blocks below the returned height are durable.
    ///
    /// # Errors
    /// [`BlockFileError::Disk`]: the process must stop.
    pub fn sync(&mut self) -> Result<Height, BlockFileError> {
        if let (true, Some((_, file, _))) = (self.unsynced, &self.newest) {
            sync(file).map_err(disk(&self.folder))?;
            self.unsynced = false;
        }
        Ok(Height(self.next))
    }
}

/// The newest segment at a moment; the segments before it were synced when it was started.
#[derive(Debug)]
pub struct Unsynced {
    folder: PathBuf,
    file: Option<File>,
    below: Height,
}

impl Unsynced {
    /// Syncs; all blocks below the returned height are durable.
    ///
    /// # Errors
    /// [`BlockFileError::Disk`]: the process must stop.
    pub fn sync(self) -> Result<Height, BlockFileError> {
        if let Some(file) = &self.file {
            sync(file).map_err(disk(&self.folder))?;
        }
        Ok(self.below)
    }
}

/// The first heights of all segments, ascending.
///
/// # Errors
/// [`BlockFileError::Disk`].
pub fn segments(folder: &Path) -> Result<Vec<u64>, BlockFileError> {
    let mut firsts = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(disk(folder))? {
        let name = entry.map_err(disk(folder))?.file_name();
        firsts.extend(
            name.to_str()
                .and_then(store_format::parse_segment_name)
                .map(|height| height.0),
        );
    }
    firsts.sort_unstable();
    Ok(firsts)
}

/// All blocks of one segment.
///
/// # Errors
/// [`BlockFileError`].
pub fn read_whole(folder: &Path, segment: u64) -> Result<NewestBlocks, BlockFileError> {
    let path = segment_path(folder, segment);
    let bytes = std::fs::read(&path).map_err(disk(&path))?;
    Ok(read_newest(&path, segment, &bytes)?.0)
}

/// Reads one block.
///
/// # Errors
/// [`BlockFileError`].
pub fn read(folder: &Path, location: Location) -> Result<CertifiedBlock, BlockFileError> {
    let record = Reader::new(folder).record(location)?;
    match store_format::decode_record(&record) {
        Decoded::Record { block, .. } => Ok(*block),
        other => Err(damaged_at(folder, location, format!("{other:?}"))),
    }
}

/// Reads blocks one after another, and keeps the segment that it read last open.
pub struct Reader<'a> {
    folder: &'a Path,
    open: Option<(u64, File)>,
}

impl Reader<'_> {
    /// A reader of the segments in this folder.
    pub fn new(folder: &Path) -> Reader<'_> {
        Reader { folder, open: None }
    }

    /// The canonical bytes of one block.
    ///
    /// # Errors
    /// [`BlockFileError`].
    pub fn encoded(&mut self, location: Location) -> Result<Vec<u8>, BlockFileError> {
        let mut record = self.record(location)?;
        let payload = store_format::payload_of(&record)
            .ok_or_else(|| damaged_at(self.folder, location, "its checksum is wrong".to_owned()))?
            .len();
        record.drain(..record.len() - payload);
        Ok(record)
    }

    fn record(&mut self, location: Location) -> Result<Vec<u8>, BlockFileError> {
        let path = segment_path(self.folder, location.segment);
        let file = match &self.open {
            Some((segment, file)) if *segment == location.segment => file,
            _ => {
                let file = File::open(&path).map_err(disk(&path))?;
                &self.open.insert((location.segment, file)).1
            }
        };
        let mut bytes = vec![0; location.length as usize];
        file.read_exact_at(&mut bytes, location.offset)
            .map_err(disk(&path))?;
        Ok(bytes)
    }
}

fn damaged_at(folder: &Path, location: Location, reason: String) -> BlockFileError {
    BlockFileError::Damaged {
        path: segment_path(folder, location.segment),
        at: location.offset,
        reason,
    }
}

fn read_newest(
    path: &Path,
    first: u64,
    bytes: &[u8],
) -> Result<(NewestBlocks, u64), BlockFileError> {
    let damaged = |at: usize, reason: String| BlockFileError::Damaged {
        path: path.to_owned(),
        at: at as u64,
        reason,
    };
    let mut at = store_format::MAGIC.len();
    if !bytes.starts_with(&store_format::MAGIC) {
        return Err(damaged(0, "it does not start with MEDSBLK1".to_owned()));
    }
    let mut blocks = Vec::new();
    loop {
        match store_format::decode_record(&bytes[at..]) {
            Decoded::End | Decoded::Torn => return Ok((blocks, at as u64)),
            Decoded::Corrupt(reason) => return Err(damaged(at, reason.to_string())),
            Decoded::Record { block, consumed } => {
                let expected = first + blocks.len() as u64;
                if block.block.header.height.0 != expected {
                    let found = block.block.header.height;
                    return Err(damaged(
                        at,
                        format!("height {found} where {expected} belongs"),
                    ));
                }
                blocks.push((
                    *block,
                    Location {
                        segment: first,
                        offset: at as u64,
                        length: consumed as u32,
                    },
                ));
                at += consumed;
            }
        }
    }
}
