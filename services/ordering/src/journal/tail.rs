//! The end of the journal's file, where groups of records are written: each with one write that is on the disk when it returns.
//!
//! Where the file system can (`O_DIRECT`, open(2)), bytes pass the page cache by: in a trial a third of the processor's time for a
//! sync went into copying a page there and finding it again. Such a write is of whole pages, so the page that was begun is kept in
//! memory and written again with what follows; a sector of the disk holds what it held, or that and more.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

/// What the address, length and place of a direct write are multiples of.
const PAGE: usize = 4096;

/// A file that has no room left grows by so many zeros at once.
const ROOM_BYTES: usize = 1024 * 1024;
/// Groups above this are written without room behind them: they come when syncs are few.
const SMALL_GROUP_BYTES: usize = 128 * 1024;

/// The file, from its last begun page on.
#[derive(Debug)]
pub(super) struct Tail {
    file: File,
    /// Where the next group goes.
    end: u64,
    /// The bytes that the file has.
    room: u64,
    /// Starts with the bytes before `end` on its page.
    pages: Pages,
}

impl Tail {
    /// Of the file at `path`, which starts with `content`: the next group goes behind it.
    pub(super) fn open(path: &Path, content: &[u8]) -> std::io::Result<Tail> {
        let begun = &content[content.len() - content.len() % PAGE..];
        let mut pages = Pages::default();
        pages.whole(PAGE)[..begun.len()].copy_from_slice(begun);
        let file = open(path)?;
        Ok(Tail {
            end: content.len() as u64,
            room: file.metadata()?.len(),
            file,
            pages,
        })
    }

    /// Where the next group goes.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Writes a group in two parts, durably. After an error nothing may be taken as durable.
    pub(super) fn append(&mut self, head: &[u8], records: &[u8]) -> std::io::Result<()> {
        let group_bytes = head.len() + records.len();
        if self.end + group_bytes as u64 > self.room && group_bytes <= SMALL_GROUP_BYTES {
            self.grow()?;
        }
        let begun = self.end as usize % PAGE;
        let filled = begun + group_bytes;
        let pages = self.pages.whole(filled);
        pages[begun..begun + head.len()].copy_from_slice(head);
        pages[begun + head.len()..filled].copy_from_slice(records);
        pages[filled..].fill(0);
        let start = self.end - begun as u64;
        self.file.write_all_at(pages, start)?;
        self.room = self.room.max(start + pages.len() as u64);
        self.end += group_bytes as u64;
        // What the next write starts with.
        pages.copy_within(filled - filled % PAGE.., 0);
        Ok(())
    }

    /// Syncing a file that grows costs twice as much, so it grows by many groups at once.
    fn grow(&mut self) -> std::io::Result<()> {
        let start = self.room.next_multiple_of(PAGE as u64);
        let mut zeros = Pages::default();
        self.file.write_all_at(zeros.whole(ROOM_BYTES), start)?;
        self.room = start + ROOM_BYTES as u64;
        Ok(())
    }
}

/// For writes that are durable when they return, past the page cache where the file system can.
fn open(path: &Path) -> std::io::Result<File> {
    let with = |flags: OFlags| {
        OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(flags.bits() as i32)
            .open(path)
    };
    let direct = with(OFlags::DSYNC | OFlags::DIRECT).and_then(|file| {
        // Some file systems say no only when something is read or written.
        file.read_at(Pages::default().whole(PAGE), 0)?;
        Ok(file)
    });
    match direct {
        Err(error) if error.kind() == ErrorKind::InvalidInput => with(OFlags::DSYNC),
        opened => opened,
    }
}

/// Bytes that start at a page's boundary in memory.
#[derive(Debug, Default)]
struct Pages {
    memory: Vec<u8>,
    start: usize,
}

impl Pages {
    /// As many pages as so many bytes take. What is in the first stays.
    fn whole(&mut self, bytes: usize) -> &mut [u8] {
        let length = bytes.next_multiple_of(PAGE);
        if self.memory.len() < self.start + length {
            let grown = vec![0; length + PAGE];
            let start = grown.as_ptr().align_offset(PAGE);
            let old = std::mem::replace(
                self,
                Pages {
                    memory: grown,
                    start,
                },
            );
            if let Some(first) = old.memory.get(old.start..old.start + PAGE) {
                self.memory[start..start + PAGE].copy_from_slice(first);
            }
        }
        &mut self.memory[self.start..self.start + length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with these bytes, opened at its end.
    fn tail(folder: &tempfile::TempDir, content: &[u8]) -> (std::path::PathBuf, Tail) {
        let path = folder.path().join("file");
        std::fs::write(&path, content).unwrap();
        let tail = Tail::open(&path, content).unwrap();
        (path, tail)
    }

    #[test]
    fn groups_of_any_length_stand_one_after_another_and_zeros_behind_them() {
        let folder = tempfile::tempdir().unwrap();
        let (path, mut tail) = tail(&folder, b"begun");
        let mut expected = b"begun".to_vec();
        for (number, length) in [1, 4_000, 86, 4_096, 8_191, 3, 200_000, 0, 70_000]
            .into_iter()
            .enumerate()
        {
            let records = vec![number as u8 + 1; length];
            tail.append(b"head", &records).unwrap();
            expected.extend_from_slice(b"head");
            expected.extend_from_slice(&records);
            let written = std::fs::read(&path).unwrap();
            assert_eq!(tail.end(), expected.len() as u64);
            assert!(written.starts_with(&expected), "group {number}");
            assert!(written[expected.len()..].iter().all(|byte| *byte == 0));
        }
    }

    #[test]
    fn what_stood_behind_the_end_is_written_over_and_the_page_before_it_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let content = [7; 3 * PAGE];
        std::fs::write(&path, content).unwrap();
        let mut tail = Tail::open(&path, &content[..PAGE + 100]).unwrap();
        tail.append(b"", &[9; 50]).unwrap();
        let written = std::fs::read(&path).unwrap();
        assert_eq!(written[..PAGE + 100], content[..PAGE + 100]);
        assert_eq!(written[PAGE + 100..PAGE + 150], [9; 50]);
        assert_eq!(written[2 * PAGE..], content[2 * PAGE..]);
    }

    #[test]
    fn memory_is_at_a_pages_boundary_and_keeps_its_first_page_when_it_grows() {
        let mut pages = Pages::default();
        pages.whole(10)[..3].copy_from_slice(b"abc");
        for bytes in [PAGE, PAGE + 1, 10 * PAGE] {
            let whole = pages.whole(bytes);
            assert_eq!(whole.as_ptr().align_offset(PAGE), 0);
            assert_eq!((whole.len() % PAGE, &whole[..3]), (0, &b"abc"[..]));
        }
    }
}
